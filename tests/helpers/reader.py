"""A reader at a line in memory: for tests on a simulated clock."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from simulator.memory import MemoryLine


class MemoryReader:
    """What is connected to a line, without a port in between; a context manager.

    It takes every byte at once, and so loses none.
    """

    unread = 0

    def __init__(self, line: MemoryLine, baudrate: int = 9600) -> None:
        self.line = line
        self.baudrate = baudrate
        #: What has come and was not read yet.
        self.received = b""
        self.is_connected = False
        self._something_came = asyncio.Event()

    def __enter__(self) -> Self:
        self.line.attach(self)
        self.is_connected = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hang_up(None)

    def feed(self, data: bytes) -> None:
        self.received += data
        self._something_came.set()

    def hang_up(self, _error: OSError | None) -> None:
        if self.is_connected:
            self.is_connected = False
            self.line.detach(self)

    def write(self, data: bytes) -> None:
        """Send without waiting."""
        self.line.sent_by_reader(data)

    def take(self, size: int | None = None) -> bytes:
        """Return what has come, or the first of it."""
        data = self.received[:size]
        self.received = self.received[len(data) :]
        return data

    async def read(self, size: int, within: float = 5) -> bytes:
        """Wait for so many bytes and return them; fewer when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while len(self.received) < size:
                    await self.wait()
        return self.take(size)

    async def wait(self) -> None:
        """Wait until something more comes."""
        self._something_came.clear()
        await self._something_came.wait()
