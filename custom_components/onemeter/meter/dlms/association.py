"""An association with a meter, sans-IO (IEC 62056-5-3).

Each operation is a generator: it yields a message to be sent and expects the answer to be sent into
it. If it yields an empty message, nothing is to be sent, only the next message to be received. It
returns the result of the operation.
"""

from collections.abc import Generator, Mapping, Sequence
from itertools import cycle
from secrets import token_bytes
from typing import Final

from ..errors import AssociationError, MeterError, TelegramError
from . import short_names
from .apdu import tags, xdlms
from .apdu.acse import (
    LOGICAL_NAMES,
    LOGICAL_NAMES_CIPHERED,
    SHORT_NAMES,
    SHORT_NAMES_CIPHERED,
    AssociationResponse,
    Mechanism,
    association_request,
    parse_association_response,
    release_request,
)
from .apdu.answers import (
    ANSWER_TAGS,
    UNRELATED_MAX,
    has_invoke_id,
    may_be_unrelated,
    raise_refusal,
)
from .apdu.axdr import octet_string
from .apdu.block_transfer import assemble
from .apdu.data_types import Data
from .apdu.results import (
    AUTHENTICATION_FAILURE,
    CONTEXT_NOT_SUPPORTED,
    LONG_GET_ABORTED,
    OBJECT_UNDEFINED,
    OTHER_REASON,
    ContextError,
    access_error,
    access_text,
    diagnostic_text,
)
from .apdu.xdlms import AccessResult
from .cosem import CURRENT_ASSOCIATION, ObjectClass
from .security.authentication import Authenticator
from .security.authenticity import Authenticity
from .security.protection import Cipher, InvocationCounterRange, protection_of
from .settings import DlmsSettings, Protection

type Operation[T] = Generator[bytes, bytes, T]

#: Application contexts: plain, and ciphered.
_LOGICAL: Final = (LOGICAL_NAMES, LOGICAL_NAMES_CIPHERED)
_SHORT: Final = (SHORT_NAMES, SHORT_NAMES_CIPHERED)
_REPLY_TO_HLS: Final = xdlms.descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 1)
#: 0 would be valid as well, but some meters begin with 1.
_INVOKE_IDS: Final = range(1, 16)
#: Invocation counters that one exchange uses at the most: a request, its blocks, and a proof.
COUNTERS_PER_EXCHANGE: Final = 4
#: A get-response with a refusal, for an object that has no short name.
_UNDEFINED: Final = bytes((1, OBJECT_UNDEFINED))
_BLOCK_TRANSFER: Final = bytes([tags.GENERAL_BLOCK_TRANSFER])


class Association:
    """State of one association: authentication, ciphering, and what was negotiated."""

    def __init__(
        self,
        settings: DlmsSettings,
        counters: InvocationCounterRange | None = None,
        authenticity: Authenticity | None = None,
        base_names: Mapping[bytes, int] | None = None,
    ) -> None:
        """Take the settings, and the invocation counters if anything is ciphered.

        ``authenticity`` is what earlier sessions have learned about the meter's tags. With
        ``base_names``, by the descriptors of objects without their last byte, the association uses
        short names; the mapping may be filled later.

        Raises ValueError if a key, the password or the system title is missing.
        """
        counters = counters or InvocationCounterRange()
        self._title = settings.system_title or b""
        self._dedicated_key = b""
        self._cipher: Cipher | None = None
        if protection_of(settings) is not Protection.NONE:
            if settings.dedicated_key:
                self._dedicated_key = token_bytes(len(settings.keys.encryption or bytes(16)))
            authenticity = authenticity or Authenticity()
            self._cipher = Cipher(settings, counters, self._dedicated_key, authenticity)
        self._authenticator = Authenticator(settings, counters)
        self._invoke_ids = cycle(_INVOKE_IDS)
        self._base_names = base_names
        self._proposed = xdlms.PROPOSED if base_names is None else xdlms.PROPOSED_SHORT
        self.conformance = self._proposed
        #: The longest message that the meter accepts, in bytes; 0: no limit.
        self.max_pdu = 0
        #: Whether the meter has accepted the initiate request, and so could decipher it.
        self.is_agreed = False
        #: The meter's system title; empty until it is known.
        self.meter_title = b""

    @property
    def uses_counters(self) -> bool:
        """Whether requests use invocation counters."""
        return self._cipher is not None or self._authenticator.mechanism is Mechanism.GMAC

    @property
    def has_short_names(self) -> bool:
        """Whether objects are referenced by short names instead of logical names."""
        return self._base_names is not None

    # --- opening and releasing

    def associate(self) -> Operation[None]:
        """Open the association, with authentication of both sides.

        Raises MeterAuthenticationError or WrongKeysError if the meter rejects password or proof,
        AssociationError with the meter's reason, ExceptionError, WrongEncryptionKeyError,
        WrongAuthenticationKeyError, TelegramError.
        """
        answer = yield self._association_request()
        for _ in range(UNRELATED_MAX):
            if not may_be_unrelated(answer):
                break
            answer = yield b""
        raise_refusal(answer)
        response = parse_association_response(answer)
        self._set_title(response.title)
        self._take_response(response)
        if response.challenge and self._authenticator.mechanism > Mechanism.LLS:
            yield from self._authenticate(response.challenge)

    def release(self) -> Operation[None]:
        """Release the association, and ignore the content of the answer."""
        information = b""
        if self._cipher is not None:
            initiate = xdlms.initiate_request(proposed=self._proposed)
            information = self._cipher.seal(initiate, use_dedicated=False)
        answer = yield release_request(information)
        for _ in range(UNRELATED_MAX):
            if not may_be_unrelated(answer) or answer[0] == tags.RLRE:
                return
            answer = yield b""

    def _association_request(self) -> bytes:
        initiate = xdlms.initiate_request(self._dedicated_key, self._proposed)
        contexts = _SHORT if self.has_short_names else _LOGICAL
        if self._cipher is not None:
            initiate = self._cipher.seal(initiate, use_dedicated=False)
        authenticator = self._authenticator
        has_title = self._cipher is not None or authenticator.needs_title
        return association_request(
            contexts[self._cipher is not None],
            authenticator.mechanism,
            authenticator.authentication_value,
            self._title if has_title else b"",
            initiate,
        )

    def _set_title(self, title: bytes) -> None:
        self.meter_title = title
        if self._cipher is not None:
            self._cipher.meter_title = title

    def _take_response(self, response: AssociationResponse) -> None:
        """Take what was negotiated. Raises the error for a refusal."""
        information = response.user_information
        # Deciphered before the result is judged: a wrong key is the reason of the refusal.
        if information and self._cipher is not None and (response.title or not response.result):
            information = self._cipher.open(information)
            self.meter_title = self._cipher.meter_title
        if response.result:
            raise self._refusal(response, information)
        if response.context is not None and (response.context in _SHORT) != self.has_short_names:
            others = "logical" if self.has_short_names else "short"
            reason = f"the meter answers with {others} names instead of those of the request"
            raise ContextError(reason, reason=reason)
        if not information:
            return
        if information[0] not in {tags.INITIATE_RESPONSE, tags.CONFIRMED_SERVICE_ERROR}:
            raise TelegramError("an association response with another ciphered message in it")
        agreed = xdlms.parse_initiate_response(information)
        self.conformance, self.max_pdu = agreed.conformance, agreed.max_pdu
        self.is_agreed = True

    def _refusal(self, response: AssociationResponse, information: bytes) -> MeterError:
        is_of_user = not response.is_of_provider
        if is_of_user and response.diagnostic == AUTHENTICATION_FAILURE:
            return self._authenticator.rejected("authentication failure")
        is_about_context = is_of_user and response.diagnostic == CONTEXT_NOT_SUPPORTED
        is_service_error = information[:1] == bytes([tags.CONFIRMED_SERVICE_ERROR])
        if is_service_error and not is_about_context:
            return xdlms.parse_service_error(information)
        reason = diagnostic_text(
            response.result, response.diagnostic, is_of_provider=response.is_of_provider
        )
        kind = ContextError if is_about_context else AssociationError
        return kind(f"the meter refuses the association: {reason}", reason=reason)

    def _authenticate(self, challenge: bytes) -> Operation[None]:
        """Send the proof for the meter's challenge, and check the meter's own proof."""
        authenticator = self._authenticator
        proof = octet_string(authenticator.proof(challenge, self.meter_title))
        returned: Data | AccessResult
        # The dedicated key is valid only after the authentication.
        if self.has_short_names:
            request = short_names.reply_to_hls(proof)
            answer = yield from self._request(request, None, use_dedicated=False)
            [returned] = xdlms.parse_results(answer[1:], 1)
            result = returned if isinstance(returned, AccessResult) else 0
        else:
            invoke_id = next(self._invoke_ids)
            request = xdlms.action_request(invoke_id, _REPLY_TO_HLS, proof)
            answer = yield from self._request(request, invoke_id, use_dedicated=False)
            result, returned = xdlms.parse_action_result(answer)
        if result:
            raise authenticator.rejected(access_text(result))
        if not authenticator.is_proven(returned, challenge, self.meter_title):
            raise authenticator.not_proven()

    # --- reading

    def get(self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION) -> Operation[Data]:
        """Read one attribute, by its descriptor. Raises AccessError, ExceptionError."""
        result = xdlms.parse_result((yield from self.get_encoded(attribute, selection)))
        if isinstance(result, AccessResult):
            raise access_error(result)
        return result

    def get_result(
        self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION
    ) -> Operation[Data | AccessResult]:
        """Read one attribute; an AccessResult if it is refused. Raises ExceptionError."""
        return xdlms.parse_result((yield from self.get_encoded(attribute, selection)))

    def get_encoded(
        self, attribute: bytes, selection: bytes = xdlms.NO_SELECTION
    ) -> Operation[bytes]:
        """Read one attribute without decoding it, for parse_result() or decode_elements()."""
        if self._base_names is not None:
            access = short_names.access(self._base_names, attribute, selection)
            if access is None:
                return _UNDEFINED
            # Behind the number of results, which is 1.
            return (yield from short_names.read(self._request_by_short_names, [access]))[1:]
        invoke_id = next(self._invoke_ids)
        request = xdlms.get_request(invoke_id, attribute, selection)
        answer = yield from self._request(request, invoke_id)
        if answer[1] == xdlms.NEXT:
            content = yield from self._blocks(answer, invoke_id)
            return b"\0" + content if isinstance(content, bytes) else bytes((1, content))
        return answer[3:]

    def get_list(self, attributes: Sequence[bytes]) -> Operation[list[Data | AccessResult]]:
        """Read several attributes in one request.

        Raises AccessError if the meter refuses the request as a whole.
        """
        if self._base_names is not None:
            return (yield from self._read_list(self._base_names, attributes))
        invoke_id = next(self._invoke_ids)
        request = xdlms.get_list_request(invoke_id, attributes)
        answer = yield from self._request(request, invoke_id)
        content: bytes | AccessResult = answer[3:]
        if answer[1] == xdlms.NEXT:
            content = yield from self._blocks(answer, invoke_id)
        elif answer[1] == xdlms.NORMAL:
            result = xdlms.parse_result(answer[3:])
            content = result if isinstance(result, AccessResult) else AccessResult(OTHER_REASON)
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
            content = yield from short_names.read(self._request_by_short_names, listed)
            results = xdlms.parse_results(content, len(listed), is_exact=True)
        found = iter(results)
        undefined = xdlms.parse_result(_UNDEFINED)
        return [undefined if access is None else next(found) for access in accesses]

    def _request_by_short_names(self, request: bytes) -> Operation[bytes]:
        return self._request(request, None)

    def _blocks(self, answer: bytes, invoke_id: int) -> Operation[bytes | AccessResult]:
        """Request the remaining blocks of a get-response; return the content of all of them."""
        whole = xdlms.LongAnswer()
        while True:
            block = xdlms.parse_block(answer)
            if isinstance(block.content, AccessResult):
                return block.content
            content = whole.add(block.number, block.content, is_last=block.is_last)
            if content is not None:
                return content
            request = xdlms.get_next_request(invoke_id, block.number)
            answer = yield from self._request(request, invoke_id)
            if answer[1] == xdlms.NORMAL:
                result = xdlms.parse_result(answer[3:])
                aborted = AccessResult(LONG_GET_ABORTED)
                return result if isinstance(result, AccessResult) else aborted
            if answer[1] != xdlms.NEXT:
                raise xdlms.endless()

    def _request(
        self, request: bytes, invoke_id: int | None, *, use_dedicated: bool = True
    ) -> Operation[bytes]:
        """Return the deciphered answer to a request.

        ``invoke_id`` is None with short names, which have none. Raises what raise_refusal() and
        Cipher.open() raise, and TelegramError if no answer can be found.
        """
        cipher = self._cipher
        answer_tag = ANSWER_TAGS[request[0]]
        if cipher is not None:
            request = cipher.seal(request, use_dedicated=use_dedicated)
        answer = yield request
        for _ in range(UNRELATED_MAX):
            if answer[:1] == _BLOCK_TRANSFER:
                answer = yield from assemble(answer)
            is_plain = cipher is None
            if cipher is not None:
                plain = cipher.open(answer)
                is_plain, answer = plain is answer, plain
            tag = answer[0] if answer else None
            if tag == answer_tag and len(answer) > 3 and has_invoke_id(answer, invoke_id):
                if is_plain and cipher is not None:
                    raise TelegramError("the meter answers in the clear")
                return answer
            if tag != answer_tag and tag is not None and not may_be_unrelated(answer):
                raise_refusal(answer)
                raise TelegramError(f"an answer of another kind: 0x{tag:02X}")
            answer = yield b""
        raise TelegramError("only unrelated messages instead of an answer")
