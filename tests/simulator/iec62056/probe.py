"""A client of a few lines: an optical probe at a serial port, with all its freedom to err."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import reduce
from operator import xor
import os
from pathlib import Path
import termios
from types import TracebackType
from typing import Self

from simulator.iec62056 import Iec62056Meter, serve
from simulator.pty import PtyLine


def even(data: bytes) -> bytes:
    """Return characters with their even parity bit."""
    return bytes(byte | (byte.bit_count() % 2) << 7 for byte in data)


def framed(command: str, data: str | None = None) -> bytes:
    """Return a command with its checksum."""
    body = command.encode() + (b"" if data is None else b"\x02" + data.encode()) + b"\x03"
    return b"\x01" + body + bytes([reduce(xor, body)])


class Probe:
    """A port that is open at a speed."""

    def __init__(self, path: Path, baudrate: int) -> None:
        self.path = path
        self.baudrate = baudrate
        self.received = b""

    def __enter__(self) -> Self:
        self._port = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.switch(self.baudrate)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._port)

    def switch(self, baudrate: int) -> None:
        """Change the speed at once."""
        attributes = termios.tcgetattr(self._port)
        attributes[4:6] = [getattr(termios, f"B{baudrate}")] * 2
        termios.tcsetattr(self._port, termios.TCSANOW, attributes)
        self.baudrate = baudrate

    async def send(self, data: bytes, *, parity: bool = True) -> None:
        """Send, and wait until the last character has left the wire, and a little more."""
        self.write(data, parity=parity)
        await asyncio.sleep(10 * len(data) / self.baudrate + 0.015)

    def write(self, data: bytes, *, parity: bool = True) -> None:
        """Send without waiting."""
        os.write(self._port, even(data) if parity else data)

    async def receive(self, end: bytes = b"\r\n", within: float = 3, more: int = 0) -> bytes:
        """Return seven-bit characters up to an end and some more; fewer when the time is over."""
        data = self.received
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while (place := data.find(end)) < 0 or len(data) < place + len(end) + more:
                    with suppress(BlockingIOError):
                        data += bytes(byte & 0x7F for byte in os.read(self._port, 4096))
                    await asyncio.sleep(0.001)
        size = len(data) if place < 0 else place + len(end) + more
        self.received = data[size:]
        return data[:size]

    async def raw(self, seconds: float) -> bytes:
        """Return all bytes that come in a time, as they come."""
        data = self.received
        self.received = b""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            with suppress(BlockingIOError):
                data += os.read(self._port, 4096)
            await asyncio.sleep(0.001)
        return data

    async def block(self, within: float = 3) -> bytes:
        """Return a block up to its checksum."""
        return await self.receive(b"\x03", within, more=1)

    async def sign_on(self, request: bytes = b"/?!\r\n") -> bytes:
        """Ask for the identification and return it."""
        await self.send(request)
        return await self.receive()

    async def acknowledge(self, choice: bytes, baudrate: int) -> None:
        """Choose what is to come, and go to its speed."""
        await self.send(b"\x06" + choice + b"\r\n")
        self.switch(baudrate)

    async def command(self, command: str, data: str | None = None) -> bytes:
        """Send a command and return the answer."""
        await self.send(framed(command, data))
        return await self.block()


@asynccontextmanager
async def probed(path: Path, *meters: Iec62056Meter) -> AsyncIterator[Probe]:
    """Let meters answer, and open their port at the speed at which they wait."""
    async with PtyLine(path / "meter") as line:
        serving = asyncio.create_task(serve(line, *meters))
        with Probe(line.path, meters[0].start_baudrate) as probe:
            await asyncio.sleep(0.02)
            yield probe
        assert not serving.done()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
