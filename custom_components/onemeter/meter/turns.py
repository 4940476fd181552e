"""Whose turn it is at a port that several meters share: one after the other."""

import asyncio
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary


class Turns:
    """Who uses a port, and who waits for it: ``async with turns_at(url)``."""

    def __init__(self) -> None:
        """Begin with a free port."""
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def are_wanted(self) -> bool:
        """Whether somebody else waits for the port, so that nobody should keep it for long."""
        return self._waiting > 0

    async def __aenter__(self) -> Self:
        """Wait for the port."""
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the next one have it."""
        self._lock.release()


_TURNS: WeakValueDictionary[str, Turns] = WeakValueDictionary()


def turns_at(url: str) -> Turns:
    """Return the turns of all clients of one port in this process."""
    # A new one must be held on to until it is in use.
    turns = _TURNS.get(url) or Turns()
    return _TURNS.setdefault(url, turns)
