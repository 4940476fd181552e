"""The picture that a flow shows of a meter's plate."""

from pathlib import Path
from typing import Final

from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

#: Where the impulse constant is printed on a meter.
_FILE: Final = Path(__file__).parents[1] / "pictures" / "impulse_constant.svg"
_URL: Final = f"/{DOMAIN}_static/{_FILE.name}"
_IS_SERVED: HassKey[bool] = HassKey(f"{DOMAIN}_picture")


async def async_serve_picture(hass: HomeAssistant) -> str:
    """Serve the picture and return its URL.

    A flow needs it before there is any entry, and so before the integration is set up.
    """
    if _IS_SERVED not in hass.data:
        hass.data[_IS_SERVED] = True
        path = StaticPathConfig(_URL, str(_FILE), cache_headers=False)
        await hass.http.async_register_static_paths([path])
    return _URL
