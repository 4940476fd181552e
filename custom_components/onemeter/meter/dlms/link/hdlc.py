"""HDLC: the frames that carry DLMS on serial lines (IEC 62056-46, 6.4; ISO/IEC 13239, type 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...checksum import crc16_x25
from ...errors import TelegramError

FLAG: Final = 0x7E
#: The format type, in the upper four bits of the first byte.
_TYPE: Final = 0xA0
_TYPE_MASK: Final = 0xF0
_SEGMENTED: Final = 0x08
_LENGTH_MASK: Final = 0x7FF
#: The longest frame with its flags, and so the most bytes that a reader keeps.
LIMIT: Final = _LENGTH_MASK + 2
#: Format, two addresses of one byte, control and checksum.
_SHORTEST: Final = 7
_ADDRESS_LENGTHS: Final = (1, 2, 4)

#: The logical link layer: before a command, and before a response (IEC 62056-46, 5.3.2).
LLC_COMMAND: Final = b"\xe6\xe6\x00"
LLC_RESPONSE: Final = b"\xe6\xe7\x00"

# Control fields (6.4.3), with the poll/final bit.
SNRM: Final = 0x93
UA: Final = 0x73
DISC: Final = 0x53
DM: Final = 0x1F
FRMR: Final = 0x97
#: Unnumbered information, which meters push; the poll bit may be missing.
UI: Final = 0x13
POLL: Final = 0x10


class FrameError(TelegramError):
    """What begins here is no frame in order."""


class CutFrameError(FrameError):
    """The header of a frame is in order, but not what follows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    #: Addresses as on the wire: 1, 2 or 4 bytes, the lowest bit set in the last one alone.
    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    #: Another frame of the same message follows.
    is_segmented: bool = False

    def to_bytes(self) -> bytes:
        """Return the frame between its flags."""
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
    """Return the address of a client (SAP) on the wire."""
    return bytes([client << 1 & 0xFE | 1])


def server_address(logical: int, physical: int | None = None, length: int | None = None) -> bytes:
    """Return the address of a meter on the wire, in 1, 2 or 4 bytes; None: as few as do.

    One byte has no place for a physical device. Raises ValueError for what does not fit.
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
    """Read the frame whose opening flag is at a place; return it, and where its closing flag is.

    That flag may open the next frame, too. The end is found by the length, since flags may come in
    all that is between. Returns None if more bytes are needed to tell. Raises FrameError.
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
    """Return where an address ends; None if more bytes are needed to tell."""
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
    """Compare the checksum (HCS, FCS) behind some bytes; raise FrameError."""
    if crc16_x25(data[start:end]) != data[end] | data[end + 1] << 8:
        raise error("wrong checksum of an HDLC frame")


class FrameReader:
    """Finds the frames in what comes from a meter that was asked; whatever comes, it never raises.

    However the stream is cut into chunks, the frames are the same.
    """

    def __init__(self) -> None:
        """Begin before the first byte."""
        #: Beginnings of a frame that were none in order.
        self.damaged = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Sequence[Frame]:
        """Take the next bytes; return the frames that end in them."""
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        frames: list[Frame] = []
        start = buffer.find(FLAG)
        while start >= 0:
            # The flag that closed the frame before, and the one that opens this one.
            while start + 1 < size and buffer[start + 1] == FLAG:
                start += 1
            if start + 1 == size:
                break
            try:
                found = frame_at(buffer, start)
            except FrameError:
                # Two flags in a row, or fill bytes between frames, are no damage.
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
        """Forget what has come of a frame that did not end."""
        self._buffer.clear()
