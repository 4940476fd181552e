"""Sliced work in an event loop: other tasks run between the slices."""

import asyncio
from collections.abc import Iterable

from .slices import Sliced


async def do_in_turns[T](work: Sliced[T]) -> T:
    """Return the result of sliced work; other tasks run after each slice."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)


async def find_in_turns[T](found: Iterable[T | None]) -> list[T]:
    """Return all items but None, which ends a slice: other tasks run after it."""
    items: list[T] = []
    for item in found:
        if item is None:
            await asyncio.sleep(0)
        else:
            items.append(item)
    return items
