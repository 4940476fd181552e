"""Proofs of high level security: replies to a challenge (IEC 62056-5-3, 5.3.2, HLS)."""

import hashlib
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..apdu.acse import Mechanism
from ..settings import Keys
from .ciphering import AUTHENTICATED, HEADER_LENGTH, TAG_LENGTH, seal

#: Block and key size of AES-128, in bytes.
_BLOCK: Final = 16
#: Bits of the security control byte that hold the suite (5.3.4.1).
_SUITE: Final = 0x0F


def digest(
    mechanism: Mechanism,
    secret: bytes,
    challenge: bytes,
    *,
    titles: tuple[bytes, bytes],
    own_challenge: bytes,
) -> bytes:
    """Return the reply to a challenge with a password; gmac() does the same with keys.

    ``titles`` are the system titles of the side that replies and of the other side, and
    ``own_challenge`` is the challenge of the side that replies: SHA-256 covers them as well.
    Raises ValueError for other mechanisms.
    """
    match mechanism:
        case Mechanism.MANUFACTURER:
            # Meters use ECB here: the challenge is one random block, or a few.
            key = algorithms.AES(secret.ljust(_BLOCK, b"\0")[:_BLOCK])
            encryptor = Cipher(key, modes.ECB()).encryptor()  # noqa: S305
            return encryptor.update(challenge + bytes(-len(challenge) % _BLOCK))
        case Mechanism.MD5:
            return hashlib.md5(challenge + secret, usedforsecurity=False).digest()
        case Mechanism.SHA1:
            return hashlib.sha1(challenge + secret, usedforsecurity=False).digest()
        case Mechanism.SHA256:
            text = secret + titles[0] + titles[1] + challenge + own_challenge
            return hashlib.sha256(text).digest()
        case _:
            raise ValueError(f"no digest in {mechanism!r}")


def gmac(challenge: bytes, suite: int, counter: int, title: bytes, keys: Keys) -> bytes:
    """Return the reply to a challenge with GMAC: security control, invocation counter, tag.

    Raises ValueError without an encryption key.
    """
    if keys.encryption is None:
        raise ValueError("GMAC needs an encryption key")
    whole = seal(
        challenge,
        control=AUTHENTICATED | suite,
        counter=counter,
        title=title,
        encryption_key=keys.encryption,
        authentication_key=keys.authentication or b"",
    )
    return whole[:HEADER_LENGTH] + whole[-TAG_LENGTH:]


def is_gmac(proof: bytes, challenge: bytes, title: bytes, keys: Keys) -> bool:
    """Return whether ``proof`` is the GMAC reply of the meter with this system title."""
    if len(proof) != HEADER_LENGTH + TAG_LENGTH:
        return False
    counter = int.from_bytes(proof[1:HEADER_LENGTH])
    return compare_digest(gmac(challenge, proof[0] & _SUITE, counter, title, keys), proof)
