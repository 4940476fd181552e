"""Balanced energy in the recorder and in the Energy dashboard: row and price of a period."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.onemeter.const import CONF_BALANCING_PERIOD, CONF_ENERGY_ROLE
from custom_components.onemeter.energy_dashboard import Role
from homeassistant.components.energy.data import async_get_manager
from homeassistant.components.energy.validate import async_validate
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..helpers.billed import BALANCING, EXPORTED, IMPORTED, NOON, BilledMeter

PRICE = "sensor.price"
COST = f"{IMPORTED}_cost"
GRID = {CONF_ENERGY_ROLE: Role.GRID.value}


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> BilledMeter:
    await hass.config.async_set_time_zone("Europe/Warsaw")
    freezer.move_to(NOON)
    assert await async_setup_component(hass, "sensor", {})
    assert await async_setup_component(hass, "energy", {})
    return BilledMeter(hass, freezer)


async def sums(hass: HomeAssistant, entity: str) -> dict[int, float]:
    """Return the sums of the 5-minute rows (Wh), by their first minute since noon."""
    for minutes in (0, 5, 10, 15):
        do_adhoc_statistics(hass, start=NOON + timedelta(minutes=minutes))
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        NOON,
        None,
        {entity},
        "5minute",
        {"energy": "Wh"},
        {"sum"},
    )
    return {int(row["start"] - NOON.timestamp()) // 60: row["sum"] or 0 for row in rows[entity]}


async def items(hass: HomeAssistant) -> list[tuple[str | None, str | None]]:
    """Return the imports and exports of all sources in the Energy dashboard."""
    data = (await async_get_manager(hass)).data
    assert data is not None
    return [
        (source.get("stat_energy_from"), source.get("stat_energy_to"))  # type: ignore[misc]
        for source in data["energy_sources"]
    ]


@pytest.mark.usefixtures("recorder_mock")
async def test_row_and_price_are_those_of_the_period(
    hass: HomeAssistant, meter: BilledMeter
) -> None:
    """The price is another one from 12:15 on, as the tariff is."""
    hass.states.async_set(PRICE, "1", {"unit_of_measurement": "EUR/kWh"})
    await meter.begin({**BALANCING, **GRID})
    assert await items(hass) == [(IMPORTED, EXPORTED)]
    manager = await async_get_manager(hass)
    assert manager.data is not None
    source = {**manager.data["energy_sources"][0], "entity_energy_price": PRICE}
    await manager.async_update({"energy_sources": [source]})  # type: ignore[typeddict-item]
    await meter.settle()
    await meter.send("12:02:00", 10)
    await meter.send("12:14:55", 190)
    await meter.send("12:15:00", 5)
    hass.states.async_set(PRICE, "2", {"unit_of_measurement": "EUR/kWh"})
    await meter.send("12:15:05", 5, 40)
    await meter.send("12:19:00", 5)
    assert meter.states(COST) == ["0.2"]
    await meter.send("12:20:10")
    await async_wait_recording_done(hass)
    # From 12:05 on the meter was silent for five minutes.
    assert await sums(hass, IMPORTED) == pytest.approx({0: 0, 10: 200, 15: 200})
    assert await sums(hass, EXPORTED) == {0: 0, 10: 0, 15: 0}
    found = (await async_validate(hass)).as_dict()
    assert found["energy_sources"]
    assert [issue for section in found.values() for issues in section for issue in issues] == []


@pytest.mark.usefixtures("recorder_mock")
async def test_balanced_energy_replaces_the_totals(hass: HomeAssistant, meter: BilledMeter) -> None:
    await meter.begin(GRID)
    assert await items(hass) == [("sensor.meter_energy_import", "sensor.meter_energy_export")]
    for period, expected in (
        ("60", (IMPORTED, EXPORTED)),
        ("off", ("sensor.meter_energy_import", "sensor.meter_energy_export")),
    ):
        hass.config_entries.async_update_entry(
            meter.entry, options={**GRID, CONF_BALANCING_PERIOD: period}
        )
        await meter.reload()
        await meter.settle()
        assert await items(hass) == [expected]
