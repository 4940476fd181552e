"""Encoding of IEC 62056-21: data sets, blocks with their check character, commands."""

from collections.abc import Iterable
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final

SOH: Final = b"\x01"
STX: Final = b"\x02"
ETX: Final = b"\x03"
EOT: Final = b"\x04"
ACK: Final = b"\x06"
NAK: Final = b"\x15"

#: Identification digits of speeds in modes C and E (clause 6.3.14).
SPEED_DIGITS: Final = {
    300: "0",
    600: "1",
    1200: "2",
    2400: "3",
    4800: "4",
    9600: "5",
    19_200: "6",
}
#: Identification letters of speeds in mode B.
SPEED_LETTERS: Final = {600: "A", 1200: "B", 2400: "C", 4800: "D", 9600: "E", 19_200: "F"}

_ODD: Final = [byte.bit_count() % 2 for byte in range(256)]
_WITH_EVEN_PARITY: Final = bytes(byte & 0x7F | _ODD[byte & 0x7F] << 7 for byte in range(256))
_WITHOUT_PARITY: Final = bytes(byte & 0x7F for byte in range(256))
_OF_ODD_PARITY: Final = bytes(byte for byte in range(256) if _ODD[byte])


class Checksum(StrEnum):
    """How a block is protected."""

    #: STX, ETX, and the longitudinal parity of the bytes after STX up to ETX (ISO 1155).
    XOR = "xor"
    #: Likewise, but with the sum of the characters modulo 128.
    SUM = "sum"
    #: CRC-16 after the "!", as at P1 ports.
    CRC16 = "crc16"
    #: Neither STX nor ETX nor check character.
    NONE = "none"


def block_check(data: bytes, checksum: Checksum) -> bytes:
    """Return the check character of the bytes after STX or SOH up to ETX or EOT."""
    total = sum(data) if checksum is Checksum.SUM else reduce(xor, data, 0)
    return bytes([total & 0x7F])


def data_block(lines: str, checksum: Checksum) -> bytes:
    """Encode a readout; each of its lines ends with CR LF."""
    return frame_readout(lines.encode("ascii") + b"!\r\n", checksum)


def data_blocks(lines: str, size: int, checksum: Checksum) -> bytes:
    """Encode a readout in several blocks of ``size`` lines, the last one with "!"."""
    ended = [f"{line}\r\n" for line in lines.split("\r\n") if line] + ["!\r\n"]
    blocks = ["".join(ended[at : at + size]) for at in range(0, len(ended), size)]
    return b"".join(frame_readout(block.encode("ascii"), checksum) for block in blocks)


def frame_readout(body: bytes, checksum: Checksum) -> bytes:
    """Frame a readout that ends with "!" CR LF."""
    if checksum is Checksum.NONE or checksum is Checksum.CRC16:
        return body
    return STX + body + ETX + block_check(body + ETX, checksum)


def answer(data: str, checksum: Checksum, *, last: bool = True) -> bytes:
    """Encode a meter's answer to a command; after a partial block another one follows."""
    body = data.encode("ascii") + (ETX if last else EOT)
    return STX + body + block_check(body, checksum)


def command(name: str, data: str | None, checksum: Checksum) -> bytes:
    """Encode a command, such as P0 with a seed in brackets, or B0 without data."""
    body = name.encode("ascii") + (b"" if data is None else STX + data.encode("ascii")) + ETX
    return SOH + body + block_check(body, checksum)


def p1_crc(telegram: bytes) -> bytes:
    """Return the CRC-16 (ARC) of a telegram from "/" to "!" as four hexadecimal digits, CR LF."""
    crc = 0
    for byte in telegram:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return f"{crc:04X}\r\n".encode()


def data_set(address: str, values: Iterable[str]) -> str:
    """Encode a data set: the address, and each value in brackets."""
    return address + "".join(f"({value})" for value in values)


def with_even_parity(data: bytes) -> bytes:
    """Add an even parity bit to seven-bit characters, so that 8N1 becomes 7E1."""
    return data.translate(_WITH_EVEN_PARITY)


def with_odd_parity(data: bytes) -> bytes:
    """Add an odd parity bit to seven-bit characters, so that 8N1 becomes 7O1."""
    return bytes(byte ^ 0x80 for byte in with_even_parity(data))


def without_parity(data: bytes, *, strict: bool = False) -> bytes:
    """Remove the parity bit of each character; ``strict`` drops characters of odd parity."""
    return data.translate(_WITHOUT_PARITY, _OF_ODD_PARITY if strict else b"")
