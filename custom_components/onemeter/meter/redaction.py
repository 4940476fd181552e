"""What may be logged of a port: its URL without secrets, and none of its bytes."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
import logging
import re
from typing import Any, Final

#: The loggers of serialx on Linux. A filter of a logger sees nothing of the loggers below it.
SERIALX_LOGGERS: Final = (
    "serialx.async_serial",
    "serialx.common",
    "serialx.descriptor_transport",
    "serialx.platforms.serial_esphome",
    "serialx.platforms.serial_linux",
    "serialx.platforms.serial_posix",
    "serialx.platforms.serial_rfc2217",
    "serialx.platforms.serial_rfc2217.types",
    "serialx.platforms.serial_socket",
    "serialx.serialx_rust",
)
#: Warns of each attempt to connect that fails, which whoever opens the port learns anyway.
ESPHOME_LOGGER: Final = "aioesphomeapi.connection"
_HEX_DUMP: Final = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2})*")


class LogRedaction:
    """Redacts what serialx logs about one port while that is open.

    That is the port's URL and all bytes sent and received, which may hold a password or a meter's
    id. Other users of serialx are left alone: only calls made under ``of_this_port`` count, and the
    callbacks that these calls leave in the event loop.
    """

    def __init__(self, url: str, name: str) -> None:
        """Take the port's URL, and what is shown of it. Nothing is redacted yet."""
        self._url = url
        self._name = name

    def begin(self) -> None:
        """Add the filters."""
        for name in (*SERIALX_LOGGERS, ESPHOME_LOGGER):
            logging.getLogger(name).addFilter(self)

    def end(self) -> None:
        """Remove them again."""
        for name in (*SERIALX_LOGGERS, ESPHOME_LOGGER):
            logging.getLogger(name).removeFilter(self)

    @contextmanager
    def of_this_port(self) -> Generator[None]:
        """Mark what is done meanwhile as done at this port."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record of this port, and drop it where it only repeats an error."""
        if _current.get() is self:
            if record.name == ESPHOME_LOGGER:
                return False
            match record.args:
                case tuple() as args:
                    record.args = tuple(self._shown(arg) for arg in args)
                case Mapping() as args:
                    record.args = {key: self._shown(arg) for key, arg in args.items()}
        return True

    def _shown(self, arg: Any) -> Any:
        """Return what is logged in place of an argument of a message."""
        match arg:
            case bytes() | bytearray() | memoryview():
                return f"{len(arg)} bytes"
            case str() if _HEX_DUMP.fullmatch(arg):
                return f"{len(arg.split())} bytes"
            case str():
                return arg.replace(self._url, self._name)
            case BaseException() if self._name != self._url:
                # Its text may hold any part of the URL.
                return type(arg).__name__
        return arg


#: The port for which this context works, if it does for any.
_current: ContextVar[LogRedaction | None] = ContextVar("port", default=None)
