"""Encoding, checked against messages from the standard and other documents."""

from simulator.iec62056 import encoder
from simulator.iec62056.encoder import Checksum


def test_commands() -> None:
    assert encoder.command("B0", None, Checksum.XOR) == b"\x01B0\x03q"
    assert encoder.command("P0", "()", Checksum.XOR) == b"\x01P0\x02()\x03`"
    assert encoder.command("P0", "()", Checksum.SUM)[-1] == sum(b"P0\x02()\x03") % 128


def test_answers() -> None:
    answer = encoder.answer("1.8.0(1*kWh)", Checksum.XOR)
    assert (answer[:1], answer[-2:-1]) == (b"\x02", b"\x03")
    assert encoder.answer("1.8.0(1*kWh)", Checksum.XOR, last=False)[-2:-1] == b"\x04"


def test_crc_of_p1() -> None:
    assert encoder.p1_crc(b"123456789") == b"BB3D\r\n"


def test_parity() -> None:
    characters = bytes(range(128))
    sent = encoder.with_even_parity(characters)
    assert all(byte.bit_count() % 2 == 0 for byte in sent)
    assert encoder.without_parity(sent, strict=True) == characters
    assert encoder.without_parity(characters) == characters
    assert encoder.without_parity(b"/?!", strict=True) == b"?!"
