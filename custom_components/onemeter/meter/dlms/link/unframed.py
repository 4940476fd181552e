"""Ciphered messages that come without any frame, one after the other, whole or in blocks."""

import re
from typing import Final

from ...errors import TelegramError
from ..apdu.axdr import decode_length
from ..apdu.xdlms import GENERAL_BLOCK_TRANSFER, GENERAL_CIPHERED
from ..security.ciphering import AUTHENTICATED, ENCRYPTED, HEADER_LENGTH, TITLE_LENGTH

#: The most bytes of a message.
LIMIT: Final = 8192
#: How one begins: general-glo-ciphering with a system title, which begins with the letters of its
#: manufacturer, the head line of a readout, or a block of general block transfer.
BARE: Final = (
    rb"\xdb(?:\Z|\x08(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z]))))"
    rb"|/(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[0-9]))))"
    rb"|\xe0(?:\Z|.(?:\Z|\x00(?:\Z|[\x01-\x7f](?:\Z|\x00(?:\Z|\x00)))))"
)
_FIRST_BLOCK: Final = 1
#: Bytes of a block before its length.
_BLOCK_HEADER: Final = 6
_SLASH: Final = 0x2F
#: A head line in the clear, and behind it a ciphered message without tag and system title.
_HEAD: Final = re.compile(rb"/[A-Z]{3}[0-9][ -~]{0,32}\r\n\r\n\x00")
_HEAD_START: Final = re.compile(
    rb"/[A-Z]{0,3}\Z|/[A-Z]{3}[0-9][ -~]{0,32}(?:\r(?:\n(?:\r\n?)?)?)?\Z"
)
_SUITE: Final = 0x0F
_SUITE_MAX: Final = 2
#: Bits that no meter is known to set: broadcast key, compression.
_UNUSED: Final = 0xC0


def bare_message_at(data: bytes | bytearray, start: int, number: int) -> tuple[bytes, int] | None:
    """Read the ciphered message, or its block, that begins at a place; return it and where it ends.

    One behind the head line of a readout is returned with that. A block must have this number, or
    be the first. Returns None if more bytes are needed. Raises TelegramError.
    """
    if data[start] == GENERAL_BLOCK_TRANSFER:
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
    # Of a message that is not ciphered nothing would prove that it came undamaged.
    header = bytes(data[start : start + _BLOCK_HEADER + 5])
    found = int.from_bytes(header[2:4])
    if len(header) > _BLOCK_HEADER - 1 and found not in {number, _FIRST_BLOCK}:
        raise TelegramError("not the next block")
    try:
        length, size = decode_length(header, _BLOCK_HEADER)
        first = data[start + size]
    except IndexError:
        return None
    if not 0 < length <= LIMIT or (found == _FIRST_BLOCK and first not in GENERAL_CIPHERED):
        raise TelegramError("not a block of a ciphered message")
    end = start + size + length
    return None if len(data) < end else (bytes(data[start:end]), end)


def split_head(message: bytes) -> tuple[bytes, bytes]:
    """Return the head line that a message begins with, its line ends, and what is protected."""
    head = _HEAD.match(message)
    if head is None:
        raise TelegramError("no ciphered message behind a head line")
    _, start = decode_length(message, head.end())
    return head[0][:-1], message[start:]
