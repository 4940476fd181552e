"""Serial ports as the forms show them: which one is free, who uses one, and how one is named."""

import os
import re
from typing import Final

from homeassistant.components.usb import (
    USBDevice,
    async_get_serial_port_consumers,
    async_scan_serial_ports,
    get_serial_by_id,
)
from homeassistant.core import HomeAssistant

#: How the ports of ESPHome devices begin in Home Assistant.
_ESPHOME: Final = "esphome-hass://"
#: A host name or address with a port, without a scheme.
_HOST_AND_PORT: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


async def async_free_port(hass: HomeAssistant) -> str | None:
    """Return the port of a USB or ESPHome adapter that nothing uses; None unless there is one.

    Built-in ports are left out: `/dev/ttyS0` often exists without anything behind it.
    """
    ports = await async_scan_serial_ports(hass)
    used = await async_get_serial_port_consumers(hass, ports)
    resolved = {*used, *await _async_real_paths(hass, *used)}
    free = [
        port.device
        for port in ports
        if (isinstance(port, USBDevice) or port.device.startswith(_ESPHOME))
        and not {port.device, port.resolved_device} & resolved
    ]
    return free[0] if len(free) == 1 else None


async def async_users(hass: HomeAssistant, port: str) -> str:
    """Name the entries and apps that Home Assistant knows to use a port; empty without any."""
    consumers = await async_get_serial_port_consumers(hass, await async_scan_serial_ports(hass))
    path, *paths = await _async_real_paths(hass, port, *consumers)
    return ", ".join(
        user.title
        for device_path, users in zip(paths, consumers.values(), strict=True)
        if device_path == path
        for user in users
        if user.active
    )


async def async_stable_name(hass: HomeAssistant, port: str) -> str:
    """Return the name of a local port that outlives replugging; a URL for `host:port`."""
    if port.startswith("/dev/"):
        return await hass.async_add_executor_job(get_serial_by_id, port)
    return f"socket://{port}" if _HOST_AND_PORT.fullmatch(port) else port


async def async_usb_id(hass: HomeAssistant, port: str) -> str | None:
    """Return the ``VID:PID`` of the USB adapter of a port; None for any other port."""
    usb = [found for found in await async_scan_serial_ports(hass) if isinstance(found, USBDevice)]
    path, *paths = await _async_real_paths(hass, port, *(found.device for found in usb))
    ids = {at: f"{found.vid}:{found.pid}" for found, at in zip(usb, paths, strict=True)}
    return ids.get(path)


async def _async_real_paths(hass: HomeAssistant, *devices: str) -> list[str]:
    """Return the paths of devices without links."""
    return await hass.async_add_executor_job(lambda: [*map(os.path.realpath, devices)])
