"""Limits for an answer of the meter: characters, time, and time without recognizable data."""

import re
from typing import Final

from ..channel import Channel
from ..parity import without_parity
from .framing import LIMIT

#: Seconds within which the slowest meter has sent the next data set.
_DATA_SECONDS: Final = 20.0
#: A line of data sets from its begin to its end, or a data set with a code: noise of that duration
#: does not contain one.
_DATA: Final = re.compile(
    rb"(?:\A|[\x02\r\n])(?:[ -'*-~]*+\([ -'*-~]*+\))++ *+[\r\n]"
    rb"|[0-9CFLP]\.[0-9F]{1,3}[0-9.*&]*+\([ -'*-~]*+\)"
)
_NOT_IN_LINE: Final = re.compile(rb"[^ -~]")
#: Characters of the longest line.
_LINE_MAX: Final = 4096


class Progress:
    """Monitors one answer of the meter from its first character on."""

    def __init__(self, now: float, characters: int, seconds: float) -> None:
        """Start at an event loop time, with the most characters and seconds of the answer."""
        self._left = characters
        self._end = now + seconds
        self._data_at = now
        self._line = b""

    def continues(self, data: bytes, now: float) -> bool:
        """Add the next characters, with or without parity bits; return whether to wait for more.

        False after too many characters, after too long, or when no data set has come for 20 s.
        """
        self._left -= len(data)
        text = self._line + without_parity(data)
        end = 0
        for found in _DATA.finditer(text):
            end = found.end()
            self._data_at = now
        self._line = _NOT_IN_LINE.split(text[end:])[-1][-_LINE_MAX:]
        return self._left > 0 and now < self._end and now - self._data_at < _DATA_SECONDS


def monitor(channel: Channel, characters: int, longest: float | None = None) -> Progress:
    """Return the limits of an answer that begins now and has at most ``characters``.

    ``longest`` (s) defaults to the time that so long an answer takes on the wire.
    """
    seconds = channel.port.wire_time(characters) if longest is None else longest
    return Progress(channel.now(), characters, seconds)


async def discard_readout(channel: Channel, silence: float, end: bytes) -> None:
    """Discard the rest of a readout: up to ``end``, ``silence`` seconds, or its limits."""
    progress = monitor(channel, LIMIT)
    while data := await channel.receive(silence):
        if end in without_parity(data) or not progress.continues(data, channel.last_received):
            return
