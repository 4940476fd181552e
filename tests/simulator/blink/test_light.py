"""The blinking meter: flashes by energy, and their faults."""

import asyncio
from collections.abc import AsyncGenerator
from fractions import Fraction
from itertools import islice, pairwise, takewhile

import pytest

from simulator.blink import BlinkingMeter, Light, Troubles, steady
from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Household
from simulator.memory import MemoryLine
from tests.helpers.reader import MemoryReader

EVENING = (INSTALLED_DAY + 1057) * SECONDS_PER_DAY + 18 * 3600
NOON = EVENING - 6 * 3600


@pytest.fixture
async def port() -> AsyncGenerator[MemoryReader]:
    async with MemoryLine(9600) as line:
        with MemoryReader(line) as reader:
            yield reader


@pytest.mark.parametrize("per_kwh", [Fraction(500), Fraction(10_000), Fraction(3, 7)])
def test_one_flash_for_so_much_energy(per_kwh: Fraction) -> None:
    meter = BlinkingMeter(household=Household(), per_kwh=per_kwh)
    start, end = EVENING, EVENING + 3600
    flashes = list(takewhile(lambda at: at < end, meter.flashes(start)))
    assert len(flashes) == meter.impulses(end) - meter.impulses(start)
    assert flashes == sorted(flashes)
    kwh = (meter.household.energy(end).imported - meter.household.energy(start).imported) / 36e6
    assert abs(len(flashes) - kwh * per_kwh) <= 1


def test_flashes_follow_the_power() -> None:
    meter = BlinkingMeter(household=Household(), per_kwh=Fraction(100_000))
    times = list(islice(meter.flashes(EVENING), 2000))
    for before, at in pairwise(times):
        # Within a second the power is the same.
        if int(before) == int(at):
            watts = sum(meter.household.power(int(at))) / 10
            assert abs(36 / (at - before) - watts) < 1e-3 * watts


def test_goes_on_where_it_was() -> None:
    meter = BlinkingMeter(household=Household())
    flashes = list(islice(meter.flashes(EVENING), 50))
    assert list(islice(meter.flashes(flashes[20]), 30)) == flashes[20:]


def test_exported_energy() -> None:
    house = Household()
    feeding = BlinkingMeter(household=house, is_export=True)
    assert feeding.impulses(NOON) == house.energy(NOON).exported // 36_000
    assert next(feeding.flashes(NOON)) < NOON + 300


def test_steady() -> None:
    assert list(islice(steady(4, 10), 3)) == [10.25, 10.5, 10.75]


async def test_each_flash_is_a_byte(port: MemoryReader) -> None:
    light = Light(port.line)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await light.blink(islice(steady(50, 0), 20), 0)
    assert loop.time() - began == pytest.approx(0.4)
    assert port.take() == bytes(20)
    assert (light.impulses, light.flashes) == (20, 20)


async def test_counts_missed_and_doubled_flashes(port: MemoryReader) -> None:
    light = Light(port.line, Troubles(jitter=0.001, miss=0.2, double=0.2))
    await light.blink(islice(steady(200, 0), 100), 0)
    assert light.impulses == 100
    assert light.missed > 5
    assert light.doubled > 5
    assert len(port.take()) == light.flashes == 100 - light.missed + light.doubled


async def test_bursts_arrive_together(port: MemoryReader) -> None:
    light = Light(port.line, Troubles(burst=8))
    await light.blink(islice(steady(100, 0), 7), 0)
    # The last flashes are sent even if there are fewer than a burst.
    assert len(port.take()) == 7
    for number in range(1, 8):
        light._flash()
        assert port.take() == b"", number
    light._flash()
    assert port.take() == bytes(8)


async def test_a_long_flash_is_many_bytes(port: MemoryReader) -> None:
    light = Light(port.line, length=0.04)
    await light.blink(islice(steady(10, 0), 3), 0)
    assert port.take() == bytes(3 * 38)
    assert light.flashes == 3
