"""COSEM objects: classes, attributes, and the meaning of values (IEC 62056-6-2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Value
from ..units import UNITS, scaled
from .apdu.data_types import Data
from .apdu.times import LENGTH as TIME_LENGTH, decode_date_time

OBIS_LENGTH: Final = 6
CURRENT_ASSOCIATION: Final = Obis(0, 0, 40, 0, 0, 255)
#: The largest plausible power of ten; any beyond it is damaged data.
_SCALER_MAX: Final = 32
#: Begin of a date-time that is encoded twice: tag and length of its octet-string.
_TIME_TAG: Final = bytes([0x09, TIME_LENGTH])


class ObjectClass(IntEnum):
    """Interface classes whose attributes are read."""

    DATA = 1
    REGISTER = 3
    EXTENDED_REGISTER = 4
    DEMAND_REGISTER = 5
    PROFILE_GENERIC = 7
    CLOCK = 8
    ASSOCIATION_BY_SHORT_NAMES = 12
    ASSOCIATION = 15
    MBUS_CLIENT = 72


REGISTER_CLASSES: Final = frozenset(
    {ObjectClass.REGISTER, ObjectClass.EXTENDED_REGISTER, ObjectClass.DEMAND_REGISTER}
)

#: Attribute 2: the value of most classes, the buffer of a profile, an object list.
VALUE: Final = 2
#: Attribute of a demand register.
LAST_AVERAGE: Final = 3
#: Attributes of a profile.
CAPTURE_OBJECTS: Final = 3
CAPTURE_PERIOD: Final = 4
#: Attributes of registers, by class.
SCALER_UNIT: Final[Mapping[int, int]] = {
    ObjectClass.REGISTER: 3,
    ObjectClass.EXTENDED_REGISTER: 3,
    ObjectClass.DEMAND_REGISTER: 4,
}
#: Attributes with the time of a value, by class.
CAPTURE_TIME: Final[Mapping[int, int]] = {
    ObjectClass.EXTENDED_REGISTER: 5,
    ObjectClass.DEMAND_REGISTER: 6,
}
#: Attribute of an M-Bus client.
IDENTIFICATION_NUMBER: Final = 6
#: The first attribute to read of classes of which that is not VALUE.
_FIRST_READ: Final[Mapping[int, int]] = {ObjectClass.MBUS_CLIENT: IDENTIFICATION_NUMBER}
#: More objects than any known meter has.
OBJECTS_MAX: Final = 4000
#: Access mode of an attribute.
_NO_ACCESS: Final = 0


class CosemObject(NamedTuple):
    """An object of a meter."""

    class_id: int
    version: int
    obis: Obis


@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """Scaler (power of ten) and unit of a register."""

    scaler: int
    unit: str | None

    def scale(self, number: Decimal | int) -> Decimal | int:
        """Return the number times ten to the power of the scaler, exactly."""
        return scaled(number, self.scaler)


def parse_scaler_unit(data: Data) -> ScalerUnit | None:
    """Return {scaler, unit} as ScalerUnit; None for other data. The unit may be unknown (None)."""
    match data:
        case (int(scaler), int(unit)) if abs(scaler) <= _SCALER_MAX:
            return ScalerUnit(scaler, UNITS.get(unit))
    return None


def accessible_objects(elements: Iterable[Data]) -> Iterator[CosemObject | None]:
    """Yield the objects in the elements of an object list (class 15), in their order.

    None stands for an object whose first attribute to read this client may not access: attribute 2
    of most classes. Raises TelegramError.
    """
    for number, element in enumerate(elements):
        match element:
            case (int(class_id), int(version), bytes(name), *rights) if (
                len(name) == OBIS_LENGTH and number < OBJECTS_MAX
            ):
                is_readable = _may_read(rights, _FIRST_READ.get(class_id, VALUE))
                yield CosemObject(class_id, version, Obis.from_bytes(name)) if is_readable else None
            case _:
                raise TelegramError("an object list with something else in it, or without end")


def _may_read(rights: Sequence[Data], wanted: int) -> bool:
    match rights:
        case [(list(attributes), *_)]:
            for attribute in attributes:
                match attribute:
                    case (int(number), int(mode), *_) if number == wanted:
                        return mode != _NO_ACCESS
    return True


def number_of(data: Data) -> Decimal | int | None:
    """Return the data of a register as a number; None for other data."""
    if isinstance(data, bool):
        return None
    if isinstance(data, int):
        return int(data)
    return data if isinstance(data, Decimal) else None


def register_value(data: Data, scaler_unit: ScalerUnit) -> Value:
    """Return the scaled value of a register; other data as plain_value() does."""
    number = number_of(data)
    return plain_value(data) if number is None else scaler_unit.scale(number)


def plain_value(data: Data) -> Value:
    """Return data without a scaler as a value of a register; None for arrays and structures.

    Octets that are printable text are returned as text.
    """
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
    """Return octets as text if they are printable ASCII, without trailing NULs and blanks."""
    trimmed = octets.rstrip(b"\0 ")
    if trimmed and trimmed.isascii() and (text := trimmed.decode("ascii")).isprintable():
        return text
    return octets


def time_of(data: Data, *, invert: bool = False) -> datetime | None:
    """Return a clock, a capture time or the time of a profile's row; None for other data.

    Either a date-time of 12 octets (see decode_date_time()), which meters with GuruxDLMS.c encode
    twice in lists of attributes, or the seconds since 1970 in UTC.
    """
    if isinstance(data, bytes) and len(data) == len(_TIME_TAG) + TIME_LENGTH:
        data = data.removeprefix(_TIME_TAG)
    if isinstance(data, bytes) and len(data) == TIME_LENGTH:
        return decode_date_time(data, invert=invert)
    if isinstance(data, int) and not isinstance(data, bool) and 0 < data < 1 << 32:
        return datetime.fromtimestamp(data, UTC)
    return None
