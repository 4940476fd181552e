"""Waiting for conditions without an event."""

import asyncio
from collections.abc import Callable

#: Time-out in seconds that suits a busy machine.
DEADLINE = 20


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait until a condition is true; TimeoutError after a time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.005)
