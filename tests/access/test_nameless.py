"""Names of meters of unknown manufacturer or model; see also test_entity.py."""

from custom_components.onemeter.access.nameless import async_cached_nameless
from custom_components.onemeter.meter import Protocol
from homeassistant.core import HomeAssistant


async def test_language_that_is_not_loaded_yet(hass: HomeAssistant) -> None:
    hass.config.language = "eo"
    assert async_cached_nameless(hass, Protocol.SML) is None
