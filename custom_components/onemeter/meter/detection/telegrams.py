"""Which protocols' telegrams are in what comes with one setting of the line.

However the stream is cut into chunks, the candidates are the same.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ..checksum import ends_with_x25, sum_of, xor_of
from ..iec62056.decoder import Iec62056Decoder
from ..iec62056.identification import IDENTIFICATION_LINE
from ..line import Framing, LineSettings
from ..parity import has_parity_errors, without_parity
from ..pin_lock import is_reduced
from ..protocols import Protocol
from ..reading import Identity, Reading
from ..sml.decoder import SmlDecoder
from .messages import Messages
from .result import Candidate, Checksum, Evidence, EvidenceKind

#: Identifications, or enciphered messages, that must be alike where no checksum protects them.
_ALIKE: Final = 2
#: Values of a readout without identification, whose check character alone proves little.
_VALUES_LEAST: Final = 2
#: Bytes in which the rest of an identification line may come.
_LINE_MAX: Final = 128
_ETX: Final = 0x03


class TelegramSearch:
    """Reads a stream as each of the protocols that push: feed it the bytes, take the candidates."""

    def __init__(self, line: LineSettings, *, has_speed: bool = True) -> None:
        """Take with which settings the bytes are read; a port without speed has none to report."""
        self._line = line
        self._shown = line if has_speed else None
        self._sml = SmlDecoder()
        self._sml_reading: Reading | None = None
        self._text = _Texts()
        self._dlms = Messages()

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
            is_locked=reading is not None and is_reduced(reading.registers),
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


def _sml_checksum(telegram: bytes) -> Checksum | None:
    if len(telegram) < 2:
        return None
    is_x25 = ends_with_x25(telegram)
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
