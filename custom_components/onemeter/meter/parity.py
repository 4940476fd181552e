"""Even parity in software: the port sends and receives eight bits (IEC 62056-21:2002, 6.1.2)."""

from dataclasses import dataclass
from typing import Final

_ODD: Final = frozenset(byte for byte in range(256) if byte.bit_count() % 2)
_WITH_PARITY: Final = bytes(
    (byte & 0x7F) | (0x80 if (byte & 0x7F) in _ODD else 0) for byte in range(256)
)
_WITHOUT_PARITY: Final = bytes(byte & 0x7F for byte in range(256))
_WRONG: Final = bytes(_ODD)
_WITHOUT_HIGHEST_BIT: Final = bytes(range(128))


def with_parity(data: bytes) -> bytes:
    """Set the highest bit of each character so that the number of its ones is even."""
    return data.translate(_WITH_PARITY)


def without_parity(data: bytes | bytearray) -> bytes:
    """Drop the highest bit of each character."""
    return bytes(data).translate(_WITHOUT_PARITY)


def has_parity_errors(data: bytes | bytearray) -> bool:
    """Return whether characters have wrong even parity.

    False if none has its highest bit set: they came without parity, or a bridge has removed it.
    """
    return not data.isascii() and len(data.translate(None, _WRONG)) != len(data)


@dataclass(slots=True)
class ParityTally:
    """Counts the characters with their highest bit set, and those with wrong even parity."""

    highest: int = 0
    wrong: int = 0

    def add(self, data: bytes | bytearray) -> None:
        """Count more characters, as received."""
        self.highest += len(data.translate(None, _WITHOUT_HIGHEST_BIT))
        self.wrong += len(data) - len(data.translate(None, _WRONG))

    @property
    def shows_damage(self) -> bool:
        """Whether most characters have even parity, and a few damaged ones do not.

        Characters without parity, or with another one, lack the highest bit of even parity more
        often than they have it.
        """
        return 0 < self.wrong < self.highest


def shows_damage(data: bytes | bytearray) -> bool:
    """Return ParityTally.shows_damage of these characters."""
    tally = ParityTally()
    tally.add(data)
    return tally.shows_damage
