"""Objects by short names: read requests, what meters answer, and their lists of objects.

A meter that knows its objects by short names (IEC 62056-5-3, 7.3.9) has a base name for each, and
each attribute a name eight higher than the one before (IEC 62056-6-2, 4.1.3).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from .apdu import xdlms
from .apdu.axdr import Data, decode_length, encode_length
from .apdu.xdlms import NO_SELECTION, READ_REQUEST, descriptor
from .cosem import CURRENT_ASSOCIATION, OBIS_LENGTH, OBJECTS_MAX, CosemObject, ObjectClass

#: The object of the current association: in any meter, by either kind of names.
_ASSOCIATION: Final = 0xFA00
_BY_LOGICAL_NAME: Final = descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 0)[:-1]
#: Its method that takes the client's answer to a challenge, with the only selector of methods.
_REPLY_TO_HLS: Final = _ASSOCIATION + 0x58
_METHOD: Final = 1
_ATTRIBUTE_STEP: Final = 8
_NAME_MAX: Final = 0xFFFF
#: Kinds of access: to a variable, with parameters, to the block after one.
_VARIABLE: Final = 2
_PARAMETERIZED: Final = 4
_BLOCK: Final = 5
#: Answers of one value, of one refusal, and of one block.
_ONE_VALUE: Final = b"\x01\x00"
_ONE_REFUSAL: Final = b"\x01\x01"
_ONE_BLOCK: Final = b"\x01\x02"

type _Operation[T] = Generator[bytes, bytes, T]


def access(
    base_names: Mapping[bytes, int], attribute: bytes, selection: bytes = NO_SELECTION
) -> bytes | None:
    """Write the access to an attribute, given as by logical names; None where it has no name."""
    entry, number = attribute[:-1], attribute[-1]
    base = _ASSOCIATION if entry == _BY_LOGICAL_NAME else base_names.get(entry)
    if base is None or (name := base + _ATTRIBUTE_STEP * (number - 1)) > _NAME_MAX:
        return None
    if selection == NO_SELECTION:
        return bytes([_VARIABLE]) + name.to_bytes(2)
    # By logical names there is a byte more before the selector: that there is one.
    return bytes([_PARAMETERIZED]) + name.to_bytes(2) + selection[1:]


def reply_to_hls(proof: bytes) -> bytes:
    """Invoke the method that takes the encoded answer to the meter's challenge."""
    return _request([bytes([_PARAMETERIZED, *_REPLY_TO_HLS.to_bytes(2), _METHOD]) + proof])


def read(ask: Callable[[bytes], _Operation[bytes]], accesses: Sequence[bytes]) -> _Operation[bytes]:
    """Read several attributes at once, for xdlms.parse_results(): their number and the results.

    Raises TelegramError.
    """
    answer = yield from ask(_request(accesses))
    whole = xdlms.LongAnswer()
    while answer[1:3] == _ONE_BLOCK:
        number, is_last, block = _parse_block(answer)
        content = whole.add(number, block, is_last=is_last)
        if content is not None:
            return content if len(accesses) > 1 else _as_list(content)
        answer = yield from ask(_request([bytes([_BLOCK]) + number.to_bytes(2)]))
    return answer[1:]


def named_objects(elements: Iterable[Data]) -> Iterator[tuple[int, CosemObject]]:
    """Yield base names and objects of the elements of an object list, in their order.

    Raises TelegramError.
    """
    for number, element in enumerate(elements):
        match element:
            case (int(base), int(class_id), int(version), bytes(name), *_) if (
                len(name) == OBIS_LENGTH and number < OBJECTS_MAX
            ):
                # They are sent with a sign.
                yield base & _NAME_MAX, CosemObject(class_id, version, Obis.from_bytes(name))
            case _:
                raise TelegramError("an object list with something else in it, or without end")


def _request(accesses: Sequence[bytes]) -> bytes:
    return bytes([READ_REQUEST]) + encode_length(len(accesses)) + b"".join(accesses)


def _as_list(content: bytes) -> bytes:
    """Return the one result that came in blocks as in a list.

    Some meters leave its number away, or also that it is data, as by logical names. What is long
    is neither null nor an empty array.
    """
    if content[:2] in {_ONE_VALUE, _ONE_REFUSAL} and len(content) > len(_ONE_VALUE):
        return content
    return (_ONE_VALUE[:1] if content[:1] == b"\0" else _ONE_VALUE) + content


def _parse_block(answer: bytes) -> tuple[int, bool, bytes]:
    """Return number and content of a block, and whether it is the last one."""
    try:
        is_last, number = answer[3] != 0, int.from_bytes(answer[4:6])
        size, position = decode_length(answer, 6)
    except IndexError:
        raise TelegramError("half a block of an answer") from None
    if position + size > len(answer):
        raise TelegramError("half a block of an answer")
    return number, is_last, answer[position : position + size]
