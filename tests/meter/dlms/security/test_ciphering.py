"""Ciphering: the examples of the standard, and wrong keys."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.security.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    Unsealed,
    seal,
    unseal,
)
from custom_components.onemeter.meter.errors import TelegramError

# The example of IEC 62056-5-3, Table 40: a GET of the clock in suite 0.
TITLE = bytes.fromhex("4d4d4d0000bc614e")
EK = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
AK = bytes.fromhex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf")
COUNTER = 0x01234567
REQUEST = bytes.fromhex("c0010000080000010000ff0200")
PROTECTED = {
    0x10: "1001234567c0010000080000010000ff020006725d910f9221d263877516",
    0x20: "2001234567411312ff935a47566827c467bc",
    0x30: "3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b",
}


@pytest.mark.parametrize(("control", "expected"), PROTECTED.items())
def test_examples_of_the_standard(control: int, expected: str) -> None:
    protected = seal(
        REQUEST,
        control=control,
        counter=COUNTER,
        title=TITLE,
        encryption_key=EK,
        authentication_key=AK,
    )
    assert protected.hex() == expected
    found = unseal(protected, title=TITLE, encryption_key=EK, authentication_key=AK)
    assert found == Unsealed(REQUEST, True if control & AUTHENTICATED else None)


PLAIN = st.binary(max_size=300)
KEY = st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
CONTROL = st.sampled_from([0x10, 0x20, 0x30, 0x11, 0x21, 0x31, 0x32])


@given(PLAIN, CONTROL, st.tuples(KEY, KEY), st.integers(0, 0xFFFF_FFFF), st.binary(max_size=40))
def test_back_and_forth(
    content: bytes, control: int, keys: tuple[bytes, bytes], counter: int, header: bytes
) -> None:
    ek, ak = keys
    protected = seal(
        content,
        control=control,
        counter=counter,
        title=TITLE,
        encryption_key=ek,
        authentication_key=ak,
        header=header,
    )
    found = unseal(protected, title=TITLE, encryption_key=ek, authentication_key=ak, header=header)
    assert found.content == content
    assert found.is_authentic is (True if control & AUTHENTICATED else None)
    without = unseal(protected, title=TITLE, encryption_key=ek, authentication_key=None)
    assert without == Unsealed(content, None)


@given(st.sampled_from([0x10, 0x30]), st.data())
def test_a_single_bit_is_told(control: int, data: st.DataObject) -> None:
    protected = bytearray(bytes.fromhex(PROTECTED[control]))
    place = data.draw(st.integers(1, len(protected) - 1))
    protected[place] ^= 1 << data.draw(st.integers(0, 7))
    found = unseal(bytes(protected), title=TITLE, encryption_key=EK, authentication_key=AK)
    assert found.is_authentic is False


@pytest.mark.parametrize(("ek", "ak"), [(AK, AK), (EK, EK), (AK, EK)])
def test_wrong_keys(ek: bytes, ak: bytes) -> None:
    protected = bytes.fromhex(PROTECTED[0x30])
    found = unseal(protected, title=TITLE, encryption_key=ek, authentication_key=ak)
    assert found.is_authentic is False
    # The content is right with the right encryption key: so the authentication key is at fault.
    assert (found.content == REQUEST) is (ek == EK)


@pytest.mark.parametrize("protected", ["", "30012345", "3001234567" + "00" * 11, "b0" + "00" * 30])
def test_no_ciphered_message(protected: str) -> None:
    with pytest.raises(TelegramError):
        unseal(bytes.fromhex(protected), title=TITLE, encryption_key=EK, authentication_key=AK)


def test_system_title_of_another_length() -> None:
    with pytest.raises(TelegramError):
        unseal(bytes.fromhex(PROTECTED[0x30]), title=b"", encryption_key=EK, authentication_key=AK)


def test_tag_needs_its_key() -> None:
    with pytest.raises(ValueError, match="authentication"):
        seal(
            REQUEST,
            control=AUTHENTICATED | ENCRYPTED,
            counter=1,
            title=TITLE,
            encryption_key=EK,
            authentication_key=None,
        )
