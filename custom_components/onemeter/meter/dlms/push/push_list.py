"""Lists that begin with their push object list, which references the attributes in them."""

from collections.abc import Sequence
from decimal import Decimal
import re
from typing import Final

from ...obis import DEVICE_ID_2, LOGICAL_DEVICE_NAME, Obis
from ...reading import Register
from ..apdu.axdr import decode
from ..apdu.data_types import Data
from ..cosem import OBIS_LENGTH, REGISTER_CLASSES, VALUE, ObjectClass
from .lists import PUSH_LIST, PUSH_TABLES, UNTAGGED_LIST
from .obis_units import Quantity, Scaling, quantity_of
from .shapes import kinds_of
from .values import (
    IDS,
    Body,
    DecodedList,
    is_empty,
    obis_of,
    registers_of,
    scaler_unit_of,
    text,
    time_of,
    unscaled,
)

#: Class, code, attribute.
type Object = tuple[int, Obis, int]

#: Class of push setups.
_PUSH_SETUP: Final = 40
#: Attribute of a push setup: its own code.
_OWN_CODE: Final = 1
#: Types of 64 bits, in the letters of shapes.py.
_WIDE: Final = frozenset("UI")
#: Beginning of an array of descriptors without tags, and the bytes in which it is searched.
_UNTAGGED: Final = re.compile(rb"\x01(.)(?=\x02\x02\x00)", re.DOTALL)
_BEFORE_UNTAGGED: Final = 32
#: The most descriptors (known lists have 27), and the most values in the value of one.
_UNTAGGED_MAX: Final = 100
_UNTAGGED_VALUES: Final = 8
#: A structure of two elements: descriptor and value.
_DESCRIPTOR: Final = b"\x02\x02"


def objects_of(values: list[Data]) -> list[Object]:
    """Return the objects of a push object list; empty if it is none."""
    objects: list[Object] = []
    for value in values:
        match value:
            case (int(kind), bytes(name), int(attribute), _, *_) if len(name) == OBIS_LENGTH:
                objects.append((kind, obis_of(name), attribute))
            case _:
                return []
    return objects


def read_push_list(body: Body, objects: list[Object], values: Sequence[Data]) -> DecodedList | None:
    """Decode values in the order of their push object list, which may contain itself.

    The result has no registers if none of the objects measures; None if the number of values does
    not fit.
    """
    sent = values
    if len(objects) + 1 == len(values):
        values = values[1:]
    elif len(objects) != len(values):
        return None
    if not any(kind in REGISTER_CLASSES for kind, _, _ in objects):
        return DecodedList([])
    scalers = {
        name: scaling
        for (_, name, attribute), value in zip(objects, values, strict=True)
        if attribute != VALUE and (scaling := scaler_unit_of(value)) is not None
    }
    name = next(
        (
            text(value) or ""
            for (_, code, attribute), value in zip(objects, values, strict=True)
            if code == LOGICAL_DEVICE_NAME and attribute == VALUE
        ),
        "",
    )
    scaling_of_list = _scaling_of(body, objects, name, sent)
    registers: list[Register] = []
    clock = None
    for (kind, obis, attribute), value in zip(objects, values, strict=True):
        if kind == _PUSH_SETUP or attribute != VALUE or is_empty(value):
            continue
        if (time := time_of(obis, value)) is not None:
            clock = time
        elif isinstance(value, int | Decimal) and kind != ObjectClass.DATA:
            if obis in scalers:
                registers += registers_of(obis, value, scalers[obis])
            elif quantity_of(obis) is not None:
                registers.append(unscaled(obis, value, scaling_of_list))
        else:
            registers += registers_of(obis, value, None)
    return DecodedList(registers, clock, name=name)


def _scaling_of(body: Body, objects: list[Object], name: str, values: Sequence[Data]) -> Scaling:
    """Return the scaling of a meter's lists, by the first PushTable that fits."""
    name = name or body.title_prefix
    has_deviation = body.time is not None and body.time.tzinfo is not None
    setups = {(obis.b, attribute) for kind, obis, attribute in objects if kind == _PUSH_SETUP}
    has_own_code = any(attribute == _OWN_CODE for _, attribute in setups)
    is_wide = _has_wide_energies(body, objects, values)
    for table in PUSH_TABLES:
        if (
            (name.startswith(table.names) if table.names else not name)
            and table.has_deviation is has_deviation
            and table.has_own_code in {None, has_own_code}
            and table.is_wide in {None, is_wide}
            and (not table.setups or (setups and {b for b, _ in setups} <= table.setups))
        ):
            return table.scaling
    return PUSH_LIST


def _has_wide_energies(body: Body, objects: list[Object], values: Sequence[Data]) -> bool | None:
    """Return whether energies have 64 bits; None without energies."""
    kinds = kinds_of(body.data, body.start, values)[-len(objects) :]
    energies = [
        kind
        for (_, code, _), kind in zip(objects, kinds, strict=True)
        if (found := quantity_of(code)) is not None and found[0] is Quantity.ENERGY
    ]
    return any(kind in _WIDE for kind in energies) if energies else None


def read_untagged(body: Body) -> DecodedList | None:
    """Decode values with their descriptors (class, code, attribute), which have no tags.

    None if the body has no such list. Raises TelegramError.
    """
    data = body.data
    begin = _UNTAGGED.search(data, body.start, body.start + _BEFORE_UNTAGGED)
    if begin is None:
        return None
    count, position = begin[1][0], begin.end()
    if count > _UNTAGGED_MAX:
        return None
    registers: list[Register] = []
    clock = None
    for _ in range(count):
        if data[position : position + 2] != _DESCRIPTOR:
            return None
        # Raises TelegramError also if the code is cut off, since the value is as well.
        value, end = decode(data, position + 11, _UNTAGGED_VALUES)
        kind = int.from_bytes(data[position + 2 : position + 4])
        obis, position = obis_of(data[position + 4 : position + 10]), end
        if kind == _PUSH_SETUP:
            continue
        if (time := time_of(obis, value)) is not None:
            clock = time
        elif isinstance(value, int | Decimal):
            registers.append(unscaled(obis, value, UNTAGGED_LIST))
        else:
            registers += registers_of(obis, value, None)
    if position != len(data):
        return None
    return DecodedList(registers, clock, ids=(DEVICE_ID_2, *IDS))
