"""Even parity in software: the port sends and receives eight bits (IEC 62056-21:2002, 6.1.2)."""

from typing import Final

_ODD: Final = frozenset(byte for byte in range(256) if byte.bit_count() % 2)
_WITH_PARITY: Final = bytes(
    (byte & 0x7F) | (0x80 if (byte & 0x7F) in _ODD else 0) for byte in range(256)
)
_WITHOUT_PARITY: Final = bytes(byte & 0x7F for byte in range(256))
_WRONG: Final = bytes(_ODD)


def with_parity(data: bytes) -> bytes:
    """Set the highest bit of each character so that the number of its ones is even."""
    return data.translate(_WITH_PARITY)


def without_parity(data: bytes | bytearray) -> bytes:
    """Drop the highest bit of each character."""
    return bytes(data).translate(_WITHOUT_PARITY)


def has_parity_errors(data: bytes | bytearray) -> bool:
    """Tell whether characters came damaged, as far as parity shows it.

    Characters that all have no highest bit came without parity, or were freed from it on the way.
    """
    return not data.isascii() and len(data.translate(None, _WRONG)) != len(data)
