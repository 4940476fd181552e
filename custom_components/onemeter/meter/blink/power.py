"""Power from impulses: of the last interval, and its upper limit while no impulse comes."""

from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

from .constant import ImpulseConstant

_SECOND: Final = 10**9
#: Nanoseconds over which single impulses are averaged, at least. Delays of the computer, some
#: milliseconds, then change the power by a percent or less; a change of load is visible at once.
_SMOOTH: Final = _SECOND // 4
#: Impulses, and nanoseconds at most, over which impulses are averaged whose number is reported
#: without the time of each.
_SMOOTH_REPORTS: Final = 20
_SMOOTH_REPORTED: Final = 10 * _SECOND
#: An overdue impulse is expected later than now, by one part in this number of its delay.
_OVERDUE: Final = 10
#: Without an impulse, power is zero after this time (ns), ...
ZERO_AFTER: Final = 300 * _SECOND
#: ... if an impulse now would mean less than this power (W), and after a multiple of the last
#: interval.
_ZERO_BELOW: Final = 12
_ZERO_INTERVALS: Final = 2


class _Mark(NamedTuple):
    """The number of impulses up to a time."""

    at: int
    total: int


class Power:
    """The power derived from impulses. Times are nanoseconds of a monotonic clock."""

    def __init__(
        self, constant: ImpulseConstant, shortest: int, zero_after: int | None = ZERO_AFTER
    ) -> None:
        """Take the impulse constant and the shortest possible interval (ns).

        Power below 12 W becomes zero after ``zero_after`` (ns) without an impulse, or never for
        None.
        """
        self._constant = constant
        self._shortest = shortest
        self._longest = int(constant.nanoseconds_at(_ZERO_BELOW))
        self._zero_after = zero_after
        self._marks: deque[_Mark] = deque()
        #: Mean nanoseconds from one impulse to the next; None before the second impulse.
        self.interval: int | None = None

    @property
    def last_at(self) -> int | None:
        """The time of the last impulse."""
        return self._marks[-1].at if self._marks else None

    def add(self, impulses: int, at: int, *, reported: bool = False) -> None:
        """Add impulses since the last ones; ``at`` is the time of the newest one.

        They are assumed to be evenly spaced. ``reported`` is for devices that count themselves and
        report the number at intervals.
        """
        marks = self._marks
        if not marks:
            marks.append(_Mark(at, 0))
            return
        if at <= marks[-1].at:
            # At the same time as the last one: they belong to its interval.
            marks[-1] = _Mark(marks[-1].at, marks[-1].total + impulses)
            if len(marks) == 1:
                return
        else:
            marks.append(_Mark(at, marks[-1].total + impulses))
        self.interval = self._smoothed(reported=reported)

    def restart(self) -> None:
        """Forget the impulses, since they were not observed for a while."""
        self._marks.clear()
        self.interval = None

    def at(self, now: int) -> Decimal | None:
        """Return the power (W) at a time, or None if it is unknown.

        It is that of the last interval until the next impulse is overdue, then less than what an
        impulse now would mean.
        """
        if self.interval is None:
            return None
        since = now - self._marks[-1].at
        if self._is_zero(since):
            return Decimal("0.0")
        late = max(since - self.interval, 0)
        expected = max(self.interval, since + late // _OVERDUE, self._shortest)
        return self._constant.power_of(1, expected)

    def _is_zero(self, since: int) -> bool:
        if self._zero_after is None or self.interval is None:
            return False
        return since >= max(self._zero_after, self._longest, _ZERO_INTERVALS * self.interval)

    def _smoothed(self, *, reported: bool) -> int:
        """Return the mean interval over a time that is just long enough; forget older impulses."""
        marks = self._marks
        last = marks[-1]
        start = len(marks) - 2
        while start > 0:
            length, count = last.at - marks[start].at, last.total - marks[start].total
            if not reported and length >= _SMOOTH:
                break
            longer = last.at - marks[start - 1].at
            if reported and (count >= _SMOOTH_REPORTS or longer > _SMOOTH_REPORTED):
                break
            start -= 1
        for _ in range(start):
            marks.popleft()
        return max((last.at - marks[0].at) // (last.total - marks[0].total), 1)
