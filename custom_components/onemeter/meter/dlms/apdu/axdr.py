"""A-XDR: the encoding of COSEM data (IEC 61334-6, IEC 62056-5-3 and 62056-6-2, 4.1.5)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
import struct
from typing import Final

from ...errors import TelegramError
from .data_types import (
    ARRAY,
    COMPACT_ARRAY,
    DOUBLE_LONG_UNSIGNED,
    ENUMERATED,
    INTEGER,
    INTEGER_TYPES,
    LONG_UNSIGNED,
    OCTET_STRING,
    STRUCTURE,
    Data,
    Enumerated,
)
from .lengths import decode_length, encode_length
from .simple_types import SIMPLE_READERS, Budget, Reader

#: Values in one value, nested ones included, which bounds the time of one call. Longer lists are
#: decoded element by element with decode_elements().
VALUES_MAX: Final = 2048
#: The elements of {scaler, unit}: a structure of two, the first of which is an integer.
_SCALER_UNIT_START: Final = bytes((2, INTEGER))


def decode(data: bytes, position: int = 0, most: int = VALUES_MAX) -> tuple[Data, int]:
    """Return the value that begins at ``position``, and the position behind it.

    Raises TelegramError for an unknown type, for data that end too early or are nested too deep,
    and if the value holds more than ``most`` values.
    """
    try:
        if data[position] in INTEGER_TYPES:
            # Most values that are read alone: a budget costs more than they do.
            size, signed = INTEGER_TYPES[data[position]]
            end = position + 1 + size
            if end > len(data):
                raise _cut_off()
            return int.from_bytes(data[position + 1 : end], signed=signed), end
        values, position = _elements(data, position, 1, Budget(most))
    except IndexError, struct.error:
        raise _cut_off() from None
    return values[0], position


def decode_elements(data: bytes, position: int = 0) -> Iterator[Data]:
    """Yield the elements of an array or a compact array one by one, without limiting their number.

    Bytes behind the array are ignored. Raises TelegramError like decode(), for each element.
    """
    try:
        tag = data[position]
        if tag == ARRAY:
            count, position = decode_length(data, position + 1)
            for _ in range(count):
                (value,), position = _elements(data, position, 1, Budget(VALUES_MAX))
                yield value
        elif tag == COMPACT_ARRAY:
            budget = Budget(VALUES_MAX)
            reader, position = _described(data, position + 1, budget)
            size, position = decode_length(data, position)
            end = position + size
            while position < end:
                budget.left = VALUES_MAX
                value, position = _next(reader, data, position, end, budget)
                yield value
        else:
            raise TelegramError("no array")
    except IndexError, struct.error:
        raise _cut_off() from None


def _cut_off() -> TelegramError:
    return TelegramError("data end in the middle of a value")


def _elements(data: bytes, position: int, count: int, budget: Budget) -> tuple[list[Data], int]:
    if count > len(data) - position:
        raise IndexError
    # Inlined take() and descend(): this is the hot path.
    budget.left -= count
    budget.depth -= 1
    if budget.left < 0 or budget.depth < 0:
        raise budget.error()
    values: list[Data] = []
    append = values.append
    for _ in range(count):
        tag = data[position]
        position += 1
        # In the order of frequency: integers, codes in octet strings, {scaler, unit}.
        if tag in INTEGER_TYPES:
            size, signed = INTEGER_TYPES[tag]
            end = position + size
            append(int.from_bytes(data[position:end], signed=signed))
            position = end
        elif tag == OCTET_STRING and data[position] < 0x80:
            start = position + 1
            position = start + data[position]
            append(data[start:position])
        elif (
            tag == STRUCTURE
            and data[position : position + 2] == _SCALER_UNIT_START
            and (data[position + 3] == ENUMERATED)
        ):
            append(_scaler_unit(data[position + 2], data[position + 4]))
            position += 5
        elif tag == STRUCTURE and data[position] < 0x80:
            elements, position = _elements(data, position + 1, data[position], budget)
            append(tuple(elements))
        elif (reader := _READERS.get(tag)) is not None:
            value, position = reader(data, position, budget)
            append(value)
        else:
            raise TelegramError(f"unknown type 0x{tag:02X} of data at byte {position - 1}")
    if position > len(data):
        raise IndexError
    budget.depth += 1
    return values, position


@lru_cache(maxsize=256)
def _scaler_unit(scaler: int, unit: int) -> tuple[int, Enumerated]:
    """Return {scaler, unit} from its two bytes; cached, because meters use few of them."""
    return (scaler ^ 0x80) - 0x80, Enumerated(unit)


def _array(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
    count, position = decode_length(data, position)
    return _elements(data, position, count, budget)


def _structure(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
    count, position = decode_length(data, position)
    elements, position = _elements(data, position, count, budget)
    return tuple(elements), position


def _compact_array(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
    """Read an array whose elements have one type, which is described once, in front of them."""
    reader, position = _described(data, position, budget)
    size, position = decode_length(data, position)
    end = position + size
    values: list[Data] = []
    while position < end:
        value, position = _next(reader, data, position, end, budget)
        values.append(value)
    return values, position


def _next(reader: Reader, data: bytes, position: int, end: int, budget: Budget) -> tuple[Data, int]:
    """Read one element of a compact array; it must end at ``end`` at the latest."""
    budget.take(1)
    value, after = reader(data, position, budget)
    if after == position:
        raise TelegramError(f"elements without content at byte {position}")
    if after > end or end > len(data):
        raise IndexError
    return value, after


def _described(data: bytes, position: int, budget: Budget) -> tuple[Reader, int]:
    """Read a type description; return the reader of such elements, and the position behind it."""
    tag = data[position]
    position += 1
    if tag == ARRAY:
        if position + 2 > len(data):
            raise IndexError
        count = int.from_bytes(data[position : position + 2])
        budget.descend()
        element, position = _described(data, position + 2, budget)
        budget.ascend()
        return _described_array(element, count), position
    if tag == STRUCTURE:
        count, position = decode_length(data, position)
        if count > len(data) - position:
            raise IndexError
        budget.take(count)
        budget.descend()
        readers: list[Reader] = []
        for _ in range(count):
            reader, position = _described(data, position, budget)
            readers.append(reader)
        budget.ascend()
        return _described_structure(readers), position
    reader_of_tag = _READERS.get(tag)
    if reader_of_tag is None or tag == COMPACT_ARRAY:
        raise TelegramError(f"unknown type 0x{tag:02X} of elements at byte {position - 1}")
    return reader_of_tag, position


def _described_array(element: Reader, count: int) -> Reader:
    def read(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
        values: list[Data] = []
        for _ in range(count):
            value, position = _next(element, data, position, len(data), budget)
            values.append(value)
        return values, position

    return read


def _described_structure(readers: Sequence[Reader]) -> Reader:
    def read(data: bytes, position: int, budget: Budget) -> tuple[Data, int]:
        budget.take(len(readers))
        values: list[Data] = []
        for reader in readers:
            value, position = reader(data, position, budget)
            values.append(value)
        return tuple(values), position

    return read


_READERS: Final[dict[int, Reader]] = {
    **SIMPLE_READERS,
    ARRAY: _array,
    STRUCTURE: _structure,
    COMPACT_ARRAY: _compact_array,
}


def octet_string(content: bytes) -> bytes:
    """Encode an octet-string, with its tag."""
    return bytes([OCTET_STRING]) + encode_length(len(content)) + content


def integer(number: int) -> bytes:
    """Encode an integer (8 bits, signed), with its tag."""
    return bytes([INTEGER]) + number.to_bytes(1, signed=True)


def long_unsigned(number: int) -> bytes:
    """Encode a long-unsigned (16 bits), with its tag."""
    return bytes([LONG_UNSIGNED]) + number.to_bytes(2)


def double_long_unsigned(number: int) -> bytes:
    """Encode a double-long-unsigned (32 bits), with its tag."""
    return bytes([DOUBLE_LONG_UNSIGNED]) + number.to_bytes(4)


def structure(*elements: bytes) -> bytes:
    """Encode a structure of encoded values, with its tag."""
    return bytes([STRUCTURE]) + encode_length(len(elements)) + b"".join(elements)


def array(*elements: bytes) -> bytes:
    """Encode an array of encoded values, with its tag."""
    return bytes([ARRAY]) + encode_length(len(elements)) + b"".join(elements)
