"""An entry that counts the impulses of an entity, which the test sets."""

from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import (
    CONF_IMPULSES_PER_KWH,
    CONF_SOURCE,
    CONF_SOURCE_ID,
    DOMAIN,
)
from custom_components.onemeter.coordinator.blink import BlinkCoordinator
from custom_components.onemeter.meter import Protocol
from custom_components.onemeter.settings import MINOR_VERSION, HassSource
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .pushed import GENERATED_ID, PushedMeter

SOURCE = "sensor.flashes"


class BlinkingMeter(PushedMeter):
    """An entry that counts the impulses of an entity, 1000 imp/kWh."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        self.entry = self.make_entry()

    @override
    def make_entry(
        self,
        unique_id: str | None = GENERATED_ID,
        *,
        port: str = SOURCE,
        source: str = "entity",
        options: dict[str, Any] | None = None,
        **data: Any,
    ) -> MockConfigEntry:
        usual = {
            CONF_SOURCE_ID if source in HassSource else CONF_PORT: port,
            CONF_PROTOCOL: Protocol.BLINK.value,
            CONF_SOURCE: source,
            CONF_IMPULSES_PER_KWH: "1000",
        }
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            minor_version=MINOR_VERSION,
            title="Meter",
            unique_id=unique_id,
            data={**usual, **data},
            options=options or {},
        )
        return self.entry

    @property
    @override
    def coordinator(self) -> BlinkCoordinator:
        coordinator: BlinkCoordinator = self.entry.runtime_data
        return coordinator

    async def show(self, value: object, *, after: float = 11, **attributes: Any) -> None:
        """Set the state of the entity, and wait until the total is published."""
        self.hass.states.async_set(self.entry.data[CONF_SOURCE_ID], str(value), attributes)
        await self.settle()
        await self.wait(after)

    def shown(self, key: str) -> str:
        """Return the state of the sensor with this key."""
        entities = er.async_get(self.hass)
        entity_id = entities.async_get_entity_id("sensor", DOMAIN, f"{GENERATED_ID}-{key}")
        assert entity_id is not None
        state = self.hass.states.get(entity_id)
        assert state is not None
        return state.state

    async def restart(self) -> None:
        """Unload the entry and set it up again."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        assert await self.set_up()
        await self.settle()
