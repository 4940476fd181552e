"""A reader at a line in memory, for tests on a simulated clock."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from simulator.memory import MemoryLine


class MemoryReader:
    """A reader that is connected to a line without a port; a context manager.

    It takes every byte at once and loses none.
    """

    unread = 0

    def __init__(self, line: MemoryLine, baudrate: int = 9600) -> None:
        self.line = line
        self.baudrate = baudrate
        #: Bytes that were received but not taken.
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
        """Return received bytes, all or the first ``size``."""
        data = self.received[:size]
        self.received = self.received[len(data) :]
        return data

    async def read(self, size: int, within: float = 5) -> bytes:
        """Wait for ``size`` bytes and return them; fewer on time-out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while len(self.received) < size:
                    await self.wait()
        return self.take(size)

    async def wait(self) -> None:
        """Wait for more bytes."""
        self._something_came.clear()
        await self._something_came.wait()
