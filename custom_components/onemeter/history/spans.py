"""Which part of a load profile gaps are filled from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from homeassistant.util import dt as dt_util

from .memory import KnownGap
from .planning import full_hour
from .samples import HOUR, Gap

_MINUTE: Final = timedelta(minutes=1)


@dataclass
class Work:
    """Gaps that are filled from the same part of the profile."""

    start: datetime
    end: datetime
    gaps: list[tuple[KnownGap, Gap]] = field(default_factory=list)


def is_same_time(gap: Gap, other: Gap) -> bool:
    """Return whether two totals were without live values in the same time."""
    return gap.first.time == other.first.time and (
        (gap.last and gap.last.time) == (other.last and other.last.time)
    )


def span_of(known: KnownGap, gap: Gap) -> tuple[datetime, datetime]:
    """Return which part of the profile a gap is filled from."""
    start = full_hour(gap.last.time if gap.last else known.since or gap.first.time)
    # With the boundary at the start of the first hour.
    return start - _MINUTE, full_hour(gap.first.time) + 2 * HOUR


def in_spans(gaps: Iterable[tuple[KnownGap, Gap]]) -> list[Work]:
    """Return which gaps are filled from the same part of the profile; the newest first."""
    found: list[Work] = []
    for known, gap in sorted(gaps, key=lambda item: item[1].first.time, reverse=True):
        start, end = span_of(known, gap)
        if found and found[-1].start <= end:
            found[-1].start = min(found[-1].start, start)
        else:
            found.append(Work(start, min(end, dt_util.utcnow())))
        found[-1].gaps.append((known, gap))
    return found
