"""Lists of any shape whose registers are sent with code, scaler and unit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from ...obis import Obis
from ...reading import Register
from ..apdu.data_types import Data, Enumerated
from .obis_units import quantity_of
from .shapes import is_code
from .values import DecodedList, obis_of, registers_of, scaler_unit_of, time_of

#: Code, value, and scaler and unit.
type _Entry = tuple[bytes, Data, tuple[int, str | None] | None]

#: Units of what the meters on the M-Bus measure.
_OTHER_UNITS: Final = frozenset({"m³", "m³/h", "W", "Wh", "°C"})


def read_described(values: Data) -> DecodedList | None:
    """Decode structures with a code, a value, and scaler and unit, at any depth.

    Text, octets, Booleans and null may stand beside them. None if there is a number without a code,
    no register has a unit, or a code has several values, as in the rows of a profile.
    """
    entries = list(_entries(values))
    measured = [entry[0] for entry in entries if entry and entry[2]]
    if None in entries or not measured or len(set(measured)) < len(measured):
        return None
    registers: list[Register] = []
    clock = None
    for code, value, unit in filter(None, entries):
        obis = obis_of(code)
        if (time := time_of(obis, value)) is not None:
            clock = time
        else:
            registers += registers_of(obis, value, unit)
    return DecodedList(registers, clock)


def _entries(value: Data) -> Iterator[_Entry | None]:
    """Yield the entries in a value, and None for each number that is in none."""
    if isinstance(value, tuple) and (entry := _entry(value)) is not None:
        yield entry
    elif isinstance(value, tuple | list):
        for element in value:
            yield from _entries(element)
    elif _is_number(value):
        yield None


def _entry(elements: tuple[Data, ...]) -> _Entry | None:
    """Return the entry in a structure; None if it is none.

    The value is before scaler and unit, or behind them where the code is before. Class and
    attribute, and capture time as octets, may stand beside them, and value, scaler and unit in a
    structure of their own. With another number beside them, it is not known which is the value.
    """
    is_flat = False
    match elements:
        case (bytes(), tuple() as nested) if scaler_unit_of(nested) is None:
            elements = (elements[0], *nested)
        case (name, value, *rest) if scaler_unit_of(tuple(rest)) is not None:
            elements = (name, value, tuple(rest))
            is_flat = True
        case (bytes(first), value) if is_code(first) and _is_text(value):
            return first, value, None
    match elements:
        case (int(), code, int(), *others) if is_code(code):
            elements = (code, *others)
    codes = [place for place, element in enumerate(elements) if is_code(element)]
    units = [place for place, element in enumerate(elements) if scaler_unit_of(element)]
    if len(codes) != 1 or len(units) != 1:
        return None
    code, unit = elements[codes[0]], scaler_unit_of(elements[units[0]])
    place = units[0] - 1
    if place == codes[0]:
        place = units[0] + 1
    if not isinstance(code, bytes) or unit is None or not 0 <= place < len(elements):
        return None
    value = elements[place]
    if isinstance(value, tuple | list) or sum(map(_is_number, elements)) > _is_number(value):
        return None
    return (code, value, unit) if _can_be(obis_of(code), *unit, is_flat=is_flat) else None


def _can_be(obis: Obis, scaler: int, unit: str | None, *, is_flat: bool) -> bool:
    """Return whether scaler and unit are these of a code; without a structure, they may be data."""
    if (found := quantity_of(obis)) is not None:
        return unit == found[1]
    return not is_flat or unit in _OTHER_UNITS or (scaler, unit) == (0, None)


def _is_number(value: Data) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool | Enumerated)


def _is_text(value: Data) -> bool:
    return value is None or isinstance(value, str | bytes | bool | Enumerated)
