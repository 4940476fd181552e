"""What a meter is billed by: balances and peaks as the options specify, fed with its telegrams."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self

from ..const import (
    CONF_BALANCING_PERIOD,
    CONF_MULTIPLIER,
    CONF_PEAK_DAYS,
    CONF_PEAK_FROM,
    CONF_PEAK_PERIOD,
    CONF_PEAK_UNTIL,
    DEFAULT_MULTIPLIER,
    PERIOD_OFF,
)
from ..meter import Key, Register
from ..registers.known_codes import parse_key
from ..totals import Step
from .balance import Balance, Missed, Settlement
from .peaks import MonthPeak, Peaks, Running
from .periods import Periods
from .sample import Sample
from .sources import Source, Sources, find_sources

_NO_SOURCES: Final = Sources({}, None)


@dataclass(frozen=True, slots=True)
class BalanceValues:
    """A balance, as it is published."""

    #: kWh
    imported: Decimal
    exported: Decimal
    net: Decimal
    settlement: Settlement | None


@dataclass(frozen=True, slots=True)
class PeakValues:
    """Peaks, as they are published."""

    period: timedelta
    running: Running | None
    #: W; the mean power of the running period if nothing more were imported.
    mean: Decimal | None
    this_month: MonthPeak | None
    last_month: MonthPeak | None


@dataclass(frozen=True, slots=True)
class BillingValues:
    """What is billed, as it is published."""

    #: By scope, as in Sources.
    balances: Mapping[str, BalanceValues]
    #: None without this option, or before the first total.
    peak: PeakValues | None = None


@dataclass(frozen=True, slots=True)
class BillingOptions:
    """The options of an entry that matter here."""

    #: None: off.
    balancing: Periods | None
    peaks: Periods | None
    hours: tuple[int, int]
    days: int
    multiplier: Decimal

    @classmethod
    def of(cls, options: Mapping[str, Any], zone: tzinfo) -> Self:
        """Return the options of an entry."""
        balancing, peaks = (
            None
            if (minutes := options.get(option, PERIOD_OFF)) == PERIOD_OFF
            else Periods(timedelta(minutes=int(minutes)), zone)
            for option in (CONF_BALANCING_PERIOD, CONF_PEAK_PERIOD)
        )
        return cls(
            balancing,
            peaks,
            (options.get(CONF_PEAK_FROM, 0), options.get(CONF_PEAK_UNTIL, 24)),
            options.get(CONF_PEAK_DAYS, 1),
            Decimal(options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
        )

    @property
    def shortest(self) -> Periods | None:
        """The periods at whose boundaries a polled meter is read; None if there are none."""
        periods = [it for it in (self.balancing, self.peaks) if it is not None]
        return min(periods, key=lambda it: it.length, default=None)


class MissedBalance(NamedTuple):
    """Periods of a balance that were settled together."""

    scope: str
    source: Source
    periods: Missed


class Billing:
    """Feeds balances and peaks with the accepted totals of each telegram."""

    def __init__(self, options: BillingOptions) -> None:
        """Take the options; nothing is restored yet."""
        self.options = options
        self._balances: dict[str, Balance] = {}
        self._peaks: Peaks | None = None
        if options.peaks is not None:
            self._peaks = Peaks(options.peaks, options.hours, options.days)
        self._month_peaks: tuple[MonthPeak | None, MonthPeak | None] | None = None
        self._keys: set[Key] = set()
        self._sources = _NO_SOURCES
        #: What was restored of balances that are off.
        self._stored_balances: dict[str, Any] = {}

    @property
    def next_due(self) -> datetime | None:
        """When settle is to be called (UTC)."""
        return min((it.due for it in self._balances.values() if it.due), default=None)

    def diagnostics(self) -> dict[str, Any] | None:
        """Return what is known about settlements and unknown periods; None if all is off."""
        if self.options.shortest is None:
            return None
        return {
            "missed_boundaries": {
                scope: balance.missed_in_all for scope, balance in self._balances.items()
            },
            "settlements": {
                scope: balance.settlement and balance.settlement.as_dict()
                for scope, balance in self._balances.items()
            },
            "unknown_peak_periods": {} if self._peaks is None else self._peaks.missed,
        }

    @property
    def waits_for(self) -> timedelta:
        """The length of the longest running period whose beginning was missed; zero without one.

        What was missed is settled, or known, with the end of that period.
        """
        lengths = [it.periods.length for it in self._balances.values() if it.has_missed]
        if self._peaks is not None and self._peaks.is_unknown_now:
            lengths.append(self._peaks.periods.length)
        return max(lengths, default=timedelta())

    @property
    def unknown_peaks(self) -> tuple[Source, list[tuple[datetime, datetime]]] | None:
        """The totals of peak power, and beginning and end (UTC) of each run of unknown periods."""
        if self._peaks is None or self._sources.imports is None:
            return None
        return self._sources.imports, self._peaks.unknown

    def correct_peaks(self, energies: Mapping[datetime, Decimal], now: datetime) -> bool:
        """Take the energies (kWh) of periods, by their ends; return whether one was unknown."""
        if self._peaks is None or not self._peaks.learn(energies):
            return False
        self._month_peaks = self._peaks.this_month(now), self._peaks.last_month(now)
        return True

    def missed(self) -> Iterator[MissedBalance]:
        """Yield the periods that were settled together, as far as they are remembered."""
        for scope, source in self._sources.balances.items():
            if (balance := self._balances.get(scope)) is not None:
                yield from (MissedBalance(scope, source, it) for it in balance.missed)

    def accept(
        self,
        registers: Mapping[Key, Register],
        withheld: Collection[Key],
        now: datetime,
        clock: datetime | None = None,
    ) -> bool:
        """Take the registers of a telegram; return whether there are results to be stored.

        The clock is the meter's if that is the time of the totals, to the second.
        """
        if self.options.shortest is None:
            return False
        if not registers.keys() <= self._keys:
            self._learn(registers.keys())
        has_results = False
        for scope, source in self._sources.balances.items():
            if (balance := self._balances.get(scope)) is None:
                continue
            time = _time_of(balance, now, clock)
            sample = source.sample(registers, withheld, self.options.multiplier, time)
            if sample is not None:
                has_results |= balance.accept(sample)
        if self._peaks is not None and (imports := self._sources.imports) is not None:
            time = _time_of(self._peaks, now, clock)
            sample = imports.sample(registers, withheld, self.options.multiplier, time)
            if sample is not None:
                has_results |= self._accept_import(self._peaks, sample)
        return has_results

    def settle(self, now: datetime) -> bool:
        """Settle the balances that are due; return whether there are results to be stored."""
        due = [it for it in self._balances.values() if it.due is not None and it.due <= now]
        settled = [balance.settle() for balance in due]
        return any(settled)

    def add_steps(self, steps: Iterable[Step]) -> None:
        """Take changes of totals that are no consumption out of what comes next."""
        machines: list[Balance | Peaks] = [*self._balances.values()]
        if self._peaks is not None:
            machines.append(self._peaks)
        for step in steps:
            for machine in machines:
                machine.add_step(str(step.key), step.offset)

    def values(self) -> BillingValues | None:
        """Return what is published; None without any of the options."""
        if self.options.shortest is None:
            return None
        balances = {
            scope: BalanceValues(it.imported, it.exported, it.net, it.settlement)
            for scope, it in self._balances.items()
            if it.last is not None
        }
        peaks = self._peaks
        if peaks is None or self._month_peaks is None:
            return BillingValues(balances)
        running = peaks.running
        mean = None if running is None else peaks.power(running.energy)
        values = PeakValues(peaks.periods.length, running, mean, *self._month_peaks)
        return BillingValues(balances, values)

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage."""
        balances = {scope: balance.as_dict() for scope, balance in self._balances.items()}
        return {
            "balances": {**self._stored_balances, **balances},
            "peaks": self._peaks and self._peaks.as_dict(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what as_dict has returned."""
        # What is off begins anew when it is on again, but balanced energy never falls.
        self._stored_balances = {
            scope: {**stored, "last": None} for scope, stored in data["balances"].items()
        }
        if self._peaks is not None and data["peaks"] is not None:
            self._peaks.restore(data["peaks"])
        if (periods := self.options.balancing) is not None:
            for scope, stored in data["balances"].items():
                self._balances[scope] = Balance(periods)
                self._balances[scope].restore(stored)
        machines: list[Balance | Peaks] = [*self._balances.values()]
        if self._peaks is not None:
            machines.append(self._peaks)
        lasts = [it.last for it in machines if it.last is not None]
        # A first telegram with fewer totals must not change of which ones a sample is the sum.
        self._learn({parse_key(code) for it in lasts for code in (*it.added, *it.subtracted)})

    def _learn(self, keys: Collection[Key]) -> None:
        """Find the sources again, since there are other codes."""
        self._keys.update(keys)
        self._sources = find_sources(sorted(self._keys, key=str))
        if (periods := self.options.balancing) is not None:
            for scope in self._sources.balances:
                self._balances.setdefault(scope, Balance(periods))

    def _accept_import(self, peaks: Peaks, sample: Sample) -> bool:
        is_over = peaks.accept(sample)
        if is_over or self._month_peaks is None:
            months = peaks.this_month(sample.time), peaks.last_month(sample.time)
            self._month_peaks = months
        return is_over


def _time_of(machine: Balance | Peaks, now: datetime, clock: datetime | None) -> datetime:
    """Return of which time the totals of a telegram are."""
    time = machine.periods.time_of(now, clock)
    # A later total is known already.
    return now if machine.last is not None and time < machine.last.time else time
