"""Lists of any shape whose registers are sent with code, scaler and unit."""

from collections.abc import Iterator
from decimal import Decimal

from ...reading import Register
from ..apdu.data_types import Data, Enumerated
from .shapes import is_code
from .values import DecodedList, obis_of, registers_of, scaler_unit_of, time_of

#: Code, value, and scaler and unit.
type _Entry = tuple[bytes, Data, tuple[int, str | None] | None]


def read_described(values: Data) -> DecodedList | None:
    """Decode structures with a code, a value, and scaler and unit, at any depth.

    Text, octets, Booleans and null may stand beside them. None if there is a number without a code,
    or no register has a unit.
    """
    entries = list(_entries(values))
    if None in entries or not any(entry and entry[2] for entry in entries):
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
    elif isinstance(value, int | Decimal) and not isinstance(value, bool | Enumerated):
        yield None


def _entry(elements: tuple[Data, ...]) -> _Entry | None:
    """Return the entry in a structure; None if it is none.

    The value is before scaler and unit, or behind them where the code is before. Class, attribute
    and capture time may stand beside them, and value, scaler and unit in a structure of their own.
    """
    match elements:
        case (bytes(), tuple() as nested) if scaler_unit_of(nested) is None:
            elements = (elements[0], *nested)
        case (name, value, *rest) if scaler_unit_of(tuple(rest)) is not None:
            elements = (name, value, tuple(rest))
        case (bytes(first), value) if is_code(first) and _is_text(value):
            return first, value, None
    codes = [place for place, element in enumerate(elements) if is_code(element)]
    units = [place for place, element in enumerate(elements) if scaler_unit_of(element)]
    if len(codes) != 1 or len(units) != 1:
        return None
    code, unit = elements[codes[0]], scaler_unit_of(elements[units[0]])
    place = units[0] - 1
    if place == codes[0]:
        place = units[0] + 1
    if not isinstance(code, bytes) or not 0 <= place < len(elements):
        return None
    value = elements[place]
    return None if isinstance(value, tuple | list) else (code, value, unit)


def _is_text(value: Data) -> bool:
    return value is None or isinstance(value, str | bytes | bool | Enumerated)
