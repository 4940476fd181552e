"""Ports whose device has moved, between this machine and a serial proxy or between two proxies."""

from homeassistant.components import usb
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..meter.redaction import redact
from .issues import Issue, async_clear_issue, async_raise_issue


@callback
def async_moved_port(hass: HomeAssistant, port: str) -> str | None:
    """Return the port at which the device of a missing port is now; None if that is not known.

    Home Assistant 2026.10 does not know it for any port.
    """
    find = getattr(usb, "async_find_moved_serial_port", None)
    moved: str | None = None if find is None else find(hass, port)
    return moved


@callback
def async_look_for_moved_port(hass: HomeAssistant, entry: ConfigEntry, port: str) -> None:
    """Raise a repair if the device of a port that cannot be used is at another port."""
    if (moved := async_moved_port(hass, port)) is None:
        async_clear_issue(hass, entry, Issue.PORT_MOVED)
        return
    placeholders = {"port": redact(port), "moved": redact(moved)}
    async_raise_issue(hass, entry, Issue.PORT_MOVED, placeholders, port=moved)
