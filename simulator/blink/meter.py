"""When the LED of a meter flashes: at a constant energy per impulse."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Final

from simulator.household import Household

#: Tenths of a watt times seconds in a kWh.
_KWH: Final = 36_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlinkingMeter:
    """A meter that measures a household. Times are in seconds since 1970."""

    household: Household
    #: Impulse constant in imp/kWh.
    per_kwh: Fraction = Fraction(1000)
    #: Whether the LED flashes for exported energy.
    is_export: bool = False

    def impulses(self, time: int) -> int:
        """Return the number of impulses up to a time."""
        return int(self._energy(time) * self.per_kwh // _KWH)

    def flashes(self, time: float) -> Iterator[float]:
        """Yield the times of all flashes from a time on, for ever."""
        for second in count(int(time)):
            before, after = self._energy(second), self._energy(second + 1)
            for impulse in range(self.impulses(second) + 1, self.impulses(second + 1) + 1):
                at = second + float((impulse * _KWH / self.per_kwh - before) / (after - before))
                if at >= time:
                    yield at

    def _energy(self, time: int) -> int:
        energy = self.household.energy(time)
        return energy.exported if self.is_export else energy.imported


def steady(rate: float, time: float) -> Iterator[float]:
    """Yield the times of flashes at a constant rate per second, for ever."""
    for number in count(1):
        yield time + number / rate
