"""Detects a meter that sends only whole kilowatt-hours until its PIN is entered."""

from collections.abc import Mapping
from datetime import timedelta

from ..meter import Key, Obis, Register
from ..totals import Moment, Total

#: A meter counts as locked once this many consecutive telegrams, over at least this time, say so.
LOCKED_TELEGRAMS = 5
LOCKED_DURATION = timedelta(seconds=60)

_ENERGY_CODES = (1, 2)
_TIME_INTEGRAL = 8
_INSTANTANEOUS = 7


class PinLock:
    """Detects from its telegrams whether a meter is locked.

    German meters send neither power nor decimals of energy until the grid operator's PIN is entered
    and the full data set ("InF") is enabled.
    """

    def __init__(self) -> None:
        """Begin without any telegram."""
        self._since: Moment | None = None
        self._telegrams = 0

    def is_locked(self, registers: Mapping[Key, Register], now: Moment) -> bool | None:
        """Take the next registers; return whether the meter is locked, None if that is not sure."""
        if not is_reduced(registers):
            self._since = None
            self._telegrams = 0
            return False
        if self._since is None:
            self._since = now
        self._telegrams += 1
        is_long = self._since.at_least_until(now) >= LOCKED_DURATION
        return True if is_long and self._telegrams >= LOCKED_TELEGRAMS else None


def is_reduced(registers: Mapping[Key, Register]) -> bool:
    """Return whether registers contain energy in whole kWh only, and no momentary value.

    Zero does not count, since it is a whole number at any resolution.
    """
    whole = False
    for obis, register in registers.items():
        if not isinstance(obis, Obis):
            continue
        if obis.d == _INSTANTANEOUS:
            return False
        if obis.d != _TIME_INTEGRAL or obis.c not in _ENERGY_CODES:
            continue
        if (total := Total.of(register)) is None:
            continue
        if total.amount % 1:
            return False
        whole = whole or bool(total.value)
    return whole
