"""Flashes at a port: bytes received, or edges of a modem line."""

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
#: The delay (ns) of bytes whose time is unknown: those that are read together or come through a
#: network, and those in quick succession, which a busy computer may read late and then too soon
#: after each other.
_ANY_TIME: Final = 60_000 * _MILLISECOND
#: After this many intervals of at least this length (ns), the delay is less than the shortest
#: interval divided by this number: no computer is busy for so long. Then two flashes that are too
#: close are one that flickered.
_SLOW_INTERVALS: Final = 3
_SLOW: Final = 1000 * _MILLISECOND
_LATE_PART: Final = 4
#: Delay (ns) of sampling modem lines.
_LOOKED_LATE: Final = 20 * _MILLISECOND
#: Bytes that are read within this time (ns) belong to one long flash. Two flashes must be as far
#: apart, end to begin.
_LONG_FLASH: Final = 50 * _MILLISECOND
#: Seconds between two readings of the driver's edge counts; and for which levels are sampled in one
#: call of the thread where the driver does not count.
_COUNTED_SECONDS: Final = 0.1
_WATCHED_SECONDS: Final = 0.25

#: Called with a number of flashes or edges, the time when they were seen, and its possible delay
#: (both ns).
type Take = Callable[[int, int, int], None]


class ByteFlashes:
    """Finds the flashes in the bytes of a port, where each byte is one."""

    def __init__(self, spacing: int, *, is_local: bool) -> None:
        """Take the shortest possible interval (ns), and whether bytes are read without network."""
        self._spacing = spacing
        self._is_local = is_local
        self._last: int | None = None
        self._intervals: deque[int] = deque(maxlen=_SLOW_INTERVALS)

    def feed(self, data: bytes, at: int) -> tuple[int, int, int]:
        """Return the arguments of Take for bytes read at a time (ns)."""
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
    """Finds the flashes in the bytes of a port, where each flash is several bytes."""

    def __init__(self, baudrate: int) -> None:
        """Take the port's speed (bit/s)."""
        self._character = BITS_PER_CHARACTER * 10**9 // baudrate
        self._last: int | None = None

    def feed(self, data: bytes, at: int) -> tuple[int, int, int]:
        """Return the arguments of Take for at least one byte read at a time (ns)."""
        began = at - (len(data) - 1) * self._character
        is_new = self._last is None or began - self._last >= _LONG_FLASH
        self._last = at
        return int(is_new), at, _ANY_TIME


async def follow(port: Port, line: ModemLine, state: LineState, take: Take) -> None:
    """Report the edges of a modem line since a state, until the port is lost.

    They are counted by the driver, or else found by sampling. Raises MeterConnectionError when the
    port is lost.
    """
    while state.edges is not None:
        await asyncio.sleep(_COUNTED_SECONDS)
        before, state = state, await line_state(port, line)
        if state.edges is None or before.edges is None:
            break
        edges = (state.edges - before.edges) % COUNT_WRAPS
        if not edges and state.level != before.level:
            # Some drivers report counts that never change.
            take(_edges(line, state), state.at, state.at - before.at)
            break
        if edges:
            take(edges, state.at, state.at - before.at)
    while True:
        looking = partial(watch, line=line, level=state.level, seconds=_WATCHED_SECONDS)
        for state in await port.examine(looking):
            take(_edges(line, state), state.at, _LOOKED_LATE)


def _edges(line: ModemLine, state: LineState) -> int:
    """Return how many edges a driver would count for a change of level."""
    return int(line is not ModemLine.RI or not state.level)


async def line_state(port: Port, line: ModemLine) -> LineState:
    """Return the state of a modem line. Raises MeterConnectionError for a port without any."""
    state = await port.examine(partial(look, line=line))
    if state is None:
        reason = "no modem lines"
        raise MeterConnectionError(f"{port.name} has {reason}", port=port.name, reason=reason)
    return state
