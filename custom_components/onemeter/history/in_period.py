"""The gaps in a period that the user wants to be filled: remembered ones, and those in rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from homeassistant.core import HomeAssistant

from .evidence import CreatedRow, gaps_in_rows
from .filling import GapFiller
from .memory import GapMemory, KnownGap
from .planning import full_hour
from .recorder_task import async_in_recorder
from .samples import Gap
from .statistics_rows import read_created


async def async_gaps_in_period(
    hass: HomeAssistant,
    memory: GapMemory,
    filler: GapFiller,
    start: datetime,
    end: datetime,
    *,
    interval: timedelta,
) -> list[KnownGap]:
    """Return all gaps in a period; ``interval`` is the usual time between two values."""
    gaps = [
        known
        for known in memory.gaps
        if _is_within(known.gap, start, end) and not _begins_late(known, start)
    ]
    for key in memory.keys:
        own = [known.gap for known in gaps if known.gap.key == key]
        trail = memory.trail(key)
        if trail is None or not trail.samples:
            continue
        like = Gap(key, trail.unit, (), tuple(trail.samples), interval)
        gaps += [
            KnownGap(gap, is_open=False, since=start)
            for gap in await _async_gaps_in_rows(hass, filler, like, own)
            if _is_within(gap, start, end)
        ]
    return gaps


async def _async_gaps_in_rows(
    hass: HomeAssistant, filler: GapFiller, like: Gap, own: Iterable[Gap]
) -> list[Gap]:
    """Return the gaps of a total that are not among its ``own``; ``like`` has its live values."""
    if (statistic := await filler.async_statistic(like)) is None:
        return []
    created: list[CreatedRow] = []
    if (metadata_id := statistic.metadata_id) is not None:
        created = await async_in_recorder(hass, partial(read_created, metadata_id=metadata_id))
    if created:
        return list(gaps_in_rows(like, created, statistic.factor, own))
    # Before the first hour row, the live values are what is known.
    return [] if any(gap.last is None for gap in own) else [like]


def _is_within(gap: Gap, start: datetime, end: datetime) -> bool:
    """Return whether a gap has hours in a period."""
    if gap.last is None:
        return start < full_hour(gap.first.time) <= end
    return start < gap.first.time and gap.last.time < end


def _begins_late(known: KnownGap, start: datetime) -> bool:
    """Return whether the time before the first value was filled from later than ``start`` on.

    What is missing by now is before the first row.
    """
    return not known.is_open and known.since is not None and start < known.since
