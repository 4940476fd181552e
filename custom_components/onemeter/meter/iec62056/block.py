"""The block check character of readouts and frames (IEC 62056-21:2002, 6.3.1 and Annex B)."""

from collections.abc import Container
from enum import StrEnum

from ..checksum import sum_of, xor_of


class CheckKind(StrEnum):
    """How a meter computes its block check character."""

    #: Exclusive or of all characters, as the standard has it.
    XOR = "xor"
    #: Sum of all characters modulo 128: Energomera, some of Kamstrup.
    SUM = "sum"


class BlockCheck:
    """Checks blocks, and remembers which kind of check character the meter sends.

    At first either kind is right. Once a kind is known, only that one is; a block that only the
    other kind fits is damaged, but two of them in a row show that the first impression was wrong.
    """

    def __init__(self) -> None:
        """Know nothing of the meter yet."""
        self.kind: CheckKind | None = None
        self._doubted = False

    def accepts(self, block: bytes, check: int, *, starts: Container[int] = (0,)) -> bool:
        """Tell whether a check character is that of a block, both without parity bits.

        The block goes from behind its STX or SOH to its ETX or EOT. ``starts`` is what the
        exclusive or may begin with.
        """
        return self.accepts_sums(xor_of(block), sum_of(block), check, starts=starts)

    def accepts_sums(
        self, xor: int, total: int, check: int, *, starts: Container[int] = (0,)
    ) -> bool:
        """Do the same, given the exclusive or of a block and its sum modulo 128."""
        fits_xor = xor ^ check in starts
        fits_sum = total == check
        if fits_xor is fits_sum:
            self._doubted = False
            return fits_xor
        kind = CheckKind.XOR if fits_xor else CheckKind.SUM
        if self.kind not in {None, kind} and not self._doubted:
            self._doubted = True
            return False
        self.kind = kind
        self._doubted = False
        return True

    def fits(self, block: bytes, check: int) -> bool:
        """Tell whether a check character is that of a block, as far as the kind is known."""
        if self.kind is None:
            return check in {xor_of(block), sum_of(block)}
        return check == check_character(block, self.kind)


def check_character(block: bytes, kind: CheckKind | None) -> int:
    """Return the check character of a block; XOR while the meter's kind is not known."""
    return sum_of(block) if kind is CheckKind.SUM else xor_of(block)
