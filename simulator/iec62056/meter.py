"""An IEC 62056-21 meter: its identity, its readouts, its settings."""

from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Any, Final, Self

from simulator.log import Logged

from . import encoder
from .captured import Captured
from .encoder import Checksum
from .faults import Faults
from .link import Link
from .profile import Memory, parse_span
from .registers import Registers, lines

#: Not assigned by the FLAG association.
MANUFACTURER: Final = "DMO"

#: Reaction times in seconds (clause 6.4.3): the usual one, and the announced quick one.
_REACTION_TIME: Final = 0.2
_QUICK_REACTION_TIME: Final = 0.02
#: After this number of wrong passwords every password is rejected.
_WRONG_PASSWORDS: Final = 3


class Mode(StrEnum):
    """The protocol mode (clause 6.4)."""

    #: The readout follows the identification at once, at the same speed.
    A = "A"
    #: ... after the reaction time, at the speed in the identification.
    B = "B"
    #: ... when it is acknowledged, at the agreed speed.
    C = "C"
    #: The meter pushes its readout at intervals.
    D = "D"
    #: Like C, and HDLC may be selected instead of the readout.
    E = "E"


class LowerSpeed(StrEnum):
    """What a meter does when a lower speed than the proposed one is requested."""

    ACCEPTED = "accepted"
    #: It sends at the speed that it has proposed.
    OVERRULED = "overruled"
    #: It ignores the acknowledgement.
    REFUSED = "refused"


class Programming(StrEnum):
    """What a meter does when programming mode is requested."""

    ALLOWED = "allowed"
    #: It answers with a break (B0).
    REFUSED = "refused"
    #: It does not answer.
    IGNORED = "ignored"


class ProfileRequest(StrEnum):
    """A request for a profile."""

    R5 = "R5"
    R6 = "R6"
    #: R6 with the number of lines per block.
    R6_LINES = "R6 with lines"
    R2 = "R2"
    #: R2 with separators in the times: yy-mm-dd,hh:mm.
    R2_DATES = "R2 with dates"


class Rejection(StrEnum):
    """How a meter answers a wrong password."""

    NAK = "nak"
    ERROR = "error"
    #: It ends the session (B0).
    BREAK = "break"


@dataclass(kw_only=True, eq=False)
class Iec62056Meter(Logged):
    """A meter with an optical port. All its settings may be changed while it runs."""

    registers: Registers = field(default_factory=Registers)
    #: What the meter's clock shows, in seconds since 1970.
    clock: Callable[[], float] = time.time
    mode: Mode = Mode.C
    #: Three letters; the last one in lower case announces the quick reaction time.
    manufacturer: str = MANUFACTURER
    #: The identification after the speed; None: as usual in the mode.
    ident: str | None = None
    serial: str = "12345678"
    #: Its device address; None: its serial number.
    address: str | None = None
    #: The speed that it proposes in modes B, C and E, or at which it pushes in mode D.
    baudrate: int = 9600
    #: The speed of the sign-on.
    start_baudrate: int = 300
    lower_speed: LowerSpeed = LowerSpeed.ACCEPTED
    #: Seconds before each answer; None: as the manufacturer's letters announce.
    reaction_time: float | None = None
    #: Seconds after the identification in which an acknowledgement must begin; otherwise the
    #: readout follows at the speed of the identification.
    acknowledgement_timeout: float = 2.0
    checksum: Checksum = Checksum.XOR
    #: Send 7E1, otherwise 8N1.
    even_parity: bool = True
    #: Ignore characters with a wrong parity bit.
    strict_parity: bool = False
    #: Readouts of further tables: lines by the character after the slash of the sign-on.
    tables: Mapping[str, str] = field(default_factory=dict)
    #: A captured identification and readout that it sends instead of its own.
    captured: Captured | None = None
    #: Whether it answers another request in place of an acknowledgement.
    accepts_repeated_requests: bool = True
    #: Send odd parity in place of even.
    odd_parity: bool = False
    #: Seconds between the carriage return of the identification and its line feed.
    line_feed_after: float = 0.0
    #: The only acknowledgement after which it sends its readout; "": it sends the readout only
    #: without an acknowledgement. None: any acknowledgement.
    readout_after: str | None = None
    #: The speed of its data, if it is not the agreed one.
    data_baudrate: int | None = None
    #: Data sets in each block of its readout, if it has several; the last one has the "!".
    lines_per_readout_block: int | None = None
    #: Sent in place of the data of its readout.
    instead_of_data: str | None = None
    #: Whether it sends answers in programming mode as partial blocks (EOT).
    partial_answers: bool = False
    #: Answers of some registers in programming mode, as blocks; no blocks: no answer.
    own_answers: Mapping[str, list[str]] = field(default_factory=dict)
    #: Whether it sleeps to save its battery until it is woken.
    battery: bool = False
    #: Seconds between two readouts in mode D.
    interval: float = 1.0
    #: Continues at a speed when HDLC is selected; None: the meter only logs what it receives.
    hdlc: Callable[[Link, int], Awaitable[None]] | None = None

    programming: Programming = Programming.ALLOWED
    #: Password of programming mode; None: no password is needed.
    password: str | None = None
    #: Operand of P0, for passwords that are computed from it.
    seed: str = ""
    rejection: Rejection = Rejection.ERROR
    #: Wrong passwords since the last right one; after three, every password is rejected.
    wrong_passwords: int = 0
    #: The answer to a request for an unknown register.
    unknown_register: str = "(ER01)"
    #: Seconds without a command after which programming mode ends.
    session_timeout: float = 60.0
    #: Lines in each partial block that answers R6.
    lines_per_block: int = 16
    #: The requests for profiles that it understands.
    profile_requests: Container[ProfileRequest] = frozenset(
        {ProfileRequest.R5, ProfileRequest.R6, ProfileRequest.R2}
    )
    #: What it sends in place of rows where it has none of that time.
    no_entries: str = "P.01()"
    memory: Memory = field(default_factory=Memory)

    faults: Faults = field(default_factory=Faults)

    @classmethod
    def from_capture(cls, data: bytes, *, checksum: Checksum | None = None, **options: Any) -> Self:
        """Create a meter that sends a captured readout, in the mode and at the speed of it.

        ``data`` is an identification and the block after it, or the block alone. With a kind of
        checksum its frame is replaced. Other options are those of any meter.
        """
        captured = Captured.from_bytes(data, checksum)
        options.setdefault("mode", Mode(captured.mode))
        if captured.baudrate is not None:
            options.setdefault("baudrate", captured.baudrate)
        return cls(captured=captured, **options)

    @property
    def identification(self) -> bytes:
        """The identification line, with CR LF."""
        if self.captured is not None and self.captured.identification is not None:
            return self.captured.identification
        match self.mode:
            case Mode.A:
                speed = " "
            case Mode.B:
                speed = encoder.SPEED_LETTERS[self.baudrate]
            case Mode.C | Mode.D | Mode.E:
                # There is no digit for the highest speeds, which are used in mode D only.
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
        """Whether it answers a sign-on; leading zeros of addresses are ignored."""
        if table != "?" and table not in self.tables:
            return False
        own = self.serial if self.address is None else self.address
        return not address or address.lstrip("0") == own.lstrip("0")

    def readout(self, table: str = "?", choice: str = "0") -> bytes:
        """Return the current readout of a table; the option 6 selects a short one."""
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
        """Return what it sends in mode D: the identification and the current readout."""
        if self.captured is not None:
            return self.identification + self.captured.block
        content = lines(self.registers.pushed(int(self.clock()), self.serial))
        telegram = self.identification + b"\r\n" + content.encode("ascii") + b"!"
        if self.checksum is Checksum.CRC16:
            return telegram + encoder.p1_crc(telegram)
        return telegram + b"\r\n"

    def register(self, address: str) -> str | None:
        """Return the answer to a request for a register: its values in brackets."""
        if self.captured is not None:
            return self.captured.register(address)
        address = address.removeprefix("1-0:").removesuffix("*255")
        for name, values in self.registers.data_sets(int(self.clock()), self.serial):
            if name == address:
                return encoder.data_set("", values)
        return None

    def profile_lines(self, name: str, span: str) -> list[str] | None:
        """Return the lines of P.01 or P.98 in a span; None if it is neither, or no span."""
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
        return found or [self.no_entries]

    def check_password(self, password: str) -> bool:
        """Whether a password is accepted; wrong ones are counted."""
        if self.password is None:
            return True
        if self.wrong_passwords < _WRONG_PASSWORDS and password == self.password:
            self.wrong_passwords = 0
            return True
        self.wrong_passwords += 1
        return False
