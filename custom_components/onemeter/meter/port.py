"""The port: the only module that opens, reads and closes serial lines (with serialx)."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
import os
import socket
import time
from types import TracebackType
from typing import Any, Self, override

from serialx import (
    BaseSerialTransport,
    Parity,
    PinState,
    SerialException,
    create_serial_connection,
)
from serialx.common import UnknownUriScheme
from serialx.descriptor_transport import DescriptorTransport
from serialx.platforms.serial_rfc2217 import RFC2217SerialTransport
from serialx.platforms.serial_rfc2217.types import (
    Rfc2217Command,
    SetLinestateMaskCmd,
    SetModemstateMaskCmd,
)

from .errors import PortLostError
from .line import Framing, LineSettings
from .port_errors import PortErrors
from .receiver import Receiver
from .redaction import LogRedaction, redact, scheme_of

#: Timeouts (s): of opening, which networks may delay; of closing, which goes on in the background
#: afterwards; and of a thread that is still opening a local port when it is cancelled.
_OPEN_SECONDS = 10
_CLOSE_SECONDS = 1
_ABANDON_SECONDS = 1
#: Timeout of writing (s), in addition to the time on the wire.
_WRITE_SECONDS = 5
#: Timeout of a change of speed (s), which remote ports have to answer.
_SPEED_SECONDS = 5
#: Most bytes of one read(). Decoding them takes far less time than a callback of the event loop
#: may, even if each of them begins or ends a telegram.
_READ_MAX = 256

#: What serialx raises when a port fails. Anything else is not caught, above all cancellation and
#: Home Assistant's ConfigEntryNotReady, which its ESPHome ports raise while ESPHome is loading.
_FAILURES = (OSError, EOFError, SerialException)

#: Start bit, eight data bits or seven and a parity bit, stop bit.
BITS_PER_CHARACTER = 10
#: Schemes of bridges whose speed is set on the bridge.
_FIXED_SPEED = {"socket://", "tcp://"}

#: Schemes of local ports, besides paths.
_LOCAL = {"device://", "posix://"}

_RFC2217 = "rfc2217://"
#: Schemes of ESPHome's serial proxies; the latter is Home Assistant's own.
_ESPHOME = {"esphome://", "esphome-hass://"}

_MALFORMED = "not a path, nor a URL with host and port"
_NO_PROXY = "the device has no serial proxy of that name"
_NO_ESPHOME = "set up Home Assistant's ESPHome integration and restart Home Assistant"

_PSEUDO_TERMINALS = "/dev/pts/"

#: TCP keep-alive: a peer that disappears without closing the connection is detected after 25 s.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class _Rfc2217Transport(RFC2217SerialTransport):
    """serialx's client of RFC 2217, without the masks of modem and line state notifications.

    ser2net acknowledges them with wrong numbers and pyserial's server not at all, and the
    notifications are not used here. To be removed once serialx opens ports of both: 1.15.1 does
    not.
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

        ``modem_lines`` makes drivers monitor the modem lines that otherwise would not.
        """
        scheme = self._scheme = scheme_of(url)
        self.url = url
        self.line = line
        #: Present speed (bit/s).
        self.baudrate = line.baudrate
        #: Whether set_speed() changes the speed of the line.
        self.has_speed = scheme not in _FIXED_SPEED
        #: Whether it is a port of this computer.
        self.is_local = not scheme or scheme in _LOCAL
        #: Whether bytes wait in the operating system while they are not read.
        self._keeps_bytes = self.is_local or scheme in _FIXED_SPEED
        #: The URL without secrets.
        self.name = redact(url)
        self._logs = LogRedaction(url, self.name)
        self._errors = PortErrors(url, self.name)
        self._modem_lines = modem_lines
        self._opened: tuple[BaseSerialTransport, Receiver] | None = None

    async def __aenter__(self) -> Self:
        """Open the port.

        Raises MeterConnectionError or a subclass, at the latest after ten seconds unless the
        operating system itself blocks.
        """
        self._logs.begin()
        try:
            # None of these errors is chained: their messages may contain parts of the URL.
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    with self._logs.of_this_port():
                        await self._open()
            except OSError as err:
                raise await self._errors.not_opened(err) from None
            except ValueError as err:
                # The only ValueError that serialx raises once it has connected.
                is_connected = str(err).startswith("Serial proxy")
                raise self._errors.cannot_open(_NO_PROXY if is_connected else _MALFORMED) from None
            except (EOFError, SerialException) as err:
                is_missing = isinstance(err, UnknownUriScheme) and self._scheme in _ESPHOME
                raise self._errors.cannot_open(
                    _NO_ESPHOME if is_missing else self._errors.reason(err)
                ) from None
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
        """Close the port; bytes that were not read are lost."""
        await self._close()

    async def _open(self) -> None:
        opening = asyncio.create_task(self._connect())
        try:
            await asyncio.wait({opening})
        except asyncio.CancelledError:
            # serialx opens local ports in a thread. It nearly always ends at once; if it failed
            # after its cancellation, asyncio would log that as an error.
            if self.is_local:
                await asyncio.wait({opening}, timeout=_ABANDON_SECONDS)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            raise
        opening.result()
        transport = self._transport
        # Remote ports ignore the levels when they are opened.
        if self.line.dtr is not None or self.line.rts is not None:
            await transport.set_modem_pins(dtr=self.line.dtr, rts=self.line.rts)
        # serialx has no other access to the socket. ESPHome monitors its connections itself.
        if (connection := getattr(transport, "_tcp_transport", None)) is not None:
            for level, option, value in _KEEPALIVE:
                connection.get_extra_info("socket").setsockopt(level, option, value)

    async def _connect(self) -> None:
        line, receiver = self.line, Receiver(self._logs.run)
        transport, _ = await create_serial_connection(
            asyncio.get_running_loop(),
            lambda: receiver,
            self.url,
            transport_cls=_Rfc2217Transport if self._scheme == _RFC2217 else None,
            baudrate=line.baudrate,
            **_character(self.url, line),
            dtr_on_open=PinState.convert(line.dtr),
            rts_on_open=PinState.convert(line.rts),
            # Linux counts the edges of a UART's inputs with hardware flow control, or else only if
            # the loss of a carrier also hangs up the port.
            rtscts=self._modem_lines,
            exclusive=True,
        )
        self._opened = transport, receiver

    @property
    def _transport(self) -> BaseSerialTransport:
        return self._connection[0]

    @property
    def _connection(self) -> tuple[BaseSerialTransport, Receiver]:
        if self._opened is None:
            raise PortLostError(f"{self.name} is not open", port=self.name)
        return self._opened

    async def read(self, until: float | None = None) -> bytes:
        """Wait for bytes and return them, from 1 to 256; empty if none come by ``until``.

        ``until`` is a time of the event loop. Other tasks run between two calls however fast the
        bytes come. On a 7E1 line the characters keep their parity bit, which the protocol checks.

        Raises PortLostError when the port is gone, PortBusyError when another program reads from
        it too: the bytes that it takes are missing here, which the driver may report as a loss.
        """
        _, receiver = self._connection
        try:
            await receiver.wait(until)
            data = receiver.take(_READ_MAX)
        except _FAILURES as err:
            raise await self._errors.lost(err) from None
        if not data and receiver.is_ended:
            raise PortLostError(f"{self.name} was closed by the other side", port=self.name)
        return data

    async def pause(self, seconds: float) -> None:
        """Let bytes gather for this time, on ports where the operating system keeps them.

        Not while some have been received that read() has not returned yet.
        """
        transport, receiver = self._connection
        if self._keeps_bytes and not receiver.has_bytes and not transport.is_closing():
            with self._paused():
                await asyncio.sleep(seconds)

    @contextmanager
    def _paused(self) -> Generator[None]:
        """Leave what comes meanwhile in the operating system."""
        transport = self._transport
        transport.pause_reading()
        try:
            yield
        finally:
            if not transport.is_closing():
                self._logs.run(transport.resume_reading)

    async def write(self, data: bytes) -> None:
        """Send bytes, and return once the last of their bits has left the port.

        The operating system may report them as sent while an adapter still buffers them. So this
        takes at least their time on the wire at the present speed.

        Raises PortLostError and PortBusyError as read() does.
        """
        loop = asyncio.get_running_loop()
        sent = loop.time() + self.wire_time(len(data))
        transport, receiver = self._connection
        try:
            self._logs.run(transport.write, data)
            # A bridge with a fixed speed has nothing to flush.
            if self.has_speed or not receiver.may_send:
                with self._logs.of_this_port():
                    async with asyncio.timeout_at(sent + _WRITE_SECONDS):
                        await receiver.drain()
                        await transport.flush()
        except _FAILURES as err:
            raise await self._errors.lost(err) from None
        # On a network the bytes may have taken longer than on the wire: no need to suspend again.
        if (rest := sent - loop.time()) > 0:
            await asyncio.sleep(rest)

    def wire_time(self, characters: int) -> float:
        """Return the seconds that a number of characters take at the present speed."""
        return characters * BITS_PER_CHARACTER / self.baudrate

    async def set_speed(self, baudrate: int) -> None:
        """Change the speed (bit/s) of the open port; bytes not read yet may be lost.

        Raises PortLostError and PortBusyError as read() does.
        """
        await self._reconfigure(baudrate=baudrate)
        self.baudrate = baudrate

    async def set_line(self, baudrate: int, framing: Framing) -> None:
        """Change speed and framing of the open port, as set_speed() does."""
        line = replace(self.line, baudrate=baudrate, framing=framing)
        before, character = _character(self.url, self.line), _character(self.url, line)
        # A pseudo-terminal fails when it is set to the framing that it has.
        changed = {key: value for key, value in character.items() if value != before[key]}
        await self._reconfigure(baudrate=baudrate, **changed)
        self.line, self.baudrate = line, baudrate

    async def _reconfigure(self, **settings: Any) -> None:
        transport = self._transport
        try:
            # On a local port, another thread discards what comes meanwhile. If serialx then read,
            # it would take the missing bytes for a lost port. On a remote port, pausing would stop
            # the answer too.
            if self.is_local:
                transport.pause_reading()
            async with asyncio.timeout(_SPEED_SECONDS):
                with self._logs.of_this_port():
                    await transport.reconfigure_port(**settings)
        except _FAILURES as err:
            raise await self._errors.lost(err) from None
        finally:
            if self.is_local:
                self._logs.run(transport.resume_reading)

    async def write_and_switch(self, data: bytes, settling: float, baudrate: int) -> None:
        """Send bytes as write() does, and change the speed ``settling`` seconds after the last bit.

        On a port of this computer all of it happens in a thread, since what follows is lost if the
        event loop is held up meanwhile. Raises PortLostError and PortBusyError as read() does.
        """
        transport = self._transport
        if not isinstance(transport, DescriptorTransport):
            await self.write(data)
            await asyncio.sleep(settling)
            await self.set_speed(baudrate)
            return
        serial = transport.get_extra_info("serial")
        wire_time = self.wire_time(len(data))

        def send_and_switch() -> None:
            sent = time.monotonic() + wire_time
            serial.write(data, timeout=wire_time + _WRITE_SECONDS)
            serial.flush()
            time.sleep(max(sent - time.monotonic(), 0) + settling)
            serial.reconfigure_port(baudrate=baudrate)

        # If serialx read meanwhile, it could take the missing bytes for a lost port.
        with self._logs.of_this_port(), self._paused():
            await self._in_thread(send_and_switch)
        self.baudrate = baudrate

    async def examine[T](self, look: Callable[[int], T]) -> T:
        """Return the result of a function of the port's file descriptor, run in a thread.

        The function must end soon: the port stays open until then. Raises MeterConnectionError for
        a port that is not local, PortLostError and PortBusyError as read() does.
        """
        if not self.is_local:
            raise self._errors.cannot_open("no port of this computer")
        transport = self._transport
        if transport.is_closing():
            # This raises the reason.
            await self.read()
        descriptor = transport.get_extra_info("serial").fileno()
        return await self._in_thread(partial(look, descriptor))

    async def _in_thread[T](self, job: Callable[[], T]) -> T:
        """Return the result of a function that uses the port and ends soon."""
        working = asyncio.get_running_loop().run_in_executor(None, job)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            # Once the port is closed, its descriptor may be reused for another file.
            await asyncio.wait({working})
            raise
        except _FAILURES as err:
            raise await self._errors.lost(err) from None

    async def _close(self) -> None:
        # serialx goes on releasing the port in the background after the timeout.
        try:
            if self._opened is not None:
                (transport, _), self._opened = self._opened, None
                if not transport.is_closing():
                    transport.abort()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSE_SECONDS):
                        await transport.wait_closed()
        finally:
            self._logs.end()


def _character(url: str, line: LineSettings) -> dict[str, Any]:
    """Return what the port is set to for a framing; a pseudo-terminal has none."""
    framing = line.framing
    is_framed = framing in {Framing.SEVEN_NONE, Framing.EIGHT_EVEN} and "://" not in url
    if is_framed and os.path.realpath(url).startswith(_PSEUDO_TERMINALS):
        framing = Framing.EIGHT_NONE
    return {
        "byte_size": 7 if framing is Framing.SEVEN_NONE else 8,
        "parity": Parity.EVEN if framing is Framing.EIGHT_EVEN else Parity.NONE,
    }
