"""The line while a meter is spoken to: echo, parity, silence, and the time that all this takes."""

import asyncio

from ..client import Counters
from ..line import Framing
from ..port import Port
from .framing import LIMIT
from .parity import with_parity, without_parity
from .progress import Progress

#: Bytes kept to say what they look like.
_HEARD_MAX = 512


class Link:
    """A port that is open, and what is being said on it."""

    def __init__(self, port: Port, counters: Counters) -> None:
        """Take the open port, and where to count what is received."""
        self.port = port
        self.counters = counters
        #: The newest bytes received, for saying what they look like.
        self.heard = b""
        #: When the first byte was sent since the last start_clock(), and the last one received.
        self.first_sent = 0.0
        self.last_received = 0.0
        self._loop = asyncio.get_running_loop()
        #: What was sent and may come back, without parity, and what has come back of it.
        self._echo = b""
        self._held = b""

    @property
    def duration(self) -> float:
        """Seconds from the first byte sent to the last one received."""
        return self.last_received - self.first_sent

    def start_clock(self) -> None:
        """Begin to measure the duration."""
        self.first_sent = self._loop.time()

    async def send(self, data: bytes) -> None:
        """Send characters, and return once their last bit is on the wire."""
        self._echo, self._held = data, b""
        is_seven_even = self.port.line.framing is Framing.SEVEN_EVEN
        await self.port.write(with_parity(data) if is_seven_even else data)

    async def receive(self, seconds: float) -> bytes:
        """Return the next bytes that are no echo; none after so many seconds of silence."""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    data = await self.port.read()
            except TimeoutError:
                # What looked like an echo and is not complete was none.
                held, self._held, self._echo = self._held, b"", b""
                return held
            self.last_received = self._loop.time()
            self.counters.received += len(data)
            if data := self._without_echo(data):
                self.heard = (self.heard + data)[-_HEARD_MAX:]
                return data

    def _without_echo(self, data: bytes) -> bytes:
        """Take away what heads send back of what was sent through them."""
        if not self._echo:
            return data
        data, self._held = self._held + data, b""
        text = without_parity(data)
        if text.startswith(self._echo):
            data = data[len(self._echo) :]
        elif self._echo.startswith(text):
            self._held = data
            return b""
        self._echo = b""
        return data

    def follow(self, characters: int, longest: float | None = None) -> Progress:
        """Return what tells whether the answer that begins now goes on.

        It has so many characters at most, and takes as long as they do on the wire.
        """
        seconds = self.port.wire_time(characters) if longest is None else longest
        return Progress(self._loop.time(), characters, seconds)

    async def drain_readout(self, silence: float, end: bytes = b"") -> None:
        """Pass over the rest of a readout, until it is silent for so long or goes on no more.

        It also ends with these characters, if there are any.
        """
        progress = self.follow(LIMIT)
        while data := await self.receive(silence):
            has_ended = bool(end) and end in without_parity(data)
            if has_ended or not progress.goes_on(data, self.last_received):
                return

    async def drain(self, silence: float, longest: float) -> None:
        """Pass over all that comes until it is silent for so long."""
        end = self._loop.time() + longest
        while self._loop.time() < end and await self.receive(silence):
            pass

    async def wait_since_received(self, seconds: float) -> None:
        """Wait until so many seconds have passed since the last byte came."""
        await asyncio.sleep(self.last_received + seconds - self._loop.time())

    async def set_speed(self, baudrate: int) -> None:
        """Change the speed, where the port has one and it is another."""
        if self.port.has_speed and baudrate != self.port.baudrate:
            await self.port.set_speed(baudrate)
