"""Frames that only some meters send: several messages in one, and messages in many."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
import itertools

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.dlms.push.client import DlmsPushClient
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.errors import ChecksumError, MeterError
from custom_components.onemeter.meter.line import Framing as LineFraming, LineSettings
from custom_components.onemeter.meter.looks import looks_like
from simulator.dlms import Framing, PushMeter
from simulator.dlms.framings import blocks
from simulator.dlms.hdlc import LLC_RESPONSE, POLL, UI, Frame
from simulator.memory import MemoryLine

TIME = 1_795_831_200
EK, AK = bytes(range(16)), bytes(range(16, 32))
KEYS = Keys(EK, AK)
PLAIN = PushMeter()
SEALED = replace(PLAIN, encryption_key=EK, authentication_key=AK, system_title=b"DMO\x67\0\1\2\3")
CHUNKS = (1, 7, 10_000)


def decode(data: bytes, chunk: int = 10_000) -> tuple[list[Reading], DlmsDecoder]:
    decoder = DlmsDecoder(KEYS)
    pieces = itertools.batched(data, chunk, strict=False)
    readings = [reading for piece in pieces for reading in decoder.feed(bytes(piece))]
    readings += decoder.finish()
    return readings, decoder


def values(reading: Reading, meter: PushMeter, time: int) -> bool:
    wanted = [(found.code, found.value, found.unit) for found in meter.expected(time)]
    return [(str(r.obis), r.value, r.unit) for r in reading.registers] == wanted


def hdlc(information: bytes) -> bytes:
    return Frame(b"\x41", b"\x03", UI | POLL, information, segmented=False).to_bytes()


def mbus(message: bytes, size: int, control: int = 0x53) -> list[bytes]:
    """Split a message into long frames of ``size`` bytes."""
    pieces = [bytes(piece) for piece in itertools.batched(message, size, strict=False)]
    frames: list[bytes] = []
    for number, piece in enumerate(pieces):
        last = 0x10 if number == len(pieces) - 1 else 0
        content = bytes([control, 0xFF, number % 16 | last, 0x01, 0x67]) + piece
        head = bytes([0x68, len(content), len(content), 0x68])
        frames.append(head + content + bytes([sum(content) & 0xFF, 0x16]))
    return frames


# --- Several messages in one frame ----------------------------------------------------------------


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("meter", [PLAIN, SEALED], ids=["plain", "sealed"])
def test_several_notifications_in_one_frame(meter: PushMeter, chunk: int) -> None:
    times = [TIME, TIME + 5, TIME + 10]
    information = b"".join(LLC_RESPONSE + meter.message(time) for time in times)
    readings, decoder = decode(hdlc(information) * 2, chunk)
    assert [values(r, meter, t) for r, t in zip(readings, times * 2, strict=True)] == [True] * 6
    assert (decoder.damaged, decoder.other) == (0, 0)


def test_a_message_that_is_none_behind_another() -> None:
    first = LLC_RESPONSE + PLAIN.message(TIME)
    readings, decoder = decode(hdlc(first + LLC_RESPONSE + b"\x0f\0"))
    assert len(readings) == 1
    readings, decoder = decode(hdlc(first + b"\0"))
    assert readings == []
    assert decoder.damaged == 1


def test_the_header_may_be_part_of_a_value() -> None:
    value = LLC_RESPONSE + b"\x0f\0\0"
    entry = b"\x02\x02\x09\x06\x00\x00\x60\x01\x00\xff\x09\x06" + value
    (reading,), decoder = decode(hdlc(LLC_RESPONSE + b"\x0f\0\0\0\1\0\x01\x01" + entry))
    assert reading.registers[0].value == value
    assert decoder.damaged == 0


# --- Blocks without frames ------------------------------------------------------------------------


@pytest.mark.parametrize("llc", [b"", LLC_RESPONSE])
@pytest.mark.parametrize("meter", [PLAIN, SEALED], ids=["plain", "sealed"])
def test_blocks_without_frames(meter: PushMeter, llc: bytes) -> None:
    data = b"".join(llc + block for block in blocks(meter.message(TIME), 50))
    (reading,), decoder = decode(data)
    assert values(reading, meter, TIME)
    assert decoder.damaged == 0


@pytest.mark.parametrize("chunk", CHUNKS)
def test_ciphered_blocks_without_frames_are_read_as_they_come(chunk: int) -> None:
    decoder = DlmsDecoder(KEYS)
    for time in range(TIME, TIME + 5):
        data = b"".join(blocks(SEALED.message(time), 50))
        pieces = itertools.batched(data, chunk, strict=False)
        (reading,) = [reading for piece in pieces for reading in decoder.feed(bytes(piece))]
        assert values(reading, SEALED, time)
    assert decoder.finish() == []
    assert (decoder.good, decoder.damaged) == (5, 0)


def test_a_lost_block_without_a_frame() -> None:
    parts = blocks(SEALED.message(TIME), 50)
    rest = b"".join(blocks(SEALED.message(TIME + 1), 50))
    for lost in range(len(parts)):
        readings, _ = decode(b"".join(parts[:lost] + parts[lost + 1 :]) + rest)
        assert [values(reading, SEALED, TIME + 1) for reading in readings] == [True]


# --- M-Bus ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("control", [0x08, 0x18, 0x53, 0x73])
@pytest.mark.parametrize("size", [12, 16, 200])
def test_mbus(size: int, control: int, chunk: int) -> None:
    frames = mbus(SEALED.message(TIME), size, control)
    assert (len(frames) > 16) is (size < 200)
    readings, decoder = decode(b"".join(frames) * 2, chunk)
    assert [values(reading, SEALED, TIME) for reading in readings] == [True, True]
    assert decoder.damaged == 0


def test_mbus_of_exactly_16_frames() -> None:
    message = SEALED.message(TIME)
    size = -(-len(message) // 16)
    frames = mbus(message, size)
    assert len(frames) == 16
    readings, decoder = decode(b"".join(frames) * 3)
    assert len(readings) == 3
    assert decoder.damaged == 0


def test_a_lost_frame_of_many() -> None:
    frames = mbus(SEALED.message(TIME), 12)
    for lost in range(len(frames)):
        rest = frames[:lost] + frames[lost + 1 :]
        readings, decoder = decode(b"".join(rest + frames + frames))
        assert 1 <= len(readings) <= 2
        assert all(values(reading, SEALED, TIME) for reading in readings)
        assert decoder.damaged > 0


def test_answers_of_a_heat_meter_are_no_dlms() -> None:
    content = bytes.fromhex("080172785634121234010400000000")
    head = bytes([0x68, len(content), len(content), 0x68])
    frame = head + content + bytes([sum(content) & 0xFF, 0x16])
    readings, _ = decode(frame * 3)
    assert readings == []
    assert looks_like(frame * 3) != "DLMS"
    assert looks_like(mbus(SEALED.message(TIME), 200, 0x08)[0]) == "DLMS"


# --- Time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", [Framing.SEGMENTS, Framing.BLOCKS, Framing.MBUS])
async def test_frames_far_apart(framing: Framing) -> None:
    meter = replace(SEALED, framing=framing, size=60)
    frames = meter.frames(TIME)
    async with MemoryLine(9600) as line:
        client = DlmsPushClient(line.url, LineSettings(9600), KEYS)

        async def push() -> None:
            for frame in frames:
                await asyncio.sleep(3.5)
                await line.write(frame)

        pushing = asyncio.ensure_future(push())
        async with aclosing(client.listen()) as readings:
            reading = await anext(readings)
        await pushing
    assert values(reading, meter, TIME)
    assert client.counters.damaged == 0


async def diagnosis(meter_speed: int, speed: int, *, damaged: bool = False) -> MeterError:
    """Return the error for a meter that pushes at another speed than that of the port."""
    data = bytearray(SEALED.telegram(TIME))
    data[-5] ^= damaged
    async with MemoryLine(meter_speed) as line:
        client = DlmsPushClient(line.url, LineSettings(speed, LineFraming.EIGHT_EVEN), KEYS)

        async def listen() -> None:
            async for _ in client.listen():
                pass

        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(1)
        for _ in range(3):
            await line.write(bytes(data))
            await asyncio.sleep(5)
        error = client.diagnose()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    return error


@pytest.mark.parametrize(("meter_speed", "speed"), [(9600, 2400), (2400, 9600), (2400, 115_200)])
async def test_wrong_speed_is_named_with_the_usual_ones(meter_speed: int, speed: int) -> None:
    error = await diagnosis(meter_speed, speed)
    assert error.details["line"] == f"{speed} 8E1"
    assert error.details["usual"] == "2400 8E1, 2400 8N1, 9600 8N1, 115200 8N1"


async def test_damaged_telegrams_have_the_right_speed() -> None:
    error = await diagnosis(2400, 2400, damaged=True)
    assert isinstance(error, ChecksumError)
    assert "usual" not in error.details
