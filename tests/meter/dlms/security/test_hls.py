"""Proofs of high level security; GMAC as in the Green Book's example."""

import hashlib

import pytest

from custom_components.onemeter.meter.dlms.apdu.acse import Mechanism
from custom_components.onemeter.meter.dlms.security.hls import digest, gmac, is_gmac
from custom_components.onemeter.meter.dlms.settings import Keys

KEYS = Keys(
    bytes.fromhex("000102030405060708090A0B0C0D0E0F"),
    bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"),
)
CLIENT = bytes.fromhex("4D4D4D0000000001")
METER = bytes.fromhex("4D4D4D0000BC614E")
CLIENTS_CHALLENGE = b"K56iVagY"
METERS_CHALLENGE = b"P6wRJ21F"


def test_gmac() -> None:
    proof = gmac(METERS_CHALLENGE, 0, 1, CLIENT, KEYS)
    assert proof.hex().upper() == "10000000011A52FE7DD3E72748973C1E28"
    answer = bytes.fromhex("1001234567FE1466AFB3DBCD4F9389E2B7")
    assert is_gmac(answer, CLIENTS_CHALLENGE, METER, KEYS)
    assert not is_gmac(answer, METERS_CHALLENGE, METER, KEYS)
    assert not is_gmac(answer[:-1], CLIENTS_CHALLENGE, METER, KEYS)


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        (Mechanism.MD5, hashlib.md5(b"challengesecret").digest()),  # noqa: S324
        (Mechanism.SHA1, hashlib.sha1(b"challengesecret").digest()),  # noqa: S324
        (Mechanism.SHA256, hashlib.sha256(b"secretCLIENTMETERchallengeown").digest()),
    ],
)
def test_digests(mechanism: Mechanism, expected: bytes) -> None:
    titles = (b"CLIENT", b"METER")
    found = digest(mechanism, b"secret", b"challenge", titles=titles, own_challenge=b"own")
    assert found == expected


def test_of_the_manufacturer() -> None:
    # FIPS 197, C.1
    key = bytes(range(16))
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    found = digest(Mechanism.MANUFACTURER, key, block, titles=(b"", b""), own_challenge=b"")
    assert found.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
