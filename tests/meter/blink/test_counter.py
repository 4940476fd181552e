"""Counting impulses, also compared with an independent model."""

from decimal import Decimal
from fractions import Fraction
import json
from typing import override

from hypothesis import assume, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from custom_components.onemeter.meter.blink.constant import ImpulseConstant
from custom_components.onemeter.meter.blink.counter import ImpulseCounter

SECOND = 10**9
MILLISECOND = 10**6
THOUSAND = ImpulseConstant.per_kwh(1000)


def restarted(counter: ImpulseCounter, stored_at: int = 0) -> ImpulseCounter:
    """Return the counter that is restored from the stored one after a restart."""
    state = json.loads(json.dumps(counter.state()))
    assert {type(value) for value in state.values()} <= {int, str}
    return ImpulseCounter.restored(
        state, counter.constant, edges=counter.edges, stored_at=stored_at
    )


def test_counts_and_shows_as_many_digits_as_there_are() -> None:
    counter = ImpulseCounter(THOUSAND, offset=Decimal("12345.6"))
    assert str(counter.energy) == "12345.600"
    for second in range(5):
        assert counter.impulse(second * SECOND)
    assert (counter.impulses, str(counter.energy)) == (5, "12345.605")
    assert str(ImpulseCounter(ImpulseConstant.per_kwh(Decimal("0.01"))).energy) == "0"
    assert str(ImpulseCounter(ImpulseConstant.watt_hours(Decimal("1.25"))).energy) == "0.00000"


@pytest.mark.parametrize(
    ("constant", "shown"),
    [
        (ImpulseConstant.per_kwh(1_000_000), "1000000000.000001"),
        (ImpulseConstant.per_kwh(10_000), "100000000000.0001"),
        (ImpulseConstant.per_kwh(6400), "156250000000.00015625"[: -0 or None]),
        (ImpulseConstant.per_kwh(Decimal("0.01")), "100000000000000100"),
        # 2 666 666 666 666.669333…
        (ImpulseConstant.per_kwh(375), "2666666666666.669333333"),
    ],
)
def test_exact_to_the_last_impulse_of_a_thousand_billions(
    constant: ImpulseConstant, shown: str
) -> None:
    counter = ImpulseCounter(constant)
    state = counter.state() | {"impulses": 10**15}
    counter = ImpulseCounter.restored(state, constant, stored_at=0)
    assert counter.exact_energy == constant.energy * 10**15
    before = counter.energy
    assert counter.impulse(0)
    assert counter.exact_energy == constant.energy * (10**15 + 1)
    assert counter.energy > before
    expected = Decimal(shown)
    assert abs(counter.energy - expected) < Decimal("1E-8")
    assert counter.energy <= counter.exact_energy


def test_a_double_flash_is_no_impulse() -> None:
    counter = ImpulseCounter(THOUSAND)
    assert 60 * MILLISECOND < counter.spacing < 80 * MILLISECOND
    assert counter.impulse(0)
    assert not counter.impulse(3 * MILLISECOND)
    assert not counter.impulse(40 * MILLISECOND)
    assert counter.impulse(counter.spacing)
    assert not counter.impulse(2 * counter.spacing - 1)
    assert (counter.impulses, counter.rejected) == (2, 3)


def test_spacing_follows_the_maximum_power() -> None:
    assert ImpulseCounter(ImpulseConstant.per_kwh(10_000), max_power=36_000).spacing == (
        8 * MILLISECOND
    )
    assert ImpulseCounter(ImpulseConstant.per_kwh(1_000_000), max_power=10**12).spacing == 1


def test_impulses_read_together_are_all_counted() -> None:
    """Their times are unknown, but they can have occurred one after the other."""
    counter = ImpulseCounter(THOUSAND)
    counter.impulse(0)
    assert counter.add(14, SECOND, late=60 * SECOND) == 14
    assert counter.add(1, SECOND + 1, late=60 * SECOND) == 1
    # More are not possible in that second.
    assert counter.add(3, SECOND + 2, late=60 * SECOND) == 0
    assert (counter.impulses, counter.rejected) == (16, 3)


def test_a_flash_that_was_read_late_does_not_cost_the_next_one() -> None:
    counter = ImpulseCounter(THOUSAND)
    late = 20 * MILLISECOND
    assert counter.add(1, SECOND + 15 * MILLISECOND, late) == 1
    assert counter.add(1, SECOND + counter.spacing, late) == 1
    # But an impulse that is even earlier is a double.
    assert counter.add(1, SECOND + counter.spacing + 10 * MILLISECOND, late) == 0


@pytest.mark.parametrize("jitter", [0, 7, 19])
def test_the_fastest_impulses_of_all_are_counted_however_late_they_are_read(jitter: int) -> None:
    counter = ImpulseCounter(ImpulseConstant.per_kwh(10_000))
    waiting = 0
    for number in range(12_000):
        waiting += 1
        if number % 50 < 47:  # otherwise the program sleeps and reads them together
            at = number * SECOND // 120 + number * 7919 % (jitter + 1) * MILLISECOND
            late = 20 * MILLISECOND if waiting == 1 else 60 * SECOND
            counter.add(waiting, at, late)
            waiting = 0
    assert (counter.impulses + waiting, counter.rejected) == (12_000, 0)


def test_two_edges_are_one_impulse() -> None:
    counter = ImpulseCounter(THOUSAND, edges=2)
    assert not counter.impulse(0)
    assert counter.impulse(40 * MILLISECOND)
    assert not counter.impulse(SECOND)
    counter = restarted(counter)
    assert counter.impulse(0)
    assert counter.impulses == 2
    assert counter.add(7, 10 * SECOND, late=10 * SECOND) == 3
    assert counter.add(1, 11 * SECOND) == 1
    # With another number of edges the half impulse is dropped.
    counter.add(1, 20 * SECOND)
    other = ImpulseCounter.restored(counter.state(), THOUSAND, edges=1, stored_at=0)
    assert other.impulse(0)
    assert other.impulses == counter.impulses + 1
    with pytest.raises(ValueError, match="edges"):
        ImpulseCounter(THOUSAND, edges=3)


def test_calibration() -> None:
    counter = ImpulseCounter(THOUSAND, offset=Decimal(100))
    counter.impulse(0)
    assert counter.calibrate(Decimal("100.25")) == Decimal("0.249")
    assert counter.energy == Decimal("100.25")
    counter.impulse(SECOND)
    assert counter.energy == Decimal("100.251")
    assert counter.calibrate(Decimal(99)) == Decimal("-1.251")
    assert (counter.energy, counter.impulses) == (Decimal(99), 2)
    for reading in (Decimal(-1), Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(ValueError, match="not a reading"):
            counter.calibrate(reading)
    assert counter.energy == 99


def test_another_constant_holds_from_now_on() -> None:
    counter = ImpulseCounter(ImpulseConstant.per_kwh(375), offset=Decimal("0.5"))
    for second in range(7):
        counter.impulse(second * SECOND)
    shown, exact = counter.energy, counter.exact_energy
    counter = ImpulseCounter.restored(counter.state(), THOUSAND, stored_at=0)
    assert (counter.exact_energy, counter.energy) == (exact, shown)
    counter.impulse(0)
    assert counter.exact_energy == exact + Fraction(1, 1000)
    assert counter.impulses == 8


@pytest.mark.parametrize(
    "damage",
    [{"impulses": "many"}, {"offset": "1/0"}, {"energy": ""}, {"base": None}, {"source_total": 1}],
)
def test_what_is_no_state(damage: dict[str, int | str]) -> None:
    state = ImpulseCounter(THOUSAND).state()
    ImpulseCounter.restored(state, THOUSAND, stored_at=0)
    constant = ImpulseConstant.per_kwh(500) if "energy" in damage else THOUSAND
    with pytest.raises(ValueError, match=r"."):
        ImpulseCounter.restored(state | damage, constant, stored_at=0)
    del state["rejected"]
    with pytest.raises(ValueError, match="not the state"):
        ImpulseCounter.restored(state, THOUSAND, stored_at=0)


def test_missed_impulses_are_estimated_and_not_counted() -> None:
    counter = ImpulseCounter(THOUSAND)
    counter.add_unobserved(100 * SECOND)
    assert counter.missed == 0
    for second in (0, 2, 4):
        counter.impulse(second * SECOND)
    counter.start(5 * SECOND)
    counter.stop(5 * SECOND)
    counter.start(25 * SECOND)
    assert (counter.missed, counter.impulses) == (10, 3)
    assert counter.power.at(25 * SECOND) is None
    # A new series begins.
    counter.impulse(26 * SECOND)
    assert counter.power.at(26 * SECOND) is None
    counter = restarted(counter)
    counter.add_unobserved(44 * SECOND)
    assert (counter.missed, counter.impulses) == (32, 4)


def test_gaps_in_a_steady_series_are_estimated_and_not_counted() -> None:
    counter = ImpulseCounter(THOUSAND)
    for second in (0, 10, 20, 31, 60, 70, 80, 101, 111, 120, 130):
        counter.impulse(second * SECOND)
    # From 31 to 60 are three intervals, from 80 to 101 two; a change of load is none.
    assert (counter.missed, counter.impulses) == (3, 11)
    for second in (140, 150, 170, 190, 210, 230, 250, 255, 260):
        counter.impulse(second * SECOND)
    assert counter.missed == 3


def test_reported_totals() -> None:
    counter = ImpulseCounter(THOUSAND)
    assert counter.total(5000, 0) == 0
    assert counter.power.at(SECOND) is None
    assert counter.total(5000, 5 * SECOND) == 0
    assert counter.total(5001, 10 * SECOND) == 1
    assert counter.power.at(10 * SECOND) is None
    assert counter.total(5006, 20 * SECOND) == 5
    assert counter.power.at(20 * SECOND) == 1800
    assert counter.impulses == 6
    counter = restarted(counter, -3600 * SECOND)
    assert counter.total(5106, 0) == 100
    two = ImpulseCounter(THOUSAND, edges=2)
    two.total(0, 0)
    assert two.total(5, 10 * SECOND) == 2
    assert two.total(6, 20 * SECOND) == 1


class Interleaving(RuleBasedStateMachine):
    """A counter, and a model with the true number of impulses."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.impulses = 0
        self.rejected = 0
        self.shown = Decimal(0)
        #: The count of the source, the number at which it wraps, and its last report.
        self.device = 0
        self.wrap = 2**64
        self.told: int | None = None

    @initialize(
        per_kwh=st.sampled_from([Decimal("0.01"), 375, 500, 1000, 6400, 10_000, 1_000_000]),
        before=st.sampled_from([0, 1, 10**6, 10**15 - 7, 10**15]),
        offset=st.decimals(0, 10**7, places=3),
        wrap=st.sampled_from([2**16, 2**32, 2**64]),
        edges=st.sampled_from([1, 2]),
        device=st.integers(0, 2**16 - 1),
    )
    def begin(  # noqa: PLR0917  hypothesis passes them by name
        self,
        per_kwh: Decimal | int,
        before: int,
        offset: Decimal,
        wrap: int,
        edges: int,
        device: int,
    ) -> None:
        constant = ImpulseConstant.per_kwh(per_kwh)
        counter = ImpulseCounter(constant, edges=edges, offset=offset)
        state = counter.state() | {"impulses": before, "base": before}
        self.counter = ImpulseCounter.restored(state, constant, edges=edges, stored_at=0)
        self.impulses = before
        self.energy = Fraction(offset)
        self.edges = edges
        self.half = 0
        self.wrap = wrap
        # Near the number at which it wraps, or at which another one does.
        self.device = (wrap - device - 1) % 2**40 if wrap < 2**64 else device

    def count(self, impulses: int) -> None:
        self.impulses += impulses
        self.energy += impulses * self.counter.constant.energy

    def take(self, edges: int) -> None:
        impulses, self.half = divmod(self.half + edges, self.edges)
        self.count(impulses)

    @rule(wait=st.integers(1, 100))
    def impulse(self, wait: int) -> None:
        """Add an impulse no earlier than possible."""
        self.now += wait * self.counter.spacing
        self.counter.add(self.edges, self.now)
        self.take(self.edges)

    @rule(part=st.integers(1, 99))
    def double(self, part: int) -> None:
        """Add an impulse, and another one earlier than possible."""
        self.impulse(1)
        self.now += self.counter.spacing * part // 100
        assert self.counter.add(self.edges, self.now) == 0
        self.rejected += 1

    @rule(impulses=st.integers(1, 40))
    def sleep(self, impulses: int) -> None:
        """Read several impulses together after the last of them."""
        late = (impulses + 1) * self.counter.spacing
        self.now += late
        assert self.counter.add(impulses * self.edges, self.now, late) == impulses
        self.take(impulses * self.edges)

    @rule(edges=st.integers(0, 1000), elapsed=st.integers(1, 10))
    def report(self, edges: int, elapsed: int) -> None:
        """Report the count of the source, possibly after it was unavailable."""
        self.pass_by(edges, elapsed)
        known = self.told is not None
        self.told = self.device
        self.counter.total(self.device, self.now)
        if known:
            self.take(edges)

    def pass_by(self, edges: int, elapsed: int) -> int:
        needed = edges * (self.counter.spacing // self.edges + 1) * elapsed
        self.now += needed
        self.device = (self.device + edges) % self.wrap
        return needed

    @precondition(lambda self: self.told is not None)
    @rule(edges=st.integers(0, 500), data=st.data())
    def source_begins_again(self, edges: int, data: st.DataObject) -> None:
        """Reset the count of the source; impulses since then count."""
        told = self.told or 0
        # Near the wrap this is ambiguous.
        near_wrap = any(wrap - told <= max(wrap // 64, 4000) for wrap in (2**16, 2**32))
        assume(2 * edges < told and not near_wrap)
        self.device = 0
        self.report(edges, data.draw(st.integers(1, 3)))

    @rule(reading=st.decimals(0, 10**9, places=4))
    def calibrate(self, reading: Decimal) -> None:
        off = self.counter.calibrate(reading)
        assert abs(Fraction(off) - (Fraction(reading) - self.energy)) < Fraction(1, 10**9)
        self.energy = Fraction(reading)
        self.shown = Decimal(0)
        assert self.counter.energy == reading

    @rule(
        edges=st.integers(0, 300), per_kwh=st.sampled_from([None, 375, 1000, Decimal("1234.5678")])
    )
    def restart(self, edges: int, per_kwh: Decimal | int | None) -> None:
        """Continue in another process, possibly with another constant."""
        away = self.pass_by(edges, 2)
        constant = self.counter.constant if per_kwh is None else ImpulseConstant.per_kwh(per_kwh)
        if self.told is not None:
            # With another constant the possible number of edges differs, so report first.
            self.told = self.device
            self.counter.total(self.device, self.now)
            self.take(edges)
        state = json.loads(json.dumps(self.counter.state()))
        assert {type(value) for value in state.values()} <= {int, str}
        self.now = 0
        self.counter = ImpulseCounter.restored(state, constant, edges=self.edges, stored_at=-away)

    @rule(edges=st.integers(0, 300))
    def restart_unnoticed_by_the_source(self, edges: int) -> None:
        """Continue in another process; impulses of the source meanwhile count."""
        away = self.pass_by(edges, 2)
        self.counter = restarted(self.counter, -away)
        self.now = 0
        if self.told is not None:
            self.told = self.device
            self.counter.total(self.device, self.now)
            self.take(edges)

    @invariant()
    def is_exact(self) -> None:
        if not hasattr(self, "counter"):
            return
        counter = self.counter
        assert counter.impulses == self.impulses
        assert counter.rejected == self.rejected
        assert counter.exact_energy == self.energy
        assert 0 <= self.energy - Fraction(counter.energy) < Fraction(1, 10**9)
        assert counter.energy >= self.shown
        self.shown = counter.energy

    @override
    def teardown(self) -> None:
        if hasattr(self, "counter"):
            assert restarted(self.counter).state() == self.counter.state()


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(stateful_step_count=40)
