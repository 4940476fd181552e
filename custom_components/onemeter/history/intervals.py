"""Load profiles by channel and in true time, whole capture periods only.

What meters make of a power cut, a clock that was set or a season's end is evened out here: the
parts of a period are joined, invalid rows are dropped, and duplicates of overlapping slices too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from ..meter import Interval, Key, Obis, Register
from ..meter.obis import ABSTRACT
from ..registers.lookup import is_number
from .samples import HOUR

#: Bits of a row's status, in VDEW's byte and in DLMS's AMR status alike. 08 is no event: some
#: meters set it all summer.
_POWER_FAILED: Final = 0x80
_POWER_BACK: Final = 0x40
#: Disturbed or not valid, and fatal or critical.
_INVALID: Final = 0x05
_BYTE: Final = 0xFF


class ChannelName(NamedTuple):
    """What a channel captures."""

    obis: Obis
    unit: str | None


@dataclass(frozen=True, slots=True)
class Period:
    """What a channel captured in one capture period."""

    #: True time (UTC).
    start: datetime
    end: datetime
    #: One value, or one for each part of a period in which there was a cut or the clock was set.
    values: tuple[Decimal, ...]
    #: How long each part lasted.
    lengths: tuple[timedelta, ...]
    #: Without power at the end, and at the start.
    power_failed: bool = False
    power_back: bool = False

    def bridges_from(self, before: Period) -> bool:
        """Return whether there was no power between an earlier period and this one."""
        return before.power_failed or self.power_back


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's periods in the order of time; where some are missing, they do not join."""

    name: ChannelName
    periods: tuple[Period, ...]

    @property
    def length(self) -> timedelta:
        """The capture period."""
        return min(period.end - period.start for period in self.periods)

    @property
    def is_fine(self) -> bool:
        """Whether values between two boundaries may be interpolated."""
        return self.length <= HOUR


def mbus_channel(key: Key | None) -> int:
    """Return the channel of the meter on the M-Bus that counts a total; otherwise 0."""
    return key.b if isinstance(key, Obis) and key.a == ABSTRACT else 0


def channels(intervals: Iterable[Interval]) -> Mapping[ChannelName, Channel]:
    """Return the channels of a load profile whose values are numbers.

    Intervals without time zone are left out, and so are rows that the meter itself marks as
    invalid.
    """
    found: dict[ChannelName, list[Period]] = {}
    for parts in _grouped(intervals):
        for place, register in enumerate(parts[0].values):
            name = _name(register)
            if name is None or any(_name(_at(part, place)) != name for part in parts):
                continue
            if (period := _period(parts, place)) is not None:
                found.setdefault(name, []).append(period)
    return {
        name: Channel(name, tuple(sorted(periods, key=attrgetter("end"))))
        for name, periods in found.items()
    }


def _grouped(intervals: Iterable[Interval]) -> Iterator[Sequence[Interval]]:
    """Yield the parts of each capture period of each profile, in the order of time."""

    def period(part: Interval) -> tuple[datetime, timedelta, int]:
        obis = part.values[0].obis if part.values else None
        return _ends(part), part.end - part.start, mbus_channel(obis)

    known = [interval for interval in intervals if interval.end_utc is not None]
    known.sort(key=period)
    for _, parts in groupby(known, key=period):
        # A row that came twice and differs is its last edition.
        latest = {part.end_utc: part for part in parts}
        yield tuple(latest.values())


def _ends(part: Interval) -> datetime:
    """Return when the period of a part ends (UTC)."""
    assert part.end_utc is not None  # noqa: S101  others are left out
    return part.end_utc + _missing(part)


def _missing(part: Interval) -> timedelta:
    """Return the time from the end of a part to the end of its period."""
    midnight = part.end.replace(hour=0, minute=0, second=0, microsecond=0)
    return -(part.end - midnight) % (part.end - part.start)


def _period(parts: Sequence[Interval], place: int) -> Period | None:
    values = [part.values[place].value for part in parts]
    status = [_status(part) for part in parts]
    if any(bits & _INVALID for bits in status):
        return None
    numbers = tuple(Decimal(value) for value in values if is_number(value))
    if len(numbers) < len(values):
        return None
    end = _ends(parts[0])
    start = end - (parts[0].end - parts[0].start)
    ends = [start, *(part.end_utc for part in parts if part.end_utc is not None)]
    return Period(
        start,
        end,
        numbers,
        tuple(later - earlier for earlier, later in pairwise(ends)),
        power_failed=bool(status[-1] & _POWER_FAILED),
        power_back=bool(status[0] & _POWER_BACK),
    )


def _status(part: Interval) -> int:
    try:
        return int(part.status or "0", 16) & _BYTE
    except ValueError:
        return 0


def _at(part: Interval, place: int) -> Register | None:
    return part.values[place] if place < len(part.values) else None


def _name(register: Register | None) -> ChannelName | None:
    if register is None or register.obis is None:
        return None
    return ChannelName(register.obis, register.unit)
