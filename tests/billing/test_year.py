"""A simulated year of a household with a solar plant: the differences from the truth per period."""

from collections import defaultdict
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
QUARTER = 900
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
    """Yield telegrams at one-second intervals, which take 0.3 s.

    Far from boundaries most are left out, since only their sum matters there.
    """
    for second in range(DAYS * DAY):
        if (second + 20) % QUARTER < 40 or second % 30 == 0:
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

    #: Wh; of the net energy of a period.
    balance: float
    #: W; of the peak of a month.
    peak: float
    missed: int
    settled: int


class Truth:
    """What was imported and exported in each period."""

    def __init__(self, periods: Periods) -> None:
        house = House(1)
        #: Joules, by the end of the period.
        self.nets: dict[datetime, float] = {}
        #: W, by month.
        self.peaks: dict[str, float] = defaultdict(float)
        begin = periods.end(YEAR)
        before = house.at((begin - YEAR).total_seconds())
        while (end := periods.end(begin)) <= YEAR + timedelta(days=DAYS):
            now = house.at((end - YEAR).total_seconds())
            imported, exported = now[0] - before[0], now[1] - before[1]
            self.nets[end] = imported - exported
            month = f"{periods.day(begin):%Y-%m}"
            watts = imported / periods.length.total_seconds()
            self.peaks[month] = max(self.peaks[month], watts)
            begin, before = end, now


def simulated(periods: Periods, telegrams: Iterator[Telegram]) -> Figures:
    """Return the largest differences of a year."""
    truth, house = Truth(periods), House(1)
    balance, peaks = Balance(periods), Peaks(periods)
    differences: list[float] = []
    found: dict[str, Decimal] = {}
    settlement, first = None, None
    for telegram in telegrams:
        imports, exports = (int(energy / JOULES_PER_WH) for energy in house.at(telegram.sampled))
        time = YEAR + timedelta(seconds=telegram.accepted)
        net = Decimal(imports - exports).scaleb(-3)
        first = net if first is None else first
        if balance.due is not None and balance.due <= time:
            balance.settle()
        balance.accept(Sample(time, net, ("net",)))
        assert balance.imported - balance.exported + balance.net == net - first
        if (newest := balance.settlement) is not None and newest is not settlement:
            settlement = newest
            if newest.is_whole and not newest.missed and newest.end in truth.nets:
                true = truth.nets[newest.end] / JOULES_PER_WH
                differences.append(abs(float(newest.net) * 1000 - true))
        if peaks.accept(Sample(time, Decimal(imports).scaleb(-3), ("import",))):
            before = time - timedelta(minutes=1)
            if (month := peaks.this_month(before)) is not None:
                found[f"{periods.day(before):%Y-%m}"] = month.power
    # What has begun of the next year by local time is cut off in the middle of a period.
    whole = [month for month in found if month.startswith(str(YEAR.year))]
    peak = max(abs(float(found[month]) - truth.peaks[month]) for month in whole)
    return Figures(max(differences), peak, balance.missed_in_all, len(differences))


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["polled", "pushed"])
@pytest.mark.parametrize(
    ("minutes", "zone"), [(60, "Europe/Warsaw"), (15, "Asia/Kathmandu"), (15, "Europe/Brussels")]
)
def test_year(kind: str, minutes: int, zone: str) -> None:
    periods = Periods(timedelta(minutes=minutes), ZoneInfo(zone))
    telegrams = pushed() if kind == "pushed" else polled(periods)
    figures = simulated(periods, telegrams)
    _LOGGER.warning("%s, %d min, %s: %s", kind, minutes, zone, figures)
    assert figures.missed == 0
    assert figures.settled >= DAYS * 24 * 60 // minutes - 3
    assert figures.peak <= figures.balance * 60 / minutes + 8
    # The loads of up to 9 kW, and the plant, may change between the telegram and the boundary.
    seconds = 2.5 if kind == "pushed" else 10
    assert figures.balance <= 2 * 9000 * seconds / JOULES_PER_WH + 2
