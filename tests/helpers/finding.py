"""Meters of each kind at a line, and what is found there: on the simulated clock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from custom_components.onemeter.meter.detection import Detection, detect
from simulator.kinds import Kind
from simulator.memory import MemoryBridge, MemoryLine
from simulator.uart import Receiver


@asynccontextmanager
async def at_a_line(
    kind: Kind, receiver: Receiver = Receiver.RESTART, *, after: float = 0.0
) -> AsyncGenerator[MemoryLine]:
    """Put up a meter at a serial port; it speaks for some seconds before anybody listens."""
    async with MemoryLine() as line, serving(kind, line, after):
        line.receiver = receiver
        yield line


@asynccontextmanager
async def at_a_bridge(kind: Kind, *, after: float = 0.0) -> AsyncGenerator[MemoryBridge]:
    """Put up a meter behind a bridge that has the meter's speed."""
    async with MemoryBridge() as line, serving(kind, line, after):
        # The bridge is set to the meter's framing, too.
        line.framing = None
        yield line


@asynccontextmanager
async def serving(kind: Kind, line: MemoryLine, after: float) -> AsyncGenerator[None]:
    """Let a meter speak and answer; the line has its speed and its framing then."""
    kind.set_up(line)
    task = asyncio.create_task(kind.serve(line))
    await asyncio.sleep(after)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def found(line: MemoryLine, country: str | None = None, **options: Any) -> Detection:
    """Return what is found at a line."""
    return await detect(line.url, country=country, **options)
