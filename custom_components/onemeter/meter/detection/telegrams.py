"""Which protocols' telegrams are in what comes with one setting of the line.

However the stream is cut into chunks, the candidates are the same.
"""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ..checksum import crc16_x25, sum_of, xor_of
from ..errors import TelegramError
from ..iec62056.decoder import Iec62056Decoder
from ..iec62056.identification import IDENTIFICATION_LINE
from ..line import Framing, LineSettings
from ..obis import Obis
from ..parity import has_parity_errors, without_parity
from ..protocols import Protocol
from ..reading import Identity, Reading
from ..sml.decoder import SmlDecoder
from .result import Candidate, Checksum, Encryption, Evidence, EvidenceKind, Frames

if TYPE_CHECKING:
    from ..dlms.apdu.general_ciphering import GeneralCipheringMessage

#: Identifications, or enciphered messages, that must be alike where no checksum protects them.
_ALIKE: Final = 2
#: Frames in order after which no message is waited for any more.
_FRAMES_MOST: Final = 24
#: Values of a readout without identification, whose check character alone proves little.
_VALUES_LEAST: Final = 2
#: Bytes in which the rest of an identification line may come.
_LINE_MAX: Final = 128
_ETX: Final = 0x03
_FRAME_CHECKSUMS: Final = {Frames.HDLC: Checksum.FCS, Frames.MBUS: Checksum.MBUS}
#: Where a block of general block transfer has its length; the lowest bits of a security control
#: byte, and the highest suite.
_BLOCK_LENGTH: Final = 6
_SUITE: Final = 0x0F
_SUITE_MAX: Final = 2

_ENERGY: Final = (1, 2)
_TIME_INTEGRAL: Final = 8
_INSTANTANEOUS: Final = 7
_WHOLE: Final = {"Wh": 1000, "kWh": 1}


class TelegramSearch:
    """Reads a stream as each of the protocols that push: feed it the bytes, take the candidates."""

    def __init__(self, line: LineSettings, *, has_speed: bool = True) -> None:
        """Take with which settings the bytes are read; a port without speed has none to report."""
        self._line = line
        self._shown = line if has_speed else None
        self._sml = SmlDecoder()
        self._sml_reading: Reading | None = None
        self._text = _Texts()
        self._dlms = _Messages()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        for _ in self.feed_in_slices(data):
            pass

    def feed_in_slices(self, data: bytes) -> Iterator[None]:
        """Do what feed() does; after each slice others may have their turn."""
        for reading in self._sml.feed_in_slices(data):
            self._sml_reading = reading or self._sml_reading
            yield
        yield from self._text.feed_in_slices(data)
        yield from self._dlms.feed_in_slices(data)

    def candidates(self) -> list[Candidate]:
        """Return what is proved by what has come so far, the best first."""
        found = [self._sml_candidate(), self._text_candidate(), self._dlms_candidate()]
        proved = [candidate for candidate in found if candidate is not None]
        return sorted(proved, key=lambda candidate: -candidate.evidence[0].count)

    @property
    def is_promising(self) -> bool:
        """Whether something has come that would prove a protocol if more of it came."""
        return self._text.alike > 0 or self._dlms.is_promising

    @property
    def has_right_line(self) -> bool:
        """Whether something has come with a right checksum, though it proves nothing yet."""
        return self._dlms.has_frames

    def _sml_candidate(self) -> Candidate | None:
        count = self._sml.good + self._sml.other
        if not count:
            return None
        reading = self._sml_reading
        shown = None if self._shown is None else _without_parity(self._shown)
        return Candidate(
            protocol=Protocol.SML,
            is_polled=False,
            line=_without_parity(self._line),
            evidence=(Evidence(EvidenceKind.TELEGRAMS, count, shown),),
            checksum=None if reading is None else _sml_checksum(reading.raw),
            identity=Identity() if reading is None else reading.meter,
            is_locked=reading is not None and _is_locked(reading),
        )

    def _text_candidate(self) -> Candidate | None:
        texts = self._text
        reading = texts.reading
        if reading is None or (texts.checked == 0 and texts.alike < _ALIKE):
            return None
        if texts.checked:
            evidence = Evidence(EvidenceKind.TELEGRAMS, texts.checked, self._shown_as(texts))
        else:
            evidence = Evidence(EvidenceKind.IDENTIFICATIONS, texts.alike, self._shown_as(texts))
        return Candidate(
            protocol=Protocol.IEC62056,
            is_polled=False,
            line=self._read_as(texts),
            evidence=(evidence,),
            checksum=readout_checksum(reading.raw) if reading.checked else None,
            identity=reading.meter,
        )

    def _read_as(self, texts: _Texts) -> LineSettings:
        """Return the line with the framing of its characters: parity is left for us to check."""
        line = self._line
        if not texts.has_parity:
            return line
        return LineSettings(line.baudrate, Framing.SEVEN_EVEN, line.dtr, line.rts)

    def _shown_as(self, texts: _Texts) -> LineSettings | None:
        return None if self._shown is None else self._read_as(texts)

    def _dlms_candidate(self) -> Candidate | None:
        messages = self._dlms
        if (found := messages.evidence(self._shown)) is None:
            return None
        evidence, frames, checksum = found
        return Candidate(
            protocol=Protocol.DLMS,
            is_polled=False,
            line=self._line,
            evidence=(evidence,),
            checksum=checksum,
            frames=frames,
            encryption=messages.encryption,
            identity=messages.identity,
        )


def _without_parity(line: LineSettings) -> LineSettings:
    """Return the settings of SML, whose stop bit some receivers read as if it were parity."""
    return replace(line, framing=Framing.EIGHT_NONE)


class _Texts:
    """The readouts in a stream."""

    def __init__(self) -> None:
        self._decoder = Iec62056Decoder()
        self._tail = b""
        self._lines: Counter[bytes] = Counter()
        #: Readouts with a right checksum, and the newest one, of those where there are any.
        self.checked = 0
        self.reading: Reading | None = None
        #: Whether its characters came with parity bits.
        self.has_parity = False

    @property
    def alike(self) -> int:
        """How many identifications with right parity are the same."""
        return max(self._lines.values(), default=0)

    def feed_in_slices(self, data: bytes) -> Iterator[None]:
        self._find_identifications(data)
        for reading in self._decoder.feed_in_slices(data):
            yield
            if reading is None:
                continue
            is_known = reading.meter.ident is not None
            if reading.checked and (is_known or len(reading.registers) >= _VALUES_LEAST):
                self.checked += 1
            elif self.checked or not is_known:
                continue
            self.reading = reading
            self.has_parity = not reading.raw.isascii()

    def _find_identifications(self, data: bytes) -> None:
        stream = self._tail + data
        text = without_parity(stream)
        end = 0
        for line in IDENTIFICATION_LINE.finditer(text):
            end = line.end()
            if not has_parity_errors(stream[line.start() : end]):
                self._lines[line[0].rstrip()] += 1
        self._tail = stream[max(end, len(stream) - _LINE_MAX) :]


class _Messages:
    """The messages of DLMS in a stream, and what they come in."""

    def __init__(self) -> None:
        from ..dlms.link.assembly import Assembler
        from ..dlms.link.hdlc import FrameReader
        from ..dlms.push.decoder import DlmsDecoder

        self._hdlc = FrameReader()
        self._mbus = _MbusFrames()
        self._assembler = Assembler()
        self._decoder = DlmsDecoder()
        self._counts: Counter[Frames] = Counter()
        #: Whether it has shown how the messages are protected.
        self._is_known = False
        #: Enciphered messages by who has sent them, and the newest counter of each.
        self._enciphered: Counter[bytes] = Counter()
        self._counters: dict[bytes, int] = {}
        self.encryption: Encryption | None = None
        self.identity = Identity()

    def evidence(
        self, line: LineSettings | None
    ) -> tuple[Evidence, Frames, Checksum | None] | None:
        for frames, checksum in _FRAME_CHECKSUMS.items():
            if (count := self._counts[frames]) >= (1 if self._is_known else _FRAMES_MOST):
                return Evidence(EvidenceKind.TELEGRAMS, count, line), frames, checksum
        alike = max(self._enciphered.values(), default=0)
        if alike >= _ALIKE:
            return Evidence(EvidenceKind.MESSAGES, alike, line), Frames.NONE, None
        if self._decoder.good >= _ALIKE:
            # In the clear, nothing but the wrapper is understood.
            return Evidence(EvidenceKind.MESSAGES, self._decoder.good, line), Frames.WRAPPER, None
        return None

    @property
    def has_frames(self) -> bool:
        return bool(self._counts)

    @property
    def is_promising(self) -> bool:
        return bool(self._enciphered) or self._decoder.good > 0 or bool(self._counts)

    def feed_in_slices(self, data: bytes) -> Iterator[None]:
        for frame in self._hdlc.feed(data):
            if frame.information:
                self._counts[Frames.HDLC] += 1
                self._look(_without_llc(frame.information))
        yield
        for content in self._mbus.feed(data):
            self._counts[Frames.MBUS] += 1
            self._look(content)
        yield
        for message in self._assembler.feed(data):
            if message is not None:
                self._is_known = True
                self._take(message)
            yield
        for reading in self._decoder.feed_in_slices(data):
            if reading is not None:
                self.identity = reading.meter
            yield

    def _look(self, begin: bytes) -> None:
        """Look at what may be the begin of a message: one that is enciphered says so there."""
        if (encryption := _encryption(begin)) is not None:
            self.encryption = encryption
            self._is_known = True

    def _take(self, message: bytes) -> None:
        """Count a message that is enciphered."""
        from ..dlms.security.ciphering import HEADER_LENGTH

        found = _general_message(message)
        if found is None or len(found.protected) < HEADER_LENGTH:
            return
        self.encryption = _encryption_of(found.protected[0], found.title)
        counter = int.from_bytes(found.protected[1:HEADER_LENGTH])
        sender = found.title or message[: message.find(b"\r")]
        if found.title and counter <= self._counters.get(sender, -1):
            return
        self._counters[sender] = counter
        self._enciphered[sender] += 1


def _without_llc(information: bytes) -> bytes:
    from ..dlms.link.hdlc import LLC_COMMAND, LLC_RESPONSE

    return information.removeprefix(LLC_RESPONSE).removeprefix(LLC_COMMAND)


def _encryption(begin: bytes) -> Encryption | None:
    """Return how a message is protected of which this is the begin; None where it does not say."""
    from ..dlms.apdu.lengths import decode_length
    from ..dlms.apdu.tags import GENERAL_BLOCK_TRANSFER, GENERAL_GLO_CIPHERING
    from ..dlms.security.ciphering import AUTHENTICATED, ENCRYPTED, TITLE_LENGTH

    try:
        if begin[0] == GENERAL_BLOCK_TRANSFER:
            begin = begin[decode_length(begin, _BLOCK_LENGTH)[1] :]
        if begin[0] != GENERAL_GLO_CIPHERING or begin[1] != TITLE_LENGTH:
            return None
        title = begin[2 : 2 + TITLE_LENGTH]
        control = begin[decode_length(begin, 2 + TITLE_LENGTH)[1]]
    except IndexError, TelegramError:
        return None
    is_plausible = control & (AUTHENTICATED | ENCRYPTED) and control & _SUITE <= _SUITE_MAX
    return _encryption_of(control, title) if is_plausible else None


def _encryption_of(control: int, title: bytes) -> Encryption:
    from ..dlms.security.ciphering import AUTHENTICATED, ENCRYPTED, TITLE_LENGTH

    return Encryption(
        is_encrypted=bool(control & ENCRYPTED),
        is_authenticated=bool(control & AUTHENTICATED),
        suite=control & _SUITE,
        system_title=title if len(title) == TITLE_LENGTH else None,
    )


def _general_message(message: bytes) -> GeneralCipheringMessage | None:
    """Take an enciphered message apart; None for any other one."""
    from ..dlms.apdu.general_ciphering import GeneralCipheringMessage, parse_general_ciphering
    from ..dlms.apdu.tags import ANY_GENERAL_CIPHERING
    from ..dlms.link.unframed import split_head

    try:
        if message.startswith(b"/"):
            _, protected = split_head(message)
            return GeneralCipheringMessage(b"", b"", protected, len(message))
        return (
            parse_general_ciphering(message)
            if message[:1] and message[0] in ANY_GENERAL_CIPHERING
            else None
        )
    except TelegramError:
        return None


class _MbusFrames:
    """Finds the long frames of M-Bus that carry DLMS."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield what frames that end in them hold."""
        from ..dlms.link.mbus import START, is_header, mbus_frame_at

        buffer = self._buffer
        buffer += data
        start = buffer.find(START)
        while start >= 0:
            is_mbus = is_header(buffer, start)
            found = None
            if is_mbus:
                try:
                    found = mbus_frame_at(buffer, start)
                except TelegramError:
                    is_mbus = False
            if found is not None:
                yield found[0].content
                start = buffer.find(START, found[1])
            elif is_mbus is False:
                start = buffer.find(START, start + 1)
            else:
                # More of it is to come.
                break
        del buffer[: len(buffer) if start < 0 else start]


def _sml_checksum(telegram: bytes) -> Checksum | None:
    if len(telegram) < 2:
        return None
    is_x25 = crc16_x25(telegram[:-2]) == int.from_bytes(telegram[-2:], "little")
    return Checksum.CRC16_X25 if is_x25 else Checksum.CRC16_KERMIT


def readout_checksum(readout: bytes) -> Checksum:
    """Return the kind of checksum of a readout that has a right one."""
    text = without_parity(readout)
    begin, end = text.find(b"\x02") + 1, text.rfind(bytes([_ETX]))
    if end < 0:
        return Checksum.P1
    block = text[begin : end + 1]
    is_sum = sum_of(block) == text[-1] != xor_of(block)
    return Checksum.BCC_SUM if is_sum else Checksum.BCC


def _is_locked(reading: Reading) -> bool:
    """Tell whether there is energy in whole kWh, and neither finer energy nor any power."""
    has_energy = False
    for register in reading.registers:
        obis = register.obis
        if not isinstance(obis, Obis):
            continue
        if obis.d == _INSTANTANEOUS:
            return False
        if obis.d == _TIME_INTEGRAL and obis.c in _ENERGY:
            value, step = register.value, _WHOLE.get(register.unit or "")
            if not isinstance(value, Decimal | int) or step is None:
                continue
            if value % step:
                return False
            has_energy = has_energy or bool(value)
    return has_energy
