"""A client's session with a meter: its association, and the protection of what is said in it."""

from dataclasses import dataclass, field
import hmac
import secrets
from typing import Final

from . import acse, axdr
from .ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    DecipheringError,
    Keys,
    Mechanism,
    gmac,
    peek,
    proof,
    protect,
    unprotect,
)
from .meter import DlmsMeter, WrongKey
from .objects import CURRENT_ASSOCIATION, PUBLIC, association
from .services import (
    RefusedError,
    Services,
    counter_error,
    deciphering_error,
    not_allowed,
    not_supported,
)

_GLO_INITIATE_REQUEST: Final = 0x21
_GLO_INITIATE_RESPONSE: Final = 0x28
_GENERAL_GLO: Final = 0xDB
_GENERAL_DED: Final = 0xDC
#: Tags of enciphered requests, with those of their answers; dedicated keys are 8 further.
_GLOBAL: Final = {0xC8: 0xCC, 0xC9: 0xCD, 0xCB: 0xCF}
_DEDICATED: Final = {request + 8: answer + 8 for request, answer in _GLOBAL.items()}

_TITLE: Final = 8
_CHALLENGE: Final = 16
_PUBLIC_CONFORMANCE: Final = acse.conformance("block-transfer-with-get", "get")
_WITH_TITLES: Final = (Mechanism.GMAC, Mechanism.SHA256)
#: What protection takes at most besides the message: tag, length, control, counter, tag.
_PROTECTION: Final = 1 + 3 + 1 + 4 + 12
_GENERAL_PROTECTION: Final = _PROTECTION + 1 + _TITLE


@dataclass(kw_only=True)
class _Association:
    services: Services
    context: int
    client_title: bytes
    dedicated: Keys | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """How a request was protected, so that the answer can be."""

    tag: int
    control: int
    keys: Keys = field(repr=False)


class Session:
    """What passes between a meter and one of its clients, from association to release."""

    def __init__(self, meter: DlmsMeter, client: int) -> None:
        """Take the meter, and the number of the client (its service access point)."""
        self.meter = meter
        self.client = client
        self._association: _Association | None = None

    @property
    def midway(self) -> bool:
        """Whether blocks of an answer are still to come."""
        return self._association is not None and self._association.services.midway

    def respond(self, apdu: bytes) -> bytes | None:
        """Answer a message; None where the meter says nothing."""
        meter = self.meter
        meter.note("request", f"{apdu[:1].hex()} {len(apdu)}")
        try:
            match apdu[:1]:
                case b"":
                    return None
                case b"\x60":
                    self._association = None
                    return self._associate(apdu)
                case b"\x62":
                    return self._release(apdu)
                case _:
                    return self._serve(apdu)
        except RefusedError as refusal:
            meter.note("exception", refusal.apdu.hex())
            return refusal.apdu

    # --- association

    def _associate(self, apdu: bytes) -> bytes | None:
        meter = self.meter
        try:
            request = acse.Request.parse(apdu)
        except (ValueError, IndexError) as error:
            meter.note("not understood", str(error))
            return self._reject(acse.LN, acse.NO_REASON)
        meter.note(
            "association",
            f"client {self.client} context {request.context} mechanism {request.mechanism}",
        )
        mechanism = self._mechanism()
        if (diagnostic := self._objection(request, mechanism)) is not None:
            return self._reject(request.context, diagnostic)
        assert mechanism is not None  # noqa: S101  else there was an objection
        try:
            initiate, control = self._initiate(request)
            supported = _PUBLIC_CONFORMANCE if self._public else meter.conformance
            agreed = initiate.agree(supported)
        except acse.InitiateError as error:
            return self._reject(request.context, acse.NO_REASON, error.apdu)
        except DecipheringError:
            meter.note("deciphering error")
            return self._undeciphered(request.context)
        except (ValueError, IndexError) as error:
            meter.note("not understood", str(error))
            return self._reject(request.context, acse.NO_REASON)
        ciphered = request.context == acse.LN_CIPHERED
        challenge = b""
        if mechanism not in (Mechanism.NONE, Mechanism.LLS):
            challenge = secrets.token_bytes(_CHALLENGE)
        self._association = self._new_association(request, initiate, agreed, mechanism, challenge)
        information = acse.initiate_response(agreed, meter.max_pdu)
        if meter.keys is not None and ciphered and control | meter.policy:
            information = bytes([_GLO_INITIATE_RESPONSE]) + axdr.sized(
                self._protect(information, meter.keys, control)
            )
        pending = bool(challenge) and not meter.hides_pending_authentication
        context = meter.answered_context
        return acse.response(
            request.context if context is None else context,
            acse.ACCEPTED,
            acse.AUTHENTICATION_REQUIRED if pending else 0,
            title=meter.title if ciphered or mechanism in _WITH_TITLES else b"",
            mechanism=mechanism,
            challenge=challenge,
            user_information=information,
            protocol_version=meter.tells_protocol_version,
        )

    @property
    def _public(self) -> bool:
        return self.client == self.meter.public_client

    def _mechanism(self) -> Mechanism | None:
        """Return how the client must authenticate itself; None where it is unknown."""
        if self._public:
            return Mechanism.NONE
        return self.meter.mechanism if self.client == self.meter.client else None

    def _objection(self, request: acse.Request, mechanism: Mechanism | None) -> int | None:
        """Return what speaks against an association."""
        meter = self.meter
        contexts = set()
        if not meter.policy or self._public:
            contexts.add(acse.LN)
        if meter.keys is not None and not self._public:
            contexts.add(acse.LN_CIPHERED)
        objection = None
        if mechanism is None:
            objection = acse.NO_REASON
        elif request.context not in contexts:
            objection = acse.CONTEXT_NOT_SUPPORTED
        elif request.mechanism != mechanism:
            unnamed = request.mechanism == Mechanism.NONE
            objection = acse.AUTHENTICATION_REQUIRED if unnamed else acse.MECHANISM_NOT_RECOGNISED
        elif mechanism in _WITH_TITLES and len(request.title) != _TITLE:
            objection = acse.TITLE_NOT_RECOGNISED
        elif mechanism is Mechanism.LLS and not hmac.compare_digest(
            request.authentication, meter.secret
        ):
            meter.note("wrong password")
            objection = acse.AUTHENTICATION_FAILED
        return objection

    def _initiate(self, request: acse.Request) -> tuple[acse.Initiate, int]:
        """Return the initiate request, and the security control byte that it came with."""
        information, control = request.user_information, 0
        if information[:1] == bytes([_GLO_INITIATE_REQUEST]):
            if self.meter.keys is None or len(request.title) != _TITLE:
                raise DecipheringError("no key or no title")
            reader = axdr.Reader(information[1:])
            control, information = self._unprotect(
                reader.sized(), self.meter.keys, request.title, "global"
            )
        elif request.context == acse.LN_CIPHERED and self.meter.policy:
            raise ValueError("initiate request without protection")
        return acse.Initiate.parse(information), control

    def _new_association(
        self,
        request: acse.Request,
        initiate: acse.Initiate,
        agreed: int,
        mechanism: Mechanism,
        challenge: bytes,
    ) -> _Association:
        meter = self.meter
        ciphered = request.context == acse.LN_CIPHERED
        max_pdu = min(initiate.max_pdu or meter.max_pdu, meter.max_pdu)
        if ciphered:
            meter.client_title = request.title
        visible = {
            code: entry
            for code, entry in meter.objects.items()
            if not self._public or code in PUBLIC
        }
        context = axdr.structure(
            axdr.bit_string(f"{agreed:024b}"),
            axdr.u16(max_pdu),
            axdr.u16(meter.max_pdu),
            axdr.u8(6),
            axdr.i8(0),
            axdr.octets(b""),
        )
        visible[CURRENT_ASSOCIATION] = association(
            CURRENT_ASSOCIATION,
            visible.values,
            partners=(self.client, meter.logical_device),
            names=(acse.context_name(request.context), acse.mechanism_name(mechanism)),
            context=context,
        )
        general = acse.can(agreed, "general-protection")
        overhead = (_GENERAL_PROTECTION if general else _PROTECTION) if ciphered else 0

        def prove(answer: bytes) -> bytes | None:
            return self._prove(answer, request, mechanism, challenge)

        return _Association(
            services=Services(
                meter,
                visible,
                conformance=agreed,
                max_pdu=max_pdu - overhead,
                prove=prove if challenge else None,
            ),
            context=request.context,
            client_title=request.title,
            dedicated=(
                Keys(initiate.dedicated_key, meter.authentication_key)
                if initiate.dedicated_key
                else None
            ),
        )

    def _prove(
        self, answer: bytes, request: acse.Request, mechanism: Mechanism, challenge: bytes
    ) -> bytes | None:
        """Check the client's answer to the challenge; return the meter's, None if it is wrong."""
        meter = self.meter
        client, own = request.title, meter.title
        if mechanism is Mechanism.GMAC:
            keys = meter.keys
            assert keys is not None  # noqa: S101  there is no GMAC without
            try:
                _, counter = peek(answer)
            except DecipheringError:
                return None
            meter.receive_counter(client, "proof", counter)
            right = gmac(keys, client, counter, meter.suite, challenge)
            reply = gmac(keys, own, meter.next_counter(), meter.suite, request.authentication)
        else:
            right = proof(
                mechanism,
                meter.secret,
                challenge,
                titles=(client, own),
                other_challenge=request.authentication,
            )
            reply = proof(
                mechanism,
                meter.secret,
                request.authentication,
                titles=(own, client),
                other_challenge=challenge,
            )
        if not hmac.compare_digest(answer, right):
            meter.note("wrong password")
            return None
        return reply

    def _reject(self, context: int, diagnostic: int, information: bytes = b"") -> bytes:
        meter = self.meter
        meter.note("rejected", str(diagnostic))
        if not information and meter.explains_rejection:
            # An error of the initiate request, of no known kind.
            information = acse.InitiateError(0).apdu
        return acse.response(context, acse.REJECTED, diagnostic, user_information=information)

    def _undeciphered(self, context: int) -> bytes | None:
        match self.meter.wrong_key:
            case WrongKey.EXCEPTION:
                raise deciphering_error()
            case WrongKey.REJECTION:
                return self._reject(context, acse.NO_REASON)
            case WrongKey.SILENCE:
                return None

    def _release(self, apdu: bytes) -> bytes | None:
        meter = self.meter
        meter.note("release")
        current, self._association = self._association, None
        if not meter.answers_release:
            return None
        information = b""
        try:
            inside = acse.release_information(apdu)
            keys = meter.keys
            if inside[:1] == bytes([_GLO_INITIATE_REQUEST]) and current and keys:
                control, _ = self._unprotect(
                    axdr.Reader(inside[1:]).sized(), keys, current.client_title, "global"
                )
                response = acse.initiate_response(current.services.conformance, meter.max_pdu)
                information = bytes([_GLO_INITIATE_RESPONSE]) + axdr.sized(
                    self._protect(response, keys, control)
                )
        except (ValueError, IndexError) as error:
            meter.note("not understood", str(error))
        return acse.released(information)

    # --- services

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
        answer = current.services.answer(plaintext)
        return answer if envelope is None else self._close(answer, envelope)

    def _open(self, apdu: bytes, current: _Association) -> tuple[bytes, _Envelope | None]:
        """Take the protection from a request; refuse one that lacks some of it."""
        meter = self.meter
        tag = apdu[0]
        dedicated = tag in _DEDICATED or tag == _GENERAL_DED
        if tag in _GLOBAL or tag in _DEDICATED or tag in (_GENERAL_GLO, _GENERAL_DED):
            if current.context != acse.LN_CIPHERED:
                raise not_supported()
            keys = current.dedicated if dedicated else meter.keys
            if keys is None:
                raise DecipheringError("no key")
            reader = axdr.Reader(apdu[1:])
            title = reader.sized() if tag in (_GENERAL_GLO, _GENERAL_DED) else b""
            control, plaintext = self._unprotect(
                reader.sized(),
                keys,
                title or current.client_title,
                "dedicated" if dedicated else "global",
            )
            if meter.policy & ~control:
                raise not_allowed()
            return plaintext, _Envelope(tag, control, keys)
        if meter.policy and not self._public:
            raise not_allowed()
        return apdu, None

    def _close(self, answer: bytes, envelope: _Envelope) -> bytes:
        protected = axdr.sized(self._protect(answer, envelope.keys, envelope.control))
        if envelope.tag in (_GENERAL_GLO, _GENERAL_DED):
            return bytes([envelope.tag]) + axdr.sized(self.meter.title) + protected
        tag = _GLOBAL.get(envelope.tag) or _DEDICATED[envelope.tag]
        return bytes([tag]) + protected

    def _protect(self, plaintext: bytes, keys: Keys, control: int) -> bytes:
        meter = self.meter
        control = control & (AUTHENTICATED | ENCRYPTED) | meter.policy | meter.suite
        return protect(plaintext, keys, meter.title, meter.next_counter(), control)

    def _unprotect(self, data: bytes, keys: Keys, title: bytes, key: str) -> tuple[int, bytes]:
        """Return control byte and message; refuse counters that were used before."""
        meter = self.meter
        _, counter = peek(data)
        meter.receive_counter(title, key, counter)
        opened = unprotect(data, keys, title, meter.suite)
        if meter.faults.happens("stale_counters"):
            meter.client_counter = counter + 1000
        if key == "global":
            if counter <= meter.client_counter:
                meter.note("stale counter", str(counter))
                raise counter_error(meter.client_counter + 1)
            meter.client_counter = counter
        return opened.control, opened.plaintext
