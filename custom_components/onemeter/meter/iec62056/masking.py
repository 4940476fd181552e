"""Readouts of IEC 62056-21 that may be shown to others."""

from collections.abc import Iterable
import re
from typing import Final

from ..checksum import crc16_arc, sum_of, xor_of
from ..parity import without_parity

#: What the block check covers, from behind STX to ETX, and its character.
_BLOCK: Final = re.compile(rb"\x02([^\x03]*\x03)(.)", re.DOTALL)
#: What the checksum of a P1 telegram covers, and its digits.
_P1: Final = re.compile(rb"(/.*!)([0-9A-F]{4})", re.DOTALL)


def mask_readout(readout: bytes, secrets: Iterable[bytes]) -> bytes:
    """Return a readout with zeros (digits) in place of each of these texts, without parity bits.

    The checksum is replaced by the right one, since it would tell something of what was there, and
    so that the readout can be decoded.
    """
    text = bytes(without_parity(readout))
    masked = text
    # Longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        masked = masked.replace(secret, b"0" * len(secret))
    for block in _BLOCK.finditer(text):
        reckon = sum_of if sum_of(block[1]) == block[2][0] != xor_of(block[1]) else xor_of
        place = block.start(2)
        masked = (
            masked[:place] + bytes([reckon(masked[slice(*block.span(1))])]) + masked[place + 1 :]
        )
    if _BLOCK.search(text):
        return masked
    if after := _P1.search(masked):
        checksum = b"%04X" % crc16_arc(after[1])
        return masked[: after.start(2)] + checksum + masked[after.end(2) :]
    return masked
