"""Detects a meter that sends only whole kilowatt-hours until its PIN is entered."""

from collections.abc import Mapping
from datetime import timedelta

from ..meter import Key, Register
from ..meter.pin_lock import is_reduced
from ..totals import Moment

#: A meter counts as locked once this many consecutive telegrams, over at least this time, say so.
LOCKED_TELEGRAMS = 5
LOCKED_DURATION = timedelta(seconds=60)


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
        if not is_reduced(registers.values()):
            self._since = None
            self._telegrams = 0
            return False
        if self._since is None:
            self._since = now
        self._telegrams += 1
        is_long = self._since.at_least_until(now) >= LOCKED_DURATION
        return True if is_long and self._telegrams >= LOCKED_TELEGRAMS else None
