"""Power from impulses: the last interval, and what a longer silence says about it."""

from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

from .constant import ImpulseConstant

_SECOND: Final = 10**9
#: Nanoseconds over which single impulses are averaged: whole ones that fill at least this. What a
#: computer is late by, some milliseconds, is then a percent or less; a change of load shows at
#: once.
_SMOOTH: Final = _SECOND // 4
#: Over how many impulses, and at the most how long, they are averaged where only reports of their
#: number come, which do not tell when each was.
_SMOOTH_REPORTS: Final = 20
_SMOOTH_REPORTED: Final = 10 * _SECOND
#: An impulse that is overdue does not come at this very moment: it is expected after one part in so
#: many of the time that it is late already.
_OVERDUE: Final = 10
#: Without an impulse power is zero after this time, ...
ZERO_AFTER: Final = 300 * _SECOND
#: ... if even an impulse now would mean less than this (W), and so many times the last interval
#: have passed.
_ZERO_BELOW: Final = 12
_ZERO_INTERVALS: Final = 2


class _Mark(NamedTuple):
    """How many impulses had come up to a time."""

    at: int
    total: int


class Power:
    """The power that impulses tell. Times are nanoseconds of a monotonic clock."""

    def __init__(
        self, constant: ImpulseConstant, shortest: int, zero_after: int | None = ZERO_AFTER
    ) -> None:
        """Take the constant and the shortest interval that there can be.

        After ``zero_after`` without an impulse power is zero where it is below 12 W; None never
        makes it so.
        """
        self._constant = constant
        self._shortest = shortest
        self._longest = int(constant.nanoseconds_at(_ZERO_BELOW))
        self._zero_after = zero_after
        self._marks: deque[_Mark] = deque()
        #: Nanoseconds from one impulse to the next, as smoothed; None before the second one.
        self.interval: int | None = None

    @property
    def last_at(self) -> int | None:
        """When the last impulse came."""
        return self._marks[-1].at if self._marks else None

    def add(self, impulses: int, at: int, *, reported: bool = False) -> None:
        """Take impulses that came since the last ones, the last of them at a time.

        They are taken to have come evenly. Reports are numbers that some device tells now and then.
        """
        marks = self._marks
        if not marks:
            marks.append(_Mark(at, 0))
            return
        if at <= marks[-1].at:
            # In the same moment as the last: they belong to its interval.
            marks[-1] = _Mark(marks[-1].at, marks[-1].total + impulses)
            if len(marks) == 1:
                return
        else:
            marks.append(_Mark(at, marks[-1].total + impulses))
        self.interval = self._smoothed(reported=reported)

    def restart(self) -> None:
        """Forget the impulses: nobody was looking for a while."""
        self._marks.clear()
        self.interval = None

    def at(self, now: int) -> Decimal | None:
        """Return the power at a time (W), None where it is not known.

        It is that of the last interval until the next impulse is overdue, and from then on less
        than what that impulse would mean.
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
        """Return the mean interval over the shortest time that is long enough; forget the rest."""
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
