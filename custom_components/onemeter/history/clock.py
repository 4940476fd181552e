"""By how much the meter's clock is ahead of Home Assistant's, and when its rows really ended."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from operator import attrgetter
from typing import Final, NamedTuple, Self

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..coordinator.meter_data import MeterData
from ..meter import Interval
from ..meter.clock import standard_offset
from .samples import HOUR

#: Full hours are those of another time that the meter counts in, give or take this.
_NEAR: Final = timedelta(minutes=10)
#: What passes for the same time: a readout takes a while.
_SAME: Final = timedelta(seconds=30)
#: Some zones differ from others by quarters of an hour; so does hardly any clock that is wrong.
_QUARTER: Final = timedelta(minutes=15)
_LONGEST_SAME: Final = timedelta(minutes=3)
#: How long after its capture period a row may still be missing.
_LATE: Final = timedelta(minutes=5)
_SUMMER: Final = "summer"
_SEASONS: Final = frozenset({"winter", _SUMMER})


class UnknownTimeError(HomeAssistantError):
    """It is unknown in which time the rows of a load profile are."""

    def __init__(self) -> None:
        """Take the text of the translations."""
        super().__init__(translation_domain=DOMAIN, translation_key="profile_time_unknown")


class ClockOffset(NamedTuple):
    """What a meter's clock is ahead, as far as it is known."""

    #: Full hours, or quarters of one: it counts in another time than that of Home Assistant's zone.
    zone: timedelta = timedelta()
    rest: timedelta = timedelta()
    #: What the clock has shown, if it does not name its zone, and when (UTC).
    local: datetime | None = None
    received: datetime | None = None
    #: What the zone that the clock names is ahead of Home Assistant's.
    named: timedelta = timedelta()

    @classmethod
    def of(cls, data: MeterData, duration: float | None) -> Self:
        """Return the offset of a meter that was read; ``duration`` is that of a readout (s)."""
        if (clock := data.clock) is None:
            return cls(received=data.received)
        local = clock if clock.tzinfo is None else None
        zone_here = dt_util.get_default_time_zone()
        # The hour that comes twice is the one that is nearer.
        times = (
            (clock,) if local is None else (clock.replace(tzinfo=zone_here, fold=f) for f in (0, 1))
        )
        ahead = min((time.astimezone(UTC) - data.received for time in times), key=abs)
        same = max(_SAME, timedelta(seconds=duration or 0))
        zone = _rounded(ahead, HOUR, _NEAR) or _rounded(ahead, _QUARTER, min(same, _LONGEST_SAME))
        rest = ahead - zone
        if abs(rest) <= same:
            rest = timedelta()
        named = timedelta()
        if (own := clock.utcoffset()) is not None:
            named = own - (data.received.astimezone(zone_here).utcoffset() or timedelta())
        return cls(zone, rest, local, data.received, named)

    @property
    def shown(self) -> timedelta:
        """What is added to the local time to get what the clock shows."""
        return self.zone + self.rest

    def needs_newest(self, intervals: Sequence[Interval], now: datetime) -> bool:
        """Return whether the meter's newest row would show in which time all of them are."""
        return (
            self.local is not None
            and any(map(_is_placed_by_season, intervals))
            and self._of_seasons(intervals, now) is None
        )

    def placed(
        self, intervals: Sequence[Interval], now: datetime, newest: Iterable[Interval] = ()
    ) -> list[Interval] | None:
        """Return rows with the true times of their ends; None if these are unknown.

        Takes the rows as they were decoded with Home Assistant's zone; ``newest`` are the newest
        rows of the meter if these are older. Rows that name their time in UTC need no zone. Rows
        that only name the season are in the standard time of the clock, which is what it shows
        without the hour of the present season; the newest row has that season.
        """
        seasons = {interval.season for interval in intervals}
        offset: timedelta | None
        if self.named and any(map(_is_placed_here, intervals)):
            # The clock names another zone than that in which these rows were taken to be.
            return None
        if any(map(_is_placed_by_season, intervals)):
            offset = self._of_seasons([*intervals, *newest], now)
        elif seasons == {None} and self._keeps_standard_time(now):
            intervals, offset = self._in_standard_time(intervals), self.rest
        elif "utc" in seasons or (None not in seasons and self.local is not None):
            offset = self.rest
        else:
            offset = self._without_zone(intervals, now)
        if offset is None:
            return None
        if offset:
            intervals = [
                replace(interval, end_utc=interval.end_utc - offset)
                if interval.end_utc
                else interval
                for interval in intervals
            ]
        ends = [interval.end_utc for interval in intervals if interval.end_utc is not None]
        if ends and max(ends) > now + _NEAR:
            # No row is captured before its period has ended.
            return None
        return list(intervals)

    def _of_seasons(self, intervals: Sequence[Interval], now: datetime) -> timedelta | None:
        """Return by how much rows are ahead whose season is known; None if that is unknown."""
        zone = dt_util.get_default_time_zone()
        has_summer = any(_summer_time(zone, at) for at in _both_seasons(now))
        if self.local is None:
            has_other = not has_summer and any(
                row.season == _SUMMER and _is_placed_by_season(row) for row in intervals
            )
            return None if has_other else self._without_zone(intervals, now)
        if (season := self._season(intervals, now)) is None:
            # A clock that shows the local time is in the same zone.
            return self.rest if has_summer and not self.zone else None
        in_summer = HOUR if season == _SUMMER else timedelta()
        return self.shown + _summer_time(zone, now) - in_summer

    def _season(self, intervals: Iterable[Interval], now: datetime) -> str | None:
        """Return the present season of the meter's clock; None if nothing shows it."""
        local, received = self.local, self.received
        if local is None or received is None:
            return None
        if local.fold:
            return "winter"
        rows = [row for row in intervals if _is_placed_by_season(row)]
        if not rows:
            return None
        newest = max(rows, key=attrgetter("end_utc"))
        period = newest.end - newest.start
        age = local + (now - received) - newest.end
        late = _LATE if period < HOUR else timedelta()
        # A clock that was changed in between has jumped by an hour.
        return newest.season if period <= HOUR and -late <= age < period + late else None

    def _keeps_standard_time(self, now: datetime) -> bool:
        """Return whether the clock shows standard time while there is daylight saving time."""
        in_summer = _summer_time(dt_util.get_default_time_zone(), now)
        return self.local is not None and bool(in_summer) and self.zone == -in_summer

    def _in_standard_time(self, intervals: Iterable[Interval]) -> list[Interval]:
        zone = dt_util.get_default_time_zone()
        return [
            replace(
                interval,
                end_utc=(interval.end - standard_offset(zone, interval.end.year)).replace(
                    tzinfo=UTC
                ),
            )
            for interval in intervals
        ]

    def _without_zone(self, intervals: Iterable[Interval], now: datetime) -> timedelta | None:
        """Return by how much rows are ahead that are as wrong as the clock; None if unknown.

        Another zone may have daylight saving time at other times, or none at all.
        """
        if not self.zone:
            return self.rest
        zone = dt_util.get_default_time_zone()
        present = now.astimezone(zone).utcoffset()
        ends = (interval.end_utc for interval in intervals if interval.end_utc is not None)
        is_same = all(end.astimezone(zone).utcoffset() == present for end in ends)
        return self.shown if is_same else None


def _rounded(ahead: timedelta, step: timedelta, near: timedelta) -> timedelta:
    """Return a difference in whole steps; zero if it is none."""
    rounded = round(ahead / step) * step
    return rounded if abs(ahead - rounded) <= near else timedelta()


def _is_placed_by_season(row: Interval) -> bool:
    """Return whether a row's time in UTC follows from its season and Home Assistant's zone.

    Rows of DLMS may name their deviation from UTC.
    """
    if row.season not in _SEASONS or row.end_utc is None:
        return False
    offset = standard_offset(dt_util.get_default_time_zone(), row.end.year)
    in_summer = HOUR if row.season == _SUMMER else timedelta()
    return row.end - offset - in_summer == row.end_utc.replace(tzinfo=None)


def _is_placed_here(row: Interval) -> bool:
    """Return whether a row's time in UTC may follow from Home Assistant's zone."""
    if row.end_utc is None or row.season == "utc":
        return False
    zone = dt_util.get_default_time_zone()
    times = (row.end.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return row.end_utc in times or _is_placed_by_season(row)


def _summer_time(zone: tzinfo, at: datetime) -> timedelta:
    """Return by how much a zone's time is ahead of its standard time."""
    local = at.astimezone(zone)
    return (local.utcoffset() or timedelta()) - standard_offset(zone, local.year)


def _both_seasons(at: datetime) -> tuple[datetime, datetime]:
    return at.replace(month=1, day=1), at.replace(month=7, day=1)
