"""The reading library: from bytes at a port to readings, without Home Assistant."""

from .client import Counters, PushedClient
from .errors import MeterError
from .obis import Obis
from .port import Framing, LineSettings
from .protocols import DEFAULT_LINE, Protocol, create_client
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
    "create_client",
]
