"""OBIS codes: the names that meters give to what they measure (IEC 62056-61)."""

import re
from typing import NamedTuple, Self, override

_FULL = re.compile(
    r"(?P<a>\d{1,3})-(?P<b>\d{1,3}):(?P<c>\d{1,3})\.(?P<d>\d{1,3})\.(?P<e>\d{1,3})"
    r"(?:[*&](?P<f>\d{1,3}))?",
    re.ASCII,
)
_GROUP_MAX = 255


class Obis(NamedTuple):
    """One OBIS code, written A-B:C.D.E*F (IEC 62056-61, clause 4).

    Each value group is an integer from 0 to 255; F is 255 for the current value and the number
    of the billing period otherwise. Codes are equal, ordered and hashed by their six groups.
    """

    #: Medium: 0 abstract objects, 1 electricity, 129 objects of a manufacturer in old SML meters.
    a: int
    #: Channel.
    b: int
    #: Physical quantity, e.g. 1 active energy imported.
    c: int
    #: Processing of the quantity, e.g. 7 instantaneous value, 8 time integral.
    d: int
    #: Tariff; 0 is the total.
    e: int
    #: Billing period; 255 is the current one.
    f: int = 255

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a complete code such as ``1-0:1.8.0*255``; F is 255 where it is left out.

        Raises ValueError for anything else, also for a group above 255.
        """
        match = _FULL.fullmatch(text)
        if match is None:
            raise ValueError(f"not an OBIS code: {text!r}")
        groups = [_GROUP_MAX if group is None else int(group) for group in match.groups()]
        if max(groups) > _GROUP_MAX:
            raise ValueError(f"value group above {_GROUP_MAX} in OBIS code {text!r}")
        return cls(*groups)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the six bytes in which binary protocols send a code."""
        return cls(*data)

    @property
    def short(self) -> str:
        """The code as plates and displays show it: ``1.8.0``, or ``1.8.0*1`` of a past period."""
        text = f"{self.c}.{self.d}.{self.e}"
        return text if self.f == _GROUP_MAX else f"{text}*{self.f}"

    @override
    def __str__(self) -> str:
        """Return the complete code, all six groups without leading zeros."""
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}*{self.f}"
