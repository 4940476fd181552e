"""A meter that waits for its PIN is told from one that has nothing finer to tell."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.onemeter.meter import Key, Register
from custom_components.onemeter.pin_lock import PinLock

from .published import register

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOCKED = (register("1-0:1.8.0*255", 2_324_000, "Wh"), register("1-0:2.8.0*255", 0, "Wh"))


def telegram(*registers: Register) -> dict[Key, Register]:
    return {item.obis or str(item.address): item for item in registers}


def watch(lock: PinLock, *registers: Register, since: datetime = START) -> list[bool | None]:
    """Show a telegram every 15 s for a minute."""
    return [
        lock.is_locked(telegram(*registers), since + timedelta(seconds=seconds))
        for seconds in (0, 15, 30, 45, 60)
    ]


def test_whole_kilowatt_hours_and_no_power_for_a_minute() -> None:
    lock = PinLock()
    assert watch(lock, *LOCKED) == [None, None, None, None, True]
    unlocked = telegram(*LOCKED, register("1-0:16.7.0*255", 100, "W"))
    assert lock.is_locked(unlocked, START + timedelta(seconds=75)) is False
    assert watch(lock, *LOCKED)[-2:] == [None, True]


def test_four_telegrams_are_not_enough() -> None:
    lock = PinLock()
    seen = [lock.is_locked(telegram(*LOCKED), START + timedelta(minutes=n)) for n in range(4)]
    assert seen == [None] * 4


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
