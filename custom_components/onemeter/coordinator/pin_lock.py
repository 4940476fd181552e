"""Recognizes a meter that waits for its PIN and until then tells whole kilowatt-hours only."""

from collections.abc import Mapping
from datetime import timedelta

from ..meter import Key, Obis, Register
from ..totals import Moment, Total

#: A meter is taken for locked once this many telegrams in a row, over at least this time, look so.
LOCKED_TELEGRAMS = 5
LOCKED_DURATION = timedelta(seconds=60)

_ENERGY_CODES = (1, 2)
_TIME_INTEGRAL = 8
_INSTANTANEOUS = 7


class PinLock:
    """Watches a meter's telegrams.

    German meters keep power and the digits behind the kilowatt-hour for themselves until the PIN
    of the grid operator was entered and the full data set ("InF") switched on.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._since: Moment | None = None
        self._telegrams = 0

    def is_locked(self, registers: Mapping[Key, Register], now: Moment) -> bool | None:
        """Take the next registers and say whether the meter is locked; None while that may be."""
        if not _is_reduced(registers):
            self._since = None
            self._telegrams = 0
            return False
        if self._since is None:
            self._since = now
        self._telegrams += 1
        is_long = self._since.surely_until(now) >= LOCKED_DURATION
        return True if is_long and self._telegrams >= LOCKED_TELEGRAMS else None


def _is_reduced(registers: Mapping[Key, Register]) -> bool:
    """Say whether there is energy in whole kWh, and neither finer energy nor any momentary value.

    Zero is whole at any resolution, so it says nothing.
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
