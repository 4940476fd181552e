"""The physical quantities of meters, as Home Assistant shows them."""

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
    #: The unit of numbers that meters write without one.
    implied: str | None = None
    #: The most by which a total rises in an hour, in the sensor's unit; None where *Maximum power*
    #: tells that.
    most_per_hour: Decimal | None = None
    #: The same in units from which no power of ten leads to the sensor's unit.
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
#: Begins anew with each billing period, when the meter says so.
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
#: The sum of all billing periods' maxima is no power that ever was.
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
#: Heat and cold, which the meters of different countries count in different units: 200 kW.
HEAT = replace(ENERGY, precision=None, most_per_hour=Decimal(200), otherwise=ENERGY_IN_JOULES)
#: What flows through a heat meter: 200 kW at a difference of 5 K.
VOLUME = Quantity(
    unit=UnitOfVolume.CUBIC_METERS,
    exponents={"L": -3, "l": -3, "m³": 0},
    device_class=SensorDeviceClass.VOLUME,
    state_class=_RISING,
    precision=3,
    most_per_hour=Decimal(35),
)
#: A meter of size G16; in other units what that is in energy.
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

#: Nothing that meters count happens more than once a second.
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
#: What is left of a time falls.
HOURS_LEFT = replace(HOURS, state_class=_MEASURED)
TIME_DIFFERENCE = replace(SECONDS, state_class=_MEASURED)
#: A point in time without time zone: as the meter's clock counts.
LOCAL_TIME = Quantity(unit=None, exponents={})
#: A point in time.
TIME = replace(LOCAL_TIME, device_class=SensorDeviceClass.TIMESTAMP, otherwise=LOCAL_TIME)

#: What a unit alone tells about a register. Not so: % and none.
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
