"""Power derived from energy, for meters that send no power.

A total is energy rounded down to its last digit, so the energy between two readings is known to one
unit of that digit. Its mean power is the more precise the longer the time in between. The shortest
time that is precise enough is used.
"""

from collections import deque
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from ..totals import Moment, Total

#: In a shorter time, the delay of a reading by a fraction of a second would matter.
SHORTEST_WINDOW = timedelta(seconds=10)
#: A longer time would not show the present power.
LONGEST_WINDOW = timedelta(hours=1)
#: The largest error: in W, or the power divided by the second number if that is more.
MOST_ERROR = 25
MOST_ERROR_PART = 20
#: A reading after this many times the usual interval begins a new series.
GAP = 3
#: Of readings at shorter intervals, not all are kept.
_SPACING = timedelta(seconds=5)
_SPACINGS = 9

_MICROSECOND = timedelta(microseconds=1)
_WATT_MICROSECONDS_PER_KWH = 3_600_000_000_000


class _Sample(NamedTuple):
    """The totals of a reading."""

    time: Moment
    #: kWh, import and then export, at the meter.
    totals: tuple[Decimal, ...]
    #: Import minus export.
    net: Decimal


class DerivedPower:
    """Power in W from the totals of one meter, negative while it exports."""

    def __init__(self, max_power: int, multiplier: Decimal) -> None:
        """Take the maximum power (W at the meter), and the multiplier for transformers."""
        self._max_power = max_power
        self._multiplier = multiplier
        self._samples: deque[_Sample] = deque()
        self._spacings: deque[int] = deque(maxlen=_SPACINGS)
        #: Exponent of the finest digit that was not zero.
        self._finest = 0
        #: The mean power over the shortest time that is precise enough; None without one.
        self.power: int | None = None

    def add(self, time: Moment, imported: Total, exported: Total | None = None) -> None:
        """Add a reading. One with the same time as the last one is ignored."""
        if self._samples and time == self._samples[-1].time:
            return
        imports, exports = imported.amount, Decimal(0) if exported is None else exported.amount
        # A total that has never counted adds no uncertainty.
        totals = (imports, exports) if exports else (imports,)
        sample = _Sample(time, totals, imports - exports)
        finest = min(map(_finest_digit, totals))
        if not self._samples or finest < self._finest or not self._continues(sample):
            # Finer digits than before mean another meter, or one whose PIN was just entered.
            self._samples.clear()
            self._finest = finest
        self._keep(sample)
        self.power = self._mean(sum(map(self._step, totals), Decimal(0)))

    def _continues(self, sample: _Sample) -> bool:
        """Return whether a reading continues the series.

        It does not after a long interval, after the clock was set or the machine was paused, and if
        a total falls or rises faster than the connection allows.
        """
        last = self._samples[-1]
        time = last.time.agreed_until(sample.time)
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
        """Add a reading, and remove those that are too old."""
        samples = self._samples
        if len(samples) > 1 and samples[-2].time.at_least_until(samples[-1].time) < _SPACING:
            samples.pop()
        samples.append(sample)
        while samples[0].time.at_least_until(sample.time) > LONGEST_WINDOW:
            samples.popleft()

    def _mean(self, error: Decimal) -> int | None:
        """Return the mean power over the shortest time until now that is precise enough.

        error is the error of energy between two readings, in kWh at the meter.
        """
        now = self._samples[-1]
        factor = self._multiplier * _WATT_MICROSECONDS_PER_KWH
        long_enough = error * factor / MOST_ERROR
        for before in reversed(self._samples):
            change = now.net - before.net
            elapsed = before.time.at_least_until(now.time)
            microseconds = elapsed // _MICROSECOND
            if elapsed >= SHORTEST_WINDOW and (
                microseconds >= long_enough or abs(change) >= MOST_ERROR_PART * error
            ):
                return round(change * factor / microseconds)
        return None

    def _step(self, total: Decimal) -> Decimal:
        """Return one unit of the last digit of a total, in kWh."""
        return Decimal((0, (1,), max(_exponent(total), self._finest)))


def _finest_digit(total: Decimal) -> int:
    """Return the exponent of the last digit that is not zero, at most that of whole kWh.

    Meters without PIN send zeros in place of decimals.
    """
    return min(_exponent(total.normalize()), 0) if total else 0


def _exponent(value: Decimal) -> int:
    """Return the exponent of the last digit."""
    return int(value.as_tuple().exponent)
