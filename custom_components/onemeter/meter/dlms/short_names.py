"""Short names: read requests, their answers, and object lists (IEC 62056-5-3, 7.3.9).

A meter with short names has a base name for each object; the name of each attribute is eight higher
than the previous one (IEC 62056-6-2, 4.1.3).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from .apdu import tags, xdlms
from .apdu.data_types import Data
from .apdu.lengths import decode_length, encode_length
from .apdu.xdlms import NO_SELECTION, descriptor
from .cosem import CURRENT_ASSOCIATION, OBIS_LENGTH, OBJECTS_MAX, CosemObject, ObjectClass

#: The reserved base name of the current association, and its descriptor without the attribute.
_ASSOCIATION: Final = 0xFA00
_BY_LOGICAL_NAME: Final = descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 0)[:-1]
#: Its method reply_to_HLS_authentication, and the access selector of methods.
_REPLY_TO_HLS: Final = _ASSOCIATION + 0x58
_METHOD: Final = 1
_ATTRIBUTE_STEP: Final = 8
_NAME_MAX: Final = 0xFFFF
#: Variable-access-specification: variable-name, parameterized-access, block-number-access.
_VARIABLE: Final = 2
_PARAMETERIZED: Final = 4
_BLOCK: Final = 5
#: Beginnings of a result list: one value, one refusal, one block.
_ONE_VALUE: Final = b"\x01\x00"
_ONE_REFUSAL: Final = b"\x01\x01"
_ONE_BLOCK: Final = b"\x01\x02"

type _Operation[T] = Generator[bytes, bytes, T]


def access(
    base_names: Mapping[bytes, int], attribute: bytes, selection: bytes = NO_SELECTION
) -> bytes | None:
    """Encode the access to an attribute, by its descriptor; None if it has no short name."""
    entry, number = attribute[:-1], attribute[-1]
    base = _ASSOCIATION if entry == _BY_LOGICAL_NAME else base_names.get(entry)
    if base is None or (name := base + _ATTRIBUTE_STEP * (number - 1)) > _NAME_MAX:
        return None
    if selection == NO_SELECTION:
        return bytes([_VARIABLE]) + name.to_bytes(2)
    # With logical names, a byte in front of the selector says that there is one.
    return bytes([_PARAMETERIZED]) + name.to_bytes(2) + selection[1:]


def reply_to_hls(proof: bytes) -> bytes:
    """Encode a request for reply_to_HLS_authentication, with the encoded proof."""
    return _request([bytes([_PARAMETERIZED, *_REPLY_TO_HLS.to_bytes(2), _METHOD]) + proof])


def read(
    request: Callable[[bytes], _Operation[bytes]], accesses: Sequence[bytes]
) -> _Operation[bytes]:
    """Read several attributes in one request; return the result list, for xdlms.parse_results().

    ``request`` sends an encoded request and returns the deciphered answer. Raises TelegramError.
    """
    answer = yield from request(_request(accesses))
    whole = xdlms.LongAnswer()
    while answer[1:3] == _ONE_BLOCK:
        number, is_last, block = _parse_block(answer)
        content = whole.add(number, block, is_last=is_last)
        if content is not None:
            return content if len(accesses) > 1 else _as_list(content)
        answer = yield from request(_request([bytes([_BLOCK]) + number.to_bytes(2)]))
    return answer[1:]


def named_objects(elements: Iterable[Data]) -> Iterator[tuple[int, CosemObject]]:
    """Yield base names and objects of the elements of an object list (class 12), in their order.

    Raises TelegramError.
    """
    for number, element in enumerate(elements):
        match element:
            case (int(base), int(class_id), int(version), bytes(name), *_) if (
                len(name) == OBIS_LENGTH and number < OBJECTS_MAX
            ):
                # Base names are sent as signed integers.
                yield base & _NAME_MAX, CosemObject(class_id, version, Obis.from_bytes(name))
            case _:
                raise TelegramError("an object list with something else in it, or without end")


def _request(accesses: Sequence[bytes]) -> bytes:
    return bytes([tags.READ_REQUEST]) + encode_length(len(accesses)) + b"".join(accesses)


def _as_list(content: bytes) -> bytes:
    """Return the content of blocks with a single result as a result list.

    Some meters leave out the number of results, or also the choice "data". Content that begins like
    a list is one if it is longer than null-data or an empty array.
    """
    if content[:2] in {_ONE_VALUE, _ONE_REFUSAL} and len(content) > len(_ONE_VALUE):
        return content
    return (_ONE_VALUE[:1] if content[:1] == b"\0" else _ONE_VALUE) + content


def _parse_block(answer: bytes) -> tuple[int, bool, bytes]:
    """Return the number of a block, whether it is the last one, and its content."""
    try:
        is_last, number = answer[3] != 0, int.from_bytes(answer[4:6])
        size, position = decode_length(answer, 6)
    except IndexError:
        raise TelegramError("half a block of an answer") from None
    if position + size > len(answer):
        raise TelegramError("half a block of an answer")
    return number, is_last, answer[position : position + size]
