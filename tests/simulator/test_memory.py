"""Lines in memory behave like real ones."""

import asyncio
from collections.abc import AsyncGenerator
import errno
from pathlib import Path

import pytest

from custom_components.onemeter.meter import LineSettings
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
)
from custom_components.onemeter.meter.port import Port
from simulator.line import Line
from simulator.memory import MemoryBridge, MemoryLine
from simulator.pty import PtyLine
from simulator.tcp import TcpLine
from simulator.uart import resample
from tests.helpers.waiting import DEADLINE, until

from ..helpers.reader import MemoryReader

on_a_pty = pytest.mark.real_time("a pseudo-terminal is the kernel's")
on_a_socket = pytest.mark.real_time("a connection is the kernel's")
PORTS = [MemoryLine, pytest.param(PtyLine, marks=on_a_pty)]
BRIDGES = [MemoryBridge, pytest.param(TcpLine, marks=on_a_socket)]

LINE = LineSettings(9600)
ALL = bytes(range(256))


@pytest.fixture
async def line(
    request: pytest.FixtureRequest, tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[Line]:
    """Yield a line of each kind at 9600 baud."""
    del socket_enabled
    made = request.param(tmp_path / "head") if request.param is PtyLine else request.param()
    async with made:
        made.baudrate = 9600
        yield made


async def read(end: Port | Line, size: int) -> bytes:
    """Read at an end of a line: the reader's port, or the meter's line."""
    data = b""
    async with asyncio.timeout(DEADLINE):
        while len(data) < size:
            data += await end.read()
    return data


def at_speed(baudrate: int, line: Line) -> Port:
    return Port(line.url, LineSettings(baudrate))


# --- the same at real lines -----------------------------------------------------------------------

every_line = pytest.mark.parametrize("line", PORTS + BRIDGES, indirect=True)
every_port = pytest.mark.parametrize("line", PORTS, indirect=True)
every_bridge = pytest.mark.parametrize("line", BRIDGES, indirect=True)


@every_line
async def test_all_characters_pass_both_ways(line: Line) -> None:
    line.listen()
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.put(ALL)
        assert await read(port, 256) == ALL
        loop = asyncio.get_running_loop()
        started = loop.time()
        await port.write(ALL)
        # It returns at the end of the last character, which the meter then receives.
        assert loop.time() - started >= 256 * 10 / 9600 - 1e-6
        assert await read(line, 256) == ALL
        assert line.heard_at - started >= 256 * 10 / 9600 - 1e-6


@every_line
async def test_bytes_without_a_reader_are_lost(line: Line) -> None:
    assert not line.listened_to
    line.put(b"before")
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.put(b"now")
        assert await read(port, 3) == b"now"
    await until(lambda: not line.listened_to)
    line.put(b"after")
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.put(b"again")
        assert await read(port, 5) == b"again"


@every_line
async def test_cable_that_is_pulled_and_plugged_in_again(line: Line) -> None:
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.close()
        with pytest.raises(PortLostError):
            await read(port, 1)
    with pytest.raises(MeterConnectionError):
        async with Port(line.url, LINE):
            pass
    await line.open()
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.put(b"again")
        assert await read(port, 5) == b"again"


@every_line
async def test_echo_at_each_line(line: Line) -> None:
    line.echo = True
    line.listen()
    async with Port(line.url, LINE) as port:
        await port.write(b"/?!\r\n")
        assert await read(port, 5) == b"/?!\r\n"


@every_line
async def test_reader_that_does_not_read(line: Line) -> None:
    """It loses bytes and blocks nothing."""
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        port._transport.pause_reading()
        for _ in range(2000):
            line.put(bytes(10_000))
        port._transport.resume_reading()
        data = bytearray()
        async with asyncio.timeout(DEADLINE):
            while not data.endswith(b"now"):
                # The free space is used again.
                line.put(b"now")
                data += await port.read()
    assert 0 < data.count(0) < 20_000_000


@every_port
async def test_other_speeds_garble_both_ways(line: Line) -> None:
    text = b"1-0:1.8.0*255(000123.4*kWh)"
    line.listen()
    async with at_speed(19_200, line) as port:
        garbled = resample(text, 9600, 19_200)
        line.put(text)
        assert await read(port, len(garbled)) == garbled
        await port.write(b"/?!")
        garbled = resample(b"/?!", 19_200, 9600)
        assert await read(line, len(garbled)) == garbled
        await port.set_speed(9600)
        line.put(text)
        assert await read(port, len(text)) == text
        await port.write(b"/?!")
        assert await read(line, 3) == b"/?!"


@every_bridge
async def test_bridges_have_one_speed(line: Line) -> None:
    line.listen()
    async with at_speed(300, line) as port:
        await until(lambda: line.listened_to)
        line.put(b"telegram")
        assert await read(port, 8) == b"telegram"
        await port.write(b"/?!")
        assert await read(line, 3) == b"/?!"


@every_port
async def test_port_that_is_in_use(line: Line) -> None:
    async with Port(line.url, LINE) as port:
        with pytest.raises(PortBusyError):
            async with Port(line.url, LINE):
                pass
        line.put(b"telegram")
        assert await read(port, 8) == b"telegram"
    async with Port(line.url, LINE):
        pass


@every_bridge
async def test_each_client_of_a_bridge_gets_everything(line: Line) -> None:
    line.listen()
    async with Port(line.url, LINE) as first, Port(line.url, LINE) as second:
        await until(lambda: line.connections == 2)
        line.put(b"telegram")
        assert await read(first, 8) == await read(second, 8) == b"telegram"
        await second.write(b"hello")
        assert await read(line, 5) == b"hello"


@every_bridge
async def test_bridge_that_needs_a_pause(line: Line) -> None:
    assert isinstance(line, MemoryBridge | TcpLine)
    async with Port(line.url, LINE):
        await until(lambda: line.listened_to)
    await until(lambda: not line.listened_to)
    line.pause = 10 * DEADLINE
    with pytest.raises(PortLostError):
        async with asyncio.timeout(DEADLINE), Port(line.url, LINE) as port:
            await port.read()
    line.pause = 0
    async with Port(line.url, LINE) as port:
        await until(lambda: line.listened_to)
        line.put(b"again")
        assert await read(port, 5) == b"again"
    assert line.connections == 2


# --- lines in memory only -------------------------------------------------------------------------


class SlowReader(MemoryReader):
    """Never takes its bytes, and records how its connection ended."""

    def __init__(self, line: MemoryLine) -> None:
        super().__init__(line)
        self.errors: list[OSError | None] = []

    @property
    def unread(self) -> int:  # type: ignore[override]
        return len(self.received)

    def hang_up(self, error: OSError | None) -> None:
        self.errors.append(error)
        super().hang_up(error)


async def test_queue_of_a_port_is_limited() -> None:
    async with MemoryLine() as line:
        with SlowReader(line) as reader:
            line.put(bytes(3000))
            line.put(bytes(3000))
            assert reader.unread == 4096
            reader.take(1000)
            line.put(b"x" * 2000)
            assert reader.take() == bytes(3096) + b"x" * 1000


async def test_backlog_of_a_bridge_is_limited() -> None:
    async with MemoryBridge() as line:
        with SlowReader(line) as slow, MemoryReader(line) as quick:
            for _ in range(100):
                line.put(bytes(1000))
            assert 65_536 <= slow.unread < 67_000
            assert len(quick.received) == 100_000


@pytest.mark.parametrize(("kind", "number"), [(MemoryLine, errno.EIO), (MemoryBridge, None)])
async def test_how_a_reader_is_hung_up_on(kind: type[MemoryLine], number: int | None) -> None:
    """A port fails with an error, a connection with end of file."""
    async with kind() as line:
        with SlowReader(line) as reader:
            line.close()
            assert [error and error.errno for error in reader.errors] == [number]
            assert not line.listened_to


async def test_pause_of_a_bridge() -> None:
    async with MemoryBridge() as line:
        line.pause = 2.0
        with MemoryReader(line):
            pass
        await asyncio.sleep(1.99)
        assert not is_let_in(line)
        await asyncio.sleep(0.01)
        assert is_let_in(line)
        assert line.connections == 2


def is_let_in(line: MemoryLine) -> bool:
    with MemoryReader(line):
        return line.listened_to


async def test_what_is_on_the_wire_is_lost_with_the_last_client_of_a_bridge() -> None:
    async with MemoryBridge(300) as line:
        line.listen()
        with MemoryReader(line) as reader:
            reader.write(b"hello")
            await asyncio.sleep(2.5 * 10 / 300)
        with MemoryReader(line) as reader:
            reader.write(b"again")
            assert await read(line, 5) == b"again"


async def test_several_lines() -> None:
    async with MemoryLine() as first, MemoryLine() as second, MemoryBridge() as bridge:
        assert len({first.url, second.url, bridge.url}) == 3
        async with Port(second.url, LINE) as port:
            first.put(b"one")
            second.put(b"two")
            assert await read(port, 3) == b"two"


async def test_lines_that_are_not_there() -> None:
    async with MemoryLine() as line, MemoryBridge() as bridge:
        with pytest.raises(PortNotFoundError):
            async with Port("/dev/null", LINE):
                pass
        line.close()
        bridge.close()
        with pytest.raises(PortNotFoundError):
            async with Port(line.url, LINE):
                pass
        with pytest.raises(MeterConnectionError, match="Connection refused"):
            async with Port(bridge.url, LINE):
                pass
    # Nor afterwards.
    with pytest.raises(PortNotFoundError):
        async with Port(line.url, LINE):
            pass


async def test_slow_line_takes_its_time_both_ways() -> None:
    async with MemoryLine(300) as line:
        line.listen()
        loop = asyncio.get_running_loop()
        async with at_speed(300, line) as port:
            started = loop.time()
            writing = asyncio.create_task(line.write(b"telegram"))
            assert await read(port, 8) == b"telegram"
            assert loop.time() - started == pytest.approx(8 * 10 / 300)
            await writing
            started = loop.time()
            await port.write(b"/?!\r\n")
            assert loop.time() - started == pytest.approx(5 * 10 / 300)
            assert await read(line, 5) == b"/?!\r\n"
            assert line.heard_at - started == pytest.approx(5 * 10 / 300)
