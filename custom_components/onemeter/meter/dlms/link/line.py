"""The line while a meter is asked: what is sent, what comes, and how long to wait for it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ...client import Counters
from ...detect import looks_like
from ...errors import UNKNOWN, ChecksumError, MeterError, MeterSilentError, UnknownDataError
from ...port import BITS_PER_CHARACTER, Port, redact

#: Bytes kept to say what they look like.
_HEARD_MAX: Final = 512
#: Seconds beyond the time on the wire after which a message that began must have ended.
_LATE: Final = 2.0
#: Seconds without progress after which a session ends; more where a few of the longest frames take
#: longer at the speed of the line.
_PATIENCE: Final = 60.0
_LONGEST_FRAMES: Final = 3 * 2048
#: Seconds after which whatever is read has ended. A whole object list and hundreds of registers
#: take a few minutes at 300 baud.
READING_SECONDS: Final = 1800.0


class Line:
    """A port that is open, and the messages that come through it."""

    def __init__(self, port: Port, counters: Counters, baudrate: int | None = None) -> None:
        """Take the open port, and where to count what is received.

        The speed is that of the wire behind a bridge, which the port itself does not wait for.
        """
        self.port = port
        self._baudrate = port.baudrate if baudrate is None else baudrate
        self.counters = counters
        self.name = redact(port.url)
        #: The newest bytes received, for saying what they look like.
        self.heard = b""
        self._loop = asyncio.get_running_loop()
        #: When the first byte was sent, and the last one received.
        self._first_sent: float | None = None
        self._last_received = 0.0
        self._patience = max(_PATIENCE, self.wire_time(_LONGEST_FRAMES))
        #: When what was sent has left the wire behind a bridge.
        self._sent = 0.0
        self.renew()

    @property
    def duration(self) -> float:
        """Seconds from the first byte sent to the last one received."""
        return self._last_received - (self._first_sent or self._last_received)

    async def send(self, data: bytes) -> None:
        """Send bytes, and return once the port has taken their last bit."""
        if self._first_sent is None:
            self._first_sent = self._loop.time()
        self._sent = self._loop.time() + self.wire_time(len(data))
        await self.port.write(data)

    def wire_time(self, characters: int) -> float:
        """Return how many seconds so many characters take on the wire."""
        return characters * BITS_PER_CHARACTER / self._baudrate

    # --- deadlines

    def renew(self, seconds: float = READING_SECONDS) -> None:
        """Begin something new to read, which may take so many seconds from now on."""
        self._end = self._loop.time() + seconds
        self.advance()

    def advance(self) -> None:
        """Note that the meter has answered something that was still missing."""
        self._stalled = self._loop.time() + self._patience

    def deadline(self, seconds: float, most: int) -> float:
        """Return when an answer of at most so many bytes that begins in time must have ended."""
        return self._loop.time() + seconds + self.wire_time(most) + _LATE

    async def receive[T](
        self, feed: Callable[[bytes], Sequence[T]], seconds: float, end: float
    ) -> Sequence[T]:
        """Return the messages that a reader finds next.

        None after so many seconds of silence, or at the end: also when the line is never silent.
        Raises MeterSilentError or UnknownDataError when nothing has advanced for too long.
        """
        while True:
            now = self._loop.time()
            if now >= (last := min(self._stalled, self._end)):
                raise self.why_silent()
            if now >= end:
                return ()
            silent = max(now, self._sent) + seconds
            try:
                async with asyncio.timeout_at(min(silent, end, last)):
                    data = await self.port.read()
            except TimeoutError:
                if silent <= min(end, last):
                    return ()
                continue
            self._last_received = self._loop.time()
            self.counters.received += len(data)
            self.heard = (self.heard + data)[-_HEARD_MAX:]
            if found := feed(data):
                return found

    def why_silent(self, *, was_damaged: bool = False) -> MeterError:
        """Return the error of a meter that did not answer so that it could be understood."""
        if was_damaged:
            return ChecksumError(f"answers come damaged from {self.name}", port=self.name)
        if not self.heard:
            return MeterSilentError(f"nothing comes from {self.name}", port=self.name)
        guess = looks_like(self.heard)
        if guess == "DLMS":
            return MeterSilentError(f"nothing more comes from {self.name}", port=self.name)
        message = f"no DLMS answer in what comes from {self.name}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=self.name, looks_like=guess or UNKNOWN)
