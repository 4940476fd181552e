"""IEC 62056-21 meters, made without a line of the library that reads them."""

from .conversation import serve
from .encoder import Checksum
from .faults import ALWAYS, Faults
from .meter import Entry, Iec62056Meter, LowerSpeed, Mode
from .registers import Registers

__all__ = [
    "ALWAYS",
    "Checksum",
    "Entry",
    "Faults",
    "Iec62056Meter",
    "LowerSpeed",
    "Mode",
    "Registers",
    "serve",
]
