"""Ciphering: what keys do to messages (IEC 62056-5-3, 5.3; suites 0, 1 and 2 are all AES-GCM)."""

from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import TelegramError

# Bits of the security control byte (5.3.4.1); the lowest four are the suite.
AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
_COMPRESSED: Final = 0x80
#: Bytes of the tag, of the header (security control and invocation counter), of a system title.
TAG_LENGTH: Final = 12
HEADER_LENGTH: Final = 5
TITLE_LENGTH: Final = 8
#: AESGCM makes a tag of sixteen bytes, of which the first twelve are sent.
_WHOLE_TAG: Final = 16


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a ciphered message."""

    content: bytes
    #: The tag was right (True) or wrong (False); None without tag, or without key to verify it.
    is_authentic: bool | None


def opened(
    protected: bytes,
    *,
    title: bytes,
    encryption_key: bytes,
    authentication_key: bytes | None,
    header: bytes = b"",
) -> Opened:
    """Decipher a message: security control, invocation counter, content, tag if there is one.

    ``title`` is the system title of the sender, 8 bytes; ``header`` what general-ciphering
    authenticates besides. A wrong key gives other content: only the tag tells, or whoever reads it.
    Raises TelegramError where the message is too short, or compressed.
    """
    if len(protected) < HEADER_LENGTH or len(title) != TITLE_LENGTH:
        raise TelegramError("a ciphered message without its header")
    control = protected[0]
    if control & _COMPRESSED:
        raise TelegramError("a compressed message")
    end = len(protected)
    if control & AUTHENTICATED:
        end -= TAG_LENGTH
    if end < HEADER_LENGTH:
        raise TelegramError("a ciphered message without its tag")
    content = protected[HEADER_LENGTH:end]
    vector = title + protected[1:HEADER_LENGTH]
    cipher = _cipher(encryption_key)
    if control & ENCRYPTED:
        # Counter mode deciphers as it enciphers.
        content = cipher.encrypt(vector, content, None)[:-_WHOLE_TAG]
    if not control & AUTHENTICATED or authentication_key is None:
        return Opened(content, None)
    tag = _tag(cipher, control, vector, content, authentication_key + header)
    return Opened(content, compare_digest(tag, protected[end:]))


def sealed(
    content: bytes,
    *,
    control: int,
    counter: int,
    title: bytes,
    encryption_key: bytes,
    authentication_key: bytes | None,
    header: bytes = b"",
) -> bytes:
    """Cipher a message; return security control, invocation counter, content, tag if there is one.

    Raises ValueError for a tag without authentication key.
    """
    vector = title + counter.to_bytes(4)
    cipher = _cipher(encryption_key)
    tag = b""
    if control & AUTHENTICATED:
        if authentication_key is None:
            raise ValueError("authentication needs its key")
        tag = _tag(cipher, control, vector, content, authentication_key + header)
    if control & ENCRYPTED:
        content = cipher.encrypt(vector, content, None)[:-_WHOLE_TAG]
    return bytes([control]) + counter.to_bytes(4) + content + tag


def _tag(cipher: AESGCM, control: int, vector: bytes, content: bytes, covered: bytes) -> bytes:
    """Return the tag over a content that is not enciphered (5.3.5.4)."""
    covered = bytes([control]) + covered
    if control & ENCRYPTED:
        whole = cipher.encrypt(vector, content, covered)
    else:
        whole = cipher.encrypt(vector, b"", covered + content)
    return whole[-_WHOLE_TAG:][:TAG_LENGTH]
