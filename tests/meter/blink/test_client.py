"""The client at a pseudo-terminal: a light that flashes, and what is made of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from itertools import islice
from pathlib import Path
import subprocess
import sys
import time

import pytest

from custom_components.onemeter.meter import Identity, Obis, Protocol, Reading
from custom_components.onemeter.meter.blink.client import BlinkClient
from custom_components.onemeter.meter.blink.constant import ImpulseConstant
from custom_components.onemeter.meter.blink.counter import ImpulseCounter
from custom_components.onemeter.meter.blink.settings import BlinkSettings, Source
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    MeterSilentError,
    PortLostError,
    PortNotFoundError,
    UnknownDataError,
)
from custom_components.onemeter.meter.protocols import PUSHED_LINE
from simulator.blink import Light, Troubles, steady
from simulator.pty import PtyLine
from tests.meter.telegrams import telegram

pytestmark = pytest.mark.real_time("it has a pseudo-terminal")

LINE = PUSHED_LINE[Protocol.BLINK]
ENERGY = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:1.7.0")


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncGenerator[PtyLine]:
    async with PtyLine(tmp_path / "ttyMETER", 9600) as line:
        yield line


def counting(per_kwh: int = 10_000) -> ImpulseCounter:
    return ImpulseCounter(ImpulseConstant.per_kwh(per_kwh), offset=Decimal(100))


def client_at(
    cable: PtyLine, counter: ImpulseCounter, settings: BlinkSettings | None = None
) -> BlinkClient:
    return BlinkClient(cable.url, LINE, counter, settings or BlinkSettings())


async def opened(cable: PtyLine) -> None:
    """Wait until somebody listens who throws nothing away any more."""
    async with asyncio.timeout(10):
        while not cable.listened_to:  # noqa: ASYNC110  the kernel tells only when asked
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)


async def flash(light: Light, count: int, rate: float) -> None:
    now = time.monotonic()
    await light.blink(islice(steady(rate, now), count), now)


async def listen_to(client: BlinkClient, heard: list[Reading]) -> None:
    async with aclosing(client.listen()) as readings:
        async for reading in readings:
            heard.append(reading)  # noqa: PERF401  what came before the port is lost is wanted


async def hear(
    client: BlinkClient, cable: PtyLine, light: Light, count: int, rate: float
) -> list[Reading]:
    """Return the readings that come until all flashes are counted."""
    heard: list[Reading] = []
    listening = asyncio.create_task(listen_to(client, heard))
    await opened(cable)
    await flash(light, count, rate)
    await asyncio.sleep(0.1)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return heard


def load() -> subprocess.Popen[bytes]:
    """Keep a core busy."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


async def count_all(cable: PtyLine, seconds: int) -> None:
    """Count 120 flashes per second while another process is busy, and none is lost or doubled."""
    counter, light = counting(), Light(cable)
    client = client_at(cable, counter)
    busy = load()
    try:
        heard = await hear(client, cable, light, 120 * seconds, 120)
    finally:
        busy.kill()
        busy.wait()
    assert light.flashes == 120 * seconds
    assert (counter.impulses, counter.rejected) == (120 * seconds, 0)
    assert counter.energy == 100 + Decimal(120 * seconds) / 10_000
    assert client.counters.good == client.counters.received == 120 * seconds
    assert seconds - 1 <= len(heard) <= seconds + 2
    for reading in heard[2:-1]:
        power = reading.get(POWER)
        assert power is not None
        assert isinstance(power.value, Decimal)


async def test_none_is_lost_and_none_is_doubled(cable: PtyLine) -> None:
    await count_all(cable, 20)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_none_is_lost_and_none_is_doubled_for_long(cable: PtyLine) -> None:
    await count_all(cable, 600)


async def test_readings(cable: PtyLine) -> None:
    counter = counting(1000)
    heard = await hear(client_at(cable, counter), cable, Light(cable), 11, 5)
    first, *_, last = heard
    assert 3 <= len(heard) <= 4
    assert (first.meter, first.time, first.raw) == (Identity(), None, b"")
    energy, power = first.registers
    assert (energy.obis, energy.value, energy.unit) == (ENERGY, Decimal("100.001"), "kWh")
    # Before the second impulse nobody knows.
    assert (power.obis, power.value, power.unit) == (POWER, None, "W")
    energy, power = last.registers
    assert isinstance(power.value, Decimal)
    assert abs(power.value - 18_000) < 2000
    assert Decimal("100.009") <= Decimal(str(energy.value)) <= Decimal("100.011")
    assert counter.impulses == 11


async def test_told_at_once(cable: PtyLine) -> None:
    settings = BlinkSettings(is_told_at_once=True)
    async with aclosing(client_at(cable, counting(), settings).listen()) as readings:
        reading = await anext(readings)
    assert [register.value for register in reading.registers] == [Decimal("100.0000"), None]


async def test_export(cable: PtyLine) -> None:
    settings = BlinkSettings(is_export=True)
    (reading, *_) = await hear(client_at(cable, counting(), settings), cable, Light(cable), 2, 5)
    assert [str(register.obis) for register in reading.registers] == [
        "1-0:2.8.0*255",
        "1-0:2.7.0*255",
    ]


async def test_power_falls_while_no_impulse_comes(cable: PtyLine) -> None:
    client = client_at(cable, counting(1000))
    listening = client.listen()
    async with aclosing(listening) as readings:
        flashing = asyncio.create_task(flash_when_opened(cable, 4, 10))
        async with asyncio.timeout(20):
            heard = [(await anext(readings), time.monotonic()) for _ in range(5)]
        await flashing
    times = [at for _, at in heard]
    assert times[-1] - times[0] > 3.5
    totals = [reading.registers[0].value for reading, _ in heard]
    assert totals[1:] == [Decimal("100.004")] * 4
    powers = [reading.registers[1].value for reading, _ in heard[1:]]
    assert powers == sorted(powers, key=lambda power: Decimal(str(power)), reverse=True)
    assert len(set(powers)) == 4


async def flash_when_opened(cable: PtyLine, count: int, rate: float) -> None:
    await opened(cable)
    await flash(Light(cable), count, rate)


async def test_bursts_jitter_and_what_nobody_sees(cable: PtyLine) -> None:
    counter = counting()
    light = Light(cable, Troubles(jitter=0.001, miss=0.1, burst=7))
    await hear(client_at(cable, counter), cable, light, 300, 60)
    assert light.missed > 10
    assert (counter.impulses, counter.rejected) == (light.flashes, 0)


async def test_double_flashes(cable: PtyLine) -> None:
    """Only while flashes are slow, one is known to be too soon; otherwise each byte counts."""
    counter = counting(1000)
    light = Light(cable, Troubles(double=0.5))
    client = client_at(cable, counter)
    await hear(client, cable, light, 40, 10)
    assert light.doubled > 5
    assert (counter.impulses, counter.rejected) == (light.flashes, 0)


async def test_long_flashes(cable: PtyLine) -> None:
    counter = counting(1000)
    light = Light(cable, length=0.04)
    settings = BlinkSettings(source=Source.LONG)
    client = client_at(cable, counter, settings)
    await hear(client, cable, light, 12, 4)
    assert counter.impulses == 12
    assert client.counters.received == 12 * 38


async def test_the_total_outlives_the_port(cable: PtyLine) -> None:
    counter = counting(1000)
    client = client_at(cable, counter)

    async def pull() -> None:
        await flash_when_opened(cable, 5, 10)
        await asyncio.sleep(0.1)
        cable.close()

    pulling = asyncio.create_task(pull())
    heard: list[Reading] = []
    with pytest.raises(PortLostError):
        await listen_to(client, heard)
    await pulling
    # All that was counted has been told.
    assert heard[-1].registers[0].value == counter.energy == Decimal("100.005")
    await asyncio.sleep(0.5)
    await cable.open()
    await hear(client, cable, Light(cable), 3, 10)
    assert (counter.impulses, client.counters.good) == (8, 8)
    assert counter.missed >= 4


async def test_no_port(tmp_path: Path) -> None:
    client = BlinkClient(str(tmp_path / "none"), LINE, counting(), BlinkSettings())
    with pytest.raises(PortNotFoundError):
        await anext(client.listen())


async def test_silence(cable: PtyLine) -> None:
    client = client_at(cable, counting())
    assert await hear(client, cable, Light(cable), 0, 1) == []
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, MeterSilentError)
    assert diagnosis.details == {"port": cable.url}


async def test_telegrams_are_no_flashes(cable: PtyLine) -> None:
    """A head over a meter's interface, rather than over its light, must not count bytes."""
    counter = counting()
    client = client_at(cable, counter)
    listening = asyncio.create_task(anext(client.listen(), None))
    await opened(cable)
    for _ in range(5):
        await cable.write(telegram())
        await asyncio.sleep(0.05)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    # At the most what came before they could be told from flashes.
    assert counter.impulses < 12
    assert client.counters.skipped > 4 * len(telegram())
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, UnknownDataError)
    assert diagnosis.details["looks_like"] == "SML"


def test_flashes_count_again_some_time_after_the_last_telegram(cable: PtyLine) -> None:
    client = client_at(cable, counting())
    assert client._are_telegrams(telegram(), 0)
    assert client._are_telegrams(b"\x00", 9 * 10**9)
    assert not client._are_telegrams(b"\x00", 11 * 10**9)
    # A flash that flickers is one.
    assert not client._are_telegrams(b"\xd7", 12 * 10**9)


async def test_too_fast_for_a_light(cable: PtyLine) -> None:
    client = client_at(cable, ImpulseCounter(ImpulseConstant.per_kwh(1), max_power=1))
    await hear(client, cable, Light(cable), 5, 20)
    assert client.counter.impulses == 1
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, UnknownDataError)
    assert "too fast" in str(diagnosis)


async def test_a_pseudo_terminal_has_no_modem_lines(cable: PtyLine) -> None:
    client = client_at(cable, counting(), BlinkSettings(source=Source.DCD))
    with pytest.raises(MeterConnectionError, match="no modem lines"):
        await anext(client.listen())


def test_made_like_the_others(cable: PtyLine) -> None:
    counter = counting()
    client = create_pushed_client(Protocol.BLINK, cable.url, counter=counter)
    assert isinstance(client, BlinkClient)
    assert (client.counter, client.line) == (counter, LINE)
    with pytest.raises(ValueError, match="blink"):
        create_pushed_client(Protocol.BLINK, cable.url)
    with pytest.raises(ValueError, match="blink"):
        create_pushed_client(Protocol.BLINK, cable.url, settings=Keys(), counter=counter)
    with pytest.raises(ValueError, match="every second"):
        BlinkSettings(interval=0.5)
