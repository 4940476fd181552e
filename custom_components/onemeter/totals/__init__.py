"""The totals of a meter: which may be published, what is stored, how statistics are corrected."""

from .guard import Proof
from .moment import Moment
from .storage import async_forget, async_start_over
from .total import Step, Total
from .totals import Totals

__all__ = ["Moment", "Proof", "Step", "Total", "Totals", "async_forget", "async_start_over"]
