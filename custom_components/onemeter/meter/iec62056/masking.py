"""Masking of secrets in readouts of IEC 62056-21."""

from collections.abc import Iterable
import re
from typing import Final

from ..checksum import crc16_arc, sum_of, xor_of
from ..parity import without_parity

#: The characters that the block check covers, from after STX to ETX, and its character.
_BLOCK: Final = re.compile(rb"\x02([^\x03]*\x03)(.)", re.DOTALL)
#: The characters that the checksum of a P1 telegram covers, and its digits.
_P1: Final = re.compile(rb"(/.*!)([0-9A-F]{4})", re.DOTALL)


def mask_readout(readout: bytes, secrets: Iterable[bytes]) -> bytes:
    """Return a readout with the digit 0 for each character of the secrets, without parity bits.

    The checksum is computed anew: the old one would reveal something about the secrets, and the
    readout can still be decoded.
    """
    text = bytes(without_parity(readout))
    masked = text
    # Longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        masked = masked.replace(secret, b"0" * len(secret))
    for block in _BLOCK.finditer(text):
        check_of = sum_of if sum_of(block[1]) == block[2][0] != xor_of(block[1]) else xor_of
        place = block.start(2)
        masked = (
            masked[:place] + bytes([check_of(masked[slice(*block.span(1))])]) + masked[place + 1 :]
        )
    if _BLOCK.search(text):
        return masked
    if after := _P1.search(masked):
        checksum = b"%04X" % crc16_arc(after[1])
        return masked[: after.start(2)] + checksum + masked[after.end(2) :]
    return masked
