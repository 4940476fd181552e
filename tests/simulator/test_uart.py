"""UARTs at other speeds and framings, bit by bit, as real ports behave."""

import pytest

from simulator.uart import Framing, Receiver, resample

EVERY_BYTE = bytes(range(256))
#: Ratios of the meter's clock to that of the port.
CLOCKS = (0.98, 1.0, 1.02)

every_receiver = pytest.mark.parametrize("receiver", Receiver)
every_clock = pytest.mark.parametrize("clock", CLOCKS)


@every_receiver
@every_clock
@pytest.mark.parametrize("framing", Framing)
def test_right_speed_and_framing(framing: Framing, clock: float, receiver: Receiver) -> None:
    """A clock error of 2 % does no harm."""
    sent = bytes(byte & (1 << framing.data_bits) - 1 for byte in EVERY_BYTE)
    read = resample(sent, 9600 * clock, 9600, framing, framing, receiver=receiver)
    assert read == sent


@every_receiver
def test_compatible_framings(receiver: Receiver) -> None:
    text = bytes(range(128))
    with_parity = bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in text)
    read = resample(text, 9600, 9600, Framing.SEVEN_EVEN, receiver=receiver)
    assert read == with_parity
    read = resample(text, 9600, 9600, Framing.SEVEN_EVEN_TWO, receiver=receiver)
    assert read == with_parity
    read = resample(
        with_parity, 9600, 9600, Framing.EIGHT_NONE, Framing.SEVEN_EVEN, receiver=receiver
    )
    assert read == text


def test_parity_bit_in_place_of_a_stop_bit() -> None:
    """Some adapters receive 8E1 as 8N1, others do not."""
    read = resample(EVERY_BYTE, 9600, 9600, Framing.EIGHT_EVEN, receiver=Receiver.WAIT)
    assert read == EVERY_BYTE
    read = resample(EVERY_BYTE, 9600, 9600, Framing.EIGHT_EVEN)
    assert read != EVERY_BYTE
    # 07 has an odd number of ones, so its parity bit looks like a stop bit.
    assert resample(b"\x07\x07\x03\x07", 9600, 9600, Framing.EIGHT_EVEN)[:3] == b"\x07\x07\x03"


@pytest.mark.parametrize(
    ("sent", "sent_at", "read_at", "received"),
    [
        ("1b0155aa", 9600, 9600, "1b0155aa"),
        # Half the speed: every second bit is sampled, and a short start bit is ignored.
        ("fe", 9600, 4800, "ff"),
        ("ff", 9600, 4800, ""),
        # Twice the speed: the start bit is two zeros, each bit is received twice.
        ("ff", 4800, 9600, "fe"),
        # Much faster: the line is low for longer than a character.
        ("00", 300, 9600, "00"),
        ("55", 300, 9600, "0000000000"),
    ],
)
@every_receiver
def test_other_speeds(
    sent: str, sent_at: int, read_at: int, received: str, receiver: Receiver
) -> None:
    """A receiver at another speed samples other bits."""
    read = resample(bytes.fromhex(sent), sent_at, read_at, receiver=receiver)
    assert read.hex() == received


HDLC = bytes.fromhex("7ea08444")
M_BUS = bytes.fromhex("68fafa6853ff")
TEXT = b"/ABC5xxx"
SML = bytes.fromhex("1b1b1b1b0101010176")


@every_clock
@pytest.mark.parametrize(
    ("sent", "baudrate", "framing", "first"),
    [
        (HDLC, 2400, Framing.EIGHT_NONE, "8078"),
        (HDLC, 2400, Framing.EIGHT_EVEN, "808000"),
        (HDLC, 4800, Framing.EIGHT_NONE, "f806"),
        (HDLC, 4800, Framing.EIGHT_EVEN, "f818"),
        (HDLC, 1200, Framing.EIGHT_NONE, "008000"),
        (M_BUS, 2400, Framing.EIGHT_NONE, "00f878"),
        (M_BUS, 2400, Framing.EIGHT_EVEN, "00f8f8"),
        (M_BUS, 4800, Framing.EIGHT_EVEN, "809e"),
        (M_BUS, 1200, Framing.EIGHT_EVEN, "008080"),
        (TEXT, 2400, Framing.SEVEN_EVEN, "f878"),
        (TEXT, 4800, Framing.EIGHT_NONE, "fe86"),
        (TEXT, 4800, Framing.SEVEN_EVEN, "fee6"),
        (SML, 2400, Framing.EIGHT_NONE, "f8f800"),
        (SML, 4800, Framing.EIGHT_NONE, "9e60"),
        (SML, 4800, Framing.EIGHT_EVEN, "9e80"),
    ],
)
def test_first_bytes_at_9600_baud(
    sent: bytes, baudrate: int, framing: Framing, first: str, clock: float
) -> None:
    """The first bytes of a telegram do not depend on adapter and clocks."""
    for receiver in Receiver:
        read = resample(sent, baudrate * clock, 9600, framing, receiver=receiver)
        assert read.hex().startswith(first)


def test_inverted_line() -> None:
    """Inverted ones are taken for start bits."""
    # The start bit has the idle level; the first zero after it is a one of the data.
    assert resample(b"\xff", 9600, 9600, inverted=True) == b"\x00"
    assert resample(b"\x7c\x00", 9600, 9600, inverted=True) != b"\x7c\x00"
