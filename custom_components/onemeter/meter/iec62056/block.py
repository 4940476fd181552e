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

    At first either kind is accepted, later only the known one. A block that only fits the other
    kind is damaged; two of them in a row show that the known kind was wrong.
    """

    def __init__(self) -> None:
        """Begin with an unknown kind."""
        self.kind: CheckKind | None = None
        #: Whether the last block fitted only the other kind.
        self._doubted = False

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
        """Return whether a check character may be right, without remembering its kind."""
        if self.kind is None:
            return check in {xor_of(block), sum_of(block)}
        return check == check_character(block, self.kind)


def check_character(block: bytes, kind: CheckKind | None) -> int:
    """Return the check character of a block; of kind XOR while the meter's is not known."""
    return sum_of(block) if kind is CheckKind.SUM else xor_of(block)
