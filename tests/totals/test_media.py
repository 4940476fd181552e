"""Totals of gas, water and heat, and other values that only rise."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Key, Obis, Register
from custom_components.onemeter.totals import Moment
from homeassistant.util import dt as dt_util

from ..helpers.guarded import Meter

MBUS_TOTAL = Obis.parse("0-1:24.2.1")
MBUS_TYPE = Obis.parse("0-1:24.1.0")
MEDIA = {"electricity": (2, "kWh"), "gas": (3, "m³"), "heat": (4, "GJ"), "water": (7, "m³")}


class MbusMeter(Meter):
    """A meter with the total of another meter on its M-Bus."""

    def __init__(self, medium: str) -> None:
        super().__init__()
        self.type, self.unit = MEDIA[medium]

    def pass_on(
        self, total: str, after: float = 0, *, age: float | None = None, has_type: bool = True
    ) -> object:
        """Send a telegram with a total, which was measured some seconds ago."""
        self.pass_time(after)
        time = None if age is None else self.now.time - timedelta(seconds=age)
        registers: dict[Key, Register] = {
            MBUS_TYPE: Register(MBUS_TYPE, f"{self.type:03}"),
            MBUS_TOTAL: Register(MBUS_TOTAL, Decimal(total), self.unit, time=time),
        }
        if not has_type:
            del registers[MBUS_TYPE]
        self.review(registers)
        return registers[MBUS_TOTAL].value


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize(
    ("before", "damaged", "after"),
    [
        pytest.param("8123.5", "0.000", "8123.6", id="zero"),
        pytest.param("5.3", "9999999", "5.4", id="spike"),
    ],
)
def test_single_damaged_value_is_held_back(
    medium: str, before: str, damaged: str, after: str
) -> None:
    meter = MbusMeter(medium)
    meter.pass_on(before)
    assert meter.pass_on(damaged, after=10) == Decimal(before)
    assert meter.pass_on(after, after=10) == Decimal(after)
    assert not meter.jumped


@pytest.mark.parametrize("is_possible", [True, False])
def test_value_without_time_stamp_may_be_of_yesterday(*, is_possible: bool) -> None:
    """25 m³ in each of 25 hours, and one step."""
    meter = MbusMeter("gas")
    meter.pass_on("8123.501")
    for _ in range(60):
        meter.pass_on("8123.501", after=3600)
    most = Decimal("8123.501") + 25 * 25 + Decimal("0.001")
    total = most if is_possible else most + Decimal("0.001")
    assert (meter.pass_on(str(total)) == total) is is_possible


@pytest.mark.parametrize(("hours", "most"), [(1, 25), (48, 48 * 25), (31 * 24 + 1, 25 * 25)])
def test_value_with_time_stamp_is_as_old_as_that_says(hours: int, most: int) -> None:
    """An implausible time stamp is ignored."""
    for more in (0, 1):
        meter = MbusMeter("gas")
        for _ in range(30):
            meter.pass_on("8123.501", after=3600, age=3600 * hours)
        total = Decimal("8123.502") + most + more
        assert (meter.pass_on(str(total)) == total) is not more


def test_time_stamp_without_zone_is_in_that_of_home_assistant() -> None:
    meter = MbusMeter("gas")
    local = dt_util.as_local(meter.now.time - timedelta(hours=2)).replace(tzinfo=None)
    registers: dict[Key, Register] = {
        MBUS_TYPE: Register(MBUS_TYPE, "003"),
        MBUS_TOTAL: Register(MBUS_TOTAL, Decimal("8123.501"), "m³", time=local),
    }
    meter.review(registers)
    assert meter.pass_on("8173.502") == Decimal("8173.502")
    assert meter.pass_on("8223.503") == Decimal("8173.502")


def test_time_stamp_is_remembered_over_a_restart() -> None:
    meter = MbusMeter("gas")
    meter.pass_on("8123.501", age=36_000)
    meter.restart(after=3600)
    assert meter.pass_on("8398.503") == Decimal("8123.501")
    assert meter.pass_on("8398.502") == Decimal("8398.502")


def test_telegram_without_the_type_of_device_is_judged_all_the_same() -> None:
    meter = MbusMeter("gas")
    meter.pass_on("8123.5")
    assert meter.pass_on("0.000", after=10, has_type=False) == Decimal("8123.5")


def test_replaced_gas_meter_needs_consent() -> None:
    meter = MbusMeter("gas")
    meter.pass_on("8123.5")
    for _ in range(4):
        assert meter.pass_on("0.2", after=30) == Decimal("8123.5")
    assert meter.guard.accept(meter.now)[MBUS_TOTAL].value == Decimal("0.2")
    [step] = meter.guard.steps
    assert (step.key, step.offset, step.unit) == (MBUS_TOTAL, Decimal("-8123.3"), "m³")
    assert meter.pass_on("0.3", after=30) == Decimal("0.3")


def test_multiplier_is_that_of_the_main_meter_only() -> None:
    meter = MbusMeter("electricity")
    meter.pass_on("5000")
    meter.restart(multiplier="40")
    meter.pass_on("5000")
    meter.collect()
    assert meter.steps == []


def test_more_gas_than_usual_needs_consent_since_no_option_allows_it() -> None:
    """40 m³/h, read every quarter of an hour, each value with its time."""
    meter = MbusMeter("gas")
    total = Decimal("8123.501")
    meter.pass_on(str(total), age=0)
    for _ in range(4):
        total += 10
        assert meter.pass_on(str(total), after=900, age=0) == Decimal("8123.501")
    assert list(meter.jumped) == [MBUS_TOTAL]
    assert meter.guard.overload is None
    meter.guard.accept(meter.now)
    meter.restart()
    for _ in range(4):
        total += 10
        assert meter.pass_on(str(total), after=900, age=0) == total, "it is usual from now on"
    assert meter.pass_on(str(total + 100), after=900, age=0) == total


@pytest.mark.parametrize(
    ("key", "unit", "before", "good", "bad"),
    [
        ("6.8", "kWh", "5000.1", "5000.3", "5001.5"),
        ("6.8*2", "kWh", "5000.1", "0", None),
        ("6.26", "m³", "5000.1", "5000.2", "5000.4"),
        ("6.31", "h", "30710", "30711", "30713"),
        ("0-0:96.7.0", None, "3", "13", "15"),
        ("0-0:96.6.1", "h", "3", "0", None),
        ("6-0:1.0.0", "kWh", "5000.1", "5000.3", "5001.5"),
        ("8-1:1.0.0", "L", "5001", "5028", "5030"),
    ],
)
def test_what_else_only_rises(
    key: str, unit: str | None, before: str, good: str, bad: str | None
) -> None:
    """In 10 seconds; what is no total may fall."""
    code: Key = Obis.parse(key) if ":" in key else key
    meter = Meter()
    meter.tell(before, obis=code, unit=unit)
    if bad is not None:
        assert meter.tell("1", obis=code, unit=unit) == Decimal(before)
        assert meter.tell(bad, obis=code, unit=unit) == Decimal(before)
    assert meter.tell(good, after=10, obis=code, unit=unit) == Decimal(good)


def test_other_unit_of_another_kind_is_held_back_until_consent() -> None:
    meter = Meter()
    key = "6.8"
    meter.tell("18.5", obis=key, unit="GJ")
    for _ in range(4):
        assert meter.tell("5140", after=30, obis=key, unit="kWh") == Decimal("18.5")
    assert meter.guard.accept(meter.now)[key].value == 5140
    assert meter.guard.steps == []
    assert meter.tell("5141", after=60, obis=key, unit="kWh") == 5141


def test_moment_of_a_time_stamp_has_no_steady_time() -> None:
    assert Moment(datetime(2026, 1, 1, tzinfo=UTC)).steady is None
