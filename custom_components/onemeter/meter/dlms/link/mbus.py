"""Wired M-Bus: the long frames in which some meters push (EN 13757-2, 5.3; EN 13757-3, 5.4)."""

from dataclasses import dataclass
from typing import Final

from ...errors import TelegramError

START: Final = 0x68
STOP: Final = 0x16
#: The most bytes that a frame has, with one that leaves 256 out of its length.
LIMIT: Final = 6 + 0x1FF

#: SND-UD and RSP-UD, whatever their bits for frame count, access demand and flow control are.
_USER_DATA: Final = frozenset({0x43, 0x08})
_BITS: Final = 0x30
#: The transport layer of DLMS: number of the frame, and whether it is the last.
_TRANSPORT_MAX: Final = 0x1F
_LAST: Final = 0x10
#: Numbers of frames begin again behind 15.
NUMBERS: Final = 16
#: Control, address, control information, and the transport's source and destination.
_SHORTEST: Final = 5
#: A length that does not fit into its byte is sent without its ninth bit.
_NINTH_BIT: Final = 0x100


@dataclass(frozen=True, slots=True)
class MbusFrame:
    """A part of a message."""

    #: Counts from 0 within a message, modulo 16.
    number: int
    is_last: bool
    content: bytes


def is_header(data: bytes | bytearray, start: int) -> bool | None:
    """Tell whether a long frame that carries DLMS begins at a place; None: more bytes needed."""
    header = data[start : start + 7]
    size = len(header)
    return (
        (size < 2 or header[0] == START)
        and (size < 3 or header[1] == header[2])
        and (size < 4 or header[3] == START)
        and (size < 5 or header[4] & ~_BITS in _USER_DATA)
        and (size < 7 or header[6] <= _TRANSPORT_MAX)
        and (size == 7 or None)
    )


def mbus_frame_at(data: bytes | bytearray, start: int) -> tuple[MbusFrame, int] | None:
    """Read the frame whose header begins at a place; return it, and where it ends.

    Returns None if more bytes are needed. Some meters let a length overflow, so that 1 stands for
    257. Raises TelegramError.
    """
    for length in (data[start + 1], data[start + 1] | _NINTH_BIT):
        if length < _SHORTEST:
            continue
        end = start + length + 6
        if len(data) < end:
            return None
        content = data[start + 4 : end - 2]
        if data[end - 1] == STOP and sum(content) & 0xFF == data[end - 2]:
            control = content[2]
            number = control & ~_LAST
            return MbusFrame(number, bool(control & _LAST), bytes(content[5:])), end
    raise TelegramError("wrong checksum of an M-Bus frame")
