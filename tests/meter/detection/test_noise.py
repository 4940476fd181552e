"""Meters at bad lines: what is found is right, or nothing."""

from random import Random
from typing import override

from custom_components.onemeter.meter.detection import detect
from simulator.kinds import KINDS
from simulator.line import damage
from simulator.memory import MemoryLine
from simulator.uart import Receiver
from tests.helpers.finding import serving

COUNTRIES = ("DE", "PL", "AT", "NO", "NL", "US")


class NoisyLine(MemoryLine):
    """A line on which bytes change, and are lost, on the way to the reader."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.receiver = random.choice(list(Receiver))
        self.clock_error = random.uniform(-0.015, 0.015)
        self.noise = random.choice((0.0005, 0.002))

    @override
    def reflect(self, data: bytes) -> None:
        super().reflect(damage(data, self.random, noise=self.noise, lose=self.noise / 2))


async def test_nothing_wrong_is_found() -> None:
    random = Random(11)
    names = [name for name, kind in KINDS.items() if not kind.is_network]
    found = 0
    for name in random.sample(names, 10):
        kind = KINDS[name]
        async with (
            NoisyLine(random) as line,
            serving(kind, line, random.uniform(0, 2 * (kind.interval or 1))),
        ):
            winner = (await detect(line.url, country=random.choice(COUNTRIES))).winner
        if winner is not None:
            found += 1
            assert winner.protocol == kind.protocol
            assert winner.is_polled is (kind.interval is None)
            assert winner.line.baudrate == kind.baudrate
    assert found > 5
