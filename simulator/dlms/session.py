"""A client's session with a meter: association, services, release."""

from dataclasses import dataclass, field
from typing import Final

from . import acse, axdr
from .association import (
    GLO_INITIATE_REQUEST,
    GLO_INITIATE_RESPONSE,
    Association,
    associate,
)
from .ciphering import DecipheringError, Keys
from .meter import DlmsMeter
from .protection import seal, seal_generally, unseal
from .services import RefusedError, SilentError, deciphering_error, not_allowed, not_supported
from .settings import WrongKey

_GENERAL_GLO: Final = 0xDB
_GENERAL_DED: Final = 0xDC
_GENERAL: Final = (_GENERAL_GLO, _GENERAL_DED)
#: Tags of enciphered requests and their answers, with the global key and with dedicated keys.
_GLOBAL: Final = {0x25: 0x2C, 0xC8: 0xCC, 0xC9: 0xCD, 0xCB: 0xCF}
_DEDICATED: Final = {0x45: 0x4C, 0xD0: 0xD4, 0xD1: 0xD5, 0xD3: 0xD7}
_ANSWERS: Final = _GLOBAL | _DEDICATED


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The protection of a request, which its answer gets, too."""

    tag: int
    control: int
    keys: Keys = field(repr=False)


class Session:
    """The session of a meter with one of its clients."""

    def __init__(self, meter: DlmsMeter, client: int) -> None:
        """Create a session with a client address (service access point)."""
        self.meter = meter
        self.client = client
        self._association: Association | None = None
        self._was_asked = False

    @property
    def associated(self) -> bool:
        """Whether the client has an association."""
        return self._association is not None

    @property
    def midway(self) -> bool:
        """Whether more blocks of an answer follow."""
        return self._association is not None and self._association.services.midway

    def respond(self, apdu: bytes) -> bytes | None:
        """Answer a message; None if the meter does not answer."""
        meter = self.meter
        meter.note("request", f"{apdu[:1].hex()} {len(apdu)}")
        if not apdu:
            return None
        try:
            match apdu[0]:
                case acse.AARQ if self._was_asked and not meter.accepts_second_request:
                    return None
                case acse.AARQ:
                    self._was_asked = True
                    self._association = None
                    answer, self._association = associate(meter, self.client, apdu)
                    return answer
                case acse.RLRQ:
                    return self._release(apdu)
                case _:
                    return self._serve(apdu)
        except RefusedError as refusal:
            meter.note("exception", refusal.apdu.hex())
            return refusal.apdu

    def _release(self, apdu: bytes) -> bytes | None:
        meter = self.meter
        meter.note("release")
        current, self._association = self._association, None
        if not meter.answers_release:
            return None
        information = b""
        try:
            inside = acse.release_information(apdu)
            if inside[:1] == bytes([GLO_INITIATE_REQUEST]) and current and meter.keys:
                sealed = axdr.Reader(inside[1:]).sized()
                control, _ = unseal(meter, sealed, meter.keys, current.client_title)
                response = acse.initiate_response(
                    current.services.conformance, meter.max_pdu, short_names=meter.short_names
                )
                information = bytes([GLO_INITIATE_RESPONSE])
                information += seal(meter, response, meter.keys, control)
        except (ValueError, IndexError) as error:
            meter.note("not understood", str(error))
        return acse.released(information)

    def _serve(self, apdu: bytes) -> bytes | None:
        current = self._association
        if current is None:
            raise not_allowed()
        try:
            plaintext, envelope = self._open(apdu, current)
        except DecipheringError:
            self.meter.note("deciphering error")
            if self.meter.wrong_key is WrongKey.SILENCE:
                return None
            raise deciphering_error() from None
        except (ValueError, IndexError) as error:
            self.meter.note("not understood", str(error))
            raise RefusedError(2, 3) from error
        try:
            answer = current.services.answer(plaintext)
        except SilentError:
            return None
        return answer if envelope is None else self._close(answer, envelope)

    def _open(self, apdu: bytes, current: Association) -> tuple[bytes, _Envelope | None]:
        """Remove the protection of a request; RefusedError if it lacks some of it."""
        meter, tag = self.meter, apdu[0]
        if tag not in _ANSWERS and tag not in _GENERAL:
            if current.ciphered and meter.policy:
                raise not_allowed()
            return apdu, None
        if not current.ciphered:
            raise not_supported()
        dedicated = tag in _DEDICATED or tag == _GENERAL_DED
        keys = current.dedicated if dedicated else meter.keys
        if dedicated and current.services.prove is not None and not meter.dedicated_before_proof:
            keys = None
        if keys is None:
            raise DecipheringError("no key")
        reader = axdr.Reader(apdu[1:])
        title = reader.sized() if tag in _GENERAL else b""
        control, plaintext = unseal(
            meter, reader.sized(), keys, title or current.client_title, dedicated=dedicated
        )
        if meter.policy & ~control:
            raise not_allowed()
        return plaintext, _Envelope(tag, control, keys)

    def _close(self, answer: bytes, envelope: _Envelope) -> bytes:
        meter, tag = self.meter, envelope.tag
        if meter.answers_with_general_ciphering:
            return seal_generally(meter, answer, envelope.control)
        sealed = seal(meter, answer, envelope.keys, envelope.control)
        if tag in _GENERAL:
            return bytes([tag]) + axdr.sized(meter.title) + sealed
        return bytes([_ANSWERS[tag]]) + sealed
