"""Power from impulses, compared with the load."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate, cycle, islice

import pytest

from custom_components.onemeter.meter.blink.constant import ImpulseConstant
from custom_components.onemeter.meter.blink.counter import ImpulseCounter
from custom_components.onemeter.meter.blink.power import Power

SECOND = 10**9
KWH = 3_600_000
#: Seconds and W.
STEPS = ((600, 2000), (600, 50), (300, 3000), (900, 20), (60, 2500), (1200, 80))
ROUNDS = 6


def loads() -> Iterator[tuple[int, int]]:
    return islice(cycle(STEPS), ROUNDS * len(STEPS))


def impulse_times(per_kwh: int) -> Sequence[int]:
    """Return the exact times of the impulses of the loads in ns."""
    times, start, energy, impulses = [], 0, 0, 0
    for seconds, watts in loads():
        end = energy + seconds * watts
        while (impulses + 1) * KWH <= end * per_kwh:
            impulses += 1
            missing = impulses * KWH - energy * per_kwh
            times.append(start * SECOND + missing * SECOND // (watts * per_kwh))
        start, energy = start + seconds, end
    return times


def powers() -> Sequence[int]:
    """Return the load in each second."""
    return [watts for seconds, watts in loads() for _ in range(seconds)]


@pytest.mark.parametrize(("per_kwh", "most"), [(500, 33), (1000, 17), (5000, 5.5), (10_000, 4.6)])
@pytest.mark.parametrize("from_second_impulse", [False, True])
@pytest.mark.parametrize("late", [0, 1_000_000])
def test_error_under_changing_loads(
    per_kwh: int, most: float, late: int, *, from_second_impulse: bool
) -> None:
    """Sampled at full seconds or each second after the second impulse, also if it is seen late."""
    times = impulse_times(per_kwh)
    counter = ImpulseCounter(ImpulseConstant.per_kwh(per_kwh))
    true = powers()
    first = times[1] if from_second_impulse else -(-times[1] // SECOND) * SECOND
    coming = iter(times)
    upcoming: int | None = next(coming)
    errors = []
    for sample in range(first, len(true) * SECOND, SECOND):
        while upcoming is not None and upcoming + late <= sample:
            assert counter.impulse(upcoming + late, late)
            upcoming = next(coming, None)
        power = counter.power.at(sample)
        if power is None:
            # The second impulse itself is seen late.
            assert late
            continue
        errors.append(abs(power - true[sample // SECOND]))
    assert sum(errors) / len(errors) <= most
    assert len(errors) > 21_000


def test_unknown_before_the_second_impulse() -> None:
    power = Power(ImpulseConstant.per_kwh(1000), 1)
    assert power.at(0) is None
    power.add(1, 0)
    assert power.at(SECOND) is None
    power.add(1, 2 * SECOND)
    assert power.at(2 * SECOND) == 1800
    assert power.last_at == 2 * SECOND
    power.restart()
    assert power.at(3 * SECOND) is None


def test_falls_while_the_next_impulse_is_late() -> None:
    power = Power(ImpulseConstant.per_kwh(1000), 1)
    for at in (0, 10, 20):
        power.add(1, at * SECOND)
    assert power.at(30 * SECOND) == 360
    before = Decimal(360)
    for since in range(11, 400):
        now = power.at((20 + since) * SECOND)
        assert now is not None
        assert now <= before
        assert now <= Decimal(3600) / since
        # At most, the next impulse is assumed after another tenth of the delay.
        assert now >= Decimal(3270) / since or since >= 300
        before = now
    assert power.at(320 * SECOND) == 0
    # The next impulse gives the power since the last.
    power.add(1, 420 * SECOND)
    assert power.at(420 * SECOND) == 9


@pytest.mark.parametrize(
    ("per_kwh", "zero_after", "interval", "zero_at"),
    [
        # Five minutes, unless an impulse would still mean 12 W ...
        (1000, 300, 10, 300),
        (10_000, 300, 10, 300),
        (500, 300, 10, 600),
        # ... or is no later than others were.
        (1000, 300, 360, 720),
        (10_000, 60, 10, 60),
        (1000, None, 10, None),
    ],
)
def test_zero(per_kwh: int, zero_after: int | None, interval: int, zero_at: int | None) -> None:
    wait = None if zero_after is None else zero_after * SECOND
    power = Power(ImpulseConstant.per_kwh(per_kwh), 1, wait)
    power.add(1, 0)
    power.add(1, interval * SECOND)
    if zero_at is None:
        assert power.at(10**4 * SECOND) != 0
    else:
        assert power.at((interval + zero_at) * SECOND) == 0
        assert power.at((interval + zero_at) * SECOND - 1) != 0


def test_never_more_than_impulses_may_come() -> None:
    counter = ImpulseCounter(ImpulseConstant.per_kwh(1000), max_power=10_000)
    for _ in range(3):
        counter.add(1, SECOND, late=10 * SECOND)
    assert counter.impulses == 3
    assert counter.power.at(SECOND) is None
    counter.add(1, SECOND + 1, late=10 * SECOND)
    assert counter.power.at(SECOND + 1) == Decimal("12500.0")


def test_fast_impulses_that_are_seen_late_are_smoothed() -> None:
    power = Power(ImpulseConstant.per_kwh(10_000), 1)
    for number, late in zip(range(1, 1200), cycle((0, 3, 1, 5, 0, 2)), strict=False):
        power.add(1, number * SECOND // 120 + late * 10**6)
        if number > 60:
            now = power.at(number * SECOND // 120 + late * 10**6)
            assert now is not None
            assert abs(now - 43_200) < 43_200 * Decimal("0.03")


def test_impulses_read_together_are_spread() -> None:
    power = Power(ImpulseConstant.per_kwh(10_000), 1)
    power.add(1, 0)
    power.add(12, SECOND // 10)
    assert power.at(SECOND // 10) == 43_200
    power.add(3, SECOND // 10)
    assert power.at(SECOND // 10) == 54_000


def test_reports_are_smoothed_over_ten_seconds() -> None:
    """A source that reports each second reports 1 or 2 of 1.5 impulses."""
    power = Power(ImpulseConstant.per_kwh(1000), 1)
    for second, impulses in zip(range(60), accumulate(cycle((1, 2))), strict=False):
        power.add(impulses - 3 * (second // 2) - second % 2, second * SECOND, reported=True)
        if second > 10:
            now = power.at(second * SECOND)
            assert now is not None
            assert abs(now - 5400) <= 5400 * Decimal("0.06")
    assert len(power._marks) < 25
