"""Totals never fall, never rise faster than the connection allows, and jump only with consent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Obis, Register, Value
from custom_components.onemeter.totals.guard import Step, Total, TotalsGuard, resolution

IMPORT = Obis.parse("1-0:1.8.0")
TARIFF = Obis.parse("1-0:1.8.1")
NET = Obis.parse("1-0:16.8.0")
POWER = Obis.parse("1-0:16.7.0")
MAY_FALL = {IMPORT: False, TARIFF: False, NET: True}
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
#: 36 kW is 10 Wh per second.
MAX_POWER = 36_000


class Meter:
    """A guard, and a clock that goes on with each telegram."""

    def __init__(self, multiplier: str = "1") -> None:
        self.now = START
        self.guard = self._new(multiplier)
        self.steps: list[Step] = []

    @staticmethod
    def _new(multiplier: str) -> TotalsGuard:
        return TotalsGuard(MAY_FALL.get, MAX_POWER, Decimal(multiplier))

    def tell(
        self, value: Value, after: float = 0, obis: Obis = IMPORT, unit: str | None = "Wh"
    ) -> Value:
        """Send a telegram some seconds after the one before; return what may be published."""
        self.pass_time(after)
        if isinstance(value, str):
            value = Decimal(value)
        registers = {obis: Register(obis, value, unit)}
        self.guard.review(registers, self.now)
        return registers[obis].value

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def set_clock(self, by: float) -> None:
        """Set the clock forward, or back."""
        self.now += timedelta(seconds=by)
        self.guard.clock_set(timedelta(seconds=by))

    def restart(self, after: float = 0, multiplier: str = "1") -> None:
        """Restart Home Assistant, with what was remembered; its clock may be wrong after that."""
        memory = json.loads(json.dumps(self.guard.as_dict()))
        self.steps += self.guard.steps
        self.now += timedelta(seconds=after)
        self.guard = self._new(multiplier)
        self.guard.restore(memory, self.now)

    @property
    def jumped(self) -> dict[Obis, tuple[Total, Total]]:
        return self.guard.jumped


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
        (Total(Decimal(2_324_000), "Wh"), Total(Decimal(2_324_100), "Wh"), "0.1"),
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
    assert (step.obis, step.time, step.unit) == (IMPORT, meter.now, "kWh")
    assert step.value == Decimal(value) / 1000
    assert step.offset == Decimal(value - 5000) / 1000
    assert meter.tell(value + 5, after=1) == value + 5
    assert meter.tell(value + 50_000, after=1) == value + 5


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
    meter.tell(-5000, obis=NET)
    assert meter.tell(-5010, obis=NET, after=1) == -5010
    assert meter.tell(-5000, obis=NET, after=1) == -5000
    assert meter.tell(-5023, obis=NET, after=1) == -5000
    assert meter.tell(-4977, obis=NET) == -5000


def test_multiplier_does_not_count_for_what_passes_the_meter() -> None:
    meter = Meter(multiplier="40")
    meter.tell(5000)
    assert meter.tell(5010, after=1) == 5010
    assert meter.tell(5050, after=1) == 5010


def test_elapsed_time_goes_on_over_restarts() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.restart(after=100)
    assert meter.tell(6002) == 5000
    assert meter.tell(6001) == 6001


@pytest.mark.parametrize("by", [-3600, -1.5, 3600, 86_400])
def test_clock_that_is_set_changes_nothing_in_a_run(by: float) -> None:
    meter = Meter()
    meter.tell(5001)
    meter.set_clock(by)
    assert meter.tell(5011, after=1) == 5011
    assert meter.tell(5031, after=1) == 5011
    meter.set_clock(-by)
    assert meter.tell(5031, after=1) == 5031
    for _ in range(3):
        meter.set_clock(by)
        assert meter.tell(90_000, after=30) == 5031
    assert meter.jumped


def test_clock_behind_after_a_restart_freezes_nothing() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.restart(after=-3600)
    for second in range(1, 90):
        assert meter.tell(5500 + second, after=1) == 5500 + second
    meter.set_clock(7200)
    assert meter.tell(5599, after=1) == 5599
    assert meter.tell(5611, after=1) == 5599


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
    """What was consumed in two days looks like a step until the clock is right."""
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
    step = Step(IMPORT, meter.now, Decimal(200), Decimal(195), "kWh")
    assert meter.guard.steps == [step]
    assert Step.from_dict(json.loads(json.dumps(step.as_dict()))) == step
    meter.guard.steps.clear()
    meter.restart(multiplier="40")
    assert meter.guard.steps == []


@pytest.mark.parametrize("value", [5001, 3, 900_000])
def test_another_meter_goes_on_with_whatever_it_has(value: int) -> None:
    meter = Meter()
    meter.tell(5000)
    memory = meter.guard.as_dict()
    memory["marks"][str(IMPORT)]["start_over"] = True
    meter.guard.restore(memory, meter.now)
    meter.restart()
    assert meter.tell(value, after=1) == value
    [step] = meter.guard.steps
    assert step.offset == Decimal(value - 5000) / 1000
    assert meter.tell(1, after=1) == value


def test_another_meter_with_the_same_value_makes_no_step() -> None:
    meter = Meter()
    meter.tell(5000)
    memory = meter.guard.as_dict()
    memory["marks"][str(IMPORT)]["start_over"] = True
    meter.guard.restore(memory, meter.now)
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
    guard = TotalsGuard(MAY_FALL.get, MAX_POWER)
    registers = {IMPORT: Register(IMPORT, 5000, "Wh")}
    assert guard.review(dict(registers), START)
    assert not guard.review(dict(registers), START)
    registers = {IMPORT: Register(IMPORT, 5001, "Wh")}
    assert guard.review(dict(registers), START)


@dataclass
class Sent:
    """What a meter of a random life sends, and what happens before."""

    value: Decimal
    after: float
    restart: bool
    consent: bool
    #: Seconds by which the clock is set forward.
    clock: int


def lives() -> st.SearchStrategy[tuple[Sent, ...]]:
    rare = st.integers(0, 9).map(lambda dice: dice == 0)
    runs = st.builds(
        lambda base, rises, after: [(base + rise, after) for rise in rises],
        base=st.sampled_from([Decimal(0), Decimal(10_000), Decimal(10_000_000)]),
        rises=st.lists(
            st.integers(0, 300).map(lambda tenths: Decimal(tenths).scaleb(-1)), max_size=6
        ),
        after=st.sampled_from([0.0, 1.0, 5.0, 29.5, 61.0, 3600.0]),
    )
    clock = st.tuples(rare, st.sampled_from([-3600, -10, 10, 3600])).map(
        lambda drawn: drawn[1] if drawn[0] else 0
    )
    return st.lists(runs, max_size=8).flatmap(
        lambda parts: st.tuples(
            *(
                st.builds(
                    Sent, st.just(value), st.just(after), restart=rare, consent=rare, clock=clock
                )
                for part in parts
                for value, after in part
            )
        )
    )


@dataclass
class Age:
    """How long ago a value was accepted: by the steady time in a run, by the clock after it."""

    steady: timedelta = timedelta()
    #: What the clock would have told when it was accepted; None while it is the same run.
    clock: datetime | None = None

    def elapsed(self, now: datetime) -> Fraction | None:
        """Return the seconds that count; None where nobody knows."""
        if self.clock is None:
            return Fraction(self.steady / timedelta(seconds=1))
        return None if now < self.clock else Fraction((now - self.clock) / timedelta(seconds=1))


@given(life=lives(), net=st.booleans())
def test_whatever_a_meter_sends(life: tuple[Sent, ...], net: bool) -> None:
    """Only what is possible is published; what is not was consented to, and is known as a step."""
    meter = Meter()
    obis = NET if net else IMPORT
    published: Decimal | None = None
    age = Age()
    offsets = Decimal(0)
    for sent in life:
        if sent.restart:
            age.clock = age.clock or meter.now - age.steady
            meter.restart(after=sent.clock)
        elif sent.clock:
            meter.set_clock(sent.clock)
        if sent.consent and (accepted := meter.guard.accept(meter.now)):
            assert published is not None
            offsets += accepted[obis].value - published
            published, age = accepted[obis].value, Age()
        value = meter.tell(sent.value, after=sent.after, obis=obis)
        age.steady += timedelta(seconds=sent.after)
        assert isinstance(value, Decimal)
        if published is not None:
            change = value - published
            assert net or change >= 0
            if (elapsed := age.elapsed(meter.now)) is not None:
                most = Fraction(MAX_POWER) * elapsed / 3600
                step = resolution(Total(published, "Wh"), Total(value, "Wh")) * 1000
                assert Fraction(abs(change)) <= most + Fraction(step)
        if value != published:
            published, age = value, Age()
        assert value in {sent.value, published}
    meter.restart()
    assert sum((step.offset for step in meter.steps), Decimal()) * 1000 == offsets


@given(
    loads=st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0, 10.0, 90.0]), st.integers(0, 20)), max_size=30
    ),
    clocks=st.lists(st.sampled_from([0, 0, 0, -3600, 3600]), min_size=30, max_size=30),
)
def test_no_overload_needs_consent(loads: list[tuple[float, int]], clocks: list[int]) -> None:
    """A load of up to twice what is possible, in Wh per second, is always caught up with."""
    meter = Meter()
    value = Decimal("5000.1")
    meter.tell(value)
    for (seconds, load), clock in zip(loads, clocks, strict=False):
        meter.set_clock(clock)
        value += Decimal(seconds) * load
        meter.tell(value, after=seconds)
        assert not meter.jumped
    total = sum(seconds for seconds, _ in loads)
    assert meter.tell(value, after=total) == value


@given(
    value=st.integers(0, 4999),
    telegrams=st.lists(st.sampled_from([0.5, 10.0, 30.0, 61.0]), min_size=1, max_size=8),
)
def test_lower_total_that_stays_is_a_jump(value: int, telegrams: list[float]) -> None:
    meter = Meter()
    meter.tell(5000)
    for after in telegrams:
        assert meter.tell(value, after=after) == 5000
    assert bool(meter.jumped) is (len(telegrams) >= 3 and sum(telegrams[1:]) >= 60)
