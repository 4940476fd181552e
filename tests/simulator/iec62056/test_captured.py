"""Captured readouts: sent unchanged, or completed with a frame."""

import pytest

from simulator.iec62056 import Captured, Checksum, Iec62056Meter, Mode

from ...helpers.iec62056_probe import framed, probed

BLOCK = b"\x021.8.0(000123.4*kWh)\r\n0.0.0(471)\r\n!\r\n\x03"
WHOLE = BLOCK + b"H"
LINES = BLOCK[1:-1]


@pytest.mark.parametrize(
    ("captured", "identification", "block"),
    [
        (b"/ABC5METER\r\n" + WHOLE, b"/ABC5METER\r\n", WHOLE),
        (b"/?!\r\n/ABC5METER\r\n" + WHOLE, b"/ABC5METER\r\n", WHOLE),
        (b"\x00\x7f/ABC5METER\n\x06050\r\n" + WHOLE, b"/ABC5METER\n", WHOLE),
        (WHOLE, None, WHOLE),
        # A block with a beginning gets an end.
        (BLOCK, None, WHOLE),
        (BLOCK[:-1], None, WHOLE),
        (BLOCK[:-4], None, WHOLE),
        # Data without a beginning get none.
        (b"/ABC METER\r\n" + LINES, b"/ABC METER\r\n", LINES),
    ],
)
def test_parts(captured: bytes, identification: bytes | None, block: bytes) -> None:
    total = 0
    for byte in BLOCK[1:]:
        total ^= byte
    block = block.replace(b"\x03H", b"\x03" + bytes([total]))
    captured = captured.replace(b"\x03H", b"\x03" + bytes([total]))
    assert Captured.from_bytes(captured) == Captured(identification, block)


def test_another_frame() -> None:
    assert Captured.from_bytes(WHOLE, Checksum.NONE).block == LINES
    assert Captured.from_bytes(LINES, Checksum.SUM).block == BLOCK + bytes([sum(BLOCK[1:]) % 128])


@pytest.mark.parametrize(
    ("identification", "mode", "baudrate"),
    [
        (b"/ABC5METER\r\n", Mode.C, 9600),
        (b"/ABC4\\2METER\r\n", Mode.E, 4800),
        (b"/ABCCMETER\r\n", Mode.B, 2400),
        (b"/ABC METER\r\n", Mode.A, 9600),
    ],
)
def test_mode_follows_from_the_identification(
    identification: bytes, mode: Mode, baudrate: int
) -> None:
    meter = Iec62056Meter.from_capture(identification + WHOLE)
    assert (meter.mode, meter.baudrate) == (mode, baudrate)
    assert meter.identification == identification
    assert Iec62056Meter.from_capture(identification + WHOLE, mode=Mode.D).mode is Mode.D


async def test_captured_readout_is_sent() -> None:
    meter = Iec62056Meter.from_capture(
        b"/ABc5METER\r\n" + WHOLE, start_baudrate=4800, unknown_register="()"
    )
    async with probed(meter) as probe:
        assert await probe.sign_on() == b"/ABc5METER\r\n"
        await probe.acknowledge(b"050", 9600)
        assert await probe.block() == WHOLE
        probe.switch(4800)
        await probe.sign_on()
        await probe.acknowledge(b"051", 9600)
        await probe.block()
        assert await probe.command("R1", "0.0.0()") == b"\x02" + framed("0.0.0(471)")[1:]
        assert await probe.command("R1", "8.0()") == b"\x02" + framed("()")[1:]
