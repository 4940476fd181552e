"""Notifications: what meters push without being asked (IEC 62056-5-3, 6.3.10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
import re
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Identity, Reading, Register, Value
from ..units import UNITS, scaled
from .axdr import OCTET_STRING, STRUCTURE, Data, Enumerated, decode, decode_length
from .cosem import OBIS_LENGTH, VALUE, ObjectClass
from .quantities import Quantity, Scaling, quantity_of
from .tables import (
    CLOCK_LIST,
    LOGICAL_DEVICE_NAME,
    MANUFACTURERS,
    NAMED_LISTS,
    POSITIONAL_LISTS,
    PUSH_LIST,
    PUSH_TABLES,
    UNTAGGED_LIST,
    PositionalList,
)
from .times import LENGTH as TIME_LENGTH, decode_date_time
from .xdlms import DATA_NOTIFICATION

#: Tag, invoke id and priority.
_HEADER_LENGTH: Final = 5
#: Values in a notification; the longest that meters are known to send have 160.
_VALUES_MAX: Final = 400
_SCALERS: Final = range(-128, 128)
#: Groups C and D of what shows the time.
_CLOCK: Final = (1, 0)
#: Where meters tell who they are, the best place first.
_IDS: Final = tuple(
    map(Obis.parse, ("0-0:96.1.0", "1-1:0.0.5", "0-0:42.0.0", "0-0:96.1.1", "1-1:0.0.1"))
)
_DEVICE_ID_2: Final = Obis(0, 0, 96, 1, 1)
#: One letter for each kind of element, by its tag.
_LETTERS: Final = {
    0x00: "n",
    0x05: "i",
    0x06: "u",
    0x0A: "t",
    0x0C: "t",
    0x0F: "b",
    0x10: "i",
    0x11: "b",
    0x12: "w",
    0x14: "i",
    0x15: "u",
    0x16: "e",
    0x19: "d",
}
_WIDE: Final = frozenset({0x14, 0x15})
#: Groups C of what describes a meter.
_DESCRIPTIVE: Final = frozenset({0, *range(96, 256)})
#: A year in which a clock was set.
_YEARS: Final = range(2000, 2100)

#: A meter sends the same few codes again and again.
_obis = lru_cache(maxsize=1024)(Obis.from_bytes)


@dataclass(frozen=True, slots=True)
class _List:
    """What was found in a body."""

    registers: list[Register]
    clock: datetime | None = None
    #: What stands behind a flat list.
    meter_id: str | None = None
    #: The name of the list, or of the meter.
    name: str = ""
    ids: Sequence[Obis] = _IDS


@dataclass(frozen=True, slots=True)
class _Body:
    """The body of a notification, and what is around it."""

    data: bytes
    start: int
    time: datetime | None
    is_tagged: bool
    title: bytes


def decode_notification(apdu: bytes, raw: bytes, title: bytes = b"") -> Reading | None:
    """Make the reading of a data notification; None where there are no values that are known.

    ``title`` is the system title of its sender, where it is known. Raises TelegramError where it is
    not well-formed to its last byte.
    """
    try:
        body = _open(apdu, title)
        found = _find(body)
    except IndexError:
        raise TelegramError("a notification ends too early") from None
    if found is None or not found.registers:
        return None
    time = body.time or found.clock
    return Reading(_identity(found, title), time, tuple(found.registers), raw)


def is_plausible(apdu: bytes) -> bool:
    """Tell whether deciphering gave a notification, not the garbage that a wrong key makes.

    It must be well-formed to its last byte, and have a date, or the code of a register.
    """
    try:
        body = _open(apdu, b"")
        if body.time is not None and body.time.year in _YEARS:
            _values(body)
            return True
        return _find(body) is not None
    except IndexError, TelegramError:
        return False


def _open(apdu: bytes, title: bytes) -> _Body:
    """Read what is before the body: the date-time is standard, left out, or tagged."""
    if apdu[0] != DATA_NOTIFICATION:
        raise TelegramError("not a notification")
    start = _HEADER_LENGTH
    is_tagged = apdu[start] == OCTET_STRING
    start += is_tagged
    length = apdu[start]
    start += 1
    if length not in {0, TIME_LENGTH}:
        raise TelegramError("a notification without its date")
    time = decode_date_time(apdu[start : start + length])
    return _Body(apdu, start + length, time, is_tagged, title)


def _values(body: _Body) -> Data:
    value, end = decode(body.data, body.start, _VALUES_MAX)
    if end != len(body.data):
        raise TelegramError("bytes behind a notification")
    return value


def _find(body: _Body) -> _List | None:
    try:
        values = _values(body)
    except TelegramError:
        found = _untagged(body)
        if found is None:
            raise
        return found
    if not isinstance(values, tuple | list) or not values:
        return None
    if isinstance(values[0], list) and (objects := _objects(values[0])):
        return _push_list(body, objects, values)
    if all(map(_is_entry, values)):
        return _entries(values)
    if any(map(_is_code, values)):
        return _flat(values)
    return _positional(body, values)


# --- Codes with their values ----------------------------------------------------------------------


def _is_code(value: Data) -> bool:
    return type(value) is bytes and len(value) == OBIS_LENGTH


def _is_entry(value: Data) -> bool:
    return (
        type(value) is tuple
        and 2 <= len(value) <= 3
        and type(code := value[0]) is bytes
        and len(code) == OBIS_LENGTH
    )


def _scaler_unit(data: Data) -> tuple[int, str | None] | None:
    if type(data) is tuple and len(data) == 2:
        scaler, unit = data
        if type(unit) is Enumerated and type(scaler) is int and scaler in _SCALERS:
            return scaler, UNITS.get(unit)
    return None


def _entries(values: Sequence[Data]) -> _List | None:
    """Read a list of {code, value, {scaler, unit}}."""
    registers: list[Register] = []
    clock = None
    for entry in values:
        if not isinstance(entry, tuple) or not isinstance(entry[0], bytes):
            return None
        obis, value = _obis(entry[0]), entry[1]
        scaling = _scaler_unit(entry[2]) if len(entry) > 2 else None
        if type(value) is int and scaling is not None:
            registers.append(Register(obis, scaled(value, scaling[0]), scaling[1]))
        elif (time := _time(obis, value)) is not None:
            clock = time
        else:
            registers += _register(obis, value, scaling)
    return _List(registers, clock)


def _flat(values: Sequence[Data]) -> _List:
    """Read codes and values in turns, with scalers and units or without."""
    registers: list[Register] = []
    clock = None
    name = ""
    meter_id = None
    scaling: Scaling | None = None
    position = 0
    if not _is_code(first := values[0]):
        position = 1
        if isinstance(first, bytes) and len(first) == TIME_LENGTH:
            clock = decode_date_time(first)
            scaling = CLOCK_LIST
        else:
            name = str(_plain(first) or "")
            scaling = _named(name)
    size = len(values)
    while position < size:
        code = values[position]
        position += 1
        if not isinstance(code, bytes) or len(code) != OBIS_LENGTH or position == size:
            # Meters with one phase leave the places of the others empty.
            if position == size and code is not None:
                meter_id = _text(code)
            continue
        value = values[position]
        position += 1
        if type(value) is int and (position == size or type(values[position]) is bytes):
            registers.append(_number(code, value, scaling))
            continue
        obis = _obis(code)
        unit = _scaler_unit(values[position]) if position < size else None
        position += unit is not None
        if (time := _time(obis, value)) is not None:
            clock = time
            continue
        if unit is None and isinstance(value, int | Decimal):
            registers += _unscaled(obis, value, scaling)
            continue
        registers += _register(obis, value, unit)
        if scaling is None and not name and isinstance(text := registers[-1].value, str):
            name = text
            scaling = _named(name)
    return _List(registers, clock, meter_id, name)


@lru_cache(maxsize=1024)
def _measured(code: bytes) -> tuple[Obis, tuple[Quantity, str | None] | None]:
    obis = _obis(code)
    return obis, quantity_of(obis)


def _number(code: bytes, value: int, scaling: Scaling | None) -> Register:
    """Return what _unscaled() does, for the most usual of all elements."""
    obis, found = _measured(code)
    if found is not None and scaling is not None:
        quantity, unit = found
        if (scaler := scaling.get(quantity)) is not None:
            return Register(obis, scaled(value, scaler), unit)
    return _unscaled(obis, value, scaling)[0]


def _named(name: str) -> Scaling | None:
    return next((scaling for begin, scaling in NAMED_LISTS if name.startswith(begin)), None)


def _untagged(body: _Body) -> _List | None:
    """Read descriptors without tags: class, code, attribute as they are, then a value."""
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
        if data[position : position + 2] != b"\x02\x02":
            return None
        # Raises TelegramError where the code is cut off, since the value behind it is.
        value, end = decode(data, position + 11, _UNTAGGED_VALUES)
        obis, position = _obis(data[position + 4 : position + 10]), end
        if (time := _time(obis, value)) is not None:
            clock = time
        elif isinstance(value, int | Decimal):
            registers += _unscaled(obis, value, UNTAGGED_LIST)
        else:
            registers += _register(obis, value, None)
    if position != len(data):
        return None
    return _List(registers, clock, ids=(_DEVICE_ID_2, *_IDS))


# --- Lists that say beforehand what is in them ----------------------------------------------------

type _Object = tuple[int, Obis, int]


def _objects(values: list[Data]) -> list[_Object]:
    """Read a push object list: class, code, attribute of each; empty where it is none."""
    objects: list[_Object] = []
    for value in values:
        match value:
            case (int(kind), bytes(name), int(attribute), _, *_) if len(name) == OBIS_LENGTH:
                objects.append((kind, _obis(name), attribute))
            case _:
                return []
    return objects


def _push_list(body: _Body, objects: list[_Object], values: Sequence[Data]) -> _List | None:
    """Read values in the order of the list before them, which may be one of its own objects."""
    if len(objects) + 1 == len(values):
        values = values[1:]
    elif len(objects) != len(values):
        return None
    if not any(kind in _MEASURING for kind, _, _ in objects):
        return None
    scalers = {
        name: scaling
        for (_, name, attribute), value in zip(objects, values, strict=True)
        if attribute != VALUE and (scaling := _scaler_unit(value)) is not None
    }
    name = next(
        (
            _text(value) or ""
            for (_, code, attribute), value in zip(objects, values, strict=True)
            if code == LOGICAL_DEVICE_NAME and attribute == VALUE
        ),
        "",
    )
    table = _push_table(body, objects, name)
    registers: list[Register] = []
    clock = None
    for (kind, obis, attribute), value in zip(objects, values, strict=True):
        if kind == _PUSH_SETUP or attribute != VALUE or _is_empty(value):
            continue
        if (time := _time(obis, value)) is not None:
            clock = time
        elif isinstance(value, int | Decimal) and kind != ObjectClass.DATA:
            if obis in scalers:
                registers += _register(obis, value, scalers[obis])
            elif quantity_of(obis) is not None:
                registers += _unscaled(obis, value, table)
        else:
            registers += _register(obis, value, None)
    return _List(registers, clock, name=name)


#: An array of descriptors without tags, and the bytes before which it begins.
_UNTAGGED: Final = re.compile(rb"\x01(.)(?=\x02\x02\x00)", re.DOTALL)
_BEFORE_UNTAGGED: Final = 32
#: How many there may be (real ones have 27), and values in the value of one of them.
_UNTAGGED_MAX: Final = 100
_UNTAGGED_VALUES: Final = 8
_PUSH_SETUP: Final = 40
#: Kinds of objects that measure.
_MEASURING: Final = frozenset(
    {ObjectClass.REGISTER, ObjectClass.EXTENDED_REGISTER, ObjectClass.DEMAND_REGISTER}
)


def _push_table(body: _Body, objects: list[_Object], name: str) -> Scaling:
    """Return how a meter scales what it pushes."""
    name = name or body.title[:3].decode("latin-1")
    has_deviation = body.time is not None and body.time.tzinfo is not None
    has_setup = any(kind == _PUSH_SETUP and attribute == 1 for kind, _, attribute in objects)
    tags = list(_tags(body))
    is_wide = any(
        tag in _WIDE and (found := quantity_of(code)) is not None and found[0] is Quantity.ENERGY
        for (_, code, _), tag in zip(objects, tags[-len(objects) :], strict=False)
    )
    for table in PUSH_TABLES:
        if (
            name.startswith(table.names)
            and table.has_deviation is has_deviation
            and table.has_setup in {None, has_setup}
            and table.is_wide in {None, is_wide}
        ):
            return table.scaling
    return PUSH_LIST


# --- Lists without codes --------------------------------------------------------------------------


#: Elements of the longest list without codes.
_POSITIONAL_MAX: Final = max(len(known.codes) for known in POSITIONAL_LISTS)


def _tags(body: _Body) -> Iterator[int]:
    """Yield the tags of the elements of a body."""
    data = body.data
    count, position = decode_length(data, body.start + 1)
    for _ in range(count):
        yield data[position]
        _, position = decode(data, position)


def _letter(tag: int, value: Data) -> str:
    if tag != OCTET_STRING or not isinstance(value, bytes):
        return _LETTERS.get(tag, "-")
    if len(value) == TIME_LENGTH and decode_date_time(value) is not None:
        return "d"
    return "t" if isinstance(_plain(value), str) else "o"


def _positional(body: _Body, values: Sequence[Data]) -> _List | None:
    if body.data[body.start] != STRUCTURE or len(values) > _POSITIONAL_MAX:
        return None
    shape = "".join(map(_letter, _tags(body), values, strict=True))
    name = _text(values[0]) or ""
    for known in POSITIONAL_LISTS:
        if (
            known.shape.fullmatch(shape)
            and name.startswith(known.name)
            and known.is_tagged in {None, body.is_tagged}
        ):
            return _placed(known, values, name)
    return None


def _placed(known: PositionalList, values: Sequence[Data], name: str) -> _List:
    registers: list[Register] = []
    clock = None
    for obis, value in zip(known.codes, values, strict=True):
        if obis is None:
            continue
        if (time := _time(obis, value)) is not None:
            clock = time
        elif isinstance(value, int | Decimal):
            registers += _unscaled(obis, value, known.scaling)
        else:
            registers += _register(obis, value, None)
    return _List(registers, clock, name=name)


# --- Values ---------------------------------------------------------------------------------------


def _time(obis: Obis, value: Data) -> datetime | None:
    """Return what a clock shows; None where this is none."""
    if not isinstance(value, bytes) or obis[2:4] != _CLOCK or obis.a not in {0, 1}:
        return None
    return decode_date_time(value)


def _register(
    obis: Obis, value: Data, scaling: tuple[int, str | None] | None
) -> tuple[Register, ...]:
    if isinstance(value, tuple | list):
        return ()
    if obis[2:4] == _CLOCK and isinstance(value, bytes) and len(value) == TIME_LENGTH:
        return ()
    if scaling is not None and (type(value) is int or type(value) is Decimal):
        scaler, unit = scaling
        return (Register(obis, scaled(value, scaler), unit),)
    return (Register(obis, _plain(value)),)


def _unscaled(obis: Obis, value: Decimal | int, scaling: Scaling | None) -> tuple[Register, ...]:
    """Return a number whose scaler and unit are those of its list; None where they are unknown."""
    found = quantity_of(obis)
    if found is None:
        # What measures nothing is an id, counts something, or is a state.
        measures = obis.a != 0 and obis.c not in _DESCRIPTIVE
        return (Register(obis, None if measures else _plain(value)),)
    quantity, unit = found
    if scaling is None or (scaler := scaling.get(quantity)) is None:
        return (Register(obis, None, unit),)
    return (Register(obis, scaled(value, scaler), unit),)


def _is_empty(value: Data) -> bool:
    """Tell whether a value is the empty place of another meter's id."""
    return isinstance(value, bytes) and not value.strip(b"\0")


def _plain(value: Data) -> Value:
    """Return a value that measures nothing: octets that are text as such, without NULs behind."""
    match value:
        case Enumerated():
            return int(value)
        case bytes():
            text = value.rstrip(b"\0")
            if text and text.isascii() and (decoded := text.decode("ascii")).isprintable():
                return decoded
            return value
        case str():
            return value.rstrip("\0")
        case tuple() | list():
            return None
    return value


def _text(value: Data) -> str | None:
    """Return a value that is text; None for any other."""
    plain = _plain(value)
    return plain if isinstance(plain, str) and plain else None


def _identity(found: _List, title: bytes) -> Identity:
    meter_id = found.meter_id
    if meter_id is None:
        told = {r.obis: r.value for r in reversed(found.registers) if r.unit is None}
        ids = (told.get(obis) for obis in found.ids)
        meter_id = next((str(id_) for id_ in ids if id_ and isinstance(id_, str | int)), None)
    manufacturer = next(
        (flag for begin, flag in MANUFACTURERS if found.name.startswith(begin)), None
    )
    if manufacturer is None:
        letters = (title[:3].decode("latin-1"), found.name[:3], (meter_id or "")[:3])
        manufacturer = next(
            (text for text in letters if len(text) == 3 and text.isascii() and text.isupper()), None
        )
    return Identity(meter_id=meter_id, manufacturer=manufacturer)
