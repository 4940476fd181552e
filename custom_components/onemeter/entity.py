"""Base of a meter's entities, and a helper that adds entities for new registers."""

import asyncio
from collections.abc import Callable, Container, Iterable
from itertools import batched
from typing import override

from homeassistant.core import callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.meter_data import MeterData
from .devices.mbus import async_on_mbus_removed
from .devices.meter import meter_device
from .meter import Key
from .registers.mbus import channel_of

#: Entities that are added without a pause for other tasks: a meter may have hundreds.
_ADDED_AT_ONCE = 4


class OneMeterEntity(CoordinatorEntity[OneMeterCoordinator]):
    """An entity of a meter's device, whose state is written only if it has changed."""

    _attr_has_entity_name = True

    #: The result of _snapshot when the state was last written.
    _written: object

    def __init__(self, coordinator: OneMeterCoordinator, key: str) -> None:
        """Take the key, which is unique among the entry's entities of this platform."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.unique_id}-{key}"
        self._attr_device_info = meter_device(coordinator)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._written = self._snapshot()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        snapshot = self._snapshot()
        if snapshot != self._written:
            self._written = snapshot
            self.async_write_ha_state()

    def _snapshot(self) -> object:
        """Return all that is written to the state; at least the availability."""
        return self.available


async def async_add_as_they_appear(
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    new_keys: Callable[[MeterData, Container[Key]], Iterable[Key]],
    make: Callable[[Key, MeterData], OneMeterEntity | None],
) -> None:
    """Add the entities of the present data, and later those of new data.

    new_keys returns the keys that get an entity and are not in the container of known keys; make
    returns the entity of a key, or None if the data show that it has none.
    """
    coordinator = entry.runtime_data
    known: set[Key] = set()

    async def add(keys: Iterable[Key], data: MeterData) -> None:
        for some in batched(keys, _ADDED_AT_ONCE, strict=False):
            entities = [entity for key in some if (entity := make(key, data)) is not None]
            if entities:
                async_add_entities(entities)
            await asyncio.sleep(0)

    @callback
    def new_keys_of(data: MeterData) -> list[Key]:
        keys = list(dict.fromkeys(new_keys(data, known)))
        known.update(keys)
        return keys

    @callback
    def forget(channel: int) -> None:
        """Add the entities of a removed device again, should its meter come back."""
        known.difference_update([key for key in known if channel_of(key) == channel])

    @callback
    def add_new() -> None:
        data = coordinator.data
        if keys := new_keys_of(data):
            entry.async_create_task(
                coordinator.hass, add(keys, data), f"{DOMAIN} new entities", eager_start=False
            )

    async_on_mbus_removed(coordinator.hass, entry, forget)
    entry.async_on_unload(coordinator.async_add_listener(add_new))
    await add(new_keys_of(coordinator.data), coordinator.data)
