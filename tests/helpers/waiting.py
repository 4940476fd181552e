"""Waiting for conditions without an event, and tasks that run meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

#: Time-out in seconds that suits a busy machine.
DEADLINE = 20


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait until a condition is true; TimeoutError after a time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Run a coroutine in a task that is canceled at the end."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
