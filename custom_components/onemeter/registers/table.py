"""The one table: what each register of a meter means to Home Assistant."""

from collections.abc import Mapping
from typing import NamedTuple

from ..meter import Obis
from ..meter.obis import C, D
from .quantities import (
    ANGLE,
    APPARENT_ENERGY,
    APPARENT_POWER,
    COUNT,
    CUMULATED_POWER,
    CURRENT,
    ENERGY,
    FLOW,
    FREQUENCY,
    GAS,
    HEAT,
    HOURS,
    HOURS_LEFT,
    IMPULSE_COUNT,
    IMPULSE_RATE,
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


class Line(NamedTuple):
    """A line of the table."""

    #: Translation key of the name.
    key: str
    #: None for what is shown as the meter words it.
    quantity: Quantity | None = None
    enabled: bool = True
    #: It is no measurement, but tells about the meter and its state.
    diagnostic: bool = False


def _about(key: str, quantity: Quantity | None = None, *, enabled: bool = False) -> Line:
    """Return a line that tells about the meter and its state."""
    return Line(key, quantity, enabled, diagnostic=True)


#: Measured quantities by value groups C and D; C is that of all phases.
MEASURED: Mapping[tuple[int, int], Line] = {
    (C.ACTIVE_IMPORT, D.ENERGY): Line("energy_import", ENERGY),
    (C.ACTIVE_EXPORT, D.ENERGY): Line("energy_export", ENERGY),
    (C.ACTIVE_ABSOLUTE, D.ENERGY): Line("energy_absolute", ENERGY),
    (C.ACTIVE_NET, D.ENERGY): Line("energy_net", NET_ENERGY),
    (C.REACTIVE_IMPORT, D.ENERGY): Line("reactive_energy_import", REACTIVE_ENERGY),
    (C.REACTIVE_EXPORT, D.ENERGY): Line("reactive_energy_export", REACTIVE_ENERGY),
    (C.REACTIVE_Q1, D.ENERGY): Line("reactive_energy_q1", REACTIVE_ENERGY),
    (C.REACTIVE_Q2, D.ENERGY): Line("reactive_energy_q2", REACTIVE_ENERGY),
    (C.REACTIVE_Q3, D.ENERGY): Line("reactive_energy_q3", REACTIVE_ENERGY),
    (C.REACTIVE_Q4, D.ENERGY): Line("reactive_energy_q4", REACTIVE_ENERGY),
    (C.APPARENT_IMPORT, D.ENERGY): Line("apparent_energy_import", APPARENT_ENERGY),
    (C.APPARENT_EXPORT, D.ENERGY): Line("apparent_energy_export", APPARENT_ENERGY),
    (C.ACTIVE_IMPORT, D.PERIOD_ENERGY): Line("period_energy_import", PERIOD_ENERGY, enabled=False),
    (C.ACTIVE_EXPORT, D.PERIOD_ENERGY): Line("period_energy_export", PERIOD_ENERGY, enabled=False),
    (C.ACTIVE_IMPORT, D.KAMSTRUP_ENERGY): Line("energy_import", ENERGY),
    (C.ACTIVE_NET, D.INSTANTANEOUS): Line("power", POWER),
    (C.ACTIVE_IMPORT, D.INSTANTANEOUS): Line("power_import", POWER),
    (C.ACTIVE_EXPORT, D.INSTANTANEOUS): Line("power_export", POWER),
    (C.ACTIVE_ABSOLUTE, D.INSTANTANEOUS): Line("power_absolute", POWER),
    (C.REACTIVE_IMPORT, D.INSTANTANEOUS): Line("reactive_power_import", REACTIVE_POWER),
    (C.REACTIVE_EXPORT, D.INSTANTANEOUS): Line("reactive_power_export", REACTIVE_POWER),
    (C.REACTIVE_Q1, D.INSTANTANEOUS): Line("reactive_power_q1", REACTIVE_POWER),
    (C.REACTIVE_Q2, D.INSTANTANEOUS): Line("reactive_power_q2", REACTIVE_POWER),
    (C.REACTIVE_Q3, D.INSTANTANEOUS): Line("reactive_power_q3", REACTIVE_POWER),
    (C.REACTIVE_Q4, D.INSTANTANEOUS): Line("reactive_power_q4", REACTIVE_POWER),
    (C.APPARENT_IMPORT, D.INSTANTANEOUS): Line("apparent_power_import", APPARENT_POWER),
    (C.APPARENT_EXPORT, D.INSTANTANEOUS): Line("apparent_power_export", APPARENT_POWER),
    (C.CURRENT, D.INSTANTANEOUS): Line("current", CURRENT),
    (C.VOLTAGE, D.INSTANTANEOUS): Line("voltage", VOLTAGE),
    (C.POWER_FACTOR, D.INSTANTANEOUS): Line("power_factor", POWER_FACTOR),
    (C.FREQUENCY, D.INSTANTANEOUS): Line("frequency", FREQUENCY),
    (C.ACTIVE_IMPORT, D.DEMAND): Line("demand_import", POWER, enabled=False),
    (C.ACTIVE_EXPORT, D.DEMAND): Line("demand_export", POWER, enabled=False),
    (C.ACTIVE_IMPORT, D.LAST_DEMAND): Line("last_demand_import", POWER, enabled=False),
    (C.ACTIVE_EXPORT, D.LAST_DEMAND): Line("last_demand_export", POWER, enabled=False),
    (C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND): Line("maximum_demand_import", POWER),
    (C.ACTIVE_EXPORT, D.MAXIMUM_DEMAND): Line("maximum_demand_export", POWER),
    (C.ACTIVE_ABSOLUTE, D.MAXIMUM_DEMAND): Line("maximum_demand_absolute", POWER),
    (C.ACTIVE_IMPORT, D.CUMULATED_DEMAND): Line(
        "cumulated_demand_import", CUMULATED_POWER, enabled=False
    ),
    (C.ACTIVE_EXPORT, D.CUMULATED_DEMAND): Line(
        "cumulated_demand_export", CUMULATED_POWER, enabled=False
    ),
    (C.ACTIVE_ABSOLUTE, D.CUMULATED_DEMAND): Line(
        "cumulated_demand_absolute", CUMULATED_POWER, enabled=False
    ),
    (C.VOLTAGE, D.SAGS): _about("voltage_sags", COUNT),
    (C.VOLTAGE, D.SWELLS): _about("voltage_swells", COUNT),
}

#: What is known by value groups C, D and E, with the scope of its name.
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
_ACTIVE_TARIFF = _about("active_tariff", enabled=True)
_POWER_FAILURES = _about("power_failures", COUNT)
#: A binary sensor says whether there is an error; this one names it.
ERROR_REGISTER = _about("error_register")
DESCRIPTIVE: Mapping[tuple[int, int, int], tuple[Line, str]] = {
    (0, 2, 2): (_ACTIVE_TARIFF, ""),
    (96, 14, 0): (_ACTIVE_TARIFF, ""),
    (97, 97, 0): (ERROR_REGISTER, ""),
    (96, 5, 0): (_about("status_word"), ""),
    (0, 2, 0): (_about("firmware"), ""),
    (96, 90, 2): (_about("firmware_checksum"), ""),
    (0, 1, 0): (_about("billing_resets", COUNT), ""),
    (0, 1, 2): (_about("billing_reset_time", TIME), ""),
    (96, 6, 0): (_about("battery_time_used", HOURS), ""),
    (96, 6, 1): (_about("battery_time_left", HOURS_LEFT), ""),
    (96, 6, 3): (_about("battery_voltage", VOLTAGE, enabled=True), ""),
    (96, 7, 0): (_POWER_FAILURES, ""),
    (96, 7, 1): (_POWER_FAILURES, " L1"),
    (96, 7, 2): (_POWER_FAILURES, " L2"),
    (96, 7, 3): (_POWER_FAILURES, " L3"),
    (96, 7, 21): (_POWER_FAILURES, ""),
    (96, 7, 9): (_about("long_power_failures", COUNT), ""),
    (96, 8, 0): (_about("operating_time", HOURS), ""),
    (96, 3, 10): (_about("breaker"), ""),
    (17, 0, 0): (Line("power_limit", POWER, enabled=False), ""),
    (96, 13, 0): (_about("message"), ""),
    (0, 9, 1): (_about("meter_time"), ""),
    (0, 9, 2): (_about("meter_date"), ""),
    (1, 0, 0): (_about("meter_clock", TIME), ""),
}
#: Of these, by value groups C and D, a meter has many; each bears its code in its name.
_IDENTIFICATION = _about("identification")
MANY: Mapping[tuple[int, int], Line] = {
    (0, 0): _IDENTIFICATION,
    (42, 0): _IDENTIFICATION,
    (96, 1): _IDENTIFICATION,
    (0, 2): _about("version"),
    (0, 3): _about("impulse_constant"),
    (0, 4): _about("transformer_ratio"),
    (0, 8): _about("period_length"),
    (96, 5): _about("status_word"),
    (96, 8): _about("operating_time", HOURS),
    (97, 97): ERROR_REGISTER,
}

#: What only German meters send, under codes in which every group counts.
GERMAN: Mapping[Obis, Line] = {
    Obis(1, 0, 96, 50, 1, 1): _about("manufacturer"),
    Obis(129, 129, 199, 130, 3): _about("manufacturer"),
    Obis(129, 129, 199, 130, 5): _about("public_key"),
}

_COOLING_ENERGY = Line("cooling_energy", HEAT)
_HEAT_ENERGY = Line("heat_energy", HEAT)
_HEAT_VOLUME = Line("heat_volume", VOLUME)
_GAS = Line("gas", GAS)
_WARM_WATER = Line("warm_water", WATER)
_WATER = Line("water", WATER)
#: The present totals of other media (D and E are 0), by value groups A and C.
OTHER_MEDIA: Mapping[tuple[int, int], Line] = {
    (5, 1): _COOLING_ENERGY,
    (5, 2): _HEAT_VOLUME,
    (6, 1): _HEAT_ENERGY,
    (6, 2): _HEAT_VOLUME,
    (7, 1): _GAS,
    (7, 3): _GAS,
    (8, 1): _WATER,
    (9, 1): _WARM_WATER,
}
#: What a meter on the M-Bus counts, by the type of device (EN 13757-3) that it tells in 0-n:24.1.0.
MBUS_MEDIA: Mapping[int, Line] = {
    2: Line("energy_import", ENERGY),
    3: _GAS,
    4: _HEAT_ENERGY,
    6: _WARM_WATER,
    7: _WATER,
    10: _COOLING_ENERGY,
    11: _COOLING_ENERGY,
    12: _HEAT_ENERGY,
    13: _HEAT_ENERGY,
    21: _WARM_WATER,
    22: _WATER,
}
#: What electricity meters pass on from a meter on the M-Bus, by value groups C, D and E; None for
#: its total, whose meaning depends on the type of device.
MBUS: Mapping[tuple[int, int, int], Line | None] = {
    (24, 1, 0): _about("device_type"),
    (24, 2, 1): None,
    (24, 2, 3): None,
    (24, 3, 0): None,
    (24, 4, 0): _about("valve"),
    (96, 1, 0): _IDENTIFICATION,
    (96, 1, 1): _IDENTIFICATION,
}
#: Addresses of heat meters, which are no OBIS codes.
HEAT_METER: Mapping[str, Line] = {
    "6.8": _HEAT_ENERGY,
    "6.26": _HEAT_VOLUME,
    "6.6": Line("maximum_heat_power", POWER),
    "6.33": Line("maximum_flow", FLOW),
    "6.31": _about("operating_time", HOURS),
    "6.32": _about("missing_time", HOURS),
    "9.4": _about("maximum_temperatures"),
    "9.36": _about("meter_clock", TIME),
    "F": ERROR_REGISTER,
}

#: What is told of impulses besides energy and power; no OBIS codes either.
IMPULSES: Mapping[str, Line] = {
    "impulses_today": Line("impulses_today", IMPULSE_COUNT, enabled=False),
    "impulse_rate": Line("impulse_rate", IMPULSE_RATE, enabled=False),
    "last_impulse": _about("last_impulse", TIME, enabled=True),
}

#: What stands in none of these.
UNKNOWN = Line("register", enabled=False)
