"""The settings of BLINK: source and direction of the impulses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..line import ModemLine

#: Seconds between two readings at the least.
INTERVAL: Final = 1.0


class Source(StrEnum):
    """The source of impulses at a port."""

    #: Each byte received: the flash is a start bit, and no longer than a character.
    RX = "rx"
    #: All bytes received in quick succession: the flash is longer than a character, and is received
    #: as a break or as several zeros.
    LONG = "long"
    #: The edges of a modem line.
    CTS = "cts"
    DSR = "dsr"
    DCD = "dcd"
    RI = "ri"

    @property
    def modem_line(self) -> ModemLine | None:
        """The modem line, where it is one."""
        return None if self in (Source.RX, Source.LONG) else ModemLine(self.value)

    @property
    def edges(self) -> int:
        """Edges that one impulse usually has at the source.

        Drivers report only the trailing edge of RI.
        """
        return 1 if self in (Source.RX, Source.LONG, Source.RI) else 2


@dataclass(frozen=True, slots=True)
class BlinkSettings:
    """Source and direction of the impulses of a meter."""

    source: Source = Source.RX
    #: Whether the impulses are exported energy.
    is_export: bool = False
    #: Seconds between two readings at the least.
    interval: float = INTERVAL
    #: Whether the first reading comes as soon as the source is open, before any impulse.
    reports_at_once: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for readings more often than every second."""
        if not self.interval >= INTERVAL:
            raise ValueError("readings at most every second")
