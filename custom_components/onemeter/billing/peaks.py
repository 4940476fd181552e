"""Peak power: the highest mean power of a period in a month.

A period counts only if a total of its beginning and one of its end were accepted, each within ten
seconds; of two such totals the nearer one is taken. Periods that were missed are remembered: a load
profile may have both totals.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..totals.total import EXACT
from .periods import Periods, is_at
from .sample import Sample

#: Two months and some days that a wrong clock has added.
_DAYS_MAX: Final = 100
_MONTHS_MAX: Final = 12
#: Runs of unknown periods that are remembered.
_UNKNOWN_MAX: Final = 100
_WATT_HOURS: Final = 1000
_HOUR: Final = timedelta(hours=1)
_WATT: Final = Decimal("0.1")


class Peak(NamedTuple):
    """The highest period of a day."""

    #: kWh
    energy: Decimal
    #: The end of the period (UTC).
    end: datetime


class MonthPeak(NamedTuple):
    """The peak of a month."""

    #: W; the mean of the highest periods of several days if the options want that.
    power: Decimal
    #: The ends of these periods (UTC), the highest first.
    ends: tuple[datetime, ...]
    #: How many periods are unknown.
    missed: int


class Running(NamedTuple):
    """The period that has begun."""

    #: kWh
    energy: Decimal
    #: When the newest total was accepted, and the end of the period (UTC).
    time: datetime
    end: datetime


@dataclass(slots=True)
class Peaks:
    """Finds the peaks of an import total."""

    periods: Periods
    #: Periods that begin from the first hour on and before the second one count; over midnight if
    #: the first is the higher one.
    hours: tuple[int, int] = (0, 24)
    #: The peak is the mean of this many highest periods of different days.
    days: int = 1
    _highest: dict[date, Peak] = field(default_factory=dict)
    #: Periods that are unknown, by month.
    _missed: dict[str, int] = field(default_factory=dict)
    #: The newest of them, in runs: the ends (UTC) of the first and the last period of each.
    _unknown: list[tuple[datetime, datetime]] = field(default_factory=list)
    #: The total at the beginning of the running period, if it is known.
    _base: Sample | None = None
    _last: Sample | None = None
    #: The end of the running period (UTC).
    _due: datetime | None = None

    @property
    def missed(self) -> dict[str, int]:
        """How many periods are unknown, by month."""
        return dict(self._missed)

    @property
    def last(self) -> Sample | None:
        """The newest sample."""
        return self._last

    @property
    def is_unknown_now(self) -> bool:
        """Whether the running period is unknown, as the one before is."""
        if self._base is not None or self._due is None or not self._unknown:
            return False
        return self._unknown[-1][1] == self._begin_of(self._due)

    @property
    def unknown(self) -> list[tuple[datetime, datetime]]:
        """The newest periods that are unknown: beginning and end (UTC) of each run of them."""
        return [(self._begin_of(first), last) for first, last in self._unknown]

    @property
    def running(self) -> Running | None:
        """The period that has begun; None if the total at its beginning is unknown."""
        if self._base is None or self._last is None or self._due is None:
            return None
        energy = max(EXACT.subtract(self._last.amount, self._base.amount), Decimal(0))
        return Running(energy, self._last.time, self._due)

    def accept(self, sample: Sample) -> bool:
        """Take a sample; return whether a period has ended, which must be stored."""
        last, due, now = self._last, self._due, sample.time
        self._last = sample
        if last is None or due is None or due - now > self.periods.length:
            # The first one, or the clock was set back.
            self._begin(sample)
            return False
        if not last.has_same_totals(sample):
            self._base, last = None, replace(sample, time=last.time)
        if now < due:
            return False
        near = [it for it in (last, sample) if is_at(due, it.time)]
        boundary = min(near, key=lambda it: abs(it.time - due), default=None)
        if boundary is None or self._base is None:
            self._miss(due, 1)
        else:
            self._record(EXACT.subtract(boundary.amount, self._base.amount), due)
        newest = self.periods.begin(now)
        if newest > due:
            self._miss(newest, (newest - due) // self.periods.length)
            self._begin(sample)
        else:
            self._base, self._due = boundary, self.periods.end(due)
        return True

    def learn(self, energies: Mapping[datetime, Decimal]) -> bool:
        """Take the energies (kWh) of periods, by their ends; return whether one was unknown."""
        found = [end for end in sorted(energies) if self._discard(end)]
        for end in found:
            month = self._month_of(end)
            if (missed := self._missed.get(month, 0) - 1) > 0:
                self._missed[month] = missed
            else:
                self._missed.pop(month, None)
            self._record(energies[end], end)
        self._highest = dict(sorted(self._highest.items()))
        return bool(found)

    def add_step(self, code: str, offset: Decimal) -> None:
        """Take a change of a total (kWh) that is no consumption out of what comes next."""
        if self._last is None or not (share := self._last.share_of(code)):
            return
        amount = share * offset
        self._last = replace(self._last, amount=EXACT.add(self._last.amount, amount))
        if self._base is not None:
            self._base = replace(self._base, amount=EXACT.add(self._base.amount, amount))

    def power(self, energy: Decimal) -> Decimal:
        """Return the mean power (W) of a period with an energy (kWh)."""
        return EXACT.multiply(energy, Decimal(_WATT_HOURS * (_HOUR // self.periods.length)))

    def this_month(self, now: datetime) -> MonthPeak | None:
        """Return the peak of the month so far; None without any known period."""
        return self._of_month(_month(self.periods.day(now)))

    def last_month(self, now: datetime) -> MonthPeak | None:
        """Return the peak of the last month; None without any known period."""
        first = self.periods.day(now).replace(day=1)
        return self._of_month(_month(first - timedelta(days=1)))

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage."""
        return {
            **self._rules(),
            "highest": {
                str(day): [str(peak.energy), peak.end.isoformat()]
                for day, peak in self._highest.items()
            },
            "missed": dict(self._missed),
            "unknown": [[time.isoformat() for time in ends] for ends in self._unknown],
            "base": self._base and self._base.as_dict(),
            "last": self._last and self._last.as_dict(),
            "due": self._due and self._due.isoformat(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what as_dict has returned, if periods and hours are the same."""
        rules = self._rules()
        if {name: data[name] for name in rules} != rules or data["last"] is None:
            return
        self._highest = {
            date.fromisoformat(day): Peak(Decimal(energy), datetime.fromisoformat(end))
            for day, (energy, end) in data["highest"].items()
        }
        self._missed = dict(data["missed"])
        self._unknown = [
            (datetime.fromisoformat(first), datetime.fromisoformat(last))
            for first, last in data.get("unknown", ())
        ]
        self._base = data["base"] and Sample.from_dict(data["base"])
        self._last = Sample.from_dict(data["last"])
        self._due = datetime.fromisoformat(data["due"])

    def _rules(self) -> dict[str, Any]:
        return {"period": self.periods.length.total_seconds(), "hours": list(self.hours)}

    def _begin(self, sample: Sample) -> None:
        """Begin with the period that contains a sample."""
        begin = self.periods.begin(sample.time)
        self._base = sample if is_at(begin, sample.time) else None
        self._due = self.periods.end(sample.time)

    def _record(self, energy: Decimal, end: datetime) -> None:
        """Compare a period with the highest one of its day."""
        begin = end - self.periods.length
        if not self._counts(self.periods.hour(begin)):
            return
        day = self.periods.day(begin)
        highest = self._highest.get(day)
        if highest is None or energy > highest.energy:
            self._highest[day] = Peak(energy, end)
        if len(self._highest) > _DAYS_MAX:
            del self._highest[next(iter(self._highest))]

    def _counts(self, hour: int) -> bool:
        first, end = self.hours
        return first <= hour < end if first < end else hour >= first or hour < end

    def _miss(self, end: datetime, periods: int) -> None:
        if periods:
            self._remember(end - (periods - 1) * self.periods.length, end)
        month = self._month_of(end)
        self._missed[month] = self._missed.get(month, 0) + periods
        if len(self._missed) > _MONTHS_MAX:
            del self._missed[next(iter(self._missed))]

    def _remember(self, first: datetime, last: datetime) -> None:
        """Remember periods that are unknown, by the ends of the first and the last one."""
        if self._unknown and self._unknown[-1][1] == self._begin_of(first):
            first = self._unknown.pop()[0]
        self._unknown.append((first, last))
        del self._unknown[:-_UNKNOWN_MAX]

    def _discard(self, end: datetime) -> bool:
        """Remove a period from the unknown ones; return whether it was one of them."""
        for place, (first, last) in enumerate(self._unknown):
            if first <= end <= last:
                earlier, later = (first, self._begin_of(end)), (self.periods.end(end), last)
                self._unknown[place : place + 1] = [it for it in (earlier, later) if it[0] <= it[1]]
                return True
        return False

    def _begin_of(self, end: datetime) -> datetime:
        return self.periods.begin(end - timedelta.resolution)

    def _month_of(self, end: datetime) -> str:
        return _month(self.periods.day(end - self.periods.length))

    def _of_month(self, month: str) -> MonthPeak | None:
        highest = sorted(self._peaks(month), reverse=True)[: self.days]
        if not highest:
            return None
        energy = sum((peak.energy for peak in highest), Decimal(0))
        power = EXACT.divide(self.power(energy), len(highest))
        if len(highest) > 1:
            power = EXACT.quantize(power, _WATT)
        return MonthPeak(power, tuple(peak.end for peak in highest), self._missed.get(month, 0))

    def _peaks(self, month: str) -> Iterator[Peak]:
        return (peak for day, peak in self._highest.items() if _month(day) == month)


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
