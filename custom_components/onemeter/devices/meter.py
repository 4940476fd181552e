"""The device of an entry's meter."""

from homeassistant.const import CONF_PROTOCOL
from homeassistant.helpers.device_registry import DeviceInfo

from ..access.nameless import async_cached_nameless
from ..const import DOMAIN
from ..coordinator.base import OneMeterCoordinator
from ..meter import Protocol
from ..meter.flag import manufacturer_name


def meter_device(coordinator: OneMeterCoordinator) -> DeviceInfo:
    """Return the information about the device of an entry's meter."""
    entry = coordinator.config_entry
    meter = coordinator.data.meter
    protocol = Protocol(entry.data[CONF_PROTOCOL])
    return DeviceInfo(
        identifiers={(DOMAIN, str(entry.unique_id))},
        name=entry.title,
        manufacturer=meter.manufacturer and manufacturer_name(meter.manufacturer),
        model=meter.model or async_cached_nameless(coordinator.hass, protocol),
        serial_number=meter.name,
        sw_version=coordinator.data.firmware,
    )
