"""The checksums with which meters protect what they send."""

from binascii import crc_hqx
from typing import Final

#: Every byte with its bits in reverse order: ``crc_hqx`` takes the highest bit first, the
#: checksums of meters the lowest.
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc16_x25(data: bytes) -> int:
    """Return the CRC-16/X-25 (ISO/IEC 13239) of the data, from 0 to 0xFFFF."""
    return _reflected(data, 0xFFFF) ^ 0xFFFF


def crc16_kermit(data: bytes) -> int:
    """Return the CRC-16/Kermit of the data, from 0 to 0xFFFF."""
    return _reflected(data, 0)


def _reflected(data: bytes, start: int) -> int:
    """Divide by 0x1021, lowest bit first. ``start`` reads the same in both directions."""
    remainder = crc_hqx(data.translate(_REVERSED), start)
    return _REVERSED[remainder & 0xFF] << 8 | _REVERSED[remainder >> 8]
