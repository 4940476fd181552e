"""Balanced energy of periods that were settled together: what the load profile makes of it.

Live, the energy of all of them is offset against each other, and settled with the last one. The
profile has the totals at each end between, so that each period can be settled by itself: its energy
is in the sum of its hour. States stay as they were shown, and so does the difference of both sums.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from ..billing.balance import Missed
from ..billing.periods import Periods
from ..billing.sources import Source
from ..meter import Key
from .planning import falls, full_hour, hours_of
from .rows import Change, Lift, Plan, Reason, Row, Rows, is_rounding, is_same
from .samples import HOUR, Gap, Sample
from .series import ZERO, Series


class Settled(NamedTuple):
    """What is settled with the end of a period."""

    end: datetime
    imported: Decimal
    exported: Decimal


def settle_each(
    missed: Missed, source: Source, periods: Periods, found: Mapping[Key, Series], factor: Decimal
) -> list[Settled] | None:
    """Return what each period settles (kWh); None where the totals at an end are unknown.

    The factor is the multiplier of the totals.
    """
    amounts = [(missed.begin, missed.amount)]
    while (end := periods.end(amounts[-1][0])) < missed.end:
        if (amount := _amount(source, found, end)) is None:
            return None
        amounts.append((end, amount * factor))
    amounts.append((missed.end, missed.amount + missed.net))
    nets = [(end, later - earlier) for (_, earlier), (end, later) in pairwise(amounts)]
    return [Settled(end, max(net, ZERO), max(-net, ZERO)) for end, net in nets]


def _amount(source: Source, found: Mapping[Key, Series], time: datetime) -> Decimal | None:
    total = ZERO
    for keys, sign in ((source.added, 1), (source.subtracted, -1)):
        for key in keys:
            boundary = found[key].at(time) if key in found else None
            if boundary is None:
                return None
            total += sign * boundary.amount
    return total


def energies_of(
    times: Iterable[tuple[datetime, datetime]],
    source: Source,
    periods: Periods,
    found: Mapping[Key, Series],
    factor: Decimal,
) -> dict[datetime, Decimal]:
    """Return the energy (kWh) of each period between begin and end of each time, by its end.

    Periods that do not begin and end with capture periods are left out: interpolated totals are
    not exact. The factor is the multiplier of the totals.
    """
    energies: dict[datetime, Decimal] = {}
    for first, last in times:
        begin = first
        while (end := periods.end(begin)) <= last:
            amounts = [_amount(source, found, time) for time in (begin, end)]
            if None not in amounts and all(it.joins(begin, end) for it in found.values()):
                before, after = (amount or ZERO for amount in amounts)
                if after >= before:
                    energies[end] = (after - before) * factor
            begin = end
    return energies


def as_gap(name: str, missed: Missed) -> Gap:
    """Return the time between two settlements as a gap, in which rows are read and written."""
    before, after = (Sample(time, ZERO) for time in (missed.begin, missed.settled))
    return Gap(name, "kWh", (before,), (after,), HOUR)


def plan_balance(
    gap: Gap,
    settled: Sequence[tuple[datetime, Decimal]],
    start: Decimal,
    lump: Decimal,
    rows: Rows,
    *,
    compiled_until: datetime,
) -> Plan:
    """Plan the sums of the hours between two settlements of one side, and those behind.

    Takes what is settled with each end, in the order of time, the state before, and what was
    settled with the last end: all in the unit of the rows.
    """
    before, after = rows.before, rows.after
    hours = hours_of(gap)
    if gap.first.time >= compiled_until:
        return Plan(left=tuple((hour, Reason.NOT_COMPILED) for hour in hours))
    if before is None or after is None:
        return Plan(left=tuple((hour, Reason.NO_ANCHOR) for hour in hours))
    base = before.sum + start - before.state
    total = base + sum((amount for _, amount in settled), ZERO)
    lifted = total + (after.state - start - lump) - after.sum
    lift = None
    if not is_rounding(lifted, before, after):
        if not is_rounding(lifted - (total - base - lump), before, after):
            return Plan(left=tuple((hour, Reason.CORRECTED) for hour in hours))
        lift = Lift(lifted, after.start, full_hour(gap.first.time))
    plan = Plan(tuple(_changes(hours, settled, Row(before.start, start, base), rows)), lift)
    return plan.leave(Reason.SUM_FALLS) if falls(plan, rows) else plan


def _changes(
    hours: Sequence[datetime], settled: Sequence[tuple[datetime, Decimal]], base: Row, rows: Rows
) -> Iterator[Change]:
    for start in hours:
        old = rows.within.get(start)
        total = base.sum + sum((amount for end, amount in settled if end <= start + HOUR), ZERO)
        new = Row(start, base.state if old is None else old.state, total)
        if old is None or not is_same(old, new):
            yield Change(start, old, new)
