"""What registers mean, and that Home Assistant agrees."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Obis, Register, Value
from custom_components.onemeter.registers import (
    ANGLE,
    APPARENT_ENERGY,
    APPARENT_POWER,
    CURRENT,
    DESCRIPTIVE,
    ENERGY,
    FREQUENCY,
    MEASURED,
    NET_ENERGY,
    POWER,
    POWER_FACTOR,
    REACTIVE_ENERGY,
    REACTIVE_POWER,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Line,
    Quantity,
    interpret,
    is_net,
    is_total,
)
from homeassistant.components.sensor import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    SensorStateClass,
)
from homeassistant.components.sensor.const import STATE_CLASS_UNITS

QUANTITIES = [
    ENERGY,
    NET_ENERGY,
    REACTIVE_ENERGY,
    APPARENT_ENERGY,
    POWER,
    REACTIVE_POWER,
    APPARENT_POWER,
    VOLTAGE,
    CURRENT,
    FREQUENCY,
    POWER_FACTOR,
    ANGLE,
    TEMPERATURE,
]


def meaning(
    code: str, value: Value = None, unit: str | None = None, *others: str
) -> tuple[Line, str]:
    obis = Obis.parse(code)
    registers = {obis: Register(obis, value, unit)}
    registers |= {Obis.parse(other): Register(Obis.parse(other), None) for other in others}
    return interpret(obis, registers)


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
    ],
)
def test_measured(code: str, unit: str | None, name: str, quantity: Quantity) -> None:
    line, scope = meaning(code, 1, unit)
    assert f"{line.key}{scope}" == name
    assert line.quantity == quantity


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
        ("1-0:32.32.0*255", "00002", "voltage_sags L1"),
        ("0-0:96.7.21*255", "00004", "power_failures"),
    ],
)
def test_descriptive(code: str, value: Value, name: str) -> None:
    line, scope = meaning(code, value)
    assert f"{line.key}{scope}" == name
    assert line.quantity is None


@pytest.mark.parametrize(
    ("code", "value", "unit", "state_class"),
    [
        ("1-0:32.7.1*255", 2, "%", SensorStateClass.MEASUREMENT),
        ("1-0:17.7.0*255", 2, "W", SensorStateClass.MEASUREMENT),
        ("1-0:81.7.60*255", 2, "°", SensorStateClass.MEASUREMENT_ANGLE),
        ("1-0:17.7.0*255", 2, "Wh", None),  # an energy is nothing instantaneous
        ("1-0:1.20.0*255", 83038, "kWh", None),
        ("1-0:93.7.0*255", 2, None, None),
        ("1-0:82.8.1*255", "1", None, None),
        ("1-0:96.50.1*4", "P1.2.12", None, None),
        ("1-0:1.8.64*255", 2, "kWh", None),
        ("1-0:1.7.1*255", None, "W", None),
        ("0-1:24.2.1*255", Decimal("1.5"), "m³", None),
        ("0-1:96.1.0*255", "3232", None, None),
        ("6-0:1.7.0*255", 5, "kW", None),
        ("1-0:96.99.99*255", True, None, None),
        # Known codes with numbers in units that are none of theirs.
        ("1-0:1.8.0*255", 1, None, None),
        ("1-0:1.8.0*255", 1, "m³", None),
        ("0-0:1.0.0*255", 1, "s", None),
    ],
)
def test_what_is_not_in_the_table(
    code: str, value: Value, unit: str | None, state_class: SensorStateClass | None
) -> None:
    line, scope = meaning(code, value, unit)
    assert (line.key, line.enabled) == ("register", False)
    assert scope == code.removesuffix("*255")
    assert getattr(line.quantity, "state_class", None) is state_class


@pytest.mark.parametrize(
    ("unit", "shown", "device_class"),
    [
        ("kW", "W", "power"),
        ("V", "V", "voltage"),
        ("°C", "°C", "temperature"),
        ("Wh", "kWh", "energy"),
        ("m³", "m³", None),
        ("h", "h", None),
        ("imp/kWh", "imp/kWh", None),
        ("%", "%", None),
    ],
)
def test_unit_alone(unit: str, shown: str, device_class: str | None) -> None:
    quantity = meaning("1-0:0.3.0*255", 1, unit)[0].quantity
    assert quantity is not None
    assert (quantity.unit, quantity.device_class) == (shown, device_class)
    assert quantity.state_class is None


def test_past_period_counts_for_no_statistics() -> None:
    line, scope = meaning("1-0:1.8.1*1", 5, "kWh")
    assert (line.key, scope, line.enabled) == ("energy_import", " T1 (1-0:1.8.1*1)", False)
    assert line.quantity is not None
    assert (line.quantity.device_class, line.quantity.state_class) == ("energy", None)


def test_channel_is_named_where_two_have_the_register() -> None:
    assert meaning("1-1:1.8.0*255", 5, "kWh", "1-0:1.8.0*255")[1] == " (1-1:1.8.0)"
    assert meaning("1-1:1.8.0*255", 5, "kWh", "1-2:1.8.0*255", "1-0:2.8.0*255")[1] == ""


def test_known_register_without_value_waits_for_one() -> None:
    line, _ = meaning("1-0:16.7.0*255")
    assert (line.key, line.quantity) == ("power", POWER)


def test_time() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert meaning("0-0:1.0.0*255", now)[0] == Line("meter_clock", TIME, enabled=False)
    assert meaning("1-0:0.99.0*255", now)[0] == Line("register", TIME, enabled=False)
    # The text of a time is shown as it is, for it does not say in which zone it counts.
    assert meaning("0-0:1.0.0*255", "201020085222W")[0].quantity is None


@pytest.mark.parametrize(
    ("code", "total", "net"),
    [
        ("1-0:1.8.0*255", True, False),
        ("1-0:2.8.2*255", True, False),
        ("1-1:8.8.0*255", True, False),
        ("1-0:21.8.0*255", True, False),
        ("1-0:15.8.0*255", True, False),
        ("1-0:16.8.0*255", False, True),
        ("1-0:36.8.0*255", False, True),
        ("1-0:1.8.0*1", False, False),
        ("1-0:16.8.0*1", False, False),
        ("1-0:1.7.0*255", False, False),
        ("1-0:1.6.0*255", False, False),
        ("1-0:82.8.1*255", False, False),
        ("6-0:1.8.0*255", False, False),
        ("1-0:96.8.0*255", False, False),
    ],
)
def test_totals(code: str, total: bool, net: bool) -> None:
    obis = Obis.parse(code)
    assert (is_total(obis), is_net(obis)) == (total, net)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.unit)
def test_home_assistant_allows(quantity: Quantity) -> None:
    device_class, state_class = quantity.device_class, quantity.state_class
    assert device_class is None or quantity.unit in DEVICE_CLASS_UNITS[device_class]
    assert device_class is None or state_class in DEVICE_CLASS_STATE_CLASSES[device_class]
    assert state_class is not None
    assert quantity.unit in STATE_CLASS_UNITS.get(state_class, {quantity.unit})
    assert quantity.exponents[quantity.unit] == 0


def test_no_other_quantity_is_in_the_table() -> None:
    lines = [*MEASURED.values(), *DESCRIPTIVE.values()]
    assert all(line.quantity in [*QUANTITIES, TIME, None] for line in lines)
