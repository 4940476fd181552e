"""The household: energy is the sum of power, at any time."""

import pytest

from simulator.days import days_of
from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Household

NOON = INSTALLED_DAY * SECONDS_PER_DAY + 1057 * SECONDS_PER_DAY + 12 * 3600


@pytest.mark.parametrize(
    ("start", "seconds"),
    [
        (NOON, 1),
        (NOON + 17, 60),
        (NOON - 5 * 3600 + 17, 3 * 3600),  # from import to export
        (NOON + 12 * 3600 - 100, 200),  # across midnight
        ((INSTALLED_DAY + 28) * SECONDS_PER_DAY - 100, 200),  # across the end of four weeks
    ],
)
def test_energy_is_the_sum_of_power(start: int, seconds: int) -> None:
    household = Household()
    before, after = household.energy(start), household.energy(start + seconds)
    powers = [sum(household.power(start + second)) for second in range(seconds)]
    assert after.imported - before.imported == sum(max(power, 0) for power in powers)
    assert after.exported - before.exported == sum(max(-power, 0) for power in powers)


def test_totals_begin_when_the_meter_is_installed() -> None:
    assert Household().energy(INSTALLED_DAY * SECONDS_PER_DAY) == (0, 0)


def test_a_house_is_repeatable() -> None:
    house = Household(7)
    energy, measured = house.energy(NOON), house.measure(NOON)
    days_of.cache_clear()  # as in another process
    assert Household(7).energy(NOON) == energy
    assert Household(7).measure(NOON) == measured
    assert house.energy(NOON) != Household(8).energy(NOON)
    assert Household(7, utc_offset=3600).power(NOON - 3600) == house.power(NOON)


def test_days_are_plausible() -> None:
    household = Household()
    noon = NOON - NOON % SECONDS_PER_DAY
    for day in range(28):
        start = household.energy(noon + day * SECONDS_PER_DAY)
        end = household.energy(noon + (day + 1) * SECONDS_PER_DAY)
        assert 4 < (end.imported - start.imported) / 36e6 < 15
        assert 0 < (end.exported - start.exported) / 36e6 < 25


def test_a_house_without_panels_feeds_nothing_in() -> None:
    assert Household(solar=False).energy(NOON).exported == 0


def test_a_heat_pump_has_a_meter_of_its_own_or_that_of_the_house() -> None:
    pump = Household(appliances=False, solar=False, heat_pump=True)
    day = pump.energy(NOON + SECONDS_PER_DAY).imported - pump.energy(NOON).imported
    assert 8 < day / 36e6 < 20
    assert pump.energy(NOON).exported == 0
    house, both = Household(solar=False), Household(solar=False, heat_pump=True)
    sum_of_both = house.energy(NOON).imported + pump.energy(NOON).imported
    assert both.energy(NOON).imported == sum_of_both


def test_measurements_fit_together() -> None:
    measured = Household().measure(NOON)
    for power, voltage, current, angle in zip(
        measured.power, measured.voltage, measured.current, measured.angle, strict=True
    ):
        assert 2200 < voltage < 2450
        assert current / 100 * voltage / 10 == pytest.approx(abs(power) / 10, rel=0.2, abs=10)
        assert (90 < angle < 270) == (power < 0)
    assert 4900 < measured.frequency < 5100
