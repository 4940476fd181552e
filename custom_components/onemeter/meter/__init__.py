"""The reading library: from bytes at a port to readings, without Home Assistant.

Clients are made in ``clients``: they bring asyncio and serialx, which take longer to import than
all the rest together and which decoding a file does not need.
"""

from .client import Counters, PushedClient
from .errors import MeterError
from .line import Framing, LineSettings
from .obis import Obis
from .protocols import DEFAULT_LINE, Protocol
from .reading import Identity, Reading, Register, Value

__all__ = [
    "DEFAULT_LINE",
    "Counters",
    "Framing",
    "Identity",
    "LineSettings",
    "MeterError",
    "Obis",
    "Protocol",
    "PushedClient",
    "Reading",
    "Register",
    "Value",
]
