"""The protection of the messages within an association (IEC 62056-5-3, 5.7)."""

from typing import Final

from ...errors import (
    AssociationError,
    TelegramError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
)
from ..apdu.axdr import decode_length, encode_length
from ..apdu.general_ciphering import parse_general
from ..apdu.xdlms import GENERAL_CIPHERING, GENERAL_DED, GENERAL_GLO
from ..settings import DlmsSettings, Protection
from .authenticity import Authenticity, not_authenticated
from .ciphering import AUTHENTICATED, ENCRYPTED, HEADER_LENGTH, TITLE_LENGTH, Opened, opened, sealed

#: Tags of messages ciphered with the global key, and with the dedicated one, by the plain ones.
_GLOBAL: Final = {0x01: 0x21, 0x05: 0x25, 0xC0: 0xC8, 0xC3: 0xCB}
_DEDICATED: Final = {0x05: 0x45, 0xC0: 0xD0, 0xC3: 0xD3}
#: Of what meters answer: whether the key is the dedicated one.
_CIPHERED: Final = {
    0x28: False,
    0x2C: False,
    0x2E: False,
    0xCC: False,
    0xCF: False,
    0xCA: False,
    0x4C: True,
    0xD4: True,
    0xD7: True,
    0xD2: True,
}
#: With the system title before it.
_GENERAL: Final = {GENERAL_GLO: False, GENERAL_DED: True, GENERAL_CIPHERING: False}
#: What can be in a ciphered answer.
_PLAIN: Final = frozenset({0x08, 0x0C, 0x0E, 0x0F, 0xC2, 0xC4, 0xC7, 0xD8})
_CONTROL: Final = {
    Protection.NONE: 0,
    Protection.AUTHENTICATED: AUTHENTICATED,
    Protection.ENCRYPTED: ENCRYPTED,
    Protection.BOTH: AUTHENTICATED | ENCRYPTED,
}


class Numbers:
    """Invocation counters that are set apart for a client, each to be used once."""

    def __init__(self, first: int = 0, count: int = 0) -> None:
        """Take the first of them, and how many there are."""
        self._next = first
        self._end = first + count

    @property
    def left(self) -> int:
        """How many are left."""
        return self._end - self._next

    @property
    def next(self) -> int:
        """The next one; what is set apart afterwards may not be below."""
        return self._next

    def refill(self, first: int, count: int) -> None:
        """Go on with others.

        Raises ValueError if they are below what was used: nothing is ever used twice.
        """
        if first < self._next:
            raise ValueError("an invocation counter that goes back")
        self._next, self._end = first, first + count

    def take(self) -> int:
        """Use one. Raises ValueError when none is left."""
        if self._next >= self._end:
            raise ValueError("no invocation counter was set apart")
        self._next += 1
        return self._next - 1


class Cipher:
    """Ciphers what the client sends and deciphers what the meter answers."""

    def __init__(
        self,
        settings: DlmsSettings,
        numbers: Numbers,
        dedicated_key: bytes,
        authenticity: Authenticity,
    ) -> None:
        """Take keys and titles, the client's invocation counters, and the dedicated key or none.

        Where messages have tags, the meter's authenticity is judged.

        Raises ValueError where a key or the client's title is missing.
        """
        keys = settings.keys
        if keys.encryption is None or len(settings.system_title or b"") != TITLE_LENGTH:
            raise ValueError("ciphering needs an encryption key and a system title of 8 bytes")
        self._title = settings.system_title or b""
        self._keys = keys
        self._global_key = keys.encryption
        self._dedicated_key = dedicated_key
        self._numbers = numbers
        self.control = _CONTROL[protection_of(settings)]
        if self.control & AUTHENTICATED and keys.authentication is None:
            raise ValueError("authenticated messages need an authentication key")
        self.suite = suite_of(settings)
        #: The meter's system title, once it is known.
        self.meter_title = b""
        self._authenticity = authenticity if self.control & AUTHENTICATED else None
        #: The meter's counter may be anything at first and rises then, for each key.
        self._received: dict[bool, int] = {}

    def seal(self, apdu: bytes, *, use_dedicated: bool = True) -> bytes:
        """Cipher a message, with the dedicated key where there is one."""
        dedicated = use_dedicated and bool(self._dedicated_key) and apdu[0] in _DEDICATED
        tags = _DEDICATED if dedicated else _GLOBAL
        protected = sealed(
            apdu,
            control=self.control | self.suite,
            counter=self._numbers.take(),
            title=self._title,
            encryption_key=self._dedicated_key if dedicated else self._global_key,
            authentication_key=self._keys.authentication,
        )
        return bytes([tags[apdu[0]]]) + encode_length(len(protected)) + protected

    def open(self, apdu: bytes) -> bytes:
        """Decipher a message; one that is not ciphered is returned as it is.

        Raises WrongEncryptionKeyError, WrongAuthenticationKeyError, NotAuthenticatedError,
        AssociationError where the meter does not tell its system title, TelegramError.
        """
        tag = apdu[0] if apdu else None
        title, header = self.meter_title, b""
        if tag in _CIPHERED:
            dedicated = _CIPHERED[tag]
            protected = _sized(apdu)
        elif tag in _GENERAL:
            dedicated = _GENERAL[tag]
            found_title, header, protected, _ = parse_general(apdu)
            title = found_title or title
        else:
            return apdu
        if len(title) != TITLE_LENGTH:
            raise no_title()
        if not self.meter_title:
            self.meter_title = title
        key = self._dedicated_key if dedicated else self._global_key
        if not key:
            raise TelegramError("an answer is ciphered with a key that was not agreed on")
        found = opened(
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

    def _admits(self, found: Opened, title: bytes, counter: int, *, dedicated: bool) -> bool:
        judge = self._authenticity
        if judge is None:
            return True
        if dedicated:
            # Its key is new in each association, and counters are those of a key.
            return judge.admits_tag(is_authentic=found.is_authentic)
        return judge.admits(is_authentic=found.is_authentic, title=title, counter=counter)


def no_title() -> AssociationError:
    """Return the error of a meter that keeps its system title to itself."""
    reason = "the meter does not tell its system title, without which nothing can be deciphered"
    return AssociationError(reason, reason=reason)


def _sized(apdu: bytes) -> bytes:
    """Return what is protected behind tag and length."""
    try:
        size, position = decode_length(apdu, 1)
    except IndexError:
        size, position = 1, len(apdu)
    if position + size > len(apdu):
        raise TelegramError("a ciphered answer that ends too early")
    return apdu[position : position + size]


def protection_of(settings: DlmsSettings) -> Protection:
    """Return how messages are protected: as is set, or else by all keys that there are."""
    if settings.protection is not None:
        return settings.protection
    if settings.keys.encryption is None:
        return Protection.NONE
    return Protection.ENCRYPTED if settings.keys.authentication is None else Protection.BOTH


def suite_of(settings: DlmsSettings) -> int:
    """Return the security suite: as is set, or else by the length of the keys."""
    if settings.suite is not None:
        return settings.suite
    return 2 if len(settings.keys.encryption or b"") == 32 else 0
