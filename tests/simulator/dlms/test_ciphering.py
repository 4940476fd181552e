"""Ciphering, checked against the examples in the Green Book."""

import hashlib

import pytest

from simulator.dlms.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    DecipheringError,
    Keys,
    Mechanism,
    gmac,
    proof,
    protect,
    unprotect,
)

KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
TITLE = bytes.fromhex("4d4d4d0000bc614e")
CLIENT = bytes.fromhex("4d4d4d0000000001")
COUNTER = 0x01234567
GET = bytes.fromhex("c0010000080000010000ff0200")


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (AUTHENTICATED, "1001234567c0010000080000010000ff020006725d910f9221d263877516"),
        (ENCRYPTED, "2001234567411312ff935a47566827c467bc"),
        (
            AUTHENTICATED | ENCRYPTED,
            "3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b",
        ),
    ],
)
def test_get_request(control: int, expected: str) -> None:
    sealed = protect(GET, KEYS, TITLE, COUNTER, control)
    assert sealed.hex() == expected
    opened = unprotect(sealed, KEYS, TITLE, 0)
    assert (opened.control, opened.counter, opened.plaintext) == (control, COUNTER, GET)


def test_initiate_request() -> None:
    plain = bytes.fromhex("01011000112233445566778899aabbccddeeff0000065f1f0400007e1f04b0")
    assert protect(plain, KEYS, TITLE, COUNTER, 0x30).hex() == (
        "3001234567801302ff8a7874133d414ced25b42534d28db0047720606b175bd52211be68"
        "41db204d39ee6fdb8e356855"
    )


def test_gmac() -> None:
    assert gmac(KEYS, CLIENT, 1, 0, b"P6wRJ21F").hex() == "10000000011a52fe7dd3e72748973c1e28"
    answer = gmac(KEYS, TITLE, COUNTER, 0, b"K56iVagY")
    assert answer.hex() == "1001234567fe1466afb3dbcd4f9389e2b7"


@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("control", [0x10, 0x20, 0x30])
def test_suites(suite: int, control: int) -> None:
    size = 32 if suite == 2 else 16
    keys = Keys(bytes(range(size)), bytes(size))
    sealed = protect(GET, keys, TITLE, 7, control | suite)
    assert unprotect(sealed, keys, TITLE, suite).plaintext == GET


@pytest.mark.parametrize(
    ("keys", "title", "suite"),
    [
        (Keys(bytes(16), KEYS.authentication), TITLE, 0),
        (Keys(KEYS.encryption, bytes(16)), TITLE, 0),
        (KEYS, CLIENT, 0),
        (KEYS, TITLE, 1),
    ],
)
def test_what_is_not_right(keys: Keys, title: bytes, suite: int) -> None:
    sealed = protect(GET, KEYS, TITLE, COUNTER, 0x30)
    with pytest.raises(DecipheringError):
        unprotect(sealed, keys, title, suite)


@pytest.mark.parametrize("length", range(17))
def test_what_is_too_short(length: int) -> None:
    with pytest.raises(DecipheringError):
        unprotect(protect(GET, KEYS, TITLE, COUNTER, 0x30)[:length], KEYS, TITLE, 0)


def test_proofs() -> None:
    # RFC 1321, appendix A.5, and RFC 3174, clause 7.3: both of "abc".
    md5 = "900150983cd24fb0d6963f7d28e17f72"
    assert proof(Mechanism.MD5, b"bc", b"a").hex() == md5
    sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert proof(Mechanism.SHA1, b"bc", b"a").hex() == sha1
    sha256 = proof(Mechanism.SHA256, b"key", b"ch", titles=(CLIENT, TITLE), other_challenge=b"th")
    assert sha256 == hashlib.sha256(b"key" + CLIENT + TITLE + b"ch" + b"th").digest()
    # FIPS 197, appendix C.1.
    secret, challenge = bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
    expected = "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert proof(Mechanism.HLS, secret, challenge).hex() == expected
    with pytest.raises(ValueError, match="NONE"):
        proof(Mechanism.NONE, b"", b"")


def test_keys_are_not_shown() -> None:
    assert repr(KEYS) == "Keys()"
