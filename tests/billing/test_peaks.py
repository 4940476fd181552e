"""Peak power: of each period, of months, of several days, and when boundaries are missed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.billing.peaks import MonthPeak, Peaks
from custom_components.onemeter.billing.periods import Periods

from .meters import START, restarted, sample, stored

QUARTER = 900
DAY = 86_400


def peaks(minutes: int = 15, zone: str = "UTC", **rules: object) -> Peaks:
    return Peaks(Periods(timedelta(minutes=minutes), ZoneInfo(zone)), **rules)  # type: ignore[arg-type]


def feed(machine: Peaks, *samples: tuple[float, int]) -> Peaks:
    for seconds, imported in samples:
        machine.accept(sample(seconds, imported))
    return machine


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_running_period() -> None:
    machine = feed(peaks(), (0, 1000), (300, 1250))
    assert machine.running is not None
    assert machine.running == (Decimal("0.25"), at(300), at(QUARTER))
    assert machine.power(machine.running.energy) == 1000


def test_period_entered_in_the_middle_is_unknown() -> None:
    machine = feed(peaks(), (11, 0), (300, 50), (QUARTER, 100))
    assert machine.this_month(at(QUARTER)) is None
    feed(machine, (2 * QUARTER, 350))
    month = machine.this_month(at(2 * QUARTER))
    assert month is not None
    assert month == MonthPeak(Decimal(1000), (at(2 * QUARTER),), 1)


def test_nearer_total_is_that_of_the_boundary() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER - 3, 247), (QUARTER + 2, 252), (2 * QUARTER, 300))
    month = machine.this_month(at(0))
    assert month is not None
    assert month.power == 252 * 4


def test_missed_boundary() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER - 11, 900), (QUARTER + 11, 901), (2 * QUARTER, 950))
    assert machine.running is not None
    assert machine.this_month(at(0)) is None
    feed(machine, (3 * QUARTER, 1050))
    month = machine.this_month(at(0))
    assert month is not None
    assert month == MonthPeak(Decimal(400), (at(3 * QUARTER),), 2)


def test_outage() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER, 10), (10 * QUARTER + 500, 5000), (11 * QUARTER, 6000))
    month = machine.this_month(at(0))
    assert month is not None
    # Nine periods of the outage, and the one in which it ended.
    assert month == MonthPeak(Decimal(40), (at(QUARTER),), 10)


def test_step_is_no_peak() -> None:
    machine = feed(peaks(), (0, 1000), (300, 1100))
    machine.add_step("1.8.0", Decimal(-1))
    feed(machine, (QUARTER, 250))
    month = machine.this_month(at(0))
    assert month is not None
    assert month.power == 1000


def test_mean_of_the_highest_of_different_days() -> None:
    machine = peaks(60, days=3)
    total = 0
    for day, energies in enumerate([(5000, 4900), (3000, 10), (4000, 3900), (1, 2)]):
        for hour, energy in enumerate(energies):
            feed(machine, (day * DAY + hour * 3600, total))
            total += energy
            feed(machine, (day * DAY + (hour + 1) * 3600, total))
    month = machine.this_month(at(3 * DAY))
    assert month is not None
    assert month.power == 4000
    assert month.ends == (at(3600), at(2 * DAY + 3600), at(DAY + 3600))
    # While there are fewer days, it is the mean of those.
    few = feed(peaks(60, days=3), (0, 0), (3600, 100)).this_month(at(3600))
    assert few is not None
    assert few.power == 100


@pytest.mark.parametrize(
    ("hours", "power"), [((0, 24), 3000), ((10, 11), 1000), ((11, 13), 3000), ((12, 11), 2000)]
)
def test_hours(hours: tuple[int, int], power: int) -> None:
    machine = feed(peaks(60, hours=hours), (0, 0), (3600, 1000), (7200, 4000), (10_800, 6000))
    month = machine.this_month(at(0))
    assert month is not None
    assert month.power == power


def test_months_are_those_of_the_local_clock() -> None:
    """The last quarter of November in Berlin ends at 23:00 UTC."""
    end = (datetime(2026, 11, 30, 23, tzinfo=UTC) - START).total_seconds()
    machine = feed(peaks(zone="Europe/Berlin"), (end - QUARTER, 0), (end, 250))
    assert machine.this_month(at(end)) is None
    last = machine.last_month(at(end))
    assert last is not None
    assert last == MonthPeak(Decimal(1000), (at(end),), 0)
    assert machine.last_month(at(end + 40 * DAY)) is None


def test_two_months_are_kept_over_a_restart() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER, 250), (30 * DAY, 300), (30 * DAY + QUARTER, 310))
    again = restarted(machine, stored(machine))
    assert again == machine
    this, last = again.this_month(at(30 * DAY)), again.last_month(at(30 * DAY))
    assert this is not None
    assert last is not None
    assert this.power == 40
    assert last.power == 1000


def test_other_hours_begin_anew() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER, 250))
    other = peaks(hours=(7, 22))
    other.restore(machine.as_dict())
    assert other == peaks(hours=(7, 22))


def test_wrong_clock_does_not_lose_the_month() -> None:
    machine = feed(peaks(), (0, 0), (QUARTER, 250))
    for wrong in (-20_000 * DAY, 400 * DAY):
        feed(machine, (wrong, 250), (wrong + QUARTER, 250), (2 * QUARTER, 260))
    month = machine.this_month(at(0))
    assert month is not None
    assert month.power == 1000


@given(
    st.lists(
        st.tuples(st.sampled_from((1, 5, 10, 60, 300, 900, 4000)), st.integers(0, 500)),
        min_size=2,
        max_size=60,
    ),
    st.integers(0, QUARTER),
)
def test_peak_is_that_of_the_reference(telegrams: list[tuple[int, int]], start: int) -> None:
    """The reference knows all samples at once and calculates in integers."""
    machine = peaks()
    now, total = start, 0
    samples: list[tuple[int, int]] = []
    for gap, energy in telegrams:
        now, total = now + gap, total + energy
        samples.append((now, total))
        machine.accept(sample(now, total))
        machine = restarted(machine, stored(machine))

    def known(boundary: int) -> int | None:
        before = [(boundary - at, -at, it) for at, it in samples if 0 < boundary - at <= 10]
        after = [(at - boundary, at, it) for at, it in samples if 0 <= at - boundary <= 10]
        near = [*before[-1:], *after[:1]]
        return min(near)[2] if near else None

    # Only what has ended: the first telegram behind it has come.
    ends = range(QUARTER, samples[-1][0] + 1, QUARTER)
    begins_and_ends = [(known(end - QUARTER), known(end)) for end in ends]
    means = [
        4 * (after - before)
        for before, after in begins_and_ends
        if before is not None and after is not None
    ]
    month = machine.this_month(at(0))
    assert (month and month.power) == (max(means) if means else None)


def test_missed_periods_are_learned_later() -> None:
    """Once, each of them, and only those that were missed."""
    machine = feed(peaks(), (0, 0), (QUARTER, 100), (5 * QUARTER + 60, 900), (6 * QUARTER, 950))
    assert machine.unknown == [(at(QUARTER), at(6 * QUARTER))]
    assert not machine.is_unknown_now
    machine = restarted(machine, stored(machine))
    energies = {
        at(number * QUARTER): Decimal(energy)
        for number, energy in ((1, "9"), (3, "0.3"), (4, "0.2"), (7, "9"))
    }
    assert machine.learn(energies)
    assert not machine.learn(energies)
    assert machine.unknown == [(at(QUARTER), at(2 * QUARTER)), (at(4 * QUARTER), at(6 * QUARTER))]
    month = machine.this_month(at(6 * QUARTER))
    assert month == MonthPeak(Decimal(1200), (at(3 * QUARTER),), 3)
    assert machine.learn({at(number * QUARTER): Decimal("0.1") for number in (2, 5, 6)})
    month = machine.this_month(at(6 * QUARTER))
    assert month == MonthPeak(Decimal(1200), (at(3 * QUARTER),), 0)
    assert machine.unknown == []


@given(st.sets(st.integers(1, 40)), st.lists(st.sets(st.integers(1, 40)), max_size=5))
def test_learned_periods_are_those_that_were_missed(
    seen: set[int], learned: list[set[int]]
) -> None:
    machine = feed(peaks(), (0, 0), *((number * QUARTER, number) for number in sorted(seen | {41})))
    known = {number for number in seen | {41} if number - 1 in seen | {0}}
    for numbers in learned:
        is_new = machine.learn({at(number * QUARTER): Decimal(0) for number in numbers})
        assert is_new == bool(numbers - known)
        known |= numbers
    ends = {
        begin + number * timedelta(seconds=QUARTER)
        for begin, end in machine.unknown
        for number in range(1, (end - begin) // timedelta(seconds=QUARTER) + 1)
    }
    assert ends == {at(number * QUARTER) for number in range(1, 42) if number not in known}
    month = machine.this_month(at(41 * QUARTER))
    assert month is None or month.missed == len(ends)
