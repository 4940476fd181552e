"""How many impulses have probably been missed: an estimate that is told, and never counted."""

from collections import deque
from typing import Final

#: Intervals that must agree: two before a gap and one behind it, ...
_AROUND: Final = 4
#: ... to one part in so many, as the gap must with a multiple of them.
_TOLERANCE: Final = 8
#: A longer gap is a change of load.
_MOST: Final = 5


class MissedEstimate:
    """Looks for gaps in which a steady series of impulses just misses some.

    A load that changes for one interval only looks the same: this is no count.
    """

    def __init__(self, impulses: int = 0) -> None:
        """Begin with what was found before."""
        self.impulses = impulses
        self._intervals: deque[int] = deque(maxlen=_AROUND)

    def add(self, interval: int) -> None:
        """Take the nanoseconds between two impulses."""
        intervals = self._intervals
        intervals.append(interval)
        if len(intervals) < _AROUND:
            return
        *before, gap, after = intervals
        usual = (sum(before) + after) // (len(before) + 1)
        if any(abs(other - usual) > usual // _TOLERANCE for other in (*before, after)):
            return
        times = (gap + usual // 2) // usual if usual else 0
        if 2 <= times <= _MOST and abs(gap - times * usual) <= times * usual // _TOLERANCE:
            self.impulses += times - 1

    def restart(self) -> None:
        """Forget the intervals: nobody was looking for a while."""
        self._intervals.clear()
