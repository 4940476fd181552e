"""Totals never fall, never rise faster than the connection allows, and jump only with consent."""

from decimal import Decimal
import json

import pytest

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.totals import Step, Total
from custom_components.onemeter.totals.total import resolution

from ..helpers.guarded import IMPORT, NET, POWER, TARIFF, Meter


def test_first_value_is_the_base_and_rises_as_the_connection_allows() -> None:
    meter = Meter()
    assert meter.tell(5000) == 5000
    assert meter.tell(5010, after=1) == 5010
    assert meter.tell(5010, after=1) == 5010
    assert meter.tell(5029, after=1) == 5029, "twenty in two seconds"


def test_a_step_of_the_resolution_is_always_possible() -> None:
    meter = Meter()
    meter.tell("5000.1")
    assert meter.tell("5000.2") == Decimal("5000.2")
    assert meter.tell("5000.4") == Decimal("5000.2")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (Total(Decimal("1.1"), "Wh"), Total(Decimal("1.2"), "Wh"), "0.0001"),
        (Total(Decimal(1234), "Wh"), Total(Decimal(1235), "Wh"), "0.001"),
        (Total(Decimal(2_324_000), "Wh"), Total(Decimal(2_325_000), "Wh"), "1"),
        (Total(Decimal("2324000.0"), "Wh"), Total(Decimal("2325000.0"), "Wh"), "1"),
        (Total(Decimal(0), "Wh"), Total(Decimal(9_000_000), "Wh"), "1"),
        (Total(Decimal(2_324_000), "Wh"), Total(Decimal(2_324_100), "Wh"), "1"),
        (Total(Decimal(2_324_300), "Wh"), Total(Decimal(2_324_400), "Wh"), "0.1"),
        (Total(Decimal(0), "Wh"), Total(Decimal(100), "Wh"), "0.1"),
        (Total(Decimal("7.001"), "m³"), Total(Decimal(8), "m³"), "1"),
        (Total(Decimal(7), "kvarh"), Total(Decimal(8), "kvarh"), "1"),
        (Total(Decimal("7.01"), "MWh"), Total(Decimal("7.02"), "MWh"), "10"),
        (Total(Decimal(0), "VAh"), Total(Decimal(0), "VAh"), "1"),
    ],
)
def test_resolution(before: Total, now: Total, expected: str) -> None:
    assert resolution(before, now) == Decimal(expected)


def test_locked_meter_may_step_a_whole_kilowatt_hour_just_after_it_was_set_up() -> None:
    meter = Meter()
    meter.tell(2_324_000)
    assert meter.tell(2_325_000, after=2) == 2_325_000


def test_a_spike_is_held_back_and_resets_nothing() -> None:
    meter = Meter()
    meter.tell(5000)
    assert meter.tell(9_999_999, after=1) == 5000
    assert meter.tell(0, after=1) == 5000
    assert meter.tell(5003, after=1) == 5003
    assert meter.jumped == {}


@pytest.mark.parametrize("value", [0, 4999, 900_000])
def test_what_stays_for_three_telegrams_and_a_minute_is_a_jump(value: int) -> None:
    meter = Meter()
    meter.tell(5000)
    for after in (1, 59):
        assert meter.tell(value, after=after) == 5000
        assert not meter.jumped
    assert meter.tell(value, after=0.5) == 5000
    assert not meter.jumped
    assert meter.tell(value, after=0.5) == 5000
    assert meter.jumped == {IMPORT: (Total(Decimal(5000), "Wh"), Total(Decimal(value), "Wh"))}


def test_two_telegrams_are_no_jump_however_far_apart() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.tell(1, after=1)
    meter.tell(1, after=600)
    assert not meter.jumped
    meter.tell(1, after=1)
    assert meter.jumped


def test_up_and_down_in_turns_is_no_jump() -> None:
    meter = Meter()
    meter.tell(5000)
    for _ in range(100):
        meter.tell(1, after=1)
        meter.tell(90_000_000, after=1)
    assert not meter.jumped


def jump(meter: Meter, value: int) -> None:
    meter.tell(5000)
    for _ in range(3):
        meter.tell(value, after=30)


@pytest.mark.parametrize("value", [0, 4999, 900_000])
def test_consent_goes_on_from_the_newest_value(value: int) -> None:
    meter = Meter()
    jump(meter, value)
    accepted = meter.guard.accept(meter.now)
    assert accepted == {IMPORT: Total(Decimal(value), "Wh")}
    assert not meter.jumped
    [step] = meter.guard.steps
    assert (step.key, step.time, step.unit) == (IMPORT, meter.now.time, "kWh")
    assert step.offset == Decimal(value - 5000) / 1000
    assert meter.tell(value + 5, after=1) == value + 5
    assert meter.tell(value + 50_000, after=1) == value + 5


def test_time_after_consent_is_that_since_the_last_telegram() -> None:
    meter = Meter()
    meter.tell(5001)
    for _ in range(3):
        meter.tell(300, after=900)
    meter.pass_time(899)
    meter.guard.accept(meter.now)
    assert meter.tell(300 + 8000, after=1) == 300 + 8000


def test_consent_is_only_for_what_has_jumped() -> None:
    meter = Meter()
    jump(meter, 0)
    meter.tell(7, obis=TARIFF)
    meter.tell(9_000_000, obis=TARIFF, after=1)
    assert list(meter.guard.accept(meter.now)) == [IMPORT]
    assert meter.tell(7, obis=TARIFF) == 7


@pytest.mark.parametrize("value", [0, 4999, 900_000])
def test_a_jump_goes_away_when_the_total_comes_back(value: int) -> None:
    meter = Meter()
    jump(meter, value)
    assert meter.jumped
    assert meter.tell(5100, after=3600) == 5100
    assert not meter.jumped


def test_no_jump_slips_in_by_waiting() -> None:
    meter = Meter()
    jump(meter, 9000)
    assert meter.jumped
    assert meter.tell(9001, after=10 * 86400) == 5000
    meter.restart(after=10 * 86400)
    assert meter.tell(9002, after=1) == 5000
    assert meter.jumped == {IMPORT: (Total(Decimal(5000), "Wh"), Total(Decimal(9002), "Wh"))}
    assert meter.tell(0, after=1) == 5000, "also not by way of another value"
    assert meter.tell(9003, after=1) == 5000


def test_net_totals_fall_as_fast_as_they_rise() -> None:
    meter = Meter()
    meter.tell(-5001, obis=NET)
    assert meter.tell(-5011, obis=NET, after=1) == -5011
    assert meter.tell(-5001, obis=NET, after=1) == -5001
    assert meter.tell(-5024, obis=NET, after=1) == -5001
    assert meter.tell(-4978, obis=NET) == -5001


def test_multiplier_does_not_count_for_what_passes_the_meter() -> None:
    meter = Meter(multiplier="40")
    meter.tell(5000)
    assert meter.tell(5010, after=1) == 5010
    assert meter.tell(5050, after=1) == 5010


def test_elapsed_time_goes_on_over_restarts() -> None:
    meter = Meter()
    meter.tell(5001)
    meter.restart(after=100)
    assert meter.tell(6003) == 5001
    assert meter.tell(6002) == 6002


@pytest.mark.parametrize("seconds", [1, 60, 3600, 36_000])
def test_value_that_stands_widens_its_limit_by_75_minutes_at_most(seconds: int) -> None:
    """The total is unchanged for a second, or 10 hours, and jumps in the next telegram."""
    most = 10 * (1 + min(seconds, 4500)) + 1
    for rise in (most, most + 1):
        meter = Meter()
        meter.tell(5001)
        for _ in range(10):
            meter.tell(5001, after=seconds / 10)
        assert meter.tell(5001 + rise, after=1) == (5001 + rise if rise == most else 5001)


def test_net_total_that_stands_falls_by_no_more() -> None:
    meter = Meter()
    meter.tell(5001, obis=NET)
    for _ in range(600):
        meter.tell(5001, obis=NET, after=60)
    assert meter.tell(5001 - 400_000, obis=NET, after=1) == 5001
    assert meter.tell(5001 - 45_000, obis=NET, after=1) == 5001 - 45_000


@pytest.mark.parametrize("minutes", [5, 60, 75])
def test_register_that_is_refreshed_now_and_then_is_never_held_back(minutes: int) -> None:
    """At full power, with a telegram a minute and a new value every few minutes."""
    meter = Meter()
    meter.tell(5001)
    for minute in range(1, 4 * minutes):
        value = 5001 + minute // minutes * minutes * 600
        assert meter.tell(value, after=60) == value


def test_time_is_written_down_when_the_meter_is_left() -> None:
    """The 10 hours without change before a restart do not count after it."""
    meter = Meter()
    meter.tell(5001)
    meter.tell(5001, after=36_000)
    meter.restart(after=10)
    assert meter.tell(5001 + 45_112, after=1) == 5001
    assert meter.tell(5001 + 45_111) == 5001 + 45_111


@pytest.mark.parametrize("by", [-3600, -1.5])
def test_clock_that_is_set_back_changes_nothing(by: float) -> None:
    meter = Meter()
    meter.tell(5001)
    meter.set_clock(by)
    assert meter.tell(5011, after=1) == 5011
    assert meter.tell(5031, after=1) == 5011
    meter.set_clock(by)
    for _ in range(3):
        assert meter.tell(90_000, after=30) == 5011
    assert meter.jumped


@pytest.mark.parametrize("by", [3600, 40 * 86_400])
def test_paused_machine_and_clock_that_is_set_forward_look_alike(by: int) -> None:
    most = 10 * (1 + min(by, 31 * 86_400 - 1)) + 1
    for rise in (most, most + 1):
        meter = Meter()
        meter.tell(5001)
        meter.set_clock(by)
        assert meter.tell(5001 + rise, after=1) == (5001 + rise if rise == most else 5001)


def test_clock_that_is_set_forward_and_back_in_between_changes_nothing() -> None:
    meter = Meter()
    meter.tell(5001)
    meter.set_clock(3600)
    meter.set_clock(-3600)
    assert meter.tell(5013, after=1) == 5001


def test_pause_that_the_clock_shows_late() -> None:
    """A virtual machine resumes after five hours, and its clock is set minutes later."""
    meter = Meter()
    meter.tell(5001)
    for second in range(1, 200):
        assert meter.tell(10_000 + second, after=1) == 5001
    assert meter.jumped
    meter.set_clock(5 * 3600)
    assert meter.tell(10_200, after=1) == 10_200
    assert not meter.jumped


def test_jump_that_the_clock_does_not_explain_stays() -> None:
    meter = Meter()
    jump(meter, 90_000)
    meter.set_clock(60)
    assert meter.tell(90_001, after=86_400) == 5000
    assert meter.jumped


def test_clock_behind_after_a_restart_freezes_nothing() -> None:
    meter = Meter()
    meter.tell(5001)
    meter.restart(after=-3600)
    for second in range(1, 90):
        assert meter.tell(5500 + second, after=1) == 5500 + second
    assert meter.tell(5602, after=1) == 5589


def test_unknown_time_after_a_restart_is_no_longer_than_31_days() -> None:
    month = 31 * 86_400 * 10
    for rise in (month + 1, month + 2):
        meter = Meter()
        meter.tell(5001)
        meter.restart(after=-2400)
        assert meter.tell(5001 + rise) == (5001 + rise if rise == month + 1 else 5001)
    assert meter.tell(4_299_967_000, after=1) == 5001


def test_clock_behind_after_a_restart_lets_nothing_fall() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.tell(-5000, obis=NET)
    meter.restart(after=-3600)
    assert meter.tell(-6000, obis=NET) == -6000
    for _ in range(3):
        assert meter.tell(4000, after=30) == 5000
    assert meter.jumped


@pytest.mark.parametrize("late", [30, 90])
def test_clock_that_was_stopped_while_off_is_set_late(late: int) -> None:
    """The consumption of two days looks like a step until the clock is right."""
    meter = Meter()
    meter.tell(5000)
    meter.restart()
    for second in range(1, late):
        assert meter.tell(25_000 + second, after=1) == 5000
    assert bool(meter.jumped) is (late > 60)
    meter.set_clock(2 * 86_400)
    assert meter.tell(25_100, after=1) == 25_100
    assert not meter.jumped


def test_clock_that_is_set_lets_no_jump_slip_in_after_a_restart() -> None:
    meter = Meter()
    jump(meter, 9000)
    meter.restart()
    meter.set_clock(86_400)
    assert meter.tell(9001, after=1) == 5000
    assert meter.jumped


def test_overload_is_caught_up_with() -> None:
    """A ninth too much for 100 s, then a ninth of what is possible."""
    meter = Meter()
    value = Decimal(5000)
    meter.tell(value)
    for _ in range(100):
        value += Decimal("11.1")
        meter.tell(value, after=1)
        assert not meter.jumped
    for _ in range(14):
        value += Decimal("1.1")
        shown = meter.tell(value, after=1)
        assert not meter.jumped
    assert shown == value


def test_step_after_an_overload_is_a_step() -> None:
    meter = Meter()
    meter.tell(5000)
    for second in range(1, 100):
        meter.tell(5000 + 12 * second, after=1)
    held = meter.tell(5000 + 1200)
    for _ in range(3):
        assert not meter.jumped
        assert meter.tell(90_000, after=30) == held
    assert meter.jumped == {IMPORT: (Total(Decimal(str(held)), "Wh"), Total(Decimal(90_000), "Wh"))}


def test_spike_before_a_step_hides_it_not() -> None:
    meter = Meter()
    meter.tell(5000)
    assert meter.tell(9_000_000, after=1) == 5000
    for _ in range(3):
        assert meter.tell(90_000, after=30) == 5000
    assert meter.jumped
    assert meter.tell(90_001, after=86_400) == 5000


@pytest.mark.parametrize(("rise", "jumps"), [(621, False), (622, True)])
def test_how_much_is_a_step(rise: int, jumps: bool) -> None:
    """Twice 10 Wh in the second, 600 Wh in the minute until it is confirmed, and a resolution."""
    meter = Meter()
    meter.tell(5001)
    assert meter.tell(5001 + rise, after=1) == 5001
    for seconds in (30, 60):
        assert meter.tell(5001 + rise + 10 * seconds, after=30) == 5001
    assert bool(meter.jumped) is jumps


def test_changed_multiplier_is_a_step_of_each_total() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.tell(0, obis=TARIFF)
    meter.restart(multiplier="40")
    assert meter.tell(5000) == 5000
    meter.tell(0, obis=TARIFF)
    meter.collect()
    step = Step(IMPORT, meter.now.time, Decimal(195), "kWh")
    assert meter.steps == [step]
    assert Step.from_dict(json.loads(json.dumps(step.as_dict()))) == step
    meter.restart(multiplier="40")
    meter.tell(5000)
    assert meter.guard.steps == []


def test_multiplier_that_was_changed_while_a_total_was_away_is_a_step_all_the_same() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.tell(3000, obis=TARIFF)
    meter.restart(multiplier="40")
    meter.tell(5000)
    meter.restart(multiplier="40")
    meter.tell(3000, obis=TARIFF)
    meter.collect()
    assert {str(step.key): int(step.offset) for step in meter.steps} == {
        str(IMPORT): 195,
        str(TARIFF): 117,
    }


def test_consent_after_a_restart_bounds_the_next_total_by_the_last_telegram() -> None:
    meter = Meter()
    meter.tell(5000)
    for _ in range(3):
        meter.tell(11, after=1000)
    meter.restart(after=10)
    assert meter.guard.accept(meter.now)[IMPORT].value == 11
    assert meter.tell(113) == 11
    assert meter.tell(112) == 112


@pytest.mark.parametrize("value", [5001, 3, 900_000])
def test_another_meter_goes_on_with_whatever_it_has(value: int) -> None:
    meter = Meter()
    meter.tell(5000)
    meter.start_over()
    meter.restart()
    assert meter.tell(value, after=1) == value
    [step] = meter.guard.steps
    assert step.offset == Decimal(value - 5000) / 1000
    assert meter.tell(1, after=1) == value


def test_another_meter_with_the_same_value_makes_no_step() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.start_over()
    assert meter.tell(5000, after=1) == 5000
    assert meter.guard.steps == []
    assert meter.guard.as_dict()["marks"][str(IMPORT)]["start_over"] is False


def test_a_change_of_unit_is_no_change_of_the_total() -> None:
    meter = Meter()
    meter.tell(5000)
    assert meter.tell("5.001", after=1, unit="kWh") == Decimal("5.001")
    assert meter.tell("0.005", after=1, unit="MWh") == Decimal("5.001")


@pytest.mark.parametrize(
    ("obis", "value", "unit"),
    [
        (POWER, 100, "W"),
        (IMPORT, None, "Wh"),
        (IMPORT, 3, None),
        (IMPORT, 3, "m³"),
        (IMPORT, b"\x01", None),
    ],
)
def test_what_is_no_energy_passes(obis: Obis, value: Value, unit: str | None) -> None:
    meter = Meter()
    meter.tell(5000)
    assert meter.tell(value, obis=obis, unit=unit) == value
    assert meter.tell(5000) == 5000


def test_there_is_something_to_remember_only_when_something_changed() -> None:
    meter = Meter()
    assert meter.review({IMPORT: Register(IMPORT, 5000, "Wh")}).is_changed
    assert not meter.review({IMPORT: Register(IMPORT, 5000, "Wh")}).is_changed
    assert meter.review({IMPORT: Register(IMPORT, 5001, "Wh")}).is_changed


def test_meter_that_waits_for_its_pin_again_has_not_jumped() -> None:
    meter = Meter()
    meter.tell("5000567.9")
    for _ in range(100):
        assert meter.tell("5000000.0", after=2) == Decimal("5000567.9")
    assert not meter.jumped
    assert meter.tell("5001000.0", after=60) == Decimal("5001000.0")
    assert meter.tell("5001432.1", after=1) == Decimal("5001432.1"), "and is unlocked"
    assert meter.tell("5000432.1", after=1) == Decimal("5001432.1")


@pytest.mark.parametrize("value", [10**28, 10**15, Decimal("1E+40"), Decimal("1E-40")])
def test_total_that_no_meter_can_have_is_unknown(value: Decimal | int) -> None:
    meter = Meter()
    assert meter.tell(value) is None
    meter.tell(5000)
    assert meter.tell(value, after=1) == 5000
    assert meter.tell(5001, after=1) == 5001


def test_repeated_register_is_a_total_once_the_type_of_its_meter_is_known() -> None:
    meter = Meter()
    volume, device_type = Obis.parse("0-1:24.2.1"), Obis.parse("0-1:24.1.0")
    sent: dict[Key, Register] = {volume: Register(volume, Decimal(100), "m³")}
    assert meter.review(dict(sent)).withheld == set()
    gas: dict[Key, Register] = {device_type: Register(device_type, 3)}
    meter.review(sent | gas)
    meter.pass_time(1)
    fallen: dict[Key, Register] = {volume: Register(volume, Decimal(50), "m³")}
    assert meter.review(fallen | gas).withheld == {volume}


def test_repeated_implausible_power_stays_unknown() -> None:
    meter = Meter()
    power = Register(POWER, 10**9, "W")
    for _ in range(2):
        registers: dict[Key, Register] = {POWER: power}
        meter.review(registers)
        assert registers[POWER].value is None
