"""A load profile is read in slices, newest first, so that live values go on in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..coordinator.polled import PolledCoordinator
from ..meter import Interval, LoadProfiles
from ..meter.errors import RefusedError
from .clock import ClockOffset, UnknownTimeError
from .samples import HOUR

#: Seconds of line time that a slice is to take, and takes at the most.
_TARGET: Final = 12.0
#: The first slice, of a meter whose speed is not known yet, and the longest one.
_FIRST: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(days=30)
#: A slice is at most this many times as long as the one before.
_GROWTH: Final = 6.0
#: After this number of refused slices, the meter counts as one without a profile.
_REFUSALS: Final = 3
#: What a clock of the same zone is off at most, and what is read on both sides of a slice where the
#: meter counts in another zone.
_SAME_ZONE: Final = timedelta(minutes=10)
_OTHER_ZONE: Final = timedelta(hours=2)
#: The longest time that is read on both sides of a part without rows.
_AROUND: Final = timedelta(days=1)
#: How often the parts without rows are asked for again until they count as empty.
_ATTEMPTS: Final = 4
#: Seconds in which others may take the port between two slices.
_PAUSE: Final = 0.5


class IncompleteProfileError(HomeAssistantError):
    """The meter does not give a part of its load profile."""

    def __init__(self) -> None:
        """Take the text of the translations."""
        super().__init__(translation_domain=DOMAIN, translation_key="profile_incomplete")


type ReadSlice = Callable[[datetime, datetime], Awaitable[LoadProfiles]]


@dataclass
class ProfileSpan:
    """What was read of a load profile: from the newest back, as far as it has come."""

    start: datetime
    end: datetime
    intervals: list[Interval] = field(default_factory=list)
    #: How far back it is read; the end at first.
    read_from: datetime | None = None
    #: Home Assistant's zone, with which the rows were decoded.
    zone: str = ""
    #: Parts in which the meter gave no row: it has none there, or has refused to give them.
    doubtful: list[tuple[datetime, datetime]] = field(default_factory=list)
    #: How often the doubtful parts were asked for in vain.
    attempts: int = 0
    #: Channels of the M-Bus whose profiles the meter has not returned, by start and end of the part
    #: that was read.
    missing: dict[tuple[datetime, datetime], frozenset[int]] = field(default_factory=dict)
    #: How long the next slice is, by the speed of those before.
    length: timedelta = _FIRST

    @property
    def is_complete(self) -> bool:
        """Whether all of it was read."""
        return self.read_from is not None and self.read_from <= self.start

    @property
    def share(self) -> float:
        """How much of it was read, from 0 to 1."""
        return (self.end - (self.read_from or self.end)) / max(self.end - self.start, HOUR)

    async def async_extend(
        self, end: datetime, read: ReadSlice, on_progress: Callable[[], object]
    ) -> None:
        """Read what is newer than its end, up to a later one."""
        newer = ProfileSpan(self.end, end)
        await newer.async_read(read, on_progress)
        self.intervals += newer.intervals
        self.doubtful += newer.doubtful
        self.missing |= newer.missing
        self.read_from = self.read_from or self.end
        self.end = end

    async def async_read(
        self, read: ReadSlice, on_progress: Callable[[], object] = lambda: None
    ) -> None:
        """Read what is missing, a slice at a time. What was read stays when reading raises."""
        refused = 0
        loop = asyncio.get_running_loop()
        while not self.is_complete:
            end = self.read_from or self.end
            start = max(self.start, end - self.length)
            began = loop.time()
            found = LoadProfiles(())
            try:
                found = await self._async_read_part(start, end, read)
            except RefusedError:
                # The answer of meters without rows of that time, or without a profile.
                refused += 1
                if refused == _REFUSALS and not self.intervals:
                    self.read_from = None
                    self.doubtful.clear()
                    raise
            took = loop.time() - began
            if not found.intervals:
                self._doubt(start, end)
            self.read_from = start
            if not (found.intervals or found.mbus) and self.intervals and self.length == _LONGEST:
                # It does not go back any further.
                self.read_from = self.start
            on_progress()
            faster = min(_GROWTH, _TARGET / max(took, 0.1))
            self.length = min(max(self.length * faster, HOUR), _LONGEST)
            if not self.is_complete:
                await asyncio.sleep(_PAUSE)

    async def async_check_doubtful(self, read: ReadSlice) -> None:
        """Read the doubtful parts again, each together with the time around it.

        A part is empty if the meter returns rows around it, but none in it. If it returns none at
        all, IncompleteProfileError is raised; after a number of attempts the part counts as empty.
        """
        around = max(min(self.length / 2, _AROUND), HOUR)
        for start, end in list(self.doubtful):
            # What is older than the whole is not wanted.
            older = start - around if start > self.start else start
            is_refused = False
            found = LoadProfiles(())
            try:
                found = await self._async_read_part(older, end + around, read)
            except RefusedError:
                is_refused = True
            # A meter that answers twice, without any row of any time, has none.
            if not found.intervals and (is_refused or self.intervals):
                self.attempts += 1
                if self.attempts < _ATTEMPTS:
                    raise IncompleteProfileError
            self.doubtful.remove((start, end))

    async def async_read_missing(
        self, channels: AbstractSet[int], read: ReadSlice, on_progress: Callable[[], object]
    ) -> None:
        """Read the parts again in which profiles of these channels of the M-Bus are missing.

        It ends at the first part that has none of them again.
        """
        for (start, end), before in list(self.missing.items()):
            if not (wanted := before & channels):
                continue
            try:
                await self._async_read_part(start, end, read)
            except RefusedError:
                return
            on_progress()
            if wanted <= self.missing.get((start, end), frozenset()):
                return
            await asyncio.sleep(_PAUSE)

    async def _async_read_part(
        self, start: datetime, end: datetime, read: ReadSlice
    ) -> LoadProfiles:
        found = await read(start, end)
        self.intervals += (*found.intervals, *found.mbus)
        self.missing.pop((start, end), None)
        if found.missing:
            self.missing[start, end] = found.missing
        return found

    def _doubt(self, start: datetime, end: datetime) -> None:
        if self.doubtful and self.doubtful[-1][0] == end:
            end = self.doubtful.pop()[1]
        self.doubtful.append((start, end))


async def async_read_slice(
    coordinator: PolledCoordinator, clock: ClockOffset, start: datetime, end: datetime
) -> LoadProfiles:
    """Read the part of the load profiles between two points in time. Raises MeterError."""
    zone = dt_util.get_default_time_zone()
    if clock.named or abs(clock.shown) > _SAME_ZONE:
        # Another zone may have had another summer time, or none, then.
        start, end = start - _OTHER_ZONE, end + _OTHER_ZONE
    first, last = asked_for(start, end, clock.shown + clock.named, zone)
    return await coordinator.async_read_profiles(first, last, zone)


async def async_read_newest(read: ReadSlice, now: datetime) -> Sequence[Interval]:
    """Read the rows of the last hour; none where the meter refuses. Raises MeterError."""
    try:
        return (await read(now - HOUR, now)).intervals
    except RefusedError:
        return ()


async def async_placed(
    span: ProfileSpan, clock: ClockOffset, read: ReadSlice
) -> Sequence[Interval]:
    """Return the rows that were read with their true times.

    Raises UnknownTimeError, and MeterError where the newest row is to show what these are.
    """
    now = dt_util.utcnow()
    newest: Sequence[Interval] = ()
    if await asyncio.to_thread(clock.needs_newest, span.intervals, now):
        newest = await async_read_newest(read, now)
    placed = await asyncio.to_thread(clock.placed, span.intervals, now, newest)
    if placed is None:
        raise UnknownTimeError
    return placed


def as_meter_counts(time: datetime, offset: timedelta, zone: tzinfo) -> datetime:
    """Return a point in time as the meter's clock shows it, without time zone."""
    return (time + offset).astimezone(zone).replace(tzinfo=None)


def asked_for(
    start: datetime, end: datetime, offset: timedelta, zone: tzinfo
) -> tuple[datetime, datetime]:
    """Return a span as the meter counts; wider where it changes its clock: an hour comes twice."""
    offsets = {(time + offset).astimezone(zone).utcoffset() for time in (start - HOUR, end + HOUR)}
    if len(offsets) > 1:
        start, end = start - HOUR, end + HOUR
    return as_meter_counts(start, offset, zone), as_meter_counts(end, offset, zone)
