"""Balanced energy: at boundaries, when they are missed, and over restarts."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.billing.balance import LEAD, Balance
from custom_components.onemeter.billing.periods import Periods

from .meters import START, restarted, sample, stored, watt_hours

HOUR = 3600
PERIODS = Periods(timedelta(hours=1), UTC)


def balance() -> Balance:
    return Balance(PERIODS)


def fed(*samples: tuple[float, int]) -> Balance:
    machine = balance()
    for seconds, net in samples:
        machine.accept(sample(seconds, net))
    return machine


def amounts(machine: Balance) -> tuple[int, int, int]:
    return watt_hours(machine.imported), watt_hours(machine.exported), watt_hours(machine.net)


def test_settles_each_period_to_one_side() -> None:
    machine = fed((0, 1000), (1800, 1700), (HOUR - 1, 1400), (2 * HOUR - 1, 1150))
    assert amounts(machine) == (400, 250, 0)
    assert machine.settlement is not None
    assert (machine.settlement.is_whole, machine.settlement.missed) == (True, 0)
    assert not machine.settlement.is_late


def test_first_period_is_not_whole() -> None:
    machine = fed((1800, 0), (HOUR - 1, 5))
    assert machine.settlement is not None
    assert not machine.settlement.is_whole
    machine.accept(sample(2 * HOUR - 1, 7))
    assert machine.settlement.is_whole
    assert amounts(machine) == (7, 0, 0)


def test_settles_before_the_end_when_called() -> None:
    machine = fed((0, 0), (HOUR - 8, 500))
    assert machine.due == START + timedelta(hours=1) - LEAD
    assert machine.settle()
    assert amounts(machine) == (500, 0, 0)
    # What comes before the end belongs to the next period.
    machine.accept(sample(HOUR - 0.5, 501))
    assert amounts(machine) == (500, 0, 1)
    assert machine.due == START + timedelta(hours=2) - LEAD


def test_nothing_to_settle_with_before_the_end() -> None:
    machine = fed((0, 0), (HOUR - 11, 500))
    assert not machine.settle()
    assert machine.accept(sample(HOUR + 10, 512))
    assert amounts(machine) == (512, 0, 0)
    assert machine.settlement is not None
    assert machine.settlement.is_late


def test_total_before_the_end_is_preferred_to_a_nearer_one_behind() -> None:
    machine = fed((0, 0), (HOUR - 9, 500), (HOUR + 1, 510))
    assert amounts(machine) == (500, 0, 10)


@pytest.mark.parametrize("late", [11, HOUR - 12])
def test_missed_end(late: int) -> None:
    machine = fed((0, 0), (HOUR - 11, 500), (HOUR + late, 300))
    assert amounts(machine) == (0, 0, 300)
    machine.accept(sample(2 * HOUR - 1, -40))
    assert amounts(machine) == (0, 40, 0)
    assert machine.settlement is not None
    assert machine.settlement.missed == machine.missed_in_all == 1


def test_outage_of_many_periods() -> None:
    machine = fed((0, 0), (HOUR - 5, 500), (1000 * HOUR + 60, 900_000))
    assert amounts(machine) == (500, 0, 899_500)
    machine.accept(sample(1001 * HOUR - 1, 900_001))
    assert machine.settlement is not None
    # Of 1000 ends, the first was known.
    assert machine.settlement.missed == 999
    assert amounts(machine) == (900_001, 0, 0)


def test_step_is_no_consumption() -> None:
    machine = fed((0, 1000))
    machine.add_step("1.8.0", Decimal(-1))
    machine.accept(sample(10, 3))
    assert amounts(machine) == (0, 0, 3)
    machine.add_step("2.8.0", Decimal(5))
    machine.accept(sample(20, -4990))
    assert amounts(machine) == (0, 0, 10)
    machine.add_step("3.8.0", Decimal(5))
    machine.accept(sample(30, -4990))
    assert amounts(machine) == (0, 0, 10)


@pytest.mark.parametrize("back", [30, 1800, HOUR, 5 * HOUR, 24 * HOUR])
def test_clock_is_set_back(back: int) -> None:
    machine = fed((0, 0), (HOUR - 1, 500), (HOUR + 5, 501))
    for seconds in range(HOUR + 5 - back, 4 * HOUR, 5):
        machine.accept(sample(seconds, 600))
    assert machine.imported + machine.net == Decimal("0.6")
    assert machine.due == START + timedelta(hours=4) - LEAD


def test_other_totals_are_no_consumption() -> None:
    machine = fed((0, 1000), (10, 1003))
    other = sample(20, 70_000)
    machine.accept(type(other)(other.time, other.amount, ("1.8.1", "1.8.2"), ("2.8.0",)))
    assert amounts(machine) == (0, 0, 3)


def test_other_period_begins_anew_and_does_not_fall() -> None:
    machine = fed((0, 0), (HOUR - 1, 500), (HOUR + 60, 510))
    other = Balance(Periods(timedelta(minutes=15), UTC))
    other.restore(machine.as_dict())
    assert amounts(other) == (500, 0, 0)
    other.accept(sample(HOUR + 70, 511))
    other.accept(sample(HOUR + 899, 516))
    assert amounts(other) == (505, 0, 0)


def test_other_totals_at_the_end_of_a_period() -> None:
    machine = fed((0, 1000), (HOUR - 5, 1003))
    for seconds, amount in ((HOUR + 60, 70_000), (2 * HOUR + 60, 70_500), (3 * HOUR - 1, 70_700)):
        other = sample(seconds, amount)
        machine.accept(type(other)(other.time, other.amount, ("1.8.1", "1.8.2"), ("2.8.0",)))
    [missed] = machine.missed
    # What the profile says of these totals follows from an amount of these totals.
    assert (watt_hours(missed.amount), watt_hours(missed.net)) == (70_000, 700)


def test_unused_tariff_is_stored() -> None:
    machine = fed((0, 0), (HOUR - 1, 0))
    again = restarted(machine, stored(machine))
    for seconds in (HOUR + 60, 2 * HOUR + 60, 3 * HOUR - 1):
        again.accept(sample(seconds, 0))
    # The amount at the newest settlement is known, so that the profile can settle each period.
    assert [it.amount for it in again.missed] == [0]


#: Seconds until the next telegram: of pushed and polled meters, and after outages.
GAPS = st.sampled_from((1, 2, 7, 10, 60, 290, 900, 1795, HOUR, HOUR + 5, 5 * HOUR, 40 * HOUR))
#: What happens before a telegram: nothing, the file is written, or a crash.
EVENTS = st.sampled_from(("", "", "", "saved", "killed"))
TELEGRAMS = st.lists(
    st.tuples(GAPS, st.integers(0, 3000), st.integers(0, 3000), EVENTS), min_size=2, max_size=80
)


def reference(samples: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return what is settled to each side, in integers of Wh, calculated from all samples."""
    known = [samples[0]]
    for end in range(HOUR, samples[-1][0] + 11, HOUR):
        before = [it for it in samples if end - 10 <= it[0] < end]
        after = [it for it in samples if end <= it[0] <= end + 10]
        if end > samples[0][0] and (near := before[-1:] or after[:1]):
            known += near
    nets = [after[1] - before[1] for before, after in pairwise(known)]
    return sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)


def settle_when_due(machine: Balance, seconds: int) -> bool:
    """Do what the timer has done by then."""
    is_settled = False
    while (
        machine.due is not None
        and machine.due < START + timedelta(seconds=seconds)
        and machine.settle()
    ):
        is_settled = True
    return is_settled


@pytest.mark.parametrize("with_timer", [False, True])
@given(telegrams=TELEGRAMS, start=st.integers(0, HOUR - 1))
def test_sums_are_exact(
    *, with_timer: bool, telegrams: list[tuple[int, int, int, str]], start: int
) -> None:
    """Whatever happens, what was settled is what the totals have changed by."""
    machine = balance()
    content = stored(machine)
    now, net = start, 0
    samples: list[tuple[int, int]] = []
    published = (Decimal(0), Decimal(0))
    for gap, imported, exported, event in telegrams:
        if event == "saved":
            content = stored(machine)
        elif event == "killed" and samples:
            machine = restarted(machine, content)
        if with_timer and settle_when_due(machine, now + gap):
            content = stored(machine)
        now, net = now + gap, net + imported - exported
        samples.append((now, net))
        if machine.accept(sample(now, net)) or len(samples) == 1:
            content = stored(machine)
        balanced = machine.imported - machine.exported
        assert watt_hours(balanced + machine.net) == net - samples[0][1]
        assert machine.imported >= published[0]
        assert machine.exported >= published[1]
        published = machine.imported, machine.exported
    if all(event != "killed" for *_, event in telegrams):
        settle_when_due(machine, now + 10)
        assert amounts(machine)[:2] == reference(samples)


@given(
    st.lists(
        st.tuples(GAPS, st.integers(-9 * HOUR, 9 * HOUR), st.integers(-3000, 3000)),
        min_size=2,
        max_size=60,
    )
)
def test_sums_are_exact_with_a_clock_that_is_set(
    telegrams: list[tuple[int, int, int]],
) -> None:
    machine = balance()
    now, net = 100 * HOUR, 0
    for gap, jump, change in telegrams:
        # Most telegrams come without a jump.
        now, net = now + gap + (jump if jump % 4 == 0 else 0), net + change
        before = machine.imported, machine.exported
        machine.accept(sample(now, net))
        balanced = machine.imported - machine.exported
        assert watt_hours(balanced + machine.net) == net - telegrams[0][2]
        assert machine.imported >= before[0]
        assert machine.exported >= before[1]
        due = machine.due
        assert due is not None
        assert timedelta() < due + LEAD - (START + timedelta(seconds=now)) <= timedelta(hours=2)


def test_missed_ends_are_remembered_for_the_load_profile() -> None:
    machine = fed((0, 1000), (HOUR - 1, 1300), (HOUR + 100, 1310), (4 * HOUR - 1, 1100))
    assert machine.settle()
    machine = restarted(machine, stored(machine))
    (missed,) = machine.missed
    assert (missed.begin, missed.end) == (
        START + timedelta(hours=1),
        START + timedelta(hours=4),
    )
    assert [watt_hours(it) for it in (missed.imported, missed.exported)] == [300, 0]
    assert [watt_hours(it) for it in (missed.amount, missed.net)] == [1300, -200]
    assert missed.settled == START + timedelta(hours=4) - LEAD


def test_missed_ends_of_another_meter_are_not() -> None:
    """Neither are those of a first period that was not whole."""
    first = fed((100, 1000), (3 * HOUR - 1, 900))
    replaced = fed((0, 1000), (HOUR - 1, 1300))
    replaced.add_step("1.8.0", Decimal(5))
    replaced.accept(sample(3 * HOUR - 1, 6300))
    assert first.settle()
    assert replaced.settle()
    assert first.settlement is not None
    assert replaced.settlement is not None
    assert (first.settlement.missed, replaced.settlement.missed) == (2, 1)
    assert (first.missed, replaced.missed) == ([], [])
