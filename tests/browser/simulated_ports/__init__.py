"""An integration that lists the lines of simulated meters as ports of USB adapters.

It does so as the one of ESPHome lists its ports.
"""

from homeassistant.components.usb import USBDevice, async_register_serial_port_scanner
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

DOMAIN = "simulated_ports"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001
    """Offer the action that says which ports there are."""
    ports: list[USBDevice] = []

    @callback
    def plug_in(call: ServiceCall) -> None:
        ports[:] = [
            USBDevice(
                device=device,
                vid="10C4",
                pid="EA60",
                serial_number=None,
                manufacturer="Silicon Labs",
                description=name,
            )
            for device, name in call.data["ports"].items()
        ]

    async_register_serial_port_scanner(hass, lambda _: ports)
    hass.services.async_register(DOMAIN, "plug_in", plug_in)
    return True
