"""Checksums, beside the published check values and a plain computation."""

from hypothesis import given, strategies as st

from custom_components.onemeter.meter.checksum import crc16_arc, crc16_kermit, crc16_x25
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


@given(st.binary(max_size=300))
def test_same_as_bit_by_bit(data: bytes) -> None:
    assert crc16_x25(data).to_bytes(2, "little") == encoder.checksum(data, "x25")
    assert crc16_kermit(data).to_bytes(2, "big") == encoder.checksum(data, "kermit")
    assert f"{crc16_arc(data):04X}\r\n".encode() == p1_crc(data)
