"""Meters that speak on a line, each in its own manner."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
import time
from typing import Final

from .line import Line, damage

_POLL: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What keeps telegrams from arriving as they were sent."""

    #: Share of the bytes that arrive changed.
    noise: float = 0.0
    #: Share of the bytes that do not arrive.
    lose: float = 0.0
    #: Spans of time in which the meter says nothing, as seconds since the start: from, to.
    silences: Sequence[tuple[float, float]] = ()
    random: Random = field(default_factory=lambda: Random(0))

    def silent(self, elapsed: float) -> bool:
        """Whether the meter says nothing so long after the start."""
        return any(start <= elapsed < end for start, end in self.silences)


async def push(
    line: Line,
    telegram: Callable[[int], bytes],
    *,
    interval: float = 1.0,
    troubles: Troubles | None = None,
) -> None:
    """Send a telegram at each interval, for ever, as meters do that nobody has to ask.

    ``telegram`` makes the one of a second since 1970. When a telegram takes longer than the
    interval, the next one follows at once.
    """
    troubles = troubles or Troubles()
    loop = asyncio.get_running_loop()
    started = due = loop.time()
    while True:
        await asyncio.sleep(due - loop.time())
        if not troubles.silent(loop.time() - started):
            data = telegram(int(time.time()))
            await line.write(
                damage(data, troubles.random, noise=troubles.noise, lose=troubles.lose)
            )
        due = max(due + interval, loop.time())


async def replay(line: Line, data: bytes, *, loop: bool = False) -> None:
    """Send a captured stream, byte by byte, to the first that listens.

    Ends when the listener has gone, so that it can read the last byte in peace; ``loop`` begins
    again instead, for ever.
    """
    while not line.listened_to:  # noqa: ASYNC110  the kernel tells it only when asked
        await asyncio.sleep(_POLL)
    await line.write(data)
    while loop:
        await line.write(data)
    while line.listened_to:  # noqa: ASYNC110  likewise
        await asyncio.sleep(_POLL)
