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
    TAN_PHI,
    TIME,
    TIME_DIFFERENCE,
    VOLTAGE,
    VOLUME,
    WATER,
    Quantity,
)


class RegisterDescription(NamedTuple):
    """What a register means to Home Assistant."""

    #: Translation key of the name.
    key: str
    #: None if the value is shown as the meter sends it.
    quantity: Quantity | None = None
    #: Whether a new sensor is enabled.
    enabled: bool = True
    #: It is no measurement, but describes the meter or its state.
    diagnostic: bool = False
    #: It is enabled by the option *Grid quality sensors*.
    grid_quality: bool = False


def _diagnostic(
    key: str, quantity: Quantity | None = None, *, enabled: bool = False
) -> RegisterDescription:
    """Return the description of a register that describes the meter or its state."""
    return RegisterDescription(key, quantity, enabled, diagnostic=True)


def _grid_quality(key: str, quantity: Quantity) -> RegisterDescription:
    """Return the description of a quantity that the option *Grid quality sensors* enables."""
    return RegisterDescription(key, quantity, enabled=False, grid_quality=True)


#: Measured quantities by value groups C and D; C is that of all phases.
MEASURED: Mapping[tuple[int, int], RegisterDescription] = {
    (C.ACTIVE_IMPORT, D.ENERGY): RegisterDescription("energy_import", ENERGY),
    (C.ACTIVE_EXPORT, D.ENERGY): RegisterDescription("energy_export", ENERGY),
    (C.ACTIVE_ABSOLUTE, D.ENERGY): RegisterDescription("energy_absolute", ENERGY),
    (C.ACTIVE_NET, D.ENERGY): RegisterDescription("energy_net", NET_ENERGY),
    (C.REACTIVE_IMPORT, D.ENERGY): _grid_quality("reactive_energy_import", REACTIVE_ENERGY),
    (C.REACTIVE_EXPORT, D.ENERGY): _grid_quality("reactive_energy_export", REACTIVE_ENERGY),
    (C.REACTIVE_Q1, D.ENERGY): _grid_quality("reactive_energy_q1", REACTIVE_ENERGY),
    (C.REACTIVE_Q2, D.ENERGY): _grid_quality("reactive_energy_q2", REACTIVE_ENERGY),
    (C.REACTIVE_Q3, D.ENERGY): _grid_quality("reactive_energy_q3", REACTIVE_ENERGY),
    (C.REACTIVE_Q4, D.ENERGY): _grid_quality("reactive_energy_q4", REACTIVE_ENERGY),
    (C.APPARENT_IMPORT, D.ENERGY): _grid_quality("apparent_energy_import", APPARENT_ENERGY),
    (C.APPARENT_EXPORT, D.ENERGY): _grid_quality("apparent_energy_export", APPARENT_ENERGY),
    (C.ACTIVE_IMPORT, D.PERIOD_ENERGY): RegisterDescription(
        "period_energy_import", PERIOD_ENERGY, enabled=False
    ),
    (C.ACTIVE_EXPORT, D.PERIOD_ENERGY): RegisterDescription(
        "period_energy_export", PERIOD_ENERGY, enabled=False
    ),
    (C.ACTIVE_IMPORT, D.KAMSTRUP_ENERGY): RegisterDescription("energy_import", ENERGY),
    (C.ACTIVE_NET, D.INSTANTANEOUS): RegisterDescription("power", POWER),
    (C.ACTIVE_IMPORT, D.INSTANTANEOUS): RegisterDescription("power_import", POWER),
    (C.ACTIVE_EXPORT, D.INSTANTANEOUS): RegisterDescription("power_export", POWER),
    (C.ACTIVE_ABSOLUTE, D.INSTANTANEOUS): RegisterDescription("power_absolute", POWER),
    (C.REACTIVE_IMPORT, D.INSTANTANEOUS): _grid_quality("reactive_power_import", REACTIVE_POWER),
    (C.REACTIVE_EXPORT, D.INSTANTANEOUS): _grid_quality("reactive_power_export", REACTIVE_POWER),
    (C.REACTIVE_Q1, D.INSTANTANEOUS): _grid_quality("reactive_power_q1", REACTIVE_POWER),
    (C.REACTIVE_Q2, D.INSTANTANEOUS): _grid_quality("reactive_power_q2", REACTIVE_POWER),
    (C.REACTIVE_Q3, D.INSTANTANEOUS): _grid_quality("reactive_power_q3", REACTIVE_POWER),
    (C.REACTIVE_Q4, D.INSTANTANEOUS): _grid_quality("reactive_power_q4", REACTIVE_POWER),
    (C.APPARENT_IMPORT, D.INSTANTANEOUS): _grid_quality("apparent_power_import", APPARENT_POWER),
    (C.APPARENT_EXPORT, D.INSTANTANEOUS): _grid_quality("apparent_power_export", APPARENT_POWER),
    (C.CURRENT, D.INSTANTANEOUS): _grid_quality("current", CURRENT),
    (C.VOLTAGE, D.INSTANTANEOUS): _grid_quality("voltage", VOLTAGE),
    (C.POWER_FACTOR, D.INSTANTANEOUS): _grid_quality("power_factor", POWER_FACTOR),
    (C.FREQUENCY, D.INSTANTANEOUS): _grid_quality("frequency", FREQUENCY),
    (C.ACTIVE_IMPORT, D.DEMAND): RegisterDescription("demand_import", POWER, enabled=False),
    (C.ACTIVE_EXPORT, D.DEMAND): RegisterDescription("demand_export", POWER, enabled=False),
    (C.ACTIVE_IMPORT, D.LAST_DEMAND): RegisterDescription(
        "last_demand_import", POWER, enabled=False
    ),
    (C.ACTIVE_EXPORT, D.LAST_DEMAND): RegisterDescription(
        "last_demand_export", POWER, enabled=False
    ),
    (C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND): RegisterDescription(
        "maximum_demand_import", POWER, enabled=False
    ),
    (C.ACTIVE_EXPORT, D.MAXIMUM_DEMAND): RegisterDescription(
        "maximum_demand_export", POWER, enabled=False
    ),
    (C.ACTIVE_ABSOLUTE, D.MAXIMUM_DEMAND): RegisterDescription(
        "maximum_demand_absolute", POWER, enabled=False
    ),
    (C.ACTIVE_IMPORT, D.CUMULATED_DEMAND): RegisterDescription(
        "cumulated_demand_import", CUMULATED_POWER, enabled=False
    ),
    (C.ACTIVE_EXPORT, D.CUMULATED_DEMAND): RegisterDescription(
        "cumulated_demand_export", CUMULATED_POWER, enabled=False
    ),
    (C.ACTIVE_ABSOLUTE, D.CUMULATED_DEMAND): RegisterDescription(
        "cumulated_demand_absolute", CUMULATED_POWER, enabled=False
    ),
    (C.VOLTAGE, D.SAGS): _diagnostic("voltage_sags", COUNT),
    (C.VOLTAGE, D.SWELLS): _diagnostic("voltage_swells", COUNT),
}
#: Likewise, for quantities of one phase that are not enabled from the start as those of all phases.
MEASURED_BY_PHASE: Mapping[tuple[int, int], RegisterDescription] = {
    (C.ACTIVE_NET, D.INSTANTANEOUS): _grid_quality("power", POWER),
    (C.ACTIVE_IMPORT, D.INSTANTANEOUS): _grid_quality("power_import", POWER),
    (C.ACTIVE_EXPORT, D.INSTANTANEOUS): _grid_quality("power_export", POWER),
    (C.ACTIVE_ABSOLUTE, D.INSTANTANEOUS): _grid_quality("power_absolute", POWER),
}

#: Measurements by value groups C, D and E, with the scope of the name.
_SIGNED_REACTIVE_POWER = _grid_quality("reactive_power", REACTIVE_POWER)
_PHASE_ANGLE = _grid_quality("phase_angle", ANGLE)
SPECIAL: Mapping[tuple[int, int, int], tuple[RegisterDescription, str]] = {
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

#: Registers that describe the meter or its state, by value groups C, D and E.
_ACTIVE_TARIFF = _diagnostic("active_tariff", enabled=True)
_POWER_FAILURES = _diagnostic("power_failures", COUNT)
#: A binary sensor shows whether there is an error; this one shows the error word.
ERROR_REGISTER = _diagnostic("error_register")
DESCRIPTIVE: Mapping[tuple[int, int, int], tuple[RegisterDescription, str]] = {
    (0, 2, 2): (_ACTIVE_TARIFF, ""),
    (96, 14, 0): (_ACTIVE_TARIFF, ""),
    (97, 97, 0): (ERROR_REGISTER, ""),
    (96, 5, 0): (_diagnostic("status_word"), ""),
    (0, 2, 0): (_diagnostic("firmware"), ""),
    (96, 90, 2): (_diagnostic("firmware_checksum"), ""),
    (0, 1, 0): (_diagnostic("billing_resets", COUNT), ""),
    (0, 1, 2): (_diagnostic("billing_reset_time", TIME), ""),
    (96, 6, 0): (_diagnostic("battery_time_used", HOURS), ""),
    (96, 6, 1): (_diagnostic("battery_time_left", HOURS_LEFT), ""),
    (96, 6, 3): (_diagnostic("battery_voltage", VOLTAGE), ""),
    (96, 7, 0): (_POWER_FAILURES, ""),
    (96, 7, 1): (_POWER_FAILURES, " L1"),
    (96, 7, 2): (_POWER_FAILURES, " L2"),
    (96, 7, 3): (_POWER_FAILURES, " L3"),
    (96, 7, 21): (_POWER_FAILURES, ""),
    (96, 7, 9): (_diagnostic("long_power_failures", COUNT), ""),
    (96, 8, 0): (_diagnostic("operating_time", HOURS), ""),
    (96, 3, 10): (_diagnostic("breaker"), ""),
    (17, 0, 0): (RegisterDescription("power_limit", POWER, enabled=False), ""),
    (96, 13, 0): (_diagnostic("message"), ""),
    (0, 9, 1): (_diagnostic("meter_time"), ""),
    (0, 9, 2): (_diagnostic("meter_date"), ""),
    (1, 0, 0): (_diagnostic("meter_clock", TIME), ""),
}
#: Registers of which a meter has many, by value groups C and D; their names contain the code.
_IDENTIFICATION = _diagnostic("identification")
MANY: Mapping[tuple[int, int], RegisterDescription] = {
    (0, 0): _IDENTIFICATION,
    (42, 0): _IDENTIFICATION,
    (96, 1): _IDENTIFICATION,
    (0, 2): _diagnostic("version"),
    (0, 3): _diagnostic("impulse_constant"),
    (0, 4): _diagnostic("transformer_ratio"),
    (0, 8): _diagnostic("period_length"),
    (96, 5): _diagnostic("status_word"),
    (96, 8): _diagnostic("operating_time", HOURS),
    (97, 97): ERROR_REGISTER,
}

#: Registers of German meters only, by their complete codes.
GERMAN: Mapping[Obis, RegisterDescription] = {
    Obis(1, 0, 96, 50, 1, 1): _diagnostic("manufacturer"),
    Obis(129, 129, 199, 130, 3): _diagnostic("manufacturer"),
    Obis(129, 129, 199, 130, 5): _diagnostic("public_key"),
}

_COOLING_ENERGY = RegisterDescription("cooling_energy", HEAT)
_HEAT_ENERGY = RegisterDescription("heat_energy", HEAT)
_HEAT_VOLUME = RegisterDescription("heat_volume", VOLUME)
_GAS = RegisterDescription("gas", GAS)
_WARM_WATER = RegisterDescription("warm_water", WATER)
_WATER = RegisterDescription("water", WATER)
#: The current totals of other media (D and E are 0), by value groups A and C.
OTHER_MEDIA: Mapping[tuple[int, int], RegisterDescription] = {
    (5, 1): _COOLING_ENERGY,
    (5, 2): _HEAT_VOLUME,
    (6, 1): _HEAT_ENERGY,
    (6, 2): _HEAT_VOLUME,
    (7, 1): _GAS,
    (7, 3): _GAS,
    (8, 1): _WATER,
    (9, 1): _WARM_WATER,
}
#: The total of a meter on the M-Bus, by its device type (EN 13757-3), which 0-n:24.1.0 contains.
MBUS_MEDIA: Mapping[int, Quantity] = {
    2: ENERGY,
    3: GAS,
    4: HEAT,
    6: WATER,
    7: WATER,
    10: HEAT,
    11: HEAT,
    12: HEAT,
    13: HEAT,
    21: WATER,
    22: WATER,
}
#: The key of that total. It does not name the medium, since the device does.
MBUS_TOTAL = "total"
#: The key of the device type of a meter on the M-Bus.
DEVICE_TYPE = "device_type"
#: Registers of a meter on the M-Bus in an electricity meter, by value groups C, D and E; None for
#: the total, whose meaning depends on the device type.
MBUS: Mapping[tuple[int, int, int], RegisterDescription | None] = {
    (24, 1, 0): _diagnostic(DEVICE_TYPE),
    (24, 2, 1): None,
    (24, 2, 3): None,
    (24, 3, 0): None,
    (24, 4, 0): _diagnostic("valve"),
    (96, 1, 0): _IDENTIFICATION,
    (96, 1, 1): _IDENTIFICATION,
}
#: Registers of heat meters, by their addresses, which are no OBIS codes.
HEAT_METER: Mapping[str, RegisterDescription] = {
    "6.8": _HEAT_ENERGY,
    "6.26": _HEAT_VOLUME,
    "6.6": RegisterDescription("maximum_heat_power", POWER, enabled=False),
    "6.33": RegisterDescription("maximum_flow", FLOW, enabled=False),
    "6.31": _diagnostic("operating_time", HOURS),
    "6.32": _diagnostic("missing_time", HOURS),
    "9.4": _diagnostic("maximum_temperatures"),
    "9.36": _diagnostic("meter_clock", TIME),
    "F": ERROR_REGISTER,
}

#: Registers of impulses other than energy and power.
IMPULSES: Mapping[str, RegisterDescription] = {
    "impulses_today": RegisterDescription("impulses_today", IMPULSE_COUNT, enabled=False),
    "impulse_rate": RegisterDescription("impulse_rate", IMPULSE_RATE, enabled=False),
    "last_impulse": _diagnostic("last_impulse", TIME),
}

#: What is calculated from several registers.
CALCULATED: Mapping[str, RegisterDescription] = {
    "power": RegisterDescription("power", POWER),
    "derived_power": RegisterDescription("derived_power", POWER),
    "net_power": RegisterDescription("power", POWER),
    "net_power_l1": _grid_quality("power", POWER),
    "net_power_l2": _grid_quality("power", POWER),
    "net_power_l3": _grid_quality("power", POWER),
    "tan_phi": _grid_quality("tan_phi", TAN_PHI),
    "clock_difference": _diagnostic("clock_difference", TIME_DIFFERENCE),
}

#: Translation keys of the states of registers that are numbers, by the keys of the descriptions.
#: Breaker and valve: control_state of a disconnector (IEC 62056-6-2, class 70). Device types: EN
#: 13757-3, table 3; these keys are also those of the names of devices.
STATES: Mapping[str, Mapping[int, str]] = {
    "breaker": {0: "disconnected", 1: "connected", 2: "ready_for_reconnection"},
    "valve": {0: "closed", 1: "open", 2: "ready_for_opening"},
    DEVICE_TYPE: {
        1: "oil",
        2: "electricity",
        3: "gas",
        4: "heat",
        5: "steam",
        6: "warm_water",
        7: "water",
        8: "heat_cost_allocator",
        9: "compressed_air",
        10: "cooling",
        11: "cooling",
        12: "heat",
        13: "heat_and_cooling",
        21: "warm_water",
        22: "water",
        23: "water",
        40: "waste_water",
    },
}

#: The description of a register that is in none of these tables.
UNKNOWN = RegisterDescription("register", enabled=False)
