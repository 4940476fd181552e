"""The direction of power, from the meter's status word.

Many meters send power without its sign, or send an unsigned number as if it were signed. Nearly
all of them send the direction in the status word of their energy registers, in one of two layouts.
"""

from collections.abc import Mapping
from typing import Final

from ..obis import (
    ENERGY_EXPORT,
    ENERGY_IMPORT,
    PHASE_STEP,
    POWER,
    POWER_ABSOLUTE,
    Obis,
)
from .status_word import EXPORT, LOAD, MARK, MARK_MASK

#: The registers whose status word is that of the meter; the first one that is there counts.
STATUS_CODES: Final = (ENERGY_IMPORT, ENERGY_EXPORT, ENERGY_IMPORT._replace(e=1))

# FNN basic meter.
_FNN_EXPORT: Final[Mapping[Obis, int]] = {
    POWER_ABSOLUTE: EXPORT,
    POWER: EXPORT,
    **{POWER._replace(c=POWER.c + phase * PHASE_STEP): EXPORT << phase for phase in (1, 2, 3)},
}
# EDL: bit 7 is always set, bit 5 if the sum of the phases exports.
_EDL: Final = 1 << 7
_EDL_EXPORT: Final[Mapping[Obis, int]] = {POWER_ABSOLUTE: 1 << 5, POWER: 1 << 5}

#: Bits of the widest integer that power with decimals needs.
_UNSIGNED_BITS_MAX: Final = 24

#: The registers whose sign a status word may contain.
POWER_CODES: Final = frozenset(_FNN_EXPORT)


def true_number(code: Obis, number: int, bits: int, scaler: int, status: int) -> int | None:
    """Return the number of a power register with its true sign, negative for export.

    ``number`` is the number that was sent, in an integer of ``bits`` bits. None if the status word
    has another layout or nothing about this register, or if number and status contradict each
    other.
    """
    if status & MARK_MASK == MARK:
        export = _FNN_EXPORT.get(code)
        is_known = number == 0 or bool(status & LOAD)
    else:
        export = _EDL_EXPORT.get(code)
        is_known = bool(status & _EDL)
    if export is None or not is_known:
        return None
    exporting = bool(status & export)
    if number > 0 and exporting:
        return -number
    if number < 0 and not exporting:
        # An unsigned number sent as a signed one. The meters that do so send decimals of a watt in
        # as few bytes as possible; in others, a belated status word would give gigawatts.
        is_unsigned = code != POWER_ABSOLUTE and scaler < 0 and bits <= _UNSIGNED_BITS_MAX
        return number + (1 << bits) if is_unsigned else None
    return number
