"""Finding out in which way a port reports the impulses of a meter's LED."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from ..blink.settings import Source
from ..line import LineSettings, ModemLine
from ..modem import COUNT_WRAPS, look
from ..port import Port
from ..port_lock import port_lock
from .bursts import Bursts, Flashes

#: Seconds between two looks at the edges that the driver has counted.
_LOOK_SECONDS: Final = 1.0
#: Edges of one modem line that are flashes: opening a port may change a level once.
_EDGES_LEAST: Final = 4


async def find_source(
    url: str, line: LineSettings, seconds: float, seen: Callable[[int], None]
) -> Source | None:
    """Return the way in which impulses come at a port, within a number of seconds.

    None where nothing comes in time, or telegrams. Nothing is sent. The modem lines are those of
    drivers that count edges. ``seen`` is called with the number of impulses so far.

    Raises MeterConnectionError.
    """
    loop = asyncio.get_running_loop()
    async with port_lock(url), Port(url, line, modem_lines=True) as port:
        now = loop.time()
        bursts, flashes = Bursts(now, is_local=port.is_local), Flashes()
        counted, end, next_look = await _edges(port), now + seconds, now + _LOOK_SECONDS
        while now < end and not flashes.are_enough:
            if data := await port.read(min(end, next_look, bursts.ends_at or end)):
                bursts.take(data, loop.time())
            now = loop.time()
            if (burst := bursts.finished(now)) is not None:
                if not (burst.is_noise or burst.is_flash(line)):
                    return None
                flashes.take(burst, line)
                seen(flashes.count)
            if now >= next_look:
                next_look = now + _LOOK_SECONDS
                source, edges = _most_edges(counted, await _edges(port))
                if edges >= _EDGES_LEAST:
                    seen(edges // source.edges)
                    return source
    return flashes.source if flashes.count else None


async def _edges(port: Port) -> Mapping[ModemLine, int]:
    """Return the edges of each modem line so far, of the lines whose edges are counted."""
    if not port.is_local:
        return {}
    states = {line: await port.examine(partial(look, line=line)) for line in ModemLine}
    return {
        line: state.edges
        for line, state in states.items()
        if state is not None and state.edges is not None
    }


def _most_edges(
    before: Mapping[ModemLine, int], now: Mapping[ModemLine, int]
) -> tuple[Source, int]:
    """Return the modem line with the most edges since an earlier count, and their number."""
    edges = {line: (now[line] - before[line]) % COUNT_WRAPS for line in before.keys() & now}
    line = max(edges, key=lambda line: edges[line], default=ModemLine.CTS)
    return Source(line.value), edges.get(line, 0)
