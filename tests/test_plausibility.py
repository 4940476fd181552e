"""Totals never fall, never rise faster than the connection allows, and jump only with consent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Obis, Register, Value
from custom_components.onemeter.plausibility import Step, Total, TotalsGuard, resolution

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
        self.now += timedelta(seconds=after)
        if isinstance(value, str):
            value = Decimal(value)
        registers = {obis: Register(obis, value, unit)}
        self.guard.review(registers, self.now)
        return registers[obis].value

    def restart(self, after: float = 0, multiplier: str = "1") -> None:
        """Restart Home Assistant, with what was remembered."""
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


@pytest.mark.parametrize("value", [0, 900_000])
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


def test_multiplier_makes_the_bound_tighter() -> None:
    meter = Meter(multiplier="40")
    meter.tell("5000.0")
    assert meter.tell("5000.4", after=1) == Decimal("5000.0")
    assert meter.tell("5000.3", after=0) == Decimal("5000.3"), "a quarter, and a tenth"


def test_elapsed_time_goes_on_over_restarts_and_a_clock_set_back_gives_none() -> None:
    meter = Meter()
    meter.tell(5000)
    meter.restart(after=100)
    assert meter.tell(6000) == 6000
    meter.restart(after=-3600)
    assert meter.tell(6002) == 6000
    assert meter.tell(6001) == 6001


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
    """What a meter of a random life sends, and what happens beside."""

    value: Decimal
    after: float
    restart: bool
    consent: bool


def lives() -> st.SearchStrategy[tuple[Sent, ...]]:
    rare = st.integers(0, 9).map(lambda dice: dice == 0)
    runs = st.builds(
        lambda base, rises, after: [(base + rise, after) for rise in rises],
        base=st.sampled_from([Decimal(0), Decimal(10_000), Decimal(10_000_000)]),
        rises=st.lists(
            st.integers(0, 300).map(lambda tenths: Decimal(tenths).scaleb(-1)), max_size=6
        ),
        after=st.sampled_from([0.0, 1.0, 5.0, 29.5, 61.0, 3600.0, -10.0]),
    )
    return st.lists(runs, max_size=8).flatmap(
        lambda parts: st.tuples(
            *(
                st.builds(Sent, st.just(value), st.just(after), restart=rare, consent=rare)
                for part in parts
                for value, after in part
            )
        )
    )


@given(life=lives(), net=st.booleans())
def test_whatever_a_meter_sends(life: tuple[Sent, ...], net: bool) -> None:
    """Only what is possible is published; what is not was consented to, and is known as a step."""
    meter = Meter()
    obis = NET if net else IMPORT
    published: Decimal | None = None
    since = START
    offsets = Decimal(0)
    for sent in life:
        if sent.restart:
            meter.restart()
        if sent.consent and (accepted := meter.guard.accept(meter.now)):
            assert published is not None
            offsets += accepted[obis].value - published
            published, since = accepted[obis].value, meter.now
        value = meter.tell(sent.value, after=sent.after, obis=obis)
        assert isinstance(value, Decimal)
        if published is not None:
            change = value - published
            elapsed = max(Fraction(0), Fraction((meter.now - since) // timedelta(microseconds=1)))
            most = Fraction(MAX_POWER) * elapsed / 3_600_000_000
            step = resolution(Total(published, "Wh"), Total(value, "Wh")) * 1000
            assert net or change >= 0
            assert Fraction(abs(change)) <= most + Fraction(step)
        if value != published:
            published, since = value, meter.now
        assert value in {sent.value, published}
    meter.restart()
    assert sum((step.offset for step in meter.steps), Decimal()) * 1000 == offsets
