"""Readers of the simple data types of A-XDR, by tag (IEC 62056-6-2, 4.1.5)."""

from collections.abc import Callable
from decimal import Decimal
import struct
from typing import Final

from ...errors import TelegramError
from .data_types import (
    BCD,
    BIT_STRING,
    BOOLEAN,
    DELTA_TYPES,
    DONT_CARE,
    ENUMERATED,
    FLOAT32,
    FLOAT64,
    INTEGER_TYPES,
    NULL,
    OCTET_STRING,
    TIME_TYPES,
    UTF8_STRING,
    VISIBLE_STRING,
    BitString,
    Data,
    Delta,
    Enumerated,
)
from .lengths import decode_length

#: Nesting of arrays and structures; captures of real meters have four levels.
_DEPTH_MAX: Final = 16
#: Finding the shortest decimal of a float32 takes as long as reading eight other values.
_FLOAT32_COST: Final = 7
_FLOAT32: Final = struct.Struct(">f")
_FLOAT32_NORMAL_MIN: Final = 2.0**-126
#: Digits with which the search for the shortest decimal begins, and that always suffice (IEEE 754).
_FLOAT32_DIGITS: Final = 7
_FLOAT32_DIGITS_MAX: Final = 9
_FLOAT64: Final = struct.Struct(">d")


class Budget:
    """How many values may still be in a value: a compact array of a few bytes can mean millions."""

    __slots__ = ("depth", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.depth = _DEPTH_MAX

    def take(self, count: int) -> None:
        """Use ``count`` values. Raises TelegramError if fewer are left."""
        self.left -= count
        if self.left < 0:
            raise self.error()

    def descend(self) -> None:
        """Enter an array or a structure. Raises TelegramError if it is nested too deep."""
        self.depth -= 1
        if self.depth < 0:
            raise self.error()

    def ascend(self) -> None:
        """Leave an array or a structure."""
        self.depth += 1

    def error(self) -> TelegramError:
        """Return the error for the limit that is exceeded."""
        return TelegramError("nested too deep" if self.depth < 0 else "too many values in one")


#: Reads the content behind a tag: takes the data, the position of the content, and the budget;
#: returns the value and the position behind it.
type Reader = Callable[[bytes, int, Budget], tuple[Data, int]]


def _null(_data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    return None, position


def _boolean(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    return data[position] != 0, position + 1


def _enumerated(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    return Enumerated(data[position]), position + 1


def _bcd(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    tens, ones = divmod(data[position], 16)
    is_number = tens < 10 and ones < 10
    return tens * 10 + ones if is_number else None, position + 1


def _octet_string(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    size = data[position]
    position += 1
    if size > 0x7F:
        size, position = decode_length(data, position - 1)
    end = position + size
    return data[position:end], end


def _bit_string(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    bits, position = decode_length(data, position)
    end = position + (bits + 7) // 8
    if end > len(data):
        raise IndexError
    text = f"{int.from_bytes(data[position:end]):0{8 * (end - position)}b}" if bits else ""
    return BitString(text[:bits]), end


def _text(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    """Read a text; octets if it is not UTF-8."""
    size, position = decode_length(data, position)
    end = position + size
    octets = data[position:end]
    try:
        return octets.decode(), end
    except UnicodeDecodeError:
        return octets, end


def _integer_reader(size: int, *, signed: bool, kind: type[int] = int) -> Reader:
    def read(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
        end = position + size
        return kind.from_bytes(data[position:end], signed=signed), end

    return read


def _octets_reader(size: int) -> Reader:
    def read(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
        end = position + size
        return data[position:end], end

    return read


def _float32(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
    """Read a float32 as the shortest decimal with the same bits; None if it is not finite."""
    budget.take(_FLOAT32_COST)
    end = position + _FLOAT32.size
    (number,) = _FLOAT32.unpack_from(data, position)
    if number - number != 0:
        return None, end
    content = data[position:end]
    # "g" drops trailing zeros, so only subnormal numbers can need fewer than seven digits.
    first = _FLOAT32_DIGITS if abs(number) >= _FLOAT32_NORMAL_MIN else 1
    texts = (f"{number:.{digits}g}" for digits in range(first, _FLOAT32_DIGITS_MAX))
    shortest = (text for text in texts if _float32_bytes(text) == content)
    return Decimal(next(shortest, f"{number:.{_FLOAT32_DIGITS_MAX}g}")), end


def _float32_bytes(text: str) -> bytes | None:
    try:
        return _FLOAT32.pack(float(text))
    except OverflowError:
        # Rounded up beyond the largest float32.
        return None


def _float64(data: bytes, position: int, _budget: Budget) -> tuple[Data, int]:
    """Read a float64 as the shortest decimal with the same bits; None if it is not finite."""
    (number,) = _FLOAT64.unpack_from(data, position)
    end = position + _FLOAT64.size
    return None if number - number != 0 else Decimal(repr(number).removesuffix(".0")), end


SIMPLE_READERS: Final[dict[int, Reader]] = {
    NULL: _null,
    BOOLEAN: _boolean,
    BIT_STRING: _bit_string,
    OCTET_STRING: _octet_string,
    VISIBLE_STRING: _text,
    UTF8_STRING: _text,
    BCD: _bcd,
    ENUMERATED: _enumerated,
    FLOAT32: _float32,
    FLOAT64: _float64,
    DONT_CARE: _null,
    **{tag: _integer_reader(size, signed=signed) for tag, (size, signed) in INTEGER_TYPES.items()},
    **{
        tag: _integer_reader(size, signed=signed, kind=Delta)
        for tag, (size, signed) in DELTA_TYPES.items()
    },
    **{tag: _octets_reader(size) for tag, size in TIME_TYPES.items()},
}
