"""What OBIS codes measure, for lists that send numbers without scaler and unit (IEC 62056-61)."""

from collections.abc import Mapping
from enum import IntEnum, auto
from functools import lru_cache
from typing import Final

from ...obis import Obis


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

_ELECTRICITY: Final = 1
#: Group C repeats for each phase.
_PHASE: Final = 20
_PHASES_END: Final = 80
#: Those beyond, of the neutral conductor, and angles between voltages and currents, which group E
#: names.
_BEYOND: Final = {91: Quantity.CURRENT, 92: Quantity.VOLTAGE, 81: Quantity.ANGLE}
#: Units of power and of energy, by group C: active, reactive, apparent.
_POWERS: Final = {
    **dict.fromkeys((1, 2, 15, 16, 17, 18, 19, 20), ("W", "Wh")),
    **dict.fromkeys((3, 4, 5, 6, 7, 8), ("var", "varh")),
    **dict.fromkeys((9, 10), ("VA", "VAh")),
}
_OTHERS: Final = {
    11: (Quantity.CURRENT, "A"),
    12: (Quantity.VOLTAGE, "V"),
    13: (Quantity.POWER_FACTOR, None),
    14: (Quantity.FREQUENCY, "Hz"),
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
    if obis.a != _ELECTRICITY:
        return None
    if obis.c in _BEYOND:
        quantity = _BEYOND[obis.c]
        return (quantity, _UNITS[quantity]) if obis.d in _AVERAGES else None
    if not 0 < obis.c <= _PHASES_END:
        return None
    kind = (obis.c - 1) % _PHASE + 1
    if (units := _POWERS.get(kind)) is not None:
        if obis.d in _INTEGRALS:
            return Quantity.ENERGY, units[1]
        return (Quantity.POWER, units[0]) if obis.d in _AVERAGES else None
    return _OTHERS[kind] if obis.d in _AVERAGES else None
