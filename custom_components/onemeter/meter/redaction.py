"""What may be shown of a port: its URL without secrets, and none of its bytes."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
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
#: Logs a warning for each failed attempt to connect, which the port raises as an error anyway.
ESPHOME_LOGGER: Final = "aioesphomeapi.connection"
_HEX_DUMP: Final = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2})*")


_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: The first character of a URL's query or fragment.
_QUERY: Final = re.compile(r"[?#]")
#: A query whose parameters only select a port of the host, without secrets.
_HARMLESS_QUERY: Final = re.compile(r"\?(?:(?:port_[a-z_]+|mode)=[^&?#]*(?:&|$))*")
_HIDDEN: Final = "***"


def scheme_of(url: str) -> str:
    """Return the scheme of a URL with its slashes, such as ``socket://``; empty for a path."""
    return found.group().lower() if (found := _SCHEME.match(url)) else ""


def redact(url: str) -> str:
    """Return a port's URL or path with ``***`` for user and password, and for a query or fragment.

    The begin of a query is shown as long as it only selects the port. A secret that is not
    percent-encoded may contain any character that separates parts of a URL: where the parts are
    ambiguous, only the scheme is shown.
    """
    if url.startswith("/") and not url.startswith("//"):
        return url
    scheme = url[: len(scheme_of(url))]
    user, at, place = url.removeprefix(scheme).rpartition("@")
    if _QUERY.search(user):
        return scheme + _HIDDEN
    if (query := _QUERY.search(place)) is not None:
        shown = _HARMLESS_QUERY.match(place, query.start()) or query
        if shown.end() < len(place):
            place = place[: shown.end()] + _HIDDEN
    return scheme + (_HIDDEN if at else "") + at + place


class LogRedaction:
    """Redacts what serialx logs about one port while it is open.

    That is the port's URL and all bytes sent and received, which may contain a password or a
    meter's id. The logs of other users of serialx are unchanged: only calls made under
    ``of_this_port`` are redacted, with the callbacks that they leave in the event loop.
    """

    def __init__(self, url: str, name: str) -> None:
        """Take the port's URL and its redacted form. Nothing is redacted before begin()."""
        self._url = url
        self._name = name
        self._context: Context

    def begin(self) -> None:
        """Add the filters to the loggers."""
        with self.of_this_port():
            self._context = copy_context()
        for name in (*SERIALX_LOGGERS, ESPHOME_LOGGER):
            logging.getLogger(name).addFilter(self)

    def end(self) -> None:
        """Remove the filters."""
        for name in (*SERIALX_LOGGERS, ESPHOME_LOGGER):
            logging.getLogger(name).removeFilter(self)

    @contextmanager
    def of_this_port(self) -> Generator[None]:
        """Attribute log records of this context to this port."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def run[*Ts](self, job: Callable[[*Ts], None], *args: *Ts) -> None:
        """Call a function as under ``of_this_port``, in less time, while the port is open."""
        self._context.run(job, *args)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record of this port; return whether to log it."""
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


#: The port to which log records of the current context belong.
_current: ContextVar[LogRedaction | None] = ContextVar("port", default=None)
