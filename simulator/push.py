"""Telegrams that a meter pushes at intervals, as they arrive."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
import time

from .line import Line, damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What keeps telegrams from arriving as they were sent."""

    #: Share of the bytes that arrive changed.
    noise: float = 0.0
    #: Share of the bytes that do not arrive.
    lose: float = 0.0
    #: Spans of time in which the meter sends nothing, in seconds since the start: from, to.
    silences: Sequence[tuple[float, float]] = ()
    random: Random = field(default_factory=lambda: Random(0))

    def silent(self, elapsed: float) -> bool:
        """Whether the meter sends nothing ``elapsed`` seconds after the start."""
        return any(start <= elapsed < end for start, end in self.silences)


async def push(
    line: Line,
    telegram: Callable[[int], bytes],
    *,
    interval: float = 1.0,
    troubles: Troubles | None = None,
) -> None:
    """Send a telegram at each interval, for ever.

    ``telegram`` returns the telegram of a time in seconds since 1970. When sending takes longer
    than the interval, the next telegram follows at once.
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
