"""The protection of the messages within an association (IEC 62056-5-3, 5.7)."""

from typing import Final

from ...errors import (
    AssociationError,
    TelegramError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
)
from ..apdu import tags
from ..apdu.general_ciphering import parse_general_ciphering
from ..apdu.lengths import decode_length, encode_length
from ..settings import KEY_LENGTHS, DlmsSettings, Protection
from .authenticity import Authenticity, not_authenticated
from .ciphering import AUTHENTICATED, ENCRYPTED, HEADER_LENGTH, TITLE_LENGTH, Unsealed, seal, unseal

#: Tags of requests ciphered with the global and the dedicated key, by the tags of plain ones.
_GLOBAL: Final = {
    tags.INITIATE_REQUEST: tags.GLO_INITIATE_REQUEST,
    tags.READ_REQUEST: tags.GLO_READ_REQUEST,
    tags.GET_REQUEST: tags.GLO_GET_REQUEST,
    tags.ACTION_REQUEST: tags.GLO_ACTION_REQUEST,
}
_DEDICATED: Final = {
    tags.READ_REQUEST: tags.DED_READ_REQUEST,
    tags.GET_REQUEST: tags.DED_GET_REQUEST,
    tags.ACTION_REQUEST: tags.DED_ACTION_REQUEST,
}
#: Tags of ciphered responses: whether the key is the dedicated one.
_CIPHERED: Final = {
    tags.GLO_INITIATE_RESPONSE: False,
    tags.GLO_READ_RESPONSE: False,
    tags.GLO_CONFIRMED_SERVICE_ERROR: False,
    tags.GLO_GET_RESPONSE: False,
    tags.GLO_ACTION_RESPONSE: False,
    tags.GLO_EVENT_NOTIFICATION: False,
    tags.DED_READ_RESPONSE: True,
    tags.DED_GET_RESPONSE: True,
    tags.DED_ACTION_RESPONSE: True,
    tags.DED_EVENT_NOTIFICATION: True,
}
#: The same with the system title of the meter in front.
_GENERAL: Final = {
    tags.GENERAL_GLO_CIPHERING: False,
    tags.GENERAL_DED_CIPHERING: True,
    tags.GENERAL_CIPHERING: False,
}
#: Tags that a response may have once it is deciphered; any other shows a wrong key.
_PLAIN: Final = frozenset(
    {
        tags.INITIATE_RESPONSE,
        tags.READ_RESPONSE,
        tags.CONFIRMED_SERVICE_ERROR,
        tags.DATA_NOTIFICATION,
        tags.EVENT_NOTIFICATION,
        tags.GET_RESPONSE,
        tags.ACTION_RESPONSE,
        tags.EXCEPTION_RESPONSE,
    }
)
#: Bits of the security control byte by setting.
_CONTROL: Final = {
    Protection.NONE: 0,
    Protection.AUTHENTICATED: AUTHENTICATED,
    Protection.ENCRYPTED: ENCRYPTED,
    Protection.BOTH: AUTHENTICATED | ENCRYPTED,
}


class InvocationCounterRange:
    """Reserved invocation counters of the client; each is used once."""

    def __init__(self, first: int = 0, count: int = 0) -> None:
        """Take the first counter of the range and their number."""
        self._next = first
        self._end = first + count

    @property
    def left(self) -> int:
        """How many counters are left."""
        return self._end - self._next

    @property
    def next(self) -> int:
        """The next counter; a refill must not begin below it."""
        return self._next

    def refill(self, first: int, count: int) -> None:
        """Continue with another range.

        Raises ValueError if it begins below a used counter: no counter is used twice.
        """
        if first < self._next:
            raise ValueError("an invocation counter that goes back")
        self._next, self._end = first, first + count

    def take(self) -> int:
        """Use one counter. Raises ValueError if none is left."""
        if self._next >= self._end:
            raise ValueError("no invocation counter is reserved")
        self._next += 1
        return self._next - 1


class Cipher:
    """Ciphers the requests of an association and deciphers the responses."""

    def __init__(
        self,
        settings: DlmsSettings,
        counters: InvocationCounterRange,
        dedicated_key: bytes,
        authenticity: Authenticity,
    ) -> None:
        """Take keys and titles, the client's counters, and the dedicated key (empty: none).

        ``authenticity`` checks the responses if the settings ask for authenticated messages.

        Raises ValueError if a key or the client's system title is missing.
        """
        keys = settings.keys
        if keys.encryption is None or len(settings.system_title or b"") != TITLE_LENGTH:
            raise ValueError("ciphering needs an encryption key and a system title of 8 bytes")
        self._title = settings.system_title or b""
        self._keys = keys
        self._global_key = keys.encryption
        self._dedicated_key = dedicated_key
        self._counters = counters
        self.control = _CONTROL[protection_of(settings)]
        if self.control & AUTHENTICATED and keys.authentication is None:
            raise ValueError("authenticated messages need an authentication key")
        self.suite = suite_of(settings)
        #: The meter's system title; empty until it is known.
        self.meter_title = b""
        self._authenticity = authenticity if self.control & AUTHENTICATED else None
        #: The last counter received, by whether the key is the dedicated one: it may begin
        #: anywhere and must rise within the association.
        self._received: dict[bool, int] = {}

    def seal(self, apdu: bytes, *, use_dedicated: bool = True) -> bytes:
        """Return the ciphered request, with the dedicated key if there is one."""
        dedicated = use_dedicated and bool(self._dedicated_key) and apdu[0] in _DEDICATED
        tag_of = _DEDICATED if dedicated else _GLOBAL
        protected = seal(
            apdu,
            control=self.control | self.suite,
            counter=self._counters.take(),
            title=self._title,
            encryption_key=self._dedicated_key if dedicated else self._global_key,
            authentication_key=self._keys.authentication,
        )
        return bytes([tag_of[apdu[0]]]) + encode_length(len(protected)) + protected

    def open(self, apdu: bytes) -> bytes:
        """Return the deciphered response; the same object if it is not ciphered.

        Raises WrongEncryptionKeyError, WrongAuthenticationKeyError, NotAuthenticatedError,
        AssociationError if the meter's system title is unknown, TelegramError.
        """
        tag = apdu[0] if apdu else None
        title, header = self.meter_title, b""
        if tag in _CIPHERED:
            dedicated = _CIPHERED[tag]
            protected = _content(apdu)
        elif tag in _GENERAL:
            dedicated = _GENERAL[tag]
            sender, header, protected, _ = parse_general_ciphering(apdu)
            title = sender or title
        else:
            return apdu
        if len(title) != TITLE_LENGTH:
            raise no_title()
        if not self.meter_title:
            self.meter_title = title
        key = self._dedicated_key if dedicated else self._global_key
        if not key:
            raise TelegramError("an answer ciphered with a dedicated key that was not agreed on")
        found = unseal(
            protected,
            title=title,
            encryption_key=key,
            authentication_key=self._keys.authentication,
            header=header,
        )
        if not found.content or found.content[0] not in _PLAIN:
            raise WrongEncryptionKeyError("the meter's answers do not decrypt")
        counter = int.from_bytes(protected[1:HEADER_LENGTH])
        if not self._admits(found, title, counter, dedicated=dedicated):
            raise not_authenticated()
        if found.is_authentic is False:
            raise WrongAuthenticationKeyError("the meter's answers have another tag")
        if counter <= self._received.get(dedicated, -1):
            raise TelegramError("the meter's invocation counter does not rise")
        self._received[dedicated] = counter
        return found.content

    def _admits(self, found: Unsealed, title: bytes, counter: int, *, dedicated: bool) -> bool:
        authenticity = self._authenticity
        if authenticity is None:
            return True
        if dedicated:
            # Counters belong to a key, and the dedicated key is new in each association.
            return authenticity.admits_tag(is_authentic=found.is_authentic)
        return authenticity.admits(is_authentic=found.is_authentic, title=title, counter=counter)


def no_title() -> AssociationError:
    """Return the error for a meter whose system title is unknown."""
    reason = "the meter does not send its system title, which deciphering needs"
    return AssociationError(reason, reason=reason)


def _content(apdu: bytes) -> bytes:
    """Return the protected content behind tag and length."""
    try:
        size, position = decode_length(apdu, 1)
    except IndexError:
        size, position = 1, len(apdu)
    if position + size > len(apdu):
        raise TelegramError("a ciphered answer that ends too early")
    return apdu[position : position + size]


def protection_of(settings: DlmsSettings) -> Protection:
    """Return the protection of messages: as set, or by default with all keys that are known."""
    if settings.protection is not None:
        return settings.protection
    if settings.keys.encryption is None:
        return Protection.NONE
    return Protection.ENCRYPTED if settings.keys.authentication is None else Protection.BOTH


def suite_of(settings: DlmsSettings) -> int:
    """Return the security suite: as set, or by default by the length of the keys."""
    if settings.suite is not None:
        return settings.suite
    return 2 if len(settings.keys.encryption or b"") == KEY_LENGTHS[-1] else 0
