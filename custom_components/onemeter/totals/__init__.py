"""The totals of a meter: which may be published, what is remembered, what the statistics need."""

from .guard import Step, Total
from .totals import Totals, async_forget, async_start_over

__all__ = ["Step", "Total", "Totals", "async_forget", "async_start_over"]
