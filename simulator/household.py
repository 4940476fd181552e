"""A household with solar panels: its power and energy at any second.

Everything follows from the seed and the time and nothing is stored: a simulator that is started
again continues as if it had never stopped, and the totals of any past hour are available. The days
repeat every four weeks, so that the totals of years are summed up quickly.

Power is in tenths of a watt, energy in tenths of a watt times seconds, both in whole numbers:
energy is exactly the sum of the powers of all seconds since the meter was installed.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
import math
from random import Random
from typing import Final, NamedTuple

from .days import PERIOD_DAYS, Day, Phases, days_of, plus

#: When the meter was installed, in days since 1970: the first of January 2024, a Monday.
INSTALLED_DAY: Final = 19_723
SECONDS_PER_DAY: Final = 86_400


class Energy(NamedTuple):
    """Energy since the meter was installed, in tenths of a watt times seconds."""

    imported: int
    exported: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurements of one second, by phase."""

    #: Tenths of a watt, negative for export.
    power: Phases
    #: Tenths of a volt.
    voltage: Phases
    #: Hundredths of an ampere.
    current: Phases
    #: Degrees by which the current lags the voltage, 0 to 359.
    angle: Phases
    #: Hundredths of a hertz.
    frequency: int


class Household:
    """A household with three phases, the usual appliances and 3 kW of solar panels."""

    def __init__(
        self,
        seed: int = 0,
        *,
        appliances: bool = True,
        solar: bool = True,
        heat_pump: bool = False,
        utc_offset: int = 0,
    ) -> None:
        """Create a household; ``utc_offset`` is that of its daily routine, in seconds.

        Without appliances, only the panels or the heat pump are measured. The generation of the
        panels then counts as import, since such a meter is installed the other way round.
        """
        self.seed = seed
        self.appliances = appliances
        self.solar = solar
        self.heat_pump = heat_pump
        self.utc_offset = utc_offset

    def energy(self, time: int) -> Energy:
        """Return the energy up to a time in seconds since 1970."""
        return self._energy(time)

    @lru_cache(maxsize=64)  # noqa: B019  a household is kept as long as its process
    def _energy(self, time: int) -> Energy:
        day, second = divmod(time + self.utc_offset, SECONDS_PER_DAY)
        period, index = divmod(day - INSTALLED_DAY, PERIOD_DAYS)
        minute, second = divmod(second, 60)
        today = self._days[index]
        totals = [
            period * sums[-1] + sums[index] + of_day[minute]
            for sums, of_day in zip(self._before, (today.imported, today.exported), strict=True)
        ]
        so_far = self._sums(day, minute)[second] if second else 0
        return Energy(totals[0] + max(so_far, 0), totals[1] + max(-so_far, 0))

    def power(self, time: int) -> Phases:
        """Return the power of each phase at a time in seconds since 1970, negative for export."""
        day, second = divmod(time + self.utc_offset, SECONDS_PER_DAY)
        return self._seconds(day, second // 60)[second % 60]

    def measure(self, time: int) -> Measurement:
        """Return the measurements at a time in seconds since 1970."""
        random = Random(f"{self.seed} at {time}")
        power = self.power(time)
        voltage = [
            2310 + 12 * math.sin(time / 1700 + phase) - watts / 700 + random.gauss(0, 1.5)
            for phase, watts in enumerate(power)
        ]
        # Small loads (motors, power supplies) shift the current more than heaters and inverters.
        lag = [4 + 26 / (1 + abs(watts) / 3000) for watts in power]
        current = [
            100 * abs(watts) / volts / math.cos(math.radians(degrees))
            for watts, volts, degrees in zip(power, voltage, lag, strict=True)
        ]
        return Measurement(
            power=power,
            voltage=_rounded(voltage),
            current=_rounded(current),
            angle=_rounded(
                [
                    (degrees if watts >= 0 else 180 - degrees) % 360
                    for watts, degrees in zip(power, lag, strict=True)
                ]
            ),
            frequency=round(5000 + 2 * math.sin(time / 300) + random.gauss(0, 0.5)),
        )

    @lru_cache(maxsize=2)  # noqa: B019  a household is kept as long as its process
    def _seconds(self, day: int, minute: int) -> list[Phases]:
        """Return the power in each second of a minute.

        The second half of the minute mirrors the first around the mean, and the sign of the sum
        does not change. So the energy of the whole minute is known without its seconds.
        """
        random = Random(f"{self.seed}/{day}/{minute}")
        mean = self._days[(day - INSTALLED_DAY) % PERIOD_DAYS].power[minute]
        first: list[Phases] = []
        second: list[Phases] = []
        for _ in range(30):
            swing = [random.randint(-limit, limit) for limit in (15 + abs(p) // 60 for p in mean)]
            if abs(sum(swing)) > abs(sum(mean)):
                swing = [0, 0, 0]
            first.append(plus(mean, swing))
            second.append(plus(mean, [-deviation for deviation in swing]))
        return first + second[::-1]

    @lru_cache(maxsize=2)  # noqa: B019  likewise
    def _sums(self, day: int, minute: int) -> list[int]:
        """Return the energy of a minute up to each of its seconds, negative for export."""
        return [0, *accumulate(sum(power) for power in self._seconds(day, minute))]

    @cached_property
    def _days(self) -> tuple[Day, ...]:
        return days_of(self.seed, self.appliances, self.solar, self.heat_pump)

    @cached_property
    def _before(self) -> tuple[list[int], list[int]]:
        """Energy imported and exported before each day of a period, and of the whole period."""
        return (
            [0, *accumulate(day.imported[-1] for day in self._days)],
            [0, *accumulate(day.exported[-1] for day in self._days)],
        )


def _rounded(values: list[float]) -> Phases:
    return (round(values[0]), round(values[1]), round(values[2]))
