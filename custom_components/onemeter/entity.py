"""What all entities of a meter have in common."""

from typing import override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator.base import OneMeterCoordinator
from .meter.flag import manufacturer_name


class OneMeterEntity(CoordinatorEntity[OneMeterCoordinator]):
    """An entity on the device that stands for the meter; its state is written only with news."""

    _attr_has_entity_name = True

    #: What was written last.
    _written: object

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
            model=meter.model,
            serial_number=meter.name,
            sw_version=coordinator.data.firmware,
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the meter, from what it tells now on."""
        await super().async_added_to_hass()
        self._written = self._news()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if there is news."""
        news = self._news()
        if news != self._written:
            self._written = news
            self.async_write_ha_state()

    def _news(self) -> object:
        """Return what is to be written: at least whether the meter can be read."""
        return self.available
