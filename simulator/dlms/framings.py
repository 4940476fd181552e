"""Framings of pushed messages: one frame or several."""

from enum import StrEnum
from itertools import batched
from typing import Final

from . import axdr, hdlc
from .hdlc import Frame
from .wrapper import Message

_GENERAL_BLOCK_TRANSFER: Final = 0xE0
#: Block control: last block; streaming (blocks follow without requests).
_LAST_BLOCK: Final = 0x80
_STREAMING: Final = 0x40

_MBUS_START: Final = 0x68
_MBUS_STOP: Final = 0x16
#: Control field SND_UD, and the broadcast address.
_MBUS_HEAD: Final = bytes.fromhex("53ff")
_MBUS_LAST: Final = 0x10
#: Source and destination service access points.
_MBUS_SAPS: Final = bytes.fromhex("0167")
_MBUS_LONGEST: Final = 255
_MBUS_OVERLONG: Final = 257


class Framing(StrEnum):
    """What frames a message."""

    #: One frame of HDLC.
    HDLC = "hdlc"
    #: Several HDLC frames, all but the last with the segmentation bit.
    SEGMENTS = "segments"
    #: Several HDLC frames, each with a block (general block transfer).
    BLOCKS = "blocks"
    #: One or more long frames of wired M-Bus.
    MBUS = "mbus"
    #: ... the first one with 257 bytes, which do not fit its length byte.
    MBUS_257 = "mbus-257"
    #: The wrapper of TCP and UDP.
    WRAPPER = "wrapper"
    #: Nothing.
    BARE = "bare"


def frames(
    message: bytes,
    framing: Framing,
    *,
    destination: bytes = b"\x41",
    source: bytes = b"\x03",
    size: int = 120,
) -> list[bytes]:
    """Put a message into frames.

    ``destination`` and ``source`` are HDLC addresses, ``size`` is that of segments and blocks in
    bytes.
    """

    def information(content: bytes, *, segmented: bool = False) -> bytes:
        control = hdlc.UI | (0 if segmented else hdlc.POLL)
        return Frame(destination, source, control, content, segmented).to_bytes()

    match framing:
        case Framing.HDLC:
            return [information(hdlc.LLC_RESPONSE + message)]
        case Framing.SEGMENTS:
            segments = _pieces(hdlc.LLC_RESPONSE + message, size)
            return [
                information(segment, segmented=number < len(segments))
                for number, segment in enumerate(segments, 1)
            ]
        case Framing.BLOCKS:
            return [information(hdlc.LLC_RESPONSE + block) for block in blocks(message, size)]
        case Framing.MBUS | Framing.MBUS_257:
            return mbus(message, overlong=framing is Framing.MBUS_257)
        case Framing.WRAPPER:
            return [Message(1, 16, message).to_bytes()]
        case Framing.BARE:
            return [message]


def blocks(message: bytes, size: int) -> list[bytes]:
    """Split a message into blocks (clause 9.4.6.5)."""
    pieces = _pieces(message, size)
    return [
        bytes([_GENERAL_BLOCK_TRANSFER, _STREAMING | _LAST_BLOCK * (number == len(pieces))])
        + number.to_bytes(2)
        + bytes(2)
        + axdr.sized(piece)
        for number, piece in enumerate(pieces, 1)
    ]


def mbus(message: bytes, *, overlong: bool = False) -> list[bytes]:
    """Put a message into long frames (EN 13757-2), numbered from 0; the last one has a mark."""
    head = len(_MBUS_HEAD) + 1 + len(_MBUS_SAPS)
    longest = _MBUS_OVERLONG if overlong else _MBUS_LONGEST
    pieces = _pieces(message, longest - head)
    result = []
    for number, piece in enumerate(pieces):
        control = number & 0x0F | _MBUS_LAST * (number == len(pieces) - 1)
        content = _MBUS_HEAD + bytes([control]) + _MBUS_SAPS + piece
        length = len(content) & 0xFF
        start = bytes([_MBUS_START, length, length, _MBUS_START])
        result.append(start + content + bytes([sum(content) & 0xFF, _MBUS_STOP]))
    return result


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [bytes(piece) for piece in batched(data, size, strict=False)]
