"""Length fields of A-XDR and BER: one byte below 128, else the size of the length in front."""

from typing import Final

from ...errors import TelegramError

#: Bit of the first byte: the other bits are the size of the length that follows.
_LONG_FORM: Final = 0x80
#: Size of the longest length field that is read: no message has 4 GiB.
_SIZE_MAX: Final = 4


def decode_length(data: bytes, position: int) -> tuple[int, int]:
    """Return the length at ``position``, and the position behind its field.

    Raises IndexError at the end of the data, TelegramError for lengths beyond 32 bits.
    """
    first = data[position]
    position += 1
    if first < _LONG_FORM:
        return first, position
    size = first & ~_LONG_FORM
    if not 1 <= size <= _SIZE_MAX:
        raise TelegramError(f"length of {size} bytes at byte {position - 1}")
    end = position + size
    if end > len(data):
        raise IndexError
    return int.from_bytes(data[position:end]), end


def encode_length(length: int) -> bytes:
    """Return the field of a length, in its shortest form."""
    if length < _LONG_FORM:
        return bytes([length])
    size = (length.bit_length() + 7) // 8
    return bytes([_LONG_FORM | size]) + length.to_bytes(size)
