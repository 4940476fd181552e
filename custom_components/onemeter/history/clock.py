"""By how much the meter's clock is ahead of Home Assistant's."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple, Self

from homeassistant.util import dt as dt_util

from ..coordinator.meter_data import MeterData
from ..meter import Interval
from .samples import HOUR

#: Full hours are those of another time that the meter counts in, give or take this.
_NEAR = timedelta(minutes=10)
#: What passes for the same time: a readout takes a while.
_SAME = timedelta(seconds=30)


class ClockOffset(NamedTuple):
    """What a meter's clock is ahead, as far as it is known."""

    #: Full hours: it counts in another time than the one of Home Assistant's zone.
    hours: timedelta = timedelta()
    rest: timedelta = timedelta()

    @classmethod
    def of(cls, data: MeterData, duration: float | None) -> Self:
        """Return the offset of a meter that was read; ``duration`` is that of a readout (s)."""
        if (clock := data.clock) is None:
            return cls()
        zone = dt_util.get_default_time_zone()
        ahead = (clock if clock.tzinfo else clock.replace(tzinfo=zone)) - data.received
        hours = round(ahead / HOUR) * HOUR
        if abs(ahead - hours) > _NEAR:
            hours = timedelta()
        rest = ahead - hours
        if abs(rest) <= max(_SAME, timedelta(seconds=duration or 0)):
            rest = timedelta()
        return cls(hours, rest)

    @property
    def shown(self) -> timedelta:
        """What is added to the local time to get what the clock shows."""
        return self.hours + self.rest

    def of_rows(self, intervals: Iterable[Interval]) -> timedelta:
        """Return by how much the times of a profile's rows are ahead.

        If they contain the season, their full hours are right.
        """
        has_season = any(interval.season is not None for interval in intervals)
        return self.rest if has_season else self.shown
