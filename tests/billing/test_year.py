"""A simulated year of a household with a solar plant: the differences from the truth per period."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
import logging
from math import cos, pi
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.billing.balance import Balance
from custom_components.onemeter.billing.peaks import Peaks
from custom_components.onemeter.billing.periods import Periods
from custom_components.onemeter.billing.sample import Sample
from custom_components.onemeter.coordinator.schedule import next_due_at_boundaries

_LOGGER = logging.getLogger(__name__)

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
DAY = 86_400
JOULES_PER_WH = 3600


class House:
    """Imported and exported joules at any second; queries must be in the order of time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._since = 0.0
        self._until = 0.0
        self._watts = 0
        self._imported = self._exported = 0.0

    def at(self, seconds: float) -> tuple[float, float]:
        while self._until <= seconds:
            self._go_to(self._until)
            self._until += self._random.expovariate(1 / 40)
            noon = cos((self._since % DAY / DAY - 0.5) * 2 * pi)
            sun = max(0, noon) * self._random.uniform(0, 6000)
            load = self._random.choice((150, 300, 600, 2000, 2300, 5000, 9000))
            self._watts = round(load - sun)
        self._go_to(seconds)
        return self._imported, self._exported

    def _go_to(self, seconds: float) -> None:
        energy = self._watts * (seconds - self._since)
        self._imported += max(energy, 0)
        self._exported += max(-energy, 0)
        self._since = seconds


class Telegram(NamedTuple):
    """When totals were accepted, and what the meter counted when it sent them."""

    accepted: float
    sampled: float


def pushed() -> Iterator[Telegram]:
    """Yield telegrams at one-second intervals, which take 0.3 s."""
    for second in range(DAYS * DAY):
        yield Telegram(second + 0.5, second + 0.2)


def polled(periods: Periods) -> Iterator[Telegram]:
    """Yield readouts every 60 s and before each boundary, which take two to four seconds."""
    random = Random(1)
    now, duration = 0.0, 3.0
    while now < DAYS * DAY:
        duration = random.uniform(2, 4)
        yield Telegram(now + duration, now + duration / 2)
        began = YEAR + timedelta(seconds=now)
        due = next_due_at_boundaries(began + timedelta(seconds=60), began, periods, duration)
        now = (due - YEAR).total_seconds()


class Figures(NamedTuple):
    """The largest differences from the truth."""

    balance: float
    #: W
    peak: float
    missed: int
    periods: int


def simulated(periods: Periods, telegrams: Iterator[Telegram]) -> Figures:
    """Return the largest difference of a period's net energy (Wh) and of a month's peak (W)."""
    house, balance, peaks = House(1), Balance(periods), Peaks(periods)
    boundary = periods.end(YEAR)
    last_truth: tuple[float, float] | None = None
    truths: dict[datetime, tuple[float, float]] = {}
    settlement = None
    worst, count = 0.0, 0
    highest: dict[str, float] = {}
    found: dict[str, Decimal] = {}
    first: Decimal | None = None
    for telegram in telegrams:
        while (end := (boundary - YEAR).total_seconds()) <= telegram.sampled:
            truth = house.at(end)
            if last_truth is not None:
                imported, exported = truth[0] - last_truth[0], truth[1] - last_truth[1]
                truths[boundary] = (imported - exported) / JOULES_PER_WH, imported
                month = f"{periods.day(boundary - periods.length):%Y-%m}"
                watts = imported / periods.length.total_seconds()
                highest[month] = max(highest.get(month, 0), watts)
            last_truth, boundary = truth, periods.end(boundary)
        imports, exports = (int(energy / JOULES_PER_WH) for energy in house.at(telegram.sampled))
        time = YEAR + timedelta(seconds=telegram.accepted)
        if balance.due is not None and balance.due <= time:
            balance.settle()
        sample = Sample(time, Decimal(imports - exports).scaleb(-3), ("net",))
        first = sample.amount if first is None else first
        balance.accept(sample)
        if peaks.accept(Sample(time, Decimal(imports).scaleb(-3), ("import",))):
            day = periods.day(time - timedelta(seconds=30))
            if (month_peak := peaks.this_month(time - timedelta(seconds=30))) is not None:
                found[f"{day:%Y-%m}"] = month_peak.power
        assert balance.imported - balance.exported + balance.net == sample.amount - first
        if balance.settlement is not settlement:
            settlement = balance.settlement
            if settlement is not None and settlement.is_whole:
                pending = settlement
                count += 1
                ends = [it for it in truths if it < pending.end - periods.length]
                for end_of in ends:
                    del truths[end_of]
        if settlement is not None and settlement.end in truths:
            net, _ = truths.pop(settlement.end)
            if settlement.is_whole and not settlement.missed:
                worst = max(worst, abs(float(settlement.net) * 1000 - net))
    peak = max(abs(float(found[month]) - highest[month]) for month in highest if month in found)
    return Figures(worst, peak, balance.missed_in_all, count)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("minutes", "zone"), [(60, "Europe/Warsaw"), (15, "Asia/Kathmandu"), (15, "Europe/Brussels")]
)
@pytest.mark.parametrize("kind", ["polled", "pushed"])
def test_year(minutes: int, zone: str, kind: str) -> None:
    periods = Periods(timedelta(minutes=minutes), ZoneInfo(zone))
    telegrams = pushed() if kind == "pushed" else polled(periods)
    figures = simulated(periods, telegrams)
    _LOGGER.warning("%s, %d min, %s: %s", kind, minutes, zone, figures)
    assert figures.missed == 0
    assert figures.periods >= DAYS * 24 * 60 // minutes - 3
    # Loads of 9 kW that begin or end between the telegram and the boundary.
    seconds = 2.5 if kind == "pushed" else 13
    assert figures.balance <= 15_000 * seconds / JOULES_PER_WH + 2
