"""ACSE: association requests (AARQ), responses (AARE) and releases (Green Book, 9.3)."""

from dataclasses import dataclass
from typing import Final

from . import axdr

AARQ: Final = 0x60
AARE: Final = 0x61
RLRQ: Final = 0x62
RLRE: Final = 0x63

#: Application contexts, by the last number of their names.
LN: Final = 1
SN: Final = 2
LN_CIPHERED: Final = 3
SN_CIPHERED: Final = 4

#: Results, and diagnostics of the service user.
ACCEPTED: Final = 0
REJECTED: Final = 1
NO_REASON: Final = 1
CONTEXT_NOT_SUPPORTED: Final = 2
TITLE_NOT_RECOGNISED: Final = 3
MECHANISM_NOT_RECOGNISED: Final = 11
AUTHENTICATION_FAILED: Final = 13
AUTHENTICATION_REQUIRED: Final = 14

_NAME: Final = bytes.fromhex("6085740508")
_CONTEXT: Final = b"\x01"
_MECHANISM: Final = b"\x02"

#: The bits of the conformance block, from the highest on (clause 9.4.6.1).
CONFORMANCE: Final = {
    "general-protection": 1,
    "general-block-transfer": 2,
    "read": 3,
    "priority": 9,
    "block-transfer-with-get": 11,
    "block-transfer-with-action": 13,
    "multiple-references": 14,
    "data-notification": 16,
    "parameterized-access": 18,
    "get": 19,
    "set": 20,
    "selective-access": 21,
    "action": 23,
}
_BITS: Final = 24
_DLMS_VERSION: Final = 6
#: VAA name with logical names, and with short names, the object of the association.
_VAA_NAME: Final = b"\x00\x07"
_VAA_SHORT_NAME: Final = b"\xfa\x00"
_SMALLEST_PDU: Final = 12

_VERSION_TOO_LOW: Final = 1
_INCOMPATIBLE_CONFORMANCE: Final = 2
_PDU_TOO_SHORT: Final = 3


@dataclass(frozen=True, slots=True)
class Request:
    """An AARQ."""

    context: int
    mechanism: int
    #: The password, or the client's challenge.
    authentication: bytes
    title: bytes
    #: The initiate request, possibly enciphered.
    user_information: bytes

    @classmethod
    def parse(cls, apdu: bytes) -> Request:
        """Parse an AARQ; ValueError if it is not one."""
        fields = _fields(apdu, AARQ)
        context = fields.get(0xA1, b"")
        if context[2:7] != _NAME or context[7:8] != _CONTEXT:
            raise ValueError("no application context of DLMS")
        authentication = fields.get(0xAC, b"")
        return cls(
            context=context[-1],
            mechanism=fields[0x8B][-1] if 0x8B in fields else 0,
            authentication=_inner(authentication),
            title=_inner(fields.get(0xA6, b"")),
            user_information=_inner(fields.get(0xBE, b"")),
        )


class InitiateError(ValueError):
    """An initiate request that a meter does not accept."""

    def __init__(self, number: int) -> None:
        """Create it with the number of the error (initiate of ServiceError)."""
        super().__init__(f"initiate error {number}")
        self.number = number

    @property
    def apdu(self) -> bytes:
        """The confirmed-service-error for it."""
        return bytes([0x0E, 0x01, 0x06, self.number])


@dataclass(frozen=True, slots=True)
class Initiate:
    """An initiate request."""

    dedicated_key: bytes
    conformance: int
    max_pdu: int

    @classmethod
    def parse(cls, apdu: bytes) -> Initiate:
        """Parse an initiate request; InitiateError if it is not accepted, ValueError if invalid."""
        reader = axdr.Reader(apdu)
        if reader.number() != 0x01:
            raise ValueError("no initiate request")
        dedicated_key = reader.sized() if reader.number() else b""
        if reader.number():
            reader.number()  # response-allowed
        if reader.number():
            reader.number()  # quality of service
        version = reader.number()
        if reader.take(2) != b"\x5f\x1f":
            raise ValueError("no conformance")
        reader.take(2)
        conformance = reader.number(_BITS // 8)
        max_pdu = reader.number(2)
        if version < _DLMS_VERSION:
            raise InitiateError(_VERSION_TOO_LOW)
        if 0 < max_pdu < _SMALLEST_PDU:
            raise InitiateError(_PDU_TOO_SHORT)
        return cls(dedicated_key, conformance, max_pdu)

    def agree(self, supported: int) -> int:
        """Return the conformance that both have; InitiateError if that is none."""
        if not (common := self.conformance & supported):
            raise InitiateError(_INCOMPATIBLE_CONFORMANCE)
        return common


def conformance(*names: str) -> int:
    """Return a conformance block with these bits."""
    return sum(1 << (_BITS - 1 - CONFORMANCE[name]) for name in names)


def can(bits: int, name: str) -> bool:
    """Whether a conformance block has a bit."""
    return bool(bits & conformance(name))


def initiate_response(agreed: int, max_pdu: int, *, short_names: bool = False) -> bytes:
    """Encode an initiate response with the negotiated conformance."""
    name = _VAA_SHORT_NAME if short_names else _VAA_NAME
    bits = b"\x5f\x1f\x04\x00" + agreed.to_bytes(_BITS // 8)
    return b"\x08\x00" + bytes([_DLMS_VERSION]) + bits + max_pdu.to_bytes(2) + name


def response(
    context: int,
    result: int,
    diagnostic: int,
    *,
    title: bytes = b"",
    mechanism: int = 0,
    challenge: bytes = b"",
    user_information: bytes = b"",
    protocol_version: bool = False,
) -> bytes:
    """Encode an AARE with a diagnostic of the service user."""
    body = b"\x80\x02\x07\x80" if protocol_version else b""
    body += _field(0xA1, _object_identifier(_CONTEXT, context))
    body += _field(0xA2, bytes([0x02, 0x01, result]))
    body += _field(0xA3, _field(0xA1, bytes([0x02, 0x01, diagnostic])))
    if title:
        body += _field(0xA4, _field(0x04, title))
    if challenge:
        body += b"\x88\x02\x07\x80"
        body += _field(0x89, _NAME + _MECHANISM + bytes([mechanism]))
        body += _field(0xAA, _field(0x80, challenge))
    if user_information:
        body += _field(0xBE, _field(0x04, user_information))
    return _field(AARE, body)


def release_information(apdu: bytes) -> bytes:
    """Return the initiate request inside an RLRQ, empty if there is none.

    Some clients omit the reason, others repeat the initiate request. ValueError if it is no RLRQ.
    """
    return _inner(_fields(apdu, RLRQ).get(0xBE, b""))


def released(user_information: bytes = b"") -> bytes:
    """Encode an RLRE with the reason "normal"."""
    body = b"\x80\x01\x00"
    if user_information:
        body += _field(0xBE, _field(0x04, user_information))
    return _field(RLRE, body)


def context_name(context: int) -> bytes:
    """Return the object identifier of an application context."""
    return _NAME + _CONTEXT + bytes([context])


def mechanism_name(mechanism: int) -> bytes:
    """Return the object identifier of an authentication mechanism."""
    return _NAME + _MECHANISM + bytes([mechanism])


def _object_identifier(arc: bytes, number: int) -> bytes:
    return _field(0x06, _NAME + arc + bytes([number]))


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + axdr.sized(content)


def _fields(apdu: bytes, tag: int) -> dict[int, bytes]:
    reader = axdr.Reader(apdu)
    if reader.number() != tag:
        raise ValueError(f"{apdu[0]:02x} instead of {tag:02x}")
    reader = axdr.Reader(reader.sized())
    fields = {}
    while reader.rest:
        number = reader.number()
        fields[number] = reader.sized()
    return fields


def _inner(content: bytes) -> bytes:
    """Return the content of a nested field without its tag and length; nothing for no field."""
    if not content:
        return b""
    reader = axdr.Reader(content)
    reader.number()
    return reader.sized()
