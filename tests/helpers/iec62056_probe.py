"""A small IEC 62056-21 client at a line that can also break the rules."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import reduce
from operator import xor
from typing import Any, override

from simulator.iec62056 import Iec62056Meter, serve
from simulator.line import Line
from simulator.memory import MemoryLine

from .reader import MemoryReader
from .waiting import running


def even(data: bytes) -> bytes:
    """Return characters with their even parity bit."""
    return bytes(byte | (byte.bit_count() % 2) << 7 for byte in data)


def seven_bit(data: bytes) -> bytes:
    """Return characters without their parity bit."""
    return bytes(byte & 0x7F for byte in data)


def framed(command: str, data: str | None = None) -> bytes:
    """Return a command with its checksum."""
    body = command.encode() + (b"" if data is None else b"\x02" + data.encode()) + b"\x03"
    return b"\x01" + body + bytes([reduce(xor, body)])


class Probe(MemoryReader):
    """An optical probe at a line."""

    def switch(self, baudrate: int) -> None:
        """Change the speed at once."""
        self.baudrate = baudrate

    @override
    def write(self, data: bytes, *, parity: bool = True) -> None:
        super().write(even(data) if parity else data)

    async def send(self, data: bytes, *, parity: bool = True) -> None:
        """Send, and wait for the end of the last character on the line."""
        self.write(data, parity=parity)
        await asyncio.sleep(10 * len(data) / self.baudrate)

    async def receive(self, end: bytes = b"\r\n", within: float = 3, more: int = 0) -> bytes:
        """Return seven-bit characters up to ``end`` and ``more``; those received on time-out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._size_up_to(end, more) is None:
                    await self.wait()
        return seven_bit(self.take(self._size_up_to(end, more)))

    def _size_up_to(self, end: bytes, more: int) -> int | None:
        place = seven_bit(self.received).find(end)
        size = place + len(end) + more
        return size if place >= 0 and size <= len(self.received) else None

    async def raw(self, seconds: float) -> bytes:
        """Return all bytes that are received in a time, with their parity bits."""
        await asyncio.sleep(seconds)
        return self.take()

    async def block(self, within: float = 3) -> bytes:
        """Return a block up to its checksum."""
        return await self.receive(b"\x03", within, more=1)

    async def sign_on(self, request: bytes = b"/?!\r\n") -> bytes:
        """Send a request and return the identification."""
        await self.send(request)
        return await self.receive()

    async def acknowledge(self, choice: bytes, baudrate: int) -> None:
        """Send an acknowledgement and switch to its speed."""
        await self.send(b"\x06" + choice + b"\r\n")
        self.switch(baudrate)

    async def command(self, command: str, data: str | None = None) -> bytes:
        """Send a command and return the answer."""
        await self.send(framed(command, data))
        return await self.block()


def probed(
    *meters: Iec62056Meter, line: MemoryLine | None = None
) -> AbstractAsyncContextManager[Probe]:
    """Serve meters at a line, and connect a probe at the speed of the sign-on."""
    return probing(lambda line: serve(line, *meters), meters[0].start_baudrate, line)


@asynccontextmanager
async def probing(
    answer: Callable[[Line], Coroutine[Any, Any, None]],
    baudrate: int,
    line: MemoryLine | None = None,
) -> AsyncGenerator[Probe]:
    """Run ``answer`` at a line, and connect a probe."""
    async with line or MemoryLine() as line_, running(answer(line_)) as answering:
        with Probe(line_, baudrate) as probe:
            # ``answer`` begins to listen.
            await asyncio.sleep(0)
            yield probe
        assert not answering.done()
