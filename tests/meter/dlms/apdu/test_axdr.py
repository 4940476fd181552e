"""A-XDR: every type, lengths, compact arrays, and invalid data."""

from decimal import Decimal
import struct
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.apdu import axdr, data_types, lengths
from custom_components.onemeter.meter.errors import TelegramError

INTEGERS = {
    "05": (4, True),
    "06": (4, False),
    "0f": (1, True),
    "10": (2, True),
    "11": (1, False),
    "12": (2, False),
    "14": (8, True),
    "15": (8, False),
    "1c": (1, True),
    "1d": (2, True),
    "1e": (4, True),
    "1f": (1, False),
    "20": (2, False),
    "21": (4, False),
}


@given(st.sampled_from(sorted(INTEGERS)), st.data())
def test_integers(tag: str, data: st.DataObject) -> None:
    size, signed = INTEGERS[tag]
    bits = 8 * size
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    number = data.draw(st.integers(least, most))
    sent = bytes.fromhex(tag) + number.to_bytes(size, signed=signed)
    assert axdr.decode(sent) == (number, 1 + size)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("00", None),
        ("ff", None),
        ("0300", False),
        ("0301", True),
        ("03ff", True),
        ("0d42", 42),
        ("0d4a", None),
        ("0da4", None),
        ("161e", 30),
        ("0900", b""),
        ("0903010203", b"\1\2\3"),
        ("098103010203", b"\1\2\3"),
        ("09820003010203", b"\1\2\3"),
        ("0a034b464d", "KFM"),
        ("0c03c3a478", "äx"),
        ("0a02ff41", b"\xffA"),
        ("0405a8", "10101"),
        ("04089f", "10011111"),
        ("0400", ""),
        ("1907e6021501112530ff800000", bytes.fromhex("07e6021501112530ff800000")),
        ("1a07e60215ff", bytes.fromhex("07e60215ff")),
        ("1b112530ff", bytes.fromhex("112530ff")),
        ("0100", []),
        ("0200", ()),
        ("02021101120002", (1, 2)),
        ("010211011102", [1, 2]),
        ("0202010111010200", ([1], ())),
    ],
)
def test_values(sent: str, value: object) -> None:
    octets = bytes.fromhex(sent)
    assert axdr.decode(octets) == (value, len(octets))
    assert type(axdr.decode(octets)[0]) is not float


def test_kinds_that_are_plain_values_otherwise() -> None:
    assert isinstance(axdr.decode(b"\x16\x1e")[0], data_types.Enumerated)
    assert isinstance(axdr.decode(b"\x1c\x1e")[0], data_types.Delta)
    assert isinstance(axdr.decode(b"\x04\x01\x80")[0], data_types.BitString)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_precision(number: float) -> None:
    content = struct.pack(">f", number)
    value, _ = axdr.decode(b"\x17" + content)
    assert isinstance(value, Decimal)
    assert struct.pack(">f", float(value)) == content
    assert len(value.as_tuple().digits) <= 9


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_double_precision(number: float) -> None:
    value, _ = axdr.decode(b"\x18" + struct.pack(">d", number))
    assert isinstance(value, Decimal)
    assert float(value) == number


@pytest.mark.parametrize("text", ["230.4", "0.1", "-0.001", "4408736"])
def test_what_was_meant(text: str) -> None:
    assert axdr.decode(b"\x17" + struct.pack(">f", float(text)))[0] == Decimal(text)
    assert axdr.decode(b"\x18" + struct.pack(">d", float(text)))[0] == Decimal(text)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_numbers(number: float) -> None:
    assert axdr.decode(b"\x17" + struct.pack(">f", number)) == (None, 5)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        # two bytes each
        ("13 12 04 0001 0002", [1, 2]),
        # structures of two
        ("13 02 02 12 0f 06 0001ff 000305", [(1, -1), (3, 5)]),
        # arrays of three
        ("13 01 0003 11 06 010203 040506", [[1, 2, 3], [4, 5, 6]]),
        # octet strings bear their lengths
        ("13 09 05 02 4142 01 43", [b"AB", b"C"]),
        # a structure with nothing in one place
        ("13 02 02 00 11 02 07 08", [(None, 7), (None, 8)]),
        ("13 11 00", []),
    ],
)
def test_compact_arrays(sent: str, value: object) -> None:
    octets = bytes.fromhex(sent)
    assert axdr.decode(octets) == (value, len(octets))


@pytest.mark.parametrize(
    "sent",
    [
        "07",  # no such type
        "0201",  # cut off
        "06000000",
        "090541",
        "09",
        "0984ffffffff",
        "0985ffffffffff",
        "017f",
        "01820fff00",
        "0409ff",
        "1307",
        "13120300010002",  # not a multiple
        "130003000000",  # elements without content
        "1301ffff000111",
        "13130100",
        "02" * 5,
        "0101" * 20 + "00",  # too deep
        "13" + "0201" * 20 + "110101",
    ],
)
def test_no_data(sent: str) -> None:
    with pytest.raises(TelegramError):
        axdr.decode(bytes.fromhex(sent))


VALUES: Any = st.recursive(
    st.integers(0, 0xFFFF).map(axdr.long_unsigned)
    | st.integers(0, 0xFFFF_FFFF).map(axdr.double_long_unsigned)
    | st.integers(-128, 127).map(axdr.integer)
    | st.binary(max_size=200).map(axdr.octet_string),
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda items: axdr.structure(*items))
        | st.lists(inner, max_size=5).map(lambda items: axdr.array(*items))
    ),
    max_leaves=20,
)


@given(VALUES, st.data())
def test_whatever_comes_is_a_value_or_our_error(sent: bytes, data: st.DataObject) -> None:
    value, end = axdr.decode(sent)
    assert end == len(sent)
    place = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(TelegramError):
        axdr.decode(sent[:place])
    damaged = bytearray(sent)
    damaged[place] = data.draw(st.integers(0, 255))
    try:
        _, end = axdr.decode(bytes(damaged))
    except TelegramError:
        return
    assert end <= len(damaged)
    assert axdr.decode(sent)[0] == value


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    try:
        _, end = axdr.decode(data)
    except TelegramError:
        return
    assert 0 < end <= len(data)


@given(st.integers(0, 0xFFFF_FFFF))
def test_lengths(length: int) -> None:
    sent = lengths.encode_length(length)
    assert lengths.decode_length(sent, 0) == (length, len(sent))
