"""How long the bytes of a telegram may gather in the operating system before they are read.

Waking up for a few bytes costs far more than decoding them, and only the last ones are news.
"""

from collections import deque
from typing import Final

#: The longest pause (s): a port that is lost meanwhile is noticed that much later.
_LONGEST: Final = 0.6
#: The most bytes that gather: the driver of a terminal keeps 4095.
_MOST: Final = 2048
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
        #: The different lengths in ascending order, and the shortest time.
        self._ends: list[int] = []
        self._byte_time = 0.0
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
            self._ends = sorted(set(self._lengths))
            self._byte_time = min(self._byte_times)
        self._received = 0

    def pause(self) -> float:
        """Return the seconds in which no telegram ends as far as is known; 0 for none."""
        if not self._received or len(self._lengths) < _LEAST:
            return 0
        end = next((end for end in self._ends if end > self._received), self._received)
        left = min(end - self._received, _MOST)
        seconds = min(_LONGEST, left * self._byte_time - _MARGIN)
        if seconds < _SHORTEST:
            return 0
        self._read_until += seconds
        return seconds
