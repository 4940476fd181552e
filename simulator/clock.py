"""An event loop on simulated time, which jumps to the next timer when nothing is ready."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from math import inf
from selectors import PollSelector, SelectorKey
import time
from typing import Any, Final, override

#: Event loop time at the start, in seconds; not 0, which some code uses for "never".
_START: Final = 1000.0


class SimulatedClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while callbacks run and jumps instead of waiting.

    A meter and its reader on a ``MemoryLine`` both run on this clock: their timing does not depend
    on the load of the machine, and an hour of it takes seconds. Calls in other threads take no
    simulated time. Not for real ports or other processes: their bytes may arrive after a time-out
    that has passed at once.
    """

    def __init__(self, real_seconds: float = inf) -> None:
        """Start the clock.

        After ``real_seconds`` in real time the loop raises RuntimeError, and may then be run again
        to clean up. Without a limit, a loop that waits in vain runs for ever if there is always
        another timer.
        """
        self._now = _START
        self._real_seconds = real_seconds
        self._give_up_at = time.monotonic() + real_seconds
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
        """Wait for the threads without a time-out, which would pass at once."""
        await super().shutdown_default_executor(None)

    @property
    def must_wait(self) -> bool:
        """Whether the clock has to stand still because a call in a thread has not returned."""
        return self._calls_in_threads > 0

    def jump(self, seconds: float) -> None:
        """Advance the clock."""
        if (real := time.monotonic()) > self._give_up_at:
            self._give_up_at = real + self._real_seconds
            raise RuntimeError(f"{self._now - _START:.0f} simulated seconds were not enough")
        self._now += seconds


class _JumpingSelector(PollSelector):
    """A selector that advances the clock instead of waiting."""

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
