"""An IEC 62056-21 meter: who it is, what it says and what it allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Final

from . import encoder
from .encoder import Checksum
from .faults import Faults
from .registers import Registers, lines

#: A manufacturer that does not exist.
MANUFACTURER: Final = "DMO"

#: Reaction times in seconds (clause 6.4.3): of all meters, and of those that announce to be quick.
_REACTION_TIME: Final = 0.2
_QUICK_REACTION_TIME: Final = 0.02


class Mode(StrEnum):
    """How a meter and whoever reads it come to terms (clause 6.4)."""

    #: The readout follows the identification at once, at the same speed.
    A = "A"
    #: ... after the reaction time, at the speed that the identification announces.
    B = "B"
    #: ... when it was acknowledged, at the speed that was agreed upon.
    C = "C"
    #: The meter sends its readout at intervals, without being asked.
    D = "D"
    #: Like C, and DLMS may be chosen instead of the readout.
    E = "E"


class LowerSpeed(StrEnum):
    """What a meter does when a lower speed is asked for than it proposes."""

    ACCEPTED = "accepted"
    #: It sends at the speed that it has proposed.
    OVERRULED = "overruled"
    #: It takes the acknowledgement for none.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a meter's log: what has happened, when, and to what."""

    #: The event loop's time.
    time: float
    what: str
    detail: str


@dataclass(kw_only=True, eq=False)
class Iec62056Meter:
    """A meter with an optical port. Everything may be changed while it runs."""

    registers: Registers = field(default_factory=Registers)
    #: What the meter's clock shows, in seconds since 1970.
    clock: Callable[[], float] = time.time
    mode: Mode = Mode.C
    #: Three letters; the last one in lower case announces the quick reaction time.
    manufacturer: str = MANUFACTURER
    #: Of the identification what comes behind the speed; of the mode when it is None.
    ident: str | None = None
    serial: str = "12345678"
    #: The address that it answers to, besides none; its serial number when this is None.
    address: str | None = None
    #: The speed that it proposes, in modes B, C and E, or at which it pushes, in mode D.
    baudrate: int = 9600
    #: The speed at which it waits for somebody to sign on.
    start_baudrate: int = 300
    lower_speed: LowerSpeed = LowerSpeed.ACCEPTED
    #: Seconds that it takes before each answer; of the manufacturer's letters when it is None.
    reaction_time: float | None = None
    #: Seconds after the identification in which an acknowledgement must have begun; after them
    #: the readout comes at the speed of the identification.
    acknowledgement_timeout: float = 2.0
    checksum: Checksum = Checksum.XOR
    #: Send parity bits (7E1), or none and eight bits (8N1).
    even_parity: bool = True
    #: Ignore characters that come with a wrong parity bit.
    strict_parity: bool = False
    #: Lines of the readouts for other sign-ons than "/?", by the character after the slash.
    tables: Mapping[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    log: list[Entry] = field(default_factory=list)

    @property
    def identification(self) -> bytes:
        """The line by which it introduces itself, with CR LF."""
        match self.mode:
            case Mode.A:
                speed, ident = " ", "DEMO-21"
            case Mode.B:
                speed, ident = encoder.SPEED_LETTERS[self.baudrate], "DEMO-21"
            case Mode.E:
                speed, ident = encoder.SPEED_DIGITS[self.baudrate], r"\2DEMO-21"
            case _:
                speed, ident = encoder.SPEED_DIGITS[self.baudrate], "DEMO-21"
        if self.ident is not None:
            ident = self.ident
        return f"/{self.manufacturer}{speed}{ident}\r\n".encode("ascii")

    @property
    def tr(self) -> float:
        """The reaction time in seconds."""
        if self.reaction_time is not None:
            return self.reaction_time
        return _QUICK_REACTION_TIME if self.manufacturer[2].islower() else _REACTION_TIME

    def answers(self, table: str, address: str) -> bool:
        """Whether it answers to a sign-on. Leading zeros of addresses do not count."""
        if table != "?" and table not in self.tables:
            return False
        own = self.serial if self.address is None else self.address
        return not address or address.lstrip("0") == own.lstrip("0")

    def readout(self, table: str = "?", choice: str = "0") -> bytes:
        """Return the readout of now: that of a table, and what was chosen of it (6 is short)."""
        now = int(self.clock())
        if table in self.tables:
            content = self.tables[table]
        elif choice == "6":
            content = lines(self.registers.short_list(now, self.serial))
        else:
            content = lines(self.registers.data_sets(now, self.serial))
        return encoder.data_block(content, self.checksum)

    def count(self, what: str) -> int:
        """Return how often something has happened."""
        return sum(entry.what == what for entry in self.log)
