"""The channel of a polled DLMS meter: messages instead of bytes, and the deadlines of a session."""

from collections.abc import Callable, Sequence
from typing import Final

from ...channel import Channel
from ...client import Counters
from ...errors import UNKNOWN, ChecksumError, MeterError, MeterSilentError, UnknownDataError
from ...looks import Look, looks_like
from ...port import Port

#: Seconds beyond the time on the wire after which a message that began must have ended.
_LATE: Final = 2.0
#: Seconds without progress after which a session ends; more where a few of the longest frames take
#: longer at the speed of the line.
_STALLED_SECONDS: Final = 60.0
_LONGEST_FRAMES: Final = 3 * 2048
#: Seconds after which whatever is read has ended. A whole object list and hundreds of registers
#: take a few minutes at 300 baud.
READING_SECONDS: Final = 1800.0


class MessageChannel(Channel):
    """Receives the messages that a streaming reader finds, within the deadlines of a session."""

    def __init__(self, port: Port, counters: Counters, baudrate: int | None = None) -> None:
        """Wrap an open port; ``baudrate`` is the speed of the wire behind a bridge."""
        super().__init__(port, counters, baudrate=baudrate)
        self._stalled_after = max(_STALLED_SECONDS, self.wire_time(_LONGEST_FRAMES))
        self.renew()

    def renew(self, seconds: float = READING_SECONDS) -> None:
        """Start the deadline of something new to be read."""
        self._end = self._loop.time() + seconds
        self.advance()

    def advance(self) -> None:
        """Restart the deadline for progress: the meter has sent something that was missing."""
        self._stalled = self._loop.time() + self._stalled_after

    def deadline(self, seconds: float, most: int) -> float:
        """Return when an answer of at most ``most`` bytes must have ended.

        ``seconds`` is the time until it begins; the result is a time of the event loop.
        """
        return self._loop.time() + seconds + self.wire_time(most) + _LATE

    async def receive_messages[T](
        self, feed: Callable[[bytes], Sequence[T]], seconds: float, end: float
    ) -> Sequence[T]:
        """Return the messages that ``feed`` finds next in the bytes received.

        Empty after ``seconds`` of silence, or at ``end`` (event loop time) even if the line is
        never silent. Raises MeterSilentError or UnknownDataError when a deadline of the session
        has passed.
        """
        while True:
            now = self._loop.time()
            if now >= (last := min(self._stalled, self._end)):
                raise self.silence_error()
            if now >= end:
                return ()
            silent = self.silent_at(seconds, now)
            if not (data := await self.receive_until(min(silent, end, last))):
                if silent <= min(end, last):
                    return ()
                continue
            self.remember(data)
            if found := feed(data):
                return found

    def silence_error(self, *, was_damaged: bool = False) -> MeterError:
        """Return the error for a missing answer, by what was received instead."""
        if was_damaged:
            return ChecksumError(f"answers come damaged from {self.name}", port=self.name)
        if not self.recent:
            return MeterSilentError(f"nothing comes from {self.name}", port=self.name)
        guess = looks_like(self.recent)
        if guess is Look.DLMS:
            return MeterSilentError(f"nothing more comes from {self.name}", port=self.name)
        message = f"no DLMS answer in what comes from {self.name}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=self.name, looks_like=guess or UNKNOWN)
