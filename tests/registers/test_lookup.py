"""What registers mean, by the table, their values and their units."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.registers.lookup import (
    describe_register,
    state_of,
    with_implied_unit,
)
from custom_components.onemeter.registers.quantities import (
    ANGLE,
    APPARENT_ENERGY,
    APPARENT_POWER,
    COUNT,
    CUMULATED_POWER,
    CURRENT,
    ENERGY,
    ENERGY_IN_JOULES,
    FLOW,
    FREQUENCY,
    GAS,
    HEAT,
    HOURS,
    HOURS_LEFT,
    LOCAL_TIME,
    NET_ENERGY,
    PERIOD_ENERGY,
    POWER,
    POWER_FACTOR,
    REACTIVE_ENERGY,
    REACTIVE_POWER,
    TIME,
    VOLTAGE,
    VOLUME,
    WATER,
    Quantity,
)
from custom_components.onemeter.registers.table import RegisterDescription
from homeassistant.components.sensor import SensorStateClass


def meaning(
    code: str, value: Value = None, unit: str | None = None, *others: str
) -> tuple[RegisterDescription, str]:
    obis = Obis.parse(code)
    registers: dict[Key, Register] = {obis: Register(obis, value, unit)}
    registers |= {Obis.parse(other): Register(Obis.parse(other), None) for other in others}
    return describe_register(obis, registers)


def name_of(key: Key, *registers: tuple[Key, Value, str | None]) -> tuple[str, Quantity | None]:
    """Return the name and the quantity of one of these registers."""
    description, scope = describe_register(
        key,
        {
            key: Register(key, value, unit)
            if isinstance(key, Obis)
            else Register(None, value, unit, address=key)
            for key, value, unit in registers
        },
    )
    return f"{description.key}{scope}", description.quantity


@pytest.mark.parametrize(
    ("code", "unit", "name", "quantity"),
    [
        ("1-0:1.8.0*255", "Wh", "energy_import", ENERGY),
        ("1-0:1.8.1*255", "kWh", "energy_import T1", ENERGY),
        ("1-0:1.8.63*255", "kWh", "energy_import T63", ENERGY),
        ("1-1:1.8.0*255", "Wh", "energy_import", ENERGY),
        ("1-0:21.8.0*255", "Wh", "energy_import L1", ENERGY),
        ("1-0:62.8.2*255", "Wh", "energy_export L3 T2", ENERGY),
        ("1-0:2.8.0*255", "MWh", "energy_export", ENERGY),
        ("1-0:2.8.2*255", "Wh", "energy_export T2", ENERGY),
        ("1-0:15.8.0*255", "kWh", "energy_absolute", ENERGY),
        ("1-0:15.8.1*255", "kWh", "energy_absolute T1", ENERGY),
        ("1-0:16.8.0*255", "kWh", "energy_net", NET_ENERGY),
        ("1-0:3.8.0*255", "varh", "reactive_energy_import", REACTIVE_ENERGY),
        ("1-0:4.8.0*255", "kvarh", "reactive_energy_export", REACTIVE_ENERGY),
        ("1-0:5.8.0*255", "kvarh", "reactive_energy_q1", REACTIVE_ENERGY),
        ("1-0:6.8.3*255", "kvarh", "reactive_energy_q2 T3", REACTIVE_ENERGY),
        ("1-0:7.8.0*255", "kvarh", "reactive_energy_q3", REACTIVE_ENERGY),
        ("1-0:8.8.0*255", "Mvarh", "reactive_energy_q4", REACTIVE_ENERGY),
        ("1-0:9.8.0*255", "VAh", "apparent_energy_import", APPARENT_ENERGY),
        ("1-0:10.8.0*255", "kVAh", "apparent_energy_export", APPARENT_ENERGY),
        ("1-0:16.7.0*255", "W", "power", POWER),
        ("1-0:36.7.0*255", "W", "power L1", POWER),
        ("1-0:56.7.0*255", "W", "power L2", POWER),
        ("1-0:76.7.0*255", "kW", "power L3", POWER),
        ("1-0:1.7.0*255", "W", "power_import", POWER),
        ("1-0:1.7.255*255", "W", "power_import", POWER),
        ("1-0:21.7.0*255", "W", "power_import L1", POWER),
        ("1-0:2.7.0*255", "kW", "power_export", POWER),
        ("1-0:42.7.0*255", "kW", "power_export L2", POWER),
        ("1-0:15.7.0*255", "W", "power_absolute", POWER),
        ("1-0:3.7.0*255", "var", "reactive_power_import", REACTIVE_POWER),
        ("1-0:63.7.0*255", "kvar", "reactive_power_import L3", REACTIVE_POWER),
        ("1-0:4.7.0*255", "kvar", "reactive_power_export", REACTIVE_POWER),
        ("1-0:5.7.0*255", "kvar", "reactive_power_q1", REACTIVE_POWER),
        ("1-0:8.7.0*255", "kvar", "reactive_power_q4", REACTIVE_POWER),
        ("1-1:131.7.0*255", "kvar", "reactive_power", REACTIVE_POWER),
        ("1-1:171.7.0*255", "kvar", "reactive_power L2", REACTIVE_POWER),
        ("1-0:9.7.0*255", "VA", "apparent_power_import", APPARENT_POWER),
        ("1-0:29.7.0*255", "kVA", "apparent_power_import L1", APPARENT_POWER),
        ("1-0:10.7.0*255", "VA", "apparent_power_export", APPARENT_POWER),
        ("1-0:12.7.0*255", "V", "voltage", VOLTAGE),
        ("1-0:32.7.0*255", "V", "voltage L1", VOLTAGE),
        ("1-0:11.7.0*255", "A", "current", CURRENT),
        ("1-0:71.7.0*255", "A", "current L3", CURRENT),
        ("1-0:91.7.0*255", "A", "current N", CURRENT),
        ("1-0:14.7.0*255", "Hz", "frequency", FREQUENCY),
        ("1-0:34.7.0*255", "Hz", "frequency L1", FREQUENCY),
        ("1-0:13.7.0*255", None, "power_factor", POWER_FACTOR),
        ("1-0:53.7.0*255", "%", "power_factor L2", POWER_FACTOR),
        ("1-0:81.7.1*255", "°", "phase_angle U L2 – U L1", ANGLE),
        ("1-0:81.7.2*255", "°", "phase_angle U L3 – U L1", ANGLE),
        ("1-0:81.7.4*255", "°", "phase_angle I L1 – U L1", ANGLE),
        ("1-0:81.7.15*255", "°", "phase_angle I L2 – U L2", ANGLE),
        ("1-0:81.7.26*255", "°", "phase_angle I L3 – U L3", ANGLE),
        ("1-0:1.4.0*255", "kW", "demand_import", POWER),
        ("1-1:2.5.0*255", "kW", "last_demand_export", POWER),
        ("1-0:1.6.0*255", "kW", "maximum_demand_import", POWER),
        ("1-0:2.6.1*255", "kW", "maximum_demand_export T1", POWER),
        ("0-0:17.0.0*255", "kW", "power_limit", POWER),
        ("1-0:15.6.0*255", "kW", "maximum_demand_absolute", POWER),
        ("1-0:1.2.1*255", "kW", "cumulated_demand_import T1", CUMULATED_POWER),
        ("1-0:15.2.0*255", "kW", "cumulated_demand_absolute", CUMULATED_POWER),
        ("1-0:1.9.1*255", "kWh", "period_energy_import T1", PERIOD_ENERGY),
        ("1-0:1.20.0*255", "kWh", "energy_import", ENERGY),
        ("1-0:1.20.2*255", "kWh", "energy_import T2", ENERGY),
        ("1-0:32.32.0*255", None, "voltage_sags L1", COUNT),
        ("1-0:72.36.0*255", None, "voltage_swells L3", COUNT),
        ("5-0:1.0.0*255", "MWh", "cooling_energy", HEAT),
        ("6-0:1.0.0*255", "kWh", "heat_energy", HEAT),
        ("6-0:1.0.0*255", "GJ", "heat_energy", ENERGY_IN_JOULES),
        ("6-0:2.0.0*255", "m³", "heat_volume", VOLUME),
        ("7-0:3.0.0*255", "m³", "gas", GAS),
        ("7-0:1.0.0*255", "kWh", "gas", GAS.otherwise),
        ("8-0:1.0.0*255", "L", "water", WATER),
        ("9-0:1.0.0*255", "m³", "warm_water", WATER),
    ],
)
def test_measured(code: str, unit: str | None, name: str, quantity: Quantity) -> None:
    description, scope = meaning(code, 1, unit)
    assert f"{description.key}{scope}" == name
    assert description.quantity == quantity


@pytest.mark.parametrize(
    ("code", "value", "name"),
    [
        ("0-0:96.14.0*255", "0002", "active_tariff"),
        ("1-0:0.2.2*255", ":::::G12", "active_tariff"),
        ("1-0:97.97.0*255", "00", "error_register"),
        ("1-0:97.97.0*0", b"\0\0", "error_register"),
        ("1-0:96.5.0*255", 1868036, "status_word"),
        ("1-0:0.2.0*0", "1.02.007", "firmware"),
        ("1-0:96.90.2*1", b"A0A1", "firmware_checksum"),
        ("1-0:96.50.1*1", "ISK", "manufacturer"),
        ("129-129:199.130.3*255", "EMH", "manufacturer"),
        ("129-129:199.130.5*255", b"\x01\x02", "public_key"),
        ("1-0:0.0.9*255", b"\x0a\x01", "identification (1-0:0.0.9)"),
        ("0-0:96.1.255*255", "1", "identification (0-0:96.1.255)"),
        ("0-0:42.0.0*255", "1", "identification (0-0:42.0.0)"),
        ("1-0:0.2.1*255", "ver.02", "version (1-0:0.2.1)"),
        ("1-0:97.97.1*255", "00", "error_register (1-0:97.97.1)"),
        ("1-0:96.5.5*255", "82", "status_word (1-0:96.5.5)"),
        ("1-0:0.4.2*255", "40", "transformer_ratio (1-0:0.4.2)"),
        ("0-1:24.1.0*255", "003", "device_type"),
        ("0-2:24.4.0*255", "1", "valve"),
        ("0-1:96.1.0*255", "3232", "identification"),
        # What the meter tells of itself is no number in all meters.
        ("0-0:96.8.0*255", "0010A4F3", "operating_time"),
        ("1-0:96.7.0*255", "0A", "power_failures"),
        ("1-0:96.6.0*255", "00075841", "battery_time_used"),
        ("1-0:0.1.2*255", "00-00-00", "billing_reset_time"),
    ],
)
def test_descriptive(code: str, value: Value, name: str) -> None:
    description, scope = meaning(code, value)
    assert f"{description.key}{scope}" == name
    assert description.quantity is None
    assert description.diagnostic


@pytest.mark.parametrize(
    ("code", "value", "unit", "name", "quantity"),
    [
        ("1-0:0.1.0*255", 15, None, "billing_resets", COUNT),
        ("1-0:96.7.0*255", 4, None, "power_failures", COUNT),
        ("1-0:96.7.2*255", 4, None, "power_failures L2", COUNT),
        ("0-0:96.7.21*255", 4, None, "power_failures", COUNT),
        ("0-0:96.7.9*255", 4, None, "long_power_failures", COUNT),
        ("1-0:96.6.0*255", 4, "h", "battery_time_used", HOURS),
        ("1-0:96.6.1*255", 4, "h", "battery_time_left", HOURS_LEFT),
        ("1-0:96.6.3*255", Decimal("3.20"), "V", "battery_voltage", VOLTAGE),
        ("1-0:96.8.0*255", 4, "h", "operating_time", HOURS),
        ("1-0:96.8.1*255", 4, "h", "operating_time (1-0:96.8.1)", HOURS),
    ],
)
def test_descriptive_numbers(
    code: str, value: Value, unit: str | None, name: str, quantity: Quantity
) -> None:
    description, scope = meaning(code, value, unit)
    assert (f"{description.key}{scope}", description.quantity) == (name, quantity)
    assert description.diagnostic


@pytest.mark.parametrize(
    ("code", "unit", "name", "shown", "device_class"),
    [
        ("1-0:0.3.0*255", "imp/kWh", "impulse_constant (1-0:0.3.0)", "imp/kWh", None),
        ("1-0:0.8.0*255", "min", "period_length (1-0:0.8.0)", "min", "duration"),
        ("1-0:96.8.0*255", "min", "operating_time", "min", "duration"),
        # The second index of SML.
        ("0-0:1.0.0*255", "s", "meter_clock", "s", "duration"),
    ],
)
def test_unit_of_what_the_meter_tells_of_itself(
    code: str, unit: str, name: str, shown: str, device_class: str | None
) -> None:
    description, scope = meaning(code, 1, unit)
    assert f"{description.key}{scope}" == name
    assert description.quantity is not None
    assert (description.quantity.unit, description.quantity.device_class) == (shown, device_class)
    assert description.quantity.state_class is None


@pytest.mark.parametrize(
    ("device_type", "unit", "quantity"),
    [
        ("003", "m³", GAS),
        ("3", "m³", GAS),
        (3, "kWh", HEAT),
        ("004", "GJ", ENERGY_IN_JOULES),
        ("012", "kWh", HEAT),
        ("013", "MWh", HEAT),
        ("010", "GJ", ENERGY_IN_JOULES),
        ("006", "m³", WATER),
        ("007", "m³", WATER),
        ("002", "kWh", ENERGY),
    ],
)
@pytest.mark.parametrize("code", ["0-1:24.2.1*255", "0-1:24.2.3*255", "0-1:24.3.0*255"])
def test_meter_on_the_mbus(code: str, device_type: Value, unit: str, quantity: Quantity) -> None:
    key = Obis.parse(code)
    told = (Obis(0, 1, 24, 1, 0), device_type, None)
    found = name_of(key, (key, Decimal("1.5"), unit), told)
    assert found[0] == "total"
    assert found[1] is not None
    assert (found[1].unit, found[1].device_class) == (quantity.unit, quantity.device_class)
    assert found[1].state_class == SensorStateClass.TOTAL_INCREASING


@pytest.mark.parametrize(
    "others",
    [
        (),
        ((Obis(0, 2, 24, 1, 0), "003", None),),  # of another channel
        ((Obis(0, 1, 24, 1, 0), "099", None),),
        ((Obis(0, 1, 24, 1, 0), None, None),),
        ((Obis(0, 1, 24, 1, 0), "004", None),),  # which does not count m³
    ],
)
def test_meter_on_the_mbus_of_unknown_type(
    others: tuple[tuple[Key, Value, str | None], ...],
) -> None:
    key = Obis(0, 1, 24, 2, 1)
    name, quantity = name_of(key, (key, Decimal("1.5"), "m³"), *others)
    assert name == "register0-1:24.2.1"
    assert quantity is not None
    assert (quantity.unit, quantity.state_class) == ("m³", None)


def test_registers_of_one_mbus_meter_with_the_same_name_have_their_code_in_it() -> None:
    gas = (Obis(0, 1, 24, 1, 0), "003", None)
    total, other = Obis(0, 1, 24, 2, 1), Obis(0, 1, 24, 2, 3)
    on_other_channel = Obis(0, 2, 24, 2, 1)
    registers = ((total, Decimal(1), "m³"), (other, Decimal(2), "m³"), gas)
    assert name_of(total, *registers)[0] == "total"
    assert name_of(other, *registers)[0] == "total (0-1:24.2.3)"
    assert name_of(other, registers[1], gas, (on_other_channel, Decimal(3), "m³"))[0] == "total"


def test_oldest_p1_telegrams_have_the_unit_of_gas_apart() -> None:
    gas = (Obis(0, 1, 24, 1, 0), "03", None)
    for code, bare in ((Obis(0, 1, 24, 3, 0), True), (Obis(0, 1, 24, 2, 1), False)):
        quantity = name_of(code, (code, Decimal("1.001"), None), gas)[1]
        assert (quantity is not None and None in quantity.exponents) is bare


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [
        ("breaker", "0", "disconnected"),
        ("breaker", "1", "connected"),
        ("breaker", True, "connected"),
        ("breaker", 2, "ready_for_reconnection"),
        ("breaker", "3", None),
        ("breaker", "", None),
        ("breaker", b"\1", None),
        ("breaker", Decimal("0.5"), None),
        ("valve", "1", "open"),
        ("valve", 0, "closed"),
        ("valve", None, None),
        ("device_type", "003", "gas"),
        ("device_type", "7", "water"),
        ("device_type", "015", None),
    ],
)
def test_translated_state(name: str, value: Value, state: str | None) -> None:
    assert state_of(name, value) == state


@pytest.mark.parametrize(
    ("address", "value", "unit", "name", "quantity"),
    [
        ("6.8", Decimal("29.055"), "MWh", "heat_energy", HEAT),
        ("6.8", Decimal("104.6"), "GJ", "heat_energy", ENERGY_IN_JOULES),
        ("6.26", Decimal("1589.28"), "m³", "heat_volume", VOLUME),
        ("6.6", Decimal("17.2"), "kW", "maximum_heat_power", POWER),
        ("6.33", Decimal("1.476"), "m³/h", "maximum_flow", FLOW),
        ("6.31", Decimal(30710), "h", "operating_time", HOURS),
        ("6.32", Decimal(194), "h", "missing_time", HOURS),
        ("9.4", "088*C&082*C", None, "maximum_temperatures", None),
        ("F", "0", None, "error_register", None),
        ("9.24", Decimal("0.6"), "m³/h", "register9.24", FLOW),
        ("9.20", "64030874", None, "register9.20", None),
        ("1.6.0,5", "202601130730", None, "register1.6.0,5", None),
    ],
)
def test_address_without_code(
    address: str, value: Value, unit: str | None, name: str, quantity: Quantity | None
) -> None:
    found, shown = name_of(address, (address, value, unit))
    assert found == name
    assert (shown and (shown.unit, shown.device_class)) == (
        quantity and (quantity.unit, quantity.device_class)
    )


def test_heat_meter_of_the_last_year() -> None:
    description, scope = describe_register(
        "6.8*01", {"6.8*01": Register(None, Decimal("28.086"), "MWh", address="6.8*01")}
    )
    assert (description.key, scope, description.enabled) == ("heat_energy", " (6.8*01)", False)
    assert description.quantity is not None
    assert (description.quantity.unit, description.quantity.state_class) == ("kWh", None)
    assert name_of("9.4*01", ("9.4*01", "088*C&082*C", None))[0] == "maximum_temperatures (9.4*01)"


@pytest.mark.parametrize(
    ("code", "value", "unit", "state_class"),
    [
        ("1-0:32.7.1*255", 2, "%", SensorStateClass.MEASUREMENT),
        ("1-0:17.7.0*255", 2, "W", SensorStateClass.MEASUREMENT),
        ("1-0:81.7.60*255", 2, "°", SensorStateClass.MEASUREMENT_ANGLE),
        ("1-0:17.7.0*255", 2, "Wh", None),  # an energy is nothing instantaneous
        ("1-0:1.29.0*255", 83038, "kWh", None),
        ("1-0:93.7.0*255", 2, None, None),
        ("1-0:82.8.1*255", "1", None, None),
        ("1-0:96.50.1*4", "P1.2.12", None, None),
        ("1-0:1.8.64*255", 2, "kWh", None),
        ("1-0:1.7.1*255", None, "W", None),
        ("0-1:24.2.1*255", Decimal("1.5"), "m³", None),
        ("0-1:96.50.0*255", "3232", None, None),
        ("6-0:1.7.0*255", 5, "kW", None),
        ("1-0:96.99.99*255", True, None, None),
        # Known codes with numbers in units that are none of theirs.
        ("1-0:1.8.0*255", 1, None, None),
        ("1-0:1.8.0*255", 1, "m³", None),
        ("6-0:1.0.0*255", 1, "m³", None),
        ("7-0:1.2.0*255", 1, "m³", None),
    ],
)
def test_what_is_not_in_the_table(
    code: str, value: Value, unit: str | None, state_class: SensorStateClass | None
) -> None:
    description, scope = meaning(code, value, unit)
    assert (description.key, description.enabled) == ("register", False)
    assert scope == code.removesuffix("*255")
    assert getattr(description.quantity, "state_class", None) is state_class


@pytest.mark.parametrize(
    ("unit", "shown", "device_class"),
    [
        ("kW", "W", "power"),
        ("V", "V", "voltage"),
        ("°C", "°C", "temperature"),
        ("Wh", "kWh", "energy"),
        ("m³", "m³", "volume"),
        ("l", "m³", "volume"),
        ("L/h", "m³/h", "volume_flow_rate"),
        ("MJ", "GJ", "energy"),
        ("h", "h", "duration"),
        ("min", "min", "duration"),
        ("s", "s", "duration"),
        ("imp/kWh", "imp/kWh", None),
        ("%", "%", None),
    ],
)
def test_unit_alone(unit: str, shown: str, device_class: str | None) -> None:
    quantity = meaning("1-0:99.3.0*255", 1, unit)[0].quantity
    assert quantity is not None
    assert (quantity.unit, quantity.device_class) == (shown, device_class)
    assert quantity.state_class is None


def test_past_period_counts_for_no_statistics() -> None:
    description, scope = meaning("1-0:1.8.1*1", 5, "kWh")
    assert (description.key, scope, description.enabled) == (
        "energy_import",
        " T1 (1-0:1.8.1*1)",
        False,
    )
    assert description.quantity is not None
    assert (description.quantity.device_class, description.quantity.state_class) == ("energy", None)


def test_channel_is_named_where_two_have_the_register() -> None:
    assert meaning("1-1:1.8.0*255", 5, "kWh", "1-0:1.8.0*255")[1] == " (1-1:1.8.0)"
    assert meaning("1-1:1.8.0*255", 5, "kWh", "1-2:1.8.0*255", "1-0:2.8.0*255")[1] == ""


def test_known_register_without_value_waits_for_one() -> None:
    description, _ = meaning("1-0:16.7.0*255")
    assert (description.key, description.quantity) == ("power", POWER)


def test_time() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert meaning("0-0:1.0.0*255", now)[0] == RegisterDescription("meter_clock", TIME, False, True)
    assert meaning("1-0:0.99.0*255", now)[0] == RegisterDescription("register", TIME, False, True)
    # The text of a time is shown as it is where nobody understands it.
    assert meaning("0-0:1.0.0*255", "201020085222W")[0].quantity is None


@pytest.mark.parametrize(
    ("time", "quantity"),
    [
        (datetime(2026, 11, 1), LOCAL_TIME),  # noqa: DTZ001 - meters' own time
        (datetime(2026, 11, 1, tzinfo=UTC), TIME),
    ],
)
def test_time_that_a_text_names(time: datetime, quantity: Quantity) -> None:
    key = Obis(1, 0, 0, 1, 2)
    register = Register(key, "2611010000", address="0.1.2", time=time)
    assert describe_register(key, {key: register})[0].quantity == quantity


def test_register_of_a_past_period_has_its_code_in_its_name() -> None:
    past, present = (Obis(1, 0, 96, 5, 0, period) for period in (1, 255))
    registers: dict[Key, Register] = {past: Register(past, "01"), present: Register(present, "02")}
    assert describe_register(past, registers)[1] == " (1-0:96.5.0*1)"
    assert describe_register(present, registers)[1] == ""
    assert meaning("1-0:0.1.2*12", "19-04-01,00:00")[1] == " (1-0:0.1.2*12)"


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("1-0:1.8.0*255", "kWh"),
        ("1-0:1.8.1*255", "kWh"),
        ("1-0:1.8.1*3", "kWh"),
        ("1-0:15.8.0*255", "kWh"),
        ("1-1:2.8.0*255", "kWh"),
        ("1-0:21.8.0*255", "kWh"),
        ("1-0:1.9.0*255", "kWh"),
        ("1-0:3.8.0*255", "kvarh"),
        ("1-0:8.8.4*255", "kvarh"),
        ("1-0:9.8.0*255", "kVAh"),
        ("1-0:10.8.0*255", "kVAh"),
        ("1-0:1.7.0*255", "kW"),
        ("1-0:15.7.0*255", "kW"),
        ("1-0:36.7.0*255", "kW"),
        ("1-0:1.7.255*255", "kW"),
        ("1-0:1.4.0*255", "kW"),
        ("1-0:1.5.0*255", "kW"),
        ("1-0:1.6.1*255", "kW"),
        ("1-0:15.6.0*255", "kW"),
        ("1-0:15.2.0*255", "kW"),
        ("1-0:3.7.0*255", "kvar"),
        ("1-0:5.6.0*255", "kvar"),
        ("1-0:9.7.0*255", "kVA"),
        ("1-0:10.6.0*255", "kVA"),
        ("1-0:32.7.0*255", "V"),
        ("1-0:72.7.0*255", "V"),
        ("1-0:31.7.0*255", "A"),
        ("1-0:91.7.0*255", "A"),
        ("1-0:14.7.0*255", "Hz"),
        ("1-0:33.7.0*255", None),
        ("1-0:32.7.1*255", None),
        ("1-0:32.32.0*255", None),
        ("1-0:15.35.0*255", None),
        ("1-0:82.8.1*255", None),
        ("1-0:0.3.3*255", None),
        ("1-0:96.6.3*255", None),
        ("0-1:24.2.1*255", None),
        ("6-0:1.8.0*255", None),
    ],
)
def test_unit_that_the_meter_does_not_write(code: str, unit: str | None) -> None:
    obis = Obis.parse(code)
    number = Register(obis, Decimal("1.32"), address="x")
    assert with_implied_unit(obis, number) == Register(obis, Decimal("1.32"), unit, address="x")


@pytest.mark.parametrize(
    "register",
    [
        Register(Obis(1, 0, 1, 8, 0), Decimal(1)),  # of a protocol that sends units as numbers
        Register(Obis(1, 0, 1, 8, 0), Decimal(1), "Wh", address="1.8.0"),
        Register(Obis(1, 0, 1, 8, 0), None, address="1.8.0"),
        Register(Obis(1, 0, 1, 8, 0), "1", address="1.8.0"),
        Register(Obis(1, 0, 96, 7, 0), "0008"),
        Register(Obis(1, 0, 96, 7, 0), "0A", address="C.7.0"),
        Register(Obis(1, 0, 96, 7, 0), "", address="C.7.0"),
        Register(Obis(1, 0, 96, 8, 0), "00104443", address="C.8.0"),
        Register(Obis(1, 0, 0, 2, 0), "12", address="0.2.0"),
    ],
)
def test_nothing_is_added_to_what_is_complete_or_not_sure(register: Register) -> None:
    assert register.obis is not None
    assert with_implied_unit(register.obis, register) is register


def test_nothing_is_added_to_an_address_without_code() -> None:
    register = Register(None, Decimal(1), address="6.8.1")
    assert with_implied_unit("6.8.1", register) is register


@pytest.mark.parametrize(
    ("code", "address"),
    [
        ("1-0:96.7.0*255", "C.7.0"),
        ("0-0:96.7.21*255", "0-0:96.7.21"),
        ("1-0:0.1.0*255", "0.1.0"),
        ("1-0:32.32.0*255", "1-0:32.32.0"),
    ],
)
def test_digits_of_a_counter_are_a_number(code: str, address: str) -> None:
    obis = Obis.parse(code)
    register = with_implied_unit(obis, Register(obis, "00012", address=address))
    assert register == Register(obis, 12, address=address)
    assert describe_register(obis, {obis: register})[0].quantity is COUNT
