"""A-XDR (IEC 61334-6) as used by COSEM: encoding of all data types, decoding of requests.

Encoders take elements that are already encoded, so that a test can put anything anywhere.
"""

from collections.abc import Iterable
from typing import Final

NULL: Final = b"\x00"

ARRAY: Final = 0x01
STRUCTURE: Final = 0x02
OCTETS: Final = 0x09
VISIBLE: Final = 0x0A
DATE_TIME: Final = 0x19

#: Numbers by their tags: size, whether signed.
_NUMBERS: Final = {
    0x03: (1, False),
    0x05: (4, True),
    0x06: (4, False),
    0x0F: (1, True),
    0x10: (2, True),
    0x11: (1, False),
    0x12: (2, False),
    0x14: (8, True),
    0x15: (8, False),
    0x16: (1, False),
}
_FIXED_STRINGS: Final = {DATE_TIME: 12, 0x1A: 5, 0x1B: 4}
_BITS: Final = 0x04
_SEQUENCES: Final = (ARRAY, STRUCTURE)
_STRINGS: Final = (OCTETS, VISIBLE, 0x0C)
_LONG: Final = 0x80

type Data = int | bytes | list[Data] | None


def length(number: int) -> bytes:
    """Encode a length: in one byte, or in a byte with the size of the following number."""
    if number < _LONG:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return bytes([_LONG | size]) + number.to_bytes(size)


def sized(content: bytes) -> bytes:
    """Encode bytes with their length before them."""
    return length(len(content)) + content


def array(items: Iterable[bytes]) -> bytes:
    """Encode an array of encoded elements."""
    return _sequence(ARRAY, items)


def structure(*items: bytes) -> bytes:
    """Encode a structure of encoded elements."""
    return _sequence(STRUCTURE, items)


def _sequence(tag: int, items: Iterable[bytes]) -> bytes:
    elements = list(items)
    return bytes([tag]) + length(len(elements)) + b"".join(elements)


def boolean(value: bool) -> bytes:  # noqa: FBT001  the value to encode
    """Encode a Boolean."""
    return bytes([0x03, value])


def bit_string(bits: str) -> bytes:
    """Encode a bit-string from the digits 0 and 1."""
    size = (len(bits) + 7) // 8
    return b"\x04" + length(len(bits)) + int(bits.ljust(8 * size, "0"), 2).to_bytes(size)


def i8(value: int) -> bytes:
    """Encode an integer."""
    return b"\x0f" + value.to_bytes(1, signed=True)


def i16(value: int) -> bytes:
    """Encode a long."""
    return b"\x10" + value.to_bytes(2, signed=True)


def i32(value: int) -> bytes:
    """Encode a double-long."""
    return b"\x05" + value.to_bytes(4, signed=True)


def i64(value: int) -> bytes:
    """Encode a long64."""
    return b"\x14" + value.to_bytes(8, signed=True)


def u8(value: int) -> bytes:
    """Encode an unsigned."""
    return b"\x11" + value.to_bytes(1)


def u16(value: int) -> bytes:
    """Encode a long-unsigned."""
    return b"\x12" + value.to_bytes(2)


def u32(value: int) -> bytes:
    """Encode a double-long-unsigned."""
    return b"\x06" + value.to_bytes(4)


def u64(value: int) -> bytes:
    """Encode a long64-unsigned."""
    return b"\x15" + value.to_bytes(8)


def enum(value: int) -> bytes:
    """Encode an enum."""
    return bytes([0x16, value])


def octets(content: bytes) -> bytes:
    """Encode an octet-string."""
    return bytes([OCTETS]) + sized(content)


def visible(text: str) -> bytes:
    """Encode a visible-string."""
    return bytes([VISIBLE]) + sized(text.encode("ascii"))


def date_time(content: bytes) -> bytes:
    """Encode a date-time (tag 25); most meters use an octet-string instead."""
    return bytes([DATE_TIME]) + content


class Reader:
    """Decodes what a client has sent, from its beginning on; ValueError if that is invalid."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self.data = data
        self.at = 0

    @property
    def rest(self) -> bytes:
        """The bytes that have not been read."""
        return self.data[self.at :]

    def take(self, size: int) -> bytes:
        """Read bytes."""
        if self.at + size > len(self.data):
            raise ValueError(f"{size} bytes expected at {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int = 1) -> int:
        """Read an unsigned number of this size in bytes."""
        return int.from_bytes(self.take(size))

    def length(self) -> int:
        """Read a length."""
        first = self.number()
        return first if first < _LONG else self.number(first & ~_LONG)

    def sized(self) -> bytes:
        """Read bytes after their length."""
        return self.take(self.length())

    def value(self) -> Data:
        """Read data of any type that clients send."""
        tag = self.number()
        if tag in _NUMBERS:
            size, signed = _NUMBERS[tag]
            return int.from_bytes(self.take(size), signed=signed)
        if tag in _FIXED_STRINGS:
            return self.take(_FIXED_STRINGS[tag])
        if tag in _SEQUENCES:
            return [self.value() for _ in range(self.length())]
        if tag in _STRINGS:
            return self.sized()
        if tag == _BITS:
            return self.take((self.length() + 7) // 8)
        if tag:
            raise ValueError(f"data of kind {tag:02x} at {self.at - 1}")
        return None
