"""A meter without a readable port, whose light flashes all the same."""

from .light import Light, Troubles
from .meter import BlinkingMeter, steady

__all__ = ["BlinkingMeter", "Light", "Troubles", "steady"]
