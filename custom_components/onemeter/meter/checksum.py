"""The checksums of all protocols."""

from binascii import crc_hqx
from typing import Final

#: Every byte with its bits in reverse order: ``crc_hqx`` takes the highest bit first, the
#: checksums of meters the lowest.
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
#: What remains of any bytes with their own CRC-16/X-25, highest bit first (ISO/IEC 13239).
_X25_RESIDUE: Final = 0x1D0F


def crc16_x25(data: bytes | bytearray) -> int:
    """Return the CRC-16/X-25 (ISO/IEC 13239) of the data, from 0 to 0xFFFF."""
    return _reflected(data, 0xFFFF) ^ 0xFFFF


def ends_with_x25(data: bytes) -> bool:
    """Return whether the last two bytes are the CRC-16/X-25 of the others, low byte first."""
    return crc_hqx(data.translate(_REVERSED), 0xFFFF) == _X25_RESIDUE


def crc16_kermit(data: bytes) -> int:
    """Return the CRC-16/Kermit of the data, from 0 to 0xFFFF."""
    return _reflected(data, 0)


def _reflected(data: bytes | bytearray, start: int) -> int:
    """Divide by 0x1021, lowest bit first. ``start`` reads the same in both directions."""
    remainder = crc_hqx(data.translate(_REVERSED), start)
    return _REVERSED[remainder & 0xFF] << 8 | _REVERSED[remainder >> 8]


def crc16_arc(data: bytes | bytearray) -> int:
    """Return the CRC-16/ARC of the data, from 0 to 0xFFFF: that of P1 telegrams (DSMR 5.0, 6.2)."""
    # A loop over the bytes takes ten times as long as dividing one big number. The polynomial is
    # (x + 1)(x^15 + x + 1). Modulo the second factor, x^15n is x^n + 1 for each power of two n, by
    # which higher bits are folded down; modulo the first, the rest is the parity of all bits.
    rest = int.from_bytes(data.translate(_REVERSED)) << 16
    parity = rest.bit_count() & 1
    step = 1 << (rest.bit_length() // 15).bit_length()
    while step:
        while above := rest >> 15 * step:
            rest = rest & (1 << 15 * step) - 1 ^ above ^ above << step
        step >>= 1
    if rest.bit_count() & 1 != parity:
        rest ^= 0x8003
    return _REVERSED[rest & 0xFF] << 8 | _REVERSED[rest >> 8]


def xor_of(data: bytes) -> int:
    """Return the exclusive or of all bytes: the block check character of IEC 62056-21, 6.3.1."""
    # Folding halves of one big number is many times as fast as a loop over the bytes.
    size = len(data)
    folded = int.from_bytes(data)
    while size > 1:
        half = (size + 1) // 2
        folded = folded >> 8 * half ^ folded & (1 << 8 * half) - 1
        size = half
    return folded


def sum_of(data: bytes) -> int:
    """Return the sum of all bytes modulo 128, which some meters send as block check character."""
    return sum(data) & 0x7F
