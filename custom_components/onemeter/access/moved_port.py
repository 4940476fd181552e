"""Ports whose device has moved, between this machine and a serial proxy or between two proxies."""

from homeassistant.components import usb
from homeassistant.core import HomeAssistant, callback


@callback
def async_moved_port(hass: HomeAssistant, port: str) -> str | None:
    """Return the port at which the device of a missing port is now; None if that is not known.

    Home Assistant 2026.10 does not know it for any port.
    """
    find = getattr(usb, "async_find_moved_serial_port", None)
    moved: str | None = None if find is None else find(hass, port)
    return moved
