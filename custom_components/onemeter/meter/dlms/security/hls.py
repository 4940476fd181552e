"""How client and meter prove to each other that they know a secret (IEC 62056-5-3, 5.3.2, HLS)."""

import hashlib
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..apdu.acse import Mechanism
from ..settings import Keys
from .ciphering import AUTHENTICATED, HEADER_LENGTH, TAG_LENGTH, sealed

_BLOCK = 16


def digest(
    mechanism: Mechanism,
    secret: bytes,
    challenge: bytes,
    *,
    titles: tuple[bytes, bytes],
    own_challenge: bytes,
) -> bytes:
    """Return what proves to the other side, which has sent the challenge, that one has the secret.

    ``titles`` are the system titles of who proves and of the other side, ``own_challenge`` is the
    one that the other side was sent: only SHA-256 needs them. GMAC is gmac() instead.
    """
    match mechanism:
        case Mechanism.MANUFACTURER:
            # ECB is what meters do here: the challenge is one random block, or a few.
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
    """Return the proof by GMAC: security control, invocation counter, tag."""
    if keys.encryption is None:
        raise ValueError("GMAC needs an encryption key")
    whole = sealed(
        challenge,
        control=AUTHENTICATED | suite,
        counter=counter,
        title=title,
        encryption_key=keys.encryption,
        authentication_key=keys.authentication or b"",
    )
    return whole[:HEADER_LENGTH] + whole[-TAG_LENGTH:]


def is_gmac(proof: bytes, challenge: bytes, title: bytes, keys: Keys) -> bool:
    """Tell whether a proof by GMAC is that of the meter with this title."""
    if len(proof) != HEADER_LENGTH + TAG_LENGTH:
        return False
    counter = int.from_bytes(proof[1:HEADER_LENGTH])
    return compare_digest(gmac(challenge, proof[0] & 0xF, counter, title, keys), proof)
