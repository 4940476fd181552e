"""What is changed in the preferences of the Energy dashboard, and above all what is not."""

from decimal import Decimal
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.onemeter.const import CONF_ENERGY_ROLE
from custom_components.onemeter.energy_dashboard import Role, async_default_role
from custom_components.onemeter.energy_dashboard.items import Item, is_same
from custom_components.onemeter.meter import Reading
from homeassistant.components.energy.validate import async_validate
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from ..helpers.dashboard import (
    EXPORT,
    IMPORT,
    OTHERS,
    POWER,
    TARIFFS,
    Dashboard,
    bidirectional,
    grid,
)
from ..helpers.published import register
from ..helpers.pushed import OTHER_METER, reading


@pytest.fixture
def dashboard(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Dashboard:
    return Dashboard(hass, freezer)


def assert_same(found: list[Item], *expected: Item) -> None:
    assert len(found) == len(expected), found
    for item, other in zip(found, expected, strict=True):
        assert is_same(item, other), item


ROLES: list[tuple[Role, str, list[Item]]] = [
    (Role.GRID, "energy_sources", [grid(IMPORT, EXPORT, POWER)]),
    (
        Role.GRID_TARIFFS,
        "energy_sources",
        [grid(TARIFFS[0], EXPORT, POWER), grid(TARIFFS[1])],
    ),
    (
        Role.SOLAR,
        "energy_sources",
        [{"type": "solar", "stat_energy_from": IMPORT, "stat_rate": POWER}],
    ),
    (Role.DEVICE, "device_consumption", [{"stat_consumption": IMPORT, "stat_rate": POWER}]),
]


@pytest.mark.parametrize(("role", "section", "expected"), ROLES)
async def test_role_is_carried_out_once_the_sensors_are_there(
    dashboard: Dashboard,
    caplog: pytest.LogCaptureFixture,
    role: Role,
    section: str,
    expected: list[Item],
) -> None:
    caplog.set_level(logging.INFO)
    await dashboard.begin(role)
    assert_same(await dashboard.section(section), *expected)
    assert f"Added to the Energy dashboard as {role} of Meter: " in caplog.text


@pytest.mark.parametrize(("role", "section", "expected"), ROLES)
async def test_what_others_have_entered_stays_before_and_after(
    dashboard: Dashboard, role: Role, section: str, expected: list[Item]
) -> None:
    await dashboard.enter(**OTHERS)
    await dashboard.begin(role)
    assert (await dashboard.section(section))[len(OTHERS[section]) :] != []
    for name, entered in OTHERS.items():
        assert (await dashboard.section(name))[: len(entered)] == entered
    await dashboard.restart()
    assert len(await dashboard.section(section)) == len(OTHERS[section]) + len(expected)
    await dashboard.remove()
    assert (await dashboard.manager()).data == OTHERS


async def test_nothing_is_done_for_a_meter_without_a_role(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.NONE)
    assert (await dashboard.manager()).data is None
    await dashboard.remove()
    assert (await dashboard.manager()).data is None


async def test_nothing_is_done_without_the_energy_integration(dashboard: Dashboard) -> None:
    dashboard.make_entry(options={CONF_ENERGY_ROLE: Role.GRID.value})
    assert await dashboard.start()
    assert (await dashboard.manager()).data is None


async def test_disabled_sensor_is_not_used(
    dashboard: Dashboard, entity_registry: er.EntityRegistry
) -> None:
    await dashboard.begin(Role.NONE)
    entity_registry.async_update_entity(EXPORT, disabled_by=er.RegistryEntryDisabler.USER)
    await dashboard.give(Role.GRID)
    assert_same(await dashboard.sources(), grid(IMPORT, None, POWER))


@pytest.mark.parametrize(
    ("entered", "added"),
    [
        (grid(IMPORT, EXPORT, POWER), []),
        (grid(IMPORT), [grid(None, EXPORT, POWER)]),
        (grid(TARIFFS[0]), [grid(None, EXPORT, POWER)]),
        ({"type": "solar", "stat_energy_from": EXPORT}, [grid(IMPORT, None, POWER)]),
        (grid(IMPORT, EXPORT), []),
    ],
)
async def test_what_is_used_already_is_not_used_again(
    dashboard: Dashboard, entered: Item, added: list[Item]
) -> None:
    await dashboard.enter(energy_sources=[entered])
    kept = await dashboard.sources()
    await dashboard.begin(Role.GRID)
    found = await dashboard.sources()
    assert found[:1] == kept
    assert_same(found[1:], *added)
    await dashboard.remove()
    assert await dashboard.sources() == kept


async def test_sensors_that_appear_later_complete_what_was_added(dashboard: Dashboard) -> None:
    first = reading(register("1-0:1.8.0*255", "5000", "Wh"))
    await dashboard.begin(Role.GRID, first)
    assert_same(await dashboard.sources(), grid(IMPORT))
    await dashboard.say(bidirectional())
    await dashboard.wait(310)
    assert_same(await dashboard.sources(), grid(IMPORT, EXPORT, POWER))
    # A reading without them takes nothing away.
    await dashboard.restart(first)
    assert_same(await dashboard.sources(), grid(IMPORT, EXPORT, POWER))
    await dashboard.remove()
    assert await dashboard.sources() == []


def with_mbus() -> Reading:
    """Return a telegram with all media of meters on the M-Bus."""
    return reading(
        register("1-0:1.8.0*255", "5000", "Wh"),
        register("1-0:16.7.0*255", "100", "W"),
        *(
            register(f"0-{channel}:24.1.0*255", f"{medium:03}")
            for channel, medium in enumerate((2, 3, 4, 6, 7), 1)
        ),
        *(
            register(f"0-{channel}:24.2.1*255", "12.5", unit)
            for channel, unit in enumerate(("kWh", "m³", "GJ", "m³", "m³"), 1)
        ),
    )


GAS: Item = {"type": "gas", "stat_energy_from": "sensor.gas_meter_total"}
WATER: Item = {"type": "water", "stat_energy_from": "sensor.water_meter_total"}


async def test_gas_and_water_are_added_with_a_grid_connection(dashboard: Dashboard) -> None:
    """Further electricity is behind the grid connection, which counts it already."""
    await dashboard.begin(Role.GRID, with_mbus())
    expected = [grid(IMPORT, None, POWER), GAS, WATER]
    assert_same(await dashboard.sources(), *expected)
    await dashboard.restart(with_mbus())
    assert_same(await dashboard.sources(), *expected)
    await dashboard.enter(energy_sources=[grid(IMPORT, None, POWER), WATER])
    await dashboard.restart(with_mbus())
    assert_same(await dashboard.sources(), grid(IMPORT, None, POWER), WATER)
    await dashboard.remove()
    assert await dashboard.sources() == []


async def test_gas_that_the_user_has_entered_is_not_added_again(dashboard: Dashboard) -> None:
    await dashboard.enter(**OTHERS)
    await dashboard.begin(Role.GRID, with_mbus())
    entered = OTHERS["energy_sources"]
    assert_same(await dashboard.sources(), *entered, grid(IMPORT, None, POWER), WATER)


async def test_power_that_the_meter_sends_is_used_rather_than_power_made_of_it(
    dashboard: Dashboard,
) -> None:
    amount = register("1-0:15.7.0*255", "100", "W", signed=Decimal(-100))
    await dashboard.begin(Role.NONE, reading(register("1-0:1.8.0*255", "5000", "Wh"), amount))
    assert dashboard.value("power") == "-100"
    await dashboard.say(bidirectional())
    await dashboard.wait(60)
    await dashboard.give(Role.GRID)
    assert_same(await dashboard.sources(), grid(IMPORT, EXPORT, f"{POWER}_2"))


async def test_production_is_added_once_it_is_clear_which_it_is(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.SOLAR, bidirectional("400", "0"))
    assert await dashboard.sources() == []
    await dashboard.say(bidirectional("400", "1500"), after=600)
    await dashboard.wait(310)
    assert_same(await dashboard.sources(), {"type": "solar", "stat_energy_from": EXPORT})


async def test_what_the_user_has_removed_stays_away(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.GRID)
    await dashboard.enter(energy_sources=[])
    await dashboard.restart()
    await dashboard.wait(310)
    assert await dashboard.sources() == []


async def test_what_the_user_has_changed_stays_as_it_is(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await dashboard.begin(Role.GRID_TARIFFS)
    first, second = await dashboard.sources()
    priced = {**first, "number_energy_price": 0.3}
    await dashboard.enter(energy_sources=[priced, second])
    await dashboard.restart()
    assert await dashboard.sources() == [priced, second]
    await dashboard.give(Role.GRID)
    # Its tariff is still there, and the total would double it.
    assert await dashboard.sources() == [priced]
    await dashboard.remove()
    assert await dashboard.sources() == [priced]
    assert (
        "Not removed from the Energy dashboard with Meter, since it was changed there: "
        in caplog.text
    )
    assert "Removed from the Energy dashboard with Meter: " in caplog.text


async def test_another_role_replaces_the_one_before(dashboard: Dashboard) -> None:
    await dashboard.enter(**OTHERS)
    await dashboard.begin(Role.GRID)
    await dashboard.give(Role.DEVICE)
    assert await dashboard.sources() == OTHERS["energy_sources"]
    assert_same((await dashboard.section("device_consumption"))[1:], ROLES[3][2][0])
    await dashboard.give(Role.GRID_TARIFFS)
    assert await dashboard.section("device_consumption") == OTHERS["device_consumption"]
    assert_same((await dashboard.sources())[2:], *ROLES[1][2])
    await dashboard.give(Role.NONE)
    assert (await dashboard.manager()).data == OTHERS


async def test_what_home_assistant_writes_again_is_not_a_change(dashboard: Dashboard) -> None:
    """Its pages write all sources anew when one is changed, some with keys that hold nothing."""
    await dashboard.begin(Role.SOLAR)
    (item,) = await dashboard.sources()
    await dashboard.enter(energy_sources=[{**item, "config_entry_solar_forecast": None}])
    await dashboard.remove()
    assert await dashboard.sources() == []


async def test_new_entity_id_is_followed(
    dashboard: Dashboard, entity_registry: er.EntityRegistry
) -> None:
    await dashboard.enter(**OTHERS)
    await dashboard.begin(Role.GRID)
    entity_registry.async_update_entity(IMPORT, new_entity_id="sensor.house")
    entity_registry.async_update_entity(POWER, new_entity_id="sensor.now")
    await dashboard.wait(310)
    expected = grid("sensor.house", EXPORT, "sensor.now")
    assert_same(await dashboard.sources(), *OTHERS["energy_sources"], expected)
    assert (await dashboard.sources())[2]["stat_rate"] == "sensor.now"
    await dashboard.remove()
    assert (await dashboard.manager()).data == OTHERS


async def test_new_entity_id_changes_nothing_that_the_user_has_changed(
    dashboard: Dashboard, entity_registry: er.EntityRegistry
) -> None:
    await dashboard.begin(Role.GRID)
    (item,) = await dashboard.sources()
    priced = {**item, "number_energy_price": 0.3}
    await dashboard.enter(energy_sources=[priced])
    entity_registry.async_update_entity(IMPORT, new_entity_id="sensor.house")
    await dashboard.restart()
    assert await dashboard.sources() == [priced]


async def test_two_meters_are_two_connections(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, dashboard: Dashboard
) -> None:
    await dashboard.begin(Role.GRID)
    other = Dashboard(hass, freezer)
    other.make_entry(
        OTHER_METER.unique_id, port="/dev/other", options={CONF_ENERGY_ROLE: Role.GRID.value}
    )
    assert await other.start(reading(meter=OTHER_METER))
    _, second = await dashboard.sources()
    await dashboard.remove()
    assert await dashboard.sources() == [second]
    await other.remove()
    assert await dashboard.sources() == []


async def test_what_was_added_is_known_after_a_restart_of_home_assistant(
    hass: HomeAssistant, dashboard: Dashboard, hass_storage: dict[str, Any]
) -> None:
    await dashboard.begin(Role.GRID)
    await dashboard.wait(61)
    written = hass_storage["onemeter.energy_dashboard"]["data"]
    assert [*written] == [dashboard.entry.entry_id]
    assert hass_storage["energy"]["data"]["energy_sources"] == await dashboard.sources()
    for key in ("onemeter_energy_dashboard", "energy_manager"):
        del hass.data[key]
    await dashboard.restart()
    assert len(await dashboard.sources()) == 1
    await dashboard.remove()
    assert await dashboard.sources() == []
    await dashboard.wait(61)
    assert hass_storage["onemeter.energy_dashboard"]["data"] == {}


async def test_grid_connection_is_proposed_while_there_is_none(dashboard: Dashboard) -> None:
    hass = dashboard.hass
    assert await async_default_role(hass) is Role.NONE
    hass.config.components.add("energy")
    assert await async_default_role(hass) is Role.GRID
    await dashboard.enter(energy_sources=OTHERS["energy_sources"][:1])
    assert await async_default_role(hass) is Role.GRID
    await dashboard.enter(**OTHERS)
    assert await async_default_role(hass) is Role.NONE


TWO_POWERS = reading(
    register("1-0:1.8.1*255", "3000", "Wh"),
    register("1-0:1.8.2*255", "2000", "Wh"),
    register("1-0:2.8.0*255", "300", "Wh"),
    register("1-0:1.7.0*255", "0", "W"),
    register("1-0:2.7.0*255", "100", "W"),
)


@pytest.mark.usefixtures("recorder_mock")
@pytest.mark.parametrize(
    ("role", "said"),
    [*((role, bidirectional()) for role, *_ in ROLES), (Role.GRID, TWO_POWERS)],
)
async def test_energy_dashboard_is_content(
    hass: HomeAssistant, dashboard: Dashboard, role: Role, said: Reading
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    assert await async_setup_component(hass, "energy", {})
    await dashboard.begin(role, said)
    await dashboard.settle()
    await async_wait_recording_done(hass)
    now = dt_util.utcnow()
    do_adhoc_statistics(
        hass, start=now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
    )
    await async_wait_recording_done(hass)
    found = (await async_validate(hass)).as_dict()
    assert found["energy_sources"] + found["device_consumption"]
    assert [issue for section in found.values() for issues in section for issue in issues] == []
