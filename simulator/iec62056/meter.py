"""An IEC 62056-21 meter: who it is, what it says and what it allows."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Any, Final, Self

from . import encoder
from .captured import Captured
from .encoder import Checksum
from .faults import Faults
from .link import Link
from .profile import Memory, parse_span
from .registers import Registers, lines

#: A manufacturer that does not exist.
MANUFACTURER: Final = "DMO"

#: Reaction times in seconds (clause 6.4.3): of all meters, and of those that announce to be quick.
_REACTION_TIME: Final = 0.2
_QUICK_REACTION_TIME: Final = 0.02
#: After so many wrong passwords none is right any more.
_WRONG_PASSWORDS: Final = 3
#: Longest log. A meter may run for weeks, and be asked each second.
_LOG_MAX: Final = 1000


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


class Programming(StrEnum):
    """What a meter does when a programming session is asked for."""

    ALLOWED = "allowed"
    #: It breaks off (B0).
    REFUSED = "refused"
    #: It says nothing.
    IGNORED = "ignored"


class Rejection(StrEnum):
    """How a meter answers a wrong password."""

    NAK = "nak"
    ERROR = "error"
    #: It breaks the session off (B0).
    BREAK = "break"


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
    #: What it says instead of the identification and the readout that would be its own.
    captured: Captured | None = None
    #: Whether it takes another request in place of an acknowledgement.
    takes_requests_again: bool = True
    #: Send odd parity in place of even.
    odd_parity: bool = False
    #: Seconds between the carriage return of the identification and its line feed.
    line_feed_after: float = 0.0
    #: The only acknowledgement after which it sends its readout; "" for one that it sends if there
    #: is none. Other ones are taken for nothing that is to be answered.
    readout_after: str | None = None
    #: The speed of its data, where that is not the one that was agreed upon.
    data_baudrate: int | None = None
    #: Data sets of each of the blocks in which it sends its readout, the last one with "!".
    lines_per_readout_block: int | None = None
    #: What it sends in place of its readout's data.
    instead_of_data: str | None = None
    #: Whether it wants its answers in a session to be acknowledged (EOT).
    partial_answers: bool = False
    #: The blocks in which it answers the questions for some registers, none for no answer.
    own_answers: Mapping[str, list[str]] = field(default_factory=dict)
    #: Whether it has a battery, and sleeps until it is woken.
    battery: bool = False
    #: Seconds between two readouts in mode D.
    interval: float = 1.0
    #: What talks on when HDLC is chosen, at a speed; without, the meter only listens to it.
    hdlc: Callable[[Link, int], Awaitable[None]] | None = None

    programming: Programming = Programming.ALLOWED
    #: The password of programming sessions; None where none is needed.
    password: str | None = None
    #: What it sends for the client to make the password of; most clients need not.
    seed: str = ""
    rejection: Rejection = Rejection.ERROR
    #: Wrong passwords since the last right one, after three of which none is right any more.
    wrong_passwords: int = 0
    #: The answer to a question for a register that is not there.
    unknown_register: str = "(ER01)"
    #: Seconds without a command after which a session ends.
    session_timeout: float = 60.0
    #: Lines in each partial block that answers R6.
    lines_per_block: int = 16
    memory: Memory = field(default_factory=Memory)

    faults: Faults = field(default_factory=Faults)
    #: What has happened last, and how often each thing has since the meter was made.
    log: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def playing(cls, data: bytes, *, checksum: Checksum | None = None, **options: Any) -> Self:
        """Make a meter that gives a captured readout, at the speed that it was given at.

        ``data`` is an identification with the block that followed it, or the block alone; with a
        kind of checksum it is framed anew. Other options are those of any meter.
        """
        captured = Captured.from_bytes(data, checksum)
        options.setdefault("mode", Mode(captured.mode))
        if captured.baudrate is not None:
            options.setdefault("baudrate", captured.baudrate)
        return cls(captured=captured, **options)

    @property
    def identification(self) -> bytes:
        """The line by which it introduces itself, with CR LF."""
        if self.captured is not None and self.captured.identification is not None:
            return self.captured.identification
        match self.mode:
            case Mode.A:
                speed = " "
            case Mode.B:
                speed = encoder.SPEED_LETTERS[self.baudrate]
            case Mode.C | Mode.D | Mode.E:
                # There is no digit for the highest speeds, at which only mode D sends.
                speed = encoder.SPEED_DIGITS.get(self.baudrate, "5")
        ident = self.ident
        if ident is None:
            ident = r"\2DEMO-21" if self.mode is Mode.E else "DEMO-21"
        return f"/{self.manufacturer}{speed}{ident}\r\n".encode("ascii")

    @property
    def tr(self) -> float:
        """The reaction time in seconds."""
        if self.reaction_time is not None:
            return self.reaction_time
        quick = self.identification[3:4].islower()
        return _QUICK_REACTION_TIME if quick else _REACTION_TIME

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
        elif self.captured is not None:
            return self.captured.block
        elif choice == "6":
            content = lines(self.registers.short_list(now, self.serial))
        else:
            content = lines(self.registers.data_sets(now, self.serial))
        if self.instead_of_data is not None:
            return encoder.frame_readout(self.instead_of_data.encode("ascii"), self.checksum)
        if self.lines_per_readout_block is not None:
            return encoder.data_blocks(content, self.lines_per_readout_block, self.checksum)
        return encoder.data_block(content, self.checksum)

    def pushed(self) -> bytes:
        """Return what it sends in mode D: the identification and the readout of now."""
        if self.captured is not None:
            return self.identification + self.captured.block
        content = lines(self.registers.pushed(int(self.clock()), self.serial))
        telegram = self.identification + b"\r\n" + content.encode("ascii") + b"!"
        if self.checksum is Checksum.CRC16:
            return telegram + encoder.p1_crc(telegram)
        return telegram + b"\r\n"

    def register(self, address: str) -> str | None:
        """Return the answer to a question for a register: its values in their brackets."""
        if self.captured is not None:
            return self.captured.register(address)
        address = address.removeprefix("1-0:").removesuffix("*255")
        for name, values in self.registers.data_sets(int(self.clock()), self.serial):
            if name == address:
                return encoder.data_set("", values)
        return None

    def remembered(self, name: str, span: str) -> list[str] | None:
        """Return the lines of P.01 or P.98 in a span; None where there is no such thing."""
        if (times := parse_span(span)) is None:
            return None
        now = int(self.clock())
        match name:
            case "P.01":
                found = self.memory.load_profile(self.registers.household, now, times)
            case "P.98":
                found = self.memory.event_log(now, times)
            case _:
                return None
        return found or [f"{name}()"]

    def check_password(self, password: str) -> bool:
        """Whether a password opens a session; wrong ones are counted."""
        if self.password is None:
            return True
        if self.wrong_passwords < _WRONG_PASSWORDS and password == self.password:
            self.wrong_passwords = 0
            return True
        self.wrong_passwords += 1
        return False

    def note(self, what: str, detail: str = "") -> None:
        """Write a line into the log."""
        self.log.append(Entry(asyncio.get_running_loop().time(), what, detail))
        del self.log[:-_LOG_MAX]
        self.counts[what] += 1

    def count(self, what: str) -> int:
        """Return how often something has happened."""
        return self.counts[what]
