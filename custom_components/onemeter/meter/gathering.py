"""How long the bytes of a telegram may gather in the operating system before they are read.

Waking up for a few bytes costs far more than decoding them, and only the last ones are news.
"""

from collections import deque
from typing import Final

#: The longest pause (s): a port that is lost meanwhile is noticed that much later.
_LONGEST: Final = 0.3
#: The pause ends this long (s) before a telegram may end, since no two take the same time.
_MARGIN: Final = 0.01
#: A shorter pause (s) is not worth its own cost.
_SHORTEST: Final = 0.01
#: Number of telegrams whose lengths are kept: some meters send several lists in turn.
_TELEGRAMS: Final = 8
#: Number of telegrams after which pauses begin.
_LEAST: Final = 2
#: After a silence of this length (s), apart from a pause, another telegram begins.
_SILENCE: Final = 0.2


class Gathering:
    """Predicts when a telegram can end, from the lengths and the speed of the previous ones."""

    def __init__(self) -> None:
        """Begin without any telegram."""
        #: Lengths in bytes, and seconds for each byte.
        self._lengths: deque[int] = deque(maxlen=_TELEGRAMS)
        self._byte_times: deque[float] = deque(maxlen=_TELEGRAMS)
        self._received = self._at_first = 0
        #: When the telegram began, and by when more of it is read.
        self._began_at = self._read_until = 0.0

    def receive(self, size: int, now: float) -> None:
        """Take the size of a chunk and the time (s) of its arrival."""
        if not self._received or now > self._read_until + _SILENCE:
            self._received = 0
            self._began_at, self._at_first = now, size
        self._received += size
        self._read_until = now

    def end(self, now: float) -> None:
        """Note that a telegram has ended with the bytes received."""
        if (after_first := self._received - self._at_first) > 0:
            self._byte_times.append((now - self._began_at) / after_first)
            self._lengths.append(self._received)
        self._received = 0

    def pause(self) -> float:
        """Return the seconds in which no telegram ends as far as is known; 0 for none."""
        if not self._received or len(self._lengths) < _LEAST:
            return 0
        left = min(
            (length - self._received for length in self._lengths if length > self._received),
            default=0,
        )
        seconds = min(_LONGEST, left * min(self._byte_times) - _MARGIN)
        if seconds < _SHORTEST:
            return 0
        self._read_until += seconds
        return seconds
