"""What wakes battery meters and what does not."""

import asyncio

import pytest

from simulator.iec62056 import Iec62056Meter
from simulator.iec62056.wakeup import Sleep

from ...helpers.iec62056_probe import probed

CHARACTER = 1 / 30


def wake(characters: int, pause: float, *, hole: float = 0.0) -> Sleep:
    """Send NUL characters, with or without a gap, pause, and begin a sign-on."""
    sleep = Sleep()
    time = 100.0
    for place in range(characters):
        if place == characters // 2:
            time += hole
        sleep.hear(0, time, time + CHARACTER)
        time += CHARACTER
    time += pause
    for character in b"/?!\r\n":
        sleep.hear(character, time, time + CHARACTER)
        time += CHARACTER
    return sleep


@pytest.mark.parametrize(
    ("characters", "pause", "hole", "awake"),
    [
        (66, 1.5, 0, True),
        (84, 1.6, 0, True),
        (66, 1.7, 0.1, True),
        (50, 1.6, 0, False),
        (66, 1.0, 0, False),
        (66, 2.0, 0, False),
        (66, 1.6, 0.5, False),
        (0, 1.6, 0, False),
    ],
)
def test_what_wakes(characters: int, pause: float, hole: float, awake: bool) -> None:
    begun = 100.0 + hole + characters * CHARACTER + pause
    sleep = wake(characters, pause, hole=hole)
    assert sleep.awake(begun + 5 * CHARACTER) is awake
    assert not sleep.awake(begun + 5.1)


async def test_battery_meter_is_woken() -> None:
    meter = Iec62056Meter(battery=True, start_baudrate=2400, reaction_time=0.02)
    async with probed(meter) as probe:
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == b""
        await probe.send(bytes(510))
        await asyncio.sleep(1.55)
        assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"
        await probe.acknowledge(b"050", 9600)
        await probe.block()
        # It is still awake.
        probe.switch(2400)
        assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"
