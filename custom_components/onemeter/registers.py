"""The one table: what each register of an electricity meter means to Home Assistant."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeGuard

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    DEGREE,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactiveEnergy,
    UnitOfReactivePower,
    UnitOfTemperature,
)

from .meter import Obis, Register, Value


@dataclass(frozen=True, slots=True)
class Quantity:
    """A physical quantity as Home Assistant shows it.

    The sensor's unit is always this one, whichever unit the meter sends, also when the meter
    changes it from one telegram to the next.
    """

    #: The sensor's unit.
    unit: str | None
    #: Powers of ten that lead from the units of meters to the sensor's unit.
    exponents: Mapping[str | None, int]
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None
    #: Decimal places to show; the state keeps all digits of the meter.
    precision: int | None = None
    #: Smaller at the meter than in the grid where there are current or voltage transformers. Not
    #: so for voltage and current alone, since each needs only one of both ratios.
    transformed: bool = False


_RISING = SensorStateClass.TOTAL_INCREASING
_MEASURED = SensorStateClass.MEASUREMENT

ENERGY = Quantity(
    unit=UnitOfEnergy.KILO_WATT_HOUR,
    exponents={"Wh": -3, "kWh": 0, "MWh": 3, "GWh": 6},
    device_class=SensorDeviceClass.ENERGY,
    state_class=_RISING,
    precision=3,
    transformed=True,
)
NET_ENERGY = replace(ENERGY, state_class=SensorStateClass.TOTAL)
REACTIVE_ENERGY = Quantity(
    unit=UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR,
    exponents={"varh": -3, "kvarh": 0, "Mvarh": 3},
    device_class=SensorDeviceClass.REACTIVE_ENERGY,
    state_class=_RISING,
    precision=3,
    transformed=True,
)
APPARENT_ENERGY = Quantity(
    unit="kVAh",
    exponents={"VAh": -3, "kVAh": 0, "MVAh": 3},
    state_class=_RISING,
    precision=3,
    transformed=True,
)
POWER = Quantity(
    unit=UnitOfPower.WATT,
    exponents={"W": 0, "kW": 3, "MW": 6},
    device_class=SensorDeviceClass.POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
)
REACTIVE_POWER = Quantity(
    unit=UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
    exponents={"var": 0, "kvar": 3, "Mvar": 6},
    device_class=SensorDeviceClass.REACTIVE_POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
)
APPARENT_POWER = Quantity(
    unit=UnitOfApparentPower.VOLT_AMPERE,
    exponents={"VA": 0, "kVA": 3, "MVA": 6},
    device_class=SensorDeviceClass.APPARENT_POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
)
VOLTAGE = Quantity(
    unit=UnitOfElectricPotential.VOLT,
    exponents={"mV": -3, "V": 0, "kV": 3},
    device_class=SensorDeviceClass.VOLTAGE,
    state_class=_MEASURED,
    precision=1,
)
CURRENT = Quantity(
    unit=UnitOfElectricCurrent.AMPERE,
    exponents={"mA": -3, "A": 0, "kA": 3},
    device_class=SensorDeviceClass.CURRENT,
    state_class=_MEASURED,
    precision=2,
)
FREQUENCY = Quantity(
    unit=UnitOfFrequency.HERTZ,
    exponents={"Hz": 0, "kHz": 3},
    device_class=SensorDeviceClass.FREQUENCY,
    state_class=_MEASURED,
    precision=2,
)
POWER_FACTOR = Quantity(
    unit=None,
    exponents={None: 0, "%": -2},
    device_class=SensorDeviceClass.POWER_FACTOR,
    state_class=_MEASURED,
    precision=3,
)
ANGLE = Quantity(
    unit=DEGREE,
    exponents={"°": 0},
    state_class=SensorStateClass.MEASUREMENT_ANGLE,
    precision=0,
)
TEMPERATURE = Quantity(
    unit=UnitOfTemperature.CELSIUS,
    exponents={"°C": 0},
    device_class=SensorDeviceClass.TEMPERATURE,
    state_class=_MEASURED,
    precision=1,
)
#: The meter's clock, in protocols that send a time as such.
TIME = Quantity(unit=None, exponents={}, device_class=SensorDeviceClass.TIMESTAMP)

#: What a unit alone tells about a register. Not so: % and none.
_BY_UNIT: Mapping[str | None, Quantity] = {
    unit: quantity
    for quantity in (
        ENERGY,
        REACTIVE_ENERGY,
        APPARENT_ENERGY,
        POWER,
        REACTIVE_POWER,
        APPARENT_POWER,
        VOLTAGE,
        CURRENT,
        FREQUENCY,
        ANGLE,
        TEMPERATURE,
    )
    for unit in quantity.exponents
}


class Line(NamedTuple):
    """A line of the table."""

    #: Translation key of the name.
    key: str
    #: None for what is shown as the meter words it.
    quantity: Quantity | None = None
    enabled: bool = True


#: What meters measure, by value groups C and D. C is that of the sum of all phases; plus 20, 40
#: and 60 it is that of L1, L2 and L3, plus 80 that of the neutral conductor (IEC 62056-61).
MEASURED: Mapping[tuple[int, int], Line] = {
    (1, 8): Line("energy_import", ENERGY),
    (2, 8): Line("energy_export", ENERGY),
    (15, 8): Line("energy_absolute", ENERGY),
    (16, 8): Line("energy_net", NET_ENERGY),
    (3, 8): Line("reactive_energy_import", REACTIVE_ENERGY),
    (4, 8): Line("reactive_energy_export", REACTIVE_ENERGY),
    (5, 8): Line("reactive_energy_q1", REACTIVE_ENERGY),
    (6, 8): Line("reactive_energy_q2", REACTIVE_ENERGY),
    (7, 8): Line("reactive_energy_q3", REACTIVE_ENERGY),
    (8, 8): Line("reactive_energy_q4", REACTIVE_ENERGY),
    (9, 8): Line("apparent_energy_import", APPARENT_ENERGY),
    (10, 8): Line("apparent_energy_export", APPARENT_ENERGY),
    (16, 7): Line("power", POWER),
    (1, 7): Line("power_import", POWER),
    (2, 7): Line("power_export", POWER),
    (15, 7): Line("power_absolute", POWER),
    (3, 7): Line("reactive_power_import", REACTIVE_POWER),
    (4, 7): Line("reactive_power_export", REACTIVE_POWER),
    (5, 7): Line("reactive_power_q1", REACTIVE_POWER),
    (6, 7): Line("reactive_power_q2", REACTIVE_POWER),
    (7, 7): Line("reactive_power_q3", REACTIVE_POWER),
    (8, 7): Line("reactive_power_q4", REACTIVE_POWER),
    (9, 7): Line("apparent_power_import", APPARENT_POWER),
    (10, 7): Line("apparent_power_export", APPARENT_POWER),
    (11, 7): Line("current", CURRENT),
    (12, 7): Line("voltage", VOLTAGE),
    (13, 7): Line("power_factor", POWER_FACTOR),
    (14, 7): Line("frequency", FREQUENCY),
    (1, 4): Line("demand_import", POWER, enabled=False),
    (2, 4): Line("demand_export", POWER, enabled=False),
    (1, 5): Line("last_demand_import", POWER, enabled=False),
    (2, 5): Line("last_demand_export", POWER, enabled=False),
    (1, 6): Line("maximum_demand_import", POWER),
    (2, 6): Line("maximum_demand_export", POWER),
    (12, 32): Line("voltage_sags", enabled=False),
    (12, 36): Line("voltage_swells", enabled=False),
}

#: Measured values of phases that have a group C of their own, with the scope of their name.
_SIGNED_REACTIVE_POWER = Line("reactive_power", REACTIVE_POWER)
_PHASE_ANGLE = Line("phase_angle", ANGLE, enabled=False)
SPECIAL: Mapping[tuple[int, int, int], tuple[Line, str]] = {
    (131, 7, 0): (_SIGNED_REACTIVE_POWER, ""),
    (151, 7, 0): (_SIGNED_REACTIVE_POWER, " L1"),
    (171, 7, 0): (_SIGNED_REACTIVE_POWER, " L2"),
    (191, 7, 0): (_SIGNED_REACTIVE_POWER, " L3"),
    (81, 7, 1): (_PHASE_ANGLE, " U L2 – U L1"),
    (81, 7, 2): (_PHASE_ANGLE, " U L3 – U L1"),
    (81, 7, 12): (_PHASE_ANGLE, " U L3 – U L2"),
    (81, 7, 4): (_PHASE_ANGLE, " I L1 – U L1"),
    (81, 7, 5): (_PHASE_ANGLE, " I L2 – U L1"),
    (81, 7, 6): (_PHASE_ANGLE, " I L3 – U L1"),
    (81, 7, 15): (_PHASE_ANGLE, " I L2 – U L2"),
    (81, 7, 26): (_PHASE_ANGLE, " I L3 – U L3"),
}

#: What tells about the meter and its state, by value groups C, D and E.
DESCRIPTIVE: Mapping[tuple[int, int, int], Line] = {
    (0, 2, 2): Line("active_tariff"),
    (96, 14, 0): Line("active_tariff"),
    (97, 97, 0): Line("error_register"),
    (96, 5, 0): Line("status_word", enabled=False),
    (0, 2, 0): Line("firmware", enabled=False),
    (96, 90, 2): Line("firmware_checksum", enabled=False),
    (0, 1, 0): Line("billing_resets", enabled=False),
    (96, 7, 0): Line("power_failures", enabled=False),
    (96, 7, 21): Line("power_failures", enabled=False),
    (96, 7, 9): Line("long_power_failures", enabled=False),
    (96, 3, 10): Line("breaker", enabled=False),
    (17, 0, 0): Line("power_limit", POWER, enabled=False),
    (96, 13, 0): Line("message", enabled=False),
    (0, 9, 1): Line("meter_time", enabled=False),
    (0, 9, 2): Line("meter_date", enabled=False),
    (1, 0, 0): Line("meter_clock", TIME, enabled=False),
}
#: The many ids of a meter, by value groups C and D; each bears its code in its name.
_IDENTIFICATION = Line("identification", enabled=False)
_IDENTIFICATION_GROUPS = ((0, 0), (42, 0), (96, 1))

#: What only German meters send, under codes in which every group counts.
GERMAN: Mapping[Obis, Line] = {
    Obis(1, 0, 96, 50, 1, 1): Line("manufacturer", enabled=False),
    Obis(129, 129, 199, 130, 3): Line("manufacturer", enabled=False),
    Obis(129, 129, 199, 130, 5): Line("public_key", enabled=False),
}

_UNKNOWN = Line("register", enabled=False)

_ELECTRICITY = 1
_INSTANTANEOUS = 7
_CURRENT_PERIOD = 255
_TARIFFS = range(1, 64)
_CONDUCTORS = ("", " L1", " L2", " L3", " N")
_NEUTRAL = 4
#: Groups C of the neutral conductor: its current and voltage.
_OF_NEUTRAL = (91, 92)


def is_total(obis: Obis) -> bool:
    """Tell whether a register counts up and, in a sound meter, never goes down."""
    return _state_class(obis) is SensorStateClass.TOTAL_INCREASING


def is_net(obis: Obis) -> bool:
    """Tell whether a register counts up and down, as import minus export does."""
    return _state_class(obis) is SensorStateClass.TOTAL


def is_number(value: Value) -> TypeGuard[Decimal | int]:
    """Tell whether a register's value can be reckoned with."""
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


def interpret(obis: Obis, registers: Mapping[Obis, Register]) -> tuple[Line, str]:
    """Return what a register means to Home Assistant, and the scope that follows its name.

    A code that the table does not know, or whose unit is none of the line's quantity, is taken for
    what its value and unit tell. The whole code is in the scope only where the name needs it.
    """
    register = registers[obis]
    code = f"{obis.a}-{obis.b}:{obis.short}"
    line, scope = _look_up(obis)
    if line is _UNKNOWN or not _fits(register, line.quantity):
        return _UNKNOWN._replace(quantity=_guess(obis, register)), code
    if line.quantity is not None and obis.f != _CURRENT_PERIOD:
        past = replace(line.quantity, state_class=None)
        return line._replace(quantity=past, enabled=False), f"{scope} ({code})"
    if line is _IDENTIFICATION or _has_twin(obis, registers):
        return line, f"{scope} ({code})"
    return line, scope


def _look_up(obis: Obis) -> tuple[Line, str]:
    """Return the line of a code, and the conductor and tariff in it as a name shows them."""
    a, b, c, d, e, _ = obis
    if a == _ELECTRICITY:
        if special := SPECIAL.get((c, d, e)):
            return special
        phase, offset = divmod(c - 1, 20)
        if (line := MEASURED.get((offset + 1, d))) and (phase < _NEUTRAL or c in _OF_NEUTRAL):
            if e in ((0, 255) if d == _INSTANTANEOUS else (0,)):
                return line, _CONDUCTORS[phase]
            if d != _INSTANTANEOUS and e in _TARIFFS:
                return line, f"{_CONDUCTORS[phase]} T{e}"
    if a == _ELECTRICITY or (a, b) == (0, 0):
        if (c, d) in _IDENTIFICATION_GROUPS:
            return _IDENTIFICATION, ""
        if line := DESCRIPTIVE.get((c, d, e)):
            return line, ""
    return GERMAN.get(obis, _UNKNOWN), ""


def _state_class(obis: Obis) -> SensorStateClass | None:
    """Return the state class of a code that the table knows, in its current period."""
    quantity = _look_up(obis)[0].quantity
    return None if quantity is None or obis.f != _CURRENT_PERIOD else quantity.state_class


def _has_twin(obis: Obis, registers: Mapping[Obis, Register]) -> bool:
    """Tell whether a lower channel has the same register, which then needs the name alone."""
    return any(Obis(obis.a, b, *obis[2:]) in registers for b in range(obis.b))


def _fits(register: Register, quantity: Quantity | None) -> bool:
    """Tell whether a register's value is, as far as it is there, one of this quantity."""
    if quantity is TIME:
        return register.value is None or _is_time(register.value)
    return quantity is None or not is_number(register.value) or register.unit in quantity.exponents


def _guess(obis: Obis, register: Register) -> Quantity | None:
    """Return what the value and unit of a register that is not in the table tell for sure."""
    if _is_time(register.value):
        return TIME
    if register.unit is None or not is_number(register.value):
        return None
    unit = register.unit
    quantity = _BY_UNIT.get(unit, Quantity(unit, {unit: 0}, state_class=_MEASURED))
    momentary = (obis.a, obis.d, obis.f) == (_ELECTRICITY, _INSTANTANEOUS, _CURRENT_PERIOD)
    if not momentary or quantity.state_class is _RISING:
        quantity = replace(quantity, state_class=None)
    return replace(quantity, precision=None)


def _is_time(value: Value) -> bool:
    """Tell whether a register's value is a point in time."""
    return isinstance(value, datetime) and value.tzinfo is not None
