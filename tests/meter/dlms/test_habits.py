"""Meters with deviating behaviour: the first reading, the second one, and one after a restart."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.meter import Obis, Reading
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.cosem import CosemObject
from custom_components.onemeter.meter.dlms.object_selection import readable
from custom_components.onemeter.meter.dlms.settings import Authentication, Transport
from custom_components.onemeter.meter.errors import (
    CounterNeededError,
    InvocationCounterError,
    RefusedError,
)
from simulator import dlms
from simulator.dlms import (
    ALWAYS,
    AUTHENTICATED,
    ENCRYPTED,
    HABITS,
    DlmsMeter,
    Faults,
    Profile,
    set_habit,
)
from simulator.memory import MemoryBridge, MemoryLine

from ...helpers.dlms_meters import (
    MemoryCounter,
    ciphered,
    client_at,
    gmac_client,
    plugged_in,
    serving,
    value,
)

TOTAL = "1-0:1.8.0"
BERLIN = ZoneInfo("Europe/Berlin")
PASSWORD = b"12345678"
#: Time of the meter's clock, in seconds since 1970.
TIME = 1_795_831_777
#: Those that show in the first reading only; in later ones they are begun anew.
PASSING = ("drops-association", "one-exception", "passing-result", "object-list-later")
#: Seconds that a reading may take, including the first one.
LONGEST = 40


def with_habit(name: str, **options: Any) -> DlmsMeter:
    meter = DlmsMeter(max_information=1024, **options)
    set_habit(meter, name)
    return meter


def restarted(line: MemoryLine, client: DlmsClient, **settings: Any) -> DlmsClient:
    """Return a client with the discoveries of the other one."""
    other = client_at(line, **settings)
    other.restore(json.loads(json.dumps(client.findings())))
    return other


async def codes(client: DlmsClient) -> list[Obis]:
    """Return the codes of a reading, which must not take too long."""
    begun = asyncio.get_running_loop().time()
    reading = await client.read()
    assert asyncio.get_running_loop().time() - begun < LONGEST
    return sorted({register.obis for register in reading.registers if register.obis})


async def usual() -> list[Obis]:
    async with plugged_in(DlmsMeter()) as line:
        return await codes(client_at(line))


@pytest.mark.parametrize("transport", [dlms.Transport.HDLC, dlms.Transport.WRAPPER])
@pytest.mark.parametrize("habit", HABITS)
async def test_every_register_is_read(habit: str, transport: dlms.Transport) -> None:
    expected = await usual()
    meter = with_habit(habit, transport=transport)
    settings: dict[str, Any] = {
        "transport": Transport(transport.value),
        "logical_device": meter.logical_device,
    }
    async with plugged_in(meter) as line:
        client = client_at(line, **settings)
        first = await codes(client)
        second = await codes(client)
        third = await codes(restarted(line, client, **settings))
    assert Obis.parse(TOTAL) in first
    if habit not in {"passing-result", "object-list-later"}:
        assert set(expected) <= set(first)
    assert set(expected) <= set(second)
    assert second == third


@pytest.mark.parametrize("transport", [dlms.Transport.HDLC, dlms.Transport.WRAPPER])
@pytest.mark.parametrize("habit", PASSING)
async def test_what_passes_is_never_remembered(habit: str, transport: dlms.Transport) -> None:
    expected = await usual()
    meter = DlmsMeter(transport=transport, max_information=1024)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport(transport.value))
        assert await codes(client) == expected
        # In the first and in the second request of a reading.
        for _ in range(3):
            set_habit(meter, habit)
            assert Obis.parse(TOTAL) in await codes(client)
            assert await codes(client) == expected


async def test_times_that_are_encoded_twice_in_lists() -> None:
    meter = with_habit("wraps-times-in-lists", clock=lambda: TIME)
    async with plugged_in(meter) as line:
        reading = await client_at(line).read()
    assert meter.count("get list")
    assert reading.time == datetime.fromtimestamp(TIME, UTC)
    maximum = reading.get(Obis.parse("1-0:1.6.0"))
    assert maximum is not None
    assert maximum.time is not None


async def test_exceptions_without_end_are_an_error() -> None:
    meter = DlmsMeter(faults=Faults(exceptions=ALWAYS))
    async with plugged_in(meter) as line:
        client = client_at(line)
        with pytest.raises(RefusedError):
            await client.read()
        assert meter.count("association") <= 5
        meter.faults = Faults()
        assert await codes(client) == await usual()


async def test_exceptions_of_one_object_end_no_session() -> None:
    """The meter sends one for each object that it lacks; the association continues."""
    expected = await usual()
    meter = DlmsMeter(unknown_is_exception=True, lists_objects=False, max_information=1024)
    async with plugged_in(meter) as line:
        client = client_at(line)
        first = await client.read()
        before = meter.count("association")
        second = await client.read()
        assert meter.count("association") == before + 1
    total = value(first, TOTAL)
    assert isinstance(total, int)
    # The meter may have counted one more meanwhile.
    assert value(second, TOTAL) in (total, total + 1)
    assert len(second.registers) == len(first.registers) > len(expected) / 2


async def test_a_guess_is_never_kept() -> None:
    meter = with_habit("object-list-later")
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        assert client.findings()["objects"] == []
        await client.read()
        assert client.findings()["objects"]


@pytest.mark.parametrize(
    ("habit", "size"),
    [
        ("ignores-lists", 1),
        ("hangs-up-on-lists", 1),
        ("ignores-lists-over-5", 5),
        ("hangs-up-on-lists-over-5", 5),
        ("ignores-lists-over-10", 10),
        ("cuts-lists-over-10", 10),
    ],
)
async def test_the_size_of_lists_is_kept(habit: str, size: int) -> None:
    meter = with_habit(habit)
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        assert client.findings()["list_size"] == size
        troubles = meter.count("list trouble")
        assert troubles == 1
        await client.read()
        await restarted(line, client).read()
        assert meter.count("list trouble") == troubles


async def test_one_list_that_gets_no_answer_changes_nothing() -> None:
    meter = DlmsMeter(max_information=1024)
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        set_habit(meter, "hangs-up-on-lists")
        meter.faults.list_troubles = 1
        assert isinstance(value(await client.read(), TOTAL), int)
        assert meter.count("hung up") == 1
        assert client.findings()["list_size"] == 64


async def test_a_list_that_is_too_long_later() -> None:
    expected = await usual()
    meter = DlmsMeter(max_information=1024)
    async with plugged_in(meter) as line:
        client = client_at(line)
        await client.read()
        set_habit(meter, "ignores-lists-over-5")
        assert await codes(client) == expected
        assert client.findings()["list_size"] == 5


async def test_what_the_meter_does_not_list_is_asked_for_alone() -> None:
    meter = with_habit("ignores-lists-with-unknown-objects")
    del meter.objects["0-0:42.0.0*255"]
    async with plugged_in(meter) as line:
        client = client_at(line)
        readings: list[Reading] = [await client.read() for _ in range(2)]
        assert meter.count("list trouble") == 0
        assert client.findings()["list_size"] == 64
    assert {reading.meter.meter_id for reading in readings} == {"12345678"}


@pytest.mark.parametrize("habit", [None, "breaks-on-hdlc"])
async def test_the_wrapper_comes_first_in_the_network(habit: str | None) -> None:
    meter = DlmsMeter(transport=dlms.Transport.WRAPPER)
    if habit is not None:
        set_habit(meter, habit)
    async with plugged_in(meter) as line:
        client = client_at(line)
        for each in (client, client, restarted(line, client)):
            assert isinstance(value(await each.read(), TOTAL), int)
        assert client.memory.transport is Transport.WRAPPER


async def test_no_association_is_left_to_a_meter_that_serves_one_client() -> None:
    meter = with_habit(
        "keeps-associations",
        transport=dlms.Transport.WRAPPER,
        mechanism=dlms.Mechanism.LLS,
        secret=PASSWORD,
    )
    access: dict[str, Any] = {"authentication": Authentication.LLS, "password": PASSWORD}
    async with plugged_in(meter) as line:
        client = client_at(line, **access)
        for each in (client, client, restarted(line, client, **access)):
            assert isinstance(value(await each.read(), TOTAL), int)
    assert meter.count("other client") == 0


@pytest.mark.parametrize(("speed", "longest"), [(None, 0.5), (9600, 10), (1200, 60)])
async def test_hdlc_behind_a_bridge(speed: int | None, longest: float) -> None:
    """A network has no wire time, and a slow line behind a bridge does not cause timeouts."""
    meter = DlmsMeter()
    async with MemoryBridge(speed) as line, serving(line, meter):
        client = client_at(line)
        await client.read()
        assert client.memory.transport is Transport.HDLC
        begun = asyncio.get_running_loop().time()
        assert isinstance(value(await client.read(), TOTAL), int)
        assert asyncio.get_running_loop().time() - begun < longest
        assert meter.count("repetition") == 0


async def watched(client: DlmsClient, interval: float, count: int) -> list[float]:
    """Return when live values arrived, in seconds after the first one."""
    loop, times = asyncio.get_running_loop(), list[float]()
    async with aclosing(client.watch([f"{TOTAL}*255"], interval)) as readings:
        async for reading in readings:
            assert [register.address for register in reading.registers] == [f"{TOTAL}*255"]
            times.append(loop.time())
            if len(times) == count:
                break
    return [time - times[0] for time in times]


@pytest.mark.parametrize("transport", [dlms.Transport.HDLC, dlms.Transport.WRAPPER])
async def test_a_live_session_is_opened_again_at_once(transport: dlms.Transport) -> None:
    meter = with_habit("forgets-associations", transport=transport)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport(transport.value))
        await client.read()
        times = await watched(client, 30, 5)
    assert times == pytest.approx([0, 30, 60, 90, 120], abs=4)


@pytest.mark.parametrize("habit", ["forgets-associations", "hangs-up-after-15-s"])
async def test_a_live_session_is_kept_in_the_wrapper(habit: str) -> None:
    meter = with_habit(habit, transport=dlms.Transport.WRAPPER)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=Transport.WRAPPER)
        await client.read()
        before = meter.count("association")
        times = await watched(client, 100, 4)
        assert meter.count("association") == before + 1
    assert times == pytest.approx([0, 100, 200, 300], abs=1)


@pytest.mark.parametrize("echo", [False, True])
async def test_client_and_meter_have_the_same_address(echo: bool) -> None:
    """The meter's RR equals the one that it answers, but is no echo."""
    meter = DlmsMeter(address_sizes=(1,))
    async with plugged_in(meter) as line:
        line.echo = echo
        client = client_at(line)
        before = await client.read()
        times = await watched(client, 50, 4)
        assert meter.count("repetition") == 0
    assert before.registers
    assert times == pytest.approx([0, 50, 100, 150], abs=1)


@pytest.mark.parametrize("habit", ["address-16", "address-17"])
async def test_usual_addresses_of_one_byte_are_found_out(habit: str) -> None:
    meter = with_habit(habit)
    async with plugged_in(meter) as line:
        client = client_at(line, logical_device=None, address_length=None)
        for each in (client, client, restarted(line, client, logical_device=None)):
            assert isinstance(value(await each.read(), TOTAL), int)


async def test_the_proof_is_under_the_global_key() -> None:
    meter = ciphered(policy=AUTHENTICATED | ENCRYPTED)
    set_habit(meter, "global-key-for-proof")
    async with plugged_in(meter) as line:
        client = gmac_client(line, dedicated_key=True)
        for _ in range(2):
            assert isinstance(value(await client.read(), TOTAL), int)
    assert {entry.key for entry in meter.received_counters} == {"global", "dedicated", "proof"}


async def test_other_counter_objects_are_tried() -> None:
    meter = ciphered(client_counter=5000)
    set_habit(meter, "counter-elsewhere")
    async with plugged_in(meter) as line:
        for _ in range(2):
            assert isinstance(value(await gmac_client(line).read(), TOTAL), int)
    assert meter.count("stale counter") == 0


async def test_a_counter_that_nobody_tells_is_asked_for() -> None:
    meter = ciphered(client_counter=5000)
    set_habit(meter, "hides-counter")
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        for _ in range(2):
            with pytest.raises(CounterNeededError, match="invocation counter"):
                await client.read()
        # The setting that the user enters.
        client = gmac_client(line, MemoryCounter(6000))
        for _ in range(2):
            assert isinstance(value(await client.read(), TOTAL), int)


async def test_a_counter_that_another_program_has_raised_is_asked_for_again() -> None:
    meter = ciphered(reports_counter=False)
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        await client.read()
        meter.client_counter += 5000
        with pytest.raises(InvocationCounterError, match="rejects the invocation counter"):
            await client.read()
        assert isinstance(value(await client.read(), TOTAL), int)


async def test_the_useful_ones_of_many_registers_are_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = with_habit("many-registers")
    expected = await usual()
    async with plugged_in(meter) as line:
        client = client_at(line)
        first = await client.read()
        found = {register.obis for register in first.registers}
        assert set(expected) <= found
        assert 300 < len(found) <= 400
        for each in (client, restarted(line, client)):
            assert {register.obis for register in (await each.read()).registers} == found
    [line_of_log] = [record.getMessage() for record in caplog.records if "left" in record.msg]
    left_out = len(readable_of(meter)) - 400
    assert line_of_log == f"{left_out} of the meter's registers are left out"


def readable_of(meter: DlmsMeter) -> list[CosemObject]:
    objects = [
        CosemObject(entry.class_id, 0, Obis.parse(entry.code)) for entry in meter.objects.values()
    ]
    return list(readable(objects))


@pytest.mark.parametrize("days", [0, 2])
@pytest.mark.parametrize("by_entry", [False, True])
@pytest.mark.parametrize("habit", ["refuses-empty-periods", "null-for-empty-periods", None])
async def test_a_period_without_rows_is_empty(habit: str | None, by_entry: bool, days: int) -> None:
    profile = Profile(days=days, by_entry=by_entry)
    meter = DlmsMeter(clock=lambda: TIME, profile=profile, max_information=1024)
    if habit is not None:
        set_habit(meter, habit)
    hour = datetime.fromtimestamp(TIME - TIME % 3600, BERLIN).replace(tzinfo=None)
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(2):
            long_ago = hour - timedelta(days=100)
            rows = await client.read_profile(long_ago, long_ago + timedelta(hours=6), BERLIN)
            assert list(rows) == []
        if days:
            assert len(await client.read_profile(hour - timedelta(hours=1), hour, BERLIN)) == 4


@pytest.mark.parametrize("habit", ["hangs-up-on-lists-over-5", "many-registers"])
async def test_all_objects_are_looked_at(habit: str) -> None:
    meter = with_habit(habit)
    async with plugged_in(meter) as line:
        found = await client_at(line).objects()
    assert set(meter.objects) <= {str(entry.obis) for entry in found}


async def test_guessed_objects_in_lists_that_get_no_answer() -> None:
    meter = with_habit("ignores-lists-with-unknown-objects", lists_objects=False)
    async with plugged_in(meter) as line:
        client = client_at(line)
        found = [await codes(client), await codes(client), await codes(restarted(line, client))]
    assert Obis.parse(TOTAL) in found[0]
    assert found[0] == found[1] == found[2]
    assert meter.count("list trouble") == 1


@pytest.mark.parametrize("habit", ["drops-association", "hangs-up-on-lists-over-5"])
async def test_ciphered(habit: str) -> None:
    meter = ciphered(max_information=1024)
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        set_habit(meter, habit)
        for _ in range(2):
            assert isinstance(value(await client.read(), TOTAL), int)
    used = [(entry.key, entry.counter) for entry in meter.received_counters]
    assert len(used) == len(set(used))
