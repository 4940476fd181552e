"""A meter's LED in front of a phototransistor at the RX line of a serial port."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from simulator.line import Line

#: The character that is received for a flash.
_DARK: Final = b"\x00"
#: Seconds from a flash to its duplicate, caused by a reflection or a bouncing threshold.
_DOUBLE: Final = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What keeps flashes from arriving as they were sent."""

    #: Largest deviation in seconds, early or late.
    jitter: float = 0.0
    #: Share of the flashes that are not received.
    miss: float = 0.0
    #: Share of the received flashes that are received twice.
    double: float = 0.0
    #: Number of flashes that arrive together, as with some bridges.
    burst: int = 1
    random: Random = field(default_factory=lambda: Random(0))


@dataclass(slots=True)
class Light:
    """An LED that flashes on a line, and counts how often."""

    line: Line
    troubles: Troubles = field(default_factory=Troubles)
    #: Duration of a flash in seconds; a long one is received as several characters.
    length: float = 0.0
    #: Impulses of the meter so far.
    impulses: int = 0
    #: Of these, those that were not received, and those that were received twice.
    missed: int = 0
    doubled: int = 0
    _held: bytearray = field(default_factory=bytearray)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def flashes(self) -> int:
        """Number of flashes that a reader has received."""
        return self.impulses - self.missed + self.doubled

    async def blink(self, flashes: Iterable[float], now: float) -> None:
        """Flash at each of these times; ``now`` is the current time on the same clock."""
        loop = asyncio.get_running_loop()
        ahead = loop.time() - now
        troubles = self.troubles
        for at in flashes:
            jitter = troubles.random.uniform(-1, 1) * troubles.jitter
            await asyncio.sleep(at + jitter + ahead - loop.time())
            self.impulses += 1
            if troubles.random.random() < troubles.miss:
                self.missed += 1
                continue
            self._flash()
            if troubles.random.random() < troubles.double:
                self.doubled += 1
                await asyncio.sleep(_DOUBLE)
                self._flash()
        self._release()
        if self._sending:
            await asyncio.wait(self._sending)

    def _flash(self) -> None:
        characters = 1
        if self.line.baudrate is not None:
            characters = max(
                1, int(self.length * self.line.baudrate / self.line.bits_per_character)
            )
        if characters > 1:
            sending = asyncio.ensure_future(self.line.write(characters * _DARK))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            return
        self._held += _DARK
        if len(self._held) >= self.troubles.burst:
            self._release()

    def _release(self) -> None:
        self.line.put(bytes(self._held))
        self._held.clear()
