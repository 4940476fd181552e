"""Ciphering of messages with AES-GCM, in suites 0, 1 and 2 (IEC 62056-5-3, 5.3)."""

from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import TelegramError

#: Bits of the security control byte (5.3.4.1); the lowest four are the suite.
AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
_COMPRESSED: Final = 0x80
#: Sizes in bytes: tag, header (security control and invocation counter), system title.
TAG_LENGTH: Final = 12
HEADER_LENGTH: Final = 5
TITLE_LENGTH: Final = 8
#: AESGCM returns a tag of sixteen bytes, of which DLMS sends the first twelve.
_WHOLE_TAG: Final = 16


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@dataclass(frozen=True, slots=True)
class Unsealed:
    """Content of a ciphered message."""

    content: bytes
    #: Whether the tag is right; None without a tag, or without a key to verify it.
    is_authentic: bool | None


def unseal(
    protected: bytes,
    *,
    title: bytes,
    encryption_key: bytes,
    authentication_key: bytes | None,
    header: bytes = b"",
) -> Unsealed:
    """Decipher a message: security control, invocation counter, content, and a tag if any.

    ``title`` is the system title of the sender, 8 bytes; ``header`` the fields that
    general-ciphering authenticates in addition. With a wrong key the content is garbage, which
    only the tag or a decoder can detect. Raises TelegramError for a message that is too short or
    compressed.
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
        # In counter mode, encryption and decryption are the same operation.
        content = cipher.encrypt(vector, content, None)[:-_WHOLE_TAG]
    if not control & AUTHENTICATED or authentication_key is None:
        return Unsealed(content, None)
    tag = _tag(cipher, control, vector, content, authentication_key + header)
    return Unsealed(content, compare_digest(tag, protected[end:]))


def seal(
    content: bytes,
    *,
    control: int,
    counter: int,
    title: bytes,
    encryption_key: bytes,
    authentication_key: bytes | None,
    header: bytes = b"",
) -> bytes:
    """Cipher a message: the inverse of unseal(), with the same parts and parameters.

    ``control`` is the security control byte, with the suite. Raises ValueError if it asks for a tag
    and there is no authentication key.
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
    """Return the tag for the plain content (5.3.5.4)."""
    covered = bytes([control]) + covered
    if control & ENCRYPTED:
        whole = cipher.encrypt(vector, content, covered)
    else:
        whole = cipher.encrypt(vector, b"", covered + content)
    return whole[-_WHOLE_TAG:][:TAG_LENGTH]
