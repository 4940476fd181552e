"""Numbers in texts, as the language of Home Assistant writes them.

Only the frontend knows the language of a user, but it gets such numbers within texts.
"""

from decimal import Decimal
from typing import Final

from homeassistant.core import HomeAssistant, callback

#: The languages of the translations that write a decimal comma; all others are shown in English.
_WITH_COMMA: Final = frozenset({"de", "pl"})


@callback
def async_number_text(hass: HomeAssistant, number: Decimal, *, signed: bool = False) -> str:
    """Return a number with all its digits, and with a plus sign if signed."""
    text = f"{number:+f}" if signed else f"{number:f}"
    return text.replace(".", ",") if hass.config.language in _WITH_COMMA else text
