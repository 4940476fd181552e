"""Years of meters' clocks, which distinguish time stamps from other digits and octets."""

from typing import Final

#: Meters write two digits of the year; none of them is older, and none will last longer.
CLOCK_YEARS: Final = range(2000, 2100)
#: A clock that has been set; others begin at 1970 or 2000 when the power comes.
SET_CLOCK_YEARS: Final = range(2010, 2100)
