"""Encoding of the Smart Message Language (SML 1.04; BSI TR-03109-1 Anlage).

Functions take elements that are already encoded, so that a test can put anything anywhere, also
what no real meter sends. Only OBIS codes and octet strings are raw bytes. ``encode_telegram``
encodes the usual telegram.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Literal

type Crc = Literal["x25", "kermit"]

#: An omitted optional element.
SKIPPED: Final = b"\x01"
#: The end of a message.
END: Final = b"\x00"

ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
START: Final = ESCAPE + b"\x01\x01\x01\x01"

OPEN_RESPONSE: Final = 0x0101
CLOSE_RESPONSE: Final = 0x0201
GET_PROC_PARAMETER_RESPONSE: Final = 0x0501
GET_LIST_RESPONSE: Final = 0x0701
ATTENTION_RESPONSE: Final = 0xFF01

_NIBBLE_BITS: Final = 4
_NIBBLE_MAX: Final = 0xF
_MORE: Final = 0x80


class Kind(IntEnum):
    """The type in a type-length field."""

    OCTETS = 0
    BOOLEAN = 4
    INTEGER = 5
    UNSIGNED = 6
    LIST = 7


# --- basic elements ---------------------------------------------------------------------------


def tl(kind: Kind, length: int, width: int | None = None) -> bytes:
    """Encode a type-length field.

    ``length`` is the number of elements of a list, or of bytes after the field. ``width`` is the
    size of the field in bytes; None is the smallest.
    """
    if width is None:
        width = 1
        while _announced(kind, length, width) >> (_NIBBLE_BITS * width):
            width += 1
    announced = _announced(kind, length, width)
    if announced >> (_NIBBLE_BITS * width):
        message = f"length {announced} does not fit into a type-length field of {width} bytes"
        raise ValueError(message)
    nibbles = [
        announced >> (_NIBBLE_BITS * place) & _NIBBLE_MAX for place in reversed(range(width))
    ]
    nibbles[0] |= kind << _NIBBLE_BITS
    return bytes([nibble | _MORE for nibble in nibbles[:-1]] + nibbles[-1:])


def _announced(kind: Kind, length: int, width: int) -> int:
    return length if kind is Kind.LIST else length + width


def octets(content: bytes, width: int | None = None) -> bytes:
    """Encode an octet string; ``width`` is that of its type-length field."""
    return tl(Kind.OCTETS, len(content), width) + content


def integer(value: int, width: int | None = None, *, tl_width: int | None = None) -> bytes:
    """Encode a signed integer in ``width`` bytes, or in the smallest of 1, 2, 4, 8."""
    return _number(Kind.INTEGER, value, width, tl_width)


def unsigned(value: int, width: int | None = None, *, tl_width: int | None = None) -> bytes:
    """Encode an unsigned integer in ``width`` bytes, or in the smallest of 1, 2, 4, 8."""
    return _number(Kind.UNSIGNED, value, width, tl_width)


def _number(kind: Kind, value: int, width: int | None, tl_width: int | None) -> bytes:
    signed = kind is Kind.INTEGER
    if width is None:
        bits = (value if value >= 0 else ~value).bit_length() + signed
        width = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    return tl(kind, width, tl_width) + value.to_bytes(width, signed=signed)


def boolean(value: int) -> bytes:
    """Encode a Boolean; any value other than 0 is true."""
    return tl(Kind.BOOLEAN, 1) + bytes([value])


def sequence(items: Iterable[bytes], width: int | None = None) -> bytes:
    """Encode a list of encoded elements; ``width`` is that of its type-length field."""
    elements = list(items)
    return tl(Kind.LIST, len(elements), width) + b"".join(elements)


# --- times (choice SML_Time); some meters send just ``unsigned(n, 4)`` instead --------------------


def time_index(seconds: int) -> bytes:
    """Encode a time in seconds of operation (secIndex)."""
    return sequence([unsigned(1, 1), unsigned(seconds, 4)])


def timestamp(seconds: int) -> bytes:
    """Encode a time in seconds since 1970, UTC."""
    return sequence([unsigned(2, 1), unsigned(seconds, 4)])


def local_timestamp(seconds: int, offset: int, season: int) -> bytes:
    """Encode a time in seconds since 1970 with the minutes to add for zone and summer time."""
    return sequence(
        [
            unsigned(3, 1),
            sequence([unsigned(seconds, 4), integer(offset, 2), integer(season, 2)]),
        ]
    )


# --- message bodies ------------------------------------------------------------------------------


def entry(
    obis: bytes,
    value: bytes,
    *,
    status: bytes = SKIPPED,
    time: bytes = SKIPPED,
    unit: bytes = SKIPPED,
    scaler: bytes = SKIPPED,
    signature: bytes = SKIPPED,
) -> bytes:
    """Encode one register; ``obis`` is raw, six bytes, all else is encoded."""
    return sequence([octets(obis), status, time, unit, scaler, value, signature])


def get_list_response(
    server_id: bytes,
    entries: Iterable[bytes],
    *,
    client_id: bytes = SKIPPED,
    list_name: bytes = SKIPPED,
    sensor_time: bytes = SKIPPED,
    signature: bytes = SKIPPED,
    gateway_time: bytes = SKIPPED,
    width: int | None = None,
) -> bytes:
    """Encode the body GetList.Res; ``width`` is that of the type-length field of its entries."""
    values = sequence(entries, width)
    return sequence([client_id, server_id, list_name, sensor_time, values, signature, gateway_time])


def open_response(
    server_id: bytes,
    *,
    codepage: bytes = SKIPPED,
    client_id: bytes = SKIPPED,
    request_file_id: bytes = b"\x05\x00\x00\x00\x01",
    reference_time: bytes = SKIPPED,
    version: bytes = SKIPPED,
) -> bytes:
    """Encode the body PublicOpen.Res, the first of a file."""
    return sequence([codepage, client_id, request_file_id, server_id, reference_time, version])


def close_response(signature: bytes = SKIPPED) -> bytes:
    """Encode the body PublicClose.Res, the last of a file."""
    return sequence([signature])


def attention_response(
    server_id: bytes, number: bytes, *, text: bytes = SKIPPED, details: bytes = SKIPPED
) -> bytes:
    """Encode the body Attention.Res, which refuses a request."""
    return sequence([server_id, number, text, details])


def get_proc_parameter_response(server_id: bytes, path: Iterable[bytes], tree: bytes) -> bytes:
    """Encode the body GetProcParameter.Res: the requested path and the tree at it."""
    return sequence([server_id, sequence(path), tree])


def tree(name: bytes, *, value: bytes = SKIPPED, children: Iterable[bytes] = ()) -> bytes:
    """Encode an SML_Tree: a name, a parameter value and child trees."""
    below = list(children)
    return sequence([octets(name), value, sequence(below) if below else SKIPPED])


# --- messages and transport ----------------------------------------------------------------------


def message(
    body_tag: int,
    body: bytes,
    *,
    transaction_id: bytes = b"\x05\x00\x00\x00\x01",
    group: int = 0,
    abort: int = 0,
    tag_width: int = 4,
    crc: Crc = "x25",
    crc_width: int = 2,
) -> bytes:
    """Encode a message with its checksum.

    Some meters send a ``crc_width`` of 1 when the first byte of the checksum is zero. ValueError
    if it is not zero; another transaction id changes the checksum.
    """
    tagged = sequence([unsigned(body_tag, tag_width), body])
    head = tl(Kind.LIST, 6) + transaction_id + unsigned(group, 1) + unsigned(abort, 1) + tagged
    value = int.from_bytes(checksum(head, crc))
    if value >> (8 * crc_width):
        problem = f"checksum {value:04x} does not fit into {crc_width} byte"
        raise ValueError(problem)
    return head + unsigned(value, crc_width) + END


def transport(body: bytes, *, crc: Crc = "x25") -> bytes:
    """Encode the transport protocol, version 1: escapes, padding, checksum."""
    padding = -len(body) % 4
    framed = START + body.replace(ESCAPE, ESCAPE + ESCAPE) + bytes(padding)
    framed += ESCAPE + bytes([0x1A, padding])
    return framed + checksum(framed, crc)


def encode_telegram(
    server_id: bytes,
    entries: Iterable[bytes],
    *,
    transaction: int = 1,
    sensor_time: bytes = SKIPPED,
    list_name: bytes = SKIPPED,
    crc: Crc = "x25",
) -> bytes:
    """Encode the telegram that a meter pushes: open, one list of registers, close.

    ``server_id`` is encoded; the three messages are numbered from ``transaction`` on.
    """
    bodies = (
        (OPEN_RESPONSE, open_response(server_id)),
        (
            GET_LIST_RESPONSE,
            get_list_response(server_id, entries, list_name=list_name, sensor_time=sensor_time),
        ),
        (CLOSE_RESPONSE, close_response()),
    )
    return transport(
        b"".join(
            message(tag, body, transaction_id=octets((transaction + n).to_bytes(4)), crc=crc)
            for n, (tag, body) in enumerate(bodies)
        ),
        crc=crc,
    )


def checksum(data: bytes, crc: Crc = "x25") -> bytes:
    """Return the two bytes of a checksum in their order on the line.

    Both are reflected CRC-16 of the polynomial 0x1021. X-25 starts at 0xFFFF, is inverted, and
    goes low byte first; Kermit starts at 0, is not inverted, and goes high byte first.
    """
    x25 = crc == "x25"
    register = 0xFFFF if x25 else 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little") if x25 else register.to_bytes(2)
