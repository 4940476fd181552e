"""Meters on the M-Bus of a polled meter, at a simulated line."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, override
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Identity, Obis, Reading
from custom_components.onemeter.meter.dlms.apdu.axdr import decode
from custom_components.onemeter.meter.dlms.apdu.data_types import Data
from custom_components.onemeter.meter.dlms.cosem import (
    CosemObject,
    ObjectClass,
    accessible_objects,
)
from custom_components.onemeter.meter.dlms.mbus_clients import (
    MbusClient,
    device_type_of,
    manufacturer_of,
    number_of,
    registers_of_client,
)
from custom_components.onemeter.meter.dlms.memory import Memory
from custom_components.onemeter.meter.errors import TelegramError
from simulator.dlms import DlmsMeter, MbusMeter, Profile, services
from simulator.dlms.mbus import WATER

from ...helpers.dlms_meters import client_at, plugged_in, value

NOON = 1_790_000_000
ZONE = ZoneInfo("Europe/Berlin")
GAS = MbusMeter()
WATER_METER = MbusMeter(
    channel=2, number="00004711", manufacturer="KAM", device_type=WATER, first=50_000
)
FREE = MbusMeter(channel=3, number="", manufacturer="", device_type=0)


def meter_with(*others: MbusMeter, **settings: object) -> DlmsMeter:
    return DlmsMeter(mbus=others, clock=lambda: NOON, **settings)  # type: ignore[arg-type]


async def read(*meters: DlmsMeter) -> list[Reading]:
    """Return the readings of one client; the meter may be another one each time."""
    first, *others = meters
    async with plugged_in(first) as line:
        client = client_at(line)
        readings = [await client.read()]
        for meter in others:
            first.mbus = meter.mbus
            vars(first).pop("objects", None)
            vars(first).pop("base_names", None)
            readings.append(await client.read())
    return readings


def values(reading: Reading, *groups: str) -> list[object]:
    found = (reading.get(Obis.parse(code)) for code in groups)
    return [None if register is None else register.value for register in found]


@pytest.mark.parametrize("short_names", [False, True])
async def test_meters_at_the_channels(short_names: bool) -> None:
    [reading] = await read(meter_with(GAS, WATER_METER, FREE, short_names=short_names))
    assert values(reading, "0-1:24.1.0", "0-1:96.1.0") == [3, "DMO90123456"]
    assert values(reading, "0-2:24.1.0", "0-2:96.1.0") == [7, "KAM00004711"]
    assert values(reading, "0-3:24.1.0", "0-3:96.1.0", "0-3:24.2.1") == [0, None, None]
    for meter in (GAS, WATER_METER):
        total = reading.get(Obis.parse(meter.total_code))
        assert total is not None
        assert total.value == Decimal(meter.captured("", NOON)).scaleb(-3)
        assert total.unit == "m³"
        assert total.time is not None
        assert total.time.timestamp() == NOON - NOON % 3600


async def test_what_the_meter_does_not_answer_is_left_out() -> None:
    part = MbusMeter(missing=frozenset({6, 7}))
    other = replace(WATER_METER, missing=frozenset({7}))
    third = replace(GAS, channel=3, missing=frozenset({9}))
    for reading in await read(*[meter_with(part, other, third)] * 3):
        assert values(reading, "0-1:24.1.0", "0-1:96.1.0") == [3, None]
        assert values(reading, "0-2:24.1.0", "0-2:96.1.0") == [7, "00004711"]
        assert values(reading, "0-3:24.1.0", "0-3:96.1.0") == [None, "DMO90123456"]
        assert value(reading, GAS.total_code) is not None


async def test_id_in_an_object_of_its_own_is_taken() -> None:
    [reading] = await read(meter_with(replace(GAS, has_id_object=True)))
    ids = [register for register in reading.registers if register.obis == (0, 1, 96, 1, 0, 255)]
    assert [register.value for register in ids] == ["G0000000090123456"]


async def test_static_attributes_are_read_once_and_when_the_number_changes() -> None:
    meter = meter_with(GAS)
    readings = await read(meter, meter)
    assert readings[0].registers == readings[1].registers
    replaced = replace(GAS, number="55555555", manufacturer="ELS")
    readings = await read(meter_with(GAS), meter_with(GAS), meter_with(replaced))
    assert [values(reading, "0-1:96.1.0") for reading in readings] == [
        ["DMO90123456"],
        ["DMO90123456"],
        ["ELS55555555"],
    ]


async def test_number_that_is_refused_for_now() -> None:
    refused = replace(GAS, missing=frozenset({6}))
    replaced = replace(GAS, number="55555555")
    readings = await read(*map(meter_with, (GAS, refused, GAS, refused, replaced)))
    assert [values(reading, "0-1:96.1.0") for reading in readings] == [
        *[["DMO90123456"]] * 4,
        ["DMO55555555"],
    ]


async def test_requests_of_later_readings() -> None:
    """Only the identification number is read again."""
    asked: list[int] = []

    def attribute(number: int, encoded: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def answer(now: int) -> bytes:
            asked.append(number)
            return encoded(now)

        return answer

    meter = meter_with(GAS)
    client = meter.objects["0-1:24.1.0*255"]
    watched = {number: attribute(number, found) for number, found in client.attributes.items()}
    meter.objects["0-1:24.1.0*255"] = replace(client, attributes=watched)
    async with plugged_in(meter) as line:
        reader = client_at(line)
        await reader.read()
        assert sorted(asked) == [6, 7, 9]
        asked.clear()
        await reader.read()
    assert asked == [6]


def test_stored_objects_of_an_earlier_version_are_read_again() -> None:
    memory = Memory()
    memory.meter = Identity("12345678", "DMO")
    memory.objects = (CosemObject(ObjectClass.MBUS_CLIENT, 1, Obis(0, 1, 24, 1, 0)),)
    stored = memory.as_json()
    again = Memory()
    again.restore(stored)
    assert again.objects == memory.objects
    del stored["selection"]
    again.restore(stored)
    assert again.objects is None
    assert again.meter == memory.meter


@pytest.mark.parametrize(
    ("data", "number", "manufacturer", "device_type"),
    [
        (0x90123456, "90123456", None, None),
        (0x00004711, "00004711", "QXQ", None),
        (0, None, None, 0),
        (3, "00000003", None, 3),
        # Not BCD; more than eight digits; other types.
        (0x9012345A, None, None, None),
        (0x1_9012_3456, None, None, None),
        (-1, None, None, None),
        (True, None, None, None),
        ("90123456", None, None, None),
        (bytes.fromhex("90123456"), None, None, None),
        (None, None, None, None),
        ([3], None, None, None),
        # KAM, and KAM with an address that is not unique.
        (0x2C2D, None, "KAM", None),
        (0xAC2D, None, "KAM", None),
        # Letters beyond Z.
        (0x7FFF, None, None, None),
    ],
)
def test_decoding(
    data: object, number: str | None, manufacturer: str | None, device_type: int | None
) -> None:
    found = (number_of(data), manufacturer_of(data), device_type_of(data))  # type: ignore[arg-type]
    assert found == (number, manufacturer, device_type)


def mutated(data: bytes, changes: Sequence[tuple[int, int]], end: int) -> bytes:
    changed = bytearray(data)
    for place, bits in changes:
        changed[place % len(data)] ^= bits
    return bytes(changed[: end % len(data) + 1])


ENCODED = [
    found(NOON) for found in next(iter(GAS.objects(DlmsMeter().clock_style))).attributes.values()
]


@given(
    st.lists(st.sampled_from(ENCODED), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 255)), max_size=4),
    st.integers(0, 40),
)
def test_any_mutation_gives_a_value_or_our_error(
    encoded: list[bytes], changes: list[tuple[int, int]], end: int
) -> None:
    try:
        data = [decode(mutated(item, changes, end), 0)[0] for item in encoded]
    except TelegramError:
        return
    client = MbusClient(number_of(data[0]), manufacturer_of(data[1]), device_type_of(data[2]))
    for register in registers_of_client(Obis(0, 1, 24, 1, 0), client, has_id=False):
        if isinstance(register.value, int):
            assert 0 <= register.value <= 255
        else:
            assert isinstance(register.value, str)
            assert register.value[-8:].isdecimal()
            assert len(register.value) in {8, 11}
            assert register.value[:-8].isalpha() or len(register.value) == 8


@pytest.mark.parametrize(("rights", "is_read"), [({2: 0, 6: 1}, True), ({2: 1, 6: 0}, False)])
def test_access_rights_are_those_of_the_number(rights: dict[int, int], is_read: bool) -> None:
    access: list[Data] = [(number, mode, None) for number, mode in rights.items()]
    element: Data = (72, 1, bytes(Obis(0, 1, 24, 1, 0)), (access, []))
    [found] = accessible_objects([element])
    assert (found is not None) is is_read


class WithoutRows(MbusMeter):
    """A meter whose profile the electricity meter refuses."""

    @property
    @override
    def profile(self) -> Profile:
        return replace(super().profile, by_range=False, by_entry=False)


class Daily(MbusMeter):
    """A meter whose profile has a row each day."""

    @property
    @override
    def profile(self) -> Profile:
        return replace(super().profile, period=86_400)


@pytest.mark.parametrize(
    ("gas", "expected", "missing"),
    [
        (GAS, {"1-0:1.8.0*255": 24 * 4, "0-1:24.2.1*255": 24, "0-2:24.2.1*255": 24}, set()),
        (WithoutRows(), {"1-0:1.8.0*255": 24 * 4, "0-2:24.2.1*255": 24}, {1}),
        (Daily(), {"1-0:1.8.0*255": 24 * 4, "0-2:24.2.1*255": 24}, set()),
    ],
)
async def test_profiles_of_a_day(
    gas: MbusMeter, expected: dict[str, int], missing: set[int]
) -> None:
    meter = meter_with(gas, WATER_METER, FREE)
    if isinstance(gas, WithoutRows):
        entry = meter.objects[gas.profile_code]
        attributes = {number: found for number, found in entry.attributes.items() if number != 2}
        meter.objects[gas.profile_code] = replace(entry, attributes=attributes)
    day = datetime.fromtimestamp(NOON, ZONE).replace(hour=0, minute=0, second=0, tzinfo=None)
    async with plugged_in(meter) as line:
        client = client_at(line)
        found = await client.read_energy_profiles(day - timedelta(days=1), day, ZONE)
        own = await client.read_profile(day - timedelta(days=1), day, ZONE)
    rows = [*found.intervals, *found.mbus]
    assert found.missing == missing
    assert own == found.intervals
    assert Counter(str(row.values[0].obis) for row in rows) == expected
    for row in rows:
        assert row.end_utc is not None
        if (source := {1: GAS, 2: WATER_METER}.get(row.values[0].obis.b)) is not None:  # type: ignore[union-attr]
            number = source.captured("", int(row.end_utc.timestamp()))
            assert row.values[0].value == Decimal(number).scaleb(-3)
            assert (row.values[0].unit, row.end - row.start) == ("m³", timedelta(hours=1))


class Trouble(StrEnum):
    """What a meter does when an attribute of an M-Bus client, or a profile, is read."""

    EXCEPTION = "exception"
    DROPPED_ASSOCIATION = "dropped association"
    SILENCE = "silence"
    HANG_UP = "hang up"
    NO_DATA = "no data"


def make_trouble(
    meter: DlmsMeter, code: str, number: int, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let an attribute of an object make trouble, whenever it is read."""
    sessions: list[services.Services] = []
    begin = services.Services.__init__

    def begin_noted(self: services.Services, *arguments: Any, **settings: Any) -> None:
        begin(self, *arguments, **settings)
        sessions.append(self)

    monkeypatch.setattr(services.Services, "__init__", begin_noted)

    def answer(_now: int) -> bytes:
        if trouble is Trouble.SILENCE:
            raise services.SilentError
        if trouble is Trouble.HANG_UP:
            raise services.HangUpError
        if trouble is Trouble.NO_DATA:
            return b"\xee"
        sessions[-1].is_dropped = trouble is Trouble.DROPPED_ASSOCIATION
        raise services.not_allowed()

    entry = meter.objects[code]
    meter.objects[code] = replace(entry, attributes={**entry.attributes, number: answer})


@pytest.mark.parametrize("short_names", [False, True])
@pytest.mark.parametrize("number", [6, 7, 9])
@pytest.mark.parametrize("trouble", Trouble)
async def test_reading_is_not_lost(
    trouble: Trouble, number: int, short_names: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first one, nor later ones, nor the first one after a restart."""
    meter = meter_with(GAS, WATER_METER, short_names=short_names)
    make_trouble(meter, "0-1:24.1.0*255", number, trouble, monkeypatch)
    async with plugged_in(meter) as line:
        client = client_at(line)
        readings = [await client.read(), await client.read()]
        again = client_at(line)
        again.restore(client.findings())
        readings.append(await again.read())
    for reading in readings:
        for code in ("1-0:1.8.0*255", GAS.total_code, WATER_METER.total_code):
            assert value(reading, code) is not None
        assert values(reading, "0-1:96.1.0")[0] in {None, "90123456", "DMO90123456"}
        assert values(reading, "0-2:96.1.0")[0] in {None, "KAM00004711"}
        assert values(reading, "0-1:24.1.0")[0] in {None, 3}


async def test_meters_are_unknown_once_the_meter_does_not_answer_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = meter_with(GAS)
    async with plugged_in(meter) as line:
        client = client_at(line)
        assert values(await client.read(), "0-1:96.1.0") == ["DMO90123456"]
        make_trouble(meter, "0-1:24.1.0*255", 6, Trouble.HANG_UP, monkeypatch)
        reading = await client.read()
        assert values(reading, "0-1:96.1.0", "0-1:24.1.0") == [None, None]
        assert value(reading, GAS.total_code) is not None


@pytest.mark.parametrize("attribute", [6, 7])
async def test_what_all_channels_refuse_is_not_asked_for_one_by_one(attribute: int) -> None:
    refused = frozenset({attribute, 9})
    meter = meter_with(*(replace(other, missing=refused) for other in (GAS, WATER_METER, FREE)))
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        before = meter.count("get")
        await client.read()
    assert meter.count("get") == before


async def test_maker_and_medium_that_come_later() -> None:
    """The meter knows the number from its configuration, and the rest from the first telegram."""
    unheard = replace(GAS, manufacturer="", device_type=0)
    readings = await read(meter_with(unheard), meter_with(unheard), meter_with(GAS))
    assert [values(reading, "0-1:24.1.0", "0-1:96.1.0") for reading in readings] == [
        [0, "90123456"],
        [0, "90123456"],
        [3, "DMO90123456"],
    ]


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("trouble", Trouble)
async def test_load_profile_is_not_lost(
    trouble: Trouble, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = meter_with(GAS, WATER_METER)
    make_trouble(meter, GAS.profile_code, number, trouble, monkeypatch)
    day = datetime.fromtimestamp(NOON, ZONE).replace(hour=0, minute=0, second=0, tzinfo=None)
    async with plugged_in(meter) as line:
        client = client_at(line)
        found = await client.read_energy_profiles(day - timedelta(hours=3), day, ZONE)
    counts = Counter(str(row.values[0].obis) for row in (*found.intervals, *found.mbus))
    read = {other.channel for other in meter.mbus if counts[other.total_code] == 3}
    assert counts["1-0:1.8.0*255"] == 3 * 4
    assert counts.total() == 3 * 4 + 3 * len(read)
    assert found.missing == {1, 2} - read


@pytest.mark.parametrize("trouble", [Trouble.SILENCE, Trouble.HANG_UP])
async def test_profile_that_ends_sessions_for_some_time(
    trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again some minutes later, at the cost of one session if that fails."""
    meter = meter_with(GAS, WATER_METER)
    good = meter.objects[GAS.profile_code]
    day = datetime.fromtimestamp(NOON, ZONE).replace(hour=0, minute=0, second=0, tzinfo=None)
    missing: list[frozenset[int]] = []
    sessions: list[int] = []
    async with plugged_in(meter) as line:
        client = client_at(line)
        make_trouble(meter, GAS.profile_code, 3, trouble, monkeypatch)
        for pause in (0, 10, 300, 10, 300):
            await asyncio.sleep(pause)
            if len(missing) == 4:
                meter.objects[GAS.profile_code] = good
            before = meter.count("association")
            found = await client.read_energy_profiles(day - timedelta(hours=3), day, ZONE)
            assert len(found.intervals) == 3 * 4
            missing.append(found.missing)
            sessions.append(meter.count("association") - before)
    assert missing == [{1}, {1}, {1}, {1}, set()]
    assert sessions == [3, 1, 2, 1, 1]
