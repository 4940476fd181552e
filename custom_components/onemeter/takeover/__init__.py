"""Continuing the long-term statistics of a sensor that no longer exists."""

from .carrying_out import async_take_over
from .offers import Offer, async_entry_offers, async_offers

__all__ = ["Offer", "async_entry_offers", "async_offers", "async_take_over"]
