"""The reading library: from bytes at a port to readings, without Home Assistant."""

from typing import TYPE_CHECKING

from .client import Counters, PushedClient
from .errors import MeterError
from .line import Framing, LineSettings
from .obis import Obis
from .protocols import DEFAULT_LINE, Protocol
from .reading import Identity, Reading, Register, Value

if TYPE_CHECKING:
    from .clients import create_client

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


def __getattr__(name: str) -> object:
    """Import create_client when it is first named.

    It brings asyncio and serialx, which take longer to import than all the rest together and
    which decoding a file does not need.
    """
    if name == "create_client":
        from .clients import create_client  # noqa: PLC0415 - see above

        return create_client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
