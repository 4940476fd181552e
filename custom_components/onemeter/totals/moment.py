"""Points in time, and the time between them even if a clock was set or stood still."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
import time
from typing import Final, Self

from homeassistant.util import dt as dt_util

#: Used for an unknown time, and the limit for a clock that was set forward.
LONGEST: Final = timedelta(days=31)
#: If the clocks differ by more, one of them was set, or the machine was paused.
_DISAGREEMENT: Final = timedelta(seconds=1)

if hasattr(time, "CLOCK_BOOTTIME"):
    #: Nanoseconds of a clock that is never set, and that runs while the machine sleeps.
    steady_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
else:  # pragma: no cover - Linux has it
    steady_ns = partial(time.monotonic_ns)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time by both clocks of the machine."""

    #: By the clock that shows the time of day (UTC).
    time: datetime
    #: By the steady clock (ns); None for a moment of an earlier run, whose zero was another one.
    steady: int | None = None

    @classmethod
    def now(cls) -> Self:
        """Return the present moment."""
        return cls(dt_util.utcnow(), steady_ns())

    def until(self, later: Self) -> timedelta:
        """Return the longest time that can have passed until a later moment.

        A paused machine, whose steady clock stood still, and a clock that was set forward look
        alike; the longer time counts. LONGEST if it cannot be determined.
        """
        elapsed = later.time - self.time
        steady = self._steady_until(later)
        if steady is None:
            return elapsed if elapsed >= timedelta() else LONGEST
        return max(steady, min(elapsed, LONGEST))

    def at_least_until(self, later: Self) -> timedelta:
        """Return the shortest time that can have passed until a later moment."""
        return self._steady_until(later) or timedelta()

    def clock_ahead_until(self, later: Self) -> timedelta:
        """Return by how much the time of day was set forward until then, LONGEST at most."""
        steady = self._steady_until(later)
        ahead = timedelta() if steady is None else later.time - self.time - steady
        return min(max(ahead, timedelta()), LONGEST)

    def agreed_until(self, later: Self) -> timedelta | None:
        """Return the time until a later moment; None if the two clocks disagree."""
        steady = self._steady_until(later)
        if steady is None or abs(later.time - self.time - steady) > _DISAGREEMENT:
            return None
        return steady

    def _steady_until(self, later: Self) -> timedelta | None:
        if self.steady is None or later.steady is None:
            return None
        return timedelta(microseconds=(later.steady - self.steady) // 1000)
