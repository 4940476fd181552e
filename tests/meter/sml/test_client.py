"""The SML client at a line."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from custom_components.onemeter.meter import PUSHED_LINE, Obis, Protocol, Reading
from custom_components.onemeter.meter.client import PushedClient
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.errors import (
    ChecksumError,
    MeterError,
    MeterSilentError,
    PortLostError,
    PortNotFoundError,
    UnknownDataError,
)
from custom_components.onemeter.meter.sml.client import SmlClient
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.pty import PtyLine
from simulator.uart import resample
from tests.helpers.telegrams import damaged, telegram
from tests.helpers.waiting import until

TOTAL = Obis.parse("1-0:1.8.0")


@pytest.fixture
async def cable() -> AsyncGenerator[MemoryLine]:
    async with MemoryLine() as line:
        yield line


@pytest.fixture
def client(cable: MemoryLine) -> PushedClient:
    return create_pushed_client(Protocol.SML, cable.url)


def total(reading: Reading) -> object:
    register = reading.get(TOTAL)
    assert register is not None
    return register.value


async def drain(readings: AsyncGenerator[Reading]) -> None:
    async for _ in readings:
        pass


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def hear(client: PushedClient, cable: MemoryLine, data: bytes) -> MeterError:
    """Listen until the client has received all of this; return its diagnosis."""

    async def listen() -> None:
        async with aclosing(client.listen()) as readings:
            await drain(readings)

    expected = client.counters.received + len(data)
    listening = asyncio.create_task(listen())
    await until(lambda: cable.listened_to)
    cable.put(data)
    await until(lambda: client.counters.received == expected)
    diagnosis = client.diagnose()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    return diagnosis


async def test_usual_line() -> None:
    assert create_pushed_client(Protocol.SML, "/dev/ttyUSB0").line == PUSHED_LINE[Protocol.SML]


async def speak(cable: Line, *telegrams: bytes) -> None:
    """Push telegrams until the test ends."""
    while True:
        for data in telegrams:
            cable.put(data)
            await asyncio.sleep(0.005)


async def test_readings_come_as_they_are_sent(client: PushedClient, cable: MemoryLine) -> None:
    speaking = asyncio.create_task(speak(cable, telegram(10), damaged(telegram(20))))
    async with asyncio.timeout(5), aclosing(client.listen()) as readings:
        async for reading in readings:
            assert total(reading) == Decimal("1.0")
            if client.counters.good >= 3:
                break
    speaking.cancel()
    assert client.counters.good >= 3
    assert client.counters.damaged >= 2
    assert client.counters.received >= client.counters.skipped > 0


async def test_loss_and_return_of_the_port(client: PushedClient, cable: MemoryLine) -> None:
    for round_ in (1, 2):
        speaking = asyncio.create_task(speak(cable, telegram()))
        async with asyncio.timeout(5), aclosing(client.listen()) as readings:
            await anext(readings)
            speaking.cancel()
            cable.close()
            with pytest.raises(PortLostError):
                await drain(readings)
        assert client.counters.good >= round_
        await cable.open()


async def test_missing_port(tmp_path: Path) -> None:
    client = create_pushed_client(Protocol.SML, str(tmp_path / "none"))
    with pytest.raises(PortNotFoundError):
        await anext(client.listen())


async def test_what_the_end_cuts_off_is_damaged(client: PushedClient, cable: MemoryLine) -> None:
    await hear(client, cable, telegram()[:40])
    assert client.counters.damaged == 1
    await hear(client, cable, telegram())
    assert (client.counters.good, client.counters.damaged) == (1, 1)


async def listen_to(client: PushedClient, cable: MemoryLine, *sent: bytes) -> MeterError:
    """Listen for half a minute, in which this is sent; return the diagnosis."""

    async def speak() -> None:
        for data in sent:
            await asyncio.sleep(1)
            cable.put(data)

    speaking = asyncio.create_task(speak())
    with suppress(TimeoutError):
        async with asyncio.timeout(30), aclosing(client.listen()) as readings:
            await drain(readings)
    await speaking
    return client.diagnose()


async def test_silence_in_the_middle_of_a_telegram(client: PushedClient, cable: MemoryLine) -> None:
    for sent in ((telegram()[:80],), (telegram(), telegram()[:80])):
        assert type(await listen_to(client, cable, *sent)) is MeterSilentError
    # It is counted all the same.
    assert client.counters.damaged == 2


async def test_silence_after_damage(client: PushedClient, cable: MemoryLine) -> None:
    diagnosis = await listen_to(client, cable, damaged(telegram()), telegram()[:80])
    assert type(diagnosis) is ChecksumError


async def test_telegram_that_is_cut_off_while_it_comes(
    client: PushedClient, cable: MemoryLine
) -> None:
    sent = [*([b"\0"] * 25), telegram()[:80]]
    assert type(await listen_to(client, cable, *sent)) is ChecksumError


@pytest.mark.real_time("open files and ports are the kernel's")
async def test_closing_the_generator_closes_the_port(tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "ttyMETER") as cable:
        client = create_pushed_client(Protocol.SML, cable.url)
        files, tasks = open_files(), asyncio.all_tasks()
        speaking = asyncio.create_task(speak(cable, telegram()))
        readings = client.listen()
        await anext(readings)
        assert cable.listened_to
        await readings.aclose()
        assert not cable.listened_to
        speaking.cancel()
        await asyncio.sleep(0)
        assert open_files() == files
        assert asyncio.all_tasks() == tasks


async def test_silence(client: PushedClient, cable: MemoryLine) -> None:
    diagnosis = await hear(client, cable, b"")
    assert isinstance(diagnosis, MeterSilentError)
    assert diagnosis.details == {"port": cable.url}


async def test_silence_after_a_reading(client: PushedClient, cable: MemoryLine) -> None:
    assert isinstance(await hear(client, cable, telegram()), MeterSilentError)


async def test_damaged_telegrams_only(client: PushedClient, cable: MemoryLine) -> None:
    diagnosis = await hear(client, cable, damaged(telegram()) * 2)
    assert isinstance(diagnosis, ChecksumError)
    # Damage before the port was opened again does not matter.
    assert isinstance(await hear(client, cable, b"1"), UnknownDataError)


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (resample(telegram() * 3, 300, 9600), "line noise or wrong speed"),
        (b"/TST5METER\r\n\r\n1-0:1.8.0*255(000001.0*kWh)\r\n", "IEC 62056-21"),
        (telegram()[:40], "SML"),
        (b"?", "?"),
    ],
    ids=["wrong speed", "IEC 62056-21", "SML", "unknown"],
)
async def test_other_data(
    client: PushedClient, cable: MemoryLine, data: bytes, looks_like: str
) -> None:
    diagnosis = await hear(client, cable, data)
    assert isinstance(diagnosis, UnknownDataError)
    assert diagnosis.details == {"port": cable.url, "looks_like": looks_like}
    assert looks_like in f"{diagnosis} ?"


async def test_noise_after_readings_is_judged_by_itself(
    client: PushedClient, cable: MemoryLine
) -> None:
    await hear(client, cable, telegram())
    diagnosis = await hear(client, cable, bytes(40))
    assert diagnosis.details["looks_like"] == "line noise or wrong speed"


async def test_a_light_that_flashes(client: PushedClient, cable: MemoryLine) -> None:
    async def flash() -> None:
        await asyncio.sleep(0.3)
        for _ in range(3):
            await asyncio.sleep(0.1)
            cable.put(b"\x00")

    flashing = asyncio.create_task(flash())
    with suppress(TimeoutError):
        async with asyncio.timeout(1), aclosing(client.listen()) as readings:
            await anext(readings)
    await flashing
    diagnosis = client.diagnose()
    assert isinstance(diagnosis, UnknownDataError)
    assert diagnosis.details == {"port": cable.url, "looks_like": "BLINK"}


async def test_noise_does_not_pile_up(cable: MemoryLine) -> None:
    client = SmlClient(cable.url, PUSHED_LINE[Protocol.SML])
    await hear(client, cable, bytes(2000))
    assert 0 < len(client._recent) <= 512
