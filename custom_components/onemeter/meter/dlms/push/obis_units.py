"""What OBIS codes measure, for lists that send numbers without scaler and unit (IEC 62056-61)."""

from collections.abc import Mapping
from enum import IntEnum, auto
from functools import lru_cache
from typing import Final

from ...obis import ELECTRICITY, PHASE_STEP, C, Obis


class Quantity(IntEnum):
    """What is measured, as far as lists scale it alike."""

    ENERGY = auto()
    POWER = auto()
    VOLTAGE = auto()
    CURRENT = auto()
    POWER_FACTOR = auto()
    FREQUENCY = auto()
    ANGLE = auto()


#: Powers of ten, by what is measured; what is not here cannot be told from a list.
type Scaling = Mapping[Quantity, int]

_PHASES_END: Final = 80
#: Those beyond, of the neutral conductor, and angles between voltages and currents, which group E
#: names.
_BEYOND: Final = {
    C.NEUTRAL_CURRENT: Quantity.CURRENT,
    C.NEUTRAL_VOLTAGE: Quantity.VOLTAGE,
    C.ANGLE: Quantity.ANGLE,
}
#: Units of power and of energy, by group C: active, reactive, apparent.
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
#: Group D of time integrals, and of momentary values, averages, and maxima.
_INTEGRALS: Final = frozenset({8, 9, 10, 29, 30})
_AVERAGES: Final = frozenset({2, 4, 5, 6, 7, 14, 15, 24, 25, 26, 27})


@lru_cache(maxsize=1024)
def quantity_of(obis: Obis) -> tuple[Quantity, str | None] | None:
    """Return what a code measures and its unit without prefix; None where that is not electricity.

    A power factor has no unit.
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
