"""Every construct of the Smart Message Language, as bytes (SML 1.04; BSI TR-03109-1 Anlage).

Elements are given encoded: what one function here returns is what the next one takes, so that a
test may put anything anywhere. Only OBIS codes and octet strings are given as they are. The
constructs that no sane meter sends are possible as well; for the usual telegram there is
``encode_telegram``.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Literal

type Crc = Literal["x25", "kermit"]

#: An optional element that is left out.
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
    """What a type-length field announces."""

    OCTETS = 0
    BOOLEAN = 4
    INTEGER = 5
    UNSIGNED = 6
    LIST = 7


# --- basic elements ---------------------------------------------------------------------------


def tl(kind: Kind, length: int, width: int | None = None) -> bytes:
    """Encode a type-length field.

    ``length`` counts the elements of a list, or the bytes that follow the field, to which the
    field adds its own. ``width`` is the field's size in bytes; None is the smallest.
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
    """Encode a signed integer in ``width`` bytes, or in the least of 1, 2, 4, 8 that will do."""
    return _number(Kind.INTEGER, value, width, tl_width)


def unsigned(value: int, width: int | None = None, *, tl_width: int | None = None) -> bytes:
    """Encode an unsigned integer in ``width`` bytes, or in the least of 1, 2, 4, 8 that will do."""
    return _number(Kind.UNSIGNED, value, width, tl_width)


def _number(kind: Kind, value: int, width: int | None, tl_width: int | None) -> bytes:
    signed = kind is Kind.INTEGER
    if width is None:
        bits = (value if value >= 0 else ~value).bit_length() + signed
        width = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    return tl(kind, width, tl_width) + value.to_bytes(width, signed=signed)


def boolean(value: int) -> bytes:
    """Encode a Boolean: one byte, 0 for false, any other for true."""
    return tl(Kind.BOOLEAN, 1) + bytes([value])


def sequence(items: Iterable[bytes], width: int | None = None) -> bytes:
    """Encode a list of encoded elements; ``width`` is that of its type-length field."""
    elements = list(items)
    return tl(Kind.LIST, len(elements), width) + b"".join(elements)


# --- times (choice SML_Time); the bare form some meters send is just ``unsigned(n, 4)`` ----------


def time_index(seconds: int) -> bytes:
    """Encode a time as seconds of operation (secIndex)."""
    return sequence([unsigned(1, 1), unsigned(seconds, 4)])


def timestamp(seconds: int) -> bytes:
    """Encode a time as seconds since 1970 in UTC."""
    return sequence([unsigned(2, 1), unsigned(seconds, 4)])


def local_timestamp(seconds: int, offset: int, season: int) -> bytes:
    """Encode seconds since 1970 with the minutes to add for the zone and for summer time."""
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
    """Encode one register: the six raw bytes of its OBIS code, all else encoded."""
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
    """Encode the body PublicOpen.Res, with which a file begins."""
    return sequence([codepage, client_id, request_file_id, server_id, reference_time, version])


def close_response(signature: bytes = SKIPPED) -> bytes:
    """Encode the body PublicClose.Res, with which a file ends."""
    return sequence([signature])


def attention_response(
    server_id: bytes, number: bytes, *, text: bytes = SKIPPED, details: bytes = SKIPPED
) -> bytes:
    """Encode the body Attention.Res, with which a meter refuses a request."""
    return sequence([server_id, number, text, details])


def get_proc_parameter_response(server_id: bytes, path: Iterable[bytes], tree: bytes) -> bytes:
    """Encode the body GetProcParameter.Res: the path asked for and the tree found there."""
    return sequence([server_id, sequence(path), tree])


def tree(name: bytes, *, value: bytes = SKIPPED, children: Iterable[bytes] = ()) -> bytes:
    """Encode an SML_Tree: a name, a parameter's value, further trees below it."""
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

    ``crc_width`` 1 is what some meters send when the checksum's first byte is zero; where it is
    not, ValueError is raised, and another transaction id helps.
    """
    tagged = sequence([unsigned(body_tag, tag_width), body])
    head = tl(Kind.LIST, 6) + transaction_id + unsigned(group, 1) + unsigned(abort, 1) + tagged
    value = int.from_bytes(checksum(head, crc))
    if value >> (8 * crc_width):
        problem = f"checksum {value:04x} does not fit into {crc_width} byte"
        raise ValueError(problem)
    return head + unsigned(value, crc_width) + END


def transport(body: bytes, *, crc: Crc = "x25") -> bytes:
    """Wrap messages into the transport protocol, version 1: escapes, padding, checksum."""
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

    ``server_id`` is encoded, like all else; ``transaction`` numbers the three messages.
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
    """Return the two bytes of a checksum in the order in which SML sends them.

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
