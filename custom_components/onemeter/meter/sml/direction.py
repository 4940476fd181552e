"""The direction of power, from the meter's status word.

Many meters send power without its sign, or send an unsigned number as if it were signed. Nearly
all of them tell the direction in the status of their energy registers, in one of two layouts.
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

#: The registers whose status word is the meter's, the first that is there.
STATUS_CODES: Final = (ENERGY_IMPORT, ENERGY_EXPORT, ENERGY_IMPORT._replace(e=1))

# FNN basic meter: the low byte is 4; bit 8 says that there is load at all, bit 11 that the sum of
# the lines delivers, bits 12 to 14 that L1, L2, L3 do.
_FNN_MASK: Final = 0xFF
_FNN: Final = 0x04
_FNN_LOAD: Final = 1 << 8
_FNN_EXPORT: Final[Mapping[Obis, int]] = {
    POWER_ABSOLUTE: 1 << 11,
    POWER: 1 << 11,
    **{POWER._replace(c=POWER.c + phase * PHASE_STEP): 1 << 11 + phase for phase in (1, 2, 3)},
}
# EDL: bit 7 is set, bit 5 says that the sum of the lines delivers.
_EDL: Final = 1 << 7
_EDL_EXPORT: Final[Mapping[Obis, int]] = {POWER_ABSOLUTE: 1 << 5, POWER: 1 << 5}

#: The widest integer that power with decimals needs.
_UNSIGNED_BITS_MAX: Final = 24

#: The registers whose sign a status word may tell.
POWER_CODES: Final = frozenset(_FNN_EXPORT)


def true_number(code: Obis, number: int, bits: int, scaler: int, status: int) -> int | None:
    """Return the number that a register of power should have sent, negative while delivering.

    ``number`` is what it did send, in an integer of ``bits`` bits. None where the status word is
    of another layout or tells nothing about this register, and where number and status contradict
    each other.
    """
    if status & _FNN_MASK == _FNN:
        export = _FNN_EXPORT.get(code)
        told = number == 0 or bool(status & _FNN_LOAD)
    else:
        export = _EDL_EXPORT.get(code)
        told = bool(status & _EDL)
    if export is None or not told:
        return None
    exporting = bool(status & export)
    if number > 0 and exporting:
        return -number
    if number < 0 and not exporting:
        # An unsigned number sent as a signed one. The meters that do so send decimals of a watt
        # in as few bytes as they can; in others it would make gigawatts of a status that lags.
        is_unsigned = code != POWER_ABSOLUTE and scaler < 0 and bits <= _UNSIGNED_BITS_MAX
        return number + (1 << bits) if is_unsigned else None
    return number
