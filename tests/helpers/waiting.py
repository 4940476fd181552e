"""Waiting for what has no event of its own."""

import asyncio
from collections.abc import Callable

#: What a machine may take that is busy with other things, in seconds.
DEADLINE = 20


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait until something is so; TimeoutError when it is not so after a while."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.005)
