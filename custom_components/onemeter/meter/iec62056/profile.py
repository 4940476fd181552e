"""Load profiles P.01, P.02 and event logs P.98 (VDEW-Lastenheft 2.1.2, 10.4 and 10.5).

A header contains a time stamp, a status, the capture period and the channels; the rows after it
have one value per channel. The time stamp is the end of the first row's interval; each further row
ends one period later. Another header follows where the series is interrupted, the status changes
or the clock is set.

Turkish meters send a time stamp in each row, and no header: their channels have neither codes nor
units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
import re
from typing import Final

from ..clock import standard_offset
from ..errors import ChecksumError, TelegramError
from ..parity import without_parity
from ..reading import Event, Interval, Register
from .block import BlockCheck
from .codes import ADDRESS_MAX, DESCRIPTIVE, parse_address
from .data_sets import parse_data_sets
from .programming import FrameKind, FrameReader
from .times import SEASONS, parse_digits, parse_time
from .values import split_value, unit_of

_OBJECT: Final = re.compile(r"(?:\d-\d:)?(P\.\d{2})(?:\*\d+)?", re.ASCII)
_TIME_STAMP: Final = re.compile(r"([012]?)(\d{10}|\d{12})", re.ASCII)
#: The time stamp of a row without header.
_DATED: Final = re.compile(r"\d\d-\d\d-\d\d,\d\d:\d\d", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,3}", re.ASCII)
#: The capture period in minutes; empty or 0 in event logs.
_PERIOD: Final = re.compile(r"\d{0,4}", re.ASCII)
_PERIOD_MAX: Final = 24 * 60
_SUMMER: Final = timedelta(hours=1)
_STX: Final = b"\x02"


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a profile's rows, or of an event's values."""

    #: "P.01", "P.98", ...
    object: str
    #: Naive time of the meter's clock.
    time: datetime
    season: str | None
    status: str
    #: None in event logs.
    capture_period: timedelta | None
    #: Each channel's register without a value.
    channels: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A load profile or event log."""

    #: The first header.
    header: Header
    intervals: tuple[Interval, ...] = ()
    events: tuple[Event, ...] = ()


def decode_profile(text: str, zone: tzinfo | None = None) -> Profile:
    """Decode the data sets in the answer to R5 or R6; an incomplete last row is left out.

    ``zone`` is that of the meter's clock; without it, end_utc of the intervals is None. Raises
    TelegramError without a header, and for an impossible time stamp or number in one.
    """
    if (dated := _dated_rows(text, zone)) is not None:
        return dated
    sections = list(_sections(text))
    if not sections:
        raise TelegramError("no load profile in the answer")
    first = sections[0][0]
    intervals: list[Interval] = []
    events: list[Event] = []
    for place, (header, values) in enumerate(sections, 1):
        if header.object != first.object:
            raise TelegramError(f"{header.object} in the middle of {first.object}")
        width = len(header.channels)
        rows = [
            tuple(map(_valued, header.channels, values[begin : begin + width], strict=True))
            for begin in range(0, len(values) - width + 1, width or 1)
            if width
        ]
        if header.capture_period is None:
            entries = rows[0] if rows else ()
            events.append(Event(header.time, header.season, header.status, entries))
        else:
            end_utc = None
            if zone is not None:
                before = intervals[-1] if intervals else None
                after = sections[place][0] if place < len(sections) else None
                last_end = header.time + header.capture_period * max(len(rows) - 1, 0)
                end_utc = _end_utc(header, last_end, zone, before, after)
            intervals += _intervals(header, header.capture_period, rows, end_utc)
    return Profile(first, tuple(intervals), tuple(events))


def _dated_rows(text: str, zone: tzinfo | None) -> Profile | None:
    """Return a profile whose rows begin with their time stamps; None if this is none.

    The capture period is the shortest time between two rows, so that it takes two of them.
    """
    rows: list[tuple[datetime, list[Register]]] = []
    for _, _, text_of_value in parse_data_sets(text):
        value = text_of_value.strip()
        if _DATED.fullmatch(value):
            if (time := parse_time(value)) is None:
                raise TelegramError("impossible time stamp in a row of a profile")
            rows.append((time, []))
        elif not rows:
            return None
        else:
            number, unit = split_value(value)
            sent = Decimal(number) if number else value or None
            rows[-1][1].append(Register(None, sent, unit))
    steps = [later - earlier for (earlier, _), (later, _) in pairwise(rows) if later > earlier]
    if not steps:
        return None
    period = min(steps)
    if period > timedelta(minutes=_PERIOD_MAX):
        raise TelegramError("a capture period of more than a day")
    intervals: list[Interval] = []
    for time, values in rows:
        before = intervals[-1].end_utc if intervals else None
        end_utc = None if zone is None else _next_in_utc(time, zone, before)
        intervals.append(Interval(time - period, time, None, end_utc, "", tuple(values)))
    channels = tuple(replace(register, value=None) for register in rows[0][1])
    return Profile(Header("P.01", rows[0][0], None, "", period, channels), tuple(intervals))


def _next_in_utc(time: datetime, zone: tzinfo, before: datetime | None) -> datetime:
    """Return a local time in UTC; in the hour that comes twice, the one after ``before``."""
    first, second = (time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return second if before is not None and first <= before else first


def _sections(text: str) -> Iterator[tuple[Header, Sequence[str]]]:
    """Yield each header with the values that follow it."""
    name = ""
    groups: list[str] = []
    for address, group, value in parse_data_sets(text):
        match = _OBJECT.fullmatch(address)
        if group == 0:
            if name and (section := _section(name, groups)):
                yield section
            name, groups = match[1] if match else "", []
        groups.append(value.strip())
    if name and (section := _section(name, groups)):
        yield section


def _section(name: str, groups: list[str]) -> tuple[Header, Sequence[str]] | None:
    """Split a header from the values after it; None if the header is cut off."""
    if len(groups) < 4:
        return None
    stamp, status, period, count_text = groups[:4]
    if not _COUNT.fullmatch(count_text) or not _PERIOD.fullmatch(period):
        raise TelegramError(f"{name}: period and number of channels are no numbers")
    minutes, count = int(period or 0), int(count_text)
    if minutes > _PERIOD_MAX:
        raise TelegramError(f"{name}: a capture period of more than a day")
    if len(groups) < 4 + 2 * count:
        return None
    if max(map(len, groups[: 4 + 2 * count])) > ADDRESS_MAX:
        raise TelegramError(f"{name}: a code or unit longer than any")
    channels = [
        Register(parse_address(code), None, unit_of(unit), address=code)
        for code, unit in zip(
            groups[4 : 4 + 2 * count : 2], groups[5 : 5 + 2 * count : 2], strict=True
        )
    ]
    time, season = _time_stamp(name, stamp)
    header = Header(
        name, time, season, status, timedelta(minutes=minutes) if minutes else None, tuple(channels)
    )
    return header, groups[4 + 2 * count :]


def _time_stamp(name: str, stamp: str) -> tuple[datetime, str | None]:
    match = _TIME_STAMP.fullmatch(stamp)
    time = match and parse_digits(match[2], None)
    if match is None or time is None:
        raise TelegramError(f"{name}: impossible time stamp")
    return time, SEASONS.get(match[1])


def _valued(channel: Register, value: str) -> Register:
    """Return a channel with its value: text if it is no number, None if it is empty."""
    number, unit = split_value(value)
    is_text = channel.obis is not None and channel.obis.c in DESCRIPTIVE
    if number and not (is_text and channel.unit is None and unit is None):
        return replace(channel, value=Decimal(number))
    return replace(channel, value=value or None)


def _intervals(
    header: Header,
    period: timedelta,
    rows: Sequence[tuple[Register, ...]],
    end_utc: datetime | None,
) -> Iterator[Interval]:
    end = header.time
    for values in rows:
        yield Interval(end - period, end, header.season, end_utc, header.status, values)
        end += period
        if end_utc is not None:
            end_utc += period


def _end_utc(
    header: Header, last_end: datetime, zone: tzinfo, before: Interval | None, after: Header | None
) -> datetime:
    """Return the end of a header's first interval in UTC.

    ``last_end`` is the end of its last interval, in the time of the meter's clock; ``before`` and
    ``after`` are the interval before the header and the next header. When the clock changes to
    summer or winter time, the time of a header jumps although no interval is missing: a header
    that fits as the next interval is the next one. The last interval before the change still ends
    in the old time, which does not exist in the zone any more.
    """
    time = header.time
    if header.season is not None:
        standard = timedelta() if header.season == "utc" else standard_offset(zone, time.year)
        return _in_utc(time, standard + (_SUMMER if header.season == "summer" else timedelta()))
    earliest = None
    if before is not None and before.end_utc is not None:
        earliest = before.end_utc
        period = before.end - before.start
        if time in {before.end + period, _shown(earliest + period, zone)}:
            return earliest + period
    # In autumn an hour occurs twice, and its end may also be sent in the old time.
    old = (time - timedelta.resolution).replace(tzinfo=zone).utcoffset() or timedelta()
    new = time.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    if old <= new:
        return time.replace(tzinfo=zone).astimezone(UTC)
    first, second = _in_utc(time, old), _in_utc(time, new)
    if earliest is not None and first <= earliest:
        return second
    if after is not None and after.time <= last_end:
        return first
    # Without another header, the clock does not change before the last interval.
    return first if _shown(first + (last_end - time), zone) == last_end else second


def _in_utc(time: datetime, offset: timedelta) -> datetime:
    return (time - offset).replace(tzinfo=UTC)


def _shown(time: datetime, zone: tzinfo) -> datetime:
    """Return the naive local time of a zone."""
    return time.astimezone(zone).replace(tzinfo=None)


def profile_text(data: bytes) -> str:
    """Return the data sets in the answer to R5 or R6, which is one frame or several.

    Data without STX are the data sets themselves. The last frame may be cut off. Raises
    ChecksumError for a wrong block check character.
    """
    if _STX not in without_parity(data):
        return without_parity(data).decode("ascii")
    reader = FrameReader(BlockCheck())
    text = ""
    for frame in reader.feed(data):
        if frame.kind is FrameKind.DAMAGED:
            raise ChecksumError("the block check character is wrong")
        if frame.kind is FrameKind.ANSWER:
            text += frame.data
    return text + reader.rest
