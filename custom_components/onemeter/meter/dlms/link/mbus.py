"""Long frames of wired M-Bus, in which some meters push (EN 13757-2, 5.3; EN 13757-3, 5.4)."""

from dataclasses import dataclass
from typing import Final

from ...errors import TelegramError

#: Bytes at the beginning and at the end of a long frame.
START: Final = 0x68
STOP: Final = 0x16
#: Bytes of the longest frame, including those whose length field has overflowed.
LIMIT: Final = 6 + 0x1FF

#: Control fields SND-UD and RSP-UD, without the bits for frame count, access demand, flow control.
_USER_DATA: Final = frozenset({0x43, 0x08})
_FLOW_BITS: Final = 0x30
#: Control information of DLMS: number of the frame in the lower four bits, and the last-frame bit.
_CONTROL_INFORMATION_MAX: Final = 0x1F
_LAST: Final = 0x10
#: Frame numbers are modulo 16.
NUMBERS: Final = 16
#: Length of control, address, control information, source and destination SAP.
_SHORTEST: Final = 5
#: Bit of a length above 255, which overflows its byte and is lost.
_NINTH_BIT: Final = 0x100


@dataclass(frozen=True, slots=True)
class MbusFrame:
    """One frame with a part of a message."""

    #: Counts from 0 within a message, modulo 16.
    number: int
    is_last: bool
    content: bytes


def is_header(data: bytes | bytearray, start: int) -> bool | None:
    """Return whether a long frame with DLMS begins at ``start``; None if more bytes are needed."""
    header = data[start : start + 7]
    size = len(header)
    return (
        (size < 2 or header[0] == START)
        and (size < 3 or header[1] == header[2])
        and (size < 4 or header[3] == START)
        and (size < 5 or header[4] & ~_FLOW_BITS in _USER_DATA)
        and (size < 7 or header[6] <= _CONTROL_INFORMATION_MAX)
        and (size == 7 or None)
    )


def mbus_frame_at(data: bytes | bytearray, start: int) -> tuple[MbusFrame, int] | None:
    """Decode the frame whose header begins at ``start``; return it and the position behind it.

    The length field of some meters overflows: 1 may stand for 257. Returns None if more bytes are
    needed. Raises TelegramError.
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
