"""A meter that pushes notifications."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY
from simulator.iec62056 import Checksum, Iec62056Meter, Mode, Registers as ReadoutRegisters

from . import axdr, layouts, times
from .ciphering import Keys, check_key, protect
from .framings import Framing, frames
from .layouts import Layout
from .pushed_values import Body, Expected, Source
from .registers import Registers
from .services import DATA_NOTIFICATION
from .times import ClockStyle

_INSTALLED: Final = INSTALLED_DAY * SECONDS_PER_DAY
_FULL_HOUR: Final = 3600
_GENERAL_GLO: Final = 0xDB
_GENERAL_DED: Final = 0xDC
_GENERAL_CIPHERING: Final = 0xDD
_NO_TITLE: Final = bytes(8)


class TimeForm(StrEnum):
    """How the time of a notification is encoded."""

    #: Length and time, as in the standard.
    STANDARD = "standard"
    #: No time.
    NONE = "none"
    #: As an octet-string with its tag.
    TAGGED = "tagged"


class Envelope(StrEnum):
    """The APDU of an encrypted notification."""

    GENERAL_GLO = "general-glo"
    GENERAL_DED = "general-ded"
    GENERAL_CIPHERING = "general-ciphering"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushMeter:
    """A meter that measures a household. Times are in seconds since 1970."""

    registers: Registers = field(default_factory=Registers)
    serial: str = "7350000000123456"
    layout: Layout = Layout.LIST
    framing: Framing = Framing.HDLC
    time_form: TimeForm = TimeForm.STANDARD
    clock_style: ClockStyle = ClockStyle.STANDARD
    #: Number of values in a positional list: 1, 9, 13, 14 or 18.
    items: int = 18
    #: Whether each telegram of Kamstrup's list has energies, or only that of a full hour.
    always_energies: bool = True
    #: HDLC addresses, and the size of a segment or a block.
    destination: bytes = b"\x41"
    source: bytes = b"\x03"
    size: int = 120

    #: None: telegrams are not encrypted.
    encryption_key: bytes | None = field(default=None, repr=False)
    authentication_key: bytes = field(default=b"", repr=False)
    suite: int = 0
    #: Bits of the security control byte.
    protection: int = 0x30
    envelope: Envelope = Envelope.GENERAL_GLO
    system_title: bytes = b"DMO\x67\x00\x01\xe2\x40"

    def __post_init__(self) -> None:
        """Check the keys; ValueError if they do not fit."""
        if self.encryption_key is not None:
            check_key(self.encryption_key, self.suite)
        elif self.layout is Layout.P1_HEAD:
            raise ValueError("this layout is always encrypted")

    def telegram(self, time: int) -> bytes:
        """Return the telegram of a time."""
        return b"".join(self.frames(time))

    def frames(self, time: int) -> list[bytes]:
        """Return the frames of the telegram of a time."""
        return frames(
            self.message(time),
            self.framing,
            destination=self.destination,
            source=self.source,
            size=self.size,
        )

    def expected(self, time: int) -> tuple[Expected, ...]:
        """Return the registers that a decoder must read; none for text."""
        return () if self._is_text else self._body(time).expected

    def meter_id(self, time: int) -> str | None:
        """Return the meter id that a decoder must read; None for text."""
        return None if self._is_text else self._body(time).meter

    def message(self, time: int) -> bytes:
        """Return the message of a time, encrypted if there is a key."""
        if self.layout is Layout.P1_HEAD:
            return self._p1_head(time)
        if self.layout is Layout.P1:
            plain = self.text(time)
        else:
            invoke_id = (time - _INSTALLED) & 0x00FFFFFF
            plain = bytes([DATA_NOTIFICATION]) + invoke_id.to_bytes(4)
            plain += self._time(time) + self._body(time).data
        return plain if self.encryption_key is None else self._enveloped(plain, time)

    def text(self, time: int) -> bytes:
        """Return the telegram of a P1 port."""
        return Iec62056Meter(
            registers=ReadoutRegisters(household=self.registers.household),
            clock=lambda: time,
            mode=Mode.D,
            checksum=Checksum.CRC16,
            serial=self.serial,
        ).pushed()

    @property
    def _is_text(self) -> bool:
        return self.layout in (Layout.P1, Layout.P1_HEAD)

    @property
    def _keys(self) -> Keys:
        assert self.encryption_key is not None  # noqa: S101  its caller has checked it
        return Keys(self.encryption_key, self.authentication_key)

    def _time(self, time: int) -> bytes:
        stamp = times.encode(time, self.clock_style)
        match self.time_form:
            case TimeForm.STANDARD:
                return axdr.sized(stamp)
            case TimeForm.TAGGED:
                return axdr.octets(stamp)
            case TimeForm.NONE:
                return b"\x00"

    def _body(self, time: int) -> Body:
        source = Source(self.registers, self.serial, time, self.clock_style)
        match self.layout:
            case Layout.LIST:
                return layouts.structures(source, with_clock=self.time_form is TimeForm.NONE)
            case Layout.KAMSTRUP:
                hour = time % _FULL_HOUR == 0
                return layouts.kamstrup(source, with_energies=self.always_energies or hour)
            case Layout.EVN:
                return layouts.evn(source)
            case Layout.POSITIONAL:
                return layouts.positional(source, self.items)
            case Layout.PUSH_LIST:
                return layouts.push_list(source)
            case Layout.UNTAGGED:
                return layouts.untagged(source)
            case Layout.P1 | Layout.P1_HEAD:
                raise ValueError("text has no body")

    def _protect(self, plain: bytes, title: bytes, counter: int, extra: bytes = b"") -> bytes:
        control = self.protection | self.suite
        return protect(plain, self._keys, title, counter, control, extra=extra)

    def _enveloped(self, plain: bytes, time: int) -> bytes:
        counter = time - _INSTALLED
        title = axdr.sized(self.system_title)
        if self.envelope is not Envelope.GENERAL_CIPHERING:
            tag = _GENERAL_GLO if self.envelope is Envelope.GENERAL_GLO else _GENERAL_DED
            sealed = self._protect(plain, self.system_title, counter)
            return bytes([tag]) + title + axdr.sized(sealed)
        # Transaction id, originator, no recipient, no time, no other information.
        head = axdr.sized(counter.to_bytes(8)) + title + bytes(3)
        # Key information: identified key, global unicast encryption key.
        key = bytes.fromhex("010000")
        sealed = self._protect(plain, self.system_title, counter, head)
        return bytes([_GENERAL_CIPHERING]) + head + key + axdr.sized(sealed)

    def _p1_head(self, time: int) -> bytes:
        text = self.text(time)
        end = text.index(b"\r\n\r\n") + 4
        sealed = self._protect(text[end:], _NO_TITLE, 0)
        return text[:end] + axdr.sized(b"") + b"\x82" + len(sealed).to_bytes(2) + sealed
