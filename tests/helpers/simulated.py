"""An entry of a pushing meter whose bytes come from a port of the kernel, at times of the test."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
import time
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory

from homeassistant.core import HomeAssistant
from simulator.line import Line

from .pushed import PushedMeter
from .waiting import DEADLINE, running

#: Seconds between two looks at something that has no event.
_LOOK = 0.005


class SimulatedMeter(PushedMeter):
    """An entry of which nothing is replaced; the test sends what its meter sends."""

    def __init__(
        self,
        hass: HomeAssistant,
        freezer: FrozenDateTimeFactory,
        line: Line,
        unique_id: str,
        *,
        options: dict[str, Any] | None = None,
        **data: Any,
    ) -> None:
        super().__init__(hass, freezer)
        self.line = line
        self._jobs: set[asyncio.Future[Any]] = set()
        self._start_in_executor: Callable[..., asyncio.Future[Any]] = hass.loop.run_in_executor
        hass.loop.run_in_executor = self._run_in_executor  # type: ignore[method-assign, assignment]
        self.make_entry(unique_id, port=line.url, options=options, **data)

    @override
    @contextmanager
    def patched(self) -> Generator[None]:
        yield

    @asynccontextmanager
    async def sending(self, telegram: bytes) -> AsyncGenerator[None]:
        """Send a telegram again and again, whenever somebody listens."""

        async def send() -> None:
            while True:
                if self.line.listened_to:
                    self.line.put(telegram)
                await self._look()

        async with running(send()):
            yield

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true, in real time and by the clock of the loop."""
        for _ in range(round(DEADLINE / _LOOK)):
            if condition():
                return
            await self._look()
        raise TimeoutError

    @override
    async def settle(self) -> None:
        """Also wait for threads that open a port, whose timeout the clock would reach."""
        await super().settle()
        while self._jobs:
            await asyncio.wait(self._jobs)
            await super().settle()

    def _run_in_executor(self, *job: Any) -> asyncio.Future[Any]:
        future = self._start_in_executor(*job)
        self._jobs.add(future)
        future.add_done_callback(self._jobs.discard)
        return future

    async def _look(self) -> None:
        # The clock of the loop stands still otherwise.
        self.freezer.tick(timedelta(seconds=_LOOK))
        await self._start_in_executor(None, time.sleep, _LOOK)

    async def begin(self, telegram: bytes) -> bool:
        """Set up the entry while the meter sends this telegram."""
        async with self.sending(telegram):
            is_set_up = await self.set_up()
        await self.settle()
        return is_set_up

    async def send(self, *telegrams: bytes, after: float = 0) -> None:
        """Advance the time, then send telegrams and wait until they are received."""
        await self.wait(after)
        for telegram in telegrams:
            await self._async_send(telegram)
        await self.settle()

    async def offer(self, telegram: bytes, after: float = 0) -> None:
        """Advance the time, then send a telegram, which arrives only if the port is open."""
        await self.wait(after)
        self.line.put(telegram)
        await self._look()
        await self.settle()

    async def _async_send(self, telegram: bytes) -> None:
        await self.until(lambda: self.line.listened_to)
        counters = self.coordinator.client.counters
        received = counters.received + len(telegram)
        self.line.put(telegram)
        await self.until(lambda: counters.received >= received)
