"""Keys as people write them."""

import pytest

from custom_components.onemeter.meter.dlms.settings import DlmsSettings, Keys, parse_key
from custom_components.onemeter.meter.errors import KeyFormatError

KEY = bytes(range(16))


@pytest.mark.parametrize(
    "text",
    [
        "000102030405060708090a0b0c0d0e0f",
        "000102030405060708090A0B0C0D0E0F",
        " 0x000102030405060708090a0b0c0d0e0f\n",
        "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
        "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f",
        ", ".join(f"0x{byte:02X}" for byte in KEY),
        "00010203-04050607-08090a0b-0c0d0e0f",
    ],
)
def test_spellings_of_a_key(text: str) -> None:
    assert parse_key(text) == KEY


def test_key_of_suite_2() -> None:
    assert parse_key("ab" * 32) == b"\xab" * 32


@pytest.mark.parametrize(
    ("text", "length"),
    [("", "0"), ("00" * 15, "30"), ("0" * 33, "33"), ("00" * 24, "48")],
)
def test_no_key(text: str, length: str) -> None:
    with pytest.raises(KeyFormatError) as caught:
        parse_key(text)
    assert caught.value.details == {"length": length}
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "character", "position"),
    [("z" * 32, "z", "1"), ("0x00 O0" + "0" * 28, "O", "6"), ("00" * 15 + "0l", "l", "32")],
)
def test_character_that_is_no_digit_is_named(text: str, character: str, position: str) -> None:
    with pytest.raises(KeyFormatError) as caught:
        parse_key(text)
    assert caught.value.details["character"] == character
    assert caught.value.details["position"] == position
    assert text not in str(caught.value)


@pytest.mark.parametrize(("ek", "ak"), [(b"x" * 15, None), (b"x" * 16, b"x" * 32), (None, b"")])
def test_keys_of_no_suite(ek: bytes | None, ak: bytes | None) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Keys(ek, ak)


def test_secrets_are_not_shown() -> None:
    settings = DlmsSettings(
        password=b"secret!!", keys=Keys(b"encryption_key__", b"authentication__")
    )
    for secret in ("secret", "encryption_key__", "authentication__", b"encryption_key__".hex()):
        assert secret not in repr(settings)
