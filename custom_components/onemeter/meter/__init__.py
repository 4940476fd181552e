"""The reading library: from bytes at a port to readings, without Home Assistant.

Clients are made in ``clients``: they bring asyncio and serialx, which take longer to import than
all the rest together and which decoding a file does not need.
"""

from .client import Counters, PolledClient, PushedClient
from .errors import MeterError
from .line import Framing, LineSettings
from .obis import Obis
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .reading import Event, Identity, Interval, Key, Reading, Register, Value

__all__ = [
    "POLLED_LINE",
    "PUSHED_LINE",
    "Counters",
    "Event",
    "Framing",
    "Identity",
    "Interval",
    "Key",
    "LineSettings",
    "MeterError",
    "Obis",
    "PolledClient",
    "Protocol",
    "PushedClient",
    "Reading",
    "Register",
    "Value",
]
