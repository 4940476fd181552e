"""Meters' clocks: the years that they show, and the standard time of their zones."""

from datetime import datetime, timedelta, tzinfo
from typing import Final

#: Years distinguish time stamps from other digits and octets. Meters write two digits of the year;
#: none of them is older, and none will last longer.
CLOCK_YEARS: Final = range(2000, 2100)
#: A clock that has been set; others begin at 1970 or 2000 when the power comes.
SET_CLOCK_YEARS: Final = range(2010, 2100)


def standard_offset(zone: tzinfo, year: int) -> timedelta:
    """Return the offset from UTC of a zone's standard time (winter)."""
    halves = (datetime(year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
    return min(offset or timedelta() for offset in halves)
