"""The periods by which energy is billed: they begin at round times of the local clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: A total accepted at most this long before or after a boundary is that of the boundary.
TOLERANCE: Final = timedelta(seconds=10)
#: A telegram whose time is a boundary may arrive this long after it.
_DELAY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Periods:
    """Periods of a length that divides an hour, by the clock of a time zone.

    All points in time are in UTC. A period is shorter or longer than the others only where daylight
    saving time shifts the clock by less than a period.
    """

    length: timedelta
    zone: tzinfo

    def begin(self, at: datetime) -> datetime:
        """Return when the period began that contains a point in time."""
        begin = at - self._since_round(at, self._offset(at))
        if (before := self._offset(begin)) != self._offset(at):
            # The clock was set since then, and that is a round time at least by the earlier offset.
            begin = max(begin, at - self._since_round(at, before))
        return begin

    def end(self, at: datetime) -> datetime:
        """Return when the period ends that contains a point in time."""
        return at + self.length - self._since_round(at, self._offset(at))

    def time_of(self, now: datetime, clock: datetime | None) -> datetime:
        """Return of which time a total is that has just arrived.

        That is the last boundary if the telegram names exactly this one as the time of its totals:
        some meters take them at the full hour and send them some seconds later.
        """
        begin = self.begin(now)
        is_named = clock is not None and now - begin <= _DELAY and self._shows(clock, begin)
        return begin if is_named else now

    def _shows(self, clock: datetime, at: datetime) -> bool:
        """Return whether a meter's clock shows a point in time, with or without summer time."""
        if clock.tzinfo is not None:
            return clock == at
        local = at.astimezone(self.zone)
        times = local, local - (local.dst() or timedelta())
        return clock in {time.replace(tzinfo=None) for time in times}

    def day(self, at: datetime) -> date:
        """Return the local date of a point in time."""
        return at.astimezone(self.zone).date()

    def hour(self, at: datetime) -> int:
        """Return the hour of the local clock."""
        return at.astimezone(self.zone).hour

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self.zone).utcoffset() or timedelta()

    def _since_round(self, at: datetime, offset: timedelta) -> timedelta:
        """Return the time since the last round time of a clock with an offset to UTC."""
        return (at - _EPOCH + offset) % self.length


def is_at(boundary: datetime, at: datetime) -> bool:
    """Return whether a total accepted at a point in time is that of a boundary."""
    return abs(at - boundary) <= TOLERANCE
