"""Numbers in texts."""

from decimal import Decimal

import pytest

from custom_components.onemeter.access.numbers import async_number_text
from homeassistant.core import HomeAssistant


@pytest.mark.parametrize(
    ("language", "total", "difference"),
    [
        ("en", "12345.670", "+0.0000001"),
        ("de", "12345,670", "+0,0000001"),
        ("pl", "12345,670", "+0,0000001"),
        # Its texts are English.
        ("fr", "12345.670", "+0.0000001"),
    ],
)
async def test_numbers_are_those_of_the_language(
    hass: HomeAssistant, language: str, total: str, difference: str
) -> None:
    hass.config.language = language
    assert async_number_text(hass, Decimal("12345.670")) == total
    assert async_number_text(hass, Decimal("1E-7"), signed=True) == difference
