"""Client for DLMS meters that push."""

from typing import Final, override

from ...errors import (
    UNKNOWN,
    KeyNeededError,
    MeterError,
    NotAuthenticatedError,
    UnknownListError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
)
from ...line import Framing, LineSettings
from ...looks import Look
from ...redaction import redact
from ...stream import StreamClient
from ..security.authenticity import Authenticity
from ..settings import Keys
from .decoder import DlmsDecoder
from .description import ListDescription

#: Line settings of ports that push: wired M-Bus and HAN, optical ports, P1 ports.
_COMMON_LINES: Final = ", ".join(
    str(line)
    for line in (
        LineSettings(2400, Framing.EIGHT_EVEN),
        LineSettings(2400),
        LineSettings(9600),
        LineSettings(115_200),
    )
)


class DlmsPushClient(StreamClient):
    """Reads a meter that pushes notifications, in any frames, encrypted or not."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        keys: Keys,
        authenticity: Authenticity | None = None,
    ) -> None:
        """Take the port, its line settings, and the keys; open nothing.

        ``authenticity`` is what earlier sessions have learned about the meter's tags.
        """
        self._dlms = DlmsDecoder(keys, authenticity or Authenticity())
        self._keys_before = (0, 0, 0, 0)
        self._other_before = 0
        super().__init__(url, line, self._dlms, Look.DLMS)

    @override
    def diagnose(self) -> MeterError:
        """Return the error that explains the lack of readings.

        Wrong keys come first: such telegrams have passed all checks before.
        """
        port = redact(self.url)
        needed, encryption, authentication, foreign = (
            now - before for now, before in zip(self._key_counts(), self._keys_before, strict=True)
        )
        if authentication > encryption:
            message = f"telegrams from {port} decrypt, but the authentication key is wrong"
            return WrongAuthenticationKeyError(message, port=port)
        if encryption:
            message = f"telegrams from {port} do not decrypt: the encryption key is wrong"
            return WrongEncryptionKeyError(message, port=port)
        if needed:
            return KeyNeededError(f"telegrams from {port} are encrypted", port=port)
        if foreign:
            message = f"telegrams from {port} are not authenticated as the meter's used to be"
            return NotAuthenticatedError(message, port=port)
        if unknown := self._dlms.unknown_lists(self._other_before):
            shape = unknown[-1].summary
            message = f"telegrams from {port} are valid, but this list is not known: {shape}"
            return UnknownListError(message, port=port, shape=shape)
        error = super().diagnose()
        # The line settings of a raw TCP bridge cannot be changed.
        has_speed = not self.url.startswith("socket:")
        is_vague = error.details.get("looks_like") in {Look.NOISE, UNKNOWN}
        if has_speed and is_vague and not self.counters.good:
            error.details |= {"line": str(self.line), "usual": _COMMON_LINES}
        return error

    @property
    def unknown_lists(self) -> list[ListDescription]:
        """Descriptions of received lists that are not known, without values and ids."""
        return self._dlms.unknown_lists()

    @override
    def _restart_diagnosis(self) -> None:
        super()._restart_diagnosis()
        self._other_before = self._dlms.other
        self._keys_before = self._key_counts()

    @override
    def _copy_counters(self) -> None:
        super()._copy_counters()
        counters = self.counters
        (
            counters.needs_key,
            counters.wrong_encryption_key,
            counters.wrong_authentication_key,
            counters.not_authenticated,
        ) = self._key_counts()

    def _key_counts(self) -> tuple[int, int, int, int]:
        decoder = self._dlms
        return (
            decoder.needs_key,
            decoder.wrong_encryption_key,
            decoder.wrong_authentication_key,
            decoder.not_authenticated,
        )
