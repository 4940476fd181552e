"""IEC 62056-21 meters."""

from simulator.faults import ALWAYS
from simulator.log import Entry

from .captured import Captured
from .conversation import serve
from .encoder import Checksum
from .faults import Faults
from .habits import HABITS
from .meter import Iec62056Meter, LowerSpeed, Mode, ProfileRequest, Programming, Rejection
from .profile import Memory
from .registers import Registers

__all__ = [
    "ALWAYS",
    "HABITS",
    "Captured",
    "Checksum",
    "Entry",
    "Faults",
    "Iec62056Meter",
    "LowerSpeed",
    "Memory",
    "Mode",
    "ProfileRequest",
    "Programming",
    "Registers",
    "Rejection",
    "serve",
]
