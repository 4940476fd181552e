"""Power from energy, for meters that tell no power: a mean that is as fresh as it can honestly be.

A total shows energy rounded down to its last digit, so that between two readings as much energy has
passed as it shows, give or take one step. The mean power in between is known to one step per time,
and the longer that is, the better.
"""

from collections import deque
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from ..totals import Moment, Total

#: In less than this it counts that a reading is some part of a second old when it comes in.
SHORTEST_WINDOW = timedelta(seconds=10)
#: Power older than this is history.
LONGEST_WINDOW = timedelta(hours=1)
#: What a figure may be wrong by: W, or one part in so many of it where that is more.
MOST_ERROR = 25
MOST_ERROR_PART = 20
#: A reading that comes after so many times the usual distance begins a new series.
GAP = 3
#: Of readings that come faster, not all are kept.
_SPACING = timedelta(seconds=5)
_SPACINGS = 9

_MICROSECOND = timedelta(microseconds=1)
_WATT_MICROSECONDS_PER_KWH = 3_600_000_000_000


class _Sample(NamedTuple):
    """What the totals showed at a time."""

    time: Moment
    #: kWh, import and then export, at the meter.
    totals: tuple[Decimal, ...]
    #: Import minus export.
    net: Decimal


class DerivedPower:
    """Power in W from the totals of one meter, negative while it exports."""

    def __init__(self, max_power: int, multiplier: Decimal) -> None:
        """Take what can pass the meter (W at the meter), and the grid's energy per unit at it."""
        self._max_power = max_power
        self._multiplier = multiplier
        self._samples: deque[_Sample] = deque()
        self._spacings: deque[int] = deque(maxlen=_SPACINGS)
        #: Power of ten of the finest digit that was not zero.
        self._finest = 0
        #: The mean of the shortest time until now that tells it; None where none does.
        self.power: int | None = None

    def add(self, time: Moment, imported: Total, exported: Total | None = None) -> None:
        """Take what was read at a time. The same time again is no other reading."""
        if self._samples and time == self._samples[-1].time:
            return
        imports, exports = imported.amount, Decimal(0) if exported is None else exported.amount
        # A total that has never counted adds no doubt.
        totals = (imports, exports) if exports else (imports,)
        sample = _Sample(time, totals, imports - exports)
        finest = min(map(_finest_digit, totals))
        if not self._samples or finest < self._finest or not self._continues(sample):
            # Nor has the meter been the same, or told as much, if it shows finer digits now.
            self._samples.clear()
            self._finest = finest
        self._keep(sample)
        self.power = self._mean(sum(map(self._step, totals), Decimal(0)))

    def _continues(self, sample: _Sample) -> bool:
        """Tell whether a reading goes on from the last one, with nothing but consumption between.

        Not so after a gap, when the clock was set or the machine was paused, and when a total falls
        or rises faster than the connection allows.
        """
        last = self._samples[-1]
        time = last.time.agrees_on(sample.time)
        if time is None or len(sample.totals) != len(last.totals):
            return False
        elapsed = time // _MICROSECOND
        usual = median(self._spacings) if self._spacings else elapsed
        self._spacings.append(elapsed)
        if elapsed > GAP * usual:
            return False
        most = Decimal(self._max_power * elapsed) / _WATT_MICROSECONDS_PER_KWH
        return all(
            0 <= now - before <= most + self._step(now)
            for before, now in zip(last.totals, sample.totals, strict=True)
        )

    def _keep(self, sample: _Sample) -> None:
        """Add a reading, and forget those that no window can begin with."""
        samples = self._samples
        if len(samples) > 1 and samples[-2].time.surely_until(samples[-1].time) < _SPACING:
            samples.pop()
        samples.append(sample)
        while samples[0].time.surely_until(sample.time) > LONGEST_WINDOW:
            samples.popleft()

    def _mean(self, error: Decimal) -> int | None:
        """Return the mean power of the shortest time until now in which it is known well enough.

        The error is that of the energy in any such time, in kWh at the meter.
        """
        now = self._samples[-1]
        factor = self._multiplier * _WATT_MICROSECONDS_PER_KWH
        long_enough = error * factor / MOST_ERROR
        for before in reversed(self._samples):
            change = now.net - before.net
            elapsed = before.time.surely_until(now.time)
            microseconds = elapsed // _MICROSECOND
            if elapsed >= SHORTEST_WINDOW and (
                microseconds >= long_enough or abs(change) >= MOST_ERROR_PART * error
            ):
                return round(change * factor / microseconds)
        return None

    def _step(self, total: Decimal) -> Decimal:
        """Return what one step of the last digit of a total is, in kWh."""
        return Decimal((0, (1,), max(_exponent(total), self._finest)))


def _finest_digit(total: Decimal) -> int:
    """Return the power of ten of the last digit that is not zero, or of whole kWh.

    Meters that wait for their PIN tell whole kWh, with zeros in place of the other digits.
    """
    return min(_exponent(total.normalize()), 0) if total else 0


def _exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit."""
    return int(value.as_tuple().exponent)
