"""The polled client at simulated meters: transports, addresses, authentications, round trips."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json
from typing import Any, override
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.meter import Obis
from custom_components.onemeter.meter.dlms.settings import (
    Authentication,
    Keys,
    Protection,
    Transport,
)
from custom_components.onemeter.meter.errors import MeterSilentError, NoRegisterError, RefusedError
from simulator import dlms
from simulator.dlms import (
    ClockStyle,
    Columns,
    Confirmation,
    DlmsMeter,
    ListTrouble,
    Parameters,
    Profile,
    axdr as simulated_axdr,
)
from simulator.dlms.ciphering import AUTHENTICATED, ENCRYPTED
from simulator.memory import MemoryBridge

from ...helpers.dlms_meters import (
    AUTHENTICATION_KEY,
    MECHANISMS,
    PASSWORD,
    TITLE,
    ciphered,
    client_at,
    gmac_client,
    plugged_in,
    value,
)

BERLIN = ZoneInfo("Europe/Berlin")
#: Time of the meters' clocks in tests of times, in seconds since 1970: a day of November, since the
#: clock without deviation shows standard time all year. And the whole hour before it.
TIME = 1_795_831_777
HOUR = datetime.fromtimestamp(TIME - TIME % 3600, BERLIN).replace(tzinfo=None)
UNKNOWN_ADDRESS: dict[str, Any] = {"logical_device": None, "address_length": None}


async def test_reading() -> None:
    meter = DlmsMeter(clock=lambda: TIME)
    async with plugged_in(meter) as line:
        client = client_at(line)
        reading = await client.read()
    assert reading.meter.meter_id == "12345678"
    assert reading.meter.manufacturer == "DMO"
    assert reading.time == datetime.fromtimestamp(TIME, UTC)
    total = reading.get(Obis.parse("1-0:1.8.0"))
    assert total is not None
    assert (total.unit, total.address) == ("Wh", "1-0:1.8.0*255")
    assert isinstance(total.value, int)
    assert isinstance(value(reading, "1-0:32.7.0"), Decimal)
    maximum = reading.get(Obis.parse("1-0:1.6.0"))
    assert maximum is not None
    assert maximum.time is not None
    assert value(reading, "1-0:0.2.0") == "1.00-DEMO"
    assert client.counters.good == 1
    assert client.duration is not None


@pytest.mark.parametrize("authentication", MECHANISMS)
@pytest.mark.parametrize("transport", [dlms.Transport.HDLC, dlms.Transport.WRAPPER])
async def test_authentications(authentication: Authentication, transport: dlms.Transport) -> None:
    options: dict[str, Any] = {"transport": transport}
    settings: dict[str, Any] = {"transport": Transport(transport.value)}
    if authentication is Authentication.HLS_GMAC:
        meter = ciphered(**options)
    else:
        meter = DlmsMeter(mechanism=MECHANISMS[authentication], secret=PASSWORD, **options)
        settings |= {"authentication": authentication, "password": PASSWORD, "system_title": TITLE}
    async with plugged_in(meter) as line:
        is_gmac = authentication is Authentication.HLS_GMAC
        client = (gmac_client if is_gmac else client_at)(line, **settings)
        for _ in range(2):
            assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


@pytest.mark.parametrize(
    ("protection", "policy"),
    [
        (Protection.AUTHENTICATED, AUTHENTICATED),
        (Protection.ENCRYPTED, ENCRYPTED),
        (Protection.BOTH, AUTHENTICATED | ENCRYPTED),
        (Protection.NONE, 0),
    ],
)
@pytest.mark.parametrize("dedicated_key", [False, True])
@pytest.mark.parametrize("suite", [0, 1, 2])
async def test_protections(
    protection: Protection, policy: int, dedicated_key: bool, suite: int
) -> None:
    keys = Keys(bytes(range(32)), bytes(range(32, 64))) if suite == 2 else None
    options: dict[str, Any] = {"suite": suite, "policy": policy}
    settings: dict[str, Any] = {
        "suite": suite,
        "protection": protection,
        "dedicated_key": dedicated_key,
    }
    if keys is not None:
        options |= {"encryption_key": keys.encryption, "authentication_key": keys.authentication}
        settings |= {"keys": keys}
    meter = ciphered(**options)
    async with plugged_in(meter) as line:
        assert isinstance(value(await gmac_client(line, **settings).read(), "1-0:1.8.0"), int)
    used = [(entry.key, entry.counter) for entry in meter.received_counters]
    assert len(used) == len(set(used))


async def test_who_takes_no_notice_of_parameters() -> None:
    meter = DlmsMeter(parameters=Parameters.IGNORED)
    async with plugged_in(meter) as line:
        client = client_at(line, **UNKNOWN_ADDRESS)
        for seconds in (5, 1):
            started = asyncio.get_running_loop().time()
            assert isinstance(value(await client.read(), "1-0:1.8.0"), int)
            assert asyncio.get_running_loop().time() - started < seconds


async def test_who_takes_no_notice_of_lists() -> None:
    meter = DlmsMeter(transport=dlms.Transport.WRAPPER, list_trouble=ListTrouble.SILENCE)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport.WRAPPER)
        for seconds in (12, 1):
            started = asyncio.get_running_loop().time()
            assert len((await client.read()).registers) > 25
            assert asyncio.get_running_loop().time() - started < seconds


@pytest.mark.parametrize("parameters", [kind for kind in Parameters if kind != Parameters.IGNORED])
@pytest.mark.parametrize("size", [1, 2, 4])
async def test_addresses_are_found_out(parameters: Parameters, size: int) -> None:
    meter = DlmsMeter(address_sizes=(size,), parameters=parameters, physical_device=16)
    async with plugged_in(meter) as line:
        client = client_at(line, **UNKNOWN_ADDRESS)
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)
        started = asyncio.get_running_loop().time()
        await client.read()
        assert asyncio.get_running_loop().time() - started < 1


@pytest.mark.parametrize("confirmation", Confirmation)
async def test_mode_e(confirmation: Confirmation) -> None:
    meter = DlmsMeter(transport=dlms.Transport.MODE_E, confirmation=confirmation)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport.MODE_E)
        for _ in range(2):
            assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


@pytest.mark.parametrize("transport", dlms.Transport)
async def test_transports_are_found_out(transport: dlms.Transport) -> None:
    meter = DlmsMeter(transport=transport)
    async with plugged_in(meter) as line:
        client = client_at(line)
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)
        assert client.memory.transport == transport.value.replace("-", "_")


@pytest.mark.parametrize(
    "options",
    [
        {"sends_parameters": False},
        {"max_information": 32},
        {"sends_protocol_version": True},
        {"hides_pending_authentication": True},
        {"answered_context": 3},
        {"list_trouble": ListTrouble.EXCEPTION},
        {"frames_in_a_row": 3},
        {"max_pdu": 64},
        {"conformance": dlms.acse.conformance("get", "block-transfer-with-get", "action")},
        {"faults": dlms.Faults(zero_numbers=10**6)},
        {"faults": dlms.Faults(notifications=5)},
        {"faults": dlms.Faults(trailing_bytes=50)},
        {"faults": dlms.Faults(busy=2, spared_answers=1)},
    ],
)
async def test_tolerance(options: dict[str, Any]) -> None:
    meter = DlmsMeter(mechanism=dlms.Mechanism.SHA1, secret=PASSWORD, **options)
    async with plugged_in(meter) as line:
        client = client_at(line, authentication=Authentication.HLS_SHA1, password=PASSWORD)
        for _ in range(2):
            reading = await client.read()
            assert isinstance(value(reading, "1-0:1.8.0"), int)
            assert len(reading.registers) > 25


async def test_frames_in_a_row_are_acknowledged_at_once() -> None:
    counts = []
    for in_a_row in (1, 7):
        meter = DlmsMeter(frames_in_a_row=in_a_row)
        async with plugged_in(meter) as line:
            assert isinstance(value(await client_at(line).read(), "1-0:1.8.0"), int)
        counts.append(meter.count("supervisory frame"))
    assert 0 < 6 * counts[1] <= counts[0]


@pytest.mark.parametrize("transport", [dlms.Transport.HDLC, dlms.Transport.WRAPPER])
async def test_who_takes_no_notice_of_a_farewell(transport: dlms.Transport) -> None:
    # Its counter is read by the public client, whose release request is not answered either.
    meter = ciphered(transport=transport, answers_release=False, client_counter=5000)
    async with plugged_in(meter) as line:
        client = gmac_client(line, transport=Transport(transport.value))
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)
        started = asyncio.get_running_loop().time()
        await client.read()
        assert asyncio.get_running_loop().time() - started < 1
    assert meter.count("release") == 1
    assert meter.count("stale counter") == 0


async def test_headers_come_back_as_they_were_sent() -> None:
    meter = DlmsMeter(transport=dlms.Transport.WRAPPER, mirrors_ports=True, client=32)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport.WRAPPER, client=32)
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


@pytest.mark.parametrize("is_known", [False, True])
async def test_who_needs_a_pause_between_connections(is_known: bool) -> None:
    meter = ciphered(transport=dlms.Transport.WRAPPER)
    async with plugged_in(meter) as line:
        assert isinstance(line, MemoryBridge)
        line.pause = 2
        client = gmac_client(line, transport=Transport.WRAPPER if is_known else None)
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


@pytest.mark.parametrize("protection", [Protection.AUTHENTICATED, Protection.BOTH])
async def test_answers_by_general_ciphering(protection: Protection) -> None:
    async with plugged_in(ciphered(answers_with_general_ciphering=True)) as line:
        client = gmac_client(line, protection=protection)
        assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


async def test_an_empty_object_list_tells_nothing() -> None:
    async with plugged_in(DlmsMeter(lists_objects=False)) as line:
        assert isinstance(value(await client_at(line).read(), "1-0:1.8.0"), int)


async def test_echo() -> None:
    async with plugged_in(DlmsMeter()) as line:
        line.echo = True
        assert isinstance(value(await client_at(line).read(), "1-0:1.8.0"), int)


async def test_later_polls_take_few_round_trips() -> None:
    meter = DlmsMeter(max_information=1024)
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        before = meter.count("get")
        registers = (await client.read()).registers
        gets = meter.count("get") - before
    # Without lists and remembered scalers it would be two requests per register.
    assert gets * 5 <= 2 * len(registers)


async def test_memory_survives() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        first = await client.read()
        kept = json.loads(json.dumps(client.findings()))
        other = client_at(line)
        other.restore(kept)
        before = meter.count("get")
        reading = await other.read()
        asked = meter.count("get") - before
    assert other.findings() == kept
    assert [r.obis for r in reading.registers] == [r.obis for r in first.registers]
    # The object list alone takes as many.
    assert asked < before / 2


@pytest.mark.parametrize(
    "damage",
    [
        {"transport": "pigeon"},
        {"address": "xy"},
        {"objects": [[3, 0, "0100"]]},
        {"objects": [[3, 0]]},
        {"objects": None},
    ],
)
async def test_memory_that_makes_no_sense_is_left_alone(damage: dict[str, Any]) -> None:
    async with plugged_in(DlmsMeter()) as line:
        client = client_at(line)
        await client.read()
        found = client.findings()
        client.restore({})
        client.restore({**found, **damage})
        assert client.findings() == found


async def test_name_that_is_not_always_told_is_kept() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        first = await client.read()
        del meter.objects["0-0:42.0.0*255"]
        reading = await client.read()
    assert reading.meter == first.meter
    assert first.meter.manufacturer is not None


async def test_another_meter_is_looked_at_anew() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        meter.serial = "87654321"
        del meter.objects["1-0:2.8.0*255"]
        reading = await client.read()
    assert reading.meter.meter_id == "87654321"
    assert reading.get(Obis.parse("1-0:2.8.0")) is None


async def test_watched_registers() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        own = (await client.read()).meter
        wanted = ["1-0:1.8.0*255", "1-0:16.7.0*255", "1-0:99.99.99*255"]
        async with aclosing(client.watch(wanted, 0)) as readings:
            for _ in range(4):
                reading = await anext(readings)
                assert [r.address for r in reading.registers] == wanted[:2]
                assert reading.meter == own
        with pytest.raises(NoRegisterError):
            await anext(client.watch(["1-0:99.99.99*255"], 0))


async def test_no_session_goes_on_with_another_meter() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        async with aclosing(client.watch(["1-0:1.8.0*255"], 0)) as readings:
            await anext(readings)
            meter.serial = "87654321"
            with pytest.raises(MeterSilentError):
                await anext(readings)
        assert (await client.read()).meter.meter_id == "87654321"


@pytest.mark.parametrize(("by_range", "by_entry"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("null_clock", [False, True])
@pytest.mark.parametrize("style", ClockStyle)
async def test_load_profile(
    by_range: bool, by_entry: bool, null_clock: bool, style: ClockStyle
) -> None:
    profile = Profile(by_range=by_range, by_entry=by_entry, null_clock=null_clock, days=2)
    meter = DlmsMeter(clock=lambda: TIME, profile=profile, max_information=1024, clock_style=style)
    async with plugged_in(meter) as line:
        client = client_at(line, invert_deviation=style is ClockStyle.INVERTED)
        start = HOUR - timedelta(hours=6)
        rows = await client.read_profile(start, HOUR, BERLIN)
    assert len(rows) == 24
    assert rows[0].start == start
    assert rows[-1].end == HOUR
    assert rows[-1].end_utc == HOUR.replace(tzinfo=BERLIN).astimezone(UTC)
    assert rows[-1].status == "00"
    assert {register.unit for row in rows for register in row.values} == {"Wh"}
    assert [str(register.obis) for register in rows[0].values] == list(profile.registers)


_TOTALS = {"1.8", "2.8"}


@pytest.mark.parametrize("by_column", Columns)
@pytest.mark.parametrize("null_clock", [False, True])
async def test_only_the_energies_of_a_load_profile(by_column: Columns, null_clock: bool) -> None:
    """Fewer columns take less time; meters that do not select any are read as a whole."""
    registers = ("1-0:32.7.0*255", "1-0:1.8.0*255", "1-0:16.7.0*255", "1-0:2.8.0*255")
    profile = Profile(registers=registers, by_column=by_column, null_clock=null_clock, days=2)
    meter = DlmsMeter(clock=lambda: TIME, profile=profile, max_information=1024)
    start = HOUR - timedelta(hours=6)
    sizes = []
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(2):
            received = client.counters.received
            whole = await client.read_profile(start, HOUR, BERLIN)
            size = client.counters.received - received
        for _ in range(3):
            received = client.counters.received
            rows = (await client.read_energy_profiles(start, HOUR, BERLIN)).intervals
            sizes.append(client.counters.received - received)
            assert [replace(row, values=()) for row in rows] == [
                replace(row, values=()) for row in whole
            ]
            for row, other in zip(rows, whole, strict=True):
                energies = [value for value in other.values if str(value.obis)[4:7] in _TOTALS]
                assert [value for value in row.values if value in energies] == energies
                assert len(row.values) == (2 if by_column is Columns.SELECTED else 4)
    if by_column is Columns.SELECTED:
        # 24 rows and the margins at both ends, with at least two columns of two bytes less.
        assert sizes[-1] <= size - 24 * 4
    else:
        # The second time, columns are not selected any more.
        assert sizes[-1] == sizes[-2] <= sizes[0]


@pytest.mark.parametrize(("by_range", "by_entry"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("null_clock", [False, True])
async def test_load_profile_that_begins_with_the_newest(
    by_range: bool, by_entry: bool, null_clock: bool
) -> None:
    options: dict[str, Any] = {"by_range": by_range, "by_entry": by_entry, "days": 2}
    found = []
    for newest_first in (False, True):
        profile = Profile(newest_first=newest_first, null_clock=null_clock, **options)
        meter = DlmsMeter(clock=lambda: TIME, profile=profile, max_information=1024)
        async with plugged_in(meter) as line:
            found.append(
                await client_at(line).read_profile(HOUR - timedelta(hours=6), HOUR, BERLIN)
            )
    assert len(found[0]) == 24
    assert [row.end for row in found[1]] == [row.end for row in found[0]]
    assert [row.end_utc for row in found[1]] == [row.end_utc for row in found[0]]


async def test_load_profile_beside_one_of_days() -> None:
    meter = DlmsMeter(clock=lambda: TIME, profile=Profile(days=1), max_information=1024)
    quarters = meter.objects["1-0:99.1.0*255"]
    days = {**quarters.attributes, 4: lambda _: dlms.axdr.u32(86_400)}
    meter.objects["1-0:99.1.0*255"] = replace(quarters, attributes=days)
    meter.objects["1-0:99.2.0*255"] = replace(quarters, code="1-0:99.2.0*255")
    async with plugged_in(meter) as line:
        rows = await client_at(line).read_profile(HOUR - timedelta(hours=1), HOUR, BERLIN)
    assert [row.end - row.start for row in rows] == 4 * [timedelta(minutes=15)]


@pytest.mark.parametrize("first", [True, False])
async def test_load_profile_beside_one_of_power_quality(first: bool) -> None:
    """Meters list them in any order; voltages are no energy."""
    meter = DlmsMeter(clock=lambda: TIME, profile=Profile(days=1), max_information=1024)
    energy = meter.objects.pop("1-0:99.1.0*255")
    voltages = Profile(registers=("1-0:32.7.0*255",)).capture_objects()
    quality = replace(
        energy,
        code="1-0:99.14.0*255",
        attributes={**energy.attributes, 3: lambda _: voltages},
    )
    profiles = [replace(energy, code="1-1:99.2.0*255"), quality]
    for profile in profiles if first else reversed(profiles):
        meter.objects[profile.code] = profile
    async with plugged_in(meter) as line:
        rows = await client_at(line).read_profile(HOUR - timedelta(hours=1), HOUR, BERLIN)
    assert {register.address for row in rows for register in row.values} == {
        "1-0:1.8.0*255",
        "1-0:2.8.0*255",
    }


class RowsInRangesOnly(Profile):
    """A profile that has rows in answer to a range only."""

    def ends(self, now: int, first: int | None = None, last: int | None = None) -> list[int]:
        return [] if first is None else super().ends(now, first, last)


async def test_load_profile_of_a_meter_that_wants_the_deviation() -> None:
    profile = RowsInRangesOnly(days=1, wants_deviation=True)
    meter = DlmsMeter(clock=lambda: TIME, profile=profile, max_information=1024)
    async with plugged_in(meter) as line:
        rows = await client_at(line).read_profile(HOUR - timedelta(hours=1), HOUR, BERLIN)
    assert len(rows) == 4


async def test_load_profile_of_days_where_there_is_no_other() -> None:
    meter = DlmsMeter(clock=lambda: TIME, profile=Profile(days=1), max_information=1024)
    quarters = meter.objects.pop("1-0:99.1.0*255")
    days = {**quarters.attributes, 4: lambda _: dlms.axdr.u32(86_400)}
    meter.objects["1-0:99.2.0*255"] = replace(quarters, code="1-0:99.2.0*255", attributes=days)
    async with plugged_in(meter) as line:
        rows = await client_at(line).read_profile(HOUR - timedelta(hours=1), HOUR, BERLIN)
    assert {row.end - row.start for row in rows} == {timedelta(days=1)}


async def test_no_load_profile() -> None:
    meter = DlmsMeter()
    del meter.objects["1-0:99.1.0*255"]
    async with plugged_in(meter) as line:
        with pytest.raises(RefusedError):
            await client_at(line).read_profile(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001


async def test_objects() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        found = {str(entry.obis): entry for entry in await client_at(line).objects()}
    assert set(meter.objects) <= set(found)
    assert found["1-0:1.8.0*255"].unit == "Wh"
    assert found["0-0:1.0.0*255"].class_id == 8
    assert isinstance(found["0-0:1.0.0*255"].value, datetime)


async def test_objects_without_scaler() -> None:
    meter = DlmsMeter()
    total = meter.objects["1-0:1.8.0*255"]
    meter.objects["1-0:1.8.0*255"] = replace(total, attributes={2: total.attributes[2]})
    async with plugged_in(meter) as line:
        found = {str(entry.obis): entry for entry in await client_at(line).objects()}
    assert found["1-0:1.8.0*255"].value is None
    assert "scaler" in (found["1-0:1.8.0*255"].refusal or "")


def test_what_is_missing_is_told_at_once() -> None:
    line = type("Nowhere", (), {"url": "/dev/null"})()
    for settings in (
        {"authentication": Authentication.LLS},
        {"authentication": Authentication.HLS_GMAC, "system_title": TITLE},
        {"keys": Keys(AUTHENTICATION_KEY)},
    ):
        with pytest.raises(ValueError, match="needs"):
            client_at(line, **settings)


class UnixProfile(Profile):
    """A profile with time stamps in seconds since 1970."""

    @override
    def _rows(self, registers: Any, style: Any, ends: Any, columns: Any) -> Iterator[bytes]:
        for end in ends:
            amounts = (simulated_axdr.u32(registers.captured(code, end)) for code in self.registers)
            yield simulated_axdr.structure(simulated_axdr.u32(end), *amounts)


async def test_profile_with_time_stamps_in_utc() -> None:
    """The span is in local time all the same."""
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 7, 2, 18, 1, tzinfo=zone)
    profile = UnixProfile(registers=("1-0:1.8.0*255",), with_status=False)
    meter = DlmsMeter(profile=profile, clock=now.timestamp)
    end = datetime(2026, 7, 2, 16)  # noqa: DTZ001 - the meter's local time
    async with plugged_in(meter) as line:
        rows = await client_at(line).read_profile(end - timedelta(hours=3), end, zone)
    first = datetime(2026, 7, 2, 11, 15, tzinfo=UTC)
    quarters = [first + number * timedelta(minutes=15) for number in range(12)]
    assert [row.end_utc for row in rows] == quarters
