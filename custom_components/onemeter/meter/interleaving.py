"""Sliced work in an event loop, so that none of it holds up others for long."""

import asyncio
from collections.abc import Iterable

from .slices import Sliced


async def do_in_turns[T](work: Sliced[T]) -> T:
    """Do some work, and let other tasks have their turn after each slice."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)


async def find_in_turns[T](found: Iterable[T | None]) -> list[T]:
    """Return all that is found; after each None, the end of a slice, others have their turn."""
    items: list[T] = []
    for item in found:
        if item is None:
            await asyncio.sleep(0)
        else:
            items.append(item)
    return items
