"""Messages out of a stream: whatever frames they come in, and however many (IEC 62056-46, -47)."""

from collections.abc import Iterator
import re
from typing import Final

from ...errors import TelegramError
from ..apdu.axdr import decode, decode_length
from ..apdu.xdlms import (
    DATA_NOTIFICATION,
    GENERAL_BLOCK_TRANSFER,
    GENERAL_CIPHERED,
    GENERAL_GLO,
)
from .hdlc import (
    DISC,
    DM,
    FLAG,
    FRMR,
    SNRM,
    UA,
    CutFrameError,
    Frame,
    frame_at,
)
from .joined import LLC, split_joined
from .mbus import NUMBERS, START, MbusFrame, is_header, mbus_frame_at
from .unframed import BARE, LIMIT, bare_message_at
from .wrapper import HEADER_LENGTH, packet_at

_LAST_BLOCK: Final = 0x80
#: No message is shorter: its tag, and two choices.
_SHORTEST: Final = 3

#: What a frame begins with, as far as it has come: a flag of HDLC, M-Bus, a wrapper.
_FRAMED: Final = (
    rb"\x7e(?:\Z|[\xa0-\xaf])"
    rb"|\x68(?:\Z|(?P<length>.)(?:\Z|(?P=length)(?:\Z|\x68(?:\Z|[\x43\x53\x63\x73\x08\x18\x28\x38]))))"
    rb"|\x00(?:\Z|\x01(?:\Z|\x00(?:\Z|[^\x00](?:\Z|\x00(?:\Z|[^\x00](?:\Z"
    rb"|[\x00-\x20](?:\Z|.(?:\Z|[\x01-\xe0]))))))))"
)
_BEGIN: Final = re.compile(_FRAMED, re.DOTALL)
#: As long as no frame has come, messages may do without.
_BEGIN_OR_BARE: Final = re.compile(_FRAMED + b"|" + BARE, re.DOTALL)
#: What messages begin with: IEC 62056-5-3, 9.5, and ACSE.
_TAGS: Final = frozenset(
    {0x01, 0x08, 0x0E, 0x0F, 0x21, 0x28, *range(0x60, 0x64), *range(0xC0, 0xE1)}
)
#: Those that are pushed.
_PUSHED: Final = GENERAL_CIPHERED | {DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER}
#: Control fields of frames that set up and take down connections, whose information is no message.
_UNNUMBERED: Final = frozenset({SNRM, UA, DISC, DM, FRMR})
#: Bytes that are scanned for beginnings of frames in one go, and beginnings that are looked at.
_SCANNED: Final = 4096
_TRIES: Final = 64
#: Ports of wrappers: client and logical device.
_PORT_MAX: Final = 0xFF


class Assembler:
    """Finds messages; whatever comes, it never raises.

    However the stream is cut into chunks, the messages are the same. Ends are found by lengths,
    never by a pause.
    """

    def __init__(self) -> None:
        """Begin before the first byte."""
        #: Frames and messages that were rejected or cut off.
        self.damaged = 0
        #: Frames in order without a message.
        self.empty = 0
        self._begin()

    def _begin(self) -> None:
        """Begin before the first byte of a stream."""
        self._damaged_before = self.damaged
        self._buffer = bytearray()
        #: All that has come, as long as no frame was in it.
        self._head: bytearray | None = bytearray()
        #: Whether frames come, so that nothing without a checksum is taken for a message.
        self._is_framed = False
        #: What has come of a message in segments of HDLC, in frames of M-Bus, in blocks.
        self._segments = bytearray()
        self._frames = bytearray()
        self._next_frame = 0
        self._blocks = bytearray()
        self._next_block = 1

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Take the next bytes; yield the messages that end in them.

        None is the end of a slice: much that has begun like a frame was none.
        """
        if self._head is not None:
            self._head += data[: LIMIT + 1 - len(self._head)]
        self._buffer += data
        yield from self._advance(is_end=False)

    def finish(self) -> Iterator[bytes | None]:
        """End the stream: yield what is a message without any frame. Another stream may follow."""
        yield from self._advance(is_end=True)
        self.damaged += bool(self._segments) + bool(self._frames) + bool(self._blocks)
        head = self._head if self.damaged == self._damaged_before else None
        self._begin()
        if head:
            yield from self._bare(bytes(head))

    def _bare(self, data: bytes) -> Iterator[bytes]:
        """Yield a message that came without a frame."""
        data = data[3:] if data.startswith(LLC) else data
        if len(data) > LIMIT or not data:
            self.damaged += 1
        elif data[0] in _TAGS:
            yield from self._messages(data)
            self.damaged += bool(self._blocks)
            self._blocks.clear()
            self._next_block = 1
        elif _is_data(data):
            self.empty += 1
        else:
            self.damaged += 1

    def _advance(self, *, is_end: bool) -> Iterator[bytes | None]:
        buffer = self._buffer
        position = tries = 0
        try:
            while position < len(buffer):
                begin = _BEGIN if self._is_framed else _BEGIN_OR_BARE
                match = begin.search(buffer, position, position + _SCANNED)
                end = min(position + _SCANNED, len(buffer))
                position = match.start() if match else end
                if match is None or not begin.match(buffer, position):
                    # It may also have been cut off by the end of the slice only.
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
                    self.damaged += self._is_begun(start)
                    position = start + 1
                    continue
                if found is not None:
                    messages, position = found
                    self._head = None
                    yield from messages
                elif is_end:
                    # What looks like a frame may only be the beginning of one.
                    self.damaged += self._is_begun(start)
                    position = start + 1
                else:
                    break
        finally:
            # Also where nobody wants the rest of the messages any more.
            del buffer[:position]

    def _is_begun(self, start: int) -> bool:
        """Tell whether what is no frame was more than a byte that frames begin with."""
        buffer = self._buffer
        if buffer[start] == FLAG:
            return len(buffer) > start + 2 and buffer[start + 1] & 0xF0 == 0xA0
        if buffer[start] == START:
            is_begun = len(buffer) > start + 6 and bool(is_header(buffer, start))
            self._is_framed = self._is_framed or is_begun
            return is_begun
        if buffer[start]:
            return len(buffer) > start + 4 and buffer[start] == GENERAL_GLO
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
        """Read the frame at a place; return its messages, and where to go on.

        None if more bytes are needed. Raises TelegramError.
        """
        buffer = self._buffer
        match buffer[start]:
            case 0x7E:
                if (found := frame_at(buffer, start)) is None:
                    return None
                self._is_framed = True
                return self._hdlc(found[0]), found[1]
            case 0x68:
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
                bare = bare_message_at(buffer, start, self._next_block)
                return bare and (self._ciphered(bare[0]), bare[1])

    def _ciphered(self, message: bytes) -> Iterator[bytes]:
        """Yield a message that came without a frame, or what ends with this block of it."""
        if message[0] == GENERAL_BLOCK_TRANSFER:
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
        information = frame.information
        if not information or frame.control in _UNNUMBERED:
            self.empty += 1
            return
        if information.startswith(LLC):
            # Some meters repeat it in each segment.
            information = information[3:]
            if self._segments and information[:1] and information[0] in _PUSHED:
                self._segments.clear()
                self.damaged += 1
        self._segments += information
        if len(self._segments) > LIMIT:
            self._segments.clear()
            self.damaged += 1
        elif not frame.is_segmented:
            message = bytes(self._segments)
            self._segments.clear()
            yield from self._messages(message)

    def _mbus(self, frame: MbusFrame) -> Iterator[bytes]:
        if frame.number == 0 and (self._next_frame == 0 or self._next_frame % NUMBERS):
            self.damaged += bool(self._frames)
            self._frames.clear()
            self._next_frame = 0
        if frame.number != self._next_frame % NUMBERS or len(self._frames) > LIMIT:
            self._frames.clear()
            self._next_frame = 0
            self.damaged += 1
            return
        self._frames += frame.content
        self._next_frame += 1
        if frame.is_last:
            message = bytes(self._frames)
            self._frames.clear()
            self._next_frame = 0
            yield from self._message(message)

    def _messages(self, data: bytes) -> Iterator[bytes]:
        for message in split_joined(data) if len(data) >= _SHORTEST else (data,):
            yield from self._message(message)

    def _message(self, message: bytes) -> Iterator[bytes]:
        if len(message) < _SHORTEST:
            self.empty += 1
        elif message[0] not in _TAGS:
            # Its beginning was lost.
            self.damaged += 1
        elif message[0] != GENERAL_BLOCK_TRANSFER:
            yield message
        else:
            yield from self._block(message)

    def _block(self, message: bytes) -> Iterator[bytes]:
        """Put the blocks of general block transfer together (IEC 62056-5-3, 6.4.4.9)."""
        try:
            control, number = message[1], int.from_bytes(message[2:4])
            length, start = decode_length(message, 6)
        except IndexError, TelegramError:
            length, start, control, number = -1, 0, 0, 0
        if number == 1:
            # Some meters begin anew, without having been damaged on the way.
            self._blocks.clear()
            self._next_block = 1
        if number != self._next_block or start + length != len(message):
            self._blocks.clear()
            self._next_block = 1
            self.damaged += 1
            return
        self._blocks += message[start:]
        self._next_block += 1
        if len(self._blocks) > LIMIT:
            self._blocks.clear()
            self.damaged += 1
        if control & _LAST_BLOCK:
            content = bytes(self._blocks)
            self._blocks.clear()
            self._next_block = 1
            if content:
                yield content


def _is_data(data: bytes) -> bool:
    """Tell whether bytes are one value and nothing else."""
    try:
        return decode(data)[1] == len(data)
    except TelegramError:
        return False
