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
    """Return what a port receives of characters that were sent without gaps.

    ``sent_at`` and ``read_at`` are speeds in baud. The receiver waits for a start bit and samples
    the line in the middle of each expected bit. Characters with a wrong parity or stop bit are
    received all the same, as Linux does without INPCK. A break is received as one zero.
    """
    levels = [level ^ inverted for level in _levels(data, sent_as)]
    return bytes(_read(levels, _REST ^ inverted, sent_at / read_at, read_as, receiver))


def _levels(data: bytes, framing: Framing) -> Iterator[int]:
    """Yield the level of each bit."""
    for byte in data:
        value = byte & (1 << framing.data_bits) - 1
        yield 0
        yield from (value >> bit & 1 for bit in range(framing.data_bits))
        if framing.has_parity:
            yield value.bit_count() & 1
        yield from [1] * int(framing[2])


def _read(
    levels: list[int], rest: int, ratio: float, framing: Framing, receiver: Receiver
) -> Iterator[int]:
    """Yield the received characters; a bit of the receiver lasts ``ratio`` levels."""
    stop = 1 + framing.data_bits + framing.has_parity

    def level_at(place: float) -> int:
        return levels[int(place)] if place < len(levels) else rest

    def after(place: float, level: int) -> float:
        """Return the next place with this level."""
        while place < len(levels) and level_at(place) != level:
            place = int(place) + 1
        return place

    place = 0.0
    while (place := after(place, 0)) < len(levels):
        is_start = True
        while is_start:
            bits = [level_at(place + (bit + 0.5) * ratio) for bit in range(stop + 1)]
            if bits[0]:
                # A spike.
                place = int(place) + 1
                break
            yield sum(level << bit for bit, level in enumerate(bits[1 : 1 + framing.data_bits]))
            place += stop * ratio
            is_start = not bits[stop] and any(bits) and receiver is Receiver.RESTART
            if is_start and place >= len(levels):
                return
        else:
            place += 0.5 * ratio
            if not bits[stop]:
                place = after(place, 1)
