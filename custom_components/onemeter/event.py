"""The event entity of a meter that reports events."""

from collections.abc import Container, Iterator
from typing import Final, override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.meter_data import MeterData
from .entity import OneMeterEntity, async_add_as_they_appear
from .meter import Key

#: The coordinator reads the meter; entities do not poll.
PARALLEL_UPDATES = 0

_METER_EVENT: Final = "meter_event"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entity if the meter reports events, also if it does so later."""
    coordinator = entry.runtime_data

    def new_keys(_: MeterData, known: Container[Key]) -> Iterator[Key]:
        if _METER_EVENT not in known and coordinator.events.types:
            yield _METER_EVENT

    await async_add_as_they_appear(
        entry, async_add_entities, new_keys, lambda *_: MeterEventEntity(coordinator)
    )


class MeterEventEntity(OneMeterEntity, EventEntity):
    """Shows the last event that the meter has reported."""

    _attr_translation_key = _METER_EVENT

    def __init__(self, coordinator: OneMeterCoordinator) -> None:
        """Take the coordinator that reads the meter."""
        super().__init__(coordinator, _METER_EVENT)
        self._events = coordinator.events
        self._attr_event_types = list(self._events.types)
        self._written = self._snapshot()

    @override
    async def async_added_to_hass(self) -> None:
        """Report what has happened before, and from now on."""
        await super().async_added_to_hass()
        self.async_on_remove(self._events.async_listen(self._async_report))
        self._async_report()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._attr_event_types = list(self._events.types)
        super()._handle_coordinator_update()
        self._async_report()

    @callback
    def _async_report(self) -> None:
        """Report the events that wait, unless the state would be unavailable."""
        while self.available and (event := self._events.async_next()) is not None:
            self._attr_event_types = list(self._events.types)
            self._trigger_event(event.type, dict(event.attributes))
            self._written = self._snapshot()
            self.async_write_ha_state()

    @override
    def _snapshot(self) -> object:
        return self.available, self._attr_event_types
