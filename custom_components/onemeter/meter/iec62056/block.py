"""Checks of readouts and frames (IEC 62056-21:2002, 6.3.1 and Annex B; DSMR 5.0, 6.2)."""

from collections.abc import Container, Sequence
from enum import StrEnum
import re
from typing import Final

from ..checksum import crc16_arc, crc16_x25, sum_of, xor_of
from ..parity import shows_damage

#: Characters that no meter sends within its data.
CONTROL: Final = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")


class CheckKind(StrEnum):
    """How a meter computes its block check character."""

    #: Exclusive or of all characters, as the standard has it.
    XOR = "xor"
    #: Sum of all characters modulo 128: Energomera, some of Kamstrup.
    SUM = "sum"


class CrcKind(StrEnum):
    """How a meter computes the CRC of its P1 telegrams."""

    #: CRC-16/ARC, as the standard has it.
    ARC = "arc"
    #: CRC-16/X-25: Holley DTSD545 in Hungary.
    X25 = "x25"


class KnownKind[K: StrEnum]:
    """Remembers which kind of checksum the meter sends.

    At first any kind is accepted, later only the known one. What only fits another kind is
    damaged; two of them in a row show that the known kind was wrong.
    """

    def __init__(self) -> None:
        """Begin with an unknown kind."""
        self.kind: K | None = None
        #: Whether the last checksum fitted only another kind.
        self._doubted = False

    def accepts_kinds(self, fitting: Sequence[K]) -> bool:
        """Return whether a checksum is right that fits these kinds, and remember the kind."""
        if len(fitting) != 1:
            self._doubted = False
            return bool(fitting)
        kind = fitting[0]
        if self.kind not in {None, kind} and not self._doubted:
            self._doubted = True
            return False
        self.kind = kind
        self._doubted = False
        return True


class BlockCheck(KnownKind[CheckKind]):
    """Checks blocks, and remembers which kind of check character the meter sends."""

    def accepts(self, block: bytes, check: int, *, starts: Container[int] = (0,)) -> bool:
        """Return whether a check character is right, and remember its kind.

        The block begins after its STX or SOH, ends with its ETX or EOT, and has no parity bits.
        ``starts`` are the values that the exclusive or may begin with.
        """
        return self.accepts_sums(xor_of(block), sum_of(block), check, starts=starts)

    def accepts_sums(
        self, xor: int, total: int, check: int, *, starts: Container[int] = (0,)
    ) -> bool:
        """Do the same as accepts(), given a block's exclusive or and its sum modulo 128."""
        found = {CheckKind.XOR: xor ^ check in starts, CheckKind.SUM: total == check}
        return self.accepts_kinds([kind for kind, fits in found.items() if fits])

    def fits(self, block: bytes, check: int) -> bool:
        """Return whether a check character may be right, without remembering its kind."""
        if self.kind is None:
            return check in {xor_of(block), sum_of(block)}
        return check == check_character(block, self.kind)


def check_character(block: bytes, kind: CheckKind | None) -> int:
    """Return the check character of a block; of kind XOR while the meter's is not known."""
    return sum_of(block) if kind is CheckKind.SUM else xor_of(block)


def crc_kinds(telegram: bytes | bytearray, crc: int) -> list[CrcKind]:
    """Return the kinds of CRC that a telegram from ``/`` to ``!`` may have been sent with."""
    found = {CrcKind.ARC: crc16_arc(telegram), CrcKind.X25: crc16_x25(telegram)}
    return [kind for kind, value in found.items() if value == crc]


def damage_in(data: bytes | bytearray, sent: bytes | bytearray) -> str | None:
    """Return why a telegram is damaged in spite of a right checksum, or None."""
    if shows_damage(sent):
        return "characters have the wrong parity"
    if CONTROL.search(data):
        return "a control character is within the data"
    return None
