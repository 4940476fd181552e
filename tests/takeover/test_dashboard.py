"""The Energy dashboard goes on to show a statistic that another sensor continues."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_ENERGY_ROLE
from custom_components.onemeter.energy_dashboard import Role
from homeassistant.components.energy.data import async_get_manager
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..helpers.taken_over import CONSENT, NOON, OLD, OWN, Successor, at

GRID = {CONF_ENERGY_ROLE: Role.GRID.value}


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> Successor:
    freezer.move_to(NOON)
    assert await async_setup_component(hass, "sensor", {})
    assert await async_setup_component(hass, "energy", {})
    meter = Successor(hass, freezer)
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    manager = await async_get_manager(hass)
    source = {"type": "grid", "stat_energy_from": OLD, "cost_adjustment_day": 0}
    await manager.async_update({"energy_sources": [source]})  # type: ignore[typeddict-item]
    return meter


async def imports(hass: HomeAssistant) -> list[object]:
    data = (await async_get_manager(hass)).data
    assert data is not None
    return [source.get("stat_energy_from") for source in data["energy_sources"]]


async def test_new_sensor(meter: Successor) -> None:
    await meter.begin(at("15:02"), "130", **GRID, **CONSENT)
    assert await imports(meter.hass) == [OLD]


async def test_sensor_that_was_added_itself(meter: Successor) -> None:
    """The same energy would count twice."""
    await meter.begin(at("15:02"), "130", **GRID)
    assert await imports(meter.hass) == [OLD, OWN]
    await meter.reload("130", **GRID, **CONSENT)
    assert await imports(meter.hass) == [OLD]
    await meter.reload("130", **GRID)
    assert await imports(meter.hass) == [OLD]
