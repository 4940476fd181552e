"""Ciphered messages that tell who has sent them (IEC 62056-5-3, 6.5)."""

from typing import NamedTuple

from ...errors import TelegramError
from .axdr import decode_length
from .xdlms import GENERAL_CIPHERING

#: Before what is protected in general-ciphering: transaction id, originator, recipient, date-time,
#: other information.
_FIELDS = 5


class GeneralMessage(NamedTuple):
    """The parts of a message of general-glo-, general-ded- or general-ciphering."""

    #: System title of the sender; empty where it is left out.
    title: bytes
    #: What is authenticated besides.
    header: bytes
    #: Security control, invocation counter, content, tag.
    protected: bytes
    #: Where the message ends.
    end: int


def parse_general(message: bytes) -> GeneralMessage:
    """Take a message apart that begins with its tag. Raises TelegramError."""
    try:
        title, header, start = _head(message)
        size, position = decode_length(message, start)
    except IndexError:
        raise TelegramError("a ciphered message is cut off") from None
    end = position + size
    if end > len(message):
        raise TelegramError("a ciphered message is cut off")
    return GeneralMessage(title, header, message[position:end], end)


def _head(message: bytes) -> tuple[bytes, bytes, int]:
    """Return system title, what is authenticated besides, and where the rest begins."""
    is_long = message[0] == GENERAL_CIPHERING
    position = 1
    fields: list[bytes] = []
    for _ in range(_FIELDS if is_long else 1):
        size, position = decode_length(message, position)
        fields.append(message[position : position + size])
        position += size
    if not is_long:
        return fields[0], b"", position
    return fields[1], message[1:position], _skip_key_info(message, position)


def _skip_key_info(message: bytes, position: int) -> int:
    """Step over how the key is named, if it is the one that the meter was given."""
    if message[position] == 0:
        return position + 1
    if message[position + 1] != 0:
        raise TelegramError("a key that was wrapped or agreed on")
    return position + 3
