"""The reading library: from bytes at a port to readings, without Home Assistant.

Clients are created by ``clients``, which imports asyncio and serialx: both take longer to import
than the rest of the library, and decoding a file does not need them.
"""

from .client import Counters, PolledClient, PushedClient
from .errors import MeterError
from .line import Framing, LineSettings
from .obis import Obis
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .reading import (
    CurrentRegisters,
    Event,
    Identity,
    Interval,
    Key,
    LoadProfiles,
    Reading,
    Register,
    Value,
)

__all__ = [
    "POLLED_LINE",
    "PUSHED_LINE",
    "Counters",
    "CurrentRegisters",
    "Event",
    "Framing",
    "Identity",
    "Interval",
    "Key",
    "LineSettings",
    "LoadProfiles",
    "MeterError",
    "Obis",
    "PolledClient",
    "Protocol",
    "PushedClient",
    "Reading",
    "Register",
    "Value",
]
