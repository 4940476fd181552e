"""An event loop on simulated time: it jumps to the next timer when nothing is ready."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from selectors import SelectorKey, SelectSelector
from typing import Any, Final, override

#: Event loop time at the start, in seconds; zero would pass for "never" in some places.
_START: Final = 1000.0


class SimulatedClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while it works and jumps while it waits.

    A meter and its reader that are connected by a ``MemoryLine`` both run on this clock, so their
    time does not depend on the load of the machine and an hour of it takes seconds. Calls in other
    threads are waited for and take no time. What comes from elsewhere, such as bytes of a real
    port or of another process, may come after the time for which it is waited has passed.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self._now = _START
        self._calls_in_threads = 0
        super().__init__(_JumpingSelector(self))

    @override
    def time(self) -> float:
        return self._now

    @override
    def run_in_executor[*Arguments, Result](
        self,
        executor: Executor | None,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        future = super().run_in_executor(executor, func, *args)
        self._calls_in_threads += 1
        future.add_done_callback(self._call_returned)
        return future

    def _call_returned(self, _: asyncio.Future[Any]) -> None:
        self._calls_in_threads -= 1

    @override
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads however long that takes: no time passes meanwhile."""
        await super().shutdown_default_executor(None)

    @property
    def must_wait(self) -> bool:
        """Whether time cannot pass, since a thread is still at work."""
        return self._calls_in_threads > 0

    def jump(self, seconds: float) -> None:
        """Advance the clock."""
        self._now += seconds


class _JumpingSelector(SelectSelector):
    """Lets time pass instead of waiting."""

    def __init__(self, loop: SimulatedClockLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self._loop.must_wait:
            return super().select(None)
        if not (events := super().select(0)):
            self._loop.jump(timeout)
        return events
