"""When a polled meter is due."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.util import dt as dt_util

from .const import (
    BATTERY_POLL_INTERVAL,
    CONF_BATTERY,
    CONF_POLL_INTERVAL,
    DEFAULT_POLL_INTERVAL,
)

#: Intervals from this length on begin at midnight, so that a quarter of an hour is a full one.
_ALIGNED = timedelta(minutes=15)


def shortest_poll_interval(data: Mapping[str, Any]) -> int:
    """Return the seconds that must be between two readouts of a meter with this entry data."""
    return BATTERY_POLL_INTERVAL if data.get(CONF_BATTERY) else 1


def usual_poll_interval(data: Mapping[str, Any]) -> int:
    """Return the seconds between two readouts for which nobody has chosen any."""
    return max(DEFAULT_POLL_INTERVAL, shortest_poll_interval(data))


def poll_interval(entry: ConfigEntry) -> timedelta:
    """Return the time between two readouts of an entry's meter."""
    seconds = entry.options.get(CONF_POLL_INTERVAL, usual_poll_interval(entry.data))
    return timedelta(seconds=max(seconds, shortest_poll_interval(entry.data)))


def next_due(after: datetime, interval: timedelta) -> datetime:
    """Return when a meter that was read at a point in time (UTC) is due again.

    A long interval is counted from midnight, local time, where people look for round times; what
    it leaves of the day is shorter.
    """
    if interval < _ALIGNED:
        return after + interval
    today = dt_util.as_local(after).date()
    midnight, tomorrow = (
        dt_util.as_utc(dt_util.start_of_local_day(day))
        for day in (today, today + timedelta(days=1))
    )
    return min(midnight + ((after - midnight) // interval + 1) * interval, tomorrow)
