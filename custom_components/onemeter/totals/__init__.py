"""The totals of a meter: which may be published, what is remembered, what the statistics need."""

from .guard import Proof
from .moment import Moment
from .total import Step, Total
from .totals import Totals, async_forget, async_start_over

__all__ = ["Moment", "Proof", "Step", "Total", "Totals", "async_forget", "async_start_over"]
