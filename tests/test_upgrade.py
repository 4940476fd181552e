"""Entries of earlier versions, whose sensors were enabled from the start."""

import json
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import CONF_GRID_QUALITY, DOMAIN
from custom_components.onemeter.meter import Register
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import (
    area_registry as ar,
    category_registry as cr,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    issue_registry as ir,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component

from .helpers.published import register
from .helpers.pushed import METER, PORT, reading
from .helpers.recorded import ENTITY, NOON, RecordedMeter

type Registries = dict[str, Any]


def stored(file: str) -> Registries:
    """Return the registries that were stored."""
    registries: Registries = json.loads(Path(__file__).with_name(file).read_text())
    return registries


def stored_entities(registries: Registries) -> dict[str, tuple[str, str | None]]:
    """Return entity ids, and who has disabled them, by unique id."""
    return {
        entity["unique_id"]: (entity["entity_id"], entity["disabled_by"])
        for entity in registries["core.entity_registry"]["data"]["entities"]
    }


def entry_id(registries: Registries) -> str:
    """Return the id of the entry to which what was stored belongs."""
    text: str = registries["core.device_registry"]["data"]["devices"][0]["config_entry_id"]
    return text


#: Of an entry of version 1.2; the user has renamed one, disabled one, and enabled one.
STORED = stored("stored_registries.json")
BEFORE = stored_entities(STORED)
#: Of an entry of version 1.3, of which power by phase was enabled from the start.
STORED_1_3 = stored("stored_registries_1_3.json")
BEFORE_1_3 = stored_entities(STORED_1_3)
VOLTAGE = "sensor.grid_voltage"
#: Disabled by the user.
CURRENT = "sensor.meter_current_l1"


def telegram(watt_hours: int, *others: Register) -> tuple[Register, ...]:
    """Return the registers of which the entry has sensors."""
    total = register("1-0:1.8.0*255", str(watt_hours), "Wh")
    rest = (
        ("1-0:1.8.1*255", str(watt_hours), "Wh"),
        ("1-0:1.8.2*255", "0", "Wh"),
        ("1-0:2.8.0*255", "700", "Wh"),
        ("1-0:3.8.0*255", "2000", "varh"),
        ("1-0:9.8.0*255", "100", "VAh"),
        ("1-0:1.7.0*255", "100", "W"),
        ("1-0:2.7.0*255", "0", "W"),
        ("1-0:3.7.0*255", "10", "var"),
        ("1-0:9.7.0*255", "101", "VA"),
        ("1-0:32.7.0*255", "230.1", "V"),
        ("1-0:31.7.0*255", "0.4", "A"),
        ("1-0:14.7.0*255", "50.0", "Hz"),
        ("1-0:33.7.0*255", "0.98"),
        ("1-0:81.7.4*255", "12", "°"),
        ("1-0:81.7.1*255", "120", "°"),
        ("1-0:1.6.0*255", "900", "W"),
        ("1-0:96.6.3*255", "3.6", "V"),
        ("1-0:0.2.2*255", "2"),
        ("1-0:0.2.0*0", "1.02"),
        ("1-0:1.29.0*255", "5", "kWh"),
    )
    return (total, *(register(*line) for line in rest), *others)


def entities(meter: RecordedMeter) -> dict[str, tuple[str, str | None]]:
    """Return entity ids, and who has disabled them, by unique id."""
    return {
        entity.unique_id: (entity.entity_id, entity.disabled_by)
        for entity in er.async_entries_for_config_entry(
            er.async_get(meter.hass), meter.entry.entry_id
        )
    }


def states(hass: HomeAssistant) -> set[str]:
    """Return the entity ids of the sensors that have a state."""
    return {state.entity_id for state in hass.states.async_all("sensor")}


@pytest.fixture
def load_registries() -> bool:
    """Let the test load the registries."""
    return False


async def restored(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    registries: Registries,
    minor_version: int,
) -> RecordedMeter:
    """Return the meter of an entry whose registries were stored."""
    freezer.move_to(NOON)
    hass_storage.update(registries)
    meter = RecordedMeter(hass, freezer)
    meter.entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id=entry_id(registries),
        minor_version=minor_version,
        title="Meter",
        unique_id=METER.unique_id,
        data={CONF_PORT: PORT, CONF_PROTOCOL: "sml"},
    )
    meter.entry.add_to_hass(hass)
    dr.async_setup(hass)
    for registry in (ar, cr, dr, er, fr, ir, lr):
        await registry.async_load(hass)
    assert entities(meter) == stored_entities(registries)
    return meter


@pytest.fixture
async def meter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> RecordedMeter:
    """Return the meter of an entry of version 1.2."""
    return await restored(hass, freezer, hass_storage, STORED, 2)


@pytest.fixture
async def meter_1_3(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> RecordedMeter:
    """Return the meter of an entry of version 1.3."""
    return await restored(hass, freezer, hass_storage, STORED_1_3, 3)


async def switch(meter: RecordedMeter, *, on: bool, then: tuple[Register, ...]) -> None:
    """Change the option in the options flow."""
    options = meter.hass.config_entries.options
    result = await options.async_init(meter.entry.entry_id)
    meter.client.said.put_nowait(reading(*then))
    with meter.patched():
        entered = {CONF_GRID_QUALITY: on}
        result = await options.async_configure(result["flow_id"], entered)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await meter.settle()
    assert meter.entry.options[CONF_GRID_QUALITY] is on


@pytest.mark.usefixtures("recorder_mock")
async def test_entities_and_statistics_go_on(hass: HomeAssistant, meter: RecordedMeter) -> None:
    assert await async_setup_component(hass, "sensor", {})
    attributes = {
        "state_class": "total_increasing",
        "unit_of_measurement": "kWh",
        "device_class": "energy",
    }
    for kilowatt_hours in ("4.998", "4.999"):
        hass.states.async_set(ENTITY, kilowatt_hours, attributes)
        await meter.wait(310)
        await meter.make_rows()
    before = await meter.sums()
    assert before
    hass.states.async_remove(ENTITY)
    await meter.start(reading(*telegram(5000)))
    assert entities(meter) == BEFORE
    assert meter.value() == "5.000"
    state = hass.states.get(VOLTAGE)
    assert state is not None
    assert state.state == "230.1"
    for watt_hours in (5001, 5002):
        await meter.say(reading(*telegram(watt_hours)), after=150)
        await meter.say(reading(*telegram(watt_hours)), after=150)
        await meter.make_rows()
    after = await meter.sums()
    assert after[: len(before)] == before
    assert after == sorted(after)
    assert after[-1] - before[-1] <= 3


async def test_new_sensors_are_like_those_it_has(meter: RecordedMeter) -> None:
    await meter.start(reading(*telegram(5000)))
    await meter.say(reading(*telegram(5000, register("1-0:52.7.0*255", "231", "V"))), after=11)
    assert meter.value("voltage_l2") == "231"


async def test_option_leaves_what_the_user_has_disabled(
    hass: HomeAssistant, meter: RecordedMeter
) -> None:
    await meter.start(reading(*telegram(5000)))
    await switch(meter, on=False, then=telegram(5000))
    kept = {
        "status",
        "energy_import",
        "energy_import_t1",
        "energy_import_t2",
        "energy_export",
        "power",
        "power_import",
        "power_export",
        "maximum_demand_import",
        "battery_voltage",
        "active_tariff",
    }
    assert states(hass) == {f"sensor.meter_{name}" for name in kept}
    await meter.say(reading(*telegram(5000, register("1-0:52.7.0*255", "231", "V"))), after=11)
    assert hass.states.get("sensor.meter_voltage_l2") is None

    await switch(meter, on=True, then=telegram(5001, register("1-0:52.7.0*255", "231", "V")))
    assert er.async_get(hass).entities[CURRENT].disabled_by is er.RegistryEntryDisabler.USER
    assert hass.states.get(CURRENT) is None
    quality = {entity_id for entity_id, disabled_by in BEFORE.values() if disabled_by is None}
    # The angle that was disabled from the start is enabled with the others.
    angle = "sensor.meter_phase_angle_u_l2_u_l1"
    assert states(hass) == quality | {angle, "sensor.meter_voltage_l2"}
    assert {unique_id: id_ for unique_id, (id_, _) in BEFORE.items()}.items() <= {
        unique_id: id_ for unique_id, (id_, _) in entities(meter).items()
    }.items()


#: What an entry of version 1.3 gets by the option; power of L1 in one direction is replaced.
VOLTAGE_L1 = "sensor.meter_voltage_l1"
BY_PHASE = {f"sensor.meter_power_{name}" for name in ("l1", "l2", "import_l3")}
ALWAYS = {f"sensor.meter_{name}" for name in ("status", "energy_import", "power")} | {
    "sensor.meter_power_without_direction"
}


def phases(*others: Register) -> tuple[Register, ...]:
    """Return the registers of which the entry of version 1.3 has sensors."""
    absolute = register("1-0:15.7.0*255", "100", "W", signed=-100)
    lines = (
        ("1-0:1.8.0*255", "5000", "Wh"),
        ("1-0:21.7.0*255", "0", "W"),
        ("1-0:22.7.0*255", "160", "W"),
        ("1-0:56.7.0*255", "40", "W"),
        ("1-0:61.7.0*255", "20", "W"),
        ("1-0:32.7.0*255", "230.1", "V"),
    )
    return (absolute, *(register(*line) for line in lines), *others)


async def test_power_by_phase_stays_enabled(hass: HomeAssistant, meter_1_3: RecordedMeter) -> None:
    await meter_1_3.start(reading(*phases()))
    assert entities(meter_1_3) == BEFORE_1_3
    assert states(hass) == ALWAYS | BY_PHASE
    assert CONF_GRID_QUALITY not in meter_1_3.entry.options
    await switch(meter_1_3, on=False, then=phases())
    assert entities(meter_1_3) == BEFORE_1_3


async def test_option_switches_power_by_phase(
    hass: HomeAssistant, meter_1_3: RecordedMeter
) -> None:
    await meter_1_3.start(reading(*phases()))
    await switch(meter_1_3, on=True, then=phases())
    assert states(hass) == ALWAYS | BY_PHASE | {VOLTAGE_L1}
    await switch(meter_1_3, on=False, then=phases())
    assert states(hass) == ALWAYS
    await switch(meter_1_3, on=True, then=phases())
    assert states(hass) == ALWAYS | BY_PHASE | {VOLTAGE_L1}
