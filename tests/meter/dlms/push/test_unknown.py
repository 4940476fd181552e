"""Descriptions of valid but unknown lists contain no number and no id."""

import asyncio
from contextlib import aclosing
from datetime import datetime

import pytest

from custom_components.onemeter.meter.dlms.apdu import axdr, data_types
from custom_components.onemeter.meter.dlms.apdu.times import encode_date_time
from custom_components.onemeter.meter.dlms.push.client import DlmsPushClient
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.push.description import ListDescription
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.errors import (
    ChecksumError,
    MeterError,
    MeterSilentError,
    UnknownListError,
)
from custom_components.onemeter.meter.line import LineSettings
from custom_components.onemeter.meter.obis import Obis
from simulator.dlms import PushMeter
from simulator.dlms.hdlc import LLC_RESPONSE, POLL, UI, Frame
from simulator.memory import MemoryLine

NUMBER = axdr.double_long_unsigned(1_234_567)
CLOCK = axdr.octet_string(encode_date_time(datetime(2026, 11, 30, 6, 30)))  # noqa: DTZ001
SERIAL = axdr.octet_string(b"XYZ0000000012345")
VOLTS = axdr.long_unsigned(230)
TRUE = b"\x03\x01"
SCALER_UNIT = axdr.structure(axdr.integer(-1), bytes([data_types.ENUMERATED, 35]))


def code(text: str) -> bytes:
    return axdr.octet_string(bytes(Obis.parse(text)))


def frame(body: bytes) -> bytes:
    information = LLC_RESPONSE + b"\x0f\0\0\0\1\0" + body
    return Frame(b"\x41", b"\x03", UI | POLL, information, segmented=False).to_bytes()


def unknown(body: bytes) -> list[ListDescription]:
    decoder = DlmsDecoder()
    assert decoder.feed(frame(body)) == []
    assert (decoder.damaged, decoder.other) == (0, 1)
    return decoder.unknown_lists()


@pytest.mark.parametrize(
    ("elements", "shape", "shown"),
    [
        (
            [SERIAL, *[NUMBER] * 5, VOLTS, TRUE],
            "t u5 w B",
            ["text XYZ9999999999999", *["number"] * 7],
        ),
        (
            [CLOCK, axdr.octet_string(b"\x15\x0b\0\0"), axdr.octet_string(b""), NUMBER],
            "d o4 o0 u",
            ["12 octets", "4 octets", "0 octets", "number"],
        ),
        (
            [code("0-6:25.9.0"), b"\x0a\x0bMeier, Anna", NUMBER, b"\0", axdr.array(VOLTS, VOLTS)],
            "C t u n a",
            ["0-6:25.9.0*255", "text aaaaa, aaaa", "number", "null", ["number", "number"]],
        ),
        (
            [
                axdr.structure(code("1-0:32.7.0"), VOLTS, SCALER_UNIT),
                axdr.structure(code("1-0:52.7.0"), VOLTS, SCALER_UNIT),
                NUMBER,
                NUMBER,
            ],
            "{C w S}2 u2",
            [
                ["1-0:32.7.0*255", "number", "scaler -1, unit V"],
                ["1-0:52.7.0*255", "number", "scaler -1, unit V"],
                "number",
                "number",
            ],
        ),
        (
            # An id that may be taken for a code.
            [axdr.octet_string(b"\x01\x02\x03\x04\x05\x06"), NUMBER, NUMBER],
            "C u2",
            ["6 octets", "number", "number"],
        ),
    ],
)
def test_shape_and_elements(elements: list[bytes], shape: str, shown: list[object]) -> None:
    (found,) = unknown(axdr.structure(*elements))
    assert found.shape == found.summary == shape
    assert found.elements == shown
    assert found.candidates == []


def test_objects_of_a_push_list_are_shown() -> None:
    objects = axdr.array(
        axdr.structure(
            axdr.long_unsigned(3), code("1-0:1.8.0"), axdr.integer(2), axdr.long_unsigned(0)
        )
    )
    (found,) = unknown(axdr.structure(objects, NUMBER, NUMBER, NUMBER))
    assert found.shape == "a u3"
    assert found.elements[0] == ["class 3, 1-0:1.8.0*255, attribute 2"]


def test_candidates_are_named() -> None:
    found = ListDescription("t u2", [], ["A", "B"])
    assert found.summary == "t u2 (A / B)"


def test_what_holds_no_values_is_no_unknown_list() -> None:
    objects = axdr.array(
        axdr.structure(
            axdr.long_unsigned(40), code("0-0:25.9.0"), axdr.integer(2), axdr.long_unsigned(0)
        )
    )
    assert unknown(axdr.structure(objects, NUMBER)) == []
    assert unknown(axdr.array(axdr.structure(code("0-0:1.0.0"), CLOCK))) == []


def test_few_are_remembered() -> None:
    decoder = DlmsDecoder()
    for count in range(2, 40):
        decoder.feed(frame(axdr.structure(*[TRUE] * count)))
    shapes = [found.shape for found in decoder.unknown_lists()]
    assert shapes == [f"B{count}" for count in range(32, 40)]


async def test_why_there_is_no_reading() -> None:
    unknown_list = frame(axdr.structure(SERIAL, NUMBER, NUMBER))
    good = PushMeter().telegram(1_795_831_200)
    damaged = bytearray(good)
    damaged[-5] ^= 1
    told: list[MeterError] = []
    async with MemoryLine(9600) as line:
        client = DlmsPushClient(line.url, LineSettings(9600), Keys())

        async def push() -> None:
            for data in (bytes(damaged), unknown_list, good, unknown_list + good, good):
                await asyncio.sleep(1)
                await line.write(data)
                await asyncio.sleep(1)
                told.append(client.diagnose())

        pushing = asyncio.ensure_future(push())
        async with aclosing(client.listen()) as readings:
            for _ in range(3):
                await anext(readings)
        await pushing
    kinds = [ChecksumError, UnknownListError, *[MeterSilentError] * 3]
    assert [type(error) for error in told] == kinds
    assert told[1].details["shape"] == "t u2"
    assert "t u2" in str(told[1])
    assert "12345" not in str(told[1])
    assert [found.shape for found in client.unknown_lists] == ["t u2"]
