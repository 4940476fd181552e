"""OBIS codes in readouts, where groups may be left out (IEC 62056-61:2006, Annex A)."""

from functools import lru_cache
import re
from typing import Final

from ..obis import CURRENT_VALUE, ELECTRICITY, C, Obis

#: Groups C that are no quantity, so that digits without a unit are text.
DESCRIPTIVE: Final = frozenset({0, C.SERVICE, C.ERROR, C.LIST, C.PROFILE})

#: Characters of the longest address. Longer ones are ignored, since addresses are remembered.
ADDRESS_MAX: Final = 64
#: F after a dot has two digits, or is 255: 0.5.1.2 of Landis+Gyr is no such code.
_ADDRESS: Final = re.compile(
    r"(?:(\d{1,3})-(\d{1,3}):)?"
    r"([0-9]{1,3}|[CFLP])\.([0-9]{1,3}|F)(?:\.(\d{1,3}))?(?:[*&](\d{1,3})|\.(\d\d|255))?",
    re.ASCII,
)
_LETTERS: Final = {"C": C.SERVICE, "L": C.LIST, "P": C.PROFILE}
_GROUP_MAX: Final = 255


def parse_address(address: str) -> Obis | None:
    """Return the code of an address, or None if it is no OBIS code.

    Without A and B it is electricity (1-0); E defaults to 0 and F to 255.
    """
    return _parse(address) if len(address) <= ADDRESS_MAX else None


@lru_cache(maxsize=4096)
def _parse(address: str) -> Obis | None:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    a, b, c, d, e, f, dotted = match.groups()
    if d == "F":
        # F.F is the error register.
        if c != "F":
            return None
        quantity = processing = C.ERROR
    else:
        # F is the hexadecimal digit 15 in Polish meters.
        quantity = C.ACTIVE_ABSOLUTE if c == "F" else _LETTERS.get(c) or int(c)
        processing = int(d)
    code = Obis(
        ELECTRICITY if a is None else int(a),
        0 if b is None else int(b),
        quantity,
        processing,
        0 if e is None else int(e),
        int(f or dotted or CURRENT_VALUE),
    )
    return code if max(code) <= _GROUP_MAX else None
