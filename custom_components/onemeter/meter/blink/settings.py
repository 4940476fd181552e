"""How the impulses of a meter are seen, and which energy they are."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..line import ModemLine

#: Seconds between two readings at the least.
INTERVAL: Final = 1.0


class Source(StrEnum):
    """What at a port tells a flash of the meter's light."""

    #: Each byte received: the flash is a start bit, and no longer than a character.
    RX = "rx"
    #: All bytes received that follow closely: a flash is longer than a character, and comes as a
    #: break or as several zeros.
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
        """How often the source usually tells of one impulse.

        Of RI, drivers report only the trailing edge.
        """
        return 1 if self in (Source.RX, Source.LONG, Source.RI) else 2


@dataclass(frozen=True, slots=True)
class BlinkSettings:
    """How the impulses of a meter are seen, and which energy they are."""

    source: Source = Source.RX
    #: Whether they are energy that is fed in.
    is_export: bool = False
    #: Seconds between two readings at the least.
    interval: float = INTERVAL
    #: Whether the first reading comes as soon as the source is there, before any impulse.
    is_told_at_once: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for readings more often than every second."""
        if not self.interval >= INTERVAL:
            raise ValueError("readings at most every second")
