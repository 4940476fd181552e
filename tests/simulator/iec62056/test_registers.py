"""Registers are consistent with each other and with the household."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from simulator.household import Household
from simulator.iec62056 import Registers

HOUSE = Household(utc_offset=3600)


def at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


def read(registers: Registers, time: int) -> dict[str, tuple[str, ...]]:
    return dict(registers.data_sets(time, "12345678"))


def kwh(values: tuple[str, ...]) -> float:
    assert values[0].endswith("*kWh")
    return float(values[0].removesuffix("*kWh"))


def test_tariffs_add_up() -> None:
    registers = Registers(household=HOUSE)
    for hour in range(0, 24, 5):
        now = read(registers, at(2026, 7, 15, hour, 17, 23))
        assert kwh(now["1.8.0"]) == pytest.approx(kwh(now["1.8.1"]) + kwh(now["1.8.2"]), abs=0.0015)


def test_tariffs_change_at_six_and_at_ten() -> None:
    registers = Registers(household=HOUSE, decimals=4)
    # In standard time, one hour behind summer time.
    hours = [read(registers, at(2026, 7, 15, hour)) for hour in (1, 5, 6, 21, 23)]
    day, night = (
        [kwh(after[code]) > kwh(before[code]) for before, after in pairwise(hours)]
        for code in ("1.8.1", "1.8.2")
    )
    assert day == [False, True, True, False]
    assert night == [True, False, False, True]


@pytest.mark.parametrize("decimals", range(5))
def test_digits_are_cut_off_and_not_rounded(decimals: int) -> None:
    time = at(2026, 6, 1, 12)
    shown = read(Registers(household=HOUSE, decimals=decimals), time)["1.8.0"][0]
    imported = f"{Decimal(HOUSE.energy(time).imported) / 36_000_000:020.9f}"
    whole, point, places = imported.partition(".")
    places = places[:decimals]
    assert shown == f"{whole[-6:]}{point if places else ''}{places}*kWh"


def test_history_is_what_the_month_ended_with() -> None:
    registers = Registers(household=HOUSE)
    later = read(registers, at(2026, 7, 15))
    # At midnight, in summer time.
    for number, end in enumerate((at(2026, 6, 30, 22), at(2026, 5, 31, 22)), 1):
        then = read(registers, end)
        assert later[f"1.8.0*{number:02}"] == then["1.8.0"]
        assert later[f"2.8.0*{number:02}"] == then["2.8.0"]
    assert "1.8.0*04" not in later
    assert "1.8.0*01" not in read(Registers(household=HOUSE, history=0), at(2026, 7, 15))


def test_a_new_meter_has_no_history() -> None:
    now = read(Registers(household=HOUSE), at(2024, 1, 1, 10))
    assert not [code for code in now if "*" in code]
    assert "1.6.1" in now


def test_maximum_is_that_of_a_quarter_of_an_hour() -> None:
    time = at(2026, 7, 3, 10)
    power, stamp = read(Registers(household=HOUSE), time)["1.6.1"]
    start = at(2026, 6, 30, 22)
    energies = [HOUSE.energy(quarter).imported for quarter in range(start, time + 1, 900)]
    largest = max(after - before for before, after in pairwise(energies))
    assert float(power.removesuffix("*kW")) == pytest.approx(largest / 900 / 10_000, abs=0.001)
    assert "2607010000" < stamp <= "2607031200"


def test_power_is_signed() -> None:
    registers = Registers(household=HOUSE)
    powers = [
        read(registers, at(2026, 7, 15, hour))["16.7.0"][0].removesuffix("*kW")
        for hour in range(24)
    ]
    assert {text[0] for text in powers} == {"-", "0"}
    assert [round(float(text) * 10_000) for text in powers] == pytest.approx(
        [sum(HOUSE.power(at(2026, 7, 15, hour))) for hour in range(24)], abs=5
    )


def test_options() -> None:
    time = at(2026, 7, 15)
    bare = read(Registers(household=HOUSE, with_power=False, with_grid=False), time)
    assert not {"16.7.0", "32.7.0", "14.7.0", "0.4.2"} & set(bare)
    full = read(
        Registers(household=HOUSE, ratios=(200, 1), error="00000080", serial_code="0.0.0"), time
    )
    assert full["F.F"] == ("00000080",)
    assert full["0.0.0"] == ("12345678",)
    assert (full["0.4.2"], full["0.4.3"]) == (("200",), ("1",))
    assert full["0.3.0"] == ("5000*imp/kWh",)
    assert (full["0.9.1"], full["0.9.2"]) == (("020000",), ("260715",))
