"""Flashes as a port tells them: bytes received, or edges of a modem line."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from ..errors import MeterConnectionError
from ..line import ModemLine
from ..modem import COUNT_WRAPS, LineState, look, watch
from ..port import BITS_PER_CHARACTER, Port

_MILLISECOND: Final = 10**6
#: Bytes that are read together, or that come through a network, tell next to nothing of when they
#: came. No more do those that follow each other fast: then a computer that is busy for a moment
#: sees some flashes late, and the next ones too soon after them.
_ANY_TIME: Final = 60_000 * _MILLISECOND
#: While this many intervals have each been this long, no computer is as busy, and two flashes that
#: are seen too soon one after the other are one that flickered. Then one is seen late by one part
#: of the shortest interval at the most.
_SLOW_INTERVALS: Final = 3
_SLOW: Final = 1000 * _MILLISECOND
_LATE_PART: Final = 4
#: What looking at modem lines again and again may be late by.
_LOOKED_LATE: Final = 20 * _MILLISECOND
#: Bytes that are read within this time belong to one long flash. Two flashes must be as far apart,
#: end to beginning.
_LONG_FLASH: Final = 50 * _MILLISECOND
#: Seconds between two looks at edges that the driver counts, and for which levels are looked at in
#: one go where it does not.
_COUNTED_SECONDS: Final = 0.1
_WATCHED_SECONDS: Final = 0.25

#: Takes how many flashes or edges there were, when that was seen, and by how much that may be late
#: (ns).
type Take = Callable[[int, int, int], None]


class ByteFlashes:
    """Finds flashes among the bytes of a port, where each byte is one, however late it is read."""

    def __init__(self, spacing: int, *, is_local: bool) -> None:
        """Take the shortest interval that there can be, and whether bytes are read as they come."""
        self._spacing = spacing
        self._is_local = is_local
        self._last: int | None = None
        self._intervals: deque[int] = deque(maxlen=_SLOW_INTERVALS)

    def feed(self, data: bytes, at: int) -> tuple[int, int, int]:
        """Take bytes read at a time; return what Take takes."""
        if self._last is None:
            self._last = at
        elif (interval := at - self._last) >= self._spacing:
            self._intervals.append(interval // len(data))
            self._last = at
        is_slow = len(self._intervals) == _SLOW_INTERVALS and min(self._intervals) >= _SLOW
        if self._is_local and is_slow and len(data) == 1:
            return 1, at, self._spacing // _LATE_PART
        return len(data), at, _ANY_TIME


class LongFlashes:
    """Finds flashes among the bytes of a port, where a flash is many bytes."""

    def __init__(self, baudrate: int) -> None:
        """Take the speed, at which zeros come for as long as a flash lasts."""
        self._character = BITS_PER_CHARACTER * 10**9 // baudrate
        self._last: int | None = None

    def feed(self, data: bytes, at: int) -> tuple[int, int, int]:
        """Take bytes read at a time, one at least; return what Take takes."""
        began = at - (len(data) - 1) * self._character
        is_new = self._last is None or began - self._last >= _LONG_FLASH
        self._last = at
        return int(is_new), at, _ANY_TIME


async def follow(port: Port, line: ModemLine, state: LineState, take: Take) -> None:
    """Count the edges of a modem line, for ever, from a state on.

    That is done by the driver's counts, or else by looking. Raises MeterConnectionError when the
    port is lost.
    """
    while state.edges is not None:
        await asyncio.sleep(_COUNTED_SECONDS)
        before, state = state, await line_state(port, line)
        if state.edges is None or before.edges is None:
            break
        edges = (state.edges - before.edges) % COUNT_WRAPS
        if not edges and state.level != before.level:
            # There are drivers that tell counts, and count nothing.
            take(_edges(line, state), state.at, state.at - before.at)
            break
        if edges:
            take(edges, state.at, state.at - before.at)
    while True:
        looking = partial(watch, line=line, level=state.level, seconds=_WATCHED_SECONDS)
        for state in await port.examine(looking):
            take(_edges(line, state), state.at, _LOOKED_LATE)


def _edges(line: ModemLine, state: LineState) -> int:
    """Return how many edges a change of level is, as drivers count them."""
    return int(line is not ModemLine.RI or not state.level)


async def line_state(port: Port, line: ModemLine) -> LineState:
    """Return how a modem line is. Raises MeterConnectionError for a port without such lines."""
    state = await port.examine(partial(look, line=line))
    if state is None:
        reason = "no modem lines"
        raise MeterConnectionError(f"{port.name} has {reason}", port=port.name, reason=reason)
    return state
