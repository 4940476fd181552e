"""The power of a household in each minute of its days: appliances, heat pump, solar panels.

Power is in tenths of a watt, energy in tenths of a watt times seconds.
"""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
import math
from random import Random
from typing import Final

#: The days differ from each other and repeat after this number of days.
PERIOD_DAYS: Final = 28

_MINUTES: Final = 1440
#: Days of a week that begins on the first day, a Monday.
_WEEKEND: Final = (5, 6)
_KW: Final = 10_000

type Phases = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Day:
    """A day: the mean power of each minute, and the energy before each minute."""

    power: list[Phases]
    imported: list[int]
    exported: list[int]


@cache  # tests create many households, most of them equal
def days_of(seed: int, appliances: bool, solar: bool, heat_pump: bool) -> tuple[Day, ...]:  # noqa: FBT001
    """Return the days of a household, which follow from its seed and its loads."""
    return tuple(
        _day(seed, day, appliances=appliances, solar=solar, heat_pump=heat_pump)
        for day in range(PERIOD_DAYS)
    )


def _day(seed: int, day: int, *, appliances: bool, solar: bool, heat_pump: bool) -> Day:
    power: list[Phases] = [(0, 0, 0)] * _MINUTES
    if appliances:
        power = _appliances(Random(f"{seed}/{day}"), weekend=day % 7 in _WEEKEND)
    if heat_pump:
        heat = _heat_pump(Random(f"{seed}/{day} heat"))
        power = [plus(load, phases) for load, phases in zip(power, heat, strict=True)]
    if solar:
        sign = -1 if appliances else 1
        sun = _solar_panels(Random(f"{seed}/{day} sky"))
        power = [plus(load, [sign * feed] * 3) for load, feed in zip(power, sun, strict=True)]
    totals = [sum(phases) * 60 for phases in power]
    return Day(
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
        """Add a load from an hour of the day on; the part after midnight is left out."""
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


def _appliances(random: Random, *, weekend: bool) -> list[Phases]:
    """Return the consumption of the appliances in each minute of a day, per phase."""
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


def _heat_pump(random: Random) -> list[list[int]]:
    """Return the consumption of a heat pump in each minute of a day, per phase."""
    plan = _Plan(random)
    plan.run(0, 0, _MINUTES, 600)  # circulation pump, control
    for start, end, power in ((0, 5, 0.6), (5, 10, 0.9), (10, 17, 0.4), (17, 24, 0.7)):
        plan.cycle(0, (start, end), (35, 12), int(power * _KW))
    for hour in (4.5, 14):
        plan.run(0, plan.about(hour), 40, _KW)  # hot water
    return [list(phases) for phases in zip(*plan.phases, strict=True)]


def _solar_panels(random: Random) -> list[int]:
    """Return the generation of the panels in each minute of a day, the same on each phase."""
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


def plus(phases: Phases, change: list[int]) -> Phases:
    """Return the sum of each phase."""
    return (phases[0] + change[0], phases[1] + change[1], phases[2] + change[2])
