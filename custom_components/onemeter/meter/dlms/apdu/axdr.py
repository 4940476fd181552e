"""A-XDR: how COSEM writes data as bytes (IEC 61334-6, IEC 62056-5-3 and 62056-6-2, 4.1.5).

Data become plain values: null-data and don't-care None, structures tuples, arrays and compact
arrays lists, integers and BCD int (None where a digit is none), enumerations Enumerated,
floating-point numbers Decimal, octet strings, dates and times bytes, texts str, bit strings
BitString.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
import struct
from typing import Final

from ...errors import TelegramError

#: Structures in structures; real meters have four.
_DEPTH_MAX: Final = 16
#: Values in a value, all in all. Longer lists are decoded element by element: decode_elements().
VALUES_MAX: Final = 2048
#: Values that take as long as a single-precision number, besides itself.
_SINGLE_COUNTS: Final = 7


class Enumerated(int):
    """A value of an enumeration, such as a unit."""

    __slots__ = ()


class BitString(str):
    """Bits as text, such as ``0110``."""

    __slots__ = ()


class Delta(int):
    """The difference from the value in the row before."""

    __slots__ = ()


type Data = Decimal | int | str | bytes | bool | tuple[Data, ...] | list[Data] | None

NULL: Final = 0x00
ARRAY: Final = 0x01
STRUCTURE: Final = 0x02
BOOLEAN: Final = 0x03
BIT_STRING: Final = 0x04
OCTET_STRING: Final = 0x09
VISIBLE_STRING: Final = 0x0A
UTF8_STRING: Final = 0x0C
BCD: Final = 0x0D
COMPACT_ARRAY: Final = 0x13
ENUMERATED: Final = 0x16
DATE_TIME: Final = 0x19
DONT_CARE: Final = 0xFF

#: Bytes of the integers, and whether they have a sign.
_INTEGERS: Final = {
    0x05: (4, True),
    0x06: (4, False),
    0x0F: (1, True),
    0x10: (2, True),
    0x11: (1, False),
    0x12: (2, False),
    0x14: (8, True),
    0x15: (8, False),
}
_DELTAS: Final = {
    0x1C: (1, True),
    0x1D: (2, True),
    0x1E: (4, True),
    0x1F: (1, False),
    0x20: (2, False),
    0x21: (4, False),
}
#: Bytes of what is kept as it is: date-time, date, time.
_TIMES: Final = {DATE_TIME: 12, 0x1A: 5, 0x1B: 4}


def decode(data: bytes, position: int = 0, most: int = VALUES_MAX) -> tuple[Data, int]:
    """Read the value that begins at a position; return it, and where it ends.

    Raises TelegramError for an unknown type, data that end too early or are nested too deep, and
    for more values in it than ``most``.
    """
    try:
        values, position = _elements(data, position, 1, _Room(most))
    except IndexError, struct.error:
        raise _cut_off() from None
    return values[0], position


def decode_elements(data: bytes, position: int = 0) -> Iterator[Data]:
    """Yield the elements of an array or a compact array one by one, however many there are.

    What follows them is not looked at. Raises TelegramError as decode() does, for each element.
    """
    try:
        match data[position]:
            case 0x01:
                count, position = decode_length(data, position + 1)
                for _ in range(count):
                    (value,), position = _elements(data, position, 1, _Room(VALUES_MAX))
                    yield value
            case 0x13:
                room = _Room(VALUES_MAX)
                reader, position = _described(data, position + 1, room)
                size, position = decode_length(data, position)
                end = position + size
                while position < end:
                    room.left = VALUES_MAX
                    value, position = _next(reader, data, position, end, room)
                    yield value
            case _:
                raise TelegramError("no array")
    except IndexError, struct.error:
        raise _cut_off() from None


def _cut_off() -> TelegramError:
    return TelegramError("data end in the middle of a value")


class _Room:
    """How much may still be in a value: a few bytes of a compact array may mean millions."""

    __slots__ = ("depth", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.depth = _DEPTH_MAX

    def take(self, count: int) -> None:
        """Make room for so many values. Raises TelegramError."""
        self.left -= count
        if self.left < 0:
            raise self.error()

    def descend(self) -> None:
        """Go into an array or a structure. Raises TelegramError."""
        self.depth -= 1
        if self.depth < 0:
            raise self.error()

    def ascend(self) -> None:
        """Come out of it again."""
        self.depth += 1

    def error(self) -> TelegramError:
        """Return why there is no room left."""
        return TelegramError("nested too deep" if self.depth < 0 else "too many values in one")


def _elements(data: bytes, position: int, count: int, room: _Room) -> tuple[list[Data], int]:
    if count > len(data) - position:
        raise IndexError
    # What take() and descend() do, where time counts.
    room.left -= count
    room.depth -= 1
    if room.left < 0 or room.depth < 0:
        raise room.error()
    values: list[Data] = []
    append = values.append
    for _ in range(count):
        tag = data[position]
        position += 1
        # Most values are integers, beside codes in octet strings, and scalers with their units.
        if tag in _INTEGERS:
            size, signed = _INTEGERS[tag]
            end = position + size
            append(int.from_bytes(data[position:end], signed=signed))
            position = end
        elif tag == OCTET_STRING and data[position] < 0x80:
            start = position + 1
            position = start + data[position]
            append(data[start:position])
        elif (
            tag == STRUCTURE
            and data[position : position + 2] == b"\x02\x0f"
            and (data[position + 3] == ENUMERATED)
        ):
            append(_scaler_unit(data[position + 2], data[position + 4]))
            position += 5
        elif tag == STRUCTURE and data[position] < 0x80:
            elements, position = _elements(data, position + 1, data[position], room)
            append(tuple(elements))
        elif (reader := _READERS.get(tag)) is not None:
            value, position = reader(data, position, room)
            append(value)
        else:
            raise TelegramError(f"unknown type 0x{tag:02X} of data at byte {position - 1}")
    if position > len(data):
        raise IndexError
    room.depth += 1
    return values, position


@lru_cache(maxsize=256)
def _scaler_unit(scaler: int, unit: int) -> tuple[int, Enumerated]:
    """Return a structure of an integer and an enumeration; there are few of them."""
    return (scaler ^ 0x80) - 0x80, Enumerated(unit)


def decode_length(data: bytes, position: int) -> tuple[int, int]:
    """Read a length, of one byte or with the number of its bytes before it; return its end too.

    Raises IndexError at the end of the data, TelegramError for lengths beyond 32 bits.
    """
    first = data[position]
    position += 1
    if first < 0x80:
        return first, position
    size = first & 0x7F
    if not 1 <= size <= 4:
        raise TelegramError(f"length of {size} bytes at byte {position - 1}")
    end = position + size
    if end > len(data):
        raise IndexError
    return int.from_bytes(data[position:end]), end


#: Reads the content of a value; gets the data, where it begins, and what may still be in it.
type _Reader = Callable[[bytes, int, _Room], tuple[Data, int]]


def _array(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
    count, position = decode_length(data, position)
    return _elements(data, position, count, room)


def _structure(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
    count, position = decode_length(data, position)
    elements, position = _elements(data, position, count, room)
    return tuple(elements), position


def _null(_data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    return None, position


def _boolean(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    return data[position] != 0, position + 1


def _enumerated(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    return Enumerated(data[position]), position + 1


def _bcd(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    tens, ones = divmod(data[position], 16)
    is_number = tens < 10 and ones < 10
    return tens * 10 + ones if is_number else None, position + 1


def _octet_string(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    size = data[position]
    position += 1
    if size > 0x7F:
        size, position = decode_length(data, position - 1)
    end = position + size
    return data[position:end], end


def _bit_string(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    bits, position = decode_length(data, position)
    end = position + (bits + 7) // 8
    if end > len(data):
        raise IndexError
    text = f"{int.from_bytes(data[position:end]):0{8 * (end - position)}b}" if bits else ""
    return BitString(text[:bits]), end


def _text(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    """Read a text; what is no UTF-8 is kept as octets."""
    size, position = decode_length(data, position)
    end = position + size
    octets = data[position:end]
    try:
        return octets.decode(), end
    except UnicodeDecodeError:
        return octets, end


def _integer_reader(size: int, *, signed: bool, kind: type[int] = int) -> _Reader:
    def read(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
        end = position + size
        return kind.from_bytes(data[position:end], signed=signed), end

    return read


def _octets_reader(size: int) -> _Reader:
    def read(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
        end = position + size
        return data[position:end], end

    return read


def _single(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
    """Read a number as the shortest decimal that means the same; None for no number."""
    room.take(_SINGLE_COUNTS)
    end = position + _SINGLE.size
    (number,) = _SINGLE.unpack_from(data, position)
    if number - number != 0:
        return None, end
    content = data[position:end]
    # Seven digits are never too many, since zeros are left out, but for the tiniest numbers.
    first = 7 if abs(number) >= _SINGLE_NORMAL else 1
    texts = (f"{number:.{digits}g}" for digits in range(first, 9))
    shortest = (text for text in texts if _packed(text) == content)
    return Decimal(next(shortest, f"{number:.9g}")), end


def _packed(text: str) -> bytes | None:
    try:
        return _SINGLE.pack(float(text))
    except OverflowError:
        # Rounded up beyond the largest number.
        return None


def _double(data: bytes, position: int, _room: _Room) -> tuple[Data, int]:
    """Do the same with twice as many bytes."""
    (number,) = _DOUBLE.unpack_from(data, position)
    end = position + _DOUBLE.size
    return None if number - number != 0 else Decimal(repr(number).removesuffix(".0")), end


_SINGLE: Final = struct.Struct(">f")
_SINGLE_NORMAL: Final = 2.0**-126
_DOUBLE: Final = struct.Struct(">d")


def _compact_array(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
    """Read an array whose elements are all of one type, which is described once."""
    reader, position = _described(data, position, room)
    size, position = decode_length(data, position)
    end = position + size
    values: list[Data] = []
    while position < end:
        value, position = _next(reader, data, position, end, room)
        values.append(value)
    return values, position


def _next(reader: _Reader, data: bytes, position: int, end: int, room: _Room) -> tuple[Data, int]:
    """Read the next of some values of one type."""
    room.take(1)
    value, after = reader(data, position, room)
    if after == position:
        raise TelegramError(f"elements without content at byte {position}")
    if after > end or end > len(data):
        raise IndexError
    return value, after


def _described(data: bytes, position: int, room: _Room) -> tuple[_Reader, int]:
    """Read the description of a type; return what reads its content."""
    tag = data[position]
    position += 1
    if tag == ARRAY:
        if position + 2 > len(data):
            raise IndexError
        count = int.from_bytes(data[position : position + 2])
        room.descend()
        element, position = _described(data, position + 2, room)
        room.ascend()
        return _described_array(element, count), position
    if tag == STRUCTURE:
        count, position = decode_length(data, position)
        if count > len(data) - position:
            raise IndexError
        room.take(count)
        room.descend()
        readers: list[_Reader] = []
        for _ in range(count):
            reader, position = _described(data, position, room)
            readers.append(reader)
        room.ascend()
        return _described_structure(readers), position
    reader_of_tag = _READERS.get(tag)
    if reader_of_tag is None or tag == COMPACT_ARRAY:
        raise TelegramError(f"unknown type 0x{tag:02X} of elements at byte {position - 1}")
    return reader_of_tag, position


def _described_array(element: _Reader, count: int) -> _Reader:
    def read(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
        values: list[Data] = []
        for _ in range(count):
            value, position = _next(element, data, position, len(data), room)
            values.append(value)
        return values, position

    return read


def _described_structure(readers: Sequence[_Reader]) -> _Reader:
    def read(data: bytes, position: int, room: _Room) -> tuple[Data, int]:
        room.take(len(readers))
        values: list[Data] = []
        for reader in readers:
            value, position = reader(data, position, room)
            values.append(value)
        return tuple(values), position

    return read


_READERS: Final[dict[int, _Reader]] = {
    NULL: _null,
    ARRAY: _array,
    STRUCTURE: _structure,
    BOOLEAN: _boolean,
    BIT_STRING: _bit_string,
    OCTET_STRING: _octet_string,
    VISIBLE_STRING: _text,
    UTF8_STRING: _text,
    BCD: _bcd,
    COMPACT_ARRAY: _compact_array,
    ENUMERATED: _enumerated,
    DONT_CARE: _null,
    **{tag: _integer_reader(size, signed=signed) for tag, (size, signed) in _INTEGERS.items()},
    **{
        tag: _integer_reader(size, signed=signed, kind=Delta)
        for tag, (size, signed) in _DELTAS.items()
    },
    **{tag: _octets_reader(size) for tag, size in _TIMES.items()},
    0x17: _single,
    0x18: _double,
}


def encode_length(length: int) -> bytes:
    """Write a length."""
    if length < 0x80:
        return bytes([length])
    size = (length.bit_length() + 7) // 8
    return bytes([0x80 | size]) + length.to_bytes(size)


def octet_string(content: bytes) -> bytes:
    """Write an octet string, with its tag as all of these."""
    return bytes([OCTET_STRING]) + encode_length(len(content)) + content


def long_unsigned(number: int) -> bytes:
    """Write an unsigned integer of 16 bits."""
    return b"\x12" + number.to_bytes(2)


def double_long_unsigned(number: int) -> bytes:
    """Write an unsigned integer of 32 bits."""
    return b"\x06" + number.to_bytes(4)


def integer(number: int) -> bytes:
    """Write a signed integer of 8 bits."""
    return b"\x0f" + number.to_bytes(1, signed=True)


def structure(*elements: bytes) -> bytes:
    """Write a structure of values that are written already."""
    return bytes([STRUCTURE]) + encode_length(len(elements)) + b"".join(elements)


def array(*elements: bytes) -> bytes:
    """Write an array of values that are written already."""
    return bytes([ARRAY]) + encode_length(len(elements)) + b"".join(elements)
