"""The line settings of a port, and its modem lines."""

from dataclasses import dataclass
from enum import StrEnum
from typing import override


class Framing(StrEnum):
    """Data bits, parity and stop bits of a character."""

    #: Eight data bits, no parity.
    EIGHT_NONE = "8N1"
    #: Seven data bits and even parity. The port stays at 8N1; parity is checked in software.
    SEVEN_EVEN = "7E1"
    #: Seven data bits and no parity, done by the port: P1 of some Iskraemeco.
    SEVEN_NONE = "7N1"
    #: Eight data bits and even parity, done by the port.
    EIGHT_EVEN = "8E1"


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a port is opened."""

    #: Bits per second.
    baudrate: int
    framing: Framing = Framing.EIGHT_NONE
    #: Levels of DTR and RTS while the port is open, which power many optical heads; None keeps
    #: what the driver sets.
    dtr: bool | None = None
    rts: bool | None = None

    @override
    def __str__(self) -> str:
        """Return speed and framing, such as ``2400 8E1``."""
        return f"{self.baudrate} {self.framing}"


class ModemLine(StrEnum):
    """A modem line that is an input of the port."""

    CTS = "cts"
    DSR = "dsr"
    DCD = "dcd"
    RI = "ri"
