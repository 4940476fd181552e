"""Messages of xDLMS: initiate, get, action, and what meters answer (IEC 62056-5-3, 7.3 and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
import re
from typing import Final

from ...errors import TelegramError
from ...obis import Obis
from .axdr import VALUES_MAX, Data, decode, decode_length, encode_length
from .results import COUNTER_ERROR, ExceptionError, ServiceError

INITIATE_REQUEST: Final = 0x01
READ_REQUEST: Final = 0x05
INITIATE_RESPONSE: Final = 0x08
READ_RESPONSE: Final = 0x0C
CONFIRMED_SERVICE_ERROR: Final = 0x0E
DATA_NOTIFICATION: Final = 0x0F
EVENT_NOTIFICATION: Final = 0xC2
GET_REQUEST: Final = 0xC0
ACTION_REQUEST: Final = 0xC3
GET_RESPONSE: Final = 0xC4
ACTION_RESPONSE: Final = 0xC7
EXCEPTION_RESPONSE: Final = 0xD8
#: Ciphered messages: with a system title before them, and with more (7.2).
GENERAL_GLO: Final = 0xDB
GENERAL_DED: Final = 0xDC
GENERAL_CIPHERING: Final = 0xDD
GENERAL_CIPHERED: Final = frozenset({GENERAL_GLO, GENERAL_DED, GENERAL_CIPHERING})
GENERAL_BLOCK_TRANSFER: Final = 0xE0

#: Kinds of get requests and responses.
NORMAL: Final = 1
NEXT: Final = 2
WITH_LIST: Final = 3

_VERSION: Final = 6
_CONFORMANCE_TAG: Final = b"\x5f\x1f\x04\x00"
#: Quality of service, if any, version, conformance; its tag has one byte in old meters.
_INITIATE_RESPONSE: Final = re.compile(
    rb"\x08(?:\x00|\x01.).\x5f\x1f?\x04\x00(.{3})(.{2})", re.DOTALL
)
#: What an error is about, in a confirmed-service-error.
_INITIATE_ERROR: Final = 1
#: Values in one of several attributes that are asked for at once, however much came before it.
_IN_LIST_MIN: Final = 8
#: No limit of our own.
PDU_MAX: Final = 0xFFFF
#: Confirmed, and high priority; the lowest four bits number the question.
_CONFIRMED: Final = 0xC0
#: Of an attribute, all of it.
NO_SELECTION: Final = b"\x00"
#: Bytes of the longest answer, which is a load profile of years; and its blocks.
_ANSWER_MAX: Final = 1 << 22
_BLOCKS_MAX: Final = 0xFFFF
#: Blocks without content that an answer may have.
_EMPTY_MAX: Final = 32


class Conformance(IntFlag):
    """What two sides can do with each other (7.3.1), the first bit as the highest of 24."""

    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    #: Or with read.
    BLOCK_TRANSFER_WITH_GET = 1 << 12
    MULTIPLE_REFERENCES = 1 << 9
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SELECTIVE_ACCESS = 1 << 2
    ACTION = 1 << 0


#: What we make use of, by logical names and by short ones.
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
    """What a meter has agreed to."""

    conformance: Conformance
    #: The longest message that it takes; 0 is no limit.
    max_pdu: int


class AccessResult(int):
    """A data-access-result in place of a value: why the meter does not give it away."""

    __slots__ = ()


def initiate_request(dedicated_key: bytes = b"", proposed: Conformance = PROPOSED) -> bytes:
    """Write an initiate request that proposes all that we make use of."""
    key = b"\x01" + encode_length(len(dedicated_key)) + dedicated_key if dedicated_key else b"\0"
    conformance = _CONFORMANCE_TAG + proposed.to_bytes(3)
    return b"\x01" + key + b"\0\0" + bytes([_VERSION]) + conformance + PDU_MAX.to_bytes(2)


def parse_initiate_response(apdu: bytes) -> Initiate:
    """Read an initiate response; raises ServiceError for an error instead, or TelegramError."""
    if apdu[:1] == bytes([CONFIRMED_SERVICE_ERROR]):
        raise parse_service_error(apdu)
    match = _INITIATE_RESPONSE.match(apdu)
    if match is None:
        raise TelegramError("no initiate response")
    return Initiate(Conformance(int.from_bytes(match[1])), int.from_bytes(match[2]))


def parse_exception(apdu: bytes) -> ExceptionError:
    """Read an exception-response."""
    if len(apdu) < 3:
        raise TelegramError("half an exception response")
    counter = None
    if apdu[2] == COUNTER_ERROR and len(apdu) >= 7:
        counter = int.from_bytes(apdu[3:7])
    return ExceptionError(apdu[1], apdu[2], counter)


def parse_service_error(apdu: bytes) -> ServiceError:
    """Read a confirmed-service-error."""
    if len(apdu) < 4:
        raise TelegramError("half a service error")
    return ServiceError(apdu[2], apdu[3], is_of_association=apdu[1] == _INITIATE_ERROR)


def descriptor(class_id: int, obis: Obis, attribute: int) -> bytes:
    """Write which attribute, or method, of which object is meant."""
    return class_id.to_bytes(2) + bytes(obis) + bytes([attribute])


def get_request(invoke_id: int, attribute: bytes, selection: bytes = NO_SELECTION) -> bytes:
    """Ask for one attribute, by its descriptor; the selection is written with its selector."""
    return bytes((GET_REQUEST, NORMAL, _CONFIRMED | invoke_id)) + attribute + selection


def get_list_request(invoke_id: int, attributes: Sequence[bytes]) -> bytes:
    """Ask for several attributes at once, at most 127."""
    head = bytes((GET_REQUEST, WITH_LIST, _CONFIRMED | invoke_id, len(attributes)))
    return head + b"".join([attribute + NO_SELECTION for attribute in attributes])


def get_next_request(invoke_id: int, block: int) -> bytes:
    """Ask for the block after this one."""
    return bytes((GET_REQUEST, NEXT, _CONFIRMED | invoke_id)) + block.to_bytes(4)


def action_request(invoke_id: int, method: bytes, parameters: bytes) -> bytes:
    """Invoke a method, by its descriptor, with encoded parameters."""
    return bytes((ACTION_REQUEST, NORMAL, _CONFIRMED | invoke_id)) + method + b"\x01" + parameters


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a long answer."""

    number: int
    is_last: bool
    #: Part of the encoded answer, or why there is none.
    content: bytes | AccessResult


class LongAnswer:
    """The blocks of a long answer, as they come."""

    def __init__(self) -> None:
        """Begin without any."""
        self._contents: list[bytes] = []
        self._number: int | None = None
        self._size = self._empty = 0

    def add(self, number: int, content: bytes, *, is_last: bool) -> bytes | None:
        """Take the next block; return the whole content with the last one.

        Raises TelegramError where one is missing, and where it does not end.
        """
        # They are counted from 1, by some meters from 0.
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
    """Return the error of a long answer without an end."""
    return TelegramError("a long answer that does not end")


def parse_block(apdu: bytes) -> Block:
    """Read a get-response with a block; raises TelegramError."""
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
    """Read what a get-response of one attribute holds behind its invoke id.

    What follows the value is ignored: some meters send parts of it twice. Raises TelegramError.
    """
    if content[:1] == b"\0":
        return decode(content, 1)[0]
    if len(content) < 2 or content[0] != 1:
        raise TelegramError("an answer that is neither a value nor a refusal")
    return AccessResult(content[1])


def parse_results(
    content: bytes, count: int, *, is_exact: bool = False
) -> list[Data | AccessResult]:
    """Read what a get-response of several attributes holds behind its invoke id, or its blocks.

    Raises TelegramError, also where it is not about as many as were asked for, and, if that is
    wanted, where something follows.
    """
    try:
        found, position = decode_length(content, 0)
        if found != count:
            raise TelegramError(f"{found} values instead of {count}")
        results: list[Data | AccessResult] = []
        for _ in range(count):
            choice = content[position]
            if choice == 0:
                # Values take a byte at least: all in all they are not many more than may be in one.
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
    """Read an action-response: its result, and what the method returns.

    Raises TelegramError.
    """
    if len(apdu) < 4:
        raise TelegramError("half an answer to an action")
    result = apdu[3]
    # Some meters leave the returned value away, or refuse it.
    if len(apdu) > 6 and apdu[4] == 1 and apdu[5] == 0:
        return result, decode(apdu, 6)[0]
    return result, None
