"""Encryption and authentication of messages, and challenges of HLS (Green Book, 9.2)."""

from dataclasses import dataclass, field
from enum import IntEnum
import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

#: Bits of the security control byte; the lowest four are the security suite.
AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
_SUITE: Final = 0x0F
_OTHER: Final = 0xC0

_TAG: Final = 12
_HEAD: Final = 5
_BLOCK: Final = 16

#: Key sizes in bytes by security suite.
KEY_SIZES: Final = {0: 16, 1: 16, 2: 32}


class Mechanism(IntEnum):
    """Authentication mechanisms (clause 9.2.2.2.2)."""

    NONE = 0
    #: A password.
    LLS = 1
    #: A manufacturer's mechanism: the challenge encrypted with the secret (AES-128, ECB).
    HLS = 2
    MD5 = 3
    SHA1 = 4
    GMAC = 5
    SHA256 = 6


class DecipheringError(ValueError):
    """A message that was encrypted with other keys or changed afterwards."""


@dataclass(frozen=True, slots=True)
class Keys:
    """An encryption key and an authentication key."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(default=b"", repr=False)


def check_key(key: bytes, suite: int) -> None:
    """Raise ValueError unless an encryption key has the size of its security suite."""
    if len(key) != KEY_SIZES[suite]:
        raise ValueError(f"suite {suite} has keys of {KEY_SIZES[suite]} bytes")


@dataclass(frozen=True, slots=True)
class Opened:
    """A message without its protection."""

    control: int
    counter: int
    plaintext: bytes


def protect(
    plaintext: bytes, keys: Keys, title: bytes, counter: int, control: int, *, extra: bytes = b""
) -> bytes:
    """Return control byte, counter, protected text and tag.

    ``title`` is the sender's; ``extra`` is the head of general-ciphering, which is authenticated.
    """
    head = bytes([control]) + counter.to_bytes(4)
    associated = bytes([control]) + keys.authentication + extra
    if not control & ENCRYPTED:
        associated += plaintext
    encryptor = Cipher(
        algorithms.AES(keys.encryption), modes.GCM(title + counter.to_bytes(4))
    ).encryptor()
    if control & AUTHENTICATED:
        encryptor.authenticate_additional_data(associated)
    text = encryptor.update(plaintext) if control & ENCRYPTED else plaintext
    encryptor.finalize()
    return head + text + (encryptor.tag[:_TAG] if control & AUTHENTICATED else b"")


def peek(data: bytes) -> tuple[int, int]:
    """Return control byte and counter of a protected message."""
    if len(data) < _HEAD:
        raise DecipheringError("too short")
    return data[0], int.from_bytes(data[1:_HEAD])


def unprotect(data: bytes, keys: Keys, title: bytes, suite: int) -> Opened:
    """Undo ``protect``; DecipheringError if keys, title or tag are wrong."""
    control, counter = peek(data)
    if control & _OTHER or control & _SUITE != suite:
        raise DecipheringError(f"security control {control:02x}")
    text, tag = data[_HEAD:], b""
    if control & AUTHENTICATED:
        if len(text) < _TAG:
            raise DecipheringError("no tag")
        text, tag = text[:-_TAG], text[-_TAG:]
    nonce = title + counter.to_bytes(4)
    if not control & AUTHENTICATED:
        if not control & ENCRYPTED:
            return Opened(control, counter, text)
        mode = modes.GCM(nonce)
        return Opened(
            control,
            counter,
            Cipher(algorithms.AES(keys.encryption), mode).decryptor().update(text),
        )
    decryptor = Cipher(
        algorithms.AES(keys.encryption), modes.GCM(nonce, tag, min_tag_length=_TAG)
    ).decryptor()
    associated = bytes([control]) + keys.authentication
    if not control & ENCRYPTED:
        associated += text
    decryptor.authenticate_additional_data(associated)
    plaintext = decryptor.update(text) if control & ENCRYPTED else text
    try:
        decryptor.finalize()
    except InvalidTag as error:
        raise DecipheringError("wrong tag") from error
    return Opened(control, counter, plaintext)


def proof(
    mechanism: Mechanism,
    secret: bytes,
    challenge: bytes,
    *,
    titles: tuple[bytes, bytes] = (b"", b""),
    other_challenge: bytes = b"",
) -> bytes:
    """Return the answer to a challenge, for all mechanisms but GMAC.

    ``titles`` are the system titles of the answering side and of the other one,
    ``other_challenge`` is the challenge of the answering side; only SHA-256 uses them.
    """
    match mechanism:
        case Mechanism.HLS:
            cipher = Cipher(algorithms.AES(secret.ljust(_BLOCK, b"\0")[:_BLOCK]), modes.ECB())  # noqa: S305
            padded = challenge + bytes(-len(challenge) % _BLOCK)
            return cipher.encryptor().update(padded)
        case Mechanism.MD5:
            return hashlib.md5(challenge + secret).digest()  # noqa: S324  the standard's choice
        case Mechanism.SHA1:
            return hashlib.sha1(challenge + secret).digest()  # noqa: S324  likewise
        case Mechanism.SHA256:
            return hashlib.sha256(
                secret + titles[0] + titles[1] + challenge + other_challenge
            ).digest()
        case _:
            raise ValueError(f"{mechanism.name} has no such answer")


def gmac(keys: Keys, title: bytes, counter: int, suite: int, challenge: bytes) -> bytes:
    """Return the answer to a challenge with GMAC: control byte, counter, tag."""
    sent = protect(challenge, keys, title, counter, AUTHENTICATED | suite)
    return sent[:_HEAD] + sent[-_TAG:]
