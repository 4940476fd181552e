"""The limits of totals and power."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.registers.lookup import describe_register
from custom_components.onemeter.registers.table import (
    DESCRIPTIVE,
    GERMAN,
    HEAT_METER,
    MANY,
    MBUS,
    MBUS_MEDIA,
    MEASURED,
    OTHER_MEDIA,
    SPECIAL,
)
from custom_components.onemeter.totals.limits import limited, rule_of
from homeassistant.components.sensor import SensorStateClass

MAX_POWER = 43_470
TOTALS = (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)
UNITS = ("Wh", "kWh", "kvarh", "kVAh", "GJ", "L", "m³", "h", "min", "s", "W", "%", None)


def known_keys() -> Iterator[Key]:
    """Yield all codes and addresses of the table, and some others."""
    for phase in range(5):
        for group, processing in MEASURED:
            for tariff, period in ((0, 255), (1, 255), (0, 3), (77, 255)):
                yield Obis(1, phase % 2, group + 20 * phase, processing, tariff, period)
    for medium, group in OTHER_MEDIA:
        yield from (Obis(medium, 0, group, 0, 0), Obis(medium, 1, group, 0, 0, 3))
    for c, d, e in {*SPECIAL, *DESCRIPTIVE, *((c, d, 0) for c, d in MANY)}:
        yield from (Obis(a, 0, c, d, e) for a in (0, 1))
    yield from GERMAN
    yield from HEAT_METER
    yield from (f"{address}*1" for address in HEAT_METER)


def registers_of(key: Key, unit: str | None) -> dict[Key, Register]:
    return {key: Register(key if isinstance(key, Obis) else None, Decimal(5), unit)}


@pytest.mark.parametrize("unit", UNITS)
def test_every_register_that_is_shown_as_a_total_has_a_rule(unit: str | None) -> None:
    for key in known_keys():
        registers = registers_of(key, unit)
        quantity = describe_register(key, registers)[0].quantity
        is_total = quantity is not None and quantity.state_class in TOTALS
        assert (rule_of(key, registers, MAX_POWER) is not None) is is_total, (key, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_every_total_from_the_m_bus_has_a_rule(unit: str | None) -> None:
    for place, device_type in product(MBUS, (*MBUS_MEDIA, 99, None)):
        key = Obis(0, 2, *place)
        told: Value = None if device_type is None else f"{device_type:03}"
        registers = {
            **registers_of(key, unit),
            Obis(0, 2, 24, 1, 0): Register(Obis(0, 2, 24, 1, 0), told),
        }
        quantity = describe_register(key, registers)[0].quantity
        is_total = quantity is not None and quantity.state_class in TOTALS
        assert (rule_of(key, registers, MAX_POWER) is not None) is is_total, (key, device_type)


@pytest.mark.parametrize(
    ("code", "device_type", "unit", "most_per_hour"),
    [
        ("1-0:1.8.0", None, "Wh", "43.47"),
        ("1-0:21.8.0", None, "kWh", "43.47"),
        ("1-0:5.8.0", None, "kvarh", "43.47"),
        ("0-1:24.2.1", 2, "kWh", "43.47"),
        ("0-1:24.2.1", 3, "m³", "25"),
        ("7-0:3.0.0", None, "m³", "25"),
        ("7-0:3.0.0", None, "kWh", "300"),
        ("0-1:24.2.1", 7, "m³", "10"),
        ("9-0:1.0.0", None, "m³", "10"),
        ("0-1:24.2.1", 4, "GJ", "0.72"),
        ("6-0:1.0.0", None, "kWh", "200"),
        ("6-0:2.0.0", None, "m³", "35"),
        ("0-0:96.8.0", None, "h", "1"),
        ("0-0:96.7.0", None, None, "3600"),
    ],
)
def test_usual_maxima(
    code: str, device_type: int | None, unit: str | None, most_per_hour: str
) -> None:
    key = Obis.parse(code)
    type_key = Obis(0, key.b, 24, 1, 0)
    registers = registers_of(key, unit) | {type_key: Register(type_key, device_type)}
    rule = rule_of(key, registers, MAX_POWER)
    assert rule is not None
    assert rule.most_per_hour == Decimal(most_per_hour)


@pytest.mark.parametrize(
    ("code", "value", "unit", "is_known"),
    [
        ("1-0:16.7.0", 86_940, "W", True),
        ("1-0:16.7.0", "86940.1", "W", False),
        ("1-0:16.7.0", -86_941, "W", False),
        ("1-0:1.7.0", "86.940", "kW", True),
        ("1-0:1.7.0", "86.941", "kW", False),
        ("1-0:15.7.0", 1, "MW", False),
        ("1-0:21.7.0", 43_470, "W", True),
        ("1-0:21.7.0", 43_471, "W", False),
        ("1-0:76.7.0", -43_471, "W", False),
        ("1-0:3.7.0", "86.941", "kvar", False),
        ("1-0:151.7.0", 43_471, "var", False),
        ("1-0:9.7.0", 86_941, "VA", False),
        ("1-0:1.6.0", "86.941", "kW", False),
        ("1-0:1.6.1", "86.940", "kW", True),
        ("1-0:1.7.0", 10**40, "W", False),
        # A sum of maxima, a limit, and what is no power of the connection.
        ("1-0:1.2.0", 900, "kW", True),
        ("1-0:17.0.0", 999, "kW", True),
        ("1-0:12.7.0", 100_000, "V", True),
        ("6.6", 900, "kW", True),
        ("1-0:1.7.0", 100_000, None, True),
    ],
)
def test_power_that_cannot_pass_is_unknown(
    code: str, value: int | str, unit: str | None, is_known: bool
) -> None:
    number = Decimal(value) if isinstance(value, str) else value
    key = Obis.parse(code) if "-" in code else code
    register = Register(None, number, unit)
    assert limited(key, register, MAX_POWER).value == (number if is_known else None)


def test_power_with_its_true_sign_is_unknown_too() -> None:
    key = Obis.parse("1-0:15.7.0")
    register = Register(key, 100_000, "W", signed_value=-100_000)
    assert limited(key, register, MAX_POWER) == Register(key, None, "W")


@pytest.mark.parametrize(("sent", "repaired"), [("-4608.31", "163163.85"), ("-46.1", "167726.06")])
def test_negative_power_that_was_repaired_beyond_what_can_pass_is_unknown(
    sent: str, repaired: str
) -> None:
    """24 bits without sign, since the status word says that energy is imported."""
    key = Obis.parse("1-0:16.7.0")
    register = Register(key, Decimal(sent), "W", signed_value=Decimal(repaired))
    assert limited(key, register, MAX_POWER) == Register(key, None, "W")
