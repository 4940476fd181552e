"""Requests for a load profile, in the forms that different meters understand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from .programming import Command
from .times import format_digits

#: Lines per block, for meters that expect the number in R6.
_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class ProfileForm:
    """A form of requests for a profile."""

    command: Command
    #: Digits of a time stamp, an odd number with the season before them; 0: with separators.
    digits: int
    #: Lines per block; None where the request does not contain it.
    lines: int | None = None

    def data(self, name: str, start: datetime, end: datetime, zone: tzinfo | None) -> str:
        """Return the data of the command for the profile ``name``, such as ``P.01``."""
        parts = [self._time(start, zone), self._time(end, zone)]
        if self.lines is not None:
            parts.append(str(self.lines))
        return f"{name}({';'.join(parts)})"

    def _time(self, time: datetime, zone: tzinfo | None) -> str:
        if self.digits:
            return format_digits(time, self.digits, zone)
        return f"{time:%y-%m-%d,%H:%M}"


def _forms() -> Iterator[ProfileForm]:
    lengths = (13, 12, 11, 10)
    for digits in lengths:
        # VDEW-Lastenheft 2.1.2, 10.4
        yield ProfileForm(Command.READ_PROFILE, digits)
        yield ProfileForm(Command.READ_PROFILE_PARTIALLY, digits)
    for digits in lengths:
        yield ProfileForm(Command.READ_PROFILE_PARTIALLY, digits, _LINES)
    # Turkish meters
    yield ProfileForm(Command.READ_FORMATTED, 0)
    yield ProfileForm(Command.READ_FORMATTED, 10)


#: In the order in which they are tried.
FORMS: Final = tuple(_forms())
