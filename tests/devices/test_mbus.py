"""The devices of the meters on the M-Bus of an electricity meter."""

from decimal import Decimal
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter import Register
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component

from ..helpers.published import METER, PublishedMeter, publish, register
from ..helpers.pushed import PushedMeter, reading

OWN = register("1-0:1.8.0*255", "5000", "Wh")
GAS = (
    register("0-1:24.1.0*255", "003"),
    register("0-1:96.1.0*255", "4730303132333435363738393031323334"),
    register("0-1:24.2.1*255", "246.138", "m³"),
    register("0-1:24.4.0*255", "1"),
)
WATER = (
    register("0-2:24.1.0*255", "007"),
    register("0-2:96.1.1*255", "8FLO2119033733"),
    register("0-2:24.2.1*255", "872.234", "m³"),
)
UNIQUE_ID = "1EMH0012345678"


def device_of(hass: HomeAssistant, entry_id: str, channel: int) -> dr.DeviceEntry:
    device = find_device(hass, entry_id, channel)
    assert device is not None
    return device


def find_device(hass: HomeAssistant, entry_id: str, channel: int) -> dr.DeviceEntry | None:
    """Return the device of an M-Bus meter."""
    for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry_id):
        if any(identifier.endswith(f"-mbus-{channel}") for _, identifier in device.identifiers):
            return device
    return None


def main_device(hass: HomeAssistant, entry_id: str) -> dr.DeviceEntry:
    [device] = [
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry_id)
        if device.via_device_id is None
    ]
    return device


def sensors_of(hass: HomeAssistant, device: dr.DeviceEntry) -> dict[str, str]:
    """Return the entity ids of a device by their registers, also of disabled sensors."""
    entities = er.async_entries_for_device(
        er.async_get(hass), device.id, include_disabled_entities=True
    )
    return {entity.unique_id.removeprefix(f"{UNIQUE_ID}-"): entity.entity_id for entity in entities}


def value(hass: HomeAssistant, entity_id: str) -> str | None:
    state = hass.states.get(entity_id)
    return None if state is None else state.state


async def test_each_channel_is_a_device(hass: HomeAssistant) -> None:
    entry_id = (await publish(hass, OWN, *GAS, *WATER)).entry.entry_id
    own, gas = main_device(hass, entry_id), device_of(hass, entry_id, 1)
    water = device_of(hass, entry_id, 2)
    assert (own.name, gas.name, water.name) == ("Meter", "Gas meter", "Water meter")
    assert (gas.serial_number, gas.manufacturer) == ("G0012345678901234", None)
    assert (water.serial_number, water.manufacturer) == ("8 FLO21 1903 3733", "Flonidan")
    assert gas.via_device_id == water.via_device_id == own.id
    assert gas.identifiers == {(DOMAIN, f"{UNIQUE_ID}-mbus-1")}
    assert sensors_of(hass, own) == {
        "1-0:1.8.0*255": "sensor.meter_energy_import",
        "status": "sensor.meter_status",
    }
    assert sensors_of(hass, gas) == {
        "0-1:24.1.0*255": "sensor.gas_meter_type_of_device",
        "0-1:96.1.0*255": "sensor.gas_meter_identification",
        "0-1:24.2.1*255": "sensor.gas_meter_total",
        "0-1:24.4.0*255": "sensor.gas_meter_valve_state",
    }
    state = hass.states.get("sensor.gas_meter_total")
    assert state is not None
    assert (state.state, state.name) == ("246.138", "Gas meter Total")


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", ["Gas meter", "Gas meter 2", "M-Bus meter 3", "Additional electricity meter"]),
        ("de", ["Gaszähler", "Gaszähler 2", "M-Bus-Zähler 3", "Weiterer Stromzähler"]),
        (
            "pl",
            [
                "Gazomierz",
                "Gazomierz 2",
                "Licznik M-Bus 3",
                "Dodatkowy licznik energii elektrycznej",
            ],
        ),
    ],
)
async def test_names_by_medium(hass: HomeAssistant, language: str, names: list[str]) -> None:
    hass.config.language = language
    totals = [register(f"0-{channel}:24.2.1*255", "1", "m³") for channel in (1, 2, 3)]
    types = [register(f"0-{channel}:24.1.0*255", "003") for channel in (1, 2)]
    electricity = (
        register("0-4:24.1.0*255", "002"),
        register("0-4:24.2.1*255", "1", "kWh"),
    )
    published = await publish(hass, OWN, *totals, *types, *electricity)
    entry_id = published.entry.entry_id
    assert [device_of(hass, entry_id, channel).name for channel in (1, 2, 3, 4)] == names


async def test_channel_without_meter_is_no_device(hass: HomeAssistant) -> None:
    unconnected = (register("0-1:24.1.0*255", "003"), register("0-1:96.1.0*255", ""))
    published = await publish(hass, OWN, *unconnected)
    entry_id = published.entry.entry_id
    assert find_device(hass, entry_id, 1) is None
    assert sensors_of(hass, main_device(hass, entry_id)).keys() == {"1-0:1.8.0*255", "status"}
    await published.publish(OWN, *GAS)
    assert sensors_of(hass, device_of(hass, entry_id, 1)).keys() == {str(item.obis) for item in GAS}


async def test_meter_that_appears_later(hass: HomeAssistant) -> None:
    published = await publish(hass, OWN, *GAS)
    await published.publish(OWN, *GAS, *WATER)
    assert value(hass, "sensor.water_meter_total") == "872.234"
    assert device_of(hass, published.entry.entry_id, 2).name == "Water meter"


async def test_sensors_of_an_earlier_version_move_as_they_are(hass: HomeAssistant) -> None:
    """They were sensors of the electricity meter, some of them renamed, enabled or disabled."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    published = PublishedMeter(hass, METER, {})
    published.entry.add_to_hass(hass)
    own = devices.async_get_or_create(
        config_entry_id=published.entry.entry_id,
        identifiers={(DOMAIN, UNIQUE_ID)},
        name="Meter",
    )
    area = ar.async_get(hass).async_create("Cellar")
    devices.async_update_device(own.id, area_id=area.id)

    def earlier(code: str, object_id: str, **settings: Any) -> er.RegistryEntry:
        return entities.async_get_or_create(
            "sensor",
            DOMAIN,
            f"{UNIQUE_ID}-{code}",
            config_entry=published.entry,
            device_id=own.id,
            suggested_object_id=object_id,
            has_entity_name=True,
            **settings,
        )

    by_integration, by_user = er.RegistryEntryDisabler.INTEGRATION, er.RegistryEntryDisabler.USER
    before = {
        entity.unique_id: entity
        for entity in (
            earlier("0-1:24.2.1*255", "meter_gas_consumption_m_bus_1"),
            earlier("0-1:24.1.0*255", "meter_type_of_device_m_bus_1"),
            earlier("0-1:24.4.0*255", "meter_valve_state_m_bus_1", disabled_by=by_integration),
            earlier("0-2:24.2.1*255", "my_water", disabled_by=by_user),
        )
    }
    entities.async_update_entity("sensor.meter_gas_consumption_m_bus_1", name="My gas")
    await published.start(OWN, *GAS, *WATER)

    entry_id = published.entry.entry_id
    for channel, codes in ((1, ("24.2.1", "24.1.0", "24.4.0")), (2, ("24.2.1",))):
        device = device_of(hass, entry_id, channel)
        assert device.area_id == area.id
        for code in codes:
            old = before[f"{UNIQUE_ID}-0-{channel}:{code}*255"]
            new = entities.async_get(old.entity_id)
            assert new is not None
            assert (new.id, new.unique_id, new.device_id) == (old.id, old.unique_id, device.id)
            assert new.disabled_by == old.disabled_by
    gas = hass.states.get("sensor.meter_gas_consumption_m_bus_1")
    assert gas is not None
    assert gas.state == "246.138"
    # Newer releases put the name of the device in front of it.
    assert gas.name.endswith("My gas")
    assert value(hass, "sensor.meter_type_of_device_m_bus_1") == "gas"
    # The area is the user's from now on.
    devices.async_update_device(device_of(hass, entry_id, 1).id, area_id=None)
    await published.reload(OWN, *GAS)
    assert device_of(hass, entry_id, 1).area_id is None


async def test_what_a_telegram_leaves_out_stays(hass: HomeAssistant) -> None:
    """DLMS meters send type, id and total in different lists."""
    published = await publish(hass, OWN, *GAS)
    entry_id = published.entry.entry_id
    await published.publish(OWN, GAS[2])
    await published.reload(OWN, GAS[2])
    device = device_of(hass, entry_id, 1)
    assert (device.name, device.serial_number) == ("Gas meter", "G0012345678901234")
    await published.publish(OWN)
    await published.reload(OWN)
    assert device_of(hass, entry_id, 1).id == device.id
    assert value(hass, "sensor.gas_meter_total") == STATE_UNAVAILABLE


async def test_type_that_arrives_later_names_the_device(hass: HomeAssistant) -> None:
    published = await publish(hass, OWN, GAS[1])
    entry_id = published.entry.entry_id
    assert find_device(hass, entry_id, 1) is None
    await published.publish(OWN, *GAS[1:3])
    assert device_of(hass, entry_id, 1).name == "M-Bus meter 1"
    await published.publish(OWN, *GAS)
    assert device_of(hass, entry_id, 1).name == "Gas meter"


async def test_states_are_translated(hass: HomeAssistant) -> None:
    entities = er.async_get(hass)
    for code, name in (
        ("0-1:24.1.0*255", "type"),
        ("0-1:24.4.0*255", "valve"),
        ("0-0:96.3.10*255", "breaker"),
    ):
        entities.async_get_or_create(
            "sensor", DOMAIN, f"{UNIQUE_ID}-{code}", suggested_object_id=name
        )
    breaker = register("0-0:96.3.10*255", 0)
    published = await publish(hass, OWN, *GAS, breaker)

    def shown(name: str) -> tuple[str, str | None, object]:
        state = hass.states.get(f"sensor.{name}")
        assert state is not None
        return state.state, state.attributes.get("code"), state.attributes["options"]

    assert shown("valve") == ("open", "1", ["closed", "open", "ready_for_opening"])
    assert shown("breaker")[:2] == ("disconnected", "0")
    assert shown("type")[:2] == ("gas", "003")
    await published.publish(OWN, *GAS[1:], register("0-1:24.1.0*255", "099"))
    assert shown("type")[:2] == ("unknown", "099")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


def gas(total: str, number: str = "4711") -> tuple[Register, ...]:
    return (
        register("0-1:24.1.0*255", "003"),
        register("0-1:96.1.0*255", number),
        register("0-1:24.2.1*255", total, "m³"),
    )


async def test_replaced_gas_meter_keeps_device_and_sensors(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    """Its total waits for consent, as any that falls."""
    power = register("1-0:16.7.0*255", "100", "W")
    await meter.start(reading(OWN, power, *gas("8123.5")))
    before = device_of(hass, meter.entry.entry_id, 1)
    assert before.serial_number == "4711"
    for _ in range(5):
        await meter.say(reading(OWN, power, *gas("0.2", "0815")), after=20)
    after = device_of(hass, meter.entry.entry_id, 1)
    assert (after.id, after.serial_number) == (before.id, "0815")
    assert value(hass, "sensor.gas_meter_total") == "8123.5"
    issues = ir.async_get(hass).issues.values()
    assert [issue.translation_key for issue in issues] == [Issue.TOTALS_JUMPED]
    assert await meter.coordinator.async_accept_totals()
    await meter.settle()
    assert value(hass, "sensor.gas_meter_total") == "0.2"


async def test_user_removes_the_device_of_a_meter_that_is_gone(
    hass: HomeAssistant, meter: PushedMeter, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, "config", {})
    await meter.start(reading(OWN, *gas("8123.5")))
    client = await hass_ws_client(hass)
    entry_id = meter.entry.entry_id
    device = device_of(hass, entry_id, 1)

    async def refusal(device: dr.DeviceEntry) -> str:
        answer = await client.remove_device(device.id)
        assert not answer["success"]
        assert dr.async_get(hass).async_get(device.id) is not None
        message: str = answer["error"]["message"]
        return message

    assert "still contain" in await refusal(device)
    assert "delete the entry" in await refusal(main_device(hass, entry_id))
    await meter.say(reading(OWN), after=60)
    assert value(hass, "sensor.gas_meter_total") == "unknown"
    assert "delete the entry" in await refusal(main_device(hass, entry_id))
    await hass.config_entries.async_unload(entry_id)
    assert "is not read" in await refusal(device)
    meter.client.said.put_nowait(reading(OWN))
    await meter.set_up()
    assert device_of(hass, entry_id, 1).id == device.id, "silent, or gone: only the user knows"

    assert (await client.remove_device(device.id))["success"]
    assert find_device(hass, entry_id, 1) is None
    assert hass.states.get("sensor.gas_meter_total") is None
    assert er.async_get(hass).async_get("sensor.gas_meter_total") is None


async def test_meter_that_comes_back_after_its_device_was_removed(
    hass: HomeAssistant, meter: PushedMeter, hass_ws_client: WebSocketGenerator
) -> None:
    """With all its sensors, also the disabled ones, and without a reload."""
    assert await async_setup_component(hass, "config", {})
    await meter.start(reading(OWN, *gas("8123.5")))
    entry_id = meter.entry.entry_id
    before = sensors_of(hass, device_of(hass, entry_id, 1))
    await meter.say(reading(OWN), after=60)
    client = await hass_ws_client(hass)
    assert (await client.remove_device(device_of(hass, entry_id, 1).id))["success"]
    await meter.say(reading(OWN, *gas("8123.6")), after=60)
    assert sensors_of(hass, device_of(hass, entry_id, 1)) == before
    assert value(hass, "sensor.gas_meter_total") == "8123.6"
    await meter.say(reading(OWN, *gas("8123.7")), after=60)
    assert Decimal(str(value(hass, "sensor.gas_meter_total"))) == Decimal("8123.7")
