"""The association of a client with a meter: conditions, negotiation, authentication."""

from dataclasses import dataclass, field
import hmac
import secrets
from typing import Final

from . import acse, axdr, short_names
from .ciphering import DecipheringError, Keys, Mechanism, gmac, peek, proof
from .cosem import CURRENT_ASSOCIATION, PUBLIC, CosemObject, association
from .meter import DlmsMeter
from .protection import GENERAL_OVERHEAD, OVERHEAD, seal, unseal
from .services import Services, deciphering_error
from .settings import WrongKey

GLO_INITIATE_REQUEST: Final = 0x21
GLO_INITIATE_RESPONSE: Final = 0x28

_TITLE: Final = 8
_CHALLENGE: Final = 16
_PUBLIC_CONFORMANCE: Final = acse.conformance("block-transfer-with-get", "get")
#: The same with short names, and the conformance for all other clients.
_PUBLIC_SHORT: Final = acse.conformance("block-transfer-with-get", "read")
_SHORT: Final = acse.conformance(
    "block-transfer-with-get", "multiple-references", "read", "parameterized-access"
)
#: confirmed-service-error of the initiate request: application reference, deciphering error.
_DECIPHERING_ERROR: Final = bytes.fromhex("0e010006")
_WITH_TITLES: Final = (Mechanism.GMAC, Mechanism.SHA256)


@dataclass(kw_only=True)
class Association:
    """An association of a client with a meter."""

    services: Services
    ciphered: bool
    client_title: bytes
    dedicated: Keys | None = field(repr=False)


def associate(
    meter: DlmsMeter, client: int, apdu: bytes
) -> tuple[bytes | None, Association | None]:
    """Answer an AARQ; return the answer, if any, and the association, if it is accepted."""
    try:
        request = acse.Request.parse(apdu)
    except (ValueError, IndexError) as error:
        meter.note("not understood", str(error))
        return _reject(meter, acse.LN, acse.NO_REASON), None
    return _Candidate(meter, client, request).associate()


class _Candidate:
    """A client that requests an association."""

    def __init__(self, meter: DlmsMeter, client: int, request: acse.Request) -> None:
        self.meter = meter
        self.client = client
        self.request = request
        self.public = client == meter.public_client
        self.ciphered = request.context in (acse.LN_CIPHERED, acse.SN_CIPHERED)
        self.mechanism: Mechanism | None = None
        if self.public:
            self.mechanism = Mechanism.NONE
        elif client == meter.client:
            self.mechanism = meter.mechanism
        self.challenge = b""
        if self.mechanism not in (None, Mechanism.NONE, Mechanism.LLS):
            self.challenge = secrets.token_bytes(_CHALLENGE)

    def associate(self) -> tuple[bytes | None, Association | None]:
        """Return the answer and the association."""
        meter, request = self.meter, self.request
        meter.note(
            "association",
            f"client {self.client} context {request.context} mechanism {request.mechanism}",
        )
        if (objection := self._objection()) is not None:
            return _reject(meter, request.context, objection), None
        try:
            initiate, control = self._initiate()
            agreed = initiate.agree(self._conformance())
        except acse.InitiateError as error:
            return _reject(meter, request.context, acse.NO_REASON, error.apdu), None
        except DecipheringError:
            meter.note("deciphering error")
            return self._undeciphered(), None
        except (ValueError, IndexError) as error:
            meter.note("not understood", str(error))
            return _reject(meter, request.context, acse.NO_REASON), None
        return self._acceptance(agreed, control), self._association(initiate, agreed)

    def _conformance(self) -> int:
        if self.meter.short_names:
            return _PUBLIC_SHORT if self.public else _SHORT
        return _PUBLIC_CONFORMANCE if self.public else self.meter.conformance

    def _objection(self) -> int | None:
        """Return the diagnostic of a rejection; None if the association is accepted."""
        meter, request = self.meter, self.request
        contexts = set()
        if not meter.policy or self.public:
            contexts.add(acse.SN if meter.short_names else acse.LN)
        if meter.keys is not None and not self.public:
            contexts.add(acse.SN_CIPHERED if meter.short_names else acse.LN_CIPHERED)
        objection = None
        if self.mechanism is None:
            objection = acse.NO_REASON
        elif request.context not in contexts:
            objection = acse.CONTEXT_NOT_SUPPORTED
        elif request.mechanism != self.mechanism:
            unnamed = request.mechanism == Mechanism.NONE
            objection = acse.AUTHENTICATION_REQUIRED if unnamed else acse.MECHANISM_NOT_RECOGNISED
        elif self.mechanism in _WITH_TITLES and len(request.title) != _TITLE:
            objection = acse.TITLE_NOT_RECOGNISED
        elif self.mechanism is Mechanism.LLS and not hmac.compare_digest(
            request.authentication, meter.secret
        ):
            meter.note("wrong password")
            objection = acse.AUTHENTICATION_FAILED
        return objection

    def _initiate(self) -> tuple[acse.Initiate, int]:
        """Return the initiate request and its security control byte, 0 without protection."""
        information, control = self.request.user_information, 0
        if information[:1] == bytes([GLO_INITIATE_REQUEST]):
            if self.meter.keys is None or len(self.request.title) != _TITLE:
                raise DecipheringError("no key or no title")
            sealed = axdr.Reader(information[1:]).sized()
            control, information = unseal(self.meter, sealed, self.meter.keys, self.request.title)
        elif self.ciphered and self.meter.policy:
            raise ValueError("initiate request without protection")
        return acse.Initiate.parse(information), control

    def _undeciphered(self) -> bytes | None:
        match self.meter.wrong_key:
            case WrongKey.EXCEPTION:
                raise deciphering_error()
            case WrongKey.REJECTION:
                return _reject(self.meter, self.request.context, acse.NO_REASON)
            case WrongKey.ERROR:
                error = _DECIPHERING_ERROR
                return _reject(self.meter, self.request.context, acse.NO_REASON, error)
            case WrongKey.SILENCE:
                return None

    def _acceptance(self, agreed: int, control: int) -> bytes:
        meter, context = self.meter, self.meter.answered_context
        information = acse.initiate_response(agreed, meter.max_pdu, short_names=meter.short_names)
        if meter.keys is not None and self.ciphered and control | meter.policy:
            sealed = seal(meter, information, meter.keys, control)
            information = bytes([GLO_INITIATE_RESPONSE]) + sealed
        has_title = self.ciphered or self.mechanism in _WITH_TITLES
        pending = self.challenge and not meter.hides_pending_authentication
        return acse.response(
            self.request.context if context is None else context,
            acse.ACCEPTED,
            acse.AUTHENTICATION_REQUIRED if pending else 0,
            title=meter.title if has_title and meter.sends_title else b"",
            mechanism=self.request.mechanism,
            challenge=self.challenge,
            user_information=information,
            protocol_version=meter.sends_protocol_version,
        )

    def _association(self, initiate: acse.Initiate, agreed: int) -> Association:
        meter, request = self.meter, self.request
        if self.ciphered:
            meter.client_title = request.title
        max_pdu = min(initiate.max_pdu or meter.max_pdu, meter.max_pdu)
        overhead = 0
        if self.ciphered:
            general = acse.can(agreed, "general-protection")
            overhead = GENERAL_OVERHEAD if general else OVERHEAD
        dedicated = None
        if initiate.dedicated_key:
            dedicated = Keys(initiate.dedicated_key, meter.authentication_key)
        kind = short_names.ShortNameServices if meter.short_names else Services
        services = kind(
            meter,
            self._visible(agreed, max_pdu),
            conformance=agreed,
            max_pdu=max_pdu - overhead,
            prove=self._prove if self.challenge else None,
        )
        return Association(
            services=services,
            ciphered=self.ciphered,
            client_title=request.title,
            dedicated=dedicated,
        )

    def _visible(self, agreed: int, max_pdu: int) -> dict[str, CosemObject]:
        """Return the objects that the client may read, with that of the association."""
        meter, request = self.meter, self.request
        visible = {
            code: entry
            for code, entry in meter.objects.items()
            if not self.public or code in PUBLIC
        }
        listed = visible.values if meter.lists_objects else tuple
        if meter.short_names:
            visible[CURRENT_ASSOCIATION] = short_names.association(meter.base_names, listed)
            return visible
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
            listed,
            partners=(self.client, meter.logical_device),
            names=(acse.context_name(request.context), acse.mechanism_name(request.mechanism)),
            context=context,
        )
        return visible

    def _prove(self, answer: bytes) -> bytes | None:
        """Check the answer to the challenge; return the meter's, or None if it is wrong."""
        meter, mechanism, keys = self.meter, self.meter.mechanism, self.meter.keys
        client, own = self.request.title, meter.title
        theirs = self.request.authentication
        if mechanism is Mechanism.GMAC and keys is not None:
            try:
                _, counter = peek(answer)
            except DecipheringError:
                return None
            meter.receive_counter(client, "proof", counter)
            right = gmac(keys, client, counter, meter.suite, self.challenge)
            reply = gmac(keys, own, meter.next_counter(), meter.suite, theirs)
        else:
            secret, ours = meter.secret, self.challenge
            right = proof(mechanism, secret, ours, titles=(client, own), other_challenge=theirs)
            reply = proof(mechanism, secret, theirs, titles=(own, client), other_challenge=ours)
        if not hmac.compare_digest(answer, right):
            meter.note("wrong password")
            return None
        return reply


def _reject(meter: DlmsMeter, context: int, diagnostic: int, information: bytes = b"") -> bytes:
    meter.note("rejected", str(diagnostic))
    if not information and meter.explains_rejection:
        # An error of the initiate request, of no known kind.
        information = acse.InitiateError(0).apdu
    return acse.response(context, acse.REJECTED, diagnostic, user_information=information)
