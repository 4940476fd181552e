"""The wire between a simulated meter and whoever reads it: its speed and its damage."""

from abc import ABC, abstractmethod
import asyncio
from random import Random
from types import TracebackType
from typing import Final, Self

#: Start bit, eight data bits (or seven and a parity bit), stop bit.
BITS_PER_CHARACTER: Final = 10
#: How often characters are put on the wire, per second; a USB adapter does it about as often.
_SLICES_PER_SECOND: Final = 100


class Line(ABC):
    """One end of a wire, on which a meter speaks.

    Used as an asynchronous context manager, or with ``open`` and ``close``: closing pulls the
    cable, opening plugs it in again at the same place. As on a real wire, what nobody listens to
    is lost, and so is what a listener is too slow to take; the writer never waits for either.
    """

    def __init__(self, baudrate: int | None = None) -> None:
        """Take the speed in baud; None puts everything on the wire at once."""
        self.baudrate = baudrate

    @property
    @abstractmethod
    def url(self) -> str:
        """What a reader opens: a path or a URL."""

    @property
    @abstractmethod
    def listened_to(self) -> bool:
        """Whether anybody has opened the other end."""

    @abstractmethod
    async def open(self) -> None:
        """Plug the cable in."""

    @abstractmethod
    def close(self) -> None:
        """Pull the cable; nothing happens when it is not plugged in."""

    @abstractmethod
    def put(self, data: bytes) -> None:
        """Hand over bytes at once."""

    async def write(self, data: bytes) -> None:
        """Send bytes, each when its last bit would have left the meter."""
        if self.baudrate is None:
            self.put(data)
            return
        loop = asyncio.get_running_loop()
        started = loop.time()
        characters_per_second = self.baudrate / BITS_PER_CHARACTER
        size = max(1, int(characters_per_second / _SLICES_PER_SECOND))
        for position in range(0, len(data), size):
            piece = data[position : position + size]
            due = started + (position + len(piece)) / characters_per_second
            await asyncio.sleep(due - loop.time())
            self.put(piece)

    async def __aenter__(self) -> Self:
        """Plug the cable in."""
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Pull the cable."""
        self.close()


def damage(data: bytes, random: Random, *, noise: float = 0.0, lose: float = 0.0) -> bytes:
    """Lose bytes and change others, each with its probability per byte."""
    arrived = bytearray()
    for byte in data:
        if lose and random.random() < lose:
            continue
        changed = noise and random.random() < noise
        arrived.append(byte ^ random.randrange(1, 256) if changed else byte)
    return bytes(arrived)


def resample(data: bytes, sent_at: int, read_at: int) -> bytes:
    """Return what a receiver sees that listens at another speed than the meter speaks.

    The receiver waits for a start bit and looks at the line in the middle of each bit that it
    expects. A character without stop bit arrives as zero, as the tty driver delivers it, and the
    receiver waits for the line to come to rest.
    """
    levels = [level for byte in data for level in (0, *(byte >> bit & 1 for bit in range(8)), 1)]
    ratio = sent_at / read_at

    def level_at(place: float) -> int:
        return levels[int(place)] if place < len(levels) else 1

    received = bytearray()
    place = 0.0
    while place < len(levels):
        if level_at(place):
            place = int(place) + 1
            continue
        bits = [level_at(place + (bit + 0.5) * ratio) for bit in range(BITS_PER_CHARACTER)]
        if bits[0]:
            place = int(place) + 1
            continue
        place += (BITS_PER_CHARACTER - 0.5) * ratio
        if bits[-1]:
            received.append(sum(level << bit for bit, level in enumerate(bits[1:-1])))
            continue
        received.append(0)
        while not level_at(place):
            place = int(place) + 1
    return bytes(received)
