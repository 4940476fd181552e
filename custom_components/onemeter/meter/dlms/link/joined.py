"""Messages that stand one behind the other where there should be one."""

from collections.abc import Iterator
from typing import Final

from ...errors import TelegramError
from ..apdu.axdr import OCTET_STRING, decode, decode_length
from ..apdu.general_ciphering import parse_general
from ..apdu.xdlms import DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER, GENERAL_CIPHERED
from .hdlc import LLC_COMMAND, LLC_RESPONSE

LLC: Final = (LLC_COMMAND, LLC_RESPONSE)
#: Where the length of a block stands, and the date-time of a notification or its tag.
_BLOCK_LENGTH: Final = 6
_DATE: Final = 5


def split_joined(data: bytes) -> Iterator[bytes]:
    """Yield messages of which each but the first has its own LLC header (IEC 62056-46, 5.3.2).

    Landis+Gyr E450 does so. Blocks of general block transfer may do without the header.
    """
    while any(llc in data for llc in LLC) or data[0] == GENERAL_BLOCK_TRANSFER:
        end = _end(data)
        rest = data[end:]
        if rest.startswith(LLC):
            rest = rest[len(LLC_RESPONSE) :]
        elif data[0] != GENERAL_BLOCK_TRANSFER or rest[:1] != data[:1]:
            break
        yield data[:end]
        if not rest:
            return
        data = rest
    yield data


def _end(data: bytes) -> int:
    """Return where the first message ends, the end of all where that cannot be told."""
    try:
        if data[0] == GENERAL_BLOCK_TRANSFER:
            length, start = decode_length(data, _BLOCK_LENGTH)
            return start + length
        if data[0] == DATA_NOTIFICATION:
            start = _DATE + (data[_DATE] == OCTET_STRING)
            return decode(data, start + 1 + data[start])[1]
        if data[0] in GENERAL_CIPHERED:
            return parse_general(data).end
    except IndexError, TelegramError:
        pass
    return len(data)
