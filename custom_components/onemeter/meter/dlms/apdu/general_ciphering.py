"""Ciphered messages with the system title of their sender (IEC 62056-5-3, 6.5)."""

from typing import Final, NamedTuple

from ...errors import TelegramError
from . import tags
from .lengths import decode_length

#: Octet strings in front of the key information of general-ciphering: transaction id, originator,
#: recipient, date-time, other information.
_FIELDS: Final = 5
#: Position of the originator's system title in them.
_ORIGINATOR: Final = 1


class GeneralCipheringMessage(NamedTuple):
    """The parts of a general-glo-ciphering, general-ded-ciphering or general-ciphering message."""

    #: System title of the sender; may be empty.
    title: bytes
    #: Fields of general-ciphering that are authenticated in addition; otherwise empty.
    header: bytes
    #: Security control, invocation counter, content, tag.
    protected: bytes
    #: Position behind the message.
    end: int


def parse_general_ciphering(message: bytes) -> GeneralCipheringMessage:
    """Split a message that begins with its tag; bytes may follow it. Raises TelegramError."""
    try:
        title, header, start = _head(message)
        size, position = decode_length(message, start)
    except IndexError:
        raise TelegramError("a ciphered message is cut off") from None
    end = position + size
    if end > len(message):
        raise TelegramError("a ciphered message is cut off")
    return GeneralCipheringMessage(title, header, message[position:end], end)


def _head(message: bytes) -> tuple[bytes, bytes, int]:
    """Return system title, additionally authenticated fields, and the position behind them."""
    is_long = message[0] == tags.GENERAL_CIPHERING
    position = 1
    fields: list[bytes] = []
    for _ in range(_FIELDS if is_long else 1):
        size, position = decode_length(message, position)
        fields.append(message[position : position + size])
        position += size
    if not is_long:
        return fields[0], b"", position
    return fields[_ORIGINATOR], message[1:position], _skip_key_info(message, position)


def _skip_key_info(message: bytes, position: int) -> int:
    """Return the position behind the optional key information.

    Raises TelegramError unless it names the global key of the meter: choice 0, identified-key.
    """
    if message[position] == 0:
        return position + 1
    if message[position + 1] != 0:
        raise TelegramError("a key that was wrapped or agreed on")
    return position + 3
