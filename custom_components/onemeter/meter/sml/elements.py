"""The elements of SML: a field of type and length, then content (SML 1.04, 6.2).

All functions take the data and a position in it, and return the position after what they read.
Beyond the end of the data they raise IndexError, or read less than the length field says: the
caller has to check that a message ends where it should.
"""

from collections.abc import Iterator
from typing import Final

from ..errors import TelegramError

#: A single value; None where an optional element is left out.
type Single = int | bytes | None
#: An element as a value, a list as a tuple.
type Element = Single | tuple[Element, ...]

OCTETS: Final = 0
BOOLEAN: Final = 4
SIGNED: Final = 5
UNSIGNED: Final = 6
LIST: Final = 7

#: An optional element that is left out.
_SKIPPED: Final = 0x01
#: Another byte of the field follows.
_MORE: Final = 0x80
#: The bits of the type, in the first byte of a field. Zero in all others.
_TYPE: Final = 0x70
_LENGTH: Final = 0x0F
#: The longest field; no length in a telegram needs half of it.
_FIELD_MAX: Final = 8
_INTEGER_MAX: Final = 8
#: A time inside of a value is 3 deep.
_DEPTH_MAX: Final = 4


def _valid(kind: int, length: int) -> bool:
    """Return whether there are elements of this type, except lists, with this content length."""
    match kind:
        case 0:  # OCTETS
            return length >= 0
        case 4:  # BOOLEAN
            return length == 1
        case 5 | 6:  # SIGNED, UNSIGNED
            return 1 <= length <= _INTEGER_MAX
        case _:
            return False


#: By their first byte, the sizes of elements with a field of one byte, field included; 0 for lists
#: and whatever else needs a closer look.
_SIZES: Final = bytes(
    field & _LENGTH if field < _MORE and _valid(field >> 4, (field & _LENGTH) - 1) else 0
    for field in range(256)
)


def field_at(data: bytes, position: int) -> tuple[int, int, int]:
    """Return type, content length and content position of the element at a position.

    The length of a list is the number of its elements. Raises TelegramError for an invalid field.
    """
    start = position
    more = data[position]
    kind, length = (more & _TYPE) >> 4, more & _LENGTH
    position += 1
    while more & _MORE:
        more = data[position]
        position += 1
        length = length << 4 | more & _LENGTH
        if more & _TYPE or position - start > _FIELD_MAX:
            raise TelegramError(f"Invalid length at byte {start}")
    if kind == LIST:
        return kind, length, position
    length -= position - start
    if not _valid(kind, length):
        raise TelegramError(f"Invalid type or length at byte {start}")
    return kind, length, position


def skip(data: bytes, position: int, count: int = 1) -> int:
    """Return the position after ``count`` elements, lists with their elements."""
    sizes = _SIZES
    while count:
        field = data[position]
        size = sizes[field]
        if size:
            position += size
            count -= 1
        elif field >> 4 == LIST:
            position += 1
            count += (field & _LENGTH) - 1
        else:
            kind, length, position = field_at(data, position)
            if kind == LIST:
                count += length - 1
            else:
                position += length
                count -= 1
    return position


def contents(data: bytes, position: int, end: int) -> Iterator[slice]:
    """Yield where the contents of all single values are in the elements up to a position."""
    sizes = _SIZES
    while position < end:
        size = sizes[data[position]]
        if size == 1:
            position += 1
        elif size:
            yield slice(position + 1, position + size)
            position += size
        else:
            kind, length, position = field_at(data, position)
            if kind != LIST:
                yield slice(position, position + length)
                position += length


def enter_list(data: bytes, position: int, length: int) -> int:
    """Return the position of the first element in a list of this length, 15 at most.

    Raises TelegramError for anything else.
    """
    if data[position] == LIST << 4 | length:
        return position + 1
    kind, found, inside = field_at(data, position)
    if kind != LIST or found != length:
        raise TelegramError(f"Expected a list of {length} at byte {position}")
    return inside


def read(data: bytes, position: int) -> tuple[Single, int]:
    """Return the value of an element that is no list. Raises TelegramError for a list."""
    field = data[position]
    size = _SIZES[field]
    if size:
        kind, start, end = field >> 4, position + 1, position + size
    else:
        kind, length, start = field_at(data, position)
        end = start + length
    if kind == UNSIGNED:
        return int.from_bytes(data[start:end]), end
    if kind == SIGNED:
        return int.from_bytes(data[start:end], signed=True), end
    if kind == OCTETS:
        return None if field == _SKIPPED else data[start:end], end
    if kind == BOOLEAN:
        return any(data[start:end]), end
    raise TelegramError(f"List where a single value belongs, at byte {position}")


def read_nested(data: bytes, position: int, depth: int = _DEPTH_MAX) -> tuple[Element, int]:
    """Return the value of any element, lists as tuples. Raises TelegramError if nested too deep."""
    if data[position] & _TYPE != _TYPE:
        return read(data, position)
    _, length, position = field_at(data, position)
    if not depth:
        raise TelegramError(f"Lists more than {_DEPTH_MAX} deep at byte {position}")
    items: list[Element] = []
    for _ in range(length):
        item, position = read_nested(data, position, depth - 1)
        items.append(item)
    return tuple(items), position
