"""What a UART receives if the sender has another speed, framing or polarity."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

#: The level of an idle line; a start bit has the other level.
_REST: Final = 1


class Framing(StrEnum):
    """Data bits, parity and stop bits of a character."""

    EIGHT_NONE = "8N1"
    SEVEN_EVEN = "7E1"
    SEVEN_NONE = "7N1"
    EIGHT_EVEN = "8E1"
    SEVEN_EVEN_TWO = "7E2"

    @property
    def data_bits(self) -> int:
        """Number of data bits."""
        return int(self[0])

    @property
    def has_parity(self) -> bool:
        """Whether there is an even parity bit."""
        return self[1] == "E"

    @property
    def bits(self) -> int:
        """Number of bits of a character with its start, parity and stop bits."""
        return 1 + self.data_bits + self.has_parity + int(self[2])


class Receiver(StrEnum):
    """What a UART does when there is no stop bit."""

    #: Take the bit as the next start bit, as a 16550 does.
    RESTART = "restart"
    #: Wait for an idle line.
    WAIT = "wait"


class Sampler:
    """A UART that receives from a sender with another speed, framing or polarity.

    ``sent_at`` and ``read_at`` are speeds in baud. The receiver waits for a start bit and samples
    the line in the middle of each expected bit. Characters with a wrong parity or stop bit are
    received all the same, as Linux does without INPCK. A break is received as one zero.
    """

    def __init__(
        self,
        sent_at: float,
        read_at: float,
        sent_as: Framing = Framing.EIGHT_NONE,
        read_as: Framing = Framing.EIGHT_NONE,
        *,
        receiver: Receiver = Receiver.RESTART,
        inverted: bool = False,
    ) -> None:
        """Begin with an idle line."""
        self._sent_as = sent_as
        self._inverted = inverted
        self._rest = _REST ^ inverted
        self._receiver = receiver
        #: Levels in a bit, and the bits of a character before its stop bit.
        self._ratio = sent_at / read_at
        self._stop = 1 + read_as.data_bits + read_as.has_parity
        self._data_bits = read_as.data_bits
        #: Levels that are still to be sampled, and where the next character is looked for.
        self._levels: list[int] = []
        self._place = 0.0
        #: Whether the next start bit is at this place, and whether the line must be idle first.
        self._is_start = False
        self._is_break = False

    def take(self, data: bytes, *, is_end: bool = True) -> bytes:
        """Return what is received of characters that follow the last ones without a gap.

        The line is idle after the end; without it, characters that are not complete are kept.
        """
        self._levels += [level ^ self._inverted for level in _levels(data, self._sent_as)]
        read = bytearray()
        while (value := self._next(is_end=is_end)) is not None:
            read.append(value)
        if is_end:
            self._levels, self._place = [], 0.0
            self._is_start = self._is_break = False
        else:
            seen = min(int(self._place), len(self._levels))
            del self._levels[:seen]
            self._place -= seen
        return bytes(read)

    def _next(self, *, is_end: bool) -> int | None:
        """Return the next character; None if there is none, or not yet all of it."""
        while True:
            if self._is_break:
                self._go_to(1)
                self._is_break = self._place >= len(self._levels)
                if self._is_break:
                    return None
            if not self._is_start:
                self._go_to(0)
            if self._place >= len(self._levels):
                return None
            if not is_end and self._place + (self._stop + 1) * self._ratio > len(self._levels):
                return None
            bits = [
                self._level_at(self._place + (bit + 0.5) * self._ratio)
                for bit in range(self._stop + 1)
            ]
            if bits[0]:
                # A spike.
                self._is_start = False
                self._place = int(self._place) + 1
                continue
            self._place += self._stop * self._ratio
            is_break = not bits[self._stop]
            self._is_start = is_break and any(bits) and self._receiver is Receiver.RESTART
            if not self._is_start:
                self._place += 0.5 * self._ratio
                self._is_break = is_break
            return sum(level << bit for bit, level in enumerate(bits[1 : 1 + self._data_bits]))

    def _level_at(self, place: float) -> int:
        return self._levels[int(place)] if place < len(self._levels) else self._rest

    def _go_to(self, level: int) -> None:
        """Advance to the next place with this level."""
        while self._place < len(self._levels) and self._level_at(self._place) != level:
            self._place = int(self._place) + 1


def resample(
    data: bytes,
    sent_at: float,
    read_at: float,
    sent_as: Framing = Framing.EIGHT_NONE,
    read_as: Framing = Framing.EIGHT_NONE,
    *,
    receiver: Receiver = Receiver.RESTART,
    inverted: bool = False,
) -> bytes:
    """Return what a port receives of characters that were sent without gaps. See ``Sampler``."""
    sampler = Sampler(sent_at, read_at, sent_as, read_as, receiver=receiver, inverted=inverted)
    return sampler.take(data)


def _levels(data: bytes, framing: Framing) -> Iterator[int]:
    """Yield the level of each bit."""
    for byte in data:
        value = byte & (1 << framing.data_bits) - 1
        yield 0
        yield from (value >> bit & 1 for bit in range(framing.data_bits))
        if framing.has_parity:
            yield value.bit_count() & 1
        yield from [1] * int(framing[2])
