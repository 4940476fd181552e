"""What a meter's sensors are in the Energy dashboard, by its role."""

from decimal import Decimal

import pytest

from custom_components.onemeter.energy_dashboard.items import (
    Item,
    Role,
    completed,
    is_same,
    items,
    offered_roles,
    renamed,
    statistics,
)
from custom_components.onemeter.energy_dashboard.sensors import EnergySensors, Sensor
from custom_components.onemeter.meter import Key, Register
from homeassistant.components.energy.data import ENERGY_SOURCE_SCHEMA

from ..helpers.published import register

TOTAL = ("energy_import", "energy_export")
TARIFFS = ("energy_import T2", "energy_import T1")
NOTHING: frozenset[str] = frozenset()


def meter(*names: str, **energies: str) -> EnergySensors:
    """Return sensors with these names; the entity ids are the names, too."""
    counts = dict.fromkeys(names, "5") | energies
    usable = {
        name: Sensor(name, Decimal(energy) if name.startswith("energy") else None)
        for name, energy in counts.items()
    }
    keys = ("energy_import", "energy_export", "power", "power_import", "power_export")
    related = {key: {name for name in counts if name.split()[0] == key} for key in keys}
    related["derived_power"] = {"derived_power"} & counts.keys()
    return EnergySensors(usable, related)


def grid(imported: str | None = None, exported: str | None = None, **power: str) -> Item:
    return {
        "type": "grid",
        "stat_energy_from": imported,
        "stat_energy_to": exported,
        "cost_adjustment_day": 0,
        **({"power_config": power} if power else {}),
    }


def test_grid_has_import_export_and_signed_power() -> None:
    sensors = meter(*TOTAL, "power", "power_import", "power_export")
    assert items(Role.GRID, sensors, NOTHING) == [grid(*TOTAL, stat_rate="power")]


def test_power_in_two_sensors_is_used_as_such() -> None:
    sensors = meter(*TOTAL, "power_import", "power_export")
    power = {"stat_rate_from": "power_import", "stat_rate_to": "power_export"}
    assert items(Role.GRID, sensors, NOTHING) == [grid(*TOTAL, **power)]


def test_power_of_imports_alone_is_that_of_a_meter_that_counts_no_exports() -> None:
    assert items(Role.GRID, meter("energy_import", "power_import"), NOTHING) == [
        grid("energy_import", stat_rate="power_import")
    ]
    assert items(Role.GRID, meter(*TOTAL, "power_import"), NOTHING) == [grid(*TOTAL)]


def test_derived_power_is_used_where_the_meter_sends_none() -> None:
    sensors = meter(*TOTAL, "derived_power")
    assert items(Role.GRID, sensors, NOTHING) == [grid(*TOTAL, stat_rate="derived_power")]


def test_total_is_used_without_its_tariffs() -> None:
    sensors = meter("energy_import", *TARIFFS)
    assert items(Role.GRID, sensors, NOTHING) == [grid("energy_import")]


def test_tariffs_are_used_without_their_total_if_chosen() -> None:
    sensors = meter(*TOTAL, *TARIFFS, "power")
    assert items(Role.GRID_TARIFFS, sensors, NOTHING) == [
        grid("energy_import T1", "energy_export", stat_rate="power"),
        grid("energy_import T2"),
    ]
    both = meter(*TOTAL, *TARIFFS, "energy_export T1", "energy_export T2")
    assert items(Role.GRID_TARIFFS, both, NOTHING) == [
        grid("energy_import T1", "energy_export T1"),
        grid("energy_import T2", "energy_export T2"),
    ]


@pytest.mark.parametrize("role", [Role.GRID, Role.GRID_TARIFFS])
def test_what_there_is_is_used_whatever_was_chosen(role: Role) -> None:
    """The meters of many P1 ports send no total, most others no tariffs."""
    assert items(role, meter(*TARIFFS), NOTHING) == [
        grid("energy_import T1"),
        grid("energy_import T2"),
    ]
    assert items(role, meter("energy_import"), NOTHING) == [grid("energy_import")]


@pytest.mark.parametrize("role", [Role.GRID, Role.GRID_TARIFFS])
@pytest.mark.parametrize("used", ["energy_import", "energy_import T1"])
def test_energy_that_is_counted_already_is_not_counted_again(role: Role, used: str) -> None:
    sensors = meter(*TOTAL, *TARIFFS)
    found = set().union(*map(statistics, items(role, sensors, {used})))
    is_other_form = (role is Role.GRID) is (used != "energy_import")
    rest = {"energy_import T2"} if role is Role.GRID_TARIFFS and not is_other_form else set()
    expected = {"energy_export"} | (rest if used == "energy_import T1" else set())
    assert found == expected


@pytest.mark.parametrize("used", ["power", "power_export", "derived_power"])
def test_power_that_is_shown_already_is_not_shown_again(used: str) -> None:
    sensors = meter("energy_import", "power", "power_export", "derived_power")
    assert items(Role.GRID, sensors, {used}) == [grid("energy_import")]


@pytest.mark.parametrize("role", Role)
def test_gas_and_water_come_with_the_grid_connection(role: Role) -> None:
    media = {"gas": ["gas"], "water": ["garden", "house"]}
    sensors = meter("energy_import")._replace(media=media)
    found = [item for item in items(role, sensors, {"garden"}) if item.get("type") != "grid"]
    if role in (Role.GRID, Role.GRID_TARIFFS):
        assert found == [
            {"type": "gas", "stat_energy_from": "gas"},
            {"type": "water", "stat_energy_from": "house"},
        ]
        ENERGY_SOURCE_SCHEMA(found)
    else:
        assert not {"gas", "garden", "house"} & set().union(*map(statistics, found))


def test_nothing_is_left_of_a_meter_that_is_used_already() -> None:
    sensors = meter(*TOTAL, "power")
    assert items(Role.GRID, sensors, {*TOTAL, "power"}) == [grid()]
    assert items(Role.SOLAR, sensors, {*TOTAL, "power"}) == [{"type": "solar"}]
    assert items(Role.DEVICE, sensors, {*TOTAL, "power"}) == [{}]
    assert items(Role.NONE, sensors, NOTHING) == []


def solar(energy: str, power: str | None = None) -> list[Item]:
    rate = {"stat_rate": power} if power else {}
    return [{"type": "solar", "stat_energy_from": energy, **rate}]


def test_production_is_what_the_meter_counts_most_of() -> None:
    produced = meter("power_import", "power_export", energy_import="3", energy_export="700")
    assert items(Role.SOLAR, produced, NOTHING) == solar("energy_export", "power_export")
    turned = meter("power_import", "power_export", energy_import="700", energy_export="3")
    assert items(Role.SOLAR, turned, NOTHING) == solar("energy_import", "power_import")


@pytest.mark.parametrize("name", ["energy_import", "energy_export"])
def test_production_is_the_only_direction_that_a_meter_counts(name: str) -> None:
    assert items(Role.SOLAR, meter(name), NOTHING) == solar(name)


def test_production_of_a_new_meter_is_not_guessed() -> None:
    new = meter("power", energy_import="0.4", energy_export="0.0")
    assert items(Role.SOLAR, new, NOTHING) == [{"type": "solar", "stat_rate": "power"}]


def test_production_does_not_change_its_direction() -> None:
    """Not even when a reading lacks what was chosen, as the first one after a restart may."""
    part = EnergySensors(
        {"energy_import": Sensor("energy_import", Decimal(3)), "power": Sensor("power")},
        {"energy_import": {"energy_import"}, "energy_export": {"energy_export"}}
        | {name: {name} for name in ("power", "power_import", "power_export", "derived_power")},
    )
    assert items(Role.SOLAR, part, {"energy_export"}) == [{"type": "solar"}]
    assert statistics(items(Role.SOLAR, part, NOTHING)[0]) == {"power"}


def test_power_that_is_negative_while_producing_is_not_shown_as_production() -> None:
    exporting = meter("power", energy_import="3", energy_export="700")
    assert items(Role.SOLAR, exporting, NOTHING) == solar("energy_export")
    importing = meter("power", "energy_import")
    assert items(Role.SOLAR, importing, NOTHING) == solar("energy_import", "power")


def test_device_has_import_and_its_power() -> None:
    sensors = meter(*TOTAL, "power", "power_import")
    assert items(Role.DEVICE, sensors, NOTHING) == [
        {"stat_consumption": "energy_import", "stat_rate": "power_import"}
    ]


def test_what_home_assistant_adds_to_an_item_makes_no_difference() -> None:
    (item,) = items(Role.GRID, meter("energy_import", "power_import", "power"), NOTHING)
    (kept,) = ENERGY_SOURCE_SCHEMA([item])
    assert is_same({**kept, "stat_rate": "power"}, item)
    assert not is_same({**kept, "number_energy_price": 0.3}, item)
    assert not is_same({**kept, "power_config": {"stat_rate_inverted": "power"}}, item)


def test_item_is_completed_but_never_contradicted() -> None:
    item = grid("energy_import")
    assert completed(item, grid(None, "energy_export")) == grid(*TOTAL)
    assert completed(item, grid("energy_import T1")) is None
    assert completed(item, {"type": "solar", "stat_energy_from": "energy_import"}) is None


def test_new_entity_ids_replace_the_earlier_ones_everywhere() -> None:
    power = {"stat_rate_from": "power_import", "stat_rate_to": "power_export"}
    item = grid("energy_import", **power) | {"stat_rate": "sensor.made_of_both"}
    new = renamed(item, {"energy_import": "energy", "power_import": "power"})
    assert statistics(new) == {"energy", "power", "power_export"}


def registers(*codes: str) -> dict[Key, Register]:
    found = [register(code, "1", "kWh") for code in codes]
    return {register.obis or "": register for register in found}


def test_tariffs_are_offered_where_a_meter_sends_them_beside_the_total() -> None:
    total, first, second = (f"1-0:1.8.{tariff}*255" for tariff in range(3))
    assert Role.GRID_TARIFFS in offered_roles(registers(total, first, second))
    assert Role.GRID_TARIFFS not in offered_roles(registers(total, first))
    assert Role.GRID_TARIFFS not in offered_roles(registers(first, second))
    assert [*offered_roles({})] == [Role.GRID, Role.SOLAR, Role.DEVICE, Role.NONE]
