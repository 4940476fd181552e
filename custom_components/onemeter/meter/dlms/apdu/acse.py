"""APDUs of ACSE, which open and release associations (IEC 62056-5-3, 7.2).

They are encoded in BER: tag, length, content.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ...errors import TelegramError
from .lengths import decode_length, encode_length
from .tags import AARE, AARQ, RLRQ

#: Application contexts: objects referenced by logical names, plain and ciphered.
LOGICAL_NAMES: Final = 1
LOGICAL_NAMES_CIPHERED: Final = 3
#: The same by short names.
SHORT_NAMES: Final = 2
SHORT_NAMES_CIPHERED: Final = 4

#: Object identifiers without their last byte: 2.16.756.5.8.1 and 2.16.756.5.8.2 (7.2.2).
_CONTEXT_NAME: Final = bytes.fromhex("608574050801")
_MECHANISM_NAME: Final = bytes.fromhex("608574050802")
#: Bit string of one bit: the functional unit of authentication.
_AUTHENTICATION_UNIT: Final = b"\x07\x80"
#: Reason of a release request, [0]: normal.
_NORMAL_RELEASE: Final = b"\x80\x01\x00"

#: Tags of BER: universal ones, then those of the fields of AARQ and AARE (7.2).
_OCTET_STRING: Final = 0x04
_OBJECT_IDENTIFIER: Final = 0x06
_CHARACTERS: Final = 0x80
_TITLE: Final = 0xA6
_REQUIREMENTS: Final = 0x8A
_MECHANISM: Final = 0x8B
_VALUE: Final = 0xAC
_CONTEXT: Final = 0xA1
_USER_INFORMATION: Final = 0xBE
_RESULT: Final = 0xA2
_DIAGNOSTIC: Final = 0xA3
_RESPONDING_TITLE: Final = 0xA4
_RESPONDING_MECHANISM: Final = 0x89
_RESPONDING_VALUE: Final = 0xAA
#: Choice within the diagnostic: of the ACSE provider, otherwise of the user.
_OF_PROVIDER: Final = 0xA2


class Mechanism(IntEnum):
    """Authentication mechanisms (7.2.2.3)."""

    NONE = 0
    LLS = 1
    MANUFACTURER = 2
    MD5 = 3
    SHA1 = 4
    GMAC = 5
    SHA256 = 6


@dataclass(frozen=True, slots=True)
class AssociationResponse:
    """An AARE."""

    #: 0: accepted, 1: rejected permanently, 2: rejected transiently.
    result: int
    #: The diagnostic, and whether it is of the provider instead of the user (7.2.3.4).
    diagnostic: int = 0
    is_of_provider: bool = False
    #: The application context, which may differ from the requested one; None if missing.
    context: int | None = None
    #: The meter's system title; empty if missing.
    title: bytes = b""
    mechanism: Mechanism | int = Mechanism.NONE
    #: The meter's challenge (StoC); empty if missing.
    challenge: bytes = field(default=b"", repr=False)
    #: Initiate response or service error, possibly ciphered; empty if missing.
    user_information: bytes = b""


def association_request(
    context: int, mechanism: Mechanism, secret: bytes, title: bytes, user_information: bytes
) -> bytes:
    """Encode an AARQ.

    ``secret`` is the password or the client's challenge (CtoS), ``title`` the client's system
    title or empty, ``user_information`` the initiate request, possibly ciphered.
    """
    name = _field(_OBJECT_IDENTIFIER, _CONTEXT_NAME + bytes([context]))
    content = _field(_CONTEXT, name)
    if title:
        content += _field(_TITLE, _field(_OCTET_STRING, title))
    if mechanism is not Mechanism.NONE:
        content += _field(_REQUIREMENTS, _AUTHENTICATION_UNIT)
        content += _field(_MECHANISM, _MECHANISM_NAME + bytes([mechanism]))
        content += _field(_VALUE, _field(_CHARACTERS, secret))
    content += _field(_USER_INFORMATION, _field(_OCTET_STRING, user_information))
    return _field(AARQ, content)


def parse_association_response(apdu: bytes) -> AssociationResponse:
    """Decode an AARE; optional fields may be missing, unknown ones are skipped.

    Raises TelegramError for any other message.
    """
    fields = _fields(apdu, AARE)
    if _RESULT not in fields:
        raise TelegramError("an association response without result")
    diagnostic = fields.get(_DIAGNOSTIC, b"")
    context = fields.get(_CONTEXT, b"")
    mechanism = fields.get(_RESPONDING_MECHANISM, b"")
    return AssociationResponse(
        result=_number(fields[_RESULT]),
        diagnostic=_number(_inner(diagnostic)) if diagnostic else 0,
        is_of_provider=diagnostic[:1] == bytes([_OF_PROVIDER]),
        context=context[-1] if context else None,
        title=_inner(fields.get(_RESPONDING_TITLE, b"")),
        mechanism=mechanism[-1] if mechanism else Mechanism.NONE,
        challenge=_inner(fields.get(_RESPONDING_VALUE, b"")),
        user_information=_inner(fields.get(_USER_INFORMATION, b"")),
    )


def release_request(user_information: bytes = b"") -> bytes:
    """Encode an RLRQ; ``user_information`` is a ciphered initiate request if there is ciphering."""
    content = _NORMAL_RELEASE
    if user_information:
        content += _field(_USER_INFORMATION, _field(_OCTET_STRING, user_information))
    return _field(RLRQ, content)


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + encode_length(len(content)) + content


def _fields(apdu: bytes, tag: int) -> dict[int, bytes]:
    if apdu[:1] != bytes([tag]):
        raise TelegramError(f"no association response: it begins with 0x{apdu[:1].hex()}")
    fields: dict[int, bytes] = {}
    try:
        size, position = decode_length(apdu, 1)
        end = position + size
        while position < end:
            number = apdu[position]
            size, position = decode_length(apdu, position + 1)
            fields[number] = apdu[position : position + size]
            position += size
    except IndexError:
        position = len(apdu) + 1
    if position > len(apdu):
        raise TelegramError("an association response that ends too early")
    return fields


def _inner(content: bytes) -> bytes:
    """Return the content of the element in a field; empty for an empty field."""
    if not content:
        return b""
    try:
        size, position = decode_length(content, 1)
    except IndexError:
        raise TelegramError("an association response with half a field") from None
    if position + size > len(content):
        raise TelegramError("an association response with half a field")
    return content[position : position + size]


def _number(element: bytes) -> int:
    return int.from_bytes(_inner(element))
