"""The transport protocol of SML, version 1: telegrams in a stream of bytes (SML 1.04, 8)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ..checksum import crc16_kermit, ends_with_x25
from ..errors import TelegramError
from ..slices import Sliced

#: Bytes of the longest telegram that is read, and the most bytes that are kept.
LIMIT: Final = 8192

_ESCAPE_BYTE: Final = 0x1B
_ESCAPE_SIZE: Final = 4
_ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
_MASKED_ESCAPE: Final = _ESCAPE + _ESCAPE
_START: Final = _ESCAPE + b"\x01\x01\x01\x01"
#: The parts of a start that may be at the end of a chunk, longest first.
_START_PREFIXES: Final = tuple(_START[:length] for length in range(len(_START) - 1, 0, -1))
#: Follows the escape that ends a telegram, before the number of fill bytes and the checksum.
_END: Final = 0x1A
#: Bytes of an escape with what follows it: a start, an end, or a masked escape.
_MARK: Final = 8
#: Bytes of the number of fill bytes and the checksum, which end a telegram.
_TRAILER: Final = 3
#: Fill bytes make the length of a telegram a multiple of four. Some meters of DZG send four.
_FILL_MAX: Final = 4
#: Starts within a rejected telegram that are tried. Lost bytes cause one; without a bound, crafted
#: bytes could keep the decoder busy.
_INNER_STARTS: Final = 8


class SmlFramer[T]:
    """Finds the telegrams in a stream and decodes each one; never raises.

    ``decode`` gets the messages of a telegram with a right checksum, without escapes and fill
    bytes, and the telegram as received. It returns the results in slices, or raises TelegramError
    for messages that are not well-formed: then the telegram is rejected as for a wrong checksum.

    The telegrams do not depend on how the stream is divided into chunks. Starts and ends are found
    at any offset, since a lost byte shifts the alignment. After damage the search goes on at the
    next start, which may be within the damaged telegram.
    """

    def __init__(self, decode: Callable[[bytes, bytes], Sliced[Sequence[T]]]) -> None:
        """Begin before the first byte."""
        #: Telegrams that gave a result.
        self.good = 0
        #: Telegrams that were rejected or cut off.
        self.damaged = 0
        #: Valid telegrams without a result.
        self.other = 0
        #: Bytes that belong to no valid telegram.
        self.skipped = 0
        self._decode = decode
        #: The bytes from the start of a telegram, or from the place where the next may begin.
        self._buffer = b""
        #: Position in the buffer from which the next escape is searched; 0 between telegrams.
        self._scan = 0
        #: Bytes in the buffer before which a search finds nothing new.
        self._due = _MARK

    def feed(self, data: bytes) -> Sequence[T]:
        """Decode the next bytes of the stream; return the results of telegrams ending in them."""
        results = self.feed_in_slices(data)
        return [result for result in results if result is not None] if results else ()

    def feed_in_slices(self, data: bytes) -> Iterable[T | None]:
        """Do the same as feed() in slices, each of which ends with None.

        The iterable must be exhausted, or finish() be called, before more bytes are fed.
        """
        self._buffer = buffer = self._buffer + data
        size = len(buffer)
        if size > LIMIT:
            self._buffer = buffer[:LIMIT]
            return self._advance_through(buffer[LIMIT:])
        if size >= self._due and (end := self._find_end()):
            return self._advance(end)
        return ()

    def _advance_through(self, rest: bytes) -> Iterator[T | None]:
        """Go through the buffer, and through the bytes for which it has no room yet."""
        yield from self._advance(self._find_end())
        position = 0
        while position < len(rest):
            room = LIMIT - len(self._buffer)
            self._buffer += rest[position : position + room]
            position += room
            yield from self._advance(self._find_end())

    def finish(self) -> Sequence[T]:
        """End the stream: a telegram without its end is damaged, so that nothing more comes of it.

        Another stream may follow.
        """
        if self._scan:
            self.damaged += 1
        self._skip(len(self._buffer))
        self._seek()
        return ()

    def finish_in_slices(self) -> Iterable[T | None]:
        """Do what finish() does, which is little."""
        return self.finish()

    def _advance(self, end: int) -> Iterator[T | None]:
        """Yield the results of the telegram with this end, and of those that end after it."""
        while end:
            telegram = self._buffer[:end]
            start, tries = 0, 1 + _INNER_STARTS
            while start >= 0 and tries:
                part = telegram[start:]
                try:
                    results = yield from self._decode(_messages(part), part)
                except TelegramError:
                    # The last start is the most likely one.
                    start = telegram.rfind(_START, _MARK, start or end)
                    tries -= 1
                else:
                    self._take(results, start, end)
                    yield from results
                    break
            else:
                # The next start may follow instead of the number of fill bytes and the checksum.
                self._reject(end - _TRAILER)
            end = self._find_end()

    def _find_end(self) -> int:
        """Return where the first telegram ends, or 0; reject what cannot become a telegram."""
        while self._scan or (self._buffer and self._find_start()):
            buffer = self._buffer
            size = len(buffer)
            mark = buffer.find(_ESCAPE_BYTE, self._scan)
            if 0 <= mark <= size - _ESCAPE_SIZE:
                mark = buffer.find(_ESCAPE, mark)
                if mark < 0:  # the last bytes may be the first of an escape
                    mark = buffer.find(_ESCAPE_BYTE, size - _ESCAPE_SIZE + 1)
            if mark < 0:
                mark = size
            self._scan = mark
            self._due = due = mark + _MARK if mark < LIMIT - _MARK else LIMIT
            if size < due:
                break
            if size < mark + _MARK:
                self._reject_overlong()
            elif buffer[mark + _ESCAPE_SIZE] == _END:
                return mark + _MARK
            elif buffer.startswith(_MASKED_ESCAPE, mark):
                self._scan = mark + _MARK
            else:
                # Cut off by the start of another telegram, or by an escape without meaning.
                self._reject(mark)
        return 0

    def _find_start(self) -> bool:
        """Discard the bytes before the next start; return whether there is one."""
        buffer = self._buffer
        start = buffer.find(_START)
        if start >= 0:
            if start:
                self._skip(start)
            self._scan = _MARK
            return True
        kept = 0
        if buffer.endswith(_START_PREFIXES):
            kept = next(len(prefix) for prefix in _START_PREFIXES if buffer.endswith(prefix))
        self._skip(len(buffer) - kept)
        return False

    def _take(self, results: Sequence[T], start: int, end: int) -> None:
        """Count a telegram that is valid from ``start`` on, and discard its bytes."""
        if results:
            self.good += 1
        else:
            self.other += 1
        if start:
            self.damaged += 1
            self.skipped += start
        self._buffer = self._buffer[end:]
        self._seek()

    def _reject(self, count: int) -> None:
        """Reject the telegram, and search the next start after its first bytes."""
        self.damaged += 1
        self._skip(count)
        self._seek()

    def _reject_overlong(self) -> None:
        """Reject a telegram that fills the buffer, but not one that starts within it."""
        start = self._buffer.find(_START, _MARK)
        scan = self._scan
        self._reject(start if start >= 0 else _MARK)
        if start >= 0:
            # The escapes after that start have been searched already.
            self._scan = max(_MARK, scan - start)

    def _skip(self, count: int) -> None:
        self.skipped += count
        self._buffer = self._buffer[count:]

    def _seek(self) -> None:
        self._scan = 0
        self._due = _MARK


def _messages(telegram: bytes) -> bytes:
    """Return the messages of a telegram.

    The checksum is CRC-16/X-25, low byte first, or in some meters CRC-16/Kermit, high byte first.
    Raises TelegramError if checksum or number of fill bytes are wrong.
    """
    fill = telegram[-_TRAILER]
    if fill > _FILL_MAX:
        raise TelegramError(f"{fill} fill bytes")
    if not ends_with_x25(telegram) and crc16_kermit(telegram[:-2]) != int.from_bytes(telegram[-2:]):
        raise TelegramError("Wrong checksum")
    return telegram[_MARK : -_MARK - fill].replace(_MASKED_ESCAPE, _ESCAPE)
