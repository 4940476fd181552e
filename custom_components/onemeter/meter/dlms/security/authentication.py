"""Mutual authentication of client and meter (IEC 62056-5-3, 5.3.2 and 7.2.2.3)."""

from secrets import token_bytes
from typing import Final

from ...errors import (
    MeterAuthenticationError,
    WrongAuthenticationKeyError,
    WrongKeysError,
)
from ..apdu.acse import Mechanism
from ..settings import Authentication, DlmsSettings
from . import hls
from .ciphering import TITLE_LENGTH
from .protection import InvocationCounterRange, no_title, suite_of

#: Mechanisms of the standard, by setting.
_MECHANISMS: Final = {
    Authentication.NONE: Mechanism.NONE,
    Authentication.LLS: Mechanism.LLS,
    Authentication.HLS_MANUFACTURER: Mechanism.MANUFACTURER,
    Authentication.HLS_MD5: Mechanism.MD5,
    Authentication.HLS_SHA1: Mechanism.SHA1,
    Authentication.HLS_GMAC: Mechanism.GMAC,
    Authentication.HLS_SHA256: Mechanism.SHA256,
}
#: Mechanisms whose proof covers the system titles of both sides.
_WITH_TITLE: Final = frozenset({Mechanism.GMAC, Mechanism.SHA256})
#: Between 8 and 64 bytes (7.2.2.3).
_CHALLENGE_LENGTH: Final = 16


class Authenticator:
    """Password, or challenges and proofs, of one association."""

    def __init__(self, settings: DlmsSettings, counters: InvocationCounterRange) -> None:
        """Take the secrets, and the invocation counters that GMAC uses.

        Raises ValueError if a key, the password or the system title is missing.
        """
        self.mechanism = _MECHANISMS[settings.authentication]
        #: Whether the association request has to contain the client's system title.
        self.needs_title = self.mechanism in _WITH_TITLE
        self._settings = settings
        self._counters = counters
        self._title = settings.system_title or b""
        self._challenge = token_bytes(_CHALLENGE_LENGTH)
        if self.needs_title and not self._title:
            raise ValueError("this authentication needs a system title")
        if self.mechanism is Mechanism.GMAC and settings.keys.encryption is None:
            raise ValueError("this authentication needs an encryption key")
        has_password = self.mechanism not in {Mechanism.NONE, Mechanism.GMAC}
        if has_password and settings.password is None:
            raise ValueError("this authentication needs a password")

    @property
    def authentication_value(self) -> bytes:
        """The value in the association request: the password (LLS) or our challenge (HLS)."""
        if self.mechanism is Mechanism.LLS:
            return self._settings.password or b""
        return self._challenge

    def proof(self, challenge: bytes, meter_title: bytes) -> bytes:
        """Return the reply to the meter's challenge; GMAC uses an invocation counter.

        Raises AssociationError if GMAC lacks the meter's system title.
        """
        settings = self._settings
        if self.mechanism is Mechanism.GMAC:
            if len(meter_title) != TITLE_LENGTH:
                raise no_title()
            counter = self._counters.take()
            return hls.gmac(challenge, suite_of(settings), counter, self._title, settings.keys)
        return hls.digest(
            self.mechanism,
            settings.password or b"",
            challenge,
            titles=(self._title, meter_title),
            own_challenge=self._challenge,
        )

    def is_proven(self, proof: object, challenge: bytes, meter_title: bytes) -> bool:
        """Return whether ``proof`` is the right reply to our challenge.

        ``challenge`` is the meter's own, which SHA-256 covers as well.
        """
        settings = self._settings
        if self.mechanism is Mechanism.MANUFACTURER:
            # The meter's proof is specific to its manufacturer and not published.
            return True
        if not isinstance(proof, bytes):
            return False
        if self.mechanism is Mechanism.GMAC:
            return hls.is_gmac(proof, self._challenge, meter_title, settings.keys)
        return proof == hls.digest(
            self.mechanism,
            settings.password or b"",
            self._challenge,
            titles=(meter_title, self._title),
            own_challenge=challenge,
        )

    def rejected(self, reason: str) -> MeterAuthenticationError | WrongKeysError:
        """Return the error for a meter that rejects the password or our proof."""
        if self.mechanism is not Mechanism.GMAC:
            return MeterAuthenticationError(f"the meter rejects the password: {reason}")
        return WrongKeysError(f"the meter rejects the proof made with the keys: {reason}")

    def not_proven(self) -> MeterAuthenticationError | WrongAuthenticationKeyError:
        """Return the error for a meter whose own proof is wrong."""
        if self.mechanism is not Mechanism.GMAC:
            return MeterAuthenticationError("the meter does not know the password itself")
        return WrongAuthenticationKeyError("the meter has another key")
