"""The elements that SML is made of: a field of type and length, then content (SML 1.04, 6.2).

All functions take the data and a position in it and return the position behind what they read.
Behind the end of the data they raise IndexError, or read less than was announced: whoever reads a
message must meet its last byte where it belongs.
"""

from enum import IntEnum
from typing import Final

from ..errors import TelegramError

#: An element as a value; None where an optional one is left out, a tuple for a list.
type Element = int | bytes | tuple[Element, ...] | None


class Kind(IntEnum):
    """What a field of type and length announces."""

    OCTETS = 0
    BOOLEAN = 4
    SIGNED = 5
    UNSIGNED = 6
    LIST = 7


_SKIPPED: Final = 0x01
_MORE: Final = 0x80
_NIBBLE: Final = 0x0F
_RESERVED: Final = 0x70
#: More is not needed for any element in a telegram of the longest length.
_FIELD_MAX: Final = 8
_INTEGER_MAX: Final = 8
_DEPTH_MAX: Final = 4


def _one_byte_size(field: int) -> int:
    """Return the size of an element whose field is this byte; 0 if lists, longer or invalid."""
    kind, size = divmod(field, 0x10)
    match kind:
        case Kind.OCTETS:
            return size
        case Kind.BOOLEAN:
            return size if size == 1 + 1 else 0
        case Kind.SIGNED | Kind.UNSIGNED:
            return size if 1 < size <= 1 + _INTEGER_MAX else 0
        case _:
            return 0


#: Sizes of the elements with a field of one byte, field included: nearly all there are.
_SIZES: Final = bytes(map(_one_byte_size, range(256)))


def skip(data: bytes, position: int, count: int = 1) -> int:
    """Step over elements, lists with all that is in them."""
    while count:
        count -= 1
        if size := _SIZES[data[position]]:
            position += size
        else:
            kind, length, position = field_at(data, position)
            if kind == Kind.LIST:
                count += length
            else:
                position += length
    return position


def enter_list(data: bytes, position: int, length: int | None = None) -> tuple[int, int]:
    """Step into a list of this length, or of any; return its length and where it begins."""
    kind, found, position = field_at(data, position)
    if kind != Kind.LIST or length not in {None, found}:
        message = f"expected a list of {length}, got {Kind(kind).name.lower()} of {found}"
        raise TelegramError(message)
    return found, position


def read(data: bytes, position: int) -> tuple[int | bytes | None, int]:
    """Read an element that is no list."""
    field = data[position]
    size = _SIZES[field]
    if field == _SKIPPED:
        return None, position + 1
    if size:
        kind, start, end = field >> 4, position + 1, position + size
    else:
        kind, length, start = field_at(data, position)
        end = start + length
    content = data[start:end]
    match kind:
        case Kind.UNSIGNED:
            return int.from_bytes(content), end
        case Kind.SIGNED:
            return int.from_bytes(content, signed=True), end
        case Kind.OCTETS:
            return content, end
        case Kind.BOOLEAN:
            return any(content), end
    message = "list where a single value belongs"
    raise TelegramError(message)


def read_nested(data: bytes, position: int, depth: int = _DEPTH_MAX) -> tuple[Element, int]:
    """Read any element, lists as tuples."""
    if data[position] & _RESERVED != _RESERVED:
        return read(data, position)
    if not depth:
        message = f"lists more than {_DEPTH_MAX} deep"
        raise TelegramError(message)
    length, position = enter_list(data, position)
    items: list[Element] = []
    for _ in range(length):
        item, position = read_nested(data, position, depth - 1)
        items.append(item)
    return tuple(items), position


def field_at(data: bytes, position: int) -> tuple[int, int, int]:
    """Read a field of type and length: the type, the length of the content, where it begins."""
    start = position
    field = data[position]
    kind, length = field >> 4 & 7, field & _NIBBLE
    position += 1
    while field & _MORE:
        field = data[position]
        position += 1
        length = length << 4 | field & _NIBBLE
        if field & _RESERVED or position - start > _FIELD_MAX:
            message = f"invalid field of type and length: {data[start:position].hex()}"
            raise TelegramError(message)
    if kind == Kind.LIST:
        return kind, length, position
    length -= position - start
    match kind:
        case Kind.OCTETS:
            valid = length >= 0
        case Kind.BOOLEAN:
            valid = length == 1
        case Kind.SIGNED | Kind.UNSIGNED:
            valid = 1 <= length <= _INTEGER_MAX
        case _:
            valid = False
    if not valid:
        message = f"invalid field of type and length: {data[start:position].hex()}"
        raise TelegramError(message)
    return kind, length, position
