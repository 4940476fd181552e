"""The sensors of registers, and their states."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.onemeter.const import (
    CONF_DIRECTION,
    CONF_ENERGY_ROLE,
    CONF_GRID_QUALITY,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    CONF_PEAK_PERIOD,
    DIRECTION_OFF,
)
from custom_components.onemeter.coordinator.status import Status
from custom_components.onemeter.meter import Key, Obis, Register, Value
from homeassistant.components.energy import validate
from homeassistant.components.energy.data import async_get_manager
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, EntityCategory
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.dt import utcnow

from .helpers.published import PublishedMeter, publish, register

#: A German basic meter (FNN) after its PIN was entered.
MODERN = (
    register("1-0:96.50.1*1", "EMH"),
    register("1-0:96.1.0*255", bytes.fromhex("0a01454d480000bc614e")),
    register("1-0:1.8.0*255", "12345678.9", "Wh"),
    register("1-0:2.8.0*255", "987654.3", "Wh"),
    register("1-0:16.7.0*255", "-356.24", "W", signed=Decimal("-356.24")),
    register("1-0:36.7.0*255", "-148.36", "W", signed=Decimal("507.00")),
    register("1-0:32.7.0*255", "230.7", "V"),
    register("1-0:31.7.0*255", "0.41", "A"),
    register("1-0:81.7.4*255", "272", "°"),
    register("1-0:14.7.0*255", "49.9", "Hz"),
    register("1-0:0.2.0*0", "1.02.007"),
    register("1-0:96.5.0*255", 0x1C0104),
    register("1-0:96.90.2*1", b"A0A1"),
)

#: A heat meter, with addresses of its own.
HEAT = (
    register("6.8", "29.055", "MWh"),
    register("6.26", "1589.28", "m³"),
    register("6.6", "17.2", "kW"),
    register("6.33", "1.476", "m³/h"),
    register("6.31", "30710", "h"),
    register("6.32", "194", "h"),
    register("6.8*01", "28.086", "MWh"),
    register("9.4", "088*C&082*C"),
    register("9.36", "2017-01-18&01:36:47", time=datetime(2017, 1, 18, 1, 36, 47)),  # noqa: DTZ001
    register("9.24", "0.6", "m³/h"),
    register("F", "0"),
)

#: A Dutch meter with others on its M-Bus.
MBUS = (
    register("1-0:1.8.1*255", "5.1", "kWh"),
    register("0-1:24.1.0*255", "003"),
    register("0-1:24.2.1*255", "246.138", "m³", time=datetime(2020, 4, 26, 20, 30, 1, tzinfo=UTC)),
    register("0-1:24.4.0*255", "1"),
    register("0-2:24.1.0*255", "007"),
    register("0-2:24.2.1*255", "872.234", "m³"),
    register("0-3:24.1.0*255", "004"),
    register("0-3:24.2.1*255", "240.860", "GJ"),
)

#: An older German meter (EDL), whose power has no sign.
EDL = (
    register("129-129:199.130.3*255", "EMH"),
    register("1-0:0.0.9*255", bytes.fromhex("0901454d48000078fba5")),
    register("1-0:1.8.0*255", "336862.2", "Wh"),
    register("1-0:1.8.1*255", "336862.2", "Wh"),
    register("1-0:1.8.2*255", "0", "Wh"),
    register("1-0:15.7.0*255", "126.6", "W", signed=Decimal("-126.6")),
    register("129-129:199.130.5*255", bytes(range(48))),
)


#: The meter's own maximum is shown where peaks are wanted.
PEAKS = {CONF_PEAK_PERIOD: "15"}
QUALITY = {CONF_GRID_QUALITY: True}
STATUS = "sensor.meter_status"


def states(hass: HomeAssistant) -> dict[str, str]:
    """Return the states of the sensors of registers."""
    return {
        state.entity_id.removeprefix("sensor.meter_"): state.state
        for state in hass.states.async_all()
        if state.entity_id != STATUS
    }


def value(hass: HomeAssistant, name: str) -> str:
    state = hass.states.get(f"sensor.meter_{name}")
    assert state is not None
    return state.state


def enable(hass: HomeAssistant, *codes: str) -> None:
    """Enable sensors before they are created."""
    for code in codes:
        er.async_get(hass).async_get_or_create(
            "sensor", "onemeter", f"1EMH0012345678-{code}", suggested_object_id="meter_enabled"
        )


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        (
            MODERN,
            {
                "energy_import": ("12345.6789", "kWh", "energy", "total_increasing"),
                "energy_export": ("987.6543", "kWh", "energy", "total_increasing"),
                "power": ("-356.24", "W", "power", "measurement"),
            },
        ),
        (
            EDL,
            {
                "energy_import": ("336.8622", "kWh", "energy", "total_increasing"),
                "power": ("-126.6", "W", "power", "measurement"),
            },
        ),
        (
            HEAT,
            {
                "heat_energy": ("29055", "kWh", "energy", "total_increasing"),
                "heat_carrier_volume": ("1589.28", "m³", "volume", "total_increasing"),
            },
        ),
        (
            MBUS,
            {
                "energy_import_t1": ("5.1", "kWh", "energy", "total_increasing"),
                "sensor.gas_meter_total": ("246.138", "m³", "gas", "total_increasing"),
                "sensor.water_meter_total": ("872.234", "m³", "water", "total_increasing"),
                "sensor.heat_meter_total": ("240.860", "GJ", "energy", "total_increasing"),
            },
        ),
    ],
    ids=["modern", "edl", "heat", "mbus"],
)
async def test_sensors_of_meter(
    hass: HomeAssistant,
    registers: tuple[Register, ...],
    expected: dict[str, tuple[str, str, str, str]],
) -> None:
    await publish(hass, *registers)
    assert {
        state.entity_id.removeprefix("sensor.meter_"): (
            state.state,
            state.attributes["unit_of_measurement"],
            state.attributes["device_class"],
            state.attributes["state_class"],
        )
        for state in hass.states.async_all("sensor")
        if state.entity_id != STATUS
    } == expected


@pytest.mark.parametrize(
    ("registers", "disabled"),
    [
        (
            MODERN,
            {
                "1-0:96.50.1*1": "Manufacturer",
                "1-0:96.1.0*255": "Identification (1-0:96.1.0)",
                "1-0:36.7.0*255": "Power L1",
                "1-0:32.7.0*255": "Voltage L1",
                "1-0:31.7.0*255": "Current L1",
                "1-0:81.7.4*255": "Phase angle I L1 – U L1",
                "1-0:14.7.0*255": "Frequency",
                "1-0:0.2.0*0": "Firmware version",
                "1-0:96.5.0*255": "Status word",
                "1-0:96.90.2*1": "Firmware checksum",
            },
        ),
        (
            EDL,
            {
                "129-129:199.130.3*255": "Manufacturer",
                "1-0:0.0.9*255": "Identification (1-0:0.0.9)",
                "1-0:1.8.1*255": "Energy import T1",
                "1-0:1.8.2*255": "Energy import T2",
                "1-0:15.7.0*255": "Power without direction",
                "129-129:199.130.5*255": "Public key",
            },
        ),
        (
            HEAT,
            {
                "6.6": "Maximum heat output",
                "6.33": "Maximum flow rate",
                "6.31": "Operating time",
                "6.32": "Time without measurement",
                "6.8*01": "Heat energy (6.8*01)",
                "9.4": "Maximum flow and return temperatures",
                "9.36": "Meter clock",
                "9.24": "9.24",
                "F": "Error register",
            },
        ),
        (
            MBUS,
            {
                "0-1:24.1.0*255": "Type of device",
                "0-1:24.4.0*255": "Valve state",
                "0-2:24.1.0*255": "Type of device",
                "0-3:24.1.0*255": "Type of device",
            },
        ),
    ],
    ids=["modern", "edl", "heat", "mbus"],
)
async def test_sensors_for_the_curious_are_disabled(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    registers: tuple[Register, ...],
    disabled: dict[str, str],
) -> None:
    published = await publish(hass, *registers)
    entries = er.async_entries_for_config_entry(entity_registry, published.entry.entry_id)
    assert {
        entry.unique_id.removeprefix("1EMH0012345678-"): entry.original_name
        for entry in entries
        if entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    } == disabled


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        (
            MODERN,
            {"voltage_l1": "230.7", "current_l1": "0.41", "frequency": "49.9", "power_l1": "507.00"}
            | {"phase_angle_i_l1_u_l1": "272"},
        ),
        (
            (
                register("1-0:1.8.0*255", "10", "kWh"),
                register("1-0:3.8.0*255", "2", "kvarh"),
                register("1-0:3.8.0*5", "1", "kvarh"),
                register("1-0:13.7.0*255", Decimal("0.98")),
                register("1-0:9.7.0*255", "3", "VA"),
                register("1-0:131.7.0*255", "7", "var"),
                register("1-0:9.8.0*255", "4", "kVAh"),
                register("0-0:96.6.3*255", "3.2", "V"),
            ),
            {"reactive_energy_import": "2", "power_factor": "0.98", "tan_ph": "0.200"}
            | {"apparent_power_import": "3", "reactive_power": "7", "apparent_energy_import": "4"},
        ),
        (
            (
                register("1-0:1.8.0*255", "10", "kWh"),
                register("1-0:21.8.0*255", "4", "kWh"),
                register("1-0:1.7.0*255", "300", "W"),
                register("1-0:2.7.0*255", "0", "W"),
                register("1-0:21.7.0*255", "200", "W"),
                register("1-0:22.7.0*255", "0", "W"),
                register("1-0:41.7.0*255", "100", "W"),
                register("1-0:75.7.0*255", "5", "W"),
            ),
            {"power_l1": "200", "power_import_l2": "100", "power_without_direction_l3": "5"},
        ),
    ],
    ids=["modern", "reactive", "phases"],
)
async def test_grid_quality_is_an_option(
    hass: HomeAssistant, registers: tuple[Register, ...], expected: dict[str, str]
) -> None:
    published = await publish(hass, *registers, options=QUALITY)
    with_quality = states(hass)
    assert expected.items() <= with_quality.items()
    await hass.config_entries.async_remove(published.entry.entry_id)
    er.async_get(hass).deleted_entities.clear()
    await publish(hass, *registers)
    assert states(hass) == {name: with_quality[name] for name in with_quality.keys() - expected}


@pytest.mark.parametrize(
    ("codes", "role", "enabled"),
    [
        ("1.7.0 2.7.0", None, {"power"}),
        ("1.7.0 16.7.0", None, {"power"}),
        ("1.7.0", None, {"power_import"}),
        ("21.7.0 22.7.0 41.7.0", None, set()),
        ("15.7.0 16.7.0", None, {"power"}),
        ("1.7.0 2.7.0 21.7.0 22.7.0", "solar", {"power", "power_import", "power_export"}),
    ],
)
async def test_power_is_enabled_once(
    hass: HomeAssistant, codes: str, role: str | None, enabled: set[str]
) -> None:
    registers = [register(f"1-0:{code}*255", "1", "W") for code in codes.split()]
    await publish(hass, *registers, options={CONF_ENERGY_ROLE: role} if role else None)
    assert states(hass).keys() == enabled


TOTAL, T1, T2 = (f"1-0:1.8.{tariff}*255" for tariff in range(3))


@pytest.mark.parametrize(
    ("totals", "role", "enabled"),
    [
        ({TOTAL: "5", T1: "3", T2: "2"}, None, {"", "_t1", "_t2"}),
        ({TOTAL: "5", T1: "5", T2: "0"}, None, {""}),
        ({TOTAL: "5", T1: "5000", T2: "0"}, "grid_tariffs", {"", "_t1", "_t2"}),
        ({TOTAL: "0", T1: "0"}, None, {""}),
        ({T1: "5", T2: "0"}, None, {"_t1", "_t2"}),
    ],
)
async def test_tariffs_in_use_are_enabled(
    hass: HomeAssistant, totals: dict[str, str], role: str | None, enabled: set[str]
) -> None:
    registers = [register(code, total, "kWh") for code, total in totals.items()]
    await publish(hass, *registers, options={CONF_ENERGY_ROLE: role} if role else None)
    assert states(hass).keys() == {f"energy_import{scope}" for scope in enabled}


async def test_tariff_is_enabled_once_it_is_in_use(
    hass: HomeAssistant, entity_registry: er.EntityRegistry
) -> None:
    def telegram(*totals: str) -> list[Register]:
        pairs = zip((TOTAL, T1, T2), totals, strict=True)
        return [register(code, total, "kWh") for code, total in pairs]

    published = await publish(hass, *telegram("5", "5", "0"))
    entity_registry.async_update_entity(
        "sensor.meter_energy_import_t1", disabled_by=er.RegistryEntryDisabler.USER
    )
    await published.reload(*telegram("5", "5", "0"))
    assert states(hass) == {"energy_import": "5"}
    await published.reload(*telegram("6", "5", "1"))
    assert states(hass) == {"energy_import": "6", "energy_import_t2": "1"}


async def test_unique_ids(hass: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    await publish(hass, register("1-0:1.8.0*255", "1", "Wh"), register("1-1:1.8.0*255", "2", "Wh"))
    assert {
        entity_id: entry.unique_id for entity_id, entry in entity_registry.entities.items()
    } == {
        "sensor.meter_energy_import": "1EMH0012345678-1-0:1.8.0*255",
        "sensor.meter_energy_import_1_1_1_8_0": "1EMH0012345678-1-1:1.8.0*255",
        "sensor.meter_status": "1EMH0012345678-status",
    }


async def test_unknown_code_is_a_disabled_sensor(
    hass: HomeAssistant, entity_registry: er.EntityRegistry
) -> None:
    await publish(hass, register("1-0:1.29.0*255", "5", "kWh"))
    entry = entity_registry.entities["sensor.meter_1_0_1_29_0"]
    assert entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert entry.original_name == "1-0:1.29.0"
    assert entry.original_device_class == "energy"
    assert entry.capabilities is None


@pytest.mark.parametrize(
    ("number", "unit", "state"),
    [
        ("18446744073709551615.55555", "Wh", "18446744073709551.61555555"),
        ("0.1", "kWh", "0.1"),
        ("1.50", "MWh", "1500"),
        ("3", "MWh", "3000"),
        ("0", "Wh", "0"),
        ("0.00000", "Wh", "0"),
        ("-0.000", "kWh", "0"),
        ("12345.678900", "kWh", "12345.678900"),
    ],
)
async def test_state_has_every_digit_of_the_meter(
    hass: HomeAssistant, number: str, unit: str, state: str
) -> None:
    await publish(hass, register("1-0:1.8.0*255", number, unit))
    assert value(hass, "energy_import") == state


async def test_multiplier_is_exact_and_for_energy_and_power_only(hass: HomeAssistant) -> None:
    await publish(
        hass,
        register("1-0:1.8.0*255", "12345678901234567.1", "Wh"),
        register("1-0:16.7.0*255", "0.1", "W", signed=Decimal("-0.1")),
        register("1-0:3.8.0*255", "0.003", "kvarh"),
        register("1-0:9.7.0*255", "3", "VA"),
        register("1-0:1.6.0*255", "0.003", "kW"),
        register("1-0:32.7.0*255", "57.7", "V"),
        register("1-0:31.7.0*255", "4.5", "A"),
        register("1-0:13.7.0*255", Decimal("0.98")),
        options={CONF_MULTIPLIER: "33.3", CONF_GRID_QUALITY: True, CONF_PEAK_PERIOD: "15"},
    )
    assert states(hass) == {
        "energy_import": "411111107411111.08443",
        "power": "-3.33",
        "reactive_energy_import": "0.0999",
        "apparent_power_import": "99.9",
        "maximum_demand_import": "99.9",
        "voltage_l1": "57.7",
        "current_l1": "4.5",
        "power_factor": "0.98",
        "tan_ph": "0.000",
    }


async def test_change_of_unit_between_telegrams(hass: HomeAssistant) -> None:
    published = await publish(hass, register("1-0:1.8.0*255", "5000", "Wh"))
    await published.publish(register("1-0:1.8.0*255", "5.001", "kWh"))
    assert value(hass, "energy_import") == "5.001"
    await published.publish(register("1-0:1.8.0*255", "5.002", "m³"))
    assert value(hass, "energy_import") == STATE_UNKNOWN
    await published.publish(register("1-0:1.8.0*255", 6))
    assert value(hass, "energy_import") == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("option", "power", "l1"),
    [(QUALITY, "425", "-7"), (QUALITY | {CONF_DIRECTION: DIRECTION_OFF}, "-425", "-7")],
)
async def test_direction(hass: HomeAssistant, option: dict[str, Any], power: str, l1: str) -> None:
    await publish(
        hass,
        register("1-0:16.7.0*255", "-425", "W", signed=425),
        register("1-0:36.7.0*255", "-7", "W"),
        options=option,
    )
    assert states(hass) == {"power": power, "power_l1": l1}


@pytest.mark.parametrize(
    ("option", "others", "expected"),
    [
        ({}, (), {"power": "-9"}),
        ({CONF_DIRECTION: DIRECTION_OFF}, (), {"power_without_direction": "9"}),
        ({}, (register("1-0:16.7.0*255", "3", "W"),), {"power": "3"}),
    ],
)
async def test_power_is_derived_where_the_meter_sends_none(
    hass: HomeAssistant,
    option: dict[str, Any],
    others: tuple[Register, ...],
    expected: dict[str, str],
) -> None:
    await publish(hass, register("1-0:15.7.0*255", "9", "W", signed=-9), *others, options=option)
    assert states(hass) == expected


async def test_derived_power_goes_with_the_option(hass: HomeAssistant) -> None:
    entities = er.async_get(hass)
    absolute = register("1-0:15.7.0*255", "9", "W", signed=-9)
    published = await publish(hass, absolute)
    assert states(hass) == {"power": "-9"}
    entities.async_update_entity("sensor.meter_power", name="Power of the house")

    async def switch(**options: str) -> None:
        hass.config_entries.async_update_entry(published.entry, options=options)
        await published.reload(absolute)

    await switch(direction=DIRECTION_OFF)
    assert states(hass) == {"power_without_direction": "9"}
    assert not entities.async_is_registered("sensor.meter_power")
    await switch()
    assert states(hass) == {"power_without_direction": "9", "power": "-9"}
    assert entities.entities["sensor.meter_power"].name == "Power of the house"


@pytest.mark.parametrize(
    ("sent", "option", "expected"),
    [
        (("1-0:1.7.0*255 0.300", "1-0:2.7.0*255 0"), {}, {"power": "300"}),
        (("1-0:1.7.0*255 0.000", "1-0:2.7.0*255 1.234"), {}, {"power": "-1234"}),
        (("1-0:1.7.0*255 0.5", "1-0:2.7.0*255 0.25"), {CONF_MULTIPLIER: "20"}, {"power": "5000"}),
        (("1-0:1.7.0*255 0.000", "1-0:2.7.0*255 0.000"), {}, {"power": "0"}),
        (("1-1:1.7.0*255 0", "1-1:2.7.0*255 1"), {}, {"power": "-1000"}),
        (
            ("1-0:21.7.0*255 0.1", "1-0:22.7.0*255 0", "1-0:61.7.0*255 0", "1-0:62.7.0*255 0.2"),
            QUALITY,
            {"power_l1": "100", "power_l3": "-200"},
        ),
        # The meter sends it, or sends what has no such difference.
        (("1-0:1.7.0*255 0", "1-0:2.7.0*255 1", "1-0:16.7.0*255 -0.9"), {}, {"power": "-900"}),
        (("1-0:1.7.0*255 0.300",), {}, {}),
        (("1-0:2.7.0*255 0.300",), {}, {}),
        (("1-0:1.7.0*255 -0.300", "1-0:2.7.0*255 0"), {}, {}),
        (("1-0:1.7.0*255 0", "1-1:2.7.0*255 1"), {}, {}),
    ],
)
async def test_power_is_import_minus_export(
    hass: HomeAssistant, sent: tuple[str, ...], option: dict[str, Any], expected: dict[str, str]
) -> None:
    pairs = [text.split() for text in sent]
    registers = [register(code, kilowatts, "kW") for code, kilowatts in pairs]
    await publish(hass, *registers, options=option)
    assert {
        name: text
        for name, text in states(hass).items()
        if not name.startswith(("power_import", "power_export"))
    } == expected


async def test_import_minus_export_says_that_it_is_derived(hass: HomeAssistant) -> None:
    imported = register("1-0:1.7.0*255", "300", "W")
    published = await publish(hass, imported, register("1-0:2.7.0*255", "0", "W"))
    state = hass.states.get("sensor.meter_power")
    assert state is not None
    assert state.attributes["derived"] is True
    await published.publish(imported)
    assert value(hass, "power") == STATE_UNKNOWN


async def test_direction_of_the_status_word_comes_before_import_minus_export(
    hass: HomeAssistant,
) -> None:
    await publish(
        hass,
        register("1-0:15.7.0*255", "9", "W", signed=-9),
        register("1-0:1.7.0*255", "0", "W"),
        register("1-0:2.7.0*255", "8", "W"),
    )
    state = hass.states.get("sensor.meter_power")
    assert state is not None
    assert state.state == "-9"
    assert "derived" not in state.attributes


async def test_derived_power_is_unknown_without_direction(hass: HomeAssistant) -> None:
    published = await publish(hass, register("1-0:15.7.0*255", "9", "W", signed=9))
    await published.publish(register("1-0:15.7.0*255", "9", "W"))
    assert value(hass, "power") == STATE_UNKNOWN
    await published.publish(register("1-0:1.8.0*255", "9", "Wh"))
    assert value(hass, "power") == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("registers", "tan_phi"),
    [
        ([("1-0:1.8.0*255", "3", "kWh"), ("1-0:3.8.0*255", "1000", "varh")], "0.333"),
        ([("1-1:1.8.0*255", "3000", "Wh"), ("1-1:3.8.0*255", "2", "kvarh")], "0.667"),
        (
            [
                ("1-0:1.8.0*255", "4", "kWh"),
                ("1-0:3.8.0*255", "3", "kvarh"),
                ("1-0:5.8.0*255", "1", "kvarh"),
            ],
            "0.250",
        ),
    ],
)
async def test_tan_phi(
    hass: HomeAssistant, registers: list[tuple[str, str, str]], tan_phi: str
) -> None:
    await publish(hass, *(register(*line) for line in registers), options=QUALITY)
    assert value(hass, "tan_ph") == tan_phi


async def test_tan_phi_waits_for_energy(hass: HomeAssistant) -> None:
    reactive = register("1-0:3.8.0*255", "1", "kvarh")
    published = await publish(
        hass, register("1-0:1.8.0*255", "0", "kWh"), reactive, options=QUALITY
    )
    assert hass.states.get("sensor.meter_tan_ph") is None
    await published.publish(register("1-0:1.8.0*255", "4", "kWh"), reactive)
    assert value(hass, "tan_ph") == "0.250"


async def test_registers_that_come_later_become_sensors(hass: HomeAssistant) -> None:
    published = await publish(hass, register("1-0:1.8.0*255", "5000", "Wh"))
    assert states(hass) == {"energy_import": "5.000"}
    await published.publish(
        register("1-0:1.8.0*255", "5000.1", "Wh"), register("1-0:16.7.0*255", "7", "W")
    )
    assert states(hass) == {"energy_import": "5.0001", "power": "7"}


async def test_missing_register_is_unknown(hass: HomeAssistant) -> None:
    total = register("1-0:1.8.0*255", "5000", "Wh")
    published = await publish(hass, total, register("1-0:16.7.0*255", "7", "W"))
    await published.publish(total)
    assert states(hass) == {"energy_import": "5.000", "power": STATE_UNKNOWN}
    await published.publish(total, register("1-0:16.7.0*255", None))
    assert value(hass, "power") == STATE_UNKNOWN
    await published.publish(total, register("1-0:16.7.0*255", "8", "W"))
    assert value(hass, "power") == "8"


async def test_text_where_a_number_belongs_is_unknown(hass: HomeAssistant) -> None:
    published = await publish(hass, register("1-0:32.7.0*255", "230.1", "V"), options=QUALITY)
    await published.publish(Register(register("1-0:32.7.0*255", None).obis, "---.-", "V"))
    assert value(hass, "voltage_l1") == STATE_UNKNOWN
    await published.publish(register("1-0:32.7.0*255", value=True))
    assert value(hass, "voltage_l1") == STATE_UNKNOWN


async def test_silence_is_unavailable(hass: HomeAssistant) -> None:
    total = register("1-0:1.8.0*255", "5000", "Wh")
    published = await publish(hass, total)
    await published.fall_silent()
    assert value(hass, "energy_import") == STATE_UNAVAILABLE
    await published.publish(total)
    assert value(hass, "energy_import") == "5.000"


async def test_nothing_is_written_without_news(hass: HomeAssistant) -> None:
    published = await publish(
        hass, register("1-0:1.8.0*255", "5000", "Wh"), register("1-0:16.7.0*255", "7", "W")
    )
    written: list[str] = []

    @callback
    def remember(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    hass.bus.async_listen("state_changed", remember)
    hass.bus.async_listen("state_reported", remember, event_filter=callback(lambda _: True))
    await published.publish(
        register("1-0:1.8.0*255", "5000.0", "Wh"), register("1-0:16.7.0*255", "8", "W")
    )
    assert written == ["sensor.meter_power"]


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        ("0002", "0002"),
        (bytes.fromhex("00ff1a"), "00FF1A"),
        (1868036, "1868036"),
        (Decimal("1.50"), "1.50"),
        (True, "true"),
        (False, "false"),
        (datetime(2026, 11, 23, 12, 0), "2026-11-23T12:00:00"),  # noqa: DTZ001 - meters' own time
        (None, STATE_UNKNOWN),
        ("", STATE_UNKNOWN),
        (b"", STATE_UNKNOWN),
        ("x" * 255, "x" * 255),
        ("x" * 256, STATE_UNKNOWN),
        (bytes(128), STATE_UNKNOWN),
    ],
)
async def test_wording(hass: HomeAssistant, sent: Value, state: str) -> None:
    await publish(hass, register("0-0:96.14.0*255", sent))
    assert value(hass, "active_tariff") == state


async def test_clock(hass: HomeAssistant) -> None:
    enable(hass, "0-0:1.0.0*255")
    time = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    published = await publish(hass, register("0-0:1.0.0*255", time))
    assert value(hass, "enabled") == "2026-10-25T01:30:00+00:00"
    await published.publish(register("0-0:1.0.0*255", "later"))
    assert value(hass, "enabled") == STATE_UNKNOWN
    await published.publish()
    assert value(hass, "enabled") == STATE_UNKNOWN


async def test_what_the_meter_tells_of_itself(
    hass: HomeAssistant, entity_registry: er.EntityRegistry
) -> None:
    await publish(
        hass,
        register("1-0:96.7.0*255", 8),
        register("1-0:96.6.3*255", "3.20", "V"),
        register("1-0:0.3.0*255", "10000", "imp/kWh"),
        register("1-0:96.8.0*255", "00104443"),
        register("1-0:0.2.2*255", ":::::G12"),
    )
    assert states(hass) == {"active_tariff": ":::::G12"}
    found = {
        entry.original_name: (entry.unit_of_measurement, (entry.capabilities or {}).values())
        for entry in entity_registry.entities.values()
    }
    assert {name: (unit, *capabilities) for name, (unit, capabilities) in found.items()} == {
        "Power failures": (None, "total_increasing"),
        "Battery voltage": ("V", "measurement"),
        "Impulse constant (1-0:0.3.0)": ("imp/kWh",),
        "Operating time": (None,),
        "Active tariff": (None,),
        "Status": (None, list(Status)),
    }
    assert {entry.entity_category for entry in entity_registry.entities.values()} == {
        EntityCategory.DIAGNOSTIC
    }


async def test_gas_meter_that_is_linked_later(hass: HomeAssistant) -> None:
    published = await publish(hass, MBUS[0], register("0-1:24.2.1*255", Decimal("0.000")))
    assert states(hass) == {"energy_import_t1": "5.1"}
    await published.publish(*MBUS[:3])
    state = hass.states.get("sensor.gas_meter_total")
    assert state is not None
    assert (state.state, state.attributes["unit_of_measurement"]) == ("246.138", "m³")


@pytest.mark.parametrize(("hours", "is_shown"), [(-100, True), (1, True), (15, False)])
async def test_time_in_the_future_is_no_time_of_measurement(
    hass: HomeAssistant, hours: int, is_shown: bool
) -> None:
    time = utcnow() + timedelta(hours=hours)
    device = register("0-1:24.1.0*255", "003")
    await publish(hass, device, register("0-1:24.2.1*255", "42.125", "m³", time=time))
    state = hass.states.get("sensor.gas_meter_total")
    assert state is not None
    assert state.state == "42.125"
    assert state.attributes.get("measured_at") == (time.isoformat() if is_shown else None)


async def test_time_of_a_maximum(hass: HomeAssistant) -> None:
    first = datetime(2024, 1, 15, 18, 45)  # noqa: DTZ001 - meters' own time
    published = await publish(
        hass, register("1-0:1.6.0*255", "12.3", "kW", time=first), options=PEAKS
    )

    def shown() -> tuple[str, object]:
        state = hass.states.get("sensor.meter_maximum_demand_import")
        assert state is not None
        return state.state, state.attributes.get("measured_at")

    assert shown() == ("12300", "2024-01-15T18:45:00")
    # A new billing period may bring the same maximum at another time.
    later = datetime(2024, 2, 15, 18, 45, tzinfo=UTC)
    await published.publish(register("1-0:1.6.0*255", "12.3", "kW", time=later))
    assert shown() == ("12300", "2024-02-15T18:45:00+00:00")
    await published.publish(register("1-0:1.6.0*255", "12.3", "kW"))
    assert shown() == ("12300", None)
    await published.publish(register("1-0:1.6.0*255", None, time=first))
    assert shown() == (STATE_UNKNOWN, None)
    await published.publish()
    assert shown() == (STATE_UNKNOWN, None)


async def test_time_of_the_last_reset(hass: HomeAssistant) -> None:
    enable(hass, "1-0:0.1.2*255")
    time = datetime(2022, 11, 1)  # noqa: DTZ001 - meters' own time
    published = await publish(hass, register("1-0:0.1.2*255", "2211010000", time=time))
    assert value(hass, "enabled") == "2022-11-01T00:00:00"
    await published.publish(register("1-0:0.1.2*255", "0000000000"))
    assert value(hass, "enabled") == STATE_UNKNOWN
    await published.publish()
    assert value(hass, "enabled") == STATE_UNKNOWN


async def test_clock_difference(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Warsaw")
    enable(hass, "clock_difference")
    published = await publish(hass, register("1-0:1.8.0*255", "1", "kWh"))
    assert states(hass) == {"energy_import": "1"}

    async def difference(received: str, clock: str, *, fold: int = 0) -> str:
        await published.publish(
            register("1-0:1.8.0*255", "1", "kWh"),
            clock=datetime.fromisoformat(clock).replace(fold=fold),
            received=datetime.fromisoformat(received).replace(tzinfo=UTC),
        )
        return value(hass, "enabled")

    assert await difference("2026-01-10T12:00:00.6", "2026-01-10T13:00:03") == "2"
    assert await difference("2026-07-10T12:00:00", "2026-07-10T13:58:00") == "-120"
    assert await difference("2026-07-10T12:00:00", "2026-07-10T14:50:00") == "3000"
    # Winter time all year, and UTC.
    assert await difference("2026-07-10T12:00:00", "2026-07-10T13:00:07") == "7"
    assert await difference("2026-07-10T12:00:00", "2026-07-10T11:55:00") == "-300"
    assert await difference("2026-07-10T12:00:00", "2026-07-10T13:05:01") == "-3299"
    # A day is no time zone.
    assert await difference("2026-07-10T12:00:00", "2026-07-11T14:00:00") == "86400"
    # The hour that comes twice.
    assert await difference("2026-10-25T00:30:00", "2026-10-25T02:30:01") == "1"
    assert await difference("2026-10-25T01:30:00", "2026-10-25T02:30:01", fold=1) == "1"
    # Meters that tell the time zone have to be right.
    assert await difference("2026-07-10T12:00:00", "2026-07-10T13:00:07+00:00") == "3607"
    await published.publish(register("1-0:1.8.0*255", "1", "kWh"))
    assert value(hass, "enabled") == STATE_UNKNOWN


async def test_absolute_energy_is_fit_for_the_energy_dashboard(hass: HomeAssistant) -> None:
    await publish(hass, register("1-0:15.8.0*255", "1.32", "kWh"))
    state = hass.states.get("sensor.meter_energy_import_plus_export")
    assert state is not None
    assert (state.state, dict(state.attributes)) == (
        "1.32",
        {
            "state_class": "total_increasing",
            "unit_of_measurement": "kWh",
            "device_class": "energy",
            "friendly_name": "Meter Energy import plus export",
        },
    )


class Minutes:
    """Publishes a total every minute, for a meter that sends no power."""

    def __init__(self, published: PublishedMeter) -> None:
        self.published = published
        self.minute = 0

    async def next(
        self,
        *lines: tuple[str, str],
        others: tuple[Register, ...] = (),
        withheld: frozenset[Key] = frozenset(),
    ) -> None:
        self.minute += 1
        await self.published.publish(
            *(register(code, total, "kWh") for code, total in lines),
            *others,
            received=datetime(2026, 11, 23, 12, self.minute, tzinfo=UTC),
            withheld=withheld,
        )


async def test_power_from_energy(hass: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    published = await publish(hass)
    minutes = Minutes(published)
    await minutes.next(("1-0:1.8.0*255", "1.001"))
    await minutes.next(("1-0:1.8.0*255", "1.011"))
    assert states(hass) == {"energy_import": "1.011"}
    await minutes.next(("1-0:1.8.0*255", "1.021"))
    state = hass.states.get("sensor.meter_power_derived")
    assert state is not None
    assert (state.state, dict(state.attributes)) == (
        "600",
        {
            "derived": True,
            "state_class": "measurement",
            "unit_of_measurement": "W",
            "device_class": "power",
            "friendly_name": "Meter Power (derived)",
        },
    )
    entry = entity_registry.entities["sensor.meter_power_derived"]
    assert entry.unique_id == "1EMH0012345678-derived_power"
    await minutes.next(("1-0:1.8.0*255", "0.500"))
    assert value(hass, "power_derived") == STATE_UNKNOWN
    await minutes.next(("1-0:2.8.0*255", "0.500"))
    assert value(hass, "power_derived") == STATE_UNKNOWN


@pytest.mark.parametrize("withheld", ["1-0:1.8.0*255", "1-0:2.8.0*255"])
async def test_no_power_is_derived_from_totals_that_are_withheld(
    hass: HomeAssistant, withheld: str
) -> None:
    minutes = Minutes(await publish(hass))
    for minute in range(3):
        await minutes.next(("1-0:1.8.0*255", str(Decimal("1.001") + minute / Decimal(100))))
    for _ in range(5):
        await minutes.next(("1-0:1.8.0*255", "1.021"), withheld=frozenset({Obis.parse(withheld)}))
        assert value(hass, "power_derived") == STATE_UNKNOWN


async def test_power_from_energy_falls_without_news(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    published = await publish(hass)
    minutes = Minutes(published)
    for minute in range(3):
        await minutes.next(("1-0:1.8.0*255", str(Decimal("1.001") + minute / Decimal(100))))
    assert value(hass, "power_derived") == "600"
    for minute in range(4, 7):
        published.take_without_news(
            register("1-0:1.8.0*255", "1.021", "kWh"),
            received=datetime(2026, 11, 23, 12, minute, tzinfo=UTC),
        )
        freezer.tick(15)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    assert value(hass, "power_derived") == "0"


@pytest.mark.parametrize(
    ("lines", "power"),
    [
        ([("1-0:15.8.0*255", 1)], "600"),
        ([("1-1:1.8.0*255", 1)], "600"),
        ([("1-0:1.8.0*255", 1), ("1-0:15.8.0*255", 9)], "600"),
        ([("1-0:1.8.0*255", 1), ("1-0:2.8.0*255", 4)], "-1800"),
        ([("1-0:15.8.0*255", 1), ("1-0:2.8.0*255", 4)], "600"),
    ],
)
async def test_energies_from_which_power_is_derived(
    hass: HomeAssistant, lines: list[tuple[str, int]], power: str
) -> None:
    minutes = Minutes(await publish(hass))
    for minute in range(10):
        await minutes.next(
            *(
                (code, str(Decimal("1.001") + minute * speed / Decimal(100)))
                for code, speed in lines
            )
        )
    assert value(hass, "power_derived") == power


async def test_power_from_energy_behind_transformers(hass: HomeAssistant) -> None:
    options = {CONF_MULTIPLIER: "40", CONF_MAX_POWER: 600}
    minutes = Minutes(await publish(hass, options=options))
    for minute in range(3):
        await minutes.next(("1-0:1.8.0*255", str(Decimal("1.001") + minute / Decimal(100))))
    assert value(hass, "power_derived") == "24000"
    # More than the meter itself can carry.
    await minutes.next(("1-0:1.8.0*255", "1.033"))
    assert value(hass, "power_derived") == STATE_UNKNOWN


@pytest.mark.parametrize(
    "code", ["1-0:16.7.0*255", "1-0:1.7.0*255", "1-0:2.7.255*255", "1-1:15.7.0*255"]
)
async def test_no_power_is_derived_where_the_meter_tells_it(hass: HomeAssistant, code: str) -> None:
    minutes = Minutes(await publish(hass))
    for minute in range(5):
        await minutes.next(
            ("1-0:1.8.0*255", str(Decimal("1.001") + minute / Decimal(100))),
            others=(register(code, "600", "W"),),
        )
    assert hass.states.get("sensor.meter_power_derived") is None


@pytest.mark.parametrize("total", ["1.0", None])
async def test_no_power_is_derived_where_the_total_is_no_energy(
    hass: HomeAssistant, total: str | None
) -> None:
    minutes = Minutes(await publish(hass))
    for minute in range(5):
        others = (
            register("1-0:1.8.0*255", total),
            register("1-0:2.8.0*255", f"1.0{minute}1", "kWh"),
        )
        await minutes.next(others=others)
        exporting = (
            register("1-1:1.8.0*255", f"1.0{minute}1", "kWh"),
            register("1-1:2.8.0*255", total),
        )
        await minutes.next(others=exporting)
    assert hass.states.get("sensor.meter_power_derived") is None


async def test_register_of_an_earlier_reading_is_no_reading(hass: HomeAssistant) -> None:
    minutes = Minutes(await publish(hass))
    for minute in range(3):
        await minutes.next(("1-0:1.8.0*255", str(Decimal("1.001") + minute / Decimal(100))))
    stale = register("1-0:1.8.0*255", "1.021", "kWh")
    await minutes.next(others=(stale,))
    power = value(hass, "power_derived")
    for _ in range(3):
        await minutes.next(others=(stale,))
    assert value(hass, "power_derived") == power


@pytest.mark.usefixtures("recorder_mock")
async def test_energy_dashboard_is_content(hass: HomeAssistant) -> None:
    await publish(hass, *MODERN)
    assert await async_setup_component(hass, "sensor", {})
    assert await async_setup_component(hass, "energy", {})
    await async_wait_recording_done(hass)
    state = hass.states.get("sensor.meter_energy_import")
    assert state is not None
    changed = state.last_changed
    start = changed.replace(minute=changed.minute // 5 * 5, second=0, microsecond=0)
    do_adhoc_statistics(hass, start=start)
    await async_wait_recording_done(hass)
    manager = await async_get_manager(hass)
    await manager.async_update(
        {
            "energy_sources": [
                {
                    "type": "grid",
                    "stat_energy_from": "sensor.meter_energy_import",
                    "stat_energy_to": "sensor.meter_energy_export",
                    "stat_cost": None,
                    "entity_energy_price": None,
                    "number_energy_price": None,
                    "stat_compensation": None,
                    "entity_energy_price_export": None,
                    "number_energy_price_export": None,
                    "cost_adjustment_day": 0,
                    "stat_rate": "sensor.meter_power",
                }
            ],
            "device_consumption": [],
            "device_consumption_water": [],
        }
    )
    result = await validate.async_validate(hass)
    assert result.as_dict()["energy_sources"] == [[]]
