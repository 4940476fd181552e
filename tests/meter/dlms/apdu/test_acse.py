"""APDUs of ACSE: the examples of the standard, and variants of meters."""

from contextlib import suppress

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.apdu.acse import (
    Mechanism,
    association_request,
    parse_association_response,
    release_request,
)
from custom_components.onemeter.meter.errors import MeterError, TelegramError

INITIATE = bytes.fromhex("01000000065f1f0400007e1f04b0")
#: As in the Green Book's example of low level security, password "12345678".
AARQ = bytes.fromhex(
    "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738"
    "be10040e01000000065f1f0400007e1f04b0"
)
AARE = bytes.fromhex(
    "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400007c1f04000007"
)
WITH_CHALLENGE = bytes.fromhex(
    "614e80020780a109060760857405080103a203020100a305a10302010ea40a0408444d4f0000000001"
    "88020780890760857405080205aa0a80085061737357303078be10040e0800065f1f0400007c1f04000007"
)
REJECTED = bytes.fromhex("6117a109060760857405080101a203020101a305a10302010d")


def test_request() -> None:
    assert association_request(1, Mechanism.LLS, b"12345678", b"", INITIATE) == AARQ


def test_request_of_a_public_client() -> None:
    expected = "601da109060760857405080101be10040e01000000065f1f0400007e1f04b0"
    assert association_request(1, Mechanism.NONE, b"", b"", INITIATE).hex() == expected


def test_accepted() -> None:
    found = parse_association_response(AARE)
    assert (found.result, found.diagnostic, found.context) == (0, 0, 1)
    assert found.user_information.hex() == "0800065f1f0400007c1f04000007"
    assert (found.title, found.challenge) == (b"", b"")


def test_challenge_title_and_version() -> None:
    found = parse_association_response(WITH_CHALLENGE)
    assert (found.result, found.diagnostic, found.context) == (0, 14, 3)
    assert found.mechanism == Mechanism.GMAC
    assert found.title == b"DMO\0\0\0\0\1"
    assert found.challenge == b"PassW00x"
    assert "PassW00x" not in repr(found)


def test_rejected_without_user_information() -> None:
    found = parse_association_response(REJECTED)
    assert (found.result, found.diagnostic, found.is_of_provider) == (1, 13, False)
    assert found.user_information == b""


def test_diagnostic_of_the_provider() -> None:
    found = parse_association_response(REJECTED.replace(b"\xa1\x03\x02\x01\x0d", b"\xa2\x03\2\1\2"))
    assert (found.diagnostic, found.is_of_provider) == (2, True)


def test_release() -> None:
    assert release_request().hex() == "6203800100"
    assert release_request(b"\x21\x00").hex() == "6209800100be0404022100"


@pytest.mark.parametrize("apdu", [b"", b"\x61", b"\xd8\x01\x05", b"\x61\x00", AARE[:-1]])
def test_something_else(apdu: bytes) -> None:
    with pytest.raises(TelegramError):
        parse_association_response(apdu)


@given(
    st.sampled_from([AARE, WITH_CHALLENGE, REJECTED]),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=3),
    st.integers(0, 90),
)
def test_damage(apdu: bytes, changes: list[tuple[int, int]], end: int) -> None:
    altered = bytearray(apdu)
    for place, byte in changes:
        altered[place % len(altered)] = byte
    with suppress(MeterError):
        parse_association_response(bytes(altered[:end]))
