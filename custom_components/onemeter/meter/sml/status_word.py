"""The status word of FNN basic meters (VDE FNN, "Lastenheft Basiszähler", 32 bits)."""

from typing import Final

#: The low byte marks the layout; it is 4.
MARK_MASK: Final = 0xFF
MARK: Final = 0x04
#: Set if there is load at all.
LOAD: Final = 1 << 8
#: The terminal cover or the sealing pin was tampered with.
TERMINAL_COVER: Final = 1 << 10
#: The sum of the phases exports; the next three bits are those of L1, L2 and L3.
EXPORT: Final = 1 << 11
#: L1, L2 and L3 have voltage.
VOLTAGES: Final = (1 << 18, 1 << 19, 1 << 20)
#: Bits that are always zero.
_RESERVED: Final = 0xFFE0_0000


def is_fnn(word: int) -> bool:
    """Return whether a status word has this layout: its mark, and no reserved bit."""
    return word & (_RESERVED | MARK_MASK) == MARK and word >= 0
