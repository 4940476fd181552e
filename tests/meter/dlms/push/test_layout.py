"""Remembered layouts change only the time that decoding takes, not its result."""

from datetime import datetime
import random
import struct

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.dlms.apdu import axdr, data_types
from custom_components.onemeter.meter.dlms.apdu.times import encode_date_time
from custom_components.onemeter.meter.dlms.push.layout import NotificationReader
from custom_components.onemeter.meter.dlms.push.notification import decode_notification
from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.units import scaled

TIME = datetime(2026, 11, 28, 12, 30, 15)  # noqa: DTZ001
CODES = ("0100010700ff", "0100020700ff", "0100200700ff", "01001f0700ff", "0100010800ff")
TITLE = b"LGZgp\1\2\3"


def scaler_unit(scaler: int, unit: int) -> bytes:
    return axdr.structure(axdr.integer(scaler), bytes([data_types.ENUMERATED, unit]))


def code(text: str) -> bytes:
    return axdr.octet_string(bytes.fromhex(text))


def entries(numbers: list[int], time: bytes) -> bytes:
    return axdr.array(
        axdr.structure(code("0000010000ff"), axdr.octet_string(time)),
        axdr.structure(code("0000600100ff"), axdr.octet_string(b"1234567890")),
        *(
            axdr.structure(code(name), axdr.double_long_unsigned(number), scaler_unit(-1, 27))
            for name, number in zip(CODES, numbers, strict=True)
        ),
    )


def kamstrup(numbers: list[int], time: bytes) -> bytes:
    pairs = (
        (code(name.replace("0100", "0101", 1)), axdr.double_long_unsigned(number))
        for name, number in zip(CODES, numbers, strict=True)
    )
    return axdr.structure(
        b"\x0a\x0eKamstrup_V0001",
        code("0101000001ff"),
        axdr.double_long_unsigned(numbers[0] | 1),
        code("0001010000ff"),
        axdr.octet_string(time),
        *(element for pair in pairs for element in pair),
    )


def push_list(numbers: list[int], time: bytes) -> bytes:
    names = ("0008190900ff", "0008190900ff", "0000010000ff", *CODES)
    kinds = (40, 40, 8, *(3 for _ in CODES))
    attributes = (2, 1, *(2 for _ in names[2:]))
    objects = axdr.array(
        *(
            axdr.structure(
                axdr.long_unsigned(kind), code(name), axdr.integer(attribute), axdr.long_unsigned(0)
            )
            for kind, name, attribute in zip(kinds, names, attributes, strict=True)
        )
    )
    values = map(axdr.double_long_unsigned, numbers)
    return axdr.structure(objects, code(names[0]), axdr.octet_string(time), *values)


def kaifa(numbers: list[int], time: bytes) -> bytes:
    texts = (b"KFM_001", b"6970631400000000", b"MA105H2E")
    return axdr.structure(
        *map(axdr.octet_string, texts),
        *map(axdr.double_long_unsigned, [*numbers, 2301]),
        axdr.octet_string(time),
        *map(axdr.double_long_unsigned, numbers[:4]),
    )


def notification(body: bytes, time: bytes, invoke_id: int) -> bytes:
    return b"\x0f" + struct.pack(">IB", invoke_id, len(time)) + time + body


def read(reader: NotificationReader, apdu: bytes) -> Reading | None:
    """Read a notification, and remember its layout."""
    reading = reader.read(apdu, TITLE)
    assert all(step is None for step in reader.learn_in_slices())
    return reading


@pytest.mark.parametrize("make", [entries, kamstrup, push_list, kaifa])
@pytest.mark.parametrize("has_date", [True, False])
def test_remembered_layouts_give_the_same(make: object, has_date: bool) -> None:
    assert callable(make)
    rng = random.Random(1)
    reader = NotificationReader()
    quick = 0
    for turn in range(300):
        time = encode_date_time(TIME.replace(minute=turn % 60, second=turn % 50))
        numbers = [rng.choice((0, 5, rng.randrange(1 << 32))) for _ in CODES]
        apdu = notification(make(numbers, time), time if has_date else b"", turn)
        wanted = decode_notification(apdu, TITLE)
        assert wanted is not None
        assert wanted.registers
        assert read(reader, apdu) == wanted
        layout = next(iter(reader._layouts.values()))
        quick += layout.read_again(apdu) == wanted
    assert quick == 300


def e450(numbers: list[int], time: bytes) -> bytes:
    pairs = (
        (code(name), axdr.double_long_unsigned(number))
        for name, number in zip(CODES, numbers, strict=True)
    )
    return axdr.structure(axdr.octet_string(time), *(element for pair in pairs for element in pair))


@pytest.mark.parametrize("make", [entries, kamstrup, push_list, kaifa, e450])
@pytest.mark.parametrize("has_date", [True, False])
def test_clock_without_seconds_is_no_time(make: object, has_date: bool) -> None:
    assert callable(make)
    reader = NotificationReader()
    exact = encode_date_time(TIME.replace(second=0))
    coarse = exact[:7] + b"\xff\xff" + exact[9:]
    numbers = [1, 2, 3, 4, 5]
    wanted = decode_notification(
        notification(make(numbers, exact), exact if has_date else b"", 1), TITLE
    )
    assert wanted is not None
    assert wanted.time == TIME.replace(second=0)
    for turn in (1, 2, 3):
        apdu = notification(make(numbers, coarse), coarse if has_date else b"", turn)
        reading = read(reader, apdu)
        assert reading is not None
        assert reading.time is None
        assert reading.registers == wanted.registers
    assert reader._layouts


def volts(*numbers: int) -> bytes:
    pairs = (
        (code(name), axdr.long_unsigned(number))
        for name, number in zip(("0101200700ff", "0101340700ff"), numbers, strict=True)
    )
    parts = (element for pair in pairs for element in pair)
    return notification(axdr.structure(b"\x0a\x0eKamstrup_V0001", *parts), b"", 1)


@pytest.mark.parametrize("first", [(231, 230), (23_112, 23_007), (23_112, 0)])
def test_the_scale_of_volts_is_judged_each_time(first: tuple[int, int]) -> None:
    reader = NotificationReader()
    for numbers in (first, first, (232, 229), (0, 0), (23_145, 23_001), (0, 23_001), (233, 228)):
        apdu = volts(*numbers)
        wanted = decode_notification(apdu, TITLE)
        assert wanted is not None
        scaler = -2 if max(numbers) > 1000 else 0
        assert [r.value for r in wanted.registers] == [scaled(n, scaler) for n in numbers]
        assert read(reader, apdu) == wanted
    assert reader._layouts


@pytest.mark.parametrize("make", [entries, kamstrup, push_list, kaifa])
def test_any_change_gives_the_same(make: object) -> None:
    assert callable(make)
    rng = random.Random(2)
    time = encode_date_time(TIME)
    apdu = notification(make([1, 20, 2300, 45, 123_456], time), time, 1)
    for _ in range(2000):
        reader = NotificationReader()
        read(reader, apdu)
        changed = bytearray(apdu)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(1, len(changed))] = rng.randrange(256)
        message = bytes(changed)
        try:
            wanted = decode_notification(message, TITLE)
        except TelegramError:
            with pytest.raises(TelegramError):
                reader.read(message, TITLE)
            continue
        assert reader.read(message, TITLE) == wanted
