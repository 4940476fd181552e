"""HDLC frames of format type 3 (IEC 62056-46, 6.4; ISO/IEC 13239)."""

from collections.abc import Sequence
from typing import Final

from ...checksum import crc16_x25
from ...errors import TelegramError
from ...record import record

#: Byte at both ends of a frame.
FLAG: Final = 0x7E
#: Format type 3, in the upper four bits of the first byte.
_TYPE: Final = 0xA0
_TYPE_MASK: Final = 0xF0
_SEGMENTED: Final = 0x08
_LENGTH_MASK: Final = 0x7FF
#: Bytes of the longest frame with its flags, which bounds the buffer of a reader.
LIMIT: Final = _LENGTH_MASK + 2
#: Length of the shortest frame: format, two addresses of one byte, control and checksum.
_SHORTEST: Final = 7
_ADDRESS_LENGTHS: Final = (1, 2, 4)

#: Headers of the logical link control sublayer: of a command and of a response (5.3.2).
LLC_COMMAND: Final = b"\xe6\xe6\x00"
LLC_RESPONSE: Final = b"\xe6\xe7\x00"

#: Control fields (6.4.3), with the poll/final bit.
SNRM: Final = 0x93
UA: Final = 0x73
DISC: Final = 0x53
DM: Final = 0x1F
FRMR: Final = 0x97
#: Unnumbered information, which carries pushed messages; without the poll/final bit.
UI: Final = 0x13
POLL: Final = 0x10


class FrameError(TelegramError):
    """The bytes at this position are no valid frame."""


class CutFrameError(FrameError):
    """The header of a frame is valid, but the rest is not."""


@record
class Frame:
    """One frame."""

    #: Encoded addresses: 1, 2 or 4 bytes, of which only the last has its lowest bit set.
    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    #: Whether another frame of the same message follows.
    is_segmented: bool = False

    def to_bytes(self) -> bytes:
        """Encode the frame with its flags."""
        addressed = self.destination + self.source + bytes([self.control])
        length = 2 + len(addressed) + 2 + (len(self.information) + 2 if self.information else 0)
        first = _TYPE | (_SEGMENTED if self.is_segmented else 0) | length >> 8
        content = bytes([first, length & 0xFF]) + addressed
        content += crc16_x25(content).to_bytes(2, "little")
        if self.information:
            content += self.information
            content += crc16_x25(content).to_bytes(2, "little")
        return b"\x7e" + content + b"\x7e"


def client_address(client: int) -> bytes:
    """Encode the address of a client (SAP), 1 byte."""
    return bytes([client << 1 & 0xFE | 1])


def server_address(logical: int, physical: int | None = None, length: int | None = None) -> bytes:
    """Encode the address of a meter in ``length`` bytes: 1, 2, 4, or None for the fewest possible.

    An address of one byte has no physical device. Raises ValueError if a device does not fit.
    """
    if length is None:
        length = 1 if physical is None and logical < 0x80 else 2
        if max(logical, physical or 0) > 0x7F:
            length = 4
    match length:
        case 1 if logical < 0x80:
            return bytes([logical << 1 | 1])
        case 2 if max(logical, physical or 0) < 0x80:
            return bytes([logical << 1, (physical or 0) << 1 | 1])
        case 4 if max(logical, physical or 0) < 0x4000:
            physical = physical or 0
            upper = bytes([logical >> 7 << 1, logical << 1 & 0xFE])
            return upper + bytes([physical >> 7 << 1, physical << 1 & 0xFE | 1])
    raise ValueError(f"no HDLC address of {length} bytes")


def frame_at(data: bytes | bytearray, start: int) -> tuple[Frame, int] | None:
    """Decode the frame at its opening flag; return it with the position of its closing flag.

    The closing flag may also open the next frame. It is found by the length field, since flag bytes
    may occur in the content. Returns None if more bytes are needed. Raises FrameError.
    """
    size = len(data)
    if size < start + 3:
        if size > start + 1 and data[start + 1] & _TYPE_MASK != _TYPE:
            raise FrameError("not an HDLC frame of type 3")
        return None
    first = data[start + 1]
    length = (first << 8 | data[start + 2]) & _LENGTH_MASK
    if first & _TYPE_MASK != _TYPE or length < _SHORTEST:
        raise FrameError("not an HDLC frame of type 3")
    end = start + 1 + length
    destination_end = _address_end(data, start + 3, end)
    if destination_end is None:
        return None
    source_end = _address_end(data, destination_end, end)
    if source_end is None or size <= source_end:
        return None
    control = data[source_end]
    header_end = source_end + 1
    has_information = end > header_end + 2
    if has_information:
        if size < header_end + 2:
            return None
        _check(data, start + 1, header_end)
    if size <= end:
        return None
    error = CutFrameError if has_information else FrameError
    if data[end] != FLAG:
        raise error("no flag at the end of an HDLC frame")
    _check(data, start + 1, end - 2, error)
    information = bytes(data[header_end + 2 : end - 2]) if has_information else b""
    frame = Frame(
        bytes(data[start + 3 : destination_end]),
        bytes(data[destination_end:source_end]),
        control,
        information,
        bool(first & _SEGMENTED),
    )
    return frame, end


def _address_end(data: bytes | bytearray, start: int, limit: int) -> int | None:
    """Return the position behind an address; None if more bytes are needed."""
    for length in range(1, 5):
        place = start + length - 1
        if place >= limit - 2:
            break
        if place >= len(data):
            return None
        if data[place] & 1:
            if length not in _ADDRESS_LENGTHS:
                break
            return start + length
    raise FrameError("no address in an HDLC frame")


def _check(
    data: bytes | bytearray, start: int, end: int, error: type[FrameError] = FrameError
) -> None:
    """Check the checksum (HCS or FCS) at ``end``; raise ``error`` if it is wrong."""
    if crc16_x25(data[start:end]) != data[end] | data[end + 1] << 8:
        raise error("wrong checksum of an HDLC frame")


class FrameReader:
    """Finds frames in the bytes from a polled meter; invalid input never raises.

    The frames do not depend on how the stream is split into chunks.
    """

    def __init__(self) -> None:
        """Start before the first byte."""
        #: Invalid frames.
        self.damaged = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Sequence[Frame]:
        """Add the next bytes; return the frames that end in them."""
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        frames: list[Frame] = []
        start = buffer.find(FLAG)
        while start >= 0:
            # One flag may close the previous frame and another open this one.
            while start + 1 < size and buffer[start + 1] == FLAG:
                start += 1
            if start + 1 == size:
                break
            try:
                found = frame_at(buffer, start)
            except FrameError:
                # Only bytes that look like a header count, not fill bytes between frames.
                self.damaged += buffer[start + 1] & _TYPE_MASK == _TYPE
                start = buffer.find(FLAG, start + 1)
                continue
            if found is None:
                break
            frame, start = found
            frames.append(frame)
        del buffer[: len(buffer) if start < 0 else start]
        return frames

    def clear(self) -> None:
        """Discard the beginning of an unfinished frame."""
        self._buffer.clear()
