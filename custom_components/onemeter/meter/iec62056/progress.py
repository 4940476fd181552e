"""Whether what a meter sends goes on, or is only more and more of nothing."""

import re
from typing import Final

from .parity import without_parity

#: Seconds in which data must have come, however slow the meter is.
_PATIENCE: Final = 20.0
#: A line of data sets from its begin to its end, or a data set with a code, which noise has in no
#: such time.
_DATA: Final = re.compile(
    rb"(?:\A|[\x02\r\n])(?:[ -'*-~]*+\([ -'*-~]*+\))++ *+[\r\n]"
    rb"|[0-9CFLP]\.[0-9F]{1,3}[0-9.*&]*+\([ -'*-~]*+\)"
)
_NOT_IN_LINE: Final = re.compile(rb"[^ -~]")
#: More characters are no line.
_LINE_MAX: Final = 4096


class Progress:
    """Follows an answer of the meter from its first character on."""

    def __init__(self, now: float, characters: int, seconds: float) -> None:
        """Take the event loop's time, and what the answer has and takes at most."""
        self._left = characters
        self._end = now + seconds
        self._data_at = now
        self._line = b""

    def goes_on(self, data: bytes, now: float) -> bool:
        """Take the next characters, with or without parity bits; tell whether to wait for more.

        No longer when there were too many of them, for too long, or without data among them.
        """
        self._left -= len(data)
        text = self._line + without_parity(data)
        end = 0
        for found in _DATA.finditer(text):
            end = found.end()
            self._data_at = now
        self._line = _NOT_IN_LINE.split(text[end:])[-1][-_LINE_MAX:]
        return self._left > 0 and now < self._end and now - self._data_at < _PATIENCE
