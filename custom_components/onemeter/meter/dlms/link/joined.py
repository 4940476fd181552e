"""Several messages in place of one, without a frame between them."""

from collections.abc import Iterator
from typing import Final

from ...errors import TelegramError
from ..apdu import block_transfer, tags
from ..apdu.axdr import decode
from ..apdu.data_types import OCTET_STRING
from ..apdu.general_ciphering import parse_general_ciphering
from ..apdu.lengths import decode_length
from .hdlc import LLC_COMMAND, LLC_RESPONSE

#: Either LLC header, for startswith().
LLC: Final = (LLC_COMMAND, LLC_RESPONSE)
#: Position of the date-time (or its tag) in a notification.
_DATE: Final = 5


def split_joined(data: bytes) -> Iterator[bytes]:
    """Yield the messages in ``data``, which begins behind the first LLC header.

    Each further message has an LLC header of its own (IEC 62056-46, 5.3.2), as Landis+Gyr E450
    sends them, or is another block of a general block transfer.
    """
    while any(llc in data for llc in LLC) or data[0] == tags.GENERAL_BLOCK_TRANSFER:
        end = _end(data)
        rest = data[end:]
        if rest.startswith(LLC):
            rest = rest[len(LLC_RESPONSE) :]
        elif data[0] != tags.GENERAL_BLOCK_TRANSFER or rest[:1] != data[:1]:
            break
        yield data[:end]
        if not rest:
            return
        data = rest
    yield data


def _end(data: bytes) -> int:
    """Return the position behind the first message; the end of the data if it is unknown."""
    try:
        if data[0] == tags.GENERAL_BLOCK_TRANSFER:
            length, start = decode_length(data, block_transfer.HEADER_LENGTH)
            return start + length
        if data[0] == tags.DATA_NOTIFICATION:
            start = _DATE + (data[_DATE] == OCTET_STRING)
            return decode(data, start + 1 + data[start])[1]
        if data[0] in tags.ANY_GENERAL_CIPHERING:
            return parse_general_ciphering(data).end
    except IndexError, TelegramError:
        pass
    return len(data)
