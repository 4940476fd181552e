"""Messages of xDLMS: initiate, get and action, with their responses (IEC 62056-5-3, 7.3 and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
import re
from typing import Final

from ...errors import TelegramError
from ...obis import Obis
from . import tags
from .axdr import VALUES_MAX, decode
from .data_types import Data
from .lengths import decode_length, encode_length
from .results import COUNTER_ERROR, ExceptionError, ServiceError

#: Choices of get requests and responses.
NORMAL: Final = 1
NEXT: Final = 2
WITH_LIST: Final = 3

#: Version of DLMS.
_VERSION: Final = 6
_CONFORMANCE_TAG: Final = b"\x5f\x1f\x04\x00"
#: Optional quality of service, version, conformance (whose tag has one byte in old meters), PDU.
_INITIATE_RESPONSE_FIELDS: Final = re.compile(
    rb"\x08(?:\x00|\x01.).\x5f\x1f?\x04\x00(.{3})(.{2})", re.DOTALL
)
#: Choice of a confirmed-service-error: it concerns the initiate request.
_INITIATE_ERROR: Final = 1
#: Values that one result of a list may always hold, however many the previous ones have used.
_IN_LIST_MIN: Final = 8
#: The client accepts messages of any length.
_PDU_MAX: Final = 0xFFFF
#: Bits of invoke-id-and-priority: confirmed service, high priority; the lowest four are the id.
_CONFIRMED: Final = 0xC0
#: The whole attribute, without selective access.
NO_SELECTION: Final = b"\x00"
#: Bytes and blocks of the longest answer: a load profile of several years.
_ANSWER_MAX: Final = 1 << 22
_BLOCKS_MAX: Final = 0xFFFF
#: Empty blocks in one answer, before it counts as endless.
_EMPTY_MAX: Final = 32


class Conformance(IntFlag):
    """The conformance block (7.3.1): supported services, with bit 0 as the highest of 24."""

    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    #: With READ as well.
    BLOCK_TRANSFER_WITH_GET = 1 << 12
    MULTIPLE_REFERENCES = 1 << 9
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SELECTIVE_ACCESS = 1 << 2
    ACTION = 1 << 0


#: Services that the client uses, with logical and with short names.
PROPOSED: Final = (
    Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.GET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.ACTION
)
PROPOSED_SHORT: Final = (
    Conformance.READ
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.PARAMETERIZED_ACCESS
)


@dataclass(frozen=True, slots=True)
class Initiate:
    """Content of an initiate response: what was negotiated."""

    conformance: Conformance
    #: The longest message that the meter accepts, in bytes; 0: no limit.
    max_pdu: int


class AccessResult(int):
    """A data-access-result in place of a value: the reason why it cannot be read."""

    __slots__ = ()


def initiate_request(dedicated_key: bytes = b"", proposed: Conformance = PROPOSED) -> bytes:
    """Encode an initiate request; an empty ``dedicated_key`` is left out."""
    key = b"\x01" + encode_length(len(dedicated_key)) + dedicated_key if dedicated_key else b"\0"
    conformance = _CONFORMANCE_TAG + proposed.to_bytes(3)
    tag = bytes([tags.INITIATE_REQUEST])
    return tag + key + b"\0\0" + bytes([_VERSION]) + conformance + _PDU_MAX.to_bytes(2)


def parse_initiate_response(apdu: bytes) -> Initiate:
    """Decode an initiate response. Raises ServiceError for an error instead, or TelegramError."""
    if apdu[:1] == bytes([tags.CONFIRMED_SERVICE_ERROR]):
        raise parse_service_error(apdu)
    match = _INITIATE_RESPONSE_FIELDS.match(apdu)
    if match is None:
        raise TelegramError("no initiate response")
    return Initiate(Conformance(int.from_bytes(match[1])), int.from_bytes(match[2]))


def parse_exception(apdu: bytes) -> ExceptionError:
    """Decode an exception-response. Raises TelegramError."""
    if len(apdu) < 3:
        raise TelegramError("half an exception response")
    counter = None
    if apdu[2] == COUNTER_ERROR and len(apdu) >= 7:
        counter = int.from_bytes(apdu[3:7])
    return ExceptionError(apdu[1], apdu[2], counter)


def parse_service_error(apdu: bytes) -> ServiceError:
    """Decode a confirmed-service-error. Raises TelegramError."""
    if len(apdu) < 4:
        raise TelegramError("half a service error")
    return ServiceError(apdu[2], apdu[3], is_of_association=apdu[1] == _INITIATE_ERROR)


@lru_cache(maxsize=4096)
def descriptor(class_id: int, obis: Obis, attribute: int) -> bytes:
    """Return the 9 bytes that reference an attribute or a method: class, code, number."""
    return class_id.to_bytes(2) + bytes(obis) + bytes([attribute])


def get_request(invoke_id: int, attribute: bytes, selection: bytes = NO_SELECTION) -> bytes:
    """Encode a get request for one attribute; ``selection`` is encoded with its selector."""
    return bytes((tags.GET_REQUEST, NORMAL, _CONFIRMED | invoke_id)) + attribute + selection


def get_list_request(invoke_id: int, attributes: Sequence[bytes]) -> bytes:
    """Encode a get request for up to 127 attributes."""
    head = bytes((tags.GET_REQUEST, WITH_LIST, _CONFIRMED | invoke_id, len(attributes)))
    return head + b"".join([attribute + NO_SELECTION for attribute in attributes])


def get_next_request(invoke_id: int, block: int) -> bytes:
    """Encode a get request for the block after number ``block``."""
    return bytes((tags.GET_REQUEST, NEXT, _CONFIRMED | invoke_id)) + block.to_bytes(4)


def action_request(invoke_id: int, method: bytes, parameters: bytes) -> bytes:
    """Encode an action request for one method, with its encoded parameters."""
    return (
        bytes((tags.ACTION_REQUEST, NORMAL, _CONFIRMED | invoke_id)) + method + b"\x01" + parameters
    )


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a get-response."""

    number: int
    is_last: bool
    #: Part of the encoded answer, or the reason why there is none.
    content: bytes | AccessResult


class LongAnswer:
    """Collects the blocks of one answer."""

    def __init__(self) -> None:
        """Start without blocks."""
        self._contents: list[bytes] = []
        self._number: int | None = None
        self._size = self._empty = 0

    def add(self, number: int, content: bytes, *, is_last: bool) -> bytes | None:
        """Add the next block; return the whole content if it is the last one, else None.

        Raises TelegramError if a block is missing or the answer does not end.
        """
        # Blocks are numbered from 1, by some meters from 0.
        if self._number is not None and number != self._number + 1:
            raise TelegramError("a block of a long answer is missing")
        self._number = number
        self._contents.append(content)
        if is_last:
            return b"".join(self._contents)
        self._size += len(content)
        self._empty += not content
        too_many = self._empty > _EMPTY_MAX or len(self._contents) >= _BLOCKS_MAX
        if too_many or self._size > _ANSWER_MAX:
            raise endless()
        return None


def endless() -> TelegramError:
    """Return the error for an answer whose last block never comes."""
    return TelegramError("a long answer that does not end")


def parse_block(apdu: bytes) -> Block:
    """Decode a get-response with a block. Raises TelegramError."""
    try:
        is_last, number, choice = apdu[3] != 0, int.from_bytes(apdu[4:8]), apdu[8]
        if choice:
            return Block(number, is_last, AccessResult(apdu[9]))
        size, position = decode_length(apdu, 9)
    except IndexError:
        raise TelegramError("half a block of an answer") from None
    if position + size > len(apdu):
        raise TelegramError("half a block of an answer")
    return Block(number, is_last, apdu[position : position + size])


def parse_result(content: bytes) -> Data | AccessResult:
    """Decode the result in a get-response of one attribute, which follows the invoke id.

    Bytes behind the value are ignored, because some meters send parts of it twice. Raises
    TelegramError.
    """
    if content[:1] == b"\0":
        return decode(content, 1)[0]
    if len(content) < 2 or content[0] != 1:
        raise TelegramError("an answer that is neither a value nor a refusal")
    return AccessResult(content[1])


def parse_results(
    content: bytes, count: int, *, is_exact: bool = False
) -> list[Data | AccessResult]:
    """Decode the results in a get-response of several attributes, whole or from its blocks.

    Raises TelegramError, also if the number of results is not ``count``, or if ``is_exact`` and
    bytes follow.
    """
    try:
        found, position = decode_length(content, 0)
        if found != count:
            raise TelegramError(f"{found} values instead of {count}")
        results: list[Data | AccessResult] = []
        for _ in range(count):
            choice = content[position]
            if choice == 0:
                # A value has at least one byte, so the position bounds the values decoded so far.
                most = max(VALUES_MAX - position, _IN_LIST_MIN)
                value, position = decode(content, position + 1, most)
                results.append(value)
            elif choice == 1:
                results.append(AccessResult(content[position + 1]))
                position += 2
            else:
                raise TelegramError("an answer that is neither a value nor a refusal")
    except IndexError:
        raise TelegramError("an answer that ends too early") from None
    if is_exact and position != len(content):
        raise TelegramError("an answer with something behind it")
    return results


def parse_action_result(apdu: bytes) -> tuple[int, Data]:
    """Decode an action-response: the action-result (0: success) and the returned value or None.

    Raises TelegramError.
    """
    if len(apdu) < 4:
        raise TelegramError("half an answer to an action")
    result = apdu[3]
    # Some meters leave the returned value out, or refuse it.
    if len(apdu) > 6 and apdu[4] == 1 and apdu[5] == 0:
        return result, decode(apdu, 6)[0]
    return result, None
