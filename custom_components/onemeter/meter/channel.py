"""An open port while a client and a meter exchange data: bytes, echoes, silences, durations."""

import asyncio

from .client import Counters
from .line import Framing
from .parity import with_parity, without_parity
from .port import BITS_PER_CHARACTER, Port
from .redaction import redact

#: Bytes kept to find out what they look like: the larger part of most telegrams.
RECENT_MAX = 512
#: Seconds by which a timeout is late if the event loop was held up.
_HELD_UP = 0.02


class Channel:
    """Sends to a meter and receives its answers through an open port.

    There is one for each opening of the port.
    """

    def __init__(
        self,
        port: Port,
        counters: Counters,
        *,
        baudrate: int | None = None,
        is_text: bool = False,
    ) -> None:
        """Wrap an open port; received bytes are added to ``counters.received``.

        ``baudrate`` is the speed of the wire behind a network bridge; None means the port's own.
        ``is_text`` is for the characters of IEC 62056-21: on a 7E1 line they are sent with even
        parity, and their echo, which some optical heads return, is removed.
        """
        self.port = port
        self.counters = counters
        #: The port's URL without secrets.
        self.name = redact(port.url)
        #: The newest bytes received, without echo.
        self.recent = b""
        #: Event loop time at which the first byte was sent since start_clock().
        self.first_sent: float | None = None
        #: Event loop time at which the last byte was received.
        self.last_received = 0.0
        #: Whether what was sent has come back.
        self.has_echo = False
        self._loop = asyncio.get_running_loop()
        self._baudrate = baudrate
        self._is_text = is_text
        #: Event loop time at which the bytes sent have left the wire behind a bridge.
        self._sent_at = 0.0
        #: What was sent and may be echoed, and the part of its echo received so far.
        self._echo = b""
        self._echoed = b""

    @property
    def duration(self) -> float:
        """Seconds from the first byte sent to the last byte received."""
        return self.last_received - (self.first_sent or self.last_received)

    def now(self) -> float:
        """Return the event loop's time (s)."""
        return self._loop.time()

    def start_clock(self) -> None:
        """Measure the duration from now on."""
        self.first_sent = self._loop.time()

    def wire_time(self, characters: int) -> float:
        """Return the seconds that a number of characters take on the wire."""
        if self._baudrate is None:
            return self.port.wire_time(characters)
        return characters * BITS_PER_CHARACTER / self._baudrate

    async def send(self, data: bytes) -> None:
        """Send bytes; return once the port has sent their last bit.

        Raises PortLostError and PortBusyError as Port.write() does.
        """
        await self.port.write(self._prepare(data))

    async def send_and_switch(self, data: bytes, settling: float, baudrate: int) -> None:
        """Send bytes, and change the port's speed ``settling`` seconds after their last bit.

        On a bridge with a fixed speed nothing is changed. Raises PortLostError and PortBusyError as
        Port.write() does.
        """
        if self.port.has_speed and baudrate != self.port.baudrate:
            await self.port.write_and_switch(self._prepare(data), settling, baudrate)
        else:
            await self.send(data)

    def _prepare(self, data: bytes) -> bytes:
        """Return bytes as they are sent, which is now."""
        if self.first_sent is None:
            self.start_clock()
        if self._baudrate is not None:
            self._sent_at = self._loop.time() + self.wire_time(len(data))
        if self._is_text:
            self._echo, self._echoed = data, b""
            if self.port.line.framing is Framing.SEVEN_EVEN:
                data = with_parity(data)
        return data

    def silent_at(self, seconds: float, now: float) -> float:
        """Return when the line has been silent for a number of seconds, if nothing comes.

        They begin now, or once the bytes sent have left the wire, also behind a bridge.
        """
        return max(now, self._sent_at) + seconds

    async def receive(self, seconds: float) -> bytes:
        """Return the next bytes other than an echo; empty after a number of seconds of silence.

        Raises PortLostError and PortBusyError as Port.read() does.
        """
        while True:
            data = await self.receive_until(self._loop.time() + seconds)
            if not data:
                # What began like an echo but is not complete was none.
                echoed, self._echoed, self._echo = self._echoed, b"", b""
                return echoed
            if data := self._without_echo(data):
                self.remember(data)
                return data

    async def receive_until(self, at: float) -> bytes:
        """Return the next bytes; empty if none have come by a time of the event loop.

        They may be an echo, and are not remembered. Raises PortLostError and PortBusyError as
        Port.read() does.
        """
        data = await self.port.read(at)
        now = self._loop.time()
        if not data and now - at >= _HELD_UP:
            # What has come while the event loop was held up is handed over only now.
            data = await self.port.read(now + _HELD_UP)
            now = self._loop.time()
        if data:
            self.last_received = now
            self.counters.received += len(data)
        return data

    def remember(self, data: bytes) -> None:
        """Add bytes to the newest ones received."""
        self.recent = (self.recent + data)[-RECENT_MAX:]

    def _without_echo(self, data: bytes) -> bytes:
        if not self._echo:
            return data
        data, self._echoed = self._echoed + data, b""
        text = without_parity(data)
        if text.startswith(self._echo):
            self.has_echo = True
            data = data[len(self._echo) :]
        elif self._echo.startswith(text):
            self._echoed = data
            return b""
        self._echo = b""
        return data

    async def discard(self, silence: float, longest: float) -> None:
        """Discard what comes until the line has been silent for ``silence`` seconds.

        Stops after ``longest`` seconds even if more is coming.
        """
        end = self._loop.time() + longest
        while self._loop.time() < end and await self.receive(silence):
            pass

    async def wait_since_received(self, seconds: float) -> None:
        """Wait until a number of seconds have passed since the last byte was received."""
        await asyncio.sleep(self.last_received + seconds - self._loop.time())

    async def set_speed(self, baudrate: int) -> None:
        """Change the port's speed; nothing happens on a bridge with a fixed speed."""
        if self.port.has_speed and baudrate != self.port.baudrate:
            await self.port.set_speed(baudrate)
