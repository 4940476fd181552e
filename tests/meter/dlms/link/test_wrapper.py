"""The wrapper: headers, and messages that are not complete."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.link.wrapper import Packet, packet_at
from custom_components.onemeter.meter.errors import TelegramError


def test_header() -> None:
    assert Packet(16, 1, b"\xc0\1").to_bytes().hex() == "0001001000010002c001"


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=300), st.binary())
def test_back_and_forth(source: int, destination: int, content: bytes, before: bytes) -> None:
    packet = Packet(source, destination, content)
    sent = packet.to_bytes()
    start = len(before)
    assert packet_at(before + sent + b"more", start) == (packet, start + len(sent))
    for end in range(len(sent)):
        assert packet_at(before + sent[:end], start) is None


@pytest.mark.parametrize("data", ["01", "0002", "7ea0", "000201"])
def test_no_header(data: str) -> None:
    with pytest.raises(TelegramError):
        packet_at(bytes.fromhex(data), 0)
