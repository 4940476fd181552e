"""Meters of which only the LED is read."""

from .light import Light, Troubles
from .meter import BlinkingMeter, steady

__all__ = ["BlinkingMeter", "Light", "Troubles", "steady"]
