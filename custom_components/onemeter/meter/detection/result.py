"""What detection finds: candidates with their evidence, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ..blink.settings import BlinkSettings
from ..dlms.settings import DlmsSettings
from ..errors import MeterConnectionError, PortBusyError, PortLostError
from ..iec62056.settings import SignOn
from ..line import LineSettings
from ..looks import Look
from ..protocols import Protocol
from ..reading import Identity


class Step(StrEnum):
    """What detection does at the moment."""

    OPEN = "open"
    #: Listening, without any light.
    LISTEN = "listen"
    #: Bytes have come: other speeds and framings are tried.
    LINE = "line"
    SIGN_ON = "sign_on"
    HDLC = "hdlc"
    WRAPPER = "wrapper"
    #: Waking a battery meter.
    WAKE_UP = "wake_up"
    #: The identification has come, and the readout is received.
    READOUT = "readout"
    #: All questions were asked; a meter that pushes rarely may still send something.
    WAIT = "wait"


class Situation(StrEnum):
    """What holds at the end."""

    FOUND = "found"
    #: ``Detection.error`` says why.
    CANNOT_OPEN = "cannot_open"
    #: Another program, or another entry, uses the port: ``Detection.error`` names it.
    IN_USE = "in_use"
    #: The port was open and went away.
    LOST = "lost"
    #: Not a single byte came.
    SILENT = "silent"
    #: Bytes came, but nothing that could be proved to be a telegram.
    NOT_UNDERSTOOD = "not_understood"
    #: A meter answers, but not with its registers: ``Candidate.refusal``.
    REFUSES = "refuses"


class Checksum(StrEnum):
    """What protects the telegrams that came."""

    CRC16_X25 = "crc16-x25"
    CRC16_KERMIT = "crc16-kermit"
    #: Frame check sequence of HDLC.
    FCS = "fcs"
    #: Sum of an M-Bus frame.
    MBUS = "mbus"
    #: Block check character of IEC 62056-21, and its variant.
    BCC = "bcc"
    BCC_SUM = "bcc-sum"
    #: CRC of P1 telegrams.
    P1 = "p1"


class Frames(StrEnum):
    """What DLMS messages come in."""

    HDLC = "hdlc"
    MBUS = "mbus"
    WRAPPER = "wrapper"
    #: Nothing: enciphered messages one behind the other.
    NONE = "none"


class Refusal(StrEnum):
    """Why a meter that answers cannot be read without more input."""

    #: It rejects the association of the public client: password or keys are needed.
    NEEDS_KEYS = "needs_keys"
    #: It answers the sign-on, but gives no readout.
    NO_READOUT = "no_readout"
    #: Likewise, and its identification says that it has DLMS, which does not answer either.
    NEEDS_DLMS = "needs_dlms"
    #: It refuses connections at the usual addresses.
    NEEDS_ADDRESS = "needs_address"


class EvidenceKind(StrEnum):
    """The kind of an evidence; the key for texts in other languages."""

    #: ``count`` telegrams with a right checksum.
    TELEGRAMS = "telegrams"
    #: ``count`` equal identifications with right parity.
    IDENTIFICATIONS = "identifications"
    #: ``count`` messages of one meter that nothing but their own form protects.
    MESSAGES = "messages"
    #: It has answered a sign-on, and ``count`` data sets have come with right parity.
    READOUT = "readout"
    #: It has answered a connection request with a right checksum.
    CONNECTION = "connection"
    #: It has answered an association request.
    ASSOCIATION = "association"
    #: ``count`` flashes, each by itself.
    FLASHES = "flashes"
    #: Its identification announces the protocol, which was not tried.
    ANNOUNCED = "announced"


#: In English, of one and of several.
_TEXTS: Final = {
    EvidenceKind.TELEGRAMS: ("1 telegram", "{} telegrams", " with right checksum"),
    EvidenceKind.IDENTIFICATIONS: ("", "{} equal identifications", " with right parity"),
    EvidenceKind.MESSAGES: ("", "{} messages", " of the same meter"),
    EvidenceKind.READOUT: ("", "an identification and {} data sets", " with right parity"),
    EvidenceKind.CONNECTION: ("an answer", "", " to a connection request"),
    EvidenceKind.ASSOCIATION: ("an answer", "", " to an association request"),
    EvidenceKind.FLASHES: ("", "{} flashes", ""),
    EvidenceKind.ANNOUNCED: ("announced", "", " by the identification"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence for a candidate."""

    kind: EvidenceKind
    count: int = 1
    #: The line settings with which it came; None where the port has no speed.
    line: LineSettings | None = None

    def __str__(self) -> str:
        """Return it in English: ``5 telegrams with right checksum at 9600 8N1``."""
        one, several, rest = _TEXTS[self.kind]
        text = (one if self.count == 1 else several.format(self.count)) + rest
        return text if self.line is None else f"{text} at {self.line}"


@dataclass(frozen=True, slots=True)
class Encryption:
    """How messages are protected, as their headers have it."""

    is_encrypted: bool
    is_authenticated: bool
    suite: int
    #: Of the meter, 8 bytes; None where its messages do not hold it.
    system_title: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A protocol that the meter may use, with all that its client needs.

    A pushed meter's client is ``create_pushed_client(protocol, url, line)``; that of a polled one
    is ``create_polled_client(protocol, url, line, settings)``, which takes the findings by
    ``restore``. For BLINK the settings go to the pushed client.
    """

    protocol: Protocol
    is_polled: bool
    line: LineSettings
    settings: SignOn | DlmsSettings | BlinkSettings | None = None
    #: What spares the polled client the search, of JSON's types only (``PolledClient.restore``).
    findings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    evidence: tuple[Evidence, ...] = ()
    #: None where nothing protects them, or nothing has come but an answer.
    checksum: Checksum | None = None
    #: Of DLMS: what its messages come in.
    frames: Frames | None = None
    #: None for messages in the clear, and for all other protocols.
    encryption: Encryption | None = field(default=None, repr=False)
    #: What is known without any key; empty for a polled DLMS meter.
    identity: Identity = field(default_factory=Identity, repr=False)
    #: What was sent has come back.
    has_echo: bool = False
    #: Its telegrams hold what meters send before their PIN is entered: whole kWh and no power.
    is_locked: bool = False
    refusal: Refusal | None = None

    @property
    def is_proved(self) -> bool:
        """Whether the evidence is enough to win."""
        return any(evidence.kind is not EvidenceKind.ANNOUNCED for evidence in self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The result."""

    situation: Situation
    #: Best first; the winner is the first one.
    candidates: tuple[Candidate, ...] = ()
    #: Of CANNOT_OPEN, IN_USE and LOST.
    error: MeterConnectionError | None = None
    #: Of NOT_UNDERSTOOD: what the bytes look like (``looks.looks_like``); None: like nothing.
    looks_like: Look | None = None
    #: Bytes that came.
    received: int = 0
    #: With which line settings bytes came or questions were asked, in this order; empty where the
    #: port has no speed.
    tried: tuple[LineSettings, ...] = ()
    #: Whether the port has no speed of its own, so that only one could be tried.
    has_fixed_speed: bool = False
    #: Seconds since the port was open.
    seconds: float = 0.0
    #: Seconds of light that was sent, and those that passed before it.
    light_seconds: float = 0.0
    dark_seconds: float = 0.0
    #: When a battery meter was last woken at this port: to be handed to the next ``detect``.
    last_wake_up: datetime | None = None

    @property
    def winner(self) -> Candidate | None:
        """What was found; None unless ``situation`` is FOUND."""
        return self.candidates[0] if self.situation is Situation.FOUND else None


def situation_of(error: MeterConnectionError) -> Situation:
    """Return the situation of a port that cannot be used."""
    match error:
        case PortBusyError():
            return Situation.IN_USE
        case PortLostError():
            return Situation.LOST
    return Situation.CANNOT_OPEN
