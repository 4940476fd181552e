"""A household with solar panels: what it draws and feeds at any second, always the same.

Everything follows from the seed and the time, nothing is kept: a simulator that is started again
goes on as if it had never stopped, and the totals of any past hour can be asked for. Four weeks of
different days repeat for ever, so that the totals of years are summed up in no time.

Power is in tenths of a watt, energy in tenths of a watt times seconds, both in whole numbers:
energy is exactly the sum of the powers of all seconds since the meter was installed.
"""

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import accumulate
import math
from random import Random
from typing import Final, NamedTuple

#: When the meter was installed, in days since 1970: the first of January 2024.
INSTALLED_DAY: Final = 19_723
SECONDS_PER_DAY: Final = 86_400

_PERIOD_DAYS: Final = 28
_MINUTES: Final = 1440
#: Days of a week that begins on the day of installation, a Monday.
_WEEKEND: Final = (5, 6)
_KW: Final = 10_000

type Phases = tuple[int, int, int]


class Energy(NamedTuple):
    """Energy since the meter was installed, in tenths of a watt times seconds."""

    imported: int
    exported: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the meter measures in one second, each with the values of the three phases."""

    #: Tenths of a watt; negative while feeding in.
    power: Phases
    #: Tenths of a volt.
    voltage: Phases
    #: Hundredths of an ampere.
    current: Phases
    #: Degrees by which each current lags its voltage, from 0 to 359.
    angle: Phases
    #: Hundredths of a hertz.
    frequency: int


@dataclass(frozen=True, slots=True)
class _Day:
    """One of the days: the mean power of each minute, and the energy before each minute."""

    power: list[Phases]
    imported: list[int]
    exported: list[int]


class Household:
    """The house: three phases, the usual appliances, three kilowatts of panels."""

    def __init__(
        self,
        seed: int = 0,
        *,
        appliances: bool = True,
        solar: bool = True,
        heat_pump: bool = False,
        utc_offset: int = 0,
    ) -> None:
        """Take what makes this house different; ``utc_offset``, in seconds, is when it lives.

        Without appliances it is the meter of the panels alone, which is installed the other way
        round: what they give counts as import; or that of the heat pump alone.
        """
        self.seed = seed
        self.appliances = appliances
        self.solar = solar
        self.heat_pump = heat_pump
        self.utc_offset = utc_offset

    def energy(self, time: int) -> Energy:
        """Return the energy up to the beginning of a second since 1970."""
        return self._energy(time)

    @lru_cache(maxsize=64)  # noqa: B019  a house lives as long as its process
    def _energy(self, time: int) -> Energy:
        day, second = divmod(time + self.utc_offset, SECONDS_PER_DAY)
        period, index = divmod(day - INSTALLED_DAY, _PERIOD_DAYS)
        minute, second = divmod(second, 60)
        today = self._days[index]
        totals = [
            period * sums[-1] + sums[index] + of_day[minute]
            for sums, of_day in zip(self._before, (today.imported, today.exported), strict=True)
        ]
        so_far = self._sums(day, minute)[second] if second else 0
        return Energy(totals[0] + max(so_far, 0), totals[1] + max(-so_far, 0))

    def power(self, time: int) -> Phases:
        """Return the power of each phase in a second since 1970, negative while feeding in."""
        day, second = divmod(time + self.utc_offset, SECONDS_PER_DAY)
        return self._seconds(day, second // 60)[second % 60]

    def measure(self, time: int) -> Measurement:
        """Return all that a meter shows in a second since 1970."""
        random = Random(f"{self.seed} at {time}")
        power = self.power(time)
        voltage = [
            2310 + 12 * math.sin(time / 1700 + phase) - watts / 700 + random.gauss(0, 1.5)
            for phase, watts in enumerate(power)
        ]
        # Motors and power supplies shift the current, heaters and inverters hardly do.
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

    @lru_cache(maxsize=2)  # noqa: B019  a house lives as long as its process
    def _seconds(self, day: int, minute: int) -> list[Phases]:
        """Return the power in each second of a minute, which has the minute's mean.

        Around the mean, the second half is the mirror image of the first, and never so far that
        the house would change between drawing and feeding: so the energy of the whole minute
        is known without looking at its seconds.
        """
        random = Random(f"{self.seed}/{day}/{minute}")
        mean = self._days[(day - INSTALLED_DAY) % _PERIOD_DAYS].power[minute]
        first: list[Phases] = []
        second: list[Phases] = []
        for _ in range(30):
            swing = [random.randint(-limit, limit) for limit in (15 + abs(p) // 60 for p in mean)]
            if abs(sum(swing)) > abs(sum(mean)):
                swing = [0, 0, 0]
            first.append(_plus(mean, swing))
            second.append(_plus(mean, [-deviation for deviation in swing]))
        return first + second[::-1]

    @lru_cache(maxsize=2)  # noqa: B019  likewise
    def _sums(self, day: int, minute: int) -> list[int]:
        """Return the energy in a minute before each of its seconds, negative while feeding in."""
        return [0, *accumulate(sum(power) for power in self._seconds(day, minute))]

    @cached_property
    def _days(self) -> tuple[_Day, ...]:
        return _days(self.seed, self.appliances, self.solar, self.heat_pump)

    @cached_property
    def _before(self) -> tuple[list[int], list[int]]:
        """Energy imported and exported before each day of a period; at the end that of all."""
        return (
            [0, *accumulate(day.imported[-1] for day in self._days)],
            [0, *accumulate(day.exported[-1] for day in self._days)],
        )


@cache  # equal houses have equal days, and tests make many of them
def _days(seed: int, appliances: bool, solar: bool, heat_pump: bool) -> tuple[_Day, ...]:  # noqa: FBT001
    return tuple(
        _live(seed, day, appliances=appliances, solar=solar, heat_pump=heat_pump)
        for day in range(_PERIOD_DAYS)
    )


def _live(seed: int, day: int, *, appliances: bool, solar: bool, heat_pump: bool) -> _Day:
    power: list[Phases] = [(0, 0, 0)] * _MINUTES
    if appliances:
        power = _use(Random(f"{seed}/{day}"), weekend=day % 7 in _WEEKEND)
    if heat_pump:
        heat = _heat(Random(f"{seed}/{day} heat"))
        power = [_plus(load, phases) for load, phases in zip(power, heat, strict=True)]
    if solar:
        sign = -1 if appliances else 1
        sun = _shine(Random(f"{seed}/{day} sky"))
        power = [_plus(load, [sign * feed] * 3) for load, feed in zip(power, sun, strict=True)]
    totals = [sum(phases) * 60 for phases in power]
    return _Day(
        power=power,
        imported=[0, *accumulate(max(total, 0) for total in totals)],
        exported=[0, *accumulate(max(-total, 0) for total in totals)],
    )


class _Plan:
    """A day's mean power of each minute, phase by phase, appliance by appliance."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.phases = [[0] * _MINUTES for _ in range(3)]

    def run(self, phase: int, start: float, minutes: float, power: int) -> None:
        """Draw a power from an hour of the day on; what goes beyond midnight is left out."""
        first = int(start * 60)
        for minute in range(first, min(first + int(minutes), _MINUTES)):
            self.phases[phase][minute] += power

    def cycle(
        self, phase: int, span: tuple[float, float], on_off: tuple[int, int], power: int
    ) -> None:
        """Switch a thermostat's load on and off between two hours of the day."""
        on, off = on_off
        minute = span[0] * 60 + self.random.randint(0, on + off)
        while minute < span[1] * 60:
            self.run(phase, minute / 60, on, power)
            minute += on + off + self.random.randint(-(off // 4), off // 4)

    def about(self, hour: float, spread: float = 0.5) -> float:
        """Return a time of day near an hour."""
        return hour + self.random.uniform(-spread, spread)


def _use(random: Random, *, weekend: bool) -> list[Phases]:
    """Return what the appliances draw in each minute of a day."""
    plan = _Plan(random)
    for phase, base in enumerate((70, 95, 50)):
        plan.run(phase, 0, _MINUTES, 10 * base)
    plan.cycle(0, (0, 24), (14, 28), 900)  # fridge
    plan.cycle(2, (0, 24), (18, 40), 700)  # freezer

    up = plan.about(8.5 if weekend else 6.5)
    plan.run(1, up, 4, 2 * _KW)  # kettle
    plan.run(1, up + 0.25, 8, 12 * _KW // 10)  # coffee machine, hair dryer
    plan.run(0, up, 75, 1200)  # light, radio
    if not weekend:
        plan.run(0, up + 2, 420, 900)  # work at home
        plan.run(1, plan.about(10), 3, 2 * _KW)
    if weekend or random.random() < 0.3:
        _cook(plan, plan.about(12))
    _cook(plan, plan.about(18.3))
    if random.random() < 0.4:
        start = plan.about(11, 2)  # washing machine
        plan.run(2, start, 22, 2 * _KW)
        plan.run(2, start + 22 / 60, 75, 2500)
    if random.random() < 0.5:
        start = plan.about(19.8)  # dishwasher
        plan.run(2, start, 95, 800)
        plan.run(2, start + 0.1, 16, 2 * _KW)
        plan.run(2, start + 1.1, 14, 2 * _KW)
    plan.run(0, 17, 60 * plan.about(5.5), 1400)  # light
    plan.run(1, plan.about(19.5), 150, 1500)  # television
    plan.run(1, plan.about(16, 1), 3, 2 * _KW)

    return list(zip(*plan.phases, strict=True))


def _cook(plan: _Plan, start: float) -> None:
    plan.cycle(0, (start, start + 0.6), (3, 3), 18 * _KW // 10)  # hob
    if plan.random.random() < 0.5:
        plan.run(1, start, 10, 24 * _KW // 10)  # oven
        plan.cycle(1, (start + 0.2, start + 0.9), (3, 5), 24 * _KW // 10)


def _heat(random: Random) -> list[list[int]]:
    """Return what a heat pump draws in each minute, per phase."""
    plan = _Plan(random)
    plan.run(0, 0, _MINUTES, 600)  # circulation pump, control
    for start, end, power in ((0, 5, 0.6), (5, 10, 0.9), (10, 17, 0.4), (17, 24, 0.7)):
        plan.cycle(0, (start, end), (35, 12), int(power * _KW))  # the colder, the more
    for hour in (4.5, 14):
        plan.run(0, plan.about(hour), 40, _KW)  # hot water
    return [list(phases) for phases in zip(*plan.phases, strict=True)]


def _shine(random: Random) -> list[int]:
    """Return what the panels give in each minute, per phase."""
    sky = random.choice(("clear", "clear", "clouds", "clouds", "clouds", "grey"))
    haze = random.uniform(0.9, 1.0) if sky != "grey" else random.uniform(0.15, 0.35)
    feeds = []
    shade, left = 1.0, 0
    for minute in range(_MINUTES):
        if left <= 0:
            left = random.randint(2, 18)
            shade = random.uniform(0.25, 0.7) if sky == "clouds" and random.random() < 0.45 else 1.0
        left -= 1
        daylight = (minute / 60 - 6.4) / 12.4
        height = math.sin(math.pi * daylight) ** 1.4 if 0 < daylight < 1 else 0.0
        feeds.append(int(28 * _KW / 10 * height * haze * shade / 3))
    return feeds


def _plus(phases: Phases, change: list[int]) -> Phases:
    return (phases[0] + change[0], phases[1] + change[1], phases[2] + change[2])


def _rounded(values: list[float]) -> Phases:
    return (round(values[0]), round(values[1]), round(values[2]))
