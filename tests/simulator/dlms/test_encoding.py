"""Encoding, checked against bytes from the standards or from their rules."""

from datetime import UTC, datetime

import pytest

from simulator.dlms import ClockStyle, axdr, hdlc, times
from simulator.dlms.hdlc import Deframer, Frame
from simulator.dlms.obis import logical_name, written
from simulator.dlms.wrapper import Message, Unwrapper

SNRM = bytes.fromhex("7ea0070321930f017e")


def test_numbers() -> None:
    assert axdr.u8(255).hex() == "11ff"
    assert axdr.u16(2312).hex() == "120908"
    assert axdr.u32(1).hex() == "0600000001"
    assert axdr.u64(1).hex() == "150000000000000001"
    assert axdr.i8(-1).hex() == "0fff"
    assert axdr.i16(-120).hex() == "10ff88"
    assert axdr.i32(-1).hex() == "05ffffffff"
    assert axdr.i64(-2).hex() == "14fffffffffffffffe"
    assert axdr.enum(30).hex() == "161e"
    assert axdr.boolean(value=True).hex() == "0301"


def test_strings_and_sequences() -> None:
    assert axdr.octets(b"\x01\x02").hex() == "09020102"
    assert axdr.visible("AB").hex() == "0a024142"
    assert axdr.bit_string("101").hex() == "0403a0"
    assert axdr.structure(axdr.NULL, axdr.u8(1)).hex() == "0202001101"
    assert axdr.array([axdr.u8(1)] * 130)[:3].hex() == "018182"
    assert axdr.octets(bytes(300))[:4].hex() == "0982012c"


def test_what_is_encoded_is_read_back() -> None:
    data = axdr.structure(
        *(axdr.NULL, axdr.i32(-5), axdr.octets(b"ab"), axdr.visible("c")),
        *(axdr.array([axdr.u16(7)]), axdr.date_time(bytes(12)), axdr.bit_string("1")),
    )
    assert axdr.Reader(data).value() == [None, -5, b"ab", b"c", [7], bytes(12), b"\x80"]
    with pytest.raises(ValueError, match="expected at"):
        axdr.Reader(data[:-1]).value()
    with pytest.raises(ValueError, match="data of kind 63"):
        axdr.Reader(b"\x63").value()


def test_codes() -> None:
    assert logical_name("1-0:1.8.0*255") == bytes.fromhex("0100010800ff")
    assert written(bytes.fromhex("0000600100ff")) == "0-0:96.1.0*255"


def test_checksum() -> None:
    assert hdlc.checksum(b"123456789") == bytes.fromhex("6e90")


def test_frames() -> None:
    frame = Frame(b"\x03", b"\x21", hdlc.SNRM | hdlc.POLL)
    assert frame.to_bytes() == SNRM
    assert Deframer().feed(SNRM) == [frame]


@pytest.mark.parametrize(
    ("logical", "physical", "size", "expected"),
    [
        (1, 17, 1, "03"),
        (1, 16, 2, "0221"),
        (1, 17, 4, "00020023"),
        (0x3FFF, 0x3FFF, 4, "fefefeff"),
    ],
)
def test_addresses(logical: int, physical: int, size: int, expected: str) -> None:
    assert hdlc.server_address(logical, physical, size).hex() == expected


def test_frames_end_by_their_length() -> None:
    # The information contains a flag, and two frames share one.
    first = Frame(b"\x02\x21", b"\x03", 0x10, b"\x7e\x7e\xa0\x07", segmented=True)
    second = Frame(b"\x03", b"\x03", 0x11)
    data = b"\x00\x7e" + first.to_bytes() + second.to_bytes()[1:] + b"\x7e\x7e" + SNRM
    deframer = Deframer()
    frames = [frame for byte in data for frame in deframer.feed(bytes([byte]))]
    assert frames == Deframer().feed(data) == [first, second, *Deframer().feed(SNRM)]


def test_damaged_frames_are_passed_over() -> None:
    damaged = bytearray(Frame(b"\x03", b"\x21", 0x10, bytes(20)).to_bytes())
    damaged[12] ^= 1
    assert [frame.control for frame in Deframer().feed(bytes(damaged) + SNRM)] == [0x93]


def test_parameters() -> None:
    data = bytes.fromhex("8180140502008006020080070400000001080400000001")
    assert hdlc.parse_parameters(data) == {5: 128, 6: 128, 7: 1, 8: 1}
    assert hdlc.parse_parameters(bytes.fromhex("8180070502040006017f")) == {5: 1024, 6: 127}
    assert (
        hdlc.encode_parameters({5: 128, 6: 1024, 7: 1}).hex() == "81800d05018006020400070400000001"
    )
    with pytest.raises(ValueError, match="no parameters"):
        hdlc.parse_parameters(b"\x81\x80\x05\x05")


def test_wrapper() -> None:
    message = Message(1, 16, b"\xc0\x01")
    assert message.to_bytes().hex() == "0001000100100002c001"
    unwrapper = Unwrapper()
    data = b"\xff" + message.to_bytes() * 2
    assert [m for byte in data for m in unwrapper.feed(bytes([byte]))] == [message] * 2


@pytest.mark.parametrize(
    ("style", "time", "expected"),
    [
        (
            ClockStyle.STANDARD,
            datetime(2026, 7, 1, 10, 30, 5, tzinfo=UTC),
            "07ea0701030c1e0500ff8880",
        ),
        (ClockStyle.STANDARD, datetime(2026, 1, 4, 23, tzinfo=UTC), "07ea01050100000000ffc400"),
        (
            ClockStyle.INVERTED,
            datetime(2026, 7, 1, 10, 30, 5, tzinfo=UTC),
            "07ea0701030c1e0500007880",
        ),
        (
            ClockStyle.UNSPECIFIED,
            datetime(2026, 7, 1, 10, 30, 5, tzinfo=UTC),
            "07ea0701030b1e0500800000",
        ),
    ],
)
def test_times(style: ClockStyle, time: datetime, expected: str) -> None:
    seconds = int(time.timestamp())
    assert times.encode(seconds, style).hex() == expected
    assert times.parse(bytes.fromhex(expected), style) == seconds


def test_times_that_are_left_open() -> None:
    assert times.parse(bytes.fromhex("ffffffffffffffffff800000")) is None
    first_of_year = datetime(2026, 1, 1, tzinfo=UTC)
    assert times.parse(bytes.fromhex("07eaffffffffffffff000000")) == first_of_year.timestamp()
    # Without deviation it is local time.
    assert times.parse(bytes.fromhex("07ea0101ff010000ff8000ff")) == first_of_year.timestamp()
    with pytest.raises(ValueError, match="a time of 11 bytes"):
        times.parse(bytes(11))
