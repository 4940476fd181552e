"""Lines that exist in this process only, for tests on a simulated clock."""

import asyncio
from collections.abc import Callable
import errno
from functools import cache
from itertools import count
from math import inf
import os
from types import TracebackType
from typing import Any, Final, Protocol, Self, override

from serialx import BaseSerialTransport, ModemPins, Parity, register_uri_handler
from serialx.platforms.serial_posix import PosixSerial

from .line import Line
from .uart import Framing

#: Size of a terminal's input queue in bytes; the rest is lost.
_QUEUE: Final = 4096
#: What a client of a bridge may be behind before its bytes are dropped.
_BACKLOG: Final = 65_536
#: Data bits of a character without parity at some P1 ports.
_SEVEN: Final = 7
#: Before the handlers of real ports.
_WEIGHT: Final = 100

_lines: Final[dict[str, MemoryLine]] = {}
_numbers: Final = count(1)


class Reader(Protocol):
    """What is connected to a line: the port that serialx opens, or a test."""

    @property
    def baudrate(self) -> int:
        """Its speed."""

    @property
    def unread(self) -> int:
        """Number of bytes that it has not taken yet."""

    def feed(self, data: bytes, /) -> None:
        """Receive bytes from the line."""

    def hang_up(self, error: OSError | None, /) -> None:
        """End the connection from the line's side: with an error, or end of file for None."""


class MemoryLine(Line):
    """A local serial port that only serialx in this process can open.

    Within its asynchronous context, serialx opens it by its ``url``, which has the form of a path,
    and cannot open real local ports. It behaves like a ``PtyLine``, except that every byte arrives
    in the next iteration of the event loop.
    """

    _scheme = "device://"

    def __init__(self, baudrate: int | None = None) -> None:
        """Create a line with the meter's speed in baud; None transfers everything at once."""
        super().__init__(baudrate)
        self._number = next(_numbers)
        self._readers: list[Reader] = []
        self._unregister: Callable[[], None] | None = None

    @property
    @override
    def url(self) -> str:
        return f"/dev/ttyMEMORY{self._number}"

    @property
    @override
    def listened_to(self) -> bool:
        return bool(self._readers)

    @property
    @override
    def reader_baudrate(self) -> int | None:
        if self.baudrate is None or not self._readers:
            return self.baudrate
        return self._readers[0].baudrate

    @property
    @override
    def reader_framing(self) -> Framing:
        if self._readers and isinstance(reader := self._readers[0], _Transport):
            return reader.framing
        return super().reader_framing

    @override
    async def open(self) -> None:
        _lines[self.url] = self

    @override
    def close(self) -> None:
        if _lines.pop(self.url, None) is None:
            return
        self.cut()
        for reader in list(self._readers):
            self._hang_up(reader)

    @override
    def reflect(self, data: bytes) -> None:
        for reader in self._readers:
            # A reader that is too slow loses the bytes that do not fit.
            reader.feed(data[: max(0, _QUEUE - reader.unread)])

    def attach(self, reader: Reader) -> None:
        """Connect a reader; OSError while another one is connected."""
        if self._readers:
            raise OSError(errno.EBUSY, "Device or resource busy", self.url)
        self._readers.append(reader)

    def detach(self, reader: Reader) -> None:
        """Disconnect a reader."""
        self._readers.remove(reader)

    def _hang_up(self, reader: Reader) -> None:
        reader.hang_up(OSError(errno.EIO, "Input/output error"))

    @override
    async def __aenter__(self) -> Self:
        self._unregister = register_uri_handler(
            scheme=self._scheme,
            unique_scheme=f"memory{self._number}://",
            sync_cls=PosixSerial,
            async_transport_cls=_Transport,
            weight=_WEIGHT,
        )
        return await super().__aenter__()

    @override
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc, traceback)
        assert self._unregister is not None  # noqa: S101  it was entered
        self._unregister()


class MemoryBridge(MemoryLine):
    """A network bridge of fixed speed in this process, like ``TcpLine`` without the network.

    Within its asynchronous context, no other ``socket://`` URL can be opened.
    """

    _scheme = "socket://"

    def __init__(self, baudrate: int | None = None, set_to: int | None = None) -> None:
        """Create a bridge with the meter's speed, and its own speed ``set_to`` if it differs."""
        super().__init__(baudrate)
        self._set_to = set_to
        #: Seconds after the end of a connection in which new ones are closed at once.
        self.pause = 0.0
        self._left_at = -inf

    @property
    @override
    def url(self) -> str:
        return f"socket://memory:{self._number}"

    @property
    @override
    def reader_baudrate(self) -> int | None:
        return self._set_to or self.baudrate

    @override
    def reflect(self, data: bytes) -> None:
        for reader in self._readers:
            if reader.unread < _BACKLOG:
                reader.feed(data)

    @override
    def attach(self, reader: Reader) -> None:
        if asyncio.get_running_loop().time() - self._left_at < self.pause:
            self._hang_up(reader)
            return
        self.connections += 1
        if not self._readers:
            # It was sent by readers that have disconnected.
            self.cut()
            self.forget()
        self._readers.append(reader)

    @override
    def detach(self, reader: Reader) -> None:
        if reader in self._readers:
            super().detach(reader)
            self._left_at = asyncio.get_running_loop().time()

    @override
    def _hang_up(self, reader: Reader) -> None:
        reader.hang_up(None)


class _Serial(PosixSerial):
    """A port's settings; its file descriptor is none of a port, as that of a pseudo-terminal."""

    @override
    def fileno(self) -> int:
        return _nothing()


@cache
def _nothing() -> int:
    return os.open(os.devnull, os.O_RDWR)


class _Transport(BaseSerialTransport):
    """The reader's end of a line, as a serialx transport."""

    transport_name = "memory"

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__(loop, protocol)
        self._line: MemoryLine | None = None
        self._unread = bytearray()
        self._paused = False

    @property
    def framing(self) -> Framing:
        """The framing that the port is set to."""
        if self._serial is None:
            return Framing.EIGHT_NONE
        if self._serial.parity is Parity.EVEN:
            return Framing.EIGHT_EVEN
        return Framing.SEVEN_NONE if self._serial.byte_size == _SEVEN else Framing.EIGHT_NONE

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._serial if name == "serial" else super().get_extra_info(name, default)

    @override
    async def _connect(self, *, path: str | None, baudrate: int = 9600, **kwargs: Any) -> None:
        if (line := _lines.get(path or "")) is None:
            if "://" in (path or ""):
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        characters = {key: kwargs[key] for key in ("parity", "byte_size") if key in kwargs}
        self._serial = _Serial("", baudrate, **characters)
        line.attach(self)
        self._line = line
        self._call_protocol_connection_made()

    @property
    def unread(self) -> int:
        return len(self._unread)

    def feed(self, data: bytes) -> None:
        if not self._closing:
            self._unread += data
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        if self._unread and not self._paused and not self._closing:
            data = bytes(self._unread)
            self._unread.clear()
            self._protocol.data_received(data)

    def hang_up(self, error: OSError | None) -> None:
        if not self._closing:
            self._mark_broken(error or OSError(errno.EIO, "Input/output error"))
            self._end(error)

    def _end(self, error: OSError | None) -> None:
        self._closing = True
        self._loop.call_soon(self._ended, error)

    def _ended(self, error: OSError | None) -> None:
        if self._line is not None:
            self._line.detach(self)
        self._call_protocol_connection_lost(error)

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._check_broken()
        if self._line is not None and not self._closing:
            self._loop.call_soon(self._line.sent_by_reader, bytes(data))

    @override
    def close(self) -> None:
        if not self._closing:
            self._mark_user_closed()
            self._end(None)

    @override
    def abort(self) -> None:
        self.close()

    @override
    def pause_reading(self) -> None:
        self._paused = True

    @override
    def resume_reading(self) -> None:
        self._paused = False
        self._loop.call_soon(self._deliver)

    @override
    def get_write_buffer_size(self) -> int:
        return 0

    @override
    async def _flush(self) -> None:
        """Return at once, as a terminal does while its adapter still has bytes to send."""

    @override
    async def _reconfigure_port(self, update: object) -> None:
        # A change of a terminal's settings discards unread bytes.
        if not isinstance(self._line, MemoryBridge):
            self._unread.clear()

    @override
    async def _get_modem_pins(self) -> ModemPins:
        return ModemPins()

    @override
    async def _set_modem_pins(self, modem_pins: ModemPins) -> None:
        """Do nothing: a line in memory has no modem pins."""
