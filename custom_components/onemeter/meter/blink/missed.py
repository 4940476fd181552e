"""An estimate of missed impulses, for information only: they are never counted."""

from collections import deque
from typing import Final

#: Intervals considered: two before a gap, the gap, and one after it.
_AROUND: Final = 4
#: The intervals around a gap must be equal to one part in this number, and so must the gap and a
#: multiple of them.
_TOLERANCE: Final = 8
#: Largest multiple; a longer gap is a change of load.
_MOST: Final = 5


class MissedEstimate:
    """Finds gaps in a steady series of impulses that are a multiple of its interval.

    A load that changes for one interval only looks the same: this is an estimate.
    """

    def __init__(self, impulses: int = 0) -> None:
        """Begin with the impulses that were missed before."""
        self.impulses = impulses
        self._intervals: deque[int] = deque(maxlen=_AROUND)

    def add(self, interval: int) -> None:
        """Add the interval between two impulses (ns)."""
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
        """Forget the intervals, since impulses were not observed for a while."""
        self._intervals.clear()
