"""Which hour rows a gap needs: the register at each hour's end, as the recorder would have had it.

A row holds the state and the sum at its hour's end, and between neighbours both rise alike. So each
sum follows from the newest row before the gap, or after a change of the meter from the row behind
it. Nothing is planned that would make a sum fall.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from .rows import Change, Lift, Plan, Reason, Row, Rows, is_rounding, is_same
from .samples import HOUR, Gap
from .series import Anchor, Kind, Series

_ZERO: Final = Decimal(0)
#: Minutes of the recorder's shortest rows.
_SLOT: Final = 5


def hours_of(gap: Gap, since: datetime | None = None) -> list[datetime]:
    """Return the starts of the hours whose end lies in a gap; from a time on, before any value."""
    begin = gap.last.time if gap.last else since
    if begin is None:
        return []
    start = full_hour(begin)
    count = (full_hour(gap.first.time) - start) // HOUR
    return [start + number * HOUR for number in range(count)]


def full_hour(time: datetime) -> datetime:
    """Return the beginning of an hour (UTC)."""
    return time.replace(minute=0, second=0, microsecond=0)


def plan_gap(
    gap: Gap,
    series: Series,
    rows: Rows,
    *,
    compiled_until: datetime,
    factor: Decimal,
    most_per_hour: Decimal | None = None,
) -> Plan:
    """Plan the hour rows of a gap.

    The factor leads from the register's amounts to the rows' states. The recorder
    has compiled all hours that have ended until then, and will never compile an earlier one.
    """
    if gap.multipliers[0] != gap.multipliers[1]:
        left = tuple((start, Reason.MULTIPLIER_CHANGED) for start in hours_of(gap))
        return Plan(left=left)
    if gap.last is None:
        return _plan_beginning(gap, series, rows, compiled_until=compiled_until, factor=factor)
    lift, is_corrected = _lift(gap, rows, factor, series)
    hours = _Hours(rows, lift, factor, most_per_hour)
    for start in hours_of(gap):
        if start + HOUR > compiled_until:
            hours.left.append((start, Reason.NOT_COMPILED))
        else:
            hours.take(start, series)
    plan = Plan(tuple(hours.changes), lift, tuple(hours.left))
    if lift is not None and not (hours.has_known and hours.changes):
        # It is not certain that nothing else has happened.
        return plan.leave(Reason.NOT_IN_PROFILE)
    if falls(plan, rows):
        return plan.leave(Reason.CORRECTED if is_corrected else Reason.SUM_FALLS)
    return plan.leave(Reason.TOO_MUCH) if hours.is_too_much else plan


class _Hours:
    """Takes the hours of a gap one after the other, and finds what their rows must be."""

    def __init__(
        self, rows: Rows, lift: Lift | None, factor: Decimal, most_per_hour: Decimal | None
    ) -> None:
        self.changes: list[Change] = []
        self.left: list[tuple[datetime, Reason]] = []
        self.is_too_much = False
        self._rows = rows
        self._lifted = lift.amount if lift else _ZERO
        self._factor = factor
        self._most_per_hour = most_per_hour
        self._last: Row | None = None

    @property
    def has_known(self) -> bool:
        """Whether there was an hour whose end is known."""
        return self._last is not None

    def take(self, start: datetime, series: Series) -> None:
        """Take the hour that begins then."""
        old = self._rows.within.get(start)
        found = self._row(start, series)
        if isinstance(found, Row):
            self._check_rise(found)
            self._last = found
        else:
            self.left.append((start, found))
            if self._last is None or old is None or old.sum >= self._last.sum:
                return
            # A flat row of the recorder's would be a fall behind a mended one.
            found = Row(start, self._last.state, self._last.sum)
        if old is None or not is_same(old, found):
            self.changes.append(Change(start, old, found))

    def _row(self, start: datetime, series: Series) -> Row | Reason:
        boundary = series.at(start + HOUR)
        if boundary is None:
            return Reason.NOT_IN_PROFILE
        state = boundary.amount * self._factor
        if Anchor.BEFORE in boundary.anchor and (row := self._rows.before) is not None:
            return Row(start, state, row.sum + state - row.state)
        if Anchor.AFTER in boundary.anchor and (row := self._rows.after) is not None:
            return Row(start, state, row.sum + self._lifted + state - row.state)
        return Reason.NO_ANCHOR

    def _check_rise(self, found: Row) -> None:
        if self._last is None or self._most_per_hour is None:
            return
        most = self._most_per_hour * self._factor * ((found.start - self._last.start) // HOUR)
        self.is_too_much |= found.sum - self._last.sum > most


def _lift(gap: Gap, rows: Rows, factor: Decimal, series: Series) -> tuple[Lift | None, bool]:
    """Return what the sums must be lifted by, and whether they were corrected from outside."""
    before, after = rows.before, rows.after
    if before is None or after is None:
        return None, False
    if gap.has_fallen:
        return _lift_of_new_meter(gap, before, after, factor, series), False
    excess = (after.sum - before.sum) - (after.state - before.state)
    if is_rounding(excess, after, before):
        return None, False
    if is_rounding(after.sum - (after.state - gap.first.amount * factor), after, before):
        return Lift(-excess, after.start, full_hour(gap.first.time)), False
    return None, True


def _lift_of_new_meter(
    gap: Gap, before: Row, after: Row, factor: Decimal, series: Series
) -> Lift | None:
    """Return the lift by what a new meter has counted in the gap, where the sums do not have it.

    The correction of steps takes all of it out, since the profile was not known then.
    """
    known = next((run for run in series.runs if run[0].anchor == Anchor.AFTER), None)
    if known is None or gap.last is None:
        return None
    last_sum = before.sum + gap.last.amount * factor - before.state
    risen = after.state - gap.first.amount * factor
    if not is_rounding(after.sum - last_sum - risen, after, before):
        return None
    rises = [later.amount - earlier.amount for earlier, later in pairwise(known)]
    start = known[0].amount
    # A new one has begun at zero, within the period before its first row.
    counted = gap.first.amount - (start if start > 2 * max(rises, default=_ZERO) else _ZERO)
    return Lift(counted * factor, after.start, full_hour(gap.first.time))


def _plan_beginning(
    gap: Gap, series: Series, rows: Rows, *, compiled_until: datetime, factor: Decimal
) -> Plan:
    """Plan the hours before the first row of all: the first has the sum zero."""
    if not series.runs:
        return Plan()
    if rows.before is not None:
        # The statistics are older than this entry. Their gaps are found by their rows.
        return Plan(left=((full_hour(gap.first.time), Reason.NO_ANCHOR),))
    # Only what leads to the first value without a hole.
    run = series.runs[-1]
    old = rows.next_hour or rows.after
    if is_new := old is None:
        # The recorder would begin with the first value.
        slot = gap.first.time.replace(
            minute=gap.first.time.minute // _SLOT * _SLOT, second=0, microsecond=0
        )
        old = Row(slot, gap.first.amount * factor, _ZERO)
    if old.start < full_hour(gap.first.time):
        return Plan(left=((full_hour(gap.first.time), Reason.NO_ANCHOR),))
    first: Row | None = None
    changes: list[Change] = []
    start = full_hour(run[0].time - timedelta.resolution)
    while start + HOUR <= min(full_hour(gap.first.time), compiled_until):
        boundary = series.at(start + HOUR)
        # The first energy of all is that of the row behind its start.
        if boundary is not None and (boundary != run[0] or series.kind is Kind.REGISTER):
            state = boundary.amount * factor
            first = first or Row(start, state, _ZERO)
            changes.append(
                Change(start, rows.within.get(start), Row(start, state, state - first.state))
            )
        start += HOUR
    if first is None:
        return Plan()
    after = rows.after or old
    amount = (old.state - first.state) - old.sum
    lift = None
    if not is_rounding(amount, old, first):
        lift = Lift(amount, after.start, full_hour(gap.first.time))
    changes = [change for change in changes if change.old is None]
    anchor = None
    if is_new and lift is not None:
        start = min(old.start, compiled_until) - timedelta(minutes=_SLOT)
        anchor = Row(start, old.state, lift.amount)
    plan = Plan(tuple(changes), lift, anchor=anchor)
    return plan.leave(Reason.SUM_FALLS) if falls(plan, rows) else plan


def _sums(plan: Plan, rows: Rows) -> Iterator[Row]:
    """Yield the rows around a gap as they would be."""
    if rows.before is not None:
        yield rows.before
    merged = dict(rows.within)
    merged |= {change.start: change.new for change in plan.changes}
    yield from (merged[start] for start in sorted(merged))
    lifted = plan.lift.amount if plan.lift else _ZERO
    last = rows.next_hour or rows.after
    if last is not None:
        yield Row(last.start, last.state, last.sum + lifted)


def falls(plan: Plan, rows: Rows) -> bool:
    """Return whether a sum would be less than the one before it."""
    found = list(_sums(plan, rows))
    return any(
        later.sum < earlier.sum and not is_rounding(later.sum - earlier.sum, later, earlier)
        for earlier, later in pairwise(found)
    )
