"""Data types of COSEM: their tags, and the Python types of their values (IEC 62056-6-2, 4.1.5)."""

from decimal import Decimal
from typing import Final


class Enumerated(int):
    """A value of type enum, such as a unit."""

    __slots__ = ()


class BitString(str):
    """A value of type bit-string as text, such as ``0110``."""

    __slots__ = ()


class Delta(int):
    """A value of a delta type: the difference from the same column of the previous row."""

    __slots__ = ()


#: null-data and don't-care are None, structures tuples, arrays and compact arrays lists, integers
#: int, bcd int (None if a digit is not decimal), enum Enumerated, floating-point numbers Decimal
#: (None if not finite), octet strings, dates and times bytes, texts str, bit strings BitString.
type Data = Decimal | int | str | bytes | bool | tuple[Data, ...] | list[Data] | None

NULL: Final = 0x00
ARRAY: Final = 0x01
STRUCTURE: Final = 0x02
BOOLEAN: Final = 0x03
BIT_STRING: Final = 0x04
DOUBLE_LONG: Final = 0x05
DOUBLE_LONG_UNSIGNED: Final = 0x06
OCTET_STRING: Final = 0x09
VISIBLE_STRING: Final = 0x0A
UTF8_STRING: Final = 0x0C
BCD: Final = 0x0D
INTEGER: Final = 0x0F
LONG: Final = 0x10
UNSIGNED: Final = 0x11
LONG_UNSIGNED: Final = 0x12
COMPACT_ARRAY: Final = 0x13
LONG64: Final = 0x14
LONG64_UNSIGNED: Final = 0x15
ENUMERATED: Final = 0x16
FLOAT32: Final = 0x17
FLOAT64: Final = 0x18
DATE_TIME: Final = 0x19
DATE: Final = 0x1A
TIME: Final = 0x1B
DELTA_INTEGER: Final = 0x1C
DELTA_LONG: Final = 0x1D
DELTA_DOUBLE_LONG: Final = 0x1E
DELTA_UNSIGNED: Final = 0x1F
DELTA_LONG_UNSIGNED: Final = 0x20
DELTA_DOUBLE_LONG_UNSIGNED: Final = 0x21
DONT_CARE: Final = 0xFF

#: Size in bytes of the integer types, and whether they are signed.
INTEGER_TYPES: Final = {
    DOUBLE_LONG: (4, True),
    DOUBLE_LONG_UNSIGNED: (4, False),
    INTEGER: (1, True),
    LONG: (2, True),
    UNSIGNED: (1, False),
    LONG_UNSIGNED: (2, False),
    LONG64: (8, True),
    LONG64_UNSIGNED: (8, False),
}
DELTA_TYPES: Final = {
    DELTA_INTEGER: (1, True),
    DELTA_LONG: (2, True),
    DELTA_DOUBLE_LONG: (4, True),
    DELTA_UNSIGNED: (1, False),
    DELTA_LONG_UNSIGNED: (2, False),
    DELTA_DOUBLE_LONG_UNSIGNED: (4, False),
}
#: Size in bytes of the types that are returned as bytes.
TIME_TYPES: Final = {DATE_TIME: 12, DATE: 5, TIME: 4}
