"""Whether the meter's clock is right, and a repair if it is not."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..totals import Moment
from .meter_data import MeterData

HOUR: Final = timedelta(hours=1)
#: The largest difference between time zones, in hours.
MOST_HOURS: Final = 14

#: The largest error of a clock that is tolerated.
_TOLERATED: Final = timedelta(minutes=5)
#: A clock is wrong once this many consecutive readings, over at least this time, say so. The clock
#: of Home Assistant may be wrong for a while after its start.
_READINGS: Final = 3
_LASTING: Final = timedelta(minutes=10)
_DAY: Final = timedelta(days=1)


def without_full_hours(difference: timedelta) -> timedelta:
    """Return the difference of two clocks without the full hours between their time zones."""
    hours = round(difference / HOUR)
    return difference - hours * HOUR if abs(hours) <= MOST_HOURS else difference


def clock_error(data: MeterData) -> timedelta | None:
    """Return by how much the meter's clock is ahead; None if the meter does not send it.

    Many meters have no daylight saving time, and some send a wrong time zone. Full hours are
    therefore no error of the clock.
    """
    if (clock := data.clock) is None:
        return None
    if clock.tzinfo is None:
        clock = clock.replace(tzinfo=dt_util.get_default_time_zone())
    return without_full_hours(clock - data.received)


class ClockWatch:
    """Raises a repair for a clock that is wrong for long, and ends it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin without any reading."""
        self._hass = hass
        self._entry = entry
        self._since: Moment | None = None
        self._readings = 0
        #: What the repair shows; empty without one, None if that is not known.
        self._shown: tuple[str, str] | tuple[()] | None = None

    @callback
    def async_take(self, data: MeterData, duration: float) -> None:
        """Take the data of a reading, which took ``duration`` seconds."""
        if (error := clock_error(data)) is None:
            return
        if abs(error) <= _TOLERATED + timedelta(seconds=duration):
            self._since = None
            self._readings = 0
            if self._shown != ():
                self._shown = ()
                async_clear_issue(self._hass, self._entry, Issue.CLOCK_OFF)
            return
        if self._since is None:
            self._since = data.moment
        self._readings += 1
        if self._readings < _READINGS or self._since.at_least_until(data.moment) < _LASTING:
            return
        shown = "ahead" if error > timedelta() else "behind", _rounded(abs(error))
        if shown != self._shown:
            self._shown = shown
            text, off = shown
            async_raise_issue(self._hass, self._entry, Issue.CLOCK_OFF, {"off": off}, text=text)


def _rounded(error: timedelta) -> str:
    """Return an error in the unit that suits it."""
    if error < 2 * HOUR:
        return f"{error // timedelta(minutes=1)} min"
    return f"{error // HOUR} h" if error < 2 * _DAY else f"{error // _DAY} d"
