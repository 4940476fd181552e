"""Home Assistant's USB integration without a scan for devices."""

from unittest.mock import Mock

from homeassistant.components import usb
from homeassistant.core import HomeAssistant


def stub_usb(hass: HomeAssistant) -> None:
    """Let the USB integration count as set up, with no device, unless the test has set it up."""
    if "usb" in hass.config.components:
        return
    hass.config.components.add("usb")
    if hasattr(usb, "async_find_moved_serial_port"):
        found_none = Mock(**{"async_find_moved_serial_port.return_value": None})
        hass.data["usb"] = found_none
