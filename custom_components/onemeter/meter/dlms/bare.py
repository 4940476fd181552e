"""Ciphered messages that come without any frame, one after the other, at a P1 port."""

import re
from typing import Final

from ..errors import TelegramError
from .axdr import decode_length
from .security import AUTHENTICATED, ENCRYPTED, HEADER_LENGTH, TITLE_LENGTH

#: The most bytes of a message.
LIMIT: Final = 8192
#: How one begins: general-glo-ciphering with a system title, which begins with the letters of its
#: manufacturer, or the head line of a readout.
BARE: Final = (
    rb"\xdb(?:\Z|\x08(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z]))))"
    rb"|/(?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[A-Z](?:\Z|[0-9]))))"
)
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


def bare_message_at(data: bytes | bytearray, start: int) -> tuple[bytes, int] | None:
    """Read the ciphered message that begins at a place; return it, and where it ends.

    One behind the head line of a readout is returned with that. Returns None if more bytes are
    needed. Raises TelegramError.
    """
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


def split_head(message: bytes) -> tuple[bytes, bytes]:
    """Return the head line that a message begins with, its line ends, and what is protected."""
    head = _HEAD.match(message)
    if head is None:
        raise TelegramError("no ciphered message behind a head line")
    _, start = decode_length(message, head.end())
    return head[0][:-1], message[start:]
