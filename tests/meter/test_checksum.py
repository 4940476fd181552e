"""Checksums, beside the published check values and a plain computation."""

from functools import reduce
from operator import xor

from hypothesis import given, strategies as st

from custom_components.onemeter.meter.checksum import (
    crc16_arc,
    crc16_kermit,
    crc16_x25,
    ends_with_x25,
    sum_of,
    xor_of,
)
from simulator.iec62056.encoder import p1_crc
from simulator.sml import encoder

CHECK = b"123456789"


def test_check_values() -> None:
    assert crc16_x25(CHECK) == 0x906E
    assert crc16_kermit(CHECK) == 0x2189
    assert crc16_arc(CHECK) == 0xBB3D


def test_no_data() -> None:
    assert crc16_x25(b"") == 0
    assert crc16_kermit(b"") == 0
    assert crc16_arc(b"") == 0
    assert xor_of(b"") == 0
    assert sum_of(b"") == 0


@given(st.binary(max_size=300))
def test_same_as_bit_by_bit(data: bytes) -> None:
    assert crc16_x25(data).to_bytes(2, "little") == encoder.checksum(data, "x25")
    assert crc16_kermit(data).to_bytes(2, "big") == encoder.checksum(data, "kermit")
    assert f"{crc16_arc(data):04X}\r\n".encode() == p1_crc(data)


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_end_with_its_own_checksum(data: bytes, other: int) -> None:
    checksum = crc16_x25(data)
    assert ends_with_x25(data + checksum.to_bytes(2, "little"))
    assert ends_with_x25(data + other.to_bytes(2, "little")) is (other == checksum)


@given(st.binary(max_size=300))
def test_same_as_byte_by_byte(data: bytes) -> None:
    assert xor_of(data) == reduce(xor, data, 0)
    assert sum_of(data) == reduce(lambda total, byte: (total + byte) % 128, data, 0)


def test_data_of_every_length() -> None:
    data = bytes(place * 7 % 256 for place in range(1100))
    for length in range(len(data)):
        assert xor_of(data[:length]) == reduce(xor, data[:length], 0)
        assert f"{crc16_arc(data[:length]):04X}\r\n".encode() == p1_crc(data[:length])
        assert crc16_arc(bytearray(length)) == 0
