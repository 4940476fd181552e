"""When a polled meter is due."""

from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.util import dt as dt_util

from ..const import (
    BATTERY_POLL_INTERVAL,
    CONF_POLL_INTERVAL,
    DEFAULT_POLL_INTERVAL,
)
from ..settings import EntrySettings, from_entry

#: Intervals from this length on end at round times.
_ALIGNED = timedelta(minutes=15)
#: Intervals from this length on keep to the clock on the wall when that is changed.
_BY_THE_WALL_CLOCK = timedelta(hours=2)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
#: What an aligned readout is planned to be over ahead of time: so many seconds, and one part in so
#: many of what it takes.
_AHEAD = 5
_AHEAD_PART = 20


def shortest_poll_interval(settings: EntrySettings) -> int:
    """Return the seconds that must be between two readouts of a meter with these settings."""
    return BATTERY_POLL_INTERVAL if settings.on_battery else 1


def usual_poll_interval(settings: EntrySettings) -> int:
    """Return the seconds between two readouts for which nobody has chosen any."""
    return max(DEFAULT_POLL_INTERVAL, shortest_poll_interval(settings))


def poll_interval(entry: ConfigEntry) -> timedelta:
    """Return the time between two readouts of an entry's meter."""
    settings = from_entry(entry.data)
    seconds = entry.options.get(CONF_POLL_INTERVAL, usual_poll_interval(settings))
    return timedelta(seconds=max(seconds, shortest_poll_interval(settings)))


def next_due(
    after: datetime, interval: timedelta, duration: float = 0, expected: float = 0
) -> datetime:
    """Return when the next readout is to begin after one that began at a point in time (UTC).

    The last readout took so many seconds, and so many were expected. With a long interval the next
    one is over a little before a round time: what it tells belongs to the period that ends then,
    and the recorder's row of an hour does not hold what is published after it.
    """
    lead = _lead(duration)
    if interval < max(_ALIGNED, lead):
        return after + interval
    # A readout that took less than expected is not repeated for the same round time.
    return _next_round(after + max(2 * lead, _lead(expected)), interval) - lead


def _lead(duration: float) -> timedelta:
    """Return how long before a round time a readout begins that takes so many seconds."""
    return timedelta(seconds=duration + max(_AHEAD, duration / _AHEAD_PART))


def _next_round(after: datetime, interval: timedelta) -> datetime:
    """Return the next round time (UTC).

    Parts of an hour are those of the recorder's hours, which are UTC's. Other intervals count from
    local midnight, and what they leave of the day is shorter.
    """
    if not _HOUR % interval:
        seconds = interval.total_seconds()
        return dt_util.utc_from_timestamp((after.timestamp() // seconds + 1) * seconds)
    midnight = dt_util.start_of_local_day(dt_util.as_local(after))
    tomorrow = dt_util.as_utc(dt_util.start_of_local_day(midnight.date() + _DAY))
    if interval < _BY_THE_WALL_CLOCK:
        begin = dt_util.as_utc(midnight)
        return min(begin + ((after - begin) // interval + 1) * interval, tomorrow)
    walls = (midnight + number * interval for number in range(1, -(_DAY // -interval)))
    times = (dt_util.as_utc(wall) for wall in walls if _exists(wall))
    return next((time for time in times if time > after), tomorrow)


def _exists(wall: datetime) -> bool:
    """Tell whether a local time is none that is left out when daylight saving time begins."""
    return dt_util.as_local(dt_util.as_utc(wall)).time() == wall.time()
