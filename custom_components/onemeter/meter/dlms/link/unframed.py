"""Ciphered messages without a frame around them, whole or in blocks."""

import re
from typing import Final

from ...errors import TelegramError
from ..apdu import block_transfer, tags
from ..apdu.lengths import decode_length
from ..security.ciphering import AUTHENTICATED, ENCRYPTED, HEADER_LENGTH, TITLE_LENGTH

#: Bytes of the longest message, which bounds all buffers.
LIMIT: Final = 8192
#: Their first bytes, of which the last ones may not have arrived: general-glo-ciphering with a
#: system title, which begins with the letters of a manufacturer; the first line of a readout; or a
#: block of general block transfer.
UNFRAMED: Final = (
    rb"\xdb(?:\Z|\x08(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z]))))"
    rb"|/(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[0-9]))))"
    rb"|\xe0(?:\Z|.(?:\Z|\x00(?:\Z|[\x01-\x7f](?:\Z|\x00(?:\Z|\x00)))))"
)
_FIRST_BLOCK: Final = 1
#: First byte of a readout.
_SLASH: Final = 0x2F
#: The plain first line of a readout, and the length of a ciphered message without tag and title.
_HEAD: Final = re.compile(rb"/[A-Z]{3}[0-9][ -~]{0,32}\r\n\r\n\x00")
_HEAD_START: Final = re.compile(
    rb"/[A-Z]{0,3}\Z|/[A-Z]{3}[0-9][ -~]{0,32}(?:\r(?:\n(?:\r\n?)?)?)?\Z"
)
#: Bits of the security control byte: suite, and those that no known meter sets: broadcast key,
#: compression.
_SUITE: Final = 0x0F
_SUITE_MAX: Final = 2
_UNUSED: Final = 0xC0


def unframed_message_at(
    data: bytes | bytearray, start: int, number: int
) -> tuple[bytes, int] | None:
    """Return the ciphered message, or its block, at ``start``, and the position behind it.

    A message behind the first line of a readout includes that line. A block must have this number,
    or be the first. Returns None if more bytes are needed. Raises TelegramError.
    """
    if data[start] == tags.GENERAL_BLOCK_TRANSFER:
        return _block_at(data, start, number)
    if data[start] == _SLASH:
        head = _HEAD.match(data, start)
        if head is None:
            if _HEAD_START.match(data, start):
                return None
            raise TelegramError("no ciphered message behind a head line")
        position = head.end()
    else:
        position = start + 2 + TITLE_LENGTH
        letters = data[start + 2 : start + 5]
        if not letters.isalpha() or not letters.isupper():
            if len(data) < start + 5:
                return None
            raise TelegramError("not a system title")
    try:
        length, size = decode_length(bytes(data[position : position + 5]), 0)
        position += size
        control = data[position]
    except IndexError:
        return None
    if (
        not HEADER_LENGTH <= length <= LIMIT
        or control & _UNUSED
        or control & _SUITE > _SUITE_MAX
        or not control & (AUTHENTICATED | ENCRYPTED)
    ):
        raise TelegramError("not a ciphered message")
    end = position + length
    return None if len(data) < end else (bytes(data[start:end]), end)


def _block_at(data: bytes | bytearray, start: int, number: int) -> tuple[bytes, int] | None:
    # Blocks of plain messages are not accepted: without a frame nothing detects damage.
    header = bytes(data[start : start + block_transfer.HEADER_LENGTH + 5])
    found = int.from_bytes(header[2:4])
    if len(header) > block_transfer.HEADER_LENGTH - 1 and found not in {number, _FIRST_BLOCK}:
        raise TelegramError("not the next block")
    try:
        length, size = decode_length(header, block_transfer.HEADER_LENGTH)
        first = data[start + size]
    except IndexError:
        return None
    if not 0 < length <= LIMIT or (
        found == _FIRST_BLOCK and first not in tags.ANY_GENERAL_CIPHERING
    ):
        raise TelegramError("not a block of a ciphered message")
    end = start + size + length
    return None if len(data) < end else (bytes(data[start:end]), end)


def split_head(message: bytes) -> tuple[bytes, bytes]:
    """Split a message into the first line of a readout, with its line ends, and protected content.

    Raises TelegramError.
    """
    head = _HEAD.match(message)
    if head is None:
        raise TelegramError("no ciphered message behind a head line")
    _, start = decode_length(message, head.end())
    return head[0][:-1], message[start:]
