"""Flashes as bytes, and edges of modem lines from a fake driver."""

import array
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import errno
from functools import partial
from pathlib import Path
import termios
from threading import Event
import time
from types import SimpleNamespace

import pytest

from custom_components.onemeter.meter import modem
from custom_components.onemeter.meter.blink.client import BlinkClient
from custom_components.onemeter.meter.blink.constant import ImpulseConstant
from custom_components.onemeter.meter.blink.counter import ImpulseCounter
from custom_components.onemeter.meter.blink.settings import BlinkSettings, Source
from custom_components.onemeter.meter.blink.source import ByteFlashes, LongFlashes
from custom_components.onemeter.meter.errors import MeterConnectionError, PortLostError
from custom_components.onemeter.meter.line import LineSettings, ModemLine
from custom_components.onemeter.meter.modem import watch
from custom_components.onemeter.meter.port import Port
from simulator.pty import PtyLine
from tests.helpers.waiting import DEADLINE, until

in_a_thread = pytest.mark.real_time("modem lines are looked at in a thread")

SECOND = 10**9
MILLISECOND = 10**6
LINE = LineSettings(9600)
THOUSAND = ImpulseConstant.per_kwh(1000)
#: Its impulses may be closer to each other than in any of these tests, however late they are read.
QUICK = ImpulseConstant.per_kwh(100_000)


class Reader:
    """Counts bytes of a port, read at given times."""

    def __init__(self, *, is_local: bool = True, per_kwh: int = 1000) -> None:
        self.counter = ImpulseCounter(ImpulseConstant.per_kwh(per_kwh))
        self.flashes = ByteFlashes(self.counter.spacing, is_local=is_local)

    def read(self, count: int, milliseconds: int) -> int:
        return self.counter.add(*self.flashes.feed(bytes(count), milliseconds * MILLISECOND))


@pytest.mark.parametrize("per_kwh", [1000, 10_000])
def test_slow_flashes_that_flicker_count_once(per_kwh: int) -> None:
    reader = Reader(per_kwh=per_kwh)
    for second in range(20):
        assert reader.read(1, 1500 * second) == 1
        if second > 3:
            assert reader.read(1, 1500 * second + 3) == 0
    assert (reader.counter.impulses, reader.counter.rejected) == (20, 16)


def test_bytes_that_are_read_together_all_count() -> None:
    reader = Reader()
    for second in range(5):
        assert reader.read(1, 1500 * second) == 1
    # The program has slept for ten seconds of high load.
    assert reader.read(60, 16_000) == 60
    assert reader.read(1, 16_100) == 1


def test_flashes_that_a_busy_computer_sees_late_all_count() -> None:
    reader = Reader(per_kwh=10_000)
    for number in range(1000):
        # Nothing is read for 0.3 s, then the bytes of that time, one by one.
        seen = number * 1000 // 120
        assert reader.read(1, max(seen, 4300 if 4000 < seen < 4300 else 0)) == 1
    assert (reader.counter.impulses, reader.counter.rejected) == (1000, 0)


def test_what_comes_through_a_network_comes_at_any_time() -> None:
    reader = Reader(is_local=False)
    for second in range(10):
        assert reader.read(1, 1500 * second) == 1
    assert reader.read(1, 15_000) + reader.read(1, 15_001) == 2


def test_long_flashes_are_one_each() -> None:
    flashes = LongFlashes(9600)
    counts = [
        flashes.feed(bytes(size), at * MILLISECOND)[0]
        for size, at in (
            *((1, 0), (3, 4), (20, 25), (10, 36)),
            # Reading a long flash late does not end it.
            *((60, 1000), (90, 1100)),
            (1, 1151),
            (1, 1202),
        )
    ]
    assert counts == [1, 0, 0, 0, 1, 0, 1, 1]


class Driver:
    """A driver with modem lines, since a pseudo-terminal has none."""

    def __init__(self, *, counts: bool = True, has_counts: bool = True) -> None:
        self.edges = dict.fromkeys(ModemLine, 2**32 - 3)
        self.level = dict.fromkeys(ModemLine, False)
        self.counts = counts
        self.has_counts = has_counts
        self.failure: int | None = None
        #: Number of requests of a level.
        self.looks = 0

    def change(self, line: ModemLine) -> None:
        self.level[line] = not self.level[line]
        # Only the trailing edge of RI is counted.
        if self.counts and (line is not ModemLine.RI or not self.level[line]):
            self.edges[line] = (self.edges[line] + 1) % 2**32

    def flash(self, line: ModemLine) -> None:
        self.change(line)
        self.change(line)

    def ioctl(self, _descriptor: int, request: int, buffer: array.array[int]) -> int:
        if self.failure is not None:
            raise OSError(self.failure, "gone")
        if request == termios.TIOCMGET:
            self.looks += 1
            bits = (termios.TIOCM_CTS, termios.TIOCM_DSR, termios.TIOCM_CAR, termios.TIOCM_RNG)
            buffer[0] = termios.TIOCM_DTR
            for line, bit in zip(ModemLine, bits, strict=True):
                buffer[0] |= bit if self.level[line] else 0
            return 0
        assert request == termios.TIOCGICOUNT
        assert len(buffer) * buffer.itemsize == 80
        if not self.has_counts:
            raise OSError(errno.ENOTTY, "none")
        # As in the kernel's structure, with signed integers.
        order = (ModemLine.CTS, ModemLine.DSR, ModemLine.RI, ModemLine.DCD)
        for place, line in enumerate(order):
            edges = self.edges[line]
            buffer[place] = edges - 2**32 if edges >= 2**31 else edges
        return 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    return install(Driver(), monkeypatch)


async def looked_at(driver: Driver) -> None:
    """Wait until the current levels have been read."""
    # One read may have begun before.
    enough = driver.looks + 2
    await until(lambda: driver.looks >= enough)


@asynccontextmanager
async def listening_at(
    folder: Path, driver: Driver, counter: ImpulseCounter, source: Source
) -> AsyncGenerator[tuple[BlinkClient, asyncio.Task[None], PtyLine]]:
    """Let a client listen to a modem line, until it has read the current levels."""
    async with PtyLine(folder / "ttyMETER") as cable:
        client = BlinkClient(cable.url, LINE, counter, BlinkSettings(source=source))
        listening = asyncio.create_task(listen_for_ever(client))
        try:
            await looked_at(driver)
            yield client, listening, cable
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def counted(counter: ImpulseCounter, impulses: int) -> bool:
    return counter.impulses >= impulses


async def listen_for_ever(client: BlinkClient) -> None:
    async for _ in client.listen():
        pass


def install(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    # Not that of serialx, which has other requests.
    monkeypatch.setattr(modem, "fcntl", SimpleNamespace(ioctl=driver.ioctl))
    return driver


@in_a_thread
@pytest.mark.parametrize("source", [Source.CTS, Source.DSR, Source.DCD, Source.RI])
async def test_all_edges_that_the_driver_counts(
    tmp_path: Path, driver: Driver, source: Source
) -> None:
    """Also those between two reads, and across a wrap of the count."""
    line = source.modem_line
    assert line is not None
    counter = ImpulseCounter(QUICK, edges=source.edges)
    async with listening_at(tmp_path, driver, counter, source) as (client, _, _):
        for impulses in (20, 40):
            for _ in range(20):
                for other in ModemLine:
                    driver.flash(other)
                driver.flash(next(other for other in ModemLine if other is not line))
                await asyncio.sleep(0.01)
            await until(partial(counted, counter, impulses))
        power = counter.power.at(time.monotonic_ns())
        await looked_at(driver)
    assert (counter.impulses, counter.rejected) == (40, 0)
    assert client.counters.received == 40 * source.edges
    assert power is not None
    assert power > 0


@in_a_thread
@pytest.mark.parametrize("has_counts", [True, False])
@pytest.mark.parametrize("source", [Source.CTS, Source.RI])
async def test_levels_where_the_driver_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Source, *, has_counts: bool
) -> None:
    driver = install(Driver(counts=False, has_counts=has_counts), monkeypatch)
    line = source.modem_line
    assert line is not None
    counter = ImpulseCounter(QUICK, edges=source.edges)
    async with listening_at(tmp_path, driver, counter, source):
        for _ in range(10):
            driver.change(line)
            await looked_at(driver)
        await until(partial(counted, counter, 5))
    assert (counter.impulses, counter.rejected) == (5, 0)


@in_a_thread
async def test_the_port_goes_away(tmp_path: Path, driver: Driver) -> None:
    counter = ImpulseCounter(THOUSAND)
    async with listening_at(tmp_path, driver, counter, Source.CTS) as (_, listening, _):
        driver.failure = errno.EIO
        with pytest.raises(PortLostError, match="was lost"):
            await asyncio.wait_for(listening, DEADLINE)


@in_a_thread
async def test_the_cable_is_pulled(tmp_path: Path, driver: Driver) -> None:
    counter = ImpulseCounter(THOUSAND)
    async with listening_at(tmp_path, driver, counter, Source.CTS) as (_, listening, cable):
        cable.close()
        with pytest.raises(PortLostError):
            await asyncio.wait_for(listening, DEADLINE)


async def test_a_port_on_the_network_has_none() -> None:
    port = Port("socket://127.0.0.1:1", LINE, modem_lines=True)
    with pytest.raises(MeterConnectionError, match="no port of this computer"):
        await port.examine(lambda _: None)


@in_a_thread
async def test_the_port_stays_open_while_it_is_examined(tmp_path: Path) -> None:
    begun, cancelled = Event(), Event()
    looked = []

    def slow(_descriptor: int) -> None:
        begun.set()
        cancelled.wait(DEADLINE)
        looked.append(cable.listened_to)

    async with PtyLine(tmp_path / "ttyMETER") as cable:

        async def examine() -> None:
            async with Port(cable.url, LINE) as port:
                await port.examine(slow)

        examining = asyncio.create_task(examine())
        await until(begun.is_set)
        examining.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        await asyncio.gather(examining, return_exceptions=True)
        assert looked == [True]
        assert not cable.listened_to


def test_watching_sees_each_level(driver: Driver) -> None:
    driver.change(ModemLine.RI)
    (state,) = watch(0, ModemLine.RI, False, 0.02)
    assert state.level
    assert watch(0, ModemLine.RI, True, 0.02) == []
