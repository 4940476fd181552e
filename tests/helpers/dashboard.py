"""A meter beside the preferences of the Energy dashboard."""

from typing import cast

from custom_components.onemeter.const import CONF_ENERGY_ROLE
from custom_components.onemeter.energy_dashboard import Role
from custom_components.onemeter.energy_dashboard.items import Item
from custom_components.onemeter.meter import Reading
from homeassistant.components.energy.data import (
    EnergyManager,
    EnergyPreferencesUpdate,
    async_get_manager,
)

from .published import register
from .pushed import PushedMeter, reading

IMPORT = "sensor.meter_energy_import"
EXPORT = "sensor.meter_energy_export"
POWER = "sensor.meter_power"
TARIFFS = [f"sensor.meter_energy_import_t{tariff}" for tariff in (1, 2)]

#: What a user may have entered.
OTHERS: dict[str, list[Item]] = {
    "energy_sources": [
        {"type": "gas", "stat_energy_from": "sensor.gas", "number_energy_price": 0.1},
        {"type": "grid", "stat_energy_from": "sensor.old", "cost_adjustment_day": 1.5},
    ],
    "device_consumption": [{"stat_consumption": "sensor.washing", "name": "Washing"}],
    "device_consumption_water": [{"stat_consumption": "sensor.garden"}],
}


def bidirectional(imported: str = "5000", exported: str = "300") -> Reading:
    return reading(
        register("1-0:1.8.0*255", imported, "Wh"),
        register("1-0:1.8.1*255", "3000", "Wh"),
        register("1-0:1.8.2*255", "2000", "Wh"),
        register("1-0:2.8.0*255", exported, "Wh"),
        register("1-0:16.7.0*255", "-100", "W"),
    )


class Dashboard(PushedMeter):
    """A meter beside the preferences of the Energy dashboard."""

    async def begin(self, role: Role, *said: Reading) -> None:
        """Set the meter up in a role."""
        self.hass.config.components.add("energy")
        self.make_entry(options={CONF_ENERGY_ROLE: role.value})
        assert await self.start(*said or (bidirectional(),))

    async def manager(self) -> EnergyManager:
        return await async_get_manager(self.hass)

    async def sources(self) -> list[Item]:
        return await self.section("energy_sources")

    async def section(self, name: str) -> list[Item]:
        kept = cast("dict[str, list[Item]] | None", (await self.manager()).data)
        return kept[name] if kept else []

    async def enter(self, **sections: list[Item]) -> None:
        """Enter preferences as a user does."""
        update = cast("EnergyPreferencesUpdate", sections)
        await (await self.manager()).async_update(update)

    async def give(self, role: Role) -> None:
        """Choose another role in the options, with which the entry is set up again."""
        self.hass.config_entries.async_update_entry(
            self.entry, options={CONF_ENERGY_ROLE: role.value}
        )
        await self.restart()

    async def restart(self, said: Reading | None = None) -> None:
        """Set the entry up again."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        self.client.said.put_nowait(said or bidirectional())
        assert await self.set_up()

    async def remove(self) -> None:
        await self.hass.config_entries.async_remove(self.entry.entry_id)
        await self.settle()


def grid(imported: str | None = None, exported: str | None = None, *power: str) -> Item:
    """Return a grid connection as the preferences hold it; power is signed, or in two sensors."""
    keys = ("stat_rate",) if len(power) == 1 else ("stat_rate_from", "stat_rate_to")
    config = {"power_config": dict(zip(keys, power, strict=True))} if power else {}
    return {
        "type": "grid",
        "stat_energy_from": imported,
        "stat_energy_to": exported,
        "cost_adjustment_day": 0,
        **config,
    }
