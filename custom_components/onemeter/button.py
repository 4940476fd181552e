"""The button that reads a polled meter at once."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator.base import OneMeterConfigEntry
from .coordinator.polled import PolledCoordinator
from .entity import OneMeterEntity

#: The coordinator reads a meter once at a time.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the button if the meter is polled."""
    if isinstance(entry.runtime_data, PolledCoordinator):
        async_add_entities([ReadNowButton(entry.runtime_data)])


class ReadNowButton(OneMeterEntity, ButtonEntity):
    """Reads the meter when it is pressed, and raises an error if that fails."""

    _attr_translation_key = "read_now"

    coordinator: PolledCoordinator

    def __init__(self, coordinator: PolledCoordinator) -> None:
        """Take the coordinator that reads the meter."""
        super().__init__(coordinator, "read_now")

    @property
    @override
    def available(self) -> bool:
        """Always: pressing it may bring an unavailable meter back."""
        return True

    @override
    async def async_press(self) -> None:
        """Read the meter; during a readout, wait for its end."""
        await self.coordinator.async_read_now()
