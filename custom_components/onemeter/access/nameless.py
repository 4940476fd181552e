"""What a meter of unknown manufacturer or model is called, in the language of Home Assistant."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import (
    async_get_cached_translations,
    async_get_translations,
)

from ..const import DOMAIN
from ..meter import Protocol

_CATEGORY = "selector"


async def async_nameless(hass: HomeAssistant, protocol: Protocol) -> str:
    """Return the name, also while no entry of the integration has been set up."""
    texts = await async_get_translations(hass, hass.config.language, _CATEGORY, [DOMAIN])
    return texts[_key(protocol)]


@callback
def async_cached_nameless(hass: HomeAssistant, protocol: Protocol) -> str | None:
    """Return the name for an entry that is being set up; None if its language is not loaded yet."""
    texts = async_get_cached_translations(hass, hass.config.language, _CATEGORY, DOMAIN)
    return texts.get(_key(protocol))


def _key(protocol: Protocol) -> str:
    return f"component.{DOMAIN}.selector.nameless.options.{protocol}"
