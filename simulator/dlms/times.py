"""COSEM date-times: twelve bytes, some of which may be "not specified"."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from simulator.iec62056.registers import ZONE

_SIZE: Final = 12
_NOT_SPECIFIED: Final = 0xFF
_NO_YEAR: Final = 0xFFFF
_NO_DEVIATION: Final = -0x8000
_SUMMER: Final = 0x80


class ClockStyle(StrEnum):
    """How a clock encodes its deviation from UTC."""

    #: As in the standard: UTC is local time plus deviation, -120 minutes in summer.
    STANDARD = "standard"
    #: With the opposite sign.
    INVERTED = "inverted"
    #: Without deviation, in standard time all year.
    UNSPECIFIED = "unspecified"


def encode(time: int, style: ClockStyle = ClockStyle.STANDARD) -> bytes:
    """Encode a time in seconds since 1970 (Blue Book, clause 4.1.6.1)."""
    local = datetime.fromtimestamp(time, ZONE)
    summer = bool(local.dst())
    offset = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    deviation = -offset
    if style is ClockStyle.INVERTED:
        deviation = offset
    elif style is ClockStyle.UNSPECIFIED:
        deviation = _NO_DEVIATION
        local -= local.dst() or timedelta()
        summer = False
    return (
        local.year.to_bytes(2)
        + bytes([local.month, local.day, local.isoweekday()])
        + bytes([local.hour, local.minute, local.second, 0])
        + deviation.to_bytes(2, signed=True)
        + bytes([_SUMMER if summer else 0])
    )


def parse(data: bytes, style: ClockStyle = ClockStyle.STANDARD) -> int | None:
    """Decode a time as seconds since 1970; None if the year is not specified.

    Other fields that are not specified have their lowest value. ValueError if it is invalid.
    """
    if len(data) != _SIZE:
        raise ValueError(f"a time of {len(data)} bytes")
    year = int.from_bytes(data[:2])
    if year == _NO_YEAR:
        return None
    month, day = (1 if part >= _NOT_SPECIFIED - 2 else part for part in data[2:4])
    hour, minute, second = (0 if part == _NOT_SPECIFIED else part for part in data[5:8])
    local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  its zone follows
    deviation = int.from_bytes(data[9:11], signed=True)
    if deviation == _NO_DEVIATION:
        if style is ClockStyle.UNSPECIFIED:
            standard = datetime(year, 1, 1, tzinfo=ZONE).utcoffset() or timedelta()
            return int((local - standard).replace(tzinfo=UTC).timestamp())
        return int(local.replace(tzinfo=ZONE).timestamp())
    if style is ClockStyle.INVERTED:
        deviation = -deviation
    return int((local + timedelta(minutes=deviation)).replace(tzinfo=UTC).timestamp())
