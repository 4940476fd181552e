"""The client at a line with a flashing LED."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from itertools import islice
from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.onemeter.meter import Identity, Obis, Protocol, Reading
from custom_components.onemeter.meter.blink.client import BlinkClient
from custom_components.onemeter.meter.blink.constant import ImpulseConstant
from custom_components.onemeter.meter.blink.counter import ImpulseCounter
from custom_components.onemeter.meter.blink.settings import BlinkSettings, Source
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    MeterSilentError,
    PortLostError,
    PortNotFoundError,
    UnknownDataError,
)
from custom_components.onemeter.meter.protocols import PUSHED_LINE
from simulator.blink import Light, Troubles, steady
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.pty import PtyLine
from tests.helpers.telegrams import telegram
from tests.helpers.waiting import until

LINE = PUSHED_LINE[Protocol.BLINK]
ENERGY = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:1.7.0")


@pytest.fixture
async def cable() -> AsyncGenerator[MemoryLine]:
    async with MemoryLine(9600) as line:
        yield line


def counting(per_kwh: int = 10_000) -> ImpulseCounter:
    return ImpulseCounter(ImpulseConstant.per_kwh(per_kwh), offset=Decimal(100))


def client_at(
    cable: Line, counter: ImpulseCounter, settings: BlinkSettings | None = None
) -> BlinkClient:
    return BlinkClient(cable.url, LINE, counter, settings or BlinkSettings())


async def flash(light: Light, count: int, rate: float) -> None:
    now = asyncio.get_running_loop().time()
    await light.blink(islice(steady(rate, now), count), now)


async def listen_to(client: BlinkClient, heard: list[Reading]) -> None:
    async with aclosing(client.listen()) as readings:
        async for reading in readings:
            heard.append(reading)  # noqa: PERF401  what came before the port is lost is wanted


async def hear(
    client: BlinkClient, cable: Line, light: Light, count: int, rate: float
) -> list[Reading]:
    """Return the readings until all flashes are counted."""
    heard: list[Reading] = []
    listening = asyncio.create_task(listen_to(client, heard))
    await until(lambda: cable.listened_to)
    await flash(light, count, rate)
    # The last flashes are read from the port.
    await asyncio.sleep(0.1)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return heard


async def test_none_is_lost_and_none_is_doubled(cable: MemoryLine) -> None:
    counter, light = counting(), Light(cable)
    client = client_at(cable, counter)
    heard = await hear(client, cable, light, 1200, 120)
    check_all_counted(client, light, 1200)
    # One reading at once, then one each second.
    assert len(heard) == 11
    for reading in heard[2:]:
        power = reading.registers[1].value
        assert power == pytest.approx(Decimal(43_200), abs=1)


def check_all_counted(client: BlinkClient, light: Light, count: int) -> None:
    counter = client.counter
    assert light.flashes == count
    assert (counter.impulses, counter.rejected) == (count, 0)
    assert counter.energy == 100 + Decimal(count) / 10_000
    assert client.counters.good == client.counters.received == count


def load() -> subprocess.Popen[bytes]:
    """Keep a core busy."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


async def count_all(folder: Path, seconds: int) -> None:
    """Count 120 flashes per second beside a busy process; check that none is lost or doubled."""
    counter = counting()
    heard: list[Reading] = []
    busy = load()
    try:
        async with PtyLine(folder / "ttyMETER", 9600) as cable:
            light = Light(cable)
            client = client_at(cable, counter, BlinkSettings(reports_at_once=True))
            listening = asyncio.create_task(listen_to(client, heard))
            # From then on, the port discards nothing.
            await until(lambda: bool(heard))
            await flash(light, 120 * seconds, 120)
            await until(lambda: client.counters.received >= light.flashes)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        busy.kill()
        busy.wait()
    check_all_counted(client, light, 120 * seconds)
    assert len(heard) > 1


@pytest.mark.real_time("the kernel holds what a busy program reads late")
async def test_none_is_lost_on_a_busy_computer(tmp_path: Path) -> None:
    await count_all(tmp_path, 5)


@pytest.mark.real_time("the kernel holds what a busy program reads late")
@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_none_is_lost_on_a_busy_computer_for_long(tmp_path: Path) -> None:
    await count_all(tmp_path, 600)


async def test_readings(cable: MemoryLine) -> None:
    counter = counting(1000)
    heard = await hear(client_at(cable, counter), cable, Light(cable), 11, 4.6)
    first, *_, last = heard
    # At the first impulse, then each second.
    assert [reading.registers[0].value for reading in heard] == [
        Decimal("100.001"),
        Decimal("100.005"),
        Decimal("100.010"),
    ]
    assert (first.meter, first.time, first.raw) == (Identity(), None, b"")
    energy, power = first.registers
    assert (energy.obis, energy.unit) == (ENERGY, "kWh")
    # Unknown before the second impulse.
    assert (power.obis, power.value, power.unit) == (POWER, None, "W")
    assert last.registers[1].value == pytest.approx(Decimal(16_560), abs=1)
    assert counter.impulses == 11


async def test_published_at_once(cable: MemoryLine) -> None:
    settings = BlinkSettings(reports_at_once=True)
    async with aclosing(client_at(cable, counting(), settings).listen()) as readings:
        reading = await anext(readings)
    assert [register.value for register in reading.registers] == [Decimal("100.0000"), None]


async def test_export(cable: MemoryLine) -> None:
    settings = BlinkSettings(is_export=True)
    (reading, *_) = await hear(client_at(cable, counting(), settings), cable, Light(cable), 2, 5)
    assert [str(register.obis) for register in reading.registers] == [
        "1-0:2.8.0*255",
        "1-0:2.7.0*255",
    ]


async def test_power_falls_while_no_impulse_comes(cable: MemoryLine) -> None:
    client = client_at(cable, counting(1000))
    loop = asyncio.get_running_loop()
    async with aclosing(client.listen()) as readings:
        flashing = asyncio.create_task(flash_when_opened(cable, 4, 10))
        heard = [(await anext(readings), loop.time()) for _ in range(5)]
        await flashing
    times = [at for _, at in heard]
    assert [round(at - times[0], 3) for at in times] == [0, 1, 2, 3, 4]
    totals = [reading.registers[0].value for reading, _ in heard]
    assert totals[1:] == [Decimal("100.004")] * 4
    powers = [reading.registers[1].value for reading, _ in heard[1:]]
    assert powers == sorted(powers, key=lambda power: Decimal(str(power)), reverse=True)
    assert len(set(powers)) == 4


async def flash_when_opened(cable: Line, count: int, rate: float) -> None:
    await until(lambda: cable.listened_to)
    await flash(Light(cable), count, rate)


async def test_bursts_jitter_and_missed_flashes(cable: MemoryLine) -> None:
    counter = counting()
    light = Light(cable, Troubles(jitter=0.001, miss=0.1, burst=7))
    await hear(client_at(cable, counter), cable, light, 300, 60)
    assert light.missed > 10
    assert (counter.impulses, counter.rejected) == (light.flashes, 0)


async def test_double_flashes(cable: MemoryLine) -> None:
    """A flash that is too early is recognized only while flashes are slow."""
    counter = counting(1000)
    light = Light(cable, Troubles(double=0.5))
    client = client_at(cable, counter)
    await hear(client, cable, light, 40, 10)
    assert light.doubled > 5
    assert (counter.impulses, counter.rejected) == (light.flashes, 0)


async def test_long_flashes(cable: MemoryLine) -> None:
    counter = counting(1000)
    light = Light(cable, length=0.04)
    settings = BlinkSettings(source=Source.LONG)
    client = client_at(cable, counter, settings)
    await hear(client, cable, light, 12, 4)
    assert counter.impulses == 12
    assert client.counters.received == 12 * 38


async def test_the_total_outlives_the_port(cable: MemoryLine) -> None:
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
    # Everything that was counted has been published.
    assert heard[-1].registers[0].value == counter.energy == Decimal("100.005")
    await asyncio.sleep(0.5)
    await cable.open()
    await hear(client, cable, Light(cable), 3, 10)
    assert (counter.impulses, client.counters.good) == (8, 8)
    assert 4 <= counter.missed <= 5


async def test_no_port(tmp_path: Path) -> None:
    client = BlinkClient(str(tmp_path / "none"), LINE, counting(), BlinkSettings())
    with pytest.raises(PortNotFoundError):
        await anext(client.listen())


async def test_silence(cable: MemoryLine) -> None:
    client = client_at(cable, counting())
    assert await hear(client, cable, Light(cable), 0, 1) == []
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, MeterSilentError)
    assert diagnosis.details == {"port": cable.url}


async def test_telegrams_are_no_flashes(cable: MemoryLine) -> None:
    """A head on the data interface instead of the LED must not count bytes."""
    counter = counting()
    client = client_at(cable, counter)
    listening = asyncio.create_task(anext(client.listen(), None))
    await until(lambda: cable.listened_to)
    for _ in range(5):
        await cable.write(telegram())
        await asyncio.sleep(0.05)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    # At most those before they could be recognized.
    assert counter.impulses < 12
    assert client.counters.skipped > 4 * len(telegram())
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, UnknownDataError)
    assert diagnosis.details["looks_like"] == "SML"


def test_flashes_count_again_some_time_after_the_last_telegram(cable: MemoryLine) -> None:
    client = client_at(cable, counting())
    assert client._are_telegrams(telegram(), 0)
    assert client._are_telegrams(b"\x00", 9 * 10**9)
    assert not client._are_telegrams(b"\x00", 11 * 10**9)
    # A flickering flash is one flash.
    assert not client._are_telegrams(b"\xd7", 12 * 10**9)


async def test_too_fast_for_a_light(cable: MemoryLine) -> None:
    client = client_at(cable, ImpulseCounter(ImpulseConstant.per_kwh(1), max_power=1))
    await hear(client, cable, Light(cable), 5, 20)
    assert client.counter.impulses == 1
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, UnknownDataError)
    assert "too fast" in str(diagnosis)


@pytest.mark.real_time("modem lines are the kernel's")
async def test_a_pseudo_terminal_has_no_modem_lines(tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "ttyMETER", 9600) as cable:
        client = client_at(cable, counting(), BlinkSettings(source=Source.DCD))
        with pytest.raises(MeterConnectionError, match="no modem lines"):
            await anext(client.listen())


def test_settings() -> None:
    with pytest.raises(ValueError, match="blink"):
        create_pushed_client(Protocol.BLINK, "/dev/ttyUSB0")
    with pytest.raises(ValueError, match="every second"):
        BlinkSettings(interval=0.5)
