"""Gaps before those that were followed: what the hour rows themselves show."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from .samples import HOUR, Gap, Sample

#: A row that was made later than this after its hour's end was made up for the time of an outage:
#: it holds the last state before.
_LATE = timedelta(seconds=60)


class CreatedRow(NamedTuple):
    """An hour row, and when it was made."""

    start: datetime
    created: datetime
    state: Decimal

    @property
    def is_live(self) -> bool:
        """Whether it was made when its hour ended."""
        return self.created <= self.start + HOUR + _LATE


def gaps_in_rows(
    like: Gap, rows: Sequence[CreatedRow], factor: Decimal, known: Iterable[Gap]
) -> list[Gap]:
    """Return the times in which there are no rows or late ones, and the time before the first row.

    Without those that overlap with what is known anyway. Takes a gap of the same total, with the
    newest samples, and what leads from its amounts to the rows' states.
    """
    if not rows:
        return []
    first = rows[0]
    found = [_gap(like, None, first, factor)]
    live = [row for row in rows if row.is_live]
    found += [
        _gap(like, earlier, later, factor)
        for earlier, later in pairwise(live)
        if later.start - earlier.start > HOUR
    ]
    return [gap for gap in found if not any(_overlaps(gap, other) for other in known)]


def _gap(like: Gap, last: CreatedRow | None, first: CreatedRow, factor: Decimal) -> Gap:
    """Return the gap between two rows: their states are those at their ends, or shortly before."""
    before = () if last is None else (Sample(last.start + HOUR, last.state / factor),)
    after = Sample(first.start + HOUR - timedelta.resolution, first.state / factor)
    later = tuple(sample for sample in like.after if sample.time > after.time)
    return replace(like, before=before, after=(after, *later))


def _overlaps(gap: Gap, other: Gap) -> bool:
    begins = (gap.last is None, gap.last.time if gap.last else None)
    if other.last is None or begins[1] is None:
        return other.last is None and begins[0]
    return begins[1] < other.first.time and other.last.time < gap.first.time
