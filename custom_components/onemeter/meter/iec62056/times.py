"""Dates and times in readouts (IEC 62056-21:2002, 6.5; VDEW-Lastenheft 2.1.2, 10.4)."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
import re
from typing import Final

from ..clock import CLOCK_YEARS, standard_offset

#: Season digits and letters: which time the meter's clock counts.
SEASONS: Final = {"0": "winter", "1": "summer", "2": "utc", "W": "winter", "S": "summer"}

#: With separators: date and time in either order.
_DATE = r"(?P<y>\d{2}|\d{4})-(?P<m>\d{2})-(?P<d>\d{2})"
_TIME = r"(?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2}))?"
_DATE_TIME: Final = re.compile(rf"{_DATE}[ ,&T]{_TIME}", re.ASCII)
_TIME_DATE: Final = re.compile(rf"{_TIME}[ ,&]{_DATE}", re.ASCII)
#: Digits only. Ten are YYMMDDhhmm; twelve have seconds or, if that is impossible, four digits of
#: the year; one more digit before them, or a letter after them, is the season.
_DIGITS: Final = re.compile(
    r"(?P<season>[012](?=(?:\d{10}|\d{12})\b))?(?P<digits>\d{10,14})(?P<letter>[SW])?", re.ASCII
)
_SHORT_DATE: Final = re.compile(r"([012]?)(\d{2}|\d{4})(-?)(\d{2})\3(\d{2})", re.ASCII)
_SHORT_TIME: Final = re.compile(r"[012]?(\d{2}):?(\d{2}):?(\d{2})?", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """Return the time in a text; None if there is none, or an impossible one.

    It is the naive time of the meter's clock, with fold=1 in winter; or in UTC if that is sent.
    """
    match = _DATE_TIME.fullmatch(text) or _TIME_DATE.fullmatch(text)
    if match is not None:
        return _time([int(text or 0) for text in match.group("y", "m", "d", "H", "M", "S")])
    match = _DIGITS.fullmatch(text)
    if match is None:
        return None
    season, digits, letter = match.groups()
    return parse_digits(digits, SEASONS.get(season or letter or ""))


def parse_digits(digits: str, season: str | None) -> datetime | None:
    """Return the time of 10, 12 or 14 digits, as parse_time() does; None if it is impossible."""
    pairs = [int(digits[position : position + 2]) for position in range(0, len(digits), 2)]
    match len(digits):
        case 10:
            return _time(pairs, season)
        case 12:
            return _time(pairs, season) or _time([pairs[0] * 100 + pairs[1], *pairs[2:]], season)
        case 14:
            return _time([pairs[0] * 100 + pairs[1], *pairs[2:]], season)
    return None


def combine(date: str, time: str, now: datetime | None = None) -> datetime | None:
    """Return the time of a date and a time of day that are separate values (0.9.2, 0.9.1).

    Some meters send the day first. A date of three times two digits is read in the order that is
    nearer to ``now``, a naive time, if that is given.
    """
    day = _SHORT_DATE.fullmatch(date)
    clock = _SHORT_TIME.fullmatch(time)
    if day is None or clock is None:
        return None
    season, year, _, month, day_of_month = day.groups()
    fields = [int(text or 0) for text in (year, month, day_of_month, *clock.groups())]
    found = _time(fields, SEASONS.get(season))
    if now is None or len(year) > len("YY"):
        return found
    fields[0], fields[2] = fields[2], fields[0]
    other = _time(fields, SEASONS.get(season))
    if found is None or other is None:
        return found or other
    return min(found, other, key=lambda time: abs(time.replace(tzinfo=None) - now))


def format_digits(time: datetime, length: int, zone: tzinfo | None) -> str:
    """Return a naive time of the meter's clock as 10 to 13 digits.

    Ten are YYMMDDhhmm, twelve have seconds, one more is the season before them: summer only if the
    zone has summer time then.
    """
    text = f"{time:%y%m%d%H%M%S}"[: length - length % 2]
    if length % 2:
        local = time.replace(tzinfo=zone)
        is_summer = zone is not None and local.utcoffset() != standard_offset(zone, time.year)
        return f"{is_summer:d}{text}"
    return text


def _time(fields: Sequence[int], season: str | None = None) -> datetime | None:
    """Return the time of a year, in two or four digits, month, day, hour, ..."""
    year, month, day, hour, minute, second = (*fields, 0)[:6]
    if year < 100:
        year += CLOCK_YEARS.start
    if year not in CLOCK_YEARS:
        return None
    try:
        found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - as it counts
    except ValueError:
        return None
    if season == "utc":
        return found.replace(tzinfo=UTC)
    return found.replace(fold=1) if season == "winter" else found
