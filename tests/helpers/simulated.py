"""An entry of a pushing meter whose bytes come from a port of the kernel, at times of the test."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
import time
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory

from homeassistant.core import HomeAssistant
from simulator.pty import PtyLine

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
        line: PtyLine,
        unique_id: str,
        *,
        options: dict[str, Any] | None = None,
        **data: Any,
    ) -> None:
        super().__init__(hass, freezer)
        self.line = line
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

    async def _look(self) -> None:
        # The clock of the loop stands still otherwise.
        self.freezer.tick(timedelta(seconds=_LOOK))
        await asyncio.to_thread(time.sleep, _LOOK)

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

    async def _async_send(self, telegram: bytes) -> None:
        await self.until(lambda: self.line.listened_to)
        counters = self.coordinator.client.counters
        received = counters.received + len(telegram)
        self.line.put(telegram)
        await self.until(lambda: counters.received >= received)
