"""The meters on the M-Bus of a polled meter: M-Bus client objects (IEC 62056-6-2, class 72)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..obis import ABSTRACT, CURRENT_VALUE, C, Obis
from ..reading import Register
from .apdu.data_types import Data

#: Attributes from the header of the meter's telegrams (EN 13757-3).
MANUFACTURER_ID: Final = 7
DEVICE_TYPE: Final = 9

#: Value groups C and D of the hourly values of these meters.
MBUS_PROFILE: Final = (24, 3)

_DIGITS: Final = 8
_DEVICE_TYPE_MAX: Final = 0xFF
#: Three letters of five bits each, from A = 1 on. The bit above them says whether the address is
#: unique worldwide.
_LETTER_SHIFTS: Final = (10, 5, 0)
_LETTER_MASK: Final = 0x1F
_LETTERS: Final = 26
_MANUFACTURER_MAX: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class MbusClient:
    """The meter at a channel; None for what the electricity meter does not answer."""

    #: Eight digits.
    number: str | None
    #: FLAG code.
    manufacturer: str | None
    #: The medium (EN 13757-3, table 3).
    device_type: int | None
    #: Whether the last two are final: the electricity meter may not know them yet.
    is_complete: bool = True


def number_of(data: Data) -> str | None:
    """Return an identification number, which is eight packed BCD digits in an integer.

    None for zeros, with which channels without a meter answer, and for anything else: a number that
    is not BCD has no defined meaning.
    """
    if isinstance(data, bool) or not isinstance(data, int) or data <= 0:
        return None
    digits = f"{data:0{_DIGITS}X}"
    return digits if len(digits) == _DIGITS and digits.isdecimal() else None


def manufacturer_of(data: Data) -> str | None:
    """Return the FLAG code in a manufacturer id; None for anything else."""
    if isinstance(data, bool) or not isinstance(data, int) or not 0 < data <= _MANUFACTURER_MAX:
        return None
    letters = [data >> shift & _LETTER_MASK for shift in _LETTER_SHIFTS]
    if not all(0 < letter <= _LETTERS for letter in letters):
        return None
    return "".join(chr(ord("A") - 1 + letter) for letter in letters)


def device_type_of(data: Data) -> int | None:
    """Return a device type; None for anything else."""
    if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data <= _DEVICE_TYPE_MAX:
        return None
    return data


def id_code(obis: Obis) -> Obis:
    """Return the code of the id of the meter whose client object has this code."""
    return Obis(ABSTRACT, obis.b, C.SERVICE, 1, 0, CURRENT_VALUE)


def registers_of_client(obis: Obis, client: MbusClient, *, has_id: bool) -> Iterator[Register]:
    """Yield device type and id of a meter as registers, as in pushed lists and at P1 ports.

    The id is the FLAG code and the number. ``has_id``: whether the meter returns the id in an
    object of its own, which is more complete.
    """
    if client.device_type is not None:
        yield Register(obis, client.device_type, address=str(obis))
    if client.number is not None and not has_id:
        code = id_code(obis)
        yield Register(code, f"{client.manufacturer or ''}{client.number}", address=str(code))
