"""Telegrams in a stream of bytes (IEC 62056-21:2002, 6.3 and 6.4.5; DSMR 5.0, 6.2)."""

from collections.abc import Container, Iterator
from dataclasses import replace
from enum import Enum, auto
import re
from typing import Final

from ..errors import ChecksumError, TelegramError
from ..parity import has_parity_errors, without_parity
from .block import BlockCheck, CrcKind, KnownKind, crc_kinds, damage_in
from .identification import IDENTIFICATION_LINE, IDENTIFICATION_START, Identification
from .telegram import Telegram
from .values import VALUE_MAX

#: Bytes of the longest telegram that is read, and about the most bytes that are kept.
LIMIT: Final = 65_536

_ETX: Final = b"\x03"
_SLASH: Final = 0x2F
#: The bytes at which something may begin or end: STX, ETX, and the two below.
_MARKS: Final = re.compile(rb"[\x02\x03!/]")
#: The end of a line, or the next identification.
_LINE_END: Final = re.compile(rb"[\r\n/]")
#: The value of a data set, or of one whose address has damaged characters.
_DATA_SET: Final = re.compile(rb"\([^()\r\n]*+\)")
#: Characters that may come between the end of the data and the end of the line: a checksum of up
#: to four digits, or noise.
_TRAILER_MAX: Final = 16
_CRC: Final = re.compile(rb"[0-9A-Fa-f]{1,4}")
_NOISE: Final = re.compile(rb"[^ -~]*| *")
#: Bytes after the "!" of data without STX within which an ETX comes, if at all.
_ETX_WITHIN: Final = 6
#: Initial values of the exclusive or in meters that send no STX; EFR's is the latter.
_STARTS_WITHOUT_STX: Final = (0, 0x0C)


class _Progress(Enum):
    #: More bytes are needed to decide whether something begins or ends here.
    MORE = auto()
    #: Something has begun here; the search goes on after it.
    DONE = auto()


_MORE: Final = _Progress.MORE
_DONE: Final = _Progress.DONE
#: The outcome of a mark: a telegram, the error of a damaged one, progress, or nothing.
type _Outcome = Telegram | TelegramError | _Progress | None


class ReadoutFramer:
    """Finds the readouts in a stream.

    A readout begins with an identification line, with STX, or with the first data set of the
    stream. It ends with ETX and the check character if it has STX, otherwise with ``!``, which the
    checksum of a P1 telegram may follow. The telegrams do not depend on how the stream is divided
    into chunks.
    """

    def __init__(self, check: BlockCheck) -> None:
        """Begin before the first byte; ``check`` verifies the check characters of the meter."""
        #: Bytes that belong to no valid telegram.
        self.skipped = 0
        #: Whether something like a data set was among them.
        self.skipped_data = False
        self._check = check
        self._crc = KnownKind[CrcKind]()
        #: Whether the meter sends checksums, so that a readout without one is damaged; and its
        #: identification.
        self._protects = False
        self._protector: Identification | None = None
        #: The blocks received so far of a readout in several blocks: "!" is in the last one.
        self._blocks: Telegram | None = None
        #: Whether ETX may follow readouts without STX.
        self._may_have_etx = True
        #: The bytes as received, and without highest bits: telegrams are found in the latter.
        self._raw = bytearray()
        self._text = bytearray()
        self._scan = 0
        self._start_over()

    def _start_over(self) -> None:
        """Expect the begin of a telegram at the first byte in the buffer."""
        self._identification: Identification | None = None
        #: Where the identification line ends. Noise may follow before STX.
        self._identified = 0
        #: Whether that line is ASCII, so that text may be UTF-8: with parity, it is not.
        self._has_eight_bits = False
        #: Where the data begin, and whether STX is before them.
        self._data = 0
        self._framed = False
        #: Whether the data before an STX contain a data set.
        self._has_data_set = False

    @property
    def is_complete(self) -> bool:
        """Whether only what some meters leave out is missing: ETX, check character, line end.

        Also after a block without "!", which usually ends a readout.
        """
        if self._blocks is not None and not self._text.strip():
            return True
        end = self._text.rfind(b"!")
        return end >= self._data and not self._is_value(end) and self._text.find(b"(", end) < 0

    def feed(self, data: bytes) -> Iterator[Telegram | TelegramError]:
        """Add bytes; yield the telegrams that end in them, and errors for damaged ones.

        The iterator must be exhausted before more bytes are fed.
        """
        position = 0
        while position < len(data):
            piece = data[position : position + LIMIT + 1 - len(self._text)]
            position += len(piece)
            self._raw += piece
            self._text += without_parity(piece)
            yield from self._advance()
            if len(self._text) <= LIMIT:
                continue
            if self._has_begun:
                yield self._damage(self._scan, TelegramError("a readout without end"))
            else:
                self._drop(self._scan)

    def finish(self) -> Iterator[Telegram | TelegramError]:
        """End the stream; yield what feed() would. Another stream may follow."""
        yield from self._advance(is_end=True)
        end = len(self._text)
        if not self._has_begun:
            self._drop(end)
            yield from self._end_blocks()
        elif self._framed and self.is_complete:
            yield self._end_unchecked(end)
        else:
            yield self._damage(end, TelegramError("the readout is cut off"))

    @property
    def _has_begun(self) -> bool:
        return self._identification is not None or self._framed

    def _advance(self, *, is_end: bool = False) -> Iterator[Telegram | TelegramError]:
        """Process the marks in the buffer, as far as the bytes allow."""
        while (found := _MARKS.search(self._text, self._scan)) is not None:
            place = self._scan = found.start()
            match self._text[place]:
                case _ if self._has_eight_bits and self._has_letters(place, place + 1):
                    outcome = None
                case 0x2F:
                    outcome = self._slash(place, is_end=is_end)
                case 0x02:
                    outcome = self._begin_block(place)
                case 0x03:
                    outcome = self._etx(place, is_end=is_end)
                case _:
                    outcome = self._exclamation_mark(place, is_end=is_end)
            if outcome is _MORE:
                return
            if outcome is None:
                self._scan += 1
            elif outcome is not _DONE:
                yield outcome
        self._scan = len(self._text)

    def _slash(self, place: int, *, is_end: bool) -> _Outcome:
        """Begin a telegram with an identification line, if the slash begins one."""
        line = IDENTIFICATION_LINE.match(self._text, place)
        if line is None:
            may_be = not is_end and IDENTIFICATION_START.match(self._text, place)
            return _MORE if may_be else None
        if self._has_eight_bits and self._has_letters(place, line.end()):
            return None
        length = line.end() - place
        cut_off = self._cut_off(place)
        self._identification = Identification.parse(bytes(self._text[: length - 1]))
        self._scan = self._data = self._identified = length
        self._has_eight_bits = self._raw[:length].isascii()
        return cut_off or next(self._end_blocks(), _DONE)

    def _begin_block(self, place: int) -> _Outcome:
        """Begin the data with STX: a telegram, or the part after the identification line."""
        cut_off = None
        if self._framed or self._identification is None:
            cut_off = self._cut_off(place)
            place = 0
        elif self._has_data_set_before(place):
            # A damaged character in data without STX.
            return None
        self._framed = True
        self._scan = self._data = place + 1
        return cut_off or _DONE

    def _etx(self, place: int, *, is_end: bool) -> _Outcome:
        """End the data with ETX, if they have begun with STX."""
        if not self._framed:
            self._may_have_etx = True
            return None
        is_lone = self._identification is None and self._blocks is None
        if is_lone and not self._has_data(place):
            # Both STX and ETX are damaged characters.
            self._drop(place + 1)
            return _DONE
        if place + 1 == len(self._text):
            return self._end_block_without_check(place) if is_end else _MORE
        block = bytes(self._text[self._data : place + 1])
        if self._text[place + 1] == _SLASH and not self._check.fits(block, _SLASH):
            if IDENTIFICATION_LINE.match(self._text, place + 1):
                return self._end_block_without_check(place)
            if IDENTIFICATION_START.match(self._text, place + 1) and not is_end:
                return _MORE
        return self._end_block(place, block)

    def _exclamation_mark(self, place: int, *, is_end: bool) -> _Outcome:
        """End the data with ``!``, if they have no STX and it is not within a value."""
        if self._framed or self._is_value(place):
            return None
        has_begun = self._has_begun
        if not self._has_data(place):
            if has_begun:
                return None
            self._drop(place + 1)
            return _DONE
        outcome = self._end_data(place, is_end=is_end)
        # Data without a begin are the rest of a telegram, not a damaged one.
        return outcome if has_begun or not isinstance(outcome, TelegramError) else _DONE

    def _is_value(self, place: int) -> bool:
        """Return whether a place is within the parentheses of a value."""
        earliest = max(self._data, place - VALUE_MAX)
        opened = self._text.rfind(b"(", earliest, place)
        text = self._raw if self._has_eight_bits else self._text
        if opened < 0:
            return False
        return not any(text.rfind(c, opened, place) >= 0 for c in (b")", b"\r", b"\n"))

    def _has_letters(self, place: int, end: int) -> bool:
        """Return whether bytes in a value are, in part, letters of its text in UTF-8."""
        return not self._raw[place:end].isascii() and self._is_value(place)

    def _has_data_set_before(self, place: int) -> bool:
        """Return whether a data set, or its first value, ends before a place."""
        if not self._has_data_set:
            self._has_data_set = _DATA_SET.search(self._text, self._data, place) is not None
        return self._has_data_set

    def _has_data(self, place: int) -> bool:
        """Return whether there is something like a data set before a place."""
        return self._text.find(b"(", self._data, place) >= 0

    def _cut_off(self, place: int) -> Telegram | TelegramError | None:
        """End the telegram that is cut off by another one at a place, or drop other bytes."""
        if not self._has_begun or not self._has_data(place):
            self._drop(place)
            return None
        end = self._text.rfind(b"!", self._data, place)
        if self._framed and end >= 0 and not self._text[end + 1 : place].strip():
            return self._end_unchecked(place)
        return self._damage(place, TelegramError("the readout is cut off"))

    def _end_block(self, place: int, block: bytes) -> _Outcome:
        """End a telegram with the ETX at a place and the check character after it."""
        sent = self._raw[: self._identified] + self._raw[self._data - 1 : place + 2]
        return self._end_checked(place, block, sent)

    def _end_block_without_check(self, place: int) -> Telegram | TelegramError:
        """End a telegram with the ETX at a place, after which the check character is missing."""
        # What follows "!" belongs to the block.
        end = self._text.rfind(b"!", self._data, place)
        return self._end_unchecked(place + 1, data_end=end + 1 or place)

    def _end_data(self, place: int, *, is_end: bool) -> _Outcome:
        """End a telegram without STX with the ``!`` at a place."""
        text = self._text
        longest = place + _TRAILER_MAX
        line_end = _LINE_END.search(text, place, longest)
        if line_end is None and len(text) < longest and not is_end:
            return _MORE
        end = min(len(text), longest) if line_end is None else line_end.start()
        if _CRC.fullmatch(text, place + 1, end) is not None:
            return self._end_p1(place, end)
        if self._has_begun and _NOISE.fullmatch(self._raw, place + 1, end) is None:
            return self._damage(place + 1, ChecksumError("what follows the data is no checksum"))
        if self._may_have_etx:
            behind = bytes(text[end : end + _ETX_WITHIN]).lstrip(b"\r\n")
            if behind.startswith(_ETX) and len(behind) > 1:
                return self._end_block_without_start(text.index(_ETX, end))
            if behind in (b"", _ETX) and len(text) < end + _ETX_WITHIN and not is_end:
                return _MORE
            self._may_have_etx = False
        return self._end_unchecked(place + 1)

    def _end_p1(self, place: int, end: int) -> Telegram | TelegramError:
        """End a P1 telegram with its checksum, which goes from the ``/`` up to the ``!``."""
        wanted = int(self._text[place + 1 : end], 16)
        raw, text = self._raw[: place + 1], self._text[: place + 1]
        # The checksum is of characters with eight bits.
        data, sent = self._raw[self._data : place + 1], bytearray()
        kinds = crc_kinds(raw, wanted)
        if not kinds and text != raw:
            data, sent = self._text[self._data : place + 1], self._raw[:end]
            kinds = crc_kinds(text, wanted)
        if not self._crc.accepts_kinds(kinds):
            return self._damage(end, ChecksumError("the CRC is wrong"))
        if (damage := damage_in(data, sent)) is not None:
            return self._damage(end, ChecksumError(damage))
        return self._deliver(end, data, checked=True)

    def _end_block_without_start(self, place: int) -> _Outcome:
        """End a telegram that has the ETX at a place, but no STX: its first line begins it."""
        block = bytes(self._text[self._data : place + 1]).lstrip(b"\r\n")
        if not self._has_begun:
            # The rest of a telegram does not show how the meter computes the check character.
            return self._damage(place + 2, ChecksumError("the readout is cut off"))
        sent = self._raw[: place + 2]
        return self._end_checked(place, block, sent, starts=_STARTS_WITHOUT_STX)

    def _end_checked(
        self, place: int, block: bytes, sent: bytearray, starts: Container[int] = (0,)
    ) -> _Outcome:
        """End a telegram with the ETX at a place and the check character after it.

        ``sent`` is the telegram with its parity bits, without noise.
        """
        damage = damage_in(block[:-1], sent)
        # A damaged telegram does not show how the meter computes the check character.
        if damage is None and not self._check.accepts(block, self._text[place + 1], starts=starts):
            damage = "the block check character is wrong"
        if damage is not None:
            return self._damage(place + 2, ChecksumError(damage))
        telegram = self._deliver(place + 2, block[:-1], checked=True)
        for before in self._end_blocks():
            data, raw = before.data + telegram.data, before.raw + telegram.raw
            telegram = replace(before, data=data, raw=raw)
        if telegram.identification is None or "!" in telegram.data:
            return telegram
        if len(telegram.raw) > LIMIT:
            self.skipped += len(telegram.raw)
            return TelegramError("a readout without end")
        self._blocks = telegram
        return _DONE

    def _end_blocks(self) -> Iterator[Telegram]:
        """End a readout with the blocks that have come so far."""
        if (telegram := self._blocks) is not None:
            self._blocks = None
            yield telegram

    def _end_unchecked(self, end: int, *, data_end: int = 0) -> Telegram | TelegramError:
        """End a telegram without checksum, protected by parity only."""
        if self._protects and self._identification in (None, self._protector):
            return self._damage(end, ChecksumError("the checksum is missing"))
        if has_parity_errors(self._raw[:end]):
            return self._damage(end, ChecksumError("characters have the wrong parity"))
        return self._deliver(end, self._text[self._data : data_end or end], checked=False)

    def _deliver(self, end: int, data: bytes | bytearray, *, checked: bool) -> Telegram:
        telegram = Telegram(
            self._identification,
            self._has_begun,
            data.decode("latin-1"),
            checked,
            bytes(self._raw[:end]),
        )
        if checked:
            self._protects = True
            self._protector = self._identification
        self._remove(end)
        return telegram

    def _damage(self, end: int, error: TelegramError) -> TelegramError:
        """Drop a damaged telegram with its earlier blocks."""
        for block in self._end_blocks():
            self.skipped += len(block.raw)
        self._drop(end)
        return error

    def _drop(self, end: int) -> None:
        if not end:
            return
        self.skipped += end
        self.skipped_data = self.skipped_data or self._text.find(b"(", 0, end) >= 0
        self._remove(end)

    def _remove(self, end: int) -> None:
        del self._raw[:end]
        del self._text[:end]
        self._scan = 0
        self._start_over()
