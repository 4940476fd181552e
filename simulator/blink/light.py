"""A meter's light in front of a phototransistor at the receive line of a serial port."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from simulator.line import Line

#: What a flash is received as that is no shorter than a character.
_DARK: Final = b"\x00"
#: Seconds from a flash to its double, as a reflection or a bouncing threshold makes one.
_DOUBLE: Final = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What keeps flashes from arriving as they were sent."""

    #: Seconds by which each comes too early or too late at the most.
    jitter: float = 0.0
    #: Share of the flashes that nobody sees.
    miss: float = 0.0
    #: Share of those that are seen twice.
    double: float = 0.0
    #: How many are held back to arrive together, as some bridges do it.
    burst: int = 1
    random: Random = field(default_factory=lambda: Random(0))


@dataclass(slots=True)
class Light:
    """Flashes on a line, and knows how often."""

    line: Line
    troubles: Troubles = field(default_factory=Troubles)
    #: Seconds that a flash lasts: several characters where it is that long.
    length: float = 0.0
    #: Impulses of the meter so far.
    impulses: int = 0
    #: Of these, those that nobody has seen, and those that were seen twice.
    missed: int = 0
    doubled: int = 0
    _held: bytearray = field(default_factory=bytearray)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def flashes(self) -> int:
        """What a reader should have seen by now."""
        return self.impulses - self.missed + self.doubled

    async def blink(self, flashes: Iterable[float], now: float) -> None:
        """Flash at each time, on a clock that shows ``now`` at present."""
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
