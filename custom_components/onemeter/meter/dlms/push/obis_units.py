"""Quantities and units of OBIS codes, for lists without scalers and units (IEC 62056-61)."""

from collections.abc import Mapping
from enum import IntEnum, auto
from functools import lru_cache
from typing import Final

from ...obis import ELECTRICITY, PHASE_STEP, C, Obis


class Quantity(IntEnum):
    """Measured quantities that have the same scaler throughout a list."""

    ENERGY = auto()
    POWER = auto()
    VOLTAGE = auto()
    CURRENT = auto()
    POWER_FACTOR = auto()
    FREQUENCY = auto()
    ANGLE = auto()


#: Scalers (powers of ten) by quantity; the scaler of a missing quantity is unknown.
type Scaling = Mapping[Quantity, int]

_PHASES_END: Final = 80
#: Value groups C of the neutral conductor, and of angles between voltages and currents, which group
#: E distinguishes.
_BEYOND: Final = {
    C.NEUTRAL_CURRENT: Quantity.CURRENT,
    C.NEUTRAL_VOLTAGE: Quantity.VOLTAGE,
    C.ANGLE: Quantity.ANGLE,
}
#: Units of power and of energy, by value group C: active, reactive, apparent.
_POWERS: Final = {
    **dict.fromkeys((C.ACTIVE_IMPORT, C.ACTIVE_EXPORT), ("W", "Wh")),
    **dict.fromkeys(range(C.ACTIVE_ABSOLUTE, C.ACTIVE_Q4 + 1), ("W", "Wh")),
    **dict.fromkeys(range(C.REACTIVE_IMPORT, C.REACTIVE_Q4 + 1), ("var", "varh")),
    **dict.fromkeys((C.APPARENT_IMPORT, C.APPARENT_EXPORT), ("VA", "VAh")),
}
_OTHERS: Final = {
    C.CURRENT: (Quantity.CURRENT, "A"),
    C.VOLTAGE: (Quantity.VOLTAGE, "V"),
    C.POWER_FACTOR: (Quantity.POWER_FACTOR, None),
    C.FREQUENCY: (Quantity.FREQUENCY, "Hz"),
}
_UNITS: Final = {Quantity.CURRENT: "A", Quantity.VOLTAGE: "V", Quantity.ANGLE: "°"}
#: Value groups D of time integrals, and of momentary values, averages and maxima.
_INTEGRALS: Final = frozenset({8, 9, 10, 29, 30})
_AVERAGES: Final = frozenset({2, 4, 5, 6, 7, 14, 15, 24, 25, 26, 27})


@lru_cache(maxsize=1024)
def quantity_of(obis: Obis) -> tuple[Quantity, str | None] | None:
    """Return quantity and unit without prefix; None if a code does not measure electricity.

    The unit of a power factor is None.
    """
    if obis.a != ELECTRICITY:
        return None
    if obis.c in _BEYOND:
        quantity = _BEYOND[obis.c]
        return (quantity, _UNITS[quantity]) if obis.d in _AVERAGES else None
    if not 0 < obis.c <= _PHASES_END:
        return None
    kind = (obis.c - 1) % PHASE_STEP + 1
    if (units := _POWERS.get(kind)) is not None:
        if obis.d in _INTEGRALS:
            return Quantity.ENERGY, units[1]
        return (Quantity.POWER, units[0]) if obis.d in _AVERAGES else None
    return _OTHERS[kind] if obis.d in _AVERAGES else None
