"""DLMS meters at a network bridge."""

import asyncio

import pytest
from serialx import open_serial_connection

from simulator.dlms import (
    DlmsMeter,
    Faults,
    Keys,
    Mechanism,
    Transport,
    axdr,
    hdlc,
)
from simulator.dlms.ciphering import protect
from simulator.dlms.hdlc import Deframer, Frame
from tests.helpers.dlms_probe import TITLE, aarq, at_a_bridge, get, initiate_request, probed

TOTAL = "1-0:1.8.0*255"
NOON = 1_790_000_000
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))


def meter_of_noon(transport: Transport, **options: object) -> DlmsMeter:
    return DlmsMeter(transport=transport, clock=lambda: NOON, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("transport", [Transport.HDLC, Transport.WRAPPER])
async def test_profile_of_500_rows(transport: Transport) -> None:
    meter = meter_of_noon(transport, mechanism=Mechanism.LLS, secret=b"12345678")
    async with probed(meter) as probe:
        if probe.hdlc:
            await probe.connect()
        assert (await probe.ask(aarq(1, 1, b"12345678")))[:1] == b"\x61"
        number = meter.registers.numbers(NOON)[TOTAL]
        assert await probe.value(3, TOTAL) == number
        entries = b"\x02" + axdr.structure(axdr.u32(1), axdr.u32(500), axdr.u16(1), axdr.u16(0))
        found = await probe.value(7, "1-0:99.1.0*255", 2, entries)
        assert isinstance(found, list)
        assert len(found) == 500


@pytest.mark.parametrize("transport", [Transport.HDLC, Transport.WRAPPER])
@pytest.mark.parametrize("tag", [0xC8, 0xDB])
async def test_enciphered(transport: Transport, tag: int) -> None:
    meter = meter_of_noon(
        transport,
        encryption_key=KEYS.encryption,
        authentication_key=KEYS.authentication,
        policy=0x30,
    )
    async with probed(meter) as probe:
        if probe.hdlc:
            await probe.connect()
        initiate = b"\x21" + axdr.sized(protect(initiate_request(), KEYS, TITLE, 1, 0x30))
        probe.counter = 2
        assert (await probe.ask(aarq(3, title=TITLE, initiate=initiate)))[:1] == b"\x61"
        for _ in range(3):
            answer = await probe.ask_enciphered(tag, get(3, TOTAL, 3), KEYS, 0x30, meter.title)
            assert answer.hex() == "c401c10002020f00161e"


async def test_wrapper_of_another_device_and_of_a_new_connection() -> None:
    meter = meter_of_noon(Transport.WRAPPER)
    async with at_a_bridge(meter) as line:
        for _ in range(2):
            _, writer = await open_serial_connection(line.url, baudrate=9600)
            # Half a message; the rest never arrives.
            writer.write(bytes.fromhex("000100010001002060"))
            await asyncio.sleep(0.01)
            writer.close()
            await asyncio.sleep(0.01)
        reader, writer = await open_serial_connection(line.url, baudrate=9600)
        writer.write(bytes.fromhex("0001000100090002c001"))
        writer.write(bytes.fromhex("0001000100010002c001"))
        assert (await reader.read(100)).hex() == "0001000100010003d80101"
        writer.close()
    assert meter.count("other address") == 1


async def test_faults_in_wrappers() -> None:
    meter = meter_of_noon(Transport.WRAPPER)
    async with probed(meter) as probe:
        await probe.ask(aarq())
        meter.faults.silences = 1
        assert await probe.ask(get(3, TOTAL, 3), 0.05) == b""
        meter.faults.lose_frames = 1
        assert await probe.ask(get(3, TOTAL, 3), 0.05) == b""
        meter.faults.flip_bits = 1
        assert (await probe.ask(get(3, TOTAL, 3))).hex() == "c401c10002030f00161e"
        meter.faults.spared_answers = 1
        meter.faults.flip_bits = 1
        assert (await probe.ask(get(3, TOTAL, 3))).hex() == "c401c10002020f00161e"
        assert (await probe.ask(get(3, TOTAL, 3))).hex() == "c401c10002030f00161e"


async def test_wrapper_that_is_cut_midway() -> None:
    meter = meter_of_noon(Transport.WRAPPER, max_pdu=100, faults=Faults(disconnect_midway=1))
    async with probed(meter) as probe:
        await probe.ask(aarq())
        with pytest.raises((EOFError, ConnectionError)):
            await probe.read(get(15, "0-0:40.0.0*255", 2))


async def test_lost_frames_are_sent_again() -> None:
    meter = meter_of_noon(Transport.HDLC)
    async with probed(meter) as probe:
        await probe.connect()
        await probe.ask(aarq())
        request = hdlc.LLC_COMMAND + get(3, TOTAL, 3)
        for fault in ("lose_frames", "flip_bits"):
            setattr(meter.faults, fault, 1)
            control = probe.numbers()
            assert await asyncio.wait_for(probe.frame_and_hear(control, request), 2) is None
            answer = await probe.frame_and_hear(control, request)
            assert answer is not None
            assert answer.information[:4] == hdlc.LLC_RESPONSE + b"\xc4"
            probe.sent, probe.awaited = (probe.sent + 1) % 8, (probe.awaited + 1) % 8
        assert meter.count("get") == 2
        meter.faults.lose_segments = 1
        control = probe.numbers()
        long = hdlc.LLC_COMMAND + get(15, "0-0:40.0.0*255", 2)
        assert await probe.frame_and_hear(control, long) is None
        answer = await probe.frame_and_hear(control, long)
        assert answer is not None
        assert answer.segmented


async def test_inactivity() -> None:
    meter = meter_of_noon(Transport.HDLC, inactivity_timeout=0.1)
    async with probed(meter) as probe:
        await probe.connect()
        await asyncio.sleep(0.2)
        answer = await probe.frame_and_hear(hdlc.POLL | hdlc.RR)
        assert answer is not None
        assert answer.control == hdlc.DM | hdlc.POLL
    assert meter.count("inactivity") == 1


async def test_echo() -> None:
    meter = meter_of_noon(Transport.HDLC)
    async with at_a_bridge(meter) as line:
        line.echo = True
        reader, writer = await open_serial_connection(line.url, baudrate=9600)
        snrm = Frame(b"\x03", b"\x03", hdlc.SNRM | hdlc.POLL).to_bytes()
        writer.write(snrm)
        data = b""
        while len(frames := Deframer().feed(data)) < 2:
            data += await reader.read(100)
        assert [frame.control for frame in frames] == [0x93, 0x73]
        writer.close()
