"""A meter that needs its PIN is distinguished from one without decimals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.onemeter.coordinator.pin_lock import PinLock
from custom_components.onemeter.meter import Key, Register
from custom_components.onemeter.totals import Moment

from ..helpers.published import register

START = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 0)
LOCKED = (register("1-0:1.8.0*255", 2_324_000, "Wh"), register("1-0:2.8.0*255", 0, "Wh"))


def after(start: Moment, seconds: int) -> Moment:
    assert start.steady is not None
    return Moment(start.time + timedelta(seconds=seconds), start.steady + seconds * 10**9)


def telegram(*registers: Register) -> dict[Key, Register]:
    return {item.obis or str(item.address): item for item in registers}


def watch(lock: PinLock, *registers: Register, since: Moment = START) -> list[bool | None]:
    """Show a telegram every 15 s for a minute."""
    return [
        lock.is_locked(telegram(*registers), after(since, seconds))
        for seconds in (0, 15, 30, 45, 60)
    ]


def test_whole_kilowatt_hours_and_no_power_for_a_minute() -> None:
    lock = PinLock()
    assert watch(lock, *LOCKED) == [None, None, None, None, True]
    unlocked = telegram(*LOCKED, register("1-0:16.7.0*255", 100, "W"))
    assert lock.is_locked(unlocked, after(START, 75)) is False
    assert watch(lock, *LOCKED)[-2:] == [None, True]


def test_four_telegrams_are_not_enough() -> None:
    lock = PinLock()
    seen = [lock.is_locked(telegram(*LOCKED), after(START, 60 * n)) for n in range(4)]
    assert seen == [None] * 4


def test_clock_that_is_set_forward_locks_no_meter() -> None:
    lock = PinLock()
    for second in range(5):
        moment = after(START, second)
        hours = timedelta(hours=second)
        assert lock.is_locked(telegram(*LOCKED), replace(moment, time=moment.time + hours)) is None


@pytest.mark.parametrize("value", [10**28, Decimal("1E+40"), Decimal("1E-40")])
def test_total_that_no_meter_can_have_is_none(value: Decimal | int) -> None:
    assert watch(PinLock(), register("1-0:1.8.0*255", value, "Wh")) == [False] * 5


@pytest.mark.parametrize(
    "registers",
    [
        pytest.param((*LOCKED, register("1-0:1.8.1*255", "2324000.1", "Wh")), id="finer energy"),
        pytest.param((*LOCKED, register("1-0:32.7.0*255", 230, "V")), id="voltage"),
        pytest.param((*LOCKED, register("1-0:1.7.0*255", 0, "W")), id="power"),
        pytest.param((register("1-0:1.8.0*255", 0, "Wh"),), id="zero is whole anyway"),
        pytest.param((register("1-0:1.8.0*255", None, "Wh"),), id="nothing"),
        pytest.param((register("1-0:96.1.0*255", "DMO"),), id="other things"),
        pytest.param((Register(None, 12, "kWh", address="6.8"),), id="no code"),
    ],
)
def test_not_locked(registers: tuple[Register, ...]) -> None:
    assert watch(PinLock(), *registers) == [False] * 5
