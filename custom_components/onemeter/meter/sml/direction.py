"""The direction of power, from the meter's status word.

Many meters send power without its sign, or send an unsigned number as if it were signed. Nearly
all of them send the direction in the status word of their energy registers, in one of two layouts.
"""

from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import and_, or_
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
_FNN_BITS: Final = reduce(or_, _FNN_EXPORT.values(), MARK_MASK | LOAD)
_EDL_BITS: Final = reduce(or_, _EDL_EXPORT.values(), _EDL)

#: Bits of the widest integer that power with decimals needs.
_UNSIGNED_BITS_MAX: Final = 24

#: The registers whose sign a status word may contain.
POWER_CODES: Final = frozenset(_FNN_EXPORT)

#: Returns the number of a power register with its true sign, negative for export, from the number
#: that was sent. None if the status word has another layout or nothing about this register, or if
#: number and status contradict each other.
type Rule = Callable[[int], int | None]


def direction_of(status: int) -> int:
    """Return the bits of a status word from which rule_of() gets the direction of power."""
    return status & (_FNN_BITS if status & MARK_MASK == MARK else _EDL_BITS)


def rule_of(code: Obis, bits: int, scaler: int, status: int) -> Rule:
    """Return the rule for a power register whose numbers are sent in integers of ``bits`` bits."""
    is_fnn = status & MARK_MASK == MARK
    export = (_FNN_EXPORT if is_fnn else _EDL_EXPORT).get(code)
    if export is None:
        return _unknown
    if not status & (LOAD if is_fnn else _EDL):
        return _zero if is_fnn else _unknown
    if status & export:
        return _exported
    if code != POWER_ABSOLUTE and scaler < 0 and bits <= _UNSIGNED_BITS_MAX:
        # An unsigned number sent as a signed one. The meters that do so send decimals of a watt in
        # as few bytes as possible; in others, a belated status word would give gigawatts.
        return partial(and_, (1 << bits) - 1)
    return _imported


def _exported(number: int) -> int:
    return -abs(number)


def _imported(number: int) -> int | None:
    return number if number >= 0 else None


def _zero(number: int) -> int | None:
    return None if number else 0


def _unknown(_: int) -> None:
    return None
