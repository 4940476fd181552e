"""Values of a notification: registers, times, and values that measure nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from ...obis import Obis
from ...reading import Register, Value
from ...units import UNITS, scaled
from ..apdu.data_types import Data, Enumerated
from ..apdu.times import LENGTH as TIME_LENGTH, decode_clock
from .obis_units import Quantity, Scaling, quantity_of
from .shapes import text_of

#: Scalers have 8 bits.
_SCALERS: Final = range(-128, 128)
#: Value groups C and D of clocks.
_CLOCK: Final = (1, 0)
#: Value groups A, C and D of push setups, which are no registers.
_PUSH_SETUP: Final = (0, 25, 9)
#: Value groups C of values that describe a meter.
_DESCRIPTIVE: Final = frozenset({0, *range(96, 256)})
#: Codes of a meter's ids, in order of preference.
IDS: Final = tuple(
    map(Obis.parse, ("0-0:96.1.0", "1-1:0.0.5", "0-0:42.0.0", "0-0:96.1.1", "1-1:0.0.1"))
)

#: Cached, because a meter repeats a few codes.
obis_of = lru_cache(maxsize=1024)(Obis.from_bytes)


@dataclass(frozen=True, slots=True)
class DecodedList:
    """Decoded content of a list."""

    registers: list[Register]
    clock: datetime | None = None
    #: The number of the meter at the end of the list.
    meter_id: str | None = None
    #: The name of the list, or of the meter.
    name: str = ""
    #: Codes of the meter's ids, in order of preference.
    ids: Sequence[Obis] = IDS


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a notification, with its header."""

    #: The whole notification, and the position of its body.
    data: bytes
    start: int
    #: The date-time of the header, and whether it has a tag.
    time: datetime | None
    is_tagged: bool
    #: The system title of the sender, or empty.
    title: bytes

    @property
    def title_prefix(self) -> str:
        """The beginning of the system title: manufacturer and, with some, type of the meter."""
        return self.title[:5].decode("latin-1")


def scaler_unit_of(data: Data) -> tuple[int, str | None] | None:
    """Return scaler and unit of {scaler, unit}; None for other data."""
    if type(data) is tuple and len(data) == 2:
        scaler, unit = data
        if type(unit) is Enumerated and type(scaler) is int and scaler in _SCALERS:
            return scaler, UNITS.get(unit)
    return None


def time_of(obis: Obis, value: Data) -> datetime | None:
    """Return the date-time of a clock; None without seconds, and for other objects."""
    if not isinstance(value, bytes) or obis[2:4] != _CLOCK or obis.a not in {0, 1}:
        return None
    return decode_clock(value)


def registers_of(
    obis: Obis, value: Data, scaling: tuple[int, str | None] | None
) -> tuple[Register, ...]:
    """Return the register of a value, scaled if ``scaling`` is known; empty if it has none."""
    if isinstance(value, tuple | list) or (obis.a, *obis[2:4]) == _PUSH_SETUP:
        return ()
    if obis[2:4] == _CLOCK and isinstance(value, bytes) and len(value) == TIME_LENGTH:
        return ()
    if scaling is not None and (type(value) is int or type(value) is Decimal):
        scaler, unit = scaling
        return (Register(obis, scaled(value, scaler), unit),)
    return (Register(obis, plain(value)),)


def unscaled(obis: Obis, value: Decimal | int, scaling: Scaling | None) -> Register:
    """Return the register of a number with the scaling of its list.

    Its value is None if it measures a quantity and the scaler is unknown.
    """
    found = quantity_of(obis)
    if found is None:
        # A value that measures nothing is an id, a counter or a state.
        measures = obis.a != 0 and obis.c not in _DESCRIPTIVE
        return Register(obis, None if measures else plain(value))
    quantity, unit = found
    if scaling is None or (scaler := scaling.get(quantity)) is None:
        return Register(obis, None, unit)
    return Register(obis, scaled(value, scaler), unit)


@lru_cache(maxsize=1024)
def _measured(code: bytes) -> tuple[Obis, tuple[Quantity, str | None] | None]:
    obis = obis_of(code)
    return obis, quantity_of(obis)


def number(code: bytes, value: int, scaling: Scaling | None) -> Register:
    """Do what unscaled() does, faster for the most frequent elements."""
    obis, found = _measured(code)
    if found is not None and scaling is not None:
        quantity, unit = found
        if (scaler := scaling.get(quantity)) is not None:
            return Register(obis, scaled(value, scaler), unit)
    return unscaled(obis, value, scaling)


def is_empty(value: Data) -> bool:
    """Return whether octets are only NULs, as in an unused field for another meter's id."""
    return isinstance(value, bytes) and not value.strip(b"\0")


def plain(value: Data) -> Value:
    """Return a value that measures nothing, without scaler and unit.

    Octets that are printable text become text, without trailing NULs. Empty texts, arrays and
    structures are None.
    """
    match value:
        case Enumerated():
            return int(value)
        case bytes():
            return (text_of(value) or value) if value else None
        case str():
            return value.rstrip("\0") or None
        case tuple() | list():
            return None
    return value


def text(value: Data) -> str | None:
    """Return a value that is a text; None for any other."""
    found = plain(value)
    return found if isinstance(found, str) and found else None
