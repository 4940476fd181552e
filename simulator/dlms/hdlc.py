"""HDLC frames of type 3 (IEC 62056-46): fields, checksums, delimiting."""

from dataclasses import dataclass
from typing import Final

FLAG: Final = 0x7E
#: LLC headers of requests and of responses.
LLC_COMMAND: Final = bytes.fromhex("e6e600")
LLC_RESPONSE: Final = bytes.fromhex("e6e700")

#: The poll/final bit of the control field.
POLL: Final = 0x10
#: Control fields without that bit.
SNRM: Final = 0x83
UA: Final = 0x63
DISC: Final = 0x43
DM: Final = 0x0F
FRMR: Final = 0x87
UI: Final = 0x03
#: Supervisory frames, without N(R).
RR: Final = 0x01
RNR: Final = 0x05
REJ: Final = 0x09

_TYPE_3: Final = 0xA000
_SEGMENTED: Final = 0x0800
_LENGTH: Final = 0x07FF
_LONGEST: Final = _LENGTH
_LAST: Final = 0x01
_ADDRESS_SIZES: Final = (1, 2, 4)


def _crc_table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)  # noqa: PLW2901  bit by bit
        table.append(crc)
    return table


_CRC: Final = _crc_table()


def checksum(data: bytes) -> bytes:
    """Return the two bytes of a checksum (CRC-16/X-25)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def server_address(logical: int, physical: int, size: int) -> bytes:
    """Encode a meter's address in 1 byte (the logical device only), 2 or 4."""
    match size:
        case 1:
            return bytes([logical << 1 | _LAST])
        case 2:
            return bytes([logical << 1, physical << 1 | _LAST])
        case 4:
            halves = (logical >> 7, logical & 0x7F, physical >> 7, physical & 0x7F)
            return bytes([part << 1 for part in halves[:3]] + [halves[3] << 1 | _LAST])
        case _:
            raise ValueError(f"addresses of {size} bytes do not exist")


def client_address(sap: int) -> bytes:
    """Encode a client's address."""
    return bytes([sap << 1 | _LAST])


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame between its flags."""

    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    segmented: bool = False

    def to_bytes(self) -> bytes:
        """Encode with both flags; the header has its own checksum if there is information."""
        head = self.destination + self.source + bytes([self.control])
        size = 2 + len(head) + 2 + (len(self.information) + 2 if self.information else 0)
        if size > _LONGEST:
            raise ValueError(f"{size} bytes do not fit into a frame")
        head = (_TYPE_3 | self.segmented * _SEGMENTED | size).to_bytes(2) + head
        head += checksum(head)
        if self.information:
            head += self.information
            head += checksum(head)
        return bytes([FLAG]) + head + bytes([FLAG])


class Deframer:
    """Extracts frames from a stream of bytes; damaged ones are skipped."""

    def __init__(self) -> None:
        """Start without bytes."""
        self._heard = bytearray()

    def forget(self) -> None:
        """Discard an incomplete frame."""
        self._heard.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that these bytes complete."""
        self._heard += data
        frames = []
        while (size := self._complete()) is not None:
            frame = parse(bytes(self._heard[1 : 1 + size])) if size else None
            if frame is None:
                del self._heard[0]
            else:
                frames.append(frame)
                # Its last flag may be the first one of the next frame.
                del self._heard[: 1 + size]
        return frames

    def _complete(self) -> int | None:
        """Return the size of a possible frame, 0 if none begins here, None if more is needed."""
        heard = self._heard
        place = heard.find(FLAG)
        del heard[: len(heard) if place < 0 else place]
        if len(heard) < 3:
            return None
        size = int.from_bytes(heard[1:3])
        if size & 0xF000 != _TYPE_3:
            return 0
        size &= _LENGTH
        if len(heard) < size + 2:
            return None
        return size if heard[size + 1] == FLAG else 0


def parse(data: bytes) -> Frame | None:
    """Parse the bytes between two flags; None if a checksum or a length is wrong."""
    kind = int.from_bytes(data[:2])
    if kind & 0xF000 != _TYPE_3 or kind & _LENGTH != len(data) or checksum(data[:-2]) != data[-2:]:
        return None
    at = 2
    addresses = []
    for _ in range(2):
        end = at
        while end < len(data) and not data[end] & _LAST:
            end += 1
        addresses.append(data[at : end + 1])
        at = end + 1
    if any(len(address) not in _ADDRESS_SIZES for address in addresses) or at + 3 > len(data):
        return None
    information = b""
    if at + 3 < len(data):
        if checksum(data[: at + 1]) != data[at + 1 : at + 3]:
            return None
        information = data[at + 3 : -2]
    return Frame(
        addresses[0], addresses[1], data[at], information, segmented=bool(kind & _SEGMENTED)
    )


def parse_parameters(information: bytes) -> dict[int, int]:
    """Parse the parameters of an SNRM frame by their numbers, 5 to 8; ValueError if invalid."""
    if not information:
        return {}
    if information[:2] != b"\x81\x80" or information[2] != len(information) - 3:
        raise ValueError(f"no parameters: {information.hex()}")
    parameters = {}
    at = 3
    while at < len(information):
        number, size = information[at : at + 2]
        parameters[number] = int.from_bytes(information[at + 2 : at + 2 + size])
        at += 2 + size
    return parameters


def encode_parameters(parameters: dict[int, int]) -> bytes:
    """Encode parameters: lengths in one byte or two, windows in four."""
    body = b""
    for number, value in parameters.items():
        size = 4 if number in (7, 8) else 1 + (value > 0xFF)
        body += bytes([number, size]) + value.to_bytes(size)
    return b"\x81\x80" + bytes([len(body)]) + body
