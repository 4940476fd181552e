"""An association with a meter, without any input or output of its own (IEC 62056-5-3).

Each operation is a generator: it yields a message to be sent and wants the answer to be sent into
it. An empty message asks for another answer, without anything being sent before. What it returns
is the operation's result.
"""

from collections.abc import Generator, Mapping, Sequence
from itertools import cycle
from secrets import token_bytes
from typing import Final

from ..errors import (
    AssociationError,
    MeterAuthenticationError,
    TelegramError,
    WrongAuthenticationKeyError,
    WrongKeysError,
)
from . import short_names
from .apdu import xdlms
from .apdu.acse import (
    LOGICAL_NAMES,
    LOGICAL_NAMES_CIPHERED,
    RLRE,
    SHORT_NAMES,
    SHORT_NAMES_CIPHERED,
    AssociationResponse,
    Mechanism,
    association_request,
    parse_association_response,
    release_request,
)
from .apdu.axdr import Data, octet_string
from .apdu.block_transfer import assemble
from .apdu.results import (
    AUTHENTICATION_FAILURE,
    CONTEXT_NOT_SUPPORTED,
    ContextError,
    access_error,
    access_text,
    diagnostic_text,
)
from .apdu.xdlms import AccessResult, Initiate
from .cosem import CURRENT_ASSOCIATION, ObjectClass
from .security import hls
from .security.authenticity import Authenticity
from .security.ciphering import TITLE_LENGTH
from .security.protection import Cipher, Numbers, no_title, protection_of, suite_of
from .settings import Authentication, DlmsSettings, Protection

type Operation[T] = Generator[bytes, bytes, T]

MECHANISMS: Final = {
    Authentication.NONE: Mechanism.NONE,
    Authentication.LLS: Mechanism.LLS,
    Authentication.HLS_MANUFACTURER: Mechanism.MANUFACTURER,
    Authentication.HLS_MD5: Mechanism.MD5,
    Authentication.HLS_SHA1: Mechanism.SHA1,
    Authentication.HLS_GMAC: Mechanism.GMAC,
    Authentication.HLS_SHA256: Mechanism.SHA256,
}
#: Mechanisms that go by the system titles of both sides.
_WITH_TITLE: Final = frozenset({Mechanism.GMAC, Mechanism.SHA256})
_REPLY_TO_HLS: Final = xdlms.descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 1)
_CHALLENGE_LENGTH: Final = 16
#: Messages that may come before the answer, and have nothing to do with it.
_ASIDES_MAX: Final = 32
#: Numbers of questions; 0 would do as well, but some meters begin with 1.
_INVOKE_IDS: Final = range(1, 16)
#: The most invocation counters that are used up between two answers.
NUMBERS_AT_ONCE: Final = 4


class Association:
    """Who the client is to the meter, and what they have agreed on."""

    def __init__(
        self,
        settings: DlmsSettings,
        numbers: Numbers | None = None,
        authenticity: Authenticity | None = None,
        base_names: Mapping[bytes, int] | None = None,
    ) -> None:
        """Take how the meter wants to be spoken to, and invocation counters where it is ciphered.

        What is known of the meter's authenticity goes on from there. With base names, by the
        descriptors of objects, the meter is asked by short names; they may be learned later.

        Raises ValueError where a key, a password or a system title is missing.
        """
        self._settings = settings
        self._mechanism = MECHANISMS[settings.authentication]
        self._numbers = numbers or Numbers()
        self._title = settings.system_title or b""
        self._dedicated_key = b""
        self._cipher: Cipher | None = None
        if protection_of(settings) is not Protection.NONE:
            if settings.dedicated_key:
                self._dedicated_key = token_bytes(len(settings.keys.encryption or bytes(16)))
            judge = authenticity or Authenticity()
            self._cipher = Cipher(settings, self._numbers, self._dedicated_key, judge)
        if self._mechanism in _WITH_TITLE and not self._title:
            raise ValueError("this authentication needs a system title")
        if self._mechanism is Mechanism.GMAC and settings.keys.encryption is None:
            raise ValueError("this authentication needs an encryption key")
        has_password = self._mechanism not in {Mechanism.NONE, Mechanism.GMAC}
        if has_password and settings.password is None:
            raise ValueError("this authentication needs a password")
        self._challenge = token_bytes(_CHALLENGE_LENGTH)
        self._invoke_ids = cycle(_INVOKE_IDS)
        self._base_names = base_names
        self._proposed = xdlms.PROPOSED if base_names is None else xdlms.PROPOSED_SHORT
        self.conformance = self._proposed
        #: The longest message that the meter takes; 0 is no limit.
        self.max_pdu = 0
        #: The meter has taken the initiate request, so it could decipher that.
        self.is_agreed = False
        #: The meter's system title; empty while it is not known.
        self.meter_title = b""

    @property
    def uses_numbers(self) -> bool:
        """Whether invocation counters are used up."""
        return self._cipher is not None or self._mechanism is Mechanism.GMAC

    @property
    def has_short_names(self) -> bool:
        """Whether the meter is asked by short names instead of logical ones."""
        return self._base_names is not None

    @property
    def is_ciphered(self) -> bool:
        """Whether messages are ciphered."""
        return self._cipher is not None

    # --- coming and going

    def associate(self) -> Operation[None]:
        """Ask to be let in, with all that it takes.

        Raises MeterAuthenticationError for a password that the meter does not take,
        AssociationError with what the meter says, ExceptionError, WrongEncryptionKeyError,
        WrongAuthenticationKeyError, TelegramError.
        """
        answer = yield self._association_request()
        for _ in range(_ASIDES_MAX):
            if answer[:1] not in _ASIDES:
                break
            answer = yield b""
        _raise_refusal(answer)
        response = parse_association_response(answer)
        self._take_title(response)
        self._judge(response)
        if response.challenge and self._mechanism > Mechanism.LLS:
            yield from self._prove(response.challenge)

    def release(self) -> Operation[None]:
        """Take leave; whatever the meter answers."""
        information = b""
        if self._cipher is not None:
            initiate = xdlms.initiate_request(proposed=self._proposed)
            information = self._cipher.seal(initiate, use_dedicated=False)
        answer = yield release_request(information)
        for _ in range(_ASIDES_MAX):
            if answer[:1] not in _ASIDES or answer[0] == RLRE:
                return
            answer = yield b""

    def _association_request(self) -> bytes:
        initiate = xdlms.initiate_request(self._dedicated_key, self._proposed)
        contexts = _SHORT if self.has_short_names else _LOGICAL
        context = contexts[self.is_ciphered]
        if self._cipher is not None:
            initiate = self._cipher.seal(initiate, use_dedicated=False)
        secret = self._challenge
        if self._mechanism is Mechanism.LLS:
            secret = self._settings.password or b""
        has_title = self._cipher is not None or self._mechanism in _WITH_TITLE
        title = self._title if has_title else b""
        return association_request(context, self._mechanism, secret, title, initiate)

    def _take_title(self, response: AssociationResponse) -> None:
        self.meter_title = response.title
        if self._cipher is not None:
            self._cipher.meter_title = response.title

    def _judge(self, response: AssociationResponse) -> None:
        """Take what the meter has agreed to, or raise why it has not."""
        information = response.user_information
        # What it says of the keys comes first: a wrong one is why it rejects.
        if information and self._cipher is not None and (response.title or not response.result):
            information = self._cipher.open(information)
            self.meter_title = self._cipher.meter_title
        if response.result:
            if response.diagnostic == AUTHENTICATION_FAILURE and not response.is_of_provider:
                raise self._not_taken("authentication failure")
            is_told = response.diagnostic == CONTEXT_NOT_SUPPORTED and not response.is_of_provider
            if information[:1] == bytes([xdlms.CONFIRMED_SERVICE_ERROR]) and not is_told:
                raise xdlms.parse_service_error(information)
            reason = diagnostic_text(
                response.result, response.diagnostic, is_of_provider=response.is_of_provider
            )
            kind = ContextError if is_told else AssociationError
            raise kind(f"the meter refuses the association: {reason}", reason=reason)
        if response.context is not None and (response.context in _SHORT) != self.has_short_names:
            others = "logical" if self.has_short_names else "short"
            reason = f"the meter answers by {others} names, by which it was not asked"
            raise ContextError(reason, reason=reason)
        if not information:
            return
        if information[0] not in {xdlms.INITIATE_RESPONSE, xdlms.CONFIRMED_SERVICE_ERROR}:
            raise TelegramError("the meter agrees in a ciphered message that was not asked for")
        agreed: Initiate = xdlms.parse_initiate_response(information)
        self.conformance, self.max_pdu = agreed.conformance, agreed.max_pdu
        self.is_agreed = True

    def _prove(self, challenge: bytes) -> Operation[None]:
        """Answer the meter's challenge, and judge how it answers ours."""
        proof = octet_string(self._proof(challenge))
        returned: Data | AccessResult
        # Dedicated keys are for what comes after the authentication.
        if self.has_short_names:
            request = short_names.reply_to_hls(proof)
            answer = yield from self._ask(request, None, use_dedicated=False)
            [returned] = xdlms.parse_results(answer[1:], 1)
            result = returned if isinstance(returned, AccessResult) else 0
        else:
            invoke_id = next(self._invoke_ids)
            request = xdlms.action_request(invoke_id, _REPLY_TO_HLS, proof)
            answer = yield from self._ask(request, invoke_id, use_dedicated=False)
            result, returned = xdlms.parse_action_result(answer)
        if result:
            raise self._not_taken(access_text(result))
        if not self._is_proven(returned, challenge):
            raise self._not_proven()

    def _proof(self, challenge: bytes) -> bytes:
        settings = self._settings
        if self._mechanism is Mechanism.GMAC:
            if len(self.meter_title) != TITLE_LENGTH:
                raise no_title()
            counter = self._numbers.take()
            return hls.gmac(challenge, suite_of(settings), counter, self._title, settings.keys)
        return hls.digest(
            self._mechanism,
            settings.password or b"",
            challenge,
            titles=(self._title, self.meter_title),
            own_challenge=self._challenge,
        )

    def _is_proven(self, proof: Data | AccessResult, challenge: bytes) -> bool:
        settings = self._settings
        if self._mechanism is Mechanism.MANUFACTURER:
            # How the meter proves itself is its manufacturer's secret.
            return True
        if not isinstance(proof, bytes):
            return False
        if self._mechanism is Mechanism.GMAC:
            return hls.is_gmac(proof, self._challenge, self.meter_title, settings.keys)
        return proof == hls.digest(
            self._mechanism,
            settings.password or b"",
            self._challenge,
            titles=(self.meter_title, self._title),
            own_challenge=challenge,
        )

    def _not_taken(self, reason: str) -> MeterAuthenticationError | WrongKeysError:
        if self._mechanism is not Mechanism.GMAC:
            return MeterAuthenticationError(f"the meter does not take the password: {reason}")
        return WrongKeysError(f"the meter does not take what was made with the keys: {reason}")

    def _not_proven(self) -> MeterAuthenticationError | WrongAuthenticationKeyError:
        if self._mechanism is not Mechanism.GMAC:
            return MeterAuthenticationError("the meter does not know the password itself")
        return WrongAuthenticationKeyError("the meter has another key")

    # --- reading

    def get(self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION) -> Operation[Data]:
        """Read one attribute, by its descriptor. Raises AccessError, ExceptionError."""
        result = yield from self.get_result(attribute, selection)
        if isinstance(result, AccessResult):
            raise access_error(result)
        return result

    def get_result(
        self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION
    ) -> Operation[Data | AccessResult]:
        """Read one attribute, or why it is refused. Raises ExceptionError."""
        return xdlms.parse_result((yield from self.get_encoded(attribute, selection)))

    def get_encoded(
        self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION
    ) -> Operation[bytes]:
        """Read one attribute, for parse_result(): decoding a long one takes its time."""
        if self._base_names is not None:
            access = short_names.access(self._base_names, attribute, selection)
            if access is None:
                return _UNDEFINED
            # The only one of a list.
            return (yield from short_names.read(self._ask_by_short_names, [access]))[1:]
        invoke_id = next(self._invoke_ids)
        request = xdlms.get_request(invoke_id, attribute, selection)
        answer = yield from self._ask(request, invoke_id)
        if answer[1] == xdlms.NEXT:
            content = yield from self._blocks(answer, invoke_id)
            return b"\0" + content if isinstance(content, bytes) else bytes((1, content))
        return answer[3:]

    def get_list(self, attributes: Sequence[bytes]) -> Operation[list[Data | AccessResult]]:
        """Read several attributes at once. Raises AccessError if refused as a whole."""
        if self._base_names is not None:
            return (yield from self._read_list(self._base_names, attributes))
        invoke_id = next(self._invoke_ids)
        request = xdlms.get_list_request(invoke_id, attributes)
        answer = yield from self._ask(request, invoke_id)
        content: bytes | AccessResult = answer[3:]
        if answer[1] == xdlms.NEXT:
            content = yield from self._blocks(answer, invoke_id)
        elif answer[1] == xdlms.NORMAL:
            result = xdlms.parse_result(answer[3:])
            content = result if isinstance(result, AccessResult) else AccessResult(250)
        if isinstance(content, AccessResult):
            raise access_error(content)
        return xdlms.parse_results(content, len(attributes))

    def _read_list(
        self, base_names: Mapping[bytes, int], attributes: Sequence[bytes]
    ) -> Operation[list[Data | AccessResult]]:
        accesses = [short_names.access(base_names, attribute) for attribute in attributes]
        listed = [access for access in accesses if access is not None]
        results: list[Data | AccessResult] = []
        if listed:
            content = yield from short_names.read(self._ask_by_short_names, listed)
            results = xdlms.parse_results(content, len(listed), is_exact=True)
        found = iter(results)
        undefined = xdlms.parse_result(_UNDEFINED)
        return [undefined if access is None else next(found) for access in accesses]

    def _ask_by_short_names(self, request: bytes) -> Operation[bytes]:
        return self._ask(request, None)

    def _blocks(self, answer: bytes, invoke_id: int) -> Operation[bytes | AccessResult]:
        """Return the content of an answer that comes in blocks."""
        whole = xdlms.LongAnswer()
        while True:
            block = xdlms.parse_block(answer)
            if isinstance(block.content, AccessResult):
                return block.content
            content = whole.add(block.number, block.content, is_last=block.is_last)
            if content is not None:
                return content
            request = xdlms.get_next_request(invoke_id, block.number)
            answer = yield from self._ask(request, invoke_id)
            if answer[1] == xdlms.NORMAL:
                result = xdlms.parse_result(answer[3:])
                return result if isinstance(result, AccessResult) else AccessResult(15)
            if answer[1] != xdlms.NEXT:
                raise xdlms.endless()

    def _ask(
        self, request: bytes, invoke_id: int | None, *, use_dedicated: bool = True
    ) -> Operation[bytes]:
        """Return the answer to a question, deciphered; raise what comes in its place.

        By short names there are no invoke ids.
        """
        cipher = self._cipher
        wanted = _ANSWERS[request[0]]
        if cipher is not None:
            request = cipher.seal(request, use_dedicated=use_dedicated)
        answer = yield request
        for _ in range(_ASIDES_MAX):
            if answer[:1] == b"\xe0":
                answer = yield from assemble(answer)
            is_plain = cipher is None
            if cipher is not None:
                plain = cipher.open(answer)
                is_plain, answer = plain is answer, plain
            tag = answer[0] if answer else None
            if tag == wanted and len(answer) > 3 and _is_of(answer, invoke_id):
                if is_plain and cipher is not None:
                    raise TelegramError("the meter answers in the clear")
                return answer
            if tag != wanted and tag is not None and answer[:1] not in _ASIDES:
                _raise_refusal(answer)
                raise TelegramError(f"an answer of another kind: 0x{tag:02X}")
            answer = yield b""
        raise TelegramError("no answer among all that comes")


def _is_of(answer: bytes, invoke_id: int | None) -> bool:
    """Whether an answer has the number of a question."""
    return invoke_id is None or (answer[2] ^ invoke_id) & 0xF == 0


#: Application contexts: in the clear, and ciphered.
_LOGICAL: Final = (LOGICAL_NAMES, LOGICAL_NAMES_CIPHERED)
_SHORT: Final = (SHORT_NAMES, SHORT_NAMES_CIPHERED)
#: In place of the result of what the meter does not list: object undefined.
_UNDEFINED: Final = b"\x01\x04"
#: The answer to each question.
_ANSWERS: Final = {
    xdlms.READ_REQUEST: xdlms.READ_RESPONSE,
    xdlms.GET_REQUEST: xdlms.GET_RESPONSE,
    xdlms.ACTION_REQUEST: xdlms.ACTION_RESPONSE,
}
#: How messages begin that a meter sends by itself, or that are late: plain, and ciphered.
_ASIDES: Final = frozenset(
    bytes([tag])
    for tag in (
        xdlms.DATA_NOTIFICATION,
        xdlms.EVENT_NOTIFICATION,
        xdlms.GET_RESPONSE,
        xdlms.ACTION_RESPONSE,
        0xCA,
        0xCC,
        0xCF,
        xdlms.GENERAL_GLO,
        RLRE,
    )
)


def _raise_refusal(answer: bytes) -> None:
    """Raise what a meter says in place of an answer, if it is that."""
    match answer[:1]:
        case b"\xd8":
            raise xdlms.parse_exception(answer)
        case b"\x0e":
            raise xdlms.parse_service_error(answer)
        case b"":
            raise TelegramError("an empty answer")
