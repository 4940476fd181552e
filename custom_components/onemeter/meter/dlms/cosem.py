"""Objects of COSEM: their classes, their attributes, and what the values mean (IEC 62056-6-2)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Value
from ..units import UNITS, scaled
from .apdu.axdr import Data
from .apdu.times import LENGTH as TIME_LENGTH, decode_date_time

OBIS_LENGTH: Final = 6
CURRENT_ASSOCIATION: Final = Obis(0, 0, 40, 0, 0, 255)
#: A scaler beyond it is damaged.
_SCALER_MAX: Final = 32


class ObjectClass(IntEnum):
    """The classes whose attributes are read."""

    DATA = 1
    REGISTER = 3
    EXTENDED_REGISTER = 4
    DEMAND_REGISTER = 5
    PROFILE_GENERIC = 7
    CLOCK = 8
    ASSOCIATION_BY_SHORT_NAMES = 12
    ASSOCIATION = 15
    SECURITY_SETUP = 64


#: Attributes by their numbers: the value of most classes, the buffer of a profile, the object list.
VALUE: Final = 2
LAST_AVERAGE: Final = 3
CAPTURE_OBJECTS: Final = 3
CAPTURE_PERIOD: Final = 4
#: Of registers.
SCALER_UNIT: Final = {
    ObjectClass.REGISTER: 3,
    ObjectClass.EXTENDED_REGISTER: 3,
    ObjectClass.DEMAND_REGISTER: 4,
}
CAPTURE_TIME: Final = {ObjectClass.EXTENDED_REGISTER: 5, ObjectClass.DEMAND_REGISTER: 6}
#: More objects than any meter has.
OBJECTS_MAX: Final = 4000
#: What an attribute may not be accessed for.
_NO_ACCESS: Final = 0


class CosemObject(NamedTuple):
    """An object that a meter has."""

    class_id: int
    version: int
    obis: Obis


@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """What makes a value of a register's number."""

    scaler: int
    unit: str | None

    def scale(self, number: Decimal | int) -> Decimal | int:
        """Return the exact value."""
        return scaled(number, self.scaler)


def parse_scaler_unit(data: Data) -> ScalerUnit | None:
    """Read a scaler with its unit; None where it is neither."""
    match data:
        case (int(scaler), int(unit)) if abs(scaler) <= _SCALER_MAX:
            return ScalerUnit(scaler, UNITS.get(unit))
    return None


def accessible_objects(elements: Iterable[Data]) -> Iterator[CosemObject | None]:
    """Yield what the elements of an association's object list are, in their order.

    None for objects whose value this client may not access. Raises TelegramError.
    """
    for number, element in enumerate(elements):
        match element:
            case (int(class_id), int(version), bytes(name), *rights) if (
                len(name) == OBIS_LENGTH and number < OBJECTS_MAX
            ):
                is_readable = _may_read(rights)
                yield CosemObject(class_id, version, Obis.from_bytes(name)) if is_readable else None
            case _:
                raise TelegramError("an object list with something else in it, or without end")


def _may_read(rights: Sequence[Data]) -> bool:
    match rights:
        case [(list(attributes), *_)]:
            for attribute in attributes:
                match attribute:
                    case (int(number), int(mode), *_) if number == VALUE:
                        return mode != _NO_ACCESS
    return True


def number_of(data: Data) -> Decimal | int | None:
    """Return what a register's value attribute holds as a number; None without one."""
    if isinstance(data, bool):
        return None
    if isinstance(data, int):
        return int(data)
    return data if isinstance(data, Decimal) else None


def register_value(data: Data, scaler_unit: ScalerUnit) -> Value:
    """Return the value of a register; None where the meter has none."""
    number = number_of(data)
    return plain_value(data) if number is None else scaler_unit.scale(number)


def plain_value(data: Data) -> Value:
    """Return a value that has no scaler: octets that are text as text; None for arrays."""
    match data:
        case bool():
            return data
        case int():
            return int(data)
        case str():
            return str(data).strip("\0 ")
        case bytes():
            return text_of(data)
        case Decimal():
            return data
    return None


def text_of(octets: bytes) -> str | bytes:
    """Return the text that an octet string is, or the octets where they are none."""
    trimmed = octets.rstrip(b"\0 ")
    if trimmed and trimmed.isascii() and (text := trimmed.decode("ascii")).isprintable():
        return text
    return octets


def time_of(data: Data, *, invert: bool = False) -> datetime | None:
    """Return the point in time that a clock, a capture time or a profile's row holds.

    Twelve octets, or the seconds since 1970 (UTC).
    """
    if isinstance(data, bytes) and len(data) == TIME_LENGTH:
        return decode_date_time(data, invert=invert)
    if isinstance(data, int) and not isinstance(data, bool) and 0 < data < 1 << 32:
        return datetime.fromtimestamp(data, UTC)
    return None
