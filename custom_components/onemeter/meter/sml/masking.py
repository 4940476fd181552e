"""Masking of secrets in SML telegrams."""

from collections.abc import Iterable
import re
from typing import Final

from ..checksum import crc16_x25

_ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
_CHECKSUM_SIZE: Final = 2
#: The checksum at the end of a message, before the next message or the end of the telegram. Some
#: meters leave out its first byte if that is zero.
_MESSAGE_CHECKSUM: Final = re.compile(
    rb"(?:\x63..|\x62.)\x00(?=\x76|\x00{0,3}\x1b\x1b\x1b\x1b\x1a)", re.DOTALL
)


def mask(telegram: bytes, secrets: Iterable[bytes]) -> bytes:
    """Return a telegram with a zero for each byte of the secrets.

    The checksums are replaced as well, since eight unknown digits could be computed from three of
    them: that of the telegram by the new one, so that it can still be decoded, those of the
    messages by zero.
    """
    # Longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        for sent in (secret, secret.replace(_ESCAPE, 2 * _ESCAPE)):
            telegram = telegram.replace(sent, bytes(len(secret)))
    body = _MESSAGE_CHECKSUM.sub(_zero, telegram)[:-_CHECKSUM_SIZE]
    return body + crc16_x25(body).to_bytes(_CHECKSUM_SIZE, "little")


def _zero(checksum: re.Match[bytes]) -> bytes:
    field = checksum[0][:1]
    return field.ljust(len(checksum[0]), b"\x00")
