"""Encoding of date-times (IEC 62056-6-2, 4.1.6.1)."""

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Final

#: Bytes of a date-time: year (2), month, day, day of the week, hour, minute, second, hundredths,
#: deviation (2), status.
LENGTH: Final = 12
_UNSPECIFIED: Final = 0xFF
#: Index of the second.
_SECOND: Final = 7
#: Clock status, the last byte of a date-time: bits for an invalid value and daylight saving, and
#: the value of a clock that does not specify it.
STATUS_INVALID: Final = 0x01
STATUS_DAYLIGHT_SAVING: Final = 0x80
STATUS_UNSPECIFIED: Final = 0xFF
_NO_DEVIATION: Final = -0x8000
#: Minutes; no time zone is further from UTC.
_DEVIATION_MAX: Final = 15 * 60


def decode_date_time(octets: bytes, *, invert: bool = False) -> datetime | None:
    """Decode a date-time of 12 bytes; None if it is invalid or does not specify year to minute.

    The result is aware if the meter sends its deviation, otherwise naive in the meter's local time.
    UTC is local time + deviation; ``invert`` is for meters that send the opposite sign.
    Unspecified seconds and hundredths are 0. The clock status is not evaluated.
    """
    if len(octets) != LENGTH:
        return None
    year = octets[0] << 8 | octets[1]
    month, day, _, hour, minute, second, hundredths = octets[2:9]
    deviation = int.from_bytes(octets[9:11], signed=True)
    zone = None
    if deviation != _NO_DEVIATION:
        if abs(deviation) > _DEVIATION_MAX:
            return None
        zone = _zone(deviation if invert else -deviation)
    second = 0 if second == _UNSPECIFIED else second
    hundredths = 0 if hundredths == _UNSPECIFIED else hundredths
    try:
        return datetime(year, month, day, hour, minute, second, hundredths * 10_000, zone)
    except ValueError:
        return None


def decode_clock(octets: bytes) -> datetime | None:
    """Decode a date-time that is the present time of a clock; None if it does not specify seconds.

    Nothing shows how far it is off then.
    """
    return (
        None if octets[_SECOND : _SECOND + 1] == bytes([_UNSPECIFIED]) else decode_date_time(octets)
    )


@cache
def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


def encode_date_time(time: datetime, *, invert: bool = False) -> bytes:
    """Encode a date-time; a naive one is in the meter's local time and gets no deviation."""
    offset = time.utcoffset()
    deviation = _NO_DEVIATION
    if offset is not None:
        minutes = int(offset.total_seconds()) // 60
        deviation = minutes if invert else -minutes
    return (
        time.year.to_bytes(2)
        + bytes((time.month, time.day, time.isoweekday(), time.hour, time.minute, time.second, 0))
        + deviation.to_bytes(2, signed=True)
        + b"\0"
    )
