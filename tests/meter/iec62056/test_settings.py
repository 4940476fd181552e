import pytest

from custom_components.onemeter.meter.iec62056.settings import SignOn, is_register
from custom_components.onemeter.meter.iec62056.sign_on import request_message


def test_request() -> None:
    assert request_message(SignOn()) == b"/?!\r\n"
    assert request_message(SignOn(address="00123", table="2")) == b"/200123!\r\n"
    assert request_message(SignOn(table="#")) == b"/#!\r\n"


@pytest.mark.parametrize(
    "settings",
    [
        {"address": "1!\r\n\x01W1\x02"},
        {"address": "é"},
        {"address": "1" * 33},
        {"table": "12"},
        {"table": "\r"},
        {"password": "12345678)\x03"},
        {"password": "(1"},
        {"password": ""},
        {"password": "пароль"},
        {"acknowledgement": "\x15"},
        {"acknowledgement": "25"},
        {"acknowledgement": "Z50"},
    ],
)
def test_what_would_be_understood_as_something_else(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a"):
        SignOn(**settings)  # type: ignore[arg-type]


def test_password_is_not_shown() -> None:
    assert "12345678" not in repr(SignOn(password="12345678"))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("1.8.0", True),
        ("1-0:1.8.0*255", True),
        ("1.8.0&01", True),
        ("ET0PE", True),
        ("", False),
        ("1.8.0()\x03W", False),
        ("1.8.0\r\n", False),
        ("1.8.0é", False),
    ],
)
def test_addresses_of_registers(address: str, allowed: bool) -> None:
    assert is_register(address) is allowed
