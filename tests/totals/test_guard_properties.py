"""Properties that hold for any telegrams and any changes of the clocks."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import example, given, strategies as st

from custom_components.onemeter.totals import Moment, Proof, Total
from custom_components.onemeter.totals.total import resolution

from ..helpers.guarded import IMPORT, MAX_POWER, NET, Meter

RARELY = st.integers(0, 9).map(lambda dice: dice == 0)
CLOCKS = st.sampled_from([-40 * 86_400, -3600, -10, 10, 3600, 40 * 86_400])


@dataclass
class Sent:
    """A telegram of a random meter, and what happens before it."""

    value: Decimal
    after: float
    restart: bool
    consent: bool
    #: Seconds by which the clock is set forward; it is wrong by as much after a restart.
    clock: int


def lives() -> st.SearchStrategy[tuple[Sent, ...]]:
    runs = st.builds(
        lambda base, rises, after: [(base + rise, after) for rise in rises],
        base=st.sampled_from([Decimal(0), Decimal(10_001), Decimal(10_000_001)]),
        rises=st.lists(
            st.integers(0, 300).map(lambda tenths: Decimal(tenths).scaleb(-1)), max_size=6
        ),
        after=st.sampled_from([0.0, 1.0, 5.0, 29.5, 61.0, 3600.0]),
    )
    clock = st.tuples(RARELY, CLOCKS).map(lambda drawn: drawn[1] if drawn[0] else 0)
    return st.lists(runs, max_size=8).flatmap(
        lambda parts: st.tuples(
            *(
                st.builds(
                    Sent,
                    st.just(value),
                    st.just(after),
                    restart=RARELY,
                    consent=RARELY,
                    clock=clock,
                )
                for part in parts
                for value, after in part
            )
        )
    )


class At(NamedTuple):
    """When a telegram was received, and in which run of Home Assistant."""

    run: int
    moment: Moment

    def until(self, other: At) -> Fraction:
        """Return the seconds that can have passed."""
        wall = other.moment.time - self.moment.time
        month = timedelta(days=31)
        if self.run != other.run:
            return Fraction((wall if wall >= timedelta() else month) / timedelta(seconds=1))
        assert self.moment.steady is not None
        assert other.moment.steady is not None
        steady = Fraction(other.moment.steady - self.moment.steady, 10**9)
        return max(steady, Fraction(min(wall, month) / timedelta(seconds=1)))


def is_rounded(value: Decimal, of: Decimal) -> bool:
    return Total(value, "Wh").is_rounded(Total(of, "Wh"))


@given(life=lives(), net=st.booleans())
@example(
    life=(
        Sent(Decimal(0), 0, restart=False, consent=False, clock=0),
        Sent(Decimal(0), 0, restart=False, consent=False, clock=-3600),
        Sent(Decimal(10_001), 0, restart=True, consent=False, clock=0),
    ),
    net=False,
)
# Between the first and the last total, the clock is set back and forward by the same time.
@example(
    life=(
        Sent(Decimal("0.1"), 0, restart=True, consent=False, clock=-40 * 86_400),
        Sent(Decimal(0), 0, restart=True, consent=False, clock=-40 * 86_400),
        Sent(Decimal("0.3"), 0, restart=True, consent=False, clock=40 * 86_400),
    ),
    net=False,
)
def test_whatever_a_meter_sends(life: tuple[Sent, ...], net: bool) -> None:
    """Published totals are possible; others were accepted by the user, with a step."""
    meter = Meter()
    obis = NET if net else IMPORT
    published: Decimal | None = None
    #: When what is published came first, and when it was last what the meter sent.
    first = last = At(0, meter.now)
    offsets, run, now = Decimal(0), 0, first
    for sent in life:
        if sent.restart:
            meter.restart(after=sent.clock)
            run += 1
        elif sent.clock:
            meter.set_clock(sent.clock)
        if sent.consent and (accepted := meter.guard.accept(meter.now)):
            assert published is not None
            offsets += accepted[obis].value - published
            published, first, last = accepted[obis].value, now, now
        value = meter.tell(sent.value, after=sent.after, obis=obis)
        now = At(run, meter.now)
        assert isinstance(value, Decimal)
        assert value in {sent.value, published}
        if published is not None:
            change = value - published
            assert net or change >= 0
            seconds = last.until(now) + min(first.until(last), Fraction(4500))
            step = resolution(Total(published, "Wh"), Total(value, "Wh")) * 1000
            assert Fraction(abs(change)) <= Fraction(MAX_POWER, 3600) * seconds + Fraction(step)
        if value != published:
            published, first = value, now
        if value == sent.value or (not net and is_rounded(sent.value, value)):
            last = now
    meter.restart()
    assert sum((step.offset for step in meter.steps), Decimal()) * 1000 == offsets


@dataclass
class Lived:
    """An event before a telegram of a meter that works correctly."""

    seconds: int
    load: int
    #: None, or what else happens in that time.
    event: str | None


def sound_lives() -> st.SearchStrategy[list[Lived]]:
    events = [None] * 8 + ["paused", "set back", "set forward", "restarted", "booted"]
    return st.lists(
        st.builds(
            Lived,
            seconds=st.sampled_from([1, 2, 5, 60, 900, 36_000, 90 * 86_400]),
            load=st.integers(0, 10),
            event=st.sampled_from(events),
        ),
        max_size=40,
    )


def live(meter: Meter, lived: Lived) -> None:
    """Let time pass, with whatever happens to the clocks."""
    match lived.event:
        case "paused":
            meter.pass_time(lived.seconds, steady=False)
            return
        case "set back":
            meter.set_clock(-7 * 86_400)
        case "set forward":
            meter.set_clock(3600)
        case "restarted":
            meter.restart()
        case "booted":
            # Without a clock that goes on: it shows a time before the last one.
            meter.restart(after=-100 * 86_400)
            lived.seconds = min(lived.seconds, 31 * 86_400)
    meter.pass_time(lived.seconds)


@given(life=sound_lives())
def test_sound_meter_is_never_held_back(life: list[Lived]) -> None:
    """At any load up to the maximum power, with a register that changes every second."""
    meter = Meter()
    value = 5000
    meter.tell(value)
    for lived in life:
        live(meter, lived)
        value += lived.load * min(lived.seconds, 31 * 86_400 if lived.event == "paused" else 10**9)
        assert meter.tell(value) == value


@given(
    refreshed=st.integers(2, 4500),
    spacing=st.integers(1, 2000),
    loads=st.lists(st.integers(0, 5), min_size=1, max_size=20),
)
def test_sound_meter_that_refreshes_its_register_seldom_is_never_held_back(
    refreshed: int, spacing: int, loads: list[int]
) -> None:
    """Up to half of the maximum power: it is unknown when the register was refreshed."""
    meter = Meter()
    meter.tell(5000)
    spacing = min(spacing, refreshed)
    for second in range(spacing, len(loads) * refreshed, spacing):
        shown = 5000 + refreshed * sum(loads[: second // refreshed])
        assert meter.tell(shown, after=spacing) == shown


@given(
    loads=st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0, 10.0, 90.0]), st.integers(0, 20)), max_size=30
    ),
    clocks=st.lists(st.sampled_from([0, 0, 0, -3600, 3600]), min_size=30, max_size=30),
)
def test_no_overload_needs_consent(loads: list[tuple[float, int]], clocks: list[int]) -> None:
    """After a load of up to twice the maximum (Wh per second), the total catches up."""
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
    value=st.integers(0, 4000),
    telegrams=st.lists(st.sampled_from([0.5, 10.0, 30.0, 61.0]), min_size=1, max_size=8),
)
def test_lower_total_that_stays_is_a_jump(value: int, telegrams: list[float]) -> None:
    meter = Meter()
    meter.tell(5001)
    for after in telegrams:
        assert meter.tell(value, after=after) == 5001
    assert bool(meter.jumped) is (len(telegrams) >= 3 and sum(telegrams[1:]) >= 60)


@dataclass
class Flipped:
    """A telegram without checksum."""

    after: int
    load: int
    #: A digit that is damaged, and what it is then; None where it is not.
    damage: tuple[int, int] | None


@given(
    life=st.lists(
        st.builds(
            Flipped,
            after=st.integers(1, 5),
            load=st.integers(0, 5),
            damage=st.none() | st.tuples(st.integers(0, 6), st.integers(0, 9)),
        ),
        max_size=60,
    ),
    net=st.booleans(),
)
@example(
    life=[Flipped(1, 4, None), Flipped(5, 5, (5, 0)), Flipped(1, 0, None), Flipped(1, 0, None)],
    net=False,
)
# The damaged total is the one that was accepted last.
@example(
    life=[Flipped(1, 5, None), Flipped(5, 5, (5, 0)), Flipped(1, 0, None), Flipped(1, 0, None)],
    net=False,
)
def test_damaged_telegrams_without_checksum(life: list[Flipped], net: bool) -> None:
    """A damaged telegram between two others never makes the total too high.

    A damaged total that is possible is taken for one that was sent: the next one may be too far
    away from it at first.
    """
    meter = Meter(proof=Proof.REPETITION)
    obis = NET if net else IMPORT
    sent = [5_000_001, 5_000_001]
    total, published, since_damage, is_possible = sent[0], Decimal(sent[0]), 2, False
    assert meter.tell(sent[0], obis=obis) is None
    assert meter.tell(sent[1], after=1, obis=obis) == sent[1]
    for telegram in life:
        total += telegram.load * telegram.after
        shown = total
        if telegram.damage is not None and since_damage >= 2:
            place, digit = telegram.damage
            digits = f"{total:07}"
            shown = int(f"{digits[:place]}{digit}{digits[place + 1 :]}")
            is_possible |= published < shown < total
        since_damage = since_damage + 1 if shown == total else 0
        value = meter.tell(shown, after=telegram.after, obis=obis)
        assert isinstance(value, Decimal | int)
        assert published <= value <= total
        if since_damage >= 2:
            is_newest = value in {sent[-1], total}
            assert is_newest or is_possible
            is_possible &= not is_newest
        sent.append(shown)
        published = Decimal(value)
    meter.tell(total, after=60, obis=obis)
    assert meter.tell(total, after=1, obis=obis) == total
