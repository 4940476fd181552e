"""What all entities of a meter have in common."""

from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import MeterData, OneMeterCoordinator
from .meter.flag import manufacturer_name


class OneMeterEntity(CoordinatorEntity[OneMeterCoordinator]):
    """An entity on the device that stands for the meter."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: OneMeterCoordinator, key: str) -> None:
        """Name the entity for Home Assistant's registries; the key is unique to it in the entry."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        meter = coordinator.data.meter
        self._attr_unique_id = f"{entry.unique_id}-{key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, str(entry.unique_id))},
            name=entry.title,
            manufacturer=meter.manufacturer and manufacturer_name(meter.manufacturer),
            model=meter.ident,
            serial_number=meter.name,
            sw_version=_firmware(coordinator.data),
        )


def _firmware(data: MeterData) -> str | None:
    """Return the version of the meter's firmware, from whichever part of 0.2.0 is text."""
    for obis, register in data.registers.items():
        if (obis.c, obis.d, obis.e) == (0, 2, 0) and isinstance(register.value, str):
            return register.value
    return None
