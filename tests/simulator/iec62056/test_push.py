"""Mode D: pushed readouts."""

import asyncio

import pytest

from simulator.iec62056 import Checksum, Faults, Iec62056Meter, Mode
from simulator.iec62056.encoder import p1_crc

from ...helpers.iec62056_probe import even, probed


async def test_readouts_come_at_their_interval() -> None:
    meter = Iec62056Meter(mode=Mode.D, interval=0.6, start_baudrate=9600)
    async with probed(meter) as probe:
        await probe.receive(b"!\r\n")
        loop = asyncio.get_running_loop()
        started = loop.time()
        telegram = await probe.receive(b"!\r\n")
        assert loop.time() - started == pytest.approx(0.6, abs=1e-6)
        raw = await probe.raw(0.6)
    assert telegram.startswith(b"/DMO5DEMO-21\r\n\r\n1-0:0.0.0*255(12345678)\r\n")
    assert b"\r\n1-0:1.8.0*255(" in telegram
    assert b"\x02" not in telegram
    assert raw[:14] == even(raw[:14])
    assert any(byte > 0x7F for byte in raw)
    assert meter.count("readout") == 3


async def test_checksum_of_p1() -> None:
    meter = Iec62056Meter(
        mode=Mode.D,
        baudrate=115_200,
        start_baudrate=115_200,
        interval=0.2,
        checksum=Checksum.CRC16,
        even_parity=False,
        faults=Faults(flip_bits=1),
    )
    async with probed(meter) as probe:
        for intact in (False, True):
            telegram = await probe.receive(b"!", more=6)
            body, checksum = telegram[:-6], telegram[-6:]
            assert (checksum == p1_crc(body)) is intact


async def test_captured_readout_is_pushed() -> None:
    lines = b"/ABC5METER\r\n\r\n1-0:1.8.0*255(000123.4*kWh)\r\n!\r\n"
    meter = Iec62056Meter.from_capture(lines, mode=Mode.D, start_baudrate=9600, interval=0.1)
    async with probed(meter) as probe:
        await probe.receive(b"!\r\n")
        assert await probe.receive(b"!\r\n") == lines
