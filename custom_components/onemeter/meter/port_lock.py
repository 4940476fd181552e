"""Whose turn it is at a port that several meters share: one after the other."""

import asyncio
import os
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary


class PortLock:
    """Who uses a port, and who waits for it: ``async with turns_at(url)``."""

    def __init__(self) -> None:
        """Begin with a free port."""
        self._lock = asyncio.Lock()
        self._waiting = 0
        #: Rings when somebody comes while the one whose turn it is rests.
        self._bell: asyncio.Event | None = None

    @property
    def are_wanted(self) -> bool:
        """Whether somebody else waits for the port, so that nobody should keep it for long."""
        return self._waiting > 0

    async def __aenter__(self) -> Self:
        """Wait for the port."""
        self._waiting += 1
        if self._bell is not None:
            self._bell.set()
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        return self

    async def rest(self, seconds: float) -> None:
        """Keep the port for so long, or until somebody else waits for it."""
        self._bell = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            pass
        finally:
            self._bell = None

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the next one have it."""
        self._lock.release()


_TURNS: WeakValueDictionary[str, PortLock] = WeakValueDictionary()


def turns_at(url: str) -> PortLock:
    """Return the turns of all clients of one port in this process."""
    # A local port has several names, which may mean another one once it was replugged.
    name = url if "://" in url else os.path.realpath(url)
    # A new one must be held on to until it is in use.
    turns = _TURNS.get(name) or PortLock()
    return _TURNS.setdefault(name, turns)
