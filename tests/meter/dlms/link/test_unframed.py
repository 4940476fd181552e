"""Messages without a frame, such as the ciphered readouts of P1 ports."""

from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.checksum import crc16_arc
from custom_components.onemeter.meter.dlms.apdu.lengths import encode_length
from custom_components.onemeter.meter.dlms.link.hdlc import Frame
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.security.ciphering import seal
from custom_components.onemeter.meter.dlms.settings import Keys

KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
TITLE = b"SAG\x01\x02\x03\x04\x05"
HEAD = b"/SAG5SIMULATED\r\n\r\n"
BODY = b"0-0:96.1.1(31323334)\r\n1-0:1.8.0(000012.345*kWh)\r\n1-0:1.7.0(0.250*kW)\r\n!"
READOUT = HEAD + BODY + b"%04X\r\n" % crc16_arc(HEAD + BODY)
AUTHENTICATED_AND_ENCRYPTED = 0x30
ENCRYPTED = 0x20


def protected(content: bytes, *, title: bytes, control: int, counter: int = 7) -> bytes:
    inside = seal(
        content,
        control=control,
        counter=counter,
        title=title,
        encryption_key=bytes(range(16)),
        authentication_key=bytes(range(16, 32)),
    )
    return encode_length(len(inside)) + inside


def general_glo(content: bytes, control: int = AUTHENTICATED_AND_ENCRYPTED) -> bytes:
    return b"\xdb\x08" + TITLE + protected(content, title=TITLE, control=control)


def behind_head(content: bytes, control: int = AUTHENTICATED_AND_ENCRYPTED) -> bytes:
    """Cipher what follows a head line, without tag and system title."""
    return HEAD + b"\0" + protected(content, title=bytes(8), control=control)


def read(stream: bytes, keys: Keys = KEYS, chunk: int = 64) -> tuple[list[Reading], DlmsDecoder]:
    decoder = DlmsDecoder(keys)
    readings = [
        reading
        for start in range(0, len(stream), chunk)
        for reading in decoder.feed(stream[start : start + chunk])
    ]
    return readings, decoder


def check(reading: Reading) -> None:
    assert reading.meter.manufacturer == "SAG"
    values = {register.address: register.value for register in reading.registers}
    assert values["1-0:1.8.0"] == Decimal("12.345")
    assert reading.registers[1].unit == "kWh"


@pytest.mark.parametrize("control", [ENCRYPTED, AUTHENTICATED_AND_ENCRYPTED])
@pytest.mark.parametrize("make", [general_glo, behind_head])
@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_readouts_come_one_after_the_other(make: object, control: int, chunk: int) -> None:
    assert callable(make)
    message = make(READOUT, control)
    # The first is heard from its middle on.
    readings, decoder = read(message[100:] + 3 * message + b"\r\n", chunk=chunk)
    assert len(readings) == 3
    assert decoder.good == 3
    for reading in readings:
        check(reading)


def test_head_may_be_in_the_clear_alone() -> None:
    message = behind_head(READOUT.removeprefix(HEAD))
    readings, decoder = read(message)
    assert decoder.good == 1
    check(readings[0])


@pytest.mark.parametrize("make", [general_glo, behind_head])
def test_keys_are_told_apart(make: object) -> None:
    assert callable(make)
    message = make(READOUT)
    _, decoder = read(message, Keys())
    assert (decoder.needs_key, decoder.damaged) == (1, 0)
    _, decoder = read(message, Keys(bytes(16), bytes(range(16, 32))))
    assert (decoder.wrong_encryption_key, decoder.damaged) == (1, 0)
    _, decoder = read(message, Keys(bytes(range(16)), bytes(16)))
    assert (decoder.wrong_authentication_key, decoder.damaged) == (1, 0)
    assert decoder.good == 0
    # The tag is verified where there is a key to do so.
    readings, _ = read(message, Keys(bytes(range(16))))
    check(readings[0])


def test_cut_off_message_is_damaged() -> None:
    for message in (general_glo(READOUT), behind_head(READOUT)):
        _, decoder = read(message[:-1])
        decoder.finish()
        assert decoder.good == 0
        assert decoder.damaged


def test_nothing_without_checksum_is_read_inside_of_frames() -> None:
    message = general_glo(READOUT, ENCRYPTED)
    frame = bytearray(Frame(b"\x03", b"\x05", 0x13, b"\xe6\xe7\0" + message).to_bytes())
    frame[-20] ^= 1
    readings, decoder = read(bytes(frame) + frame)
    decoder.finish()
    assert readings == []
    assert decoder.damaged >= 2
    assert decoder.wrong_encryption_key == 0
