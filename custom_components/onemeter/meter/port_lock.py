"""One client at a time at a port that several meters share."""

import asyncio
import os
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary


class PortLock:
    """The lock of one port, fair: ``async with port_lock(url)``."""

    def __init__(self) -> None:
        """Begin unlocked."""
        self._lock = asyncio.Lock()
        self._waiting = 0
        #: Set when another client begins to wait during hold().
        self._has_new_waiter: asyncio.Event | None = None

    @property
    def has_waiters(self) -> bool:
        """Whether another client waits for the port, so that it should be released soon."""
        return self._waiting > 0

    async def __aenter__(self) -> Self:
        """Wait for the port and lock it."""
        self._waiting += 1
        if self._has_new_waiter is not None:
            self._has_new_waiter.set()
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        return self

    async def hold(self, seconds: float) -> None:
        """Keep the port locked for some seconds, or until another client waits for it."""
        self._has_new_waiter = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._has_new_waiter.wait()
        except TimeoutError:
            pass
        finally:
            self._has_new_waiter = None

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unlock the port."""
        self._lock.release()


_LOCKS: WeakValueDictionary[str, PortLock] = WeakValueDictionary()


def port_lock(url: str) -> PortLock:
    """Return the lock that all clients of one port in this process share."""
    # A local port has several names, which may mean another one once it was replugged.
    name = url if "://" in url else os.path.realpath(url)
    # The reference keeps a new lock alive until the caller has it: the dictionary holds none.
    lock = _LOCKS.get(name) or PortLock()
    return _LOCKS.setdefault(name, lock)
