from random import Random

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.link.hdlc import Frame
from custom_components.onemeter.meter.looks import Look, are_flashes, looks_like
from simulator.uart import Framing, Receiver, resample
from tests.helpers.telegrams import telegram

NOISE, INVERTED = Look.NOISE, Look.INVERTED
READOUT = (
    b"/TST5METER\r\n\r\n1-0:0.0.0*255(7)\r\n1-0:1.8.0*255(000001.0*kWh)\r\n"
    b"1-0:16.7.0*255(000123*W)\r\n!\r\n"
)


def with_parity(text: bytes) -> bytes:
    return bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in text)


def hdlc(length: int) -> bytes:
    """Return a frame with its flags and checksums that is so long without the flags."""
    return hdlc_frame(bytes(byte % 99 for byte in range(length - 9)))


def hdlc_frame(information: bytes) -> bytes:
    return Frame(b"\x41", b"\x03", 0x13, information).to_bytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (telegram(), "SML"),
        (telegram()[:12], "SML"),
        (telegram()[len(telegram()) // 2 :], "SML"),
        (telegram()[60:-20], "SML"),
        (READOUT, "IEC 62056-21"),
        (READOUT[30:], "IEC 62056-21"),
        (with_parity(READOUT), "IEC 62056-21"),
        (b"\x021.8.0(0001.0*kWh)\r\n!\r\n\x03\x10", "IEC 62056-21"),
        (hdlc(40), "DLMS"),
        (b"\x31\x7e" + hdlc(40), "DLMS"),
        (bytes.fromhex("7e a084 ceff03 13 1286 e6e700 0f"), "DLMS"),
        (bytes.fromhex("7e a8a4 cf0223 03 9996 e6e700 0f"), "DLMS"),
        (b"\x7e\xa0\x84" + bytes([0x55, 0x56] * 20), None),
        (hdlc(40)[:-2], "DLMS"),
        (hdlc(40)[:6] + b"\x00" + hdlc(40)[7:], None),
        (bytes.fromhex("0001 0001 0067 0005 0f 00 00 00 01"), "DLMS"),
        (bytes.fromhex("0001 0067 0066 0005 db 08 00 00 01"), "DLMS"),
        (bytes.fromhex("68 fa fa 68 53 ff 00 01 67 db"), "DLMS"),
        (bytes.fromhex("e6 e7 00 0f 00 00 00 00"), "DLMS"),
        (bytes(20), NOISE),
        (b"\xff\xfe" * 10, NOISE),
        (Random(1).randbytes(128), NOISE),
        (Random(1).randbytes(512), NOISE),
        (b"", None),
        (bytes(4), None),
        (b"hello, this is an ESP8266\r\n" * 3, None),
        (b"\x7e\xa0", None),
        (b"\x05" * 40, None),
        (bytes(range(1, 60)), None),
    ],
)
def test_looks_like(data: bytes, expected: str | None) -> None:
    assert looks_like(data) == expected


def frames() -> bytes:
    """Return what a DLMS meter pushes, without the frame's inside."""
    return b"".join(hdlc(length) for length in (120, 80, 100))


SENDERS = [
    (telegram() * 2, Framing.EIGHT_NONE),
    (READOUT * 2, Framing.SEVEN_EVEN),
    (frames(), Framing.EIGHT_EVEN),
]


@pytest.mark.parametrize("receiver", Receiver)
@pytest.mark.parametrize("clock", [0.98, 1.02])
@pytest.mark.parametrize(("data", "framing"), SENDERS, ids=["SML", "text", "DLMS"])
@pytest.mark.parametrize("baudrate", [300, 1200, 2400, 4800])
def test_sender_that_is_slower_than_the_port(
    data: bytes, framing: Framing, baudrate: int, clock: float, receiver: Receiver
) -> None:
    assert looks_like(resample(data, baudrate * clock, 9600, framing, receiver=receiver)) == NOISE


@pytest.mark.parametrize("clock", [0.98, 1.02])
def test_inverted_line(clock: float) -> None:
    """Text at a port that goes on in the middle of it has no pattern in one of five cases."""
    for receiver in Receiver:
        read = resample(telegram() * 2, 9600 * clock, 9600, receiver=receiver, inverted=True)
        assert looks_like(read) == INVERTED
    text = with_parity(READOUT) * 2
    read = resample(text, 9600 * clock, 9600, receiver=Receiver.WAIT, inverted=True)
    assert looks_like(read) == INVERTED


@pytest.mark.parametrize(("data", "framing"), SENDERS, ids=["SML", "text", "DLMS"])
@pytest.mark.parametrize("baudrate", [19_200, 115_200])
def test_sender_that_is_faster_than_the_port(data: bytes, framing: Framing, baudrate: int) -> None:
    """What is read has no pattern; but it is never taken for a protocol."""
    assert looks_like(resample(data, baudrate, 9600, framing)) in {NOISE, None}


@pytest.mark.parametrize("clock", [0.98, 1.02])
def test_right_speed(clock: float) -> None:
    assert looks_like(resample(telegram(), 9600 * clock, 9600)) == "SML"
    assert looks_like(resample(READOUT, 9600 * clock, 9600, Framing.SEVEN_EVEN)) == "IEC 62056-21"
    assert looks_like(resample(frames(), 9600 * clock, 9600)) == "DLMS"


@given(st.binary(max_size=600))
def test_never_fails(data: bytes) -> None:
    assert looks_like(data) in {None, "SML", "IEC 62056-21", "DLMS", NOISE}


@pytest.mark.parametrize("data", [b"\x00\x00", b"\xff\xfe\x80", bytes(500)])
def test_flashes(data: bytes) -> None:
    assert are_flashes(data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", telegram(), READOUT])
def test_no_flashes(data: bytes) -> None:
    assert not are_flashes(data)
