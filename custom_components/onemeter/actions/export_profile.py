"""Exports the load profile of a period."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import probatio

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from ..history.clock import ClockOffset
from ..history.reading import ProfileSpan, ReadSlice, async_read_newest, async_read_slice
from ..meter import Interval
from ..meter.reading import as_text
from .meter import async_entry, async_poll, polled_coordinator, refusal

ATTR_START: Final = "start"
ATTR_END: Final = "end"
FIELDS: Final = {
    probatio.Required(ATTR_START): cv.datetime,
    probatio.Optional(ATTR_END): cv.datetime,
}
#: Automations keep responses in their traces, and a month of quarter hours has a megabyte.
_LONGEST: Final = timedelta(days=31)
#: The hour of a change to or from daylight saving time does not count.
_TOLERANCE: Final = timedelta(hours=1)


async def async_export_profile(call: ServiceCall) -> ServiceResponse:
    """Respond with the rows of the load profile that end in a period, oldest first."""
    coordinator = polled_coordinator(await async_entry(call), "no_load_profile")
    # A time without zone is in that of Home Assistant.
    now = dt_util.utcnow()
    start = dt_util.as_utc(call.data[ATTR_START])
    end = min(dt_util.as_utc(call.data[ATTR_END]), now) if ATTR_END in call.data else now
    if not timedelta() < end - start <= _LONGEST + _TOLERANCE:
        raise refusal("profile_period", days=str(_LONGEST.days))
    clock = ClockOffset.of(coordinator.newest, coordinator.client.duration)
    # Rows with a season are in true time, even if the clock shows another hour.
    margin = abs(clock.zone)
    span = ProfileSpan(start - margin, end + margin)
    read = partial(async_read_slice, coordinator, clock)
    await async_poll(call, coordinator, _async_read(span, read))
    newest: Sequence[Interval] = ()
    if await asyncio.to_thread(clock.needs_newest, span.intervals, now):
        newest = await async_poll(call, coordinator, async_read_newest(read, now))
    rows = await asyncio.to_thread(_rows, span.intervals, newest, clock, start, end)
    return {"start": start.isoformat(), "end": end.isoformat(), "rows": rows}


async def _async_read(span: ProfileSpan, read: ReadSlice) -> None:
    """Read a part of a profile. Raises IncompleteProfileError, and MeterError."""
    await span.async_read(read)
    await span.async_check_doubtful(read)


def _rows(
    intervals: Sequence[Interval],
    newest: Sequence[Interval],
    clock: ClockOffset,
    start: datetime,
    end: datetime,
) -> list[Any]:
    """Return the rows that end in a period; slices may overlap where the clock is changed.

    If it is unknown in which time they are, they have no time in UTC, and all are returned.
    """
    rows = [*dict.fromkeys(intervals)]
    placed = clock.placed(rows, dt_util.utcnow(), newest)
    if placed is None:
        placed = [replace(interval, end_utc=None) for interval in rows]
    within = [it for it in placed if it.end_utc is None or start < it.end_utc <= end]
    within.sort(key=lambda it: (it.end_utc or dt_util.as_utc(it.end), it.end))
    return [_row(interval) for interval in within]


def _row(interval: Interval) -> dict[str, Any]:
    return {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "end_utc": interval.end_utc and interval.end_utc.isoformat(),
        "season": interval.season,
        "status": interval.status,
        "values": [
            {
                "obis": register.obis and str(register.obis),
                "value": as_text(register.value),
                "unit": register.unit,
            }
            for register in interval.values
        ],
    }
