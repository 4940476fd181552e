"""The port: the only module that knows how a serial line is opened, read and closed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import errno
import os
from pathlib import Path
import re
import socket
from types import TracebackType
from typing import Self, override

from serialx import Parity, PinState, SerialException, async_serial_for_url
from serialx.common import UnknownUriScheme
from serialx.platforms.serial_rfc2217 import RFC2217SerialTransport
from serialx.platforms.serial_rfc2217.types import (
    Rfc2217Command,
    SetLinestateMaskCmd,
    SetModemstateMaskCmd,
)

from .errors import (
    UNKNOWN,
    MeterConnectionError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    PortPermissionError,
)
from .line import Framing, LineSettings
from .redaction import LogRedaction

#: Seconds after which opening is given up, and closing goes on without us.
_OPEN_SECONDS = 10
_CLOSE_SECONDS = 1
_ABANDON_SECONDS = 1
#: Seconds beyond the time on the wire after which a port that takes no bytes is given up.
_WRITE_SECONDS = 5
#: Seconds after which a change of speed without an answer is given up.
_SPEED_SECONDS = 5
#: Most bytes of one read(): what a caller does with them in one go stays far below the time that an
#: event loop's callback may take, also where each of them begins or ends something.
_READ_MAX = 256

#: What serialx raises when a port fails. Anything else passes through, above all cancellation and
#: Home Assistant's ConfigEntryNotReady, which its ESPHome ports raise while ESPHome is loading.
_FAILURES = (OSError, EOFError, SerialException)

_NOT_FOUND = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO}
_NOT_PERMITTED = {errno.EACCES, errno.EPERM}

#: Start bit, eight data bits or seven and a parity bit, stop bit.
BITS_PER_CHARACTER = 10
#: Bridges that set the speed of their line themselves.
_FIXED_SPEED = {"socket://", "tcp://"}

#: How URLs of local ports begin.
_LOCAL = {"device://", "posix://"}

_RFC2217 = "rfc2217://"
#: Those of ESPHome's serial proxies; the latter is Home Assistant's own.
_ESPHOME = {"esphome://", "esphome-hass://"}

_MALFORMED = "not a path, nor a URL with host and port"
_NO_PROXY = "the device has no serial proxy of that name"
_NO_ESPHOME = "set up Home Assistant's ESPHome integration and restart Home Assistant"

_PSEUDO_TERMINALS = "/dev/pts/"

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: What begins a URL's query or fragment.
_QUERY = re.compile(r"[?#]")
#: One whose parameters say which port is meant, and nothing that opens it.
_HARMLESS_QUERY = re.compile(r"\?(?:(?:port_[a-z_]+|mode)=[^&?#]*(?:&|$))*")
_HIDDEN = "***"

#: A peer in the network that is gone without a word is noticed after 25 s without any byte of it.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class _Rfc2217Transport(RFC2217SerialTransport):
    """serialx's client of RFC 2217, without the masks of what the server shall report.

    ser2net acknowledges them by wrong numbers and pyserial's server not at all, and nobody here
    uses the reports. To be removed once serialx opens ports of both: 1.15.1 does not.
    """

    @override
    async def _send_and_wait(self, cmd: Rfc2217Command) -> Rfc2217Command:
        if isinstance(cmd, SetModemstateMaskCmd | SetLinestateMaskCmd):
            return cmd
        return await super()._send_and_wait(cmd)


class Port:
    """A serial line while it is open: ``async with Port(url, line) as port``.

    The URL is anything serialx opens: a path such as ``/dev/ttyUSB0``, ``socket://host:port``,
    ``rfc2217://…``, ``esphome://…``. The port is opened for exclusive use.
    """

    def __init__(self, url: str, line: LineSettings, *, modem_lines: bool = False) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet.

        Drivers watch the modem lines of some ports only where they are asked to.
        """
        scheme = self._scheme = _scheme(url)
        self.url = url
        self.line = line
        #: Bits per second at present.
        self.baudrate = line.baudrate
        #: Whether the speed can be changed from here.
        self.has_speed = scheme not in _FIXED_SPEED
        #: Whether it is a port of this computer.
        self.is_local = not scheme or scheme in _LOCAL
        #: What may be shown of the URL.
        self.name = redact(url)
        self._logs = LogRedaction(url, self.name)
        #: Whether more bytes may have come than were read.
        self._has_more = True
        self._serial = async_serial_for_url(
            url,
            transport_cls=_Rfc2217Transport if scheme == _RFC2217 else None,
            baudrate=line.baudrate,
            byte_size=7 if _frames(url, line, Framing.SEVEN_NONE) else 8,
            parity=Parity.EVEN if _frames(url, line, Framing.EIGHT_EVEN) else Parity.NONE,
            dtr_on_open=PinState.convert(line.dtr),
            rts_on_open=PinState.convert(line.rts),
            # Linux lets an UART report the edges of its inputs with hardware flow control, or else
            # only if the loss of a carrier also hangs up the port.
            rtscts=modem_lines,
            exclusive=True,
        )

    async def __aenter__(self) -> Self:
        """Open the port.

        Raises MeterConnectionError, or its subclass that names the situation, at the latest
        after ten seconds unless the operating system itself holds the call.
        """
        self._logs.begin()
        try:
            # None of these errors is chained: their messages may hold parts of the URL.
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    with self._logs.of_this_port():
                        await self._open()
            except OSError as err:
                raise await self._why_not_opened(err) from None
            except ValueError as err:
                # The only one that serialx raises once it has connected.
                is_connected = str(err).startswith("Serial proxy")
                raise self._cannot_open(_NO_PROXY if is_connected else _MALFORMED) from None
            except (EOFError, SerialException) as err:
                is_missing = isinstance(err, UnknownUriScheme) and self._scheme in _ESPHOME
                raise self._cannot_open(_NO_ESPHOME if is_missing else self._reason(err)) from None
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port, dropping what was not read."""
        await self._close()

    async def _open(self) -> None:
        opening = asyncio.create_task(self._serial.open())
        try:
            await asyncio.wait({opening})
        except asyncio.CancelledError:
            # A thread opens ports of this computer. Should it fail after its cancellation, asyncio
            # logs that as an error, and nearly always it ends at once.
            if self.is_local:
                await asyncio.wait({opening}, timeout=_ABANDON_SECONDS)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            raise
        opening.result()
        # Remote ports open without looking at the levels asked for.
        if self.line.dtr is not None or self.line.rts is not None:
            await self._serial.set_modem_pins(dtr=self.line.dtr, rts=self.line.rts)
        # serialx offers no other way to the socket. ESPHome looks after its connections itself.
        if (connection := getattr(self._serial.transport, "_tcp_transport", None)) is not None:
            for level, option, value in _KEEPALIVE:
                connection.get_extra_info("socket").setsockopt(level, option, value)

    async def read(self) -> bytes:
        """Wait for bytes and return them, from 1 to 256.

        Other tasks get their turn between two calls however fast the bytes come. On a 7E1 line
        the characters come with their parity bit, for the protocol to judge.

        Raises PortLostError when the port went away, PortBusyError when another program reads
        from it too: the bytes that it takes away are missing here, and that looks alike.
        """
        # Reading what is buffered already does not suspend, and more is only buffered where as much
        # was read before as one read takes.
        if self._has_more:
            await asyncio.sleep(0)
        try:
            data = await self._serial.read(_READ_MAX)
        except _FAILURES as err:
            raise await self._why_lost(err) from None
        if not data:
            raise PortLostError(f"{self.name} was closed by the other side", port=self.name)
        self._has_more = len(data) == _READ_MAX
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes, and return once the last of their bits has left the port.

        The operating system may call them sent while an adapter still holds them, so that is
        at the earliest after the time that they take at the present speed.

        Raises PortLostError and PortBusyError as read() does.
        """
        loop = asyncio.get_running_loop()
        sent = loop.time() + self.wire_time(len(data))
        try:
            async with asyncio.timeout_at(sent + _WRITE_SECONDS):
                with self._logs.of_this_port():
                    await self._serial.write(data)
                    await self._serial.flush()
        except _FAILURES as err:
            raise await self._why_lost(err) from None
        # On a network nothing is left to wait for, not even for a turn of the event loop.
        if (rest := sent - loop.time()) > 0:
            await asyncio.sleep(rest)

    def wire_time(self, characters: int) -> float:
        """Return how many seconds so many characters take at the present speed."""
        return characters * BITS_PER_CHARACTER / self.baudrate

    async def set_speed(self, baudrate: int) -> None:
        """Change the speed of the open port; what was not read yet may be lost.

        Raises PortLostError and PortBusyError as read() does.
        """
        transport = self._serial.transport
        try:
            # What comes meanwhile at a local port is thrown away in another thread. Bytes that are
            # gone when they are to be read look to serialx like a port that is gone. A remote one
            # answers by the way that would be paused.
            if self.is_local:
                transport.pause_reading()
            async with asyncio.timeout(_SPEED_SECONDS):
                with self._logs.of_this_port():
                    await self._serial.reconfigure_port(baudrate=baudrate)
        except _FAILURES as err:
            raise await self._why_lost(err) from None
        finally:
            if self.is_local:
                with self._logs.of_this_port():
                    transport.resume_reading()
        self.baudrate = baudrate

    async def examine[T](self, look: Callable[[int], T]) -> T:
        """Return what a function finds at the port's file descriptor, in a thread of its own.

        The function must end soon: the port stays open until then. Raises MeterConnectionError for
        a port that is not of this computer, PortLostError and PortBusyError as read() does.
        """
        if not self.is_local:
            raise self._cannot_open("no port of this computer")
        transport = self._serial.transport
        if transport.is_closing():
            # It knows why.
            await self.read()
        descriptor = transport.get_extra_info("serial").fileno()
        looking = asyncio.get_running_loop().run_in_executor(None, look, descriptor)
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            # Once the port is closed the number of its descriptor is that of something else.
            await asyncio.wait({looking})
            raise
        except OSError as err:
            raise await self._why_lost(err) from None

    async def _close(self) -> None:
        # serialx releases the port in the background also when nobody waits for it.
        if self._serial.is_open:
            self._serial.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._serial.wait_closed()
        self._logs.end()

    async def _why_not_opened(self, err: OSError) -> MeterConnectionError:
        name = self.name
        number = _number(err)
        if number in _NOT_FOUND:
            return PortNotFoundError(f"{name} does not exist", port=name)
        if number in _NOT_PERMITTED:
            return PortPermissionError(f"{name} may not be opened by this user", port=name)
        if number == errno.EBUSY:
            return self._busy(await asyncio.to_thread(_programs_using, self.url))
        return self._cannot_open(
            "not a serial port" if number == errno.ENOTTY else self._reason(err)
        )

    async def _why_lost(self, err: OSError | EOFError | SerialException) -> MeterConnectionError:
        # A lock keeps out only the programs that look for it.
        by = await asyncio.to_thread(_programs_using, self.url, besides=os.getpid())
        if by != UNKNOWN:
            return self._busy(by)
        return PortLostError(f"{self.name} was lost: {self._reason(err)}", port=self.name)

    def _reason(self, err: OSError | EOFError | SerialException) -> str:
        """Return what went wrong, in the operating system's words where it has any.

        Those that an error comes with may hold file names and addresses, and any part of the URL.
        """
        cause: BaseException | None = err
        while cause is not None:
            if (number := _number(cause)) is not None:
                return os.strerror(number)
            cause = cause.__cause__
        if isinstance(err, TimeoutError):
            return "no answer"
        if self.name != self.url and not isinstance(err, socket.gaierror):
            return type(err.__cause__ or err).__name__
        return getattr(err, "strerror", None) or str(err) or type(err).__name__

    def _busy(self, by: str) -> PortBusyError:
        message = f"{self.name} is in use by another program ({by})"
        return PortBusyError(message, port=self.name, by=by)

    def _cannot_open(self, reason: str) -> MeterConnectionError:
        message = f"{self.name} cannot be opened: {reason}"
        return MeterConnectionError(message, port=self.name, reason=reason)


def _frames(url: str, line: LineSettings, framing: Framing) -> bool:
    """Tell whether the port itself is set to this framing.

    A pseudo-terminal has none, and fails when it is asked for it a second time.
    """
    if line.framing is not framing:
        return False
    return "://" in url or not os.path.realpath(url).startswith(_PSEUDO_TERMINALS)


def _scheme(url: str) -> str:
    """Return how a URL begins, ``socket://`` or the like; that of a path is empty."""
    return found.group().lower() if (found := _SCHEME.match(url)) else ""


def redact(url: str) -> str:
    """Return a port's URL or path with ``***`` for user and password, and for a query or fragment.

    What a query begins with is shown as long as it only names the port. A secret that was not
    percent-encoded may hold any character that ends a part of a URL: where that leaves open which
    part is which, only the scheme is shown.
    """
    if url.startswith("/") and not url.startswith("//"):
        return url
    scheme = url[: len(_scheme(url))]
    user, at, place = url.removeprefix(scheme).rpartition("@")
    if _QUERY.search(user):
        return scheme + _HIDDEN
    if (query := _QUERY.search(place)) is not None:
        shown = _HARMLESS_QUERY.match(place, query.start()) or query
        if shown.end() < len(place):
            place = place[: shown.end()] + _HIDDEN
    return scheme + (_HIDDEN if at else "") + at + place


def _number(err: BaseException) -> int | None:
    """Return the operating system's number of an error; those of name look-ups are none."""
    return err.errno if isinstance(err, OSError) and not isinstance(err, socket.gaierror) else None


def _programs_using(url: str, *, besides: int | None = None) -> str:
    """Name the programs that have a local port open, UNKNOWN where none can be found.

    Without the one of a process id, and without those that still hold on to a port that is gone.
    Programs of other users and in other containers cannot be seen. Takes a while: not for the
    event loop.
    """
    device = os.path.realpath(url.rpartition("://")[2])
    if not Path(device).exists():
        return UNKNOWN
    names = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(besides):
            continue
        try:
            # The links are compared, not followed: following hangs where a network mount does.
            if any(str(fd.readlink()) == device for fd in (process / "fd").iterdir()):
                names.append(f"{(process / 'comm').read_text().strip()} (PID {process.name})")
        except OSError:
            continue
    return ", ".join(names) or UNKNOWN
