"""What holds for any pattern of outages, holes, clock offsets and powers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise

from hypothesis import given, settings, strategies as st

from custom_components.onemeter.history.intervals import channels
from custom_components.onemeter.history.planning import full_hour, hours_of, plan_gap
from custom_components.onemeter.history.rows import Plan, Row, Rows
from custom_components.onemeter.history.samples import HOUR, Gap, Sample, Trail
from custom_components.onemeter.history.series import Series
from custom_components.onemeter.history.targets import best_series
from custom_components.onemeter.meter import Interval, Obis, Register

KEY = Obis.parse("1-0:1.8.0*255")
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
FIVE_MINUTES = timedelta(minutes=5)
HOURS = 24
DIGITS = Decimal("0.001")


@dataclass(frozen=True)
class World:
    """A day: what was used in each five minutes (Wh), and what of it was seen."""

    used: list[int]
    #: First and last number of the five minutes without live values, and whether there are rows.
    outages: list[tuple[int, int, bool]]
    #: Numbers of quarters of an hour of which the meter has no row.
    holes: frozenset[int]
    #: Seconds that the meter's clock is ahead: none, or more than passes for none.
    ahead: int
    has_energies: bool

    def register(self, time: datetime) -> Decimal:
        """Return the register, which rises evenly within five minutes."""
        number, rest = divmod(time - BEGIN, FIVE_MINUTES)
        number = min(max(number, 0), len(self.used) - 1)
        whole = Decimal(sum(self.used[:number]))
        return 500 + (whole + self.used[number] * Decimal(rest / FIVE_MINUTES)) / 1000

    def is_live(self, number: int) -> bool:
        return not any(first <= number <= last for first, last, _ in self.outages)

    def samples(self) -> list[Sample]:
        times = (BEGIN + number * FIVE_MINUTES + timedelta(seconds=30) for number in range(12 * 24))
        return [
            Sample(time, self.register(time).quantize(DIGITS, "ROUND_FLOOR"))
            for number, time in enumerate(times)
            if self.is_live(number)
        ]

    def rows(self, samples: Sequence[Sample]) -> dict[datetime, Row]:
        """Return the hour rows as the recorder makes them."""
        rows: dict[datetime, Row] = {}
        for hour in range(HOURS):
            start = BEGIN + hour * HOUR
            until = [sample for sample in samples if sample.time < start + HOUR]
            is_seen = bool(until) and until[-1].time >= start
            has_row = any(
                made and first <= 12 * hour + 11 and last >= 12 * hour
                for first, last, made in self.outages
            )
            if until and (is_seen or has_row):
                state = until[-1].amount
                rows[start] = Row(start, state, state - samples[0].amount)
        return rows

    def profile(self) -> list[Interval]:
        found = []
        for number in range(4 * HOURS):
            if number in self.holes:
                continue
            shown = BEGIN + (number + 1) * QUARTER
            end = shown - timedelta(seconds=self.ahead)
            amount = self.register(end)
            if self.has_energies:
                amount -= self.register(end - QUARTER)
            local = shown.replace(tzinfo=None)
            value = Register(KEY, amount.quantize(DIGITS / 1000), "kWh")
            found.append(Interval(local - QUARTER, local, None, end, "", (value,)))
        return found

    def gaps(self, samples: Sequence[Sample]) -> list[Gap]:
        trail = Trail("kWh")
        gaps: list[Gap] = []
        for sample in samples:
            last = trail.samples[-1] if trail.samples else sample
            if sample.time - last.time > 2.5 * FIVE_MINUTES and (
                full_hour(last.time) != full_hour(sample.time)
            ):
                later = tuple(other for other in samples if other.time >= sample.time)[:12]
                gaps.append(Gap(KEY, "kWh", tuple(trail.samples), later, FIVE_MINUTES))
            trail.add(sample)
        return gaps


@st.composite
def worlds(draw: st.DrawFn) -> World:
    used = draw(st.lists(st.integers(0, 900), min_size=12 * HOURS, max_size=12 * HOURS))
    edges = sorted(draw(st.sets(st.integers(20, 12 * HOURS - 20), max_size=8)))
    outages = [
        (first, last, draw(st.booleans()))
        for first, last in zip(edges[::2], edges[1::2], strict=False)
    ]
    holes = draw(st.frozensets(st.integers(0, 4 * HOURS - 1), max_size=12))
    ahead = draw(st.sampled_from([0, 0, 60, 180, -240]))
    return World(used, outages, holes, ahead, draw(st.booleans()))


def around(gap: Gap, rows: dict[datetime, Row]) -> Rows:
    """Return the rows around a gap as they are read."""
    assert gap.last is not None
    hours = hours_of(gap)
    before = [row for start, row in rows.items() if start + HOUR <= gap.last.time]
    after = [row for start, row in rows.items() if start >= full_hour(gap.first.time)]
    return Rows(
        max(before, key=lambda row: row.start, default=None),
        {start: rows[start] for start in hours if start in rows},
        min(after, key=lambda row: row.start, default=None),
        min(after, key=lambda row: row.start, default=None),
    )


def plan(world: World, gap: Gap, rows: dict[datetime, Row]) -> Plan:
    found = channels(world.profile())
    series = best_series(gap, found, [KEY])
    if not isinstance(series, Series):
        return Plan()
    end = BEGIN + HOURS * HOUR
    return plan_gap(gap, series, around(gap, rows), compiled_until=end, factor=Decimal(1))


def apply(plan: Plan, rows: dict[datetime, Row]) -> dict[datetime, Row]:
    return dict(sorted((rows | {change.start: change.new for change in plan.changes}).items()))


@settings(max_examples=60)
@given(worlds())
def test_gaps_of_a_day(world: World) -> None:
    samples = world.samples()
    rows = world.rows(samples)
    for gap in world.gaps(samples):
        assert gap.last is not None
        planned = plan(world, gap, rows)
        assert planned.lift is None
        before, rows = rows, apply(planned, rows)
        for change in planned.changes:
            # No hour with a live value at its end.
            assert gap.last.time < change.start + HOUR <= gap.first.time
        # A second run writes nothing, and what it was before can be brought back.
        assert plan(world, gap, rows).changes == ()
        for change in planned.changes:
            assert before.get(change.start) == change.old
    ordered = list(rows.values())
    for earlier, later in pairwise(ordered):
        assert later.sum >= earlier.sum
        assert later.sum - earlier.sum == later.state - earlier.state


@settings(max_examples=60)
@given(worlds())
def test_hours_of_a_profile_without_hole_are_exact(world: World) -> None:
    samples = world.samples()
    rows = world.rows(samples)
    world = World(world.used, world.outages, frozenset(), 0, has_energies=False)
    for gap in world.gaps(samples):
        rows = apply(plan(world, gap, rows), rows)
        for start in hours_of(gap):
            assert rows[start].state == world.register(start + HOUR)


@settings(max_examples=60)
@given(worlds())
def test_more_of_the_profile_changes_nothing(world: World) -> None:
    profile = world.profile()
    for gap in world.gaps(world.samples()):
        until = gap.after[-1].time + QUARTER + timedelta(minutes=5)
        part = [row for row in profile if row.end_utc is not None and row.end_utc <= until]
        found = [best_series(gap, channels(rows), [KEY]) for rows in (part, profile)]
        if not all(isinstance(series, Series) for series in found):
            continue
        of_part, of_whole = (
            [series.at(start + HOUR) for start in hours_of(gap)]
            for series in found
            if isinstance(series, Series)
        )
        assert of_part == of_whole


def test_totals_of_the_world_add_up() -> None:
    world = World([100] * 12 * HOURS, [], frozenset(), 0, has_energies=True)
    (channel,) = channels(world.profile()).values()
    sums = list(accumulate(period.values[0] for period in channel.periods))
    assert sums[-2] == Decimal("28.5")
