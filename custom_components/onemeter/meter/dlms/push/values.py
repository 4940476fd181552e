"""The values of a notification: registers, times, and what measures nothing."""

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
from ..apdu.times import LENGTH as TIME_LENGTH, decode_date_time
from .obis_units import Quantity, Scaling, quantity_of
from .shapes import text_of

_SCALERS: Final = range(-128, 128)
#: Groups C and D of what shows the time.
_CLOCK: Final = (1, 0)
#: Groups A, C and D of push set-ups, which are no registers.
_PUSH_SETUP: Final = (0, 25, 9)
#: Groups C of what describes a meter.
_DESCRIPTIVE: Final = frozenset({0, *range(96, 256)})
#: Where meters tell who they are, the best place first.
IDS: Final = tuple(
    map(Obis.parse, ("0-0:96.1.0", "1-1:0.0.5", "0-0:42.0.0", "0-0:96.1.1", "1-1:0.0.1"))
)

#: A meter sends the same few codes again and again.
obis_of = lru_cache(maxsize=1024)(Obis.from_bytes)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a body."""

    registers: list[Register]
    clock: datetime | None = None
    #: What stands behind a flat list.
    meter_id: str | None = None
    #: The name of the list, or of the meter.
    name: str = ""
    ids: Sequence[Obis] = IDS


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a notification, and what is around it."""

    data: bytes
    start: int
    time: datetime | None
    is_tagged: bool
    title: bytes

    @property
    def maker(self) -> str:
        """The beginning of the system title: letters of the manufacturer and of the list."""
        return self.title[:5].decode("latin-1")


def scaler_unit_of(data: Data) -> tuple[int, str | None] | None:
    """Read {scaler, unit}; None where this is none."""
    if type(data) is tuple and len(data) == 2:
        scaler, unit = data
        if type(unit) is Enumerated and type(scaler) is int and scaler in _SCALERS:
            return scaler, UNITS.get(unit)
    return None


def time_of(obis: Obis, value: Data) -> datetime | None:
    """Return what a clock shows; None where this is none."""
    if not isinstance(value, bytes) or obis[2:4] != _CLOCK or obis.a not in {0, 1}:
        return None
    return decode_date_time(value)


def registers_of(
    obis: Obis, value: Data, scaling: tuple[int, str | None] | None
) -> tuple[Register, ...]:
    """Return the register of a value with its scaler and unit; none of what is no register."""
    if isinstance(value, tuple | list) or (obis.a, *obis[2:4]) == _PUSH_SETUP:
        return ()
    if obis[2:4] == _CLOCK and isinstance(value, bytes) and len(value) == TIME_LENGTH:
        return ()
    if scaling is not None and (type(value) is int or type(value) is Decimal):
        scaler, unit = scaling
        return (Register(obis, scaled(value, scaler), unit),)
    return (Register(obis, plain(value)),)


def unscaled(obis: Obis, value: Decimal | int, scaling: Scaling | None) -> Register:
    """Return a number whose scaler and unit are those of its list; None where they are unknown."""
    found = quantity_of(obis)
    if found is None:
        # What measures nothing is an id, counts something, or is a state.
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
    """Return what unscaled() does, for the most usual of all elements."""
    obis, found = _measured(code)
    if found is not None and scaling is not None:
        quantity, unit = found
        if (scaler := scaling.get(quantity)) is not None:
            return Register(obis, scaled(value, scaler), unit)
    return unscaled(obis, value, scaling)


def is_empty(value: Data) -> bool:
    """Tell whether a value is the empty place of another meter's id."""
    return isinstance(value, bytes) and not value.strip(b"\0")


def plain(value: Data) -> Value:
    """Return a value that measures nothing: octets that are text as such, without NULs behind.

    An empty text is None.
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
    """Return a value that is text; None for any other."""
    found = plain(value)
    return found if isinstance(found, str) and found else None
