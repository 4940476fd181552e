"""When the next readout of a polled meter is due."""

from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.util import dt as dt_util

from ..billing.periods import TOLERANCE, Periods
from ..const import (
    BATTERY_POLL_INTERVAL,
    CONF_POLL_INTERVAL,
    DEFAULT_POLL_INTERVAL,
)
from ..settings import EntrySettings, from_entry

#: Intervals from this length on end at round times.
_ALIGNED = timedelta(minutes=15)
#: Intervals from this length on follow local time when daylight saving time begins or ends.
_BY_LOCAL_TIME = timedelta(hours=2)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
#: An aligned readout ends this many seconds before the round time, or its duration divided by the
#: second number if that is longer.
_AHEAD = 5
_AHEAD_PART = 20


def shortest_poll_interval(settings: EntrySettings) -> int:
    """Return the shortest poll interval in seconds for a meter with these settings."""
    return BATTERY_POLL_INTERVAL if settings.on_battery else 1


def usual_poll_interval(settings: EntrySettings) -> int:
    """Return the default poll interval in seconds for a meter with these settings."""
    return max(DEFAULT_POLL_INTERVAL, shortest_poll_interval(settings))


def poll_interval(entry: ConfigEntry) -> timedelta:
    """Return the poll interval of an entry."""
    settings = from_entry(entry.data)
    seconds = entry.options.get(CONF_POLL_INTERVAL, usual_poll_interval(settings))
    return timedelta(seconds=max(seconds, shortest_poll_interval(settings)))


def next_due(
    after: datetime, interval: timedelta, duration: float = 0, expected: float = 0
) -> datetime:
    """Return when the next readout begins, after one that began at a point in time (UTC).

    duration is how many seconds the last readout took, expected how many it was estimated to take.
    With a long interval, readouts end shortly before a round time: their values belong to the
    period that ends then, and the recorder's row of an hour does not contain later states.
    """
    lead = _lead(duration)
    if interval < max(_ALIGNED, lead):
        return after + interval
    # A readout that took less time than expected must not be repeated for the same round time.
    return _next_round(after + max(2 * lead, _lead(expected)), interval) - lead


def next_due_at_boundaries(
    due: datetime, after: datetime, periods: Periods, duration: float
) -> datetime:
    """Return when the next readout begins, if one must end just before each period ends, too.

    Takes when it would begin otherwise. A readout that would still run at that time is put off
    until then.
    """
    length = timedelta(seconds=duration)
    # The last readout counts for a boundary if it ended near enough before.
    boundary = periods.end(after + length + TOLERANCE)
    at_boundary = boundary - _lead(duration)
    return due if due + length < at_boundary else at_boundary


def _lead(duration: float) -> timedelta:
    """Return how long before the round time a readout of a duration in seconds begins."""
    return timedelta(seconds=duration + max(_AHEAD, duration / _AHEAD_PART))


def _next_round(after: datetime, interval: timedelta) -> datetime:
    """Return the next round time (UTC).

    Fractions of an hour are counted in UTC, as the recorder's hours are. Other intervals count from
    local midnight; the last one of the day may be shorter.
    """
    if not _HOUR % interval:
        seconds = interval.total_seconds()
        return dt_util.utc_from_timestamp((after.timestamp() // seconds + 1) * seconds)
    midnight = dt_util.start_of_local_day(dt_util.as_local(after))
    tomorrow = dt_util.as_utc(dt_util.start_of_local_day(midnight.date() + _DAY))
    if interval < _BY_LOCAL_TIME:
        begin = dt_util.as_utc(midnight)
        return min(begin + ((after - begin) // interval + 1) * interval, tomorrow)
    local_times = (midnight + number * interval for number in range(1, -(_DAY // -interval)))
    times = (dt_util.as_utc(local) for local in local_times if _exists(local))
    return next((time for time in times if time > after), tomorrow)


def _exists(local: datetime) -> bool:
    """Return whether a local time exists: one hour does not when daylight saving time begins."""
    return dt_util.as_local(dt_util.as_utc(local)).time() == local.time()
