"""Packets of the wrapper, which carries DLMS over TCP and UDP (IEC 62056-47, 3.3.3)."""

from struct import Struct
from typing import Final

from ...errors import TelegramError
from ...record import record

#: Header: version 1, source and destination port, length.
_VERSION: Final = 1
_HEADER: Final = Struct(">4H")
HEADER_LENGTH: Final = 8
#: Bytes of the longest message: the length field has 16 bits.
LIMIT: Final = 0xFFFF


@record
class Packet:
    """One message with its wrapper ports."""

    #: Wrapper ports: the address of the client (SAP) or the logical device of the meter.
    source: int
    destination: int
    content: bytes

    def to_bytes(self) -> bytes:
        """Encode the packet."""
        header = _HEADER.pack(_VERSION, self.source, self.destination, len(self.content))
        return header + self.content


def packet_at(data: bytes | bytearray, start: int) -> tuple[Packet, int] | None:
    """Decode the packet whose header begins at ``start``; return it and the position behind it.

    Returns None if more bytes are needed. Raises TelegramError if there is no header.
    """
    content = start + HEADER_LENGTH
    if len(data) < content:
        if not _VERSION.to_bytes(2).startswith(bytes(data[start : start + 2])):
            raise TelegramError("not a wrapper header")
        return None
    version, source, destination, length = _HEADER.unpack_from(data, start)
    if version != _VERSION:
        raise TelegramError("not a wrapper header")
    end = content + length
    if len(data) < end:
        return None
    return Packet(source, destination, bytes(data[content:end])), end
