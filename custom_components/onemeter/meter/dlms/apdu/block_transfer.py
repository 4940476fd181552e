"""General block transfer in what a polled meter answers (IEC 62056-5-3, 7.3.13)."""

from collections.abc import Generator
from typing import Final

from ...errors import TelegramError
from .axdr import decode_length
from .xdlms import GENERAL_BLOCK_TRANSFER

_LAST: Final = 0x80
_STREAMING: Final = 0x40
#: Our own blocks are empty: the last one, and one of the meter's may follow.
_OURS: Final = _LAST | 1
_LONGEST: Final = 1 << 20
#: Blocks that bring nothing new, before it is too many of them.
_IDLE_MAX: Final = 32
_NUMBER_MAX: Final = 0xFFFF


def assemble(first: bytes) -> Generator[bytes, bytes, bytes]:
    """Return the message whose first block has come; yields and wants messages.

    An empty one asks for the next block without acknowledging the last.
    Raises TelegramError where a block is missing, and where it does not end.
    """
    content = bytearray()
    answer = first
    own = 0
    expected = 1
    idle = 0
    while True:
        control, number, block = _parse(answer)
        if number > expected:
            raise TelegramError("a block of a general block transfer is missing")
        idle += number < expected or not block
        if number == expected:
            content += block
            expected += 1
        if control & _LAST and number == expected - 1:
            return bytes(content)
        if len(content) > _LONGEST or idle > _IDLE_MAX or expected > _NUMBER_MAX:
            raise TelegramError("a general block transfer that does not end")
        if control & _STREAMING:
            answer = yield b""
            continue
        own += 1
        acknowledged = (expected - 1).to_bytes(2)
        answer = (
            yield bytes((GENERAL_BLOCK_TRANSFER, _OURS)) + own.to_bytes(2) + acknowledged + b"\0"
        )


def _parse(apdu: bytes) -> tuple[int, int, bytes]:
    """Return control, number and content of a block."""
    if len(apdu) < 7 or apdu[0] != GENERAL_BLOCK_TRANSFER:
        raise TelegramError("no block of a general block transfer")
    try:
        size, position = decode_length(apdu, 6)
    except IndexError:
        raise TelegramError("half a block") from None
    block = apdu[position : position + size]
    if len(block) < size:
        raise TelegramError("half a block")
    return apdu[1], int.from_bytes(apdu[2:4]), block
