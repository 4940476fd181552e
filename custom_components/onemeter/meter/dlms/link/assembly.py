"""Finding messages in a stream, with any of the frames that meters use (IEC 62056-46, -47)."""

from collections.abc import Iterator
import re
from typing import Final

from ...errors import TelegramError
from ..apdu import tags
from ..apdu.axdr import decode
from . import hdlc, mbus
from .hdlc import LLC_RESPONSE, CutFrameError, Frame, frame_at
from .joined import LLC, split_joined
from .mbus import MbusFrame, is_header, mbus_frame_at
from .reassembly import Blocks, MbusFrames, Segments
from .unframed import LIMIT, UNFRAMED, unframed_message_at
from .wrapper import HEADER_LENGTH, packet_at

#: Bytes of the shortest message: a tag and two choices.
_SHORTEST: Final = 3

#: First bytes of a frame, of which the last ones may not have arrived: HDLC, M-Bus, wrapper.
_FRAMED: Final = (
    rb"\x7e(?:\Z|[\xa0-\xaf])"
    rb"|\x68(?:\Z|(?P<length>.)(?:\Z|(?P=length)(?:\Z|\x68(?:\Z|[\x43\x53\x63\x73\x08\x18\x28\x38]))))"
    rb"|\x00(?:\Z|\x01(?:\Z|\x00(?:\Z|[^\x00](?:\Z|\x00(?:\Z|[^\x00](?:\Z"
    rb"|[\x00-\x20](?:\Z|.(?:\Z|[\x01-\xe0]))))))))"
)
_BEGIN: Final = re.compile(_FRAMED, re.DOTALL)
#: The same until the first frame has arrived: messages may have none.
_BEGIN_OR_UNFRAMED: Final = re.compile(_FRAMED + b"|" + UNFRAMED, re.DOTALL)
#: Tags with which a message may begin.
_TAGS: Final = frozenset(
    {
        tags.INITIATE_REQUEST,
        tags.INITIATE_RESPONSE,
        tags.CONFIRMED_SERVICE_ERROR,
        tags.DATA_NOTIFICATION,
        tags.GLO_INITIATE_REQUEST,
        tags.GLO_INITIATE_RESPONSE,
        *range(tags.AARQ, tags.RLRE + 1),
        *range(tags.GET_REQUEST, tags.GENERAL_BLOCK_TRANSFER + 1),
    }
)
#: Control fields of frames that open and close connections; their information is no message.
_UNNUMBERED: Final = frozenset({hdlc.SNRM, hdlc.UA, hdlc.DISC, hdlc.DM, hdlc.FRMR})
#: Bytes that are scanned in one slice, and beginnings of frames that are tried in one slice.
_SCANNED: Final = 4096
_TRIES: Final = 64
#: The highest wrapper port, of a client or a logical device.
_PORT_MAX: Final = 0xFF


class Assembler:
    """Finds messages in a stream; invalid input never raises.

    The messages do not depend on how the stream is split into chunks: their ends are found by
    lengths, never by pauses.
    """

    def __init__(self) -> None:
        """Start before the first byte."""
        self._damaged = 0
        #: Valid frames without a message.
        self.empty = 0
        self._segments = Segments()
        self._mbus_frames = MbusFrames()
        self._blocks = Blocks()
        self._begin()

    @property
    def damaged(self) -> int:
        """Frames and messages that were invalid or cut off."""
        parts = self._segments.damaged + self._mbus_frames.damaged + self._blocks.damaged
        return self._damaged + parts

    def _begin(self) -> None:
        self._damaged_before = self.damaged
        self._buffer = bytearray()
        #: The whole stream until the first frame: it may be a message without any frame.
        self._head: bytearray | None = bytearray()
        #: Whether frames have arrived, so that messages without a checksum are not accepted.
        self._is_framed = False
        for parts in (self._segments, self._mbus_frames, self._blocks):
            parts.clear()

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Add the next bytes; yield the messages that end in them.

        None marks the end of a time slice: many beginnings of frames were invalid.
        """
        if self._head is not None:
            self._head += data[: LIMIT + 1 - len(self._head)]
        self._buffer += data
        yield from self._advance(is_end=False)

    def finish(self) -> Iterator[bytes | None]:
        """End the stream; yield the message that has no frame at all. Another stream may follow."""
        yield from self._advance(is_end=True)
        for parts in (self._segments, self._mbus_frames, self._blocks):
            parts.finish()
        head = self._head if self.damaged == self._damaged_before else None
        self._begin()
        if head:
            yield from self._unframed(bytes(head))

    def _unframed(self, data: bytes) -> Iterator[bytes]:
        data = data[len(LLC_RESPONSE) :] if data.startswith(LLC) else data
        if len(data) > LIMIT or not data:
            self._damaged += 1
        elif data[0] in _TAGS:
            yield from self._messages(data)
            self._blocks.finish()
        elif _is_data(data):
            self.empty += 1
        else:
            self._damaged += 1

    def _advance(self, *, is_end: bool) -> Iterator[bytes | None]:
        buffer = self._buffer
        position = tries = 0
        try:
            while position < len(buffer):
                begin = _BEGIN if self._is_framed else _BEGIN_OR_UNFRAMED
                match = begin.search(buffer, position, position + _SCANNED)
                end = min(position + _SCANNED, len(buffer))
                position = match.start() if match else end
                if match is None or not begin.match(buffer, position):
                    # Or the match ends only because the slice does.
                    position += match is not None
                    if end < len(buffer):
                        yield None
                    continue
                start = position
                tries += 1
                if tries % _TRIES == 0:
                    yield None
                try:
                    found = self._frame(start)
                except TelegramError as err:
                    self._is_framed = self._is_framed or isinstance(err, CutFrameError)
                    self._damaged += self._is_begun(start)
                    position = start + 1
                    continue
                if found is not None:
                    messages, position = found
                    self._head = None
                    yield from messages
                elif is_end:
                    # The bytes of an unfinished frame may contain a whole one.
                    self._damaged += self._is_begun(start)
                    position = start + 1
                else:
                    break
        finally:
            # Also if the caller does not consume all messages.
            del buffer[:position]

    def _is_begun(self, start: int) -> bool:
        """Return whether an invalid frame has enough of a header to count as damaged."""
        buffer = self._buffer
        if buffer[start] == hdlc.FLAG:
            return len(buffer) > start + 2 and buffer[start + 1] & 0xF0 == 0xA0
        if buffer[start] == mbus.START:
            is_begun = len(buffer) > start + 6 and bool(is_header(buffer, start))
            self._is_framed = self._is_framed or is_begun
            return is_begun
        if buffer[start]:
            return len(buffer) > start + 4 and buffer[start] == tags.GENERAL_GLO_CIPHERING
        return len(buffer) >= start + HEADER_LENGTH + 1 and self._is_wrapper(start) is True

    def _is_wrapper(self, start: int) -> bool | None:
        header = self._buffer[start : start + HEADER_LENGTH + 1]
        ports = (int.from_bytes(header[place : place + 2]) for place in (2, 4))
        if len(header) >= 6 and not all(0 < port <= _PORT_MAX for port in ports):
            return False
        if len(header) >= HEADER_LENGTH and not 0 < int.from_bytes(header[6:8]) <= LIMIT:
            return False
        if len(header) <= HEADER_LENGTH:
            return None
        return header[HEADER_LENGTH] in _TAGS

    def _frame(self, start: int) -> tuple[Iterator[bytes], int] | None:
        """Return the messages of the frame at ``start``, and the position to go on at.

        None if more bytes are needed. Raises TelegramError.
        """
        buffer = self._buffer
        match buffer[start]:
            case hdlc.FLAG:
                if (found := frame_at(buffer, start)) is None:
                    return None
                self._is_framed = True
                return self._hdlc(found[0]), found[1]
            case mbus.START:
                is_mbus = is_header(buffer, start)
                if is_mbus is False:
                    raise TelegramError("not an M-Bus frame")
                if is_mbus is None or (read := mbus_frame_at(buffer, start)) is None:
                    return None
                self._is_framed = True
                return self._mbus(read[0]), read[1]
            case 0:
                return self._wrapper(start)
            case _:
                unframed = unframed_message_at(buffer, start, self._blocks.next)
                return unframed and (self._ciphered(unframed[0]), unframed[1])

    def _ciphered(self, message: bytes) -> Iterator[bytes]:
        """Yield a message without a frame, or the one that this block completes."""
        if message[0] == tags.GENERAL_BLOCK_TRANSFER:
            yield from self._block(message)
        else:
            yield message

    def _wrapper(self, start: int) -> tuple[Iterator[bytes], int] | None:
        is_wrapper = self._is_wrapper(start)
        if is_wrapper is False:
            raise TelegramError("not a wrapper header")
        if is_wrapper is None or (packet := packet_at(self._buffer, start)) is None:
            return None
        return self._message(packet[0].content), packet[1]

    def _hdlc(self, frame: Frame) -> Iterator[bytes]:
        if not frame.information or frame.control in _UNNUMBERED:
            self.empty += 1
        elif (message := self._segments.add(frame)) is not None:
            yield from self._messages(message)

    def _mbus(self, frame: MbusFrame) -> Iterator[bytes]:
        if (message := self._mbus_frames.add(frame)) is not None:
            yield from self._message(message)

    def _messages(self, data: bytes) -> Iterator[bytes]:
        for message in split_joined(data) if len(data) >= _SHORTEST else (data,):
            yield from self._message(message)

    def _message(self, message: bytes) -> Iterator[bytes]:
        if len(message) < _SHORTEST:
            self.empty += 1
        elif message[0] not in _TAGS:
            # Its beginning was lost.
            self._damaged += 1
        elif message[0] != tags.GENERAL_BLOCK_TRANSFER:
            yield message
        else:
            yield from self._block(message)

    def _block(self, message: bytes) -> Iterator[bytes]:
        if (content := self._blocks.add(message)) is not None:
            yield content


def _is_data(data: bytes) -> bool:
    """Return whether the bytes are exactly one encoded value."""
    try:
        return decode(data)[1] == len(data)
    except TelegramError:
        return False
