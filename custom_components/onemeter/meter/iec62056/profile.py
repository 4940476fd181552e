"""Load profiles P.01, P.02 and event logs P.98 (VDEW-Lastenheft 2.1.2, 10.4 and 10.5).

A header gives a time stamp, a status, the capture period and the channels; the rows below it have
one value per channel. The time stamp is the end of the first row's interval, each further row ends
one period later. Where the series is interrupted, the status changes or the clock is set, another
header follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
import re
from typing import Final

from ..errors import ChecksumError, TelegramError
from ..reading import Event, Interval, Register
from .block import BlockCheck
from .codes import parse_address
from .parity import without_parity
from .readout import parse_data_sets
from .times import SEASONS, parse_digits, standard_offset
from .values import split_value, unit_of

_OBJECT: Final = re.compile(r"(?:\d-\d:)?(P\.\d{2})(?:\*\d+)?", re.ASCII)
_TIME_STAMP: Final = re.compile(r"([012]?)(\d{10}|\d{12})", re.ASCII)
_SUMMER: Final = timedelta(hours=1)
_STX: Final = b"\x02"
_BLOCK_END: Final = re.compile(rb"[\x03\x04]")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the rows of a profile, or before the values of an event."""

    #: "P.01", "P.98", ...
    object: str
    #: As the meter counts, without time zone.
    time: datetime
    season: str | None
    status: str
    #: None in event logs.
    capture_period: timedelta | None
    #: Each channel's register without a value.
    channels: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A load profile or event log as it was read."""

    #: The first header: what was captured.
    header: Header
    intervals: tuple[Interval, ...] = ()
    events: tuple[Event, ...] = ()


def decode_profile(text: str, zone: tzinfo | None = None) -> Profile:
    """Read the answer to R5 or R6, complete rows only, from its first header on.

    The zone is the one that the meter's clock is set to; without it, no interval has its end_utc.
    Raises TelegramError where there is no header, or one with an impossible time stamp or number.
    """
    first: Header | None = None
    intervals: list[Interval] = []
    events: list[Event] = []
    for header, values in _sections(text):
        first = first or header
        if header.object != first.object:
            raise TelegramError(f"{header.object} in the middle of {first.object}")
        width = len(header.channels)
        rows = [
            tuple(map(_valued, header.channels, values[place : place + width], strict=True))
            for place in range(0, len(values) - width + 1, width or 1)
            if width
        ]
        if header.capture_period is None:
            entries = rows[0] if rows else ()
            events.append(Event(header.time, header.season, header.status, entries))
        else:
            last = intervals[-1] if intervals else None
            intervals += _intervals(header, header.capture_period, rows, zone, last)
    if first is None:
        raise TelegramError("no load profile in the answer")
    return Profile(first, tuple(intervals), tuple(events))


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
    """Split what belongs to a header; None where even that is cut off."""
    if len(groups) < 4:
        return None
    stamp, status, period, count_text = groups[:4]
    if not count_text.isdecimal() or not (period.isdecimal() or not period):
        raise TelegramError(f"{name}: period and number of channels are no numbers")
    count = int(count_text)
    if len(groups) < 4 + 2 * count:
        return None
    channels = [
        Register(parse_address(code), None, unit_of(unit), address=code)
        for code, unit in zip(
            groups[4 : 4 + 2 * count : 2], groups[5 : 5 + 2 * count : 2], strict=True
        )
    ]
    minutes = int(period or 0)
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
    """Return the value of a channel: text where it is no number, None where there is none."""
    number, _ = split_value(value)
    return replace(channel, value=Decimal(number) if number else value or None)


def _intervals(
    header: Header,
    period: timedelta,
    rows: Sequence[tuple[Register, ...]],
    zone: tzinfo | None,
    last: Interval | None,
) -> Iterator[Interval]:
    end = header.time
    end_utc = None if zone is None else _utc(header, period, zone, last)
    for values in rows:
        yield Interval(end - period, end, header.season, end_utc, header.status, values)
        end += period
        if end_utc is not None:
            end_utc += period


def _utc(header: Header, period: timedelta, zone: tzinfo, last: Interval | None) -> datetime:
    """Return the end of a header's first interval in UTC.

    When the clocks change, the local time of a header jumps although no interval is missing: what
    fits as the next interval is it. The last interval before the change is still told in the old
    time, which the zone does not know any more.
    """
    local = header.time.replace(tzinfo=zone)
    if header.season == "utc":
        return header.time.replace(tzinfo=UTC)
    if header.season is not None:
        summer = _SUMMER if header.season == "summer" else timedelta()
        offset = standard_offset(zone, header.time.year) + summer
        return (header.time - offset).replace(tzinfo=UTC)
    if last is not None and last.end_utc is not None:
        following = last.end_utc + period
        shown = following.astimezone(zone).replace(tzinfo=None)
        if header.time in {last.end + period, shown}:
            return following
    found = local.astimezone(UTC)
    if last is not None and last.end_utc is not None and found <= last.end_utc:
        return local.replace(fold=1).astimezone(UTC)
    return found


def profile_text(data: bytes) -> str:
    """Return the data sets in what came in answer to R5 or R6, from one frame or several.

    Without STX it is taken as the data sets themselves. A last frame without end is taken as far
    as it goes. Raises ChecksumError where a block check character is wrong.
    """
    data = without_parity(data)
    check = BlockCheck()
    _, *blocks = data.split(_STX)
    text = "" if blocks else data.decode("ascii")
    for block in blocks:
        end = _BLOCK_END.search(block)
        if end is None:
            text += block.decode("ascii")
            continue
        place = end.end()
        if place < len(block) and not check.accepts(block[:place], block[place]):
            raise ChecksumError("the block check character is wrong")
        text += block[: place - 1].decode("ascii")
    return text
