"""The physical quantities of registers, and their units and classes in Home Assistant."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

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
    UnitOfTime,
    UnitOfVolume,
    UnitOfVolumeFlowRate,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A physical quantity in Home Assistant.

    The sensor always has this unit, even if the meter sends different units from one telegram to
    the next.
    """

    #: The sensor's unit.
    unit: str | None
    #: The exponent of ten that converts each unit of a meter to the sensor's unit.
    exponents: Mapping[str | None, int]
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None
    #: Displayed decimals; the state has all digits of the meter.
    precision: int | None = None
    #: The multiplier for current and voltage transformers applies. Not for voltage and current:
    #: each needs only one of the two ratios.
    transformed: bool = False
    #: The unit of numbers without unit in protocols that write registers as text.
    implied: str | None = None
    #: The largest rise of a total in an hour, in the sensor's unit; None if *Maximum power*
    #: determines it.
    most_per_hour: Decimal | None = None
    #: The same quantity in units that no power of ten converts to the sensor's unit.
    otherwise: Self | None = None


_RISING = SensorStateClass.TOTAL_INCREASING
_MEASURED = SensorStateClass.MEASUREMENT

ENERGY = Quantity(
    unit=UnitOfEnergy.KILO_WATT_HOUR,
    exponents={"Wh": -3, "kWh": 0, "MWh": 3, "GWh": 6},
    device_class=SensorDeviceClass.ENERGY,
    state_class=_RISING,
    precision=3,
    transformed=True,
    implied="kWh",
)
NET_ENERGY = replace(ENERGY, state_class=SensorStateClass.TOTAL)
#: Restarts at zero when the meter begins a billing period.
PERIOD_ENERGY = replace(ENERGY, state_class=None)
REACTIVE_ENERGY = Quantity(
    unit=UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR,
    exponents={"varh": -3, "kvarh": 0, "Mvarh": 3},
    device_class=SensorDeviceClass.REACTIVE_ENERGY,
    state_class=_RISING,
    precision=3,
    transformed=True,
    implied="kvarh",
)
APPARENT_ENERGY = Quantity(
    unit="kVAh",
    exponents={"VAh": -3, "kVAh": 0, "MVAh": 3},
    state_class=_RISING,
    precision=3,
    transformed=True,
    implied="kVAh",
)
POWER = Quantity(
    unit=UnitOfPower.WATT,
    exponents={"W": 0, "kW": 3, "MW": 6},
    device_class=SensorDeviceClass.POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
    implied="kW",
)
#: The sum of the maxima of all billing periods, which is no power.
CUMULATED_POWER = replace(POWER, state_class=None)
REACTIVE_POWER = Quantity(
    unit=UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
    exponents={"var": 0, "kvar": 3, "Mvar": 6},
    device_class=SensorDeviceClass.REACTIVE_POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
    implied="kvar",
)
APPARENT_POWER = Quantity(
    unit=UnitOfApparentPower.VOLT_AMPERE,
    exponents={"VA": 0, "kVA": 3, "MVA": 6},
    device_class=SensorDeviceClass.APPARENT_POWER,
    state_class=_MEASURED,
    precision=0,
    transformed=True,
    implied="kVA",
)
VOLTAGE = Quantity(
    unit=UnitOfElectricPotential.VOLT,
    exponents={"mV": -3, "V": 0, "kV": 3},
    device_class=SensorDeviceClass.VOLTAGE,
    state_class=_MEASURED,
    precision=1,
    implied="V",
)
CURRENT = Quantity(
    unit=UnitOfElectricCurrent.AMPERE,
    exponents={"mA": -3, "A": 0, "kA": 3},
    device_class=SensorDeviceClass.CURRENT,
    state_class=_MEASURED,
    precision=2,
    implied="A",
)
FREQUENCY = Quantity(
    unit=UnitOfFrequency.HERTZ,
    exponents={"Hz": 0, "kHz": 3},
    device_class=SensorDeviceClass.FREQUENCY,
    state_class=_MEASURED,
    precision=2,
    implied="Hz",
)
POWER_FACTOR = Quantity(
    unit=None,
    exponents={None: 0, "%": -2},
    device_class=SensorDeviceClass.POWER_FACTOR,
    state_class=_MEASURED,
    precision=3,
)
TAN_PHI = Quantity(unit=None, exponents={}, state_class=_MEASURED, precision=3)
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

ENERGY_IN_JOULES = Quantity(
    unit=UnitOfEnergy.GIGA_JOULE,
    exponents={"kJ": -6, "MJ": -3, "GJ": 0},
    device_class=SensorDeviceClass.ENERGY,
    state_class=_RISING,
    precision=3,
    most_per_hour=Decimal("0.72"),
)
#: Heating and cooling, in different units in different countries; at most 200 kW.
HEAT = replace(ENERGY, precision=None, most_per_hour=Decimal(200), otherwise=ENERGY_IN_JOULES)
#: The volume of a heat meter: at most 200 kW at a temperature difference of 5 K.
VOLUME = Quantity(
    unit=UnitOfVolume.CUBIC_METERS,
    exponents={"L": -3, "l": -3, "m³": 0},
    device_class=SensorDeviceClass.VOLUME,
    state_class=_RISING,
    precision=3,
    most_per_hour=Decimal(35),
)
#: At most that of a G16 meter; in other units the energy of that volume.
GAS = replace(
    VOLUME,
    device_class=SensorDeviceClass.GAS,
    most_per_hour=Decimal(25),
    otherwise=replace(
        HEAT,
        most_per_hour=Decimal(300),
        otherwise=replace(ENERGY_IN_JOULES, most_per_hour=Decimal("1.08")),
    ),
)
WATER = replace(VOLUME, device_class=SensorDeviceClass.WATER, most_per_hour=Decimal(10))
FLOW = Quantity(
    unit=UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR,
    exponents={"L/h": -3, "l/h": -3, "m³/h": 0},
    device_class=SensorDeviceClass.VOLUME_FLOW_RATE,
    state_class=_MEASURED,
    precision=3,
)

#: Events that meters count, at most one per second.
COUNT = Quantity(
    unit=None,
    exponents={None: 0},
    state_class=_RISING,
    precision=0,
    most_per_hour=Decimal(3600),
)
IMPULSE_COUNT = replace(COUNT, unit="imp", exponents={"imp": 0})
IMPULSE_RATE = Quantity(
    unit="imp/min", exponents={"imp/min": 0}, state_class=_MEASURED, precision=1
)
HOURS = Quantity(
    unit=UnitOfTime.HOURS,
    exponents={"h": 0},
    device_class=SensorDeviceClass.DURATION,
    state_class=_RISING,
    precision=0,
    most_per_hour=Decimal(1),
)
MINUTES = replace(HOURS, unit=UnitOfTime.MINUTES, exponents={"min": 0}, most_per_hour=Decimal(60))
SECONDS = replace(HOURS, unit=UnitOfTime.SECONDS, exponents={"s": 0}, most_per_hour=Decimal(3600))
#: Remaining time, which falls.
HOURS_LEFT = replace(HOURS, state_class=_MEASURED)
TIME_DIFFERENCE = replace(SECONDS, state_class=_MEASURED)
#: A point in time by the meter's clock, without time zone.
LOCAL_TIME = Quantity(unit=None, exponents={})
#: A point in time.
TIME = replace(LOCAL_TIME, device_class=SensorDeviceClass.TIMESTAMP, otherwise=LOCAL_TIME)

#: The quantity of a unit, for registers that are not in the table. % and no unit are ambiguous.
BY_UNIT: Mapping[str | None, Quantity] = {
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
        ENERGY_IN_JOULES,
        VOLUME,
        FLOW,
        HOURS,
        MINUTES,
        SECONDS,
    )
    for unit in quantity.exponents
}
