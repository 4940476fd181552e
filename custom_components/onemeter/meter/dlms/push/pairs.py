"""Lists of codes with values: in structures, alternating, or a mixture of both."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ...reading import Register
from ...units import scaled
from ..apdu.data_types import Data
from ..apdu.times import LENGTH as TIME_LENGTH, decode_clock, decode_date_time
from ..cosem import OBIS_LENGTH
from .lists import (
    CLOCK_LIST,
    FINE_VOLTAGE_SCALER,
    FINE_VOLTAGES,
    NAMED_LISTS,
    VOLTAGE_MAX,
)
from .obis_units import Quantity, Scaling, quantity_of
from .shapes import is_code
from .values import (
    DecodedList,
    number,
    obis_of,
    plain,
    registers_of,
    scaler_unit_of,
    text,
    time_of,
    unscaled,
)


def is_entry(value: Data) -> bool:
    """Return whether a value is {code, value} or {code, value, {scaler, unit}}."""
    return (
        type(value) is tuple
        and 2 <= len(value) <= 3
        and type(code := value[0]) is bytes
        and len(code) == OBIS_LENGTH
    )


def read_pairs(values: Sequence[Data]) -> DecodedList | None:
    """Decode codes that are each followed by their value; None if there is anything else.

    The list may begin with the clock or its name, and end with the number of the meter.
    """
    clock, name, scaling = _head(values[0])
    has_head = scaling is CLOCK_LIST or bool(name)
    is_flat = not any(map(is_entry, values))
    pairs, rest = _pairs(values, int(has_head))
    meter_id = text(rest[0]) if len(rest) == 1 and pairs else None
    if rest and meter_id is None:
        return None
    registers: list[Register] = []
    for code, value, unit in pairs:
        if type(value) is int and unit is None:
            registers.append(number(code, value, scaling))
            continue
        obis = obis_of(code)
        if (time := time_of(obis, value)) is not None:
            clock = time
        elif unit is None and isinstance(value, int | Decimal):
            registers.append(unscaled(obis, value, scaling))
        else:
            found = registers_of(obis, value, unit)
            registers += found
            is_first_text = is_flat and scaling is None and not name and found
            if is_first_text and isinstance(value_text := found[0].value, str):
                name = value_text
                scaling = _scaling_of(name)
    if name.startswith(FINE_VOLTAGES):
        registers = _with_fine_voltages(registers)
    return DecodedList(registers, clock, meter_id, name)


#: Code, value, and scaler and unit if they are sent.
type _Pair = tuple[bytes, Data, tuple[int, str | None] | None]


def _pairs(values: Sequence[Data], position: int) -> tuple[list[_Pair], Sequence[Data]]:
    """Return the pairs from a position on, and the values behind the last one.

    Meters with one phase send null in place of the codes of the others.
    """
    pairs: list[_Pair] = []
    size = len(values)
    while position < size:
        element = values[position]
        if isinstance(element, tuple) and is_entry(element) and isinstance(element[0], bytes):
            unit = scaler_unit_of(element[2]) if len(element) > 2 else None
            pairs.append((element[0], element[1], unit))
        elif isinstance(element, bytes) and is_code(element) and position + 1 < size:
            position += 1
            if isinstance(value := values[position], tuple):
                return pairs, values[position - 1 :]
            unit = scaler_unit_of(values[position + 1]) if position + 1 < size else None
            position += unit is not None
            pairs.append((element, value, unit))
        elif element is not None:
            return pairs, values[position:]
        position += 1
    return pairs, ()


def _head(first: Data) -> tuple[datetime | None, str, Scaling | None]:
    """Return clock or name at the beginning of a list, and the scaling of such lists."""
    if isinstance(first, bytes) and len(first) == TIME_LENGTH:
        if decode_date_time(first) is not None:
            return decode_clock(first), "", CLOCK_LIST
    elif isinstance(first, bytes | str) and not is_code(first):
        name = str(plain(first) or "")
        return None, name, _scaling_of(name)
    return None, "", None


def _scaling_of(name: str) -> Scaling | None:
    return next((scaling for begin, scaling in NAMED_LISTS if name.startswith(begin)), None)


def _with_fine_voltages(registers: list[Register]) -> list[Register]:
    """Scale all voltages down if one is too high to be in volts."""
    volts = [r.value for r in registers if _is_voltage(r) and type(r.value) is int]
    if max(volts, default=0) <= VOLTAGE_MAX:
        return registers
    return [
        Register(r.obis, scaled(r.value, FINE_VOLTAGE_SCALER), r.unit)
        if _is_voltage(r) and type(r.value) is int
        else r
        for r in registers
    ]


def _is_voltage(register: Register) -> bool:
    if register.unit != "V" or register.obis is None:
        return False
    found = quantity_of(register.obis)
    return found is not None and found[0] is Quantity.VOLTAGE
