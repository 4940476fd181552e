"""Lines: speed, unplugging, slow readers, framing."""

import asyncio
from itertools import pairwise
import os
from pathlib import Path
from random import Random
import termios
import time

import pytest

from custom_components.onemeter.meter.line import Framing as PortFraming, LineSettings
from custom_components.onemeter.meter.port import Port
from simulator.line import Line, damage
from simulator.memory import MemoryLine
from simulator.pty import PtyLine
from simulator.tcp import TcpLine
from simulator.uart import Framing, resample
from tests.helpers.waiting import DEADLINE, until

from ..helpers.reader import MemoryReader

on_a_pty = pytest.mark.real_time("a pseudo-terminal is the kernel's")
on_a_socket = pytest.mark.real_time("a connection is the kernel's")


def open_port(path: Path) -> int:
    """Open a port without changing its settings."""
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


async def read_all(port: int, size: int) -> bytes:
    """Read ``size`` bytes."""
    data = b""
    async with asyncio.timeout(DEADLINE):
        while len(data) < size:
            await asyncio.sleep(0.001)
            try:
                data += os.read(port, size)
            except BlockingIOError:
                continue
    return data


@on_a_pty
async def test_pty_is_transparent(tmp_path: Path) -> None:
    """All 256 characters arrive unchanged, and nothing is echoed."""
    async with PtyLine(tmp_path / "meter", baudrate=115_200) as line:
        port = open_port(line.path)
        data = bytes(range(256))
        await line.write(data)
        assert await read_all(port, 256) == data
        os.close(port)


@pytest.mark.parametrize("baudrate", [9600, 19_200])
async def test_true_speed(baudrate: int) -> None:
    """A character takes ten bits; they are delivered every hundredth of a second."""
    data = bytes(range(240)) * (baudrate // 9600)
    async with MemoryLine(baudrate) as line:
        with MemoryReader(line, baudrate) as reader:
            loop = asyncio.get_running_loop()
            started = loop.time()
            writing = asyncio.create_task(line.write(data))
            times = [started]
            while len(reader.received) < len(data):
                await reader.wait()
                times.append(loop.time())
            await writing
    assert reader.received == data
    assert times[-1] - started == pytest.approx(0.25)
    assert max(after - before for before, after in pairwise(times)) <= 0.01


@on_a_pty
async def test_bytes_before_the_reader_are_lost(tmp_path: Path) -> None:
    """Bytes that are sent while no reader has the port open are lost."""
    async with PtyLine(tmp_path / "meter") as line:
        assert not line.listened_to
        await line.write(b"before" * 100_000)
        port = open_port(line.path)
        assert line.listened_to
        await line.write(b"now")
        assert await read_all(port, 3) == b"now"
        os.close(port)
        assert not line.listened_to


@on_a_pty
async def test_slow_reader_loses_bytes(tmp_path: Path) -> None:
    """A reader that does not read blocks nothing, and receives new bytes when it reads again."""
    async with PtyLine(tmp_path / "meter") as line:
        port = open_port(line.path)
        for _ in range(100):
            line.put(bytes(10_000))
        data = b""
        async with asyncio.timeout(DEADLINE):
            while not data.endswith(b"now"):
                await asyncio.sleep(0.001)
                try:
                    data += os.read(port, 4096)
                except BlockingIOError:
                    # The free space is used again.
                    line.put(b"now")
        assert 0 < data.count(0) < 1_000_000
        os.close(port)


@on_a_pty
async def test_what_is_written_to_the_meter_is_taken_off(tmp_path: Path) -> None:
    """Writing to a meter that only pushes does not block."""
    async with PtyLine(tmp_path / "meter") as line:
        port = open_port(line.path)
        for _ in range(10):
            assert os.write(port, bytes(1000)) == 1000
            await line.write(b"x")
        assert await read_all(port, 10) == b"x" * 10
        os.close(port)


@on_a_pty
async def test_pulled_cable(tmp_path: Path) -> None:
    """Unplugging ends the reader's port and the path; plugging in restores the path."""
    async with PtyLine(tmp_path / "meter") as line:
        port = open_port(line.path)
        line.close()
        assert os.read(port, 1) == b""
        assert not line.path.is_symlink()
        line.close()
        await line.write(b"into the air")
        os.close(port)

        await line.open()
        port = open_port(line.path)
        await line.write(b"again")
        assert await read_all(port, 5) == b"again"
        os.close(port)
    assert not line.path.is_symlink()


async def test_link_is_replaced(tmp_path: Path) -> None:
    """The link of a killed simulator is replaced; the link of a newer one is kept."""
    path = tmp_path / "meter"
    path.symlink_to("/dev/pts/nowhere")
    async with PtyLine(path) as old:
        async with PtyLine(path) as new:
            old.close()
            assert path.is_symlink()
        assert not path.is_symlink()
        assert new.url == str(path)


async def test_file_is_not_replaced(tmp_path: Path) -> None:
    """Another file at the path is kept."""
    path = tmp_path / "meter"
    path.write_text("mine")
    line = PtyLine(path)
    with pytest.raises(FileExistsError):
        await line.open()
    assert path.read_text() == "mine"
    assert not line.listened_to


@on_a_pty
async def test_wrong_speed(tmp_path: Path) -> None:
    """A reader at another speed receives garbage, one at the right speed the sent bytes."""
    data = bytes(range(40, 100))
    async with PtyLine(tmp_path / "meter", baudrate=9600) as line:
        port = open_port(line.path)
        set_speed(port, 19_200)
        await line.write(data)
        set_speed(port, 9600)
        await line.write(b"right: ")
        garbage = b""
        while not garbage.endswith(b"right: "):
            garbage += await read_all(port, 1)
        assert len(garbage) > len(data)
        assert data not in garbage
        await line.write(data)
        assert await read_all(port, len(data)) == data
        os.close(port)


def set_speed(port: int, baudrate: int) -> None:
    """Set a port's speed."""
    attributes = termios.tcgetattr(port)
    attributes[4:6] = [getattr(termios, f"B{baudrate}")] * 2
    termios.tcsetattr(port, termios.TCSANOW, attributes)


async def heard(line: Line, size: int) -> tuple[bytes, float]:
    """Wait until the meter has received ``size`` bytes; return them and the time it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    data = b""
    async with asyncio.timeout(DEADLINE):
        while len(data) < size:
            data += await line.read()
    return data, loop.time() - started


async def test_what_the_reader_sends_takes_its_time() -> None:
    """The meter receives each character at its end, unchanged."""
    data = bytes(range(240))
    async with MemoryLine(baudrate=9600) as line:
        line.listen()
        with MemoryReader(line) as reader:
            reader.write(data)
            received, duration = await heard(line, len(data))
    assert received == data
    assert duration == pytest.approx(0.25)
    assert line.heard_at == pytest.approx(asyncio.get_running_loop().time())


async def test_what_is_sent_in_pieces() -> None:
    """Characters that are written while others are sent follow them."""
    async with MemoryLine(baudrate=9600) as line:
        line.listen()
        with MemoryReader(line) as reader:
            reader.write(b"/?")
            await asyncio.sleep(0.001)
            reader.write(b"!\r\n")
            received, duration = await heard(line, 5)
    assert received == b"/?!\r\n"
    assert duration == pytest.approx(5 * 10 / 9600 - 0.001)


async def test_reader_that_changes_its_speed_too_early() -> None:
    """Characters that are being sent when the speed is changed do not arrive."""
    async with MemoryLine(baudrate=300) as line:
        line.listen()
        with MemoryReader(line, 300) as reader:
            reader.write(b"\x06050\r\n")
            await asyncio.sleep(2.5 * 10 / 300)
            reader.baudrate = 9600
            await asyncio.sleep(0.2)
            # Part of the third character was sent at the old speed.
            received = await line.read()
            assert received[:2] == b"\x060"
            assert b"50\r\n" not in received
            reader.baudrate = 300
            reader.write(b"right")
            assert (await heard(line, 5))[0] == b"right"


@on_a_pty
async def test_meter_receives_garbage_at_another_speed(tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "meter", baudrate=9600) as line:
        line.listen()
        port = open_port(line.path)
        set_speed(port, 4800)
        os.write(port, b"telegram")
        received, _ = await heard(line, 9)
        assert b"t" not in received
        line.baudrate = 4800
        line.forget()
        os.write(port, b"telegram")
        assert (await heard(line, 8))[0] == b"telegram"
        os.close(port)


@on_a_pty
async def test_readers_come_and_go(tmp_path: Path) -> None:
    """The meter receives what a reader has written before it closes the port, then nothing."""
    async with PtyLine(tmp_path / "meter", baudrate=9600) as line:
        line.listen()
        for _ in range(3):
            port = open_port(line.path)
            os.write(port, b"hello")
            os.close(port)
            assert (await heard(line, 5))[0] == b"hello"
        before = time.process_time()
        await asyncio.sleep(0.3)
        assert time.process_time() - before < 0.1
        line.close()
        await line.open()
        port = open_port(line.path)
        os.write(port, b"again")
        assert (await heard(line, 5))[0] == b"again"
        os.close(port)


@on_a_pty
async def test_echo(tmp_path: Path) -> None:
    """A reader receives its own bytes, whatever the meter receives."""
    async with PtyLine(tmp_path / "meter", baudrate=300) as line:
        line.echo = True
        line.listen()
        port = open_port(line.path)
        set_speed(port, 9600)
        os.write(port, bytes(range(256)))
        assert await read_all(port, 256) == bytes(range(256))
        os.close(port)


@on_a_socket
@pytest.mark.usefixtures("socket_enabled")
async def test_tcp() -> None:
    """Each client receives what is sent while it is connected."""
    async with TcpLine() as line:
        await line.write(b"before")
        first, writer = await asyncio.open_connection(line.host, line.port)
        second, other = await asyncio.open_connection(line.host, line.port)
        await until(lambda: line.connections == 2)
        assert line.listened_to
        await line.write(b"telegram")
        assert await first.readexactly(8) == b"telegram"
        assert await second.readexactly(8) == b"telegram"
        # The meter does not listen to clients.
        other.write(b"hello?")
        other.close()
        await until(lambda: len(line._clients) == 1)
        line.listen()
        writer.write(b"hello!")
        assert await line.read() == b"hello!"

        line.close()
        assert await first.read() == b""
        writer.close()
        url = line.url
        await line.open()
        assert line.url == url
        reader, writer = await asyncio.open_connection(line.host, line.port)
        await until(lambda: line.listened_to)
        await line.write(b"again")
        assert await reader.readexactly(5) == b"again"
        writer.close()


@on_a_socket
@pytest.mark.usefixtures("socket_enabled")
async def test_tcp_client_that_does_not_read() -> None:
    """A client that does not read blocks nothing and uses no memory."""
    async with TcpLine() as line:
        reader, writer = await asyncio.open_connection(line.host, line.port, limit=1)
        await until(lambda: line.listened_to)
        for _ in range(1000):
            await line.write(bytes(10_000))
        backlog = [client.get_write_buffer_size() for client in line._clients]
        assert max(backlog) < 100_000
        writer.transport.abort()
        reader.feed_eof()


def test_damage_is_repeatable() -> None:
    """The same seed gives the same damage, at the given rate."""
    data = bytes(100_000)
    damaged = damage(data, Random(1), noise=0.01, lose=0.02)
    assert damaged == damage(data, Random(1), noise=0.01, lose=0.02)
    assert damaged != damage(data, Random(2), noise=0.01, lose=0.02)
    assert len(damaged) == pytest.approx(98_000, abs=300)
    assert len(damaged) - damaged.count(0) == pytest.approx(980, abs=150)
    assert damage(data, Random(1)) == data


async def test_framing_and_polarity_of_the_line() -> None:
    async with MemoryLine(9600) as line:
        with MemoryReader(line, 9600) as reader:
            line.framing = Framing.SEVEN_EVEN
            line.put(b"1.8.0")
            assert reader.take() == resample(b"1.8.0", 9600, 9600, Framing.SEVEN_EVEN)
            line.framing = Framing.EIGHT_EVEN
            line.put(b"1.8.0")
            assert reader.take() == resample(b"1.8.0", 9600, 9600, Framing.EIGHT_EVEN)
            line.framing, line.inverted = None, True
            line.put(b"1.8.0")
            assert reader.take() == resample(b"1.8.0", 9600, 9600, inverted=True)


async def test_character_of_eleven_bits_takes_longer() -> None:
    async with MemoryLine(2400) as line:
        line.framing = Framing.EIGHT_EVEN
        loop = asyncio.get_running_loop()
        started = loop.time()
        await line.write(bytes(24))
        assert loop.time() - started == pytest.approx(0.11)


async def test_framing_that_the_port_has_too() -> None:
    async with MemoryLine(2400) as line:
        line.framing = Framing.EIGHT_EVEN
        async with Port(line.url, LineSettings(2400, PortFraming.EIGHT_EVEN)) as port:
            line.put(bytes(range(256)))
            assert await port.read() == bytes(range(256))
