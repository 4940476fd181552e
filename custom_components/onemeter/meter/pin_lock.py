"""Reduced data, which German meters send until their PIN is entered."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from .obis import C, D, Obis
from .reading import Register

#: Units of energy, and a kilowatt-hour in each.
_KILOWATT_HOUR: Final = {"Wh": Decimal(1000), "kWh": Decimal(1), "MWh": Decimal("0.001")}
#: The largest exponent of ten of a total that a meter can have.
_EXPONENT_MAX: Final = 20


def is_reduced(registers: Iterable[Register]) -> bool:
    """Return whether registers contain energy in whole kWh only, and no momentary value.

    Zero does not count, since it is a whole number at any resolution.
    """
    has_whole_energy = False
    for register in registers:
        obis = register.obis
        if not isinstance(obis, Obis):
            continue
        if obis.d == D.INSTANTANEOUS:
            return False
        if obis.d != D.ENERGY or obis.c not in {C.ACTIVE_IMPORT, C.ACTIVE_EXPORT}:
            continue
        value, step = register.value, _KILOWATT_HOUR.get(register.unit or "")
        if not isinstance(value, Decimal | int) or step is None:
            continue
        value = Decimal(value)
        if not value.is_finite() or value.adjusted() > _EXPONENT_MAX:
            continue
        if value % step:
            return False
        has_whole_energy = has_whole_energy or bool(value)
    return has_whole_energy
