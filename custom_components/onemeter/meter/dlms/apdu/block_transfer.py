"""General block transfer of the answers of a polled meter (IEC 62056-5-3, 7.3.13)."""

from collections.abc import Generator
from typing import Final

from ...errors import TelegramError
from . import tags
from .lengths import decode_length

#: Bytes in front of the length of a block: tag, control byte, number, acknowledged number.
HEADER_LENGTH: Final = 6
#: Bits of the control byte: the last block, and streaming (6.4.4.9).
LAST_BLOCK: Final = 0x80
_STREAMING: Final = 0x40
#: Control byte of our own blocks, which are empty: last block, window of one.
_OURS: Final = LAST_BLOCK | 1
#: Bytes of a message, for meters that never send a last block.
_LONGEST: Final = 1 << 20
#: Empty or repeated blocks, before the transfer counts as endless.
_IDLE_MAX: Final = 32
_NUMBER_MAX: Final = 0xFFFF


def assemble(first: bytes) -> Generator[bytes, bytes, bytes]:
    """Return the message that begins with the block ``first``.

    Yields acknowledgements and expects the next block to be sent; an empty acknowledgement means
    that nothing is to be sent, since the meter streams. Raises TelegramError if a block is missing
    or the transfer does not end.
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
        if control & LAST_BLOCK and number == expected - 1:
            return bytes(content)
        if len(content) > _LONGEST or idle > _IDLE_MAX or expected > _NUMBER_MAX:
            raise TelegramError("a general block transfer that does not end")
        if control & _STREAMING:
            answer = yield b""
            continue
        own += 1
        acknowledged = (expected - 1).to_bytes(2)
        answer = (
            yield bytes((tags.GENERAL_BLOCK_TRANSFER, _OURS))
            + own.to_bytes(2)
            + acknowledged
            + b"\0"
        )


def _parse(apdu: bytes) -> tuple[int, int, bytes]:
    """Return control byte, number and content of a block."""
    if len(apdu) <= HEADER_LENGTH or apdu[0] != tags.GENERAL_BLOCK_TRANSFER:
        raise TelegramError("no block of a general block transfer")
    try:
        size, position = decode_length(apdu, HEADER_LENGTH)
    except IndexError:
        raise TelegramError("half a block") from None
    block = apdu[position : position + size]
    if len(block) < size:
        raise TelegramError("half a block")
    return apdu[1], int.from_bytes(apdu[2:4]), block
