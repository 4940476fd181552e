"""Meters with short names are read like those with logical names."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Obis
from custom_components.onemeter.meter.dlms import short_names
from custom_components.onemeter.meter.dlms.apdu import xdlms
from custom_components.onemeter.meter.dlms.apdu.data_types import Data
from custom_components.onemeter.meter.dlms.apdu.results import ServiceError
from custom_components.onemeter.meter.dlms.apdu.xdlms import AccessResult
from custom_components.onemeter.meter.dlms.association import Association, Operation
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.settings import (
    Authentication,
    DlmsSettings,
    Protection,
    Transport,
)
from custom_components.onemeter.meter.errors import (
    AccessError,
    AssociationError,
    MeterAuthenticationError,
    MeterError,
    TelegramError,
)
from simulator import dlms
from simulator.dlms import AUTHENTICATED, ENCRYPTED, DlmsMeter, Profile, set_habit
from simulator.memory import MemoryLine

from ...helpers.dlms_meters import (
    MECHANISMS,
    PASSWORD,
    ciphered,
    client_at,
    gmac_client,
    plugged_in,
    value,
)

TOTAL = "1-0:1.8.0"
#: Time of the meter's clock, in seconds since 1970.
TIME = 1_795_831_777
START = datetime.fromtimestamp(TIME - TIME % 3600, UTC).replace(tzinfo=None) - timedelta(days=1)
ATTRIBUTE = xdlms.descriptor(3, Obis.parse(TOTAL), 2)
NAME = xdlms.descriptor(1, Obis.parse("0-0:42.0.0"), 2)
BASE_NAMES = {ATTRIBUTE[:-1]: 0x0100, NAME[:-1]: 0xFD00}


def short_named(**options: Any) -> DlmsMeter:
    usual: dict[str, Any] = {"clock": lambda: TIME, "max_information": 1024}
    return DlmsMeter(short_names=True, **usual | options)


def restarted(line: MemoryLine, client: DlmsClient, **settings: Any) -> DlmsClient:
    """Return a client with the discoveries of the other one."""
    other = client_at(line, **settings)
    other.restore(json.loads(json.dumps(client.findings())))
    return other


async def by_logical_names[T](read: Callable[[DlmsClient], Awaitable[T]], **options: Any) -> T:
    async with plugged_in(DlmsMeter(clock=lambda: TIME, max_information=1024, **options)) as line:
        return await read(client_at(line))


@pytest.mark.parametrize("transport", dlms.Transport)
async def test_the_same_reading(transport: dlms.Transport) -> None:
    expected = await by_logical_names(DlmsClient.read)
    meter = short_named(transport=transport)
    settings: dict[str, Any] = {"transport": Transport[transport.name]}
    async with plugged_in(meter) as line:
        client = client_at(line, **settings)
        assert await client.read() == expected
        assert await client.read() == expected
        # One refused association with logical names, and one object list.
        assert meter.count("rejected") == 1
        assert sum("40.0.0*255 2" in entry.detail for entry in meter.log) == 1
        assert await restarted(line, client, **settings).read() == expected
        assert meter.count("rejected") == 1


@pytest.mark.parametrize(
    "profile",
    [{}, {"by_range": False}, {"by_range": False, "by_entry": False}, {"newest_first": True}],
)
async def test_the_same_profile(profile: dict[str, Any]) -> None:
    async def read(client: DlmsClient) -> object:
        return list(await client.read_profile(START, START + timedelta(hours=6)))

    expected = await by_logical_names(read, profile=Profile(days=3, **profile))
    meter = short_named(profile=Profile(days=3, **profile))
    async with plugged_in(meter) as line:
        client = client_at(line)
        found = await read(client)
        assert isinstance(found, list)
        assert len(found) == 24
        assert found == expected == await read(client)
        assert await read(restarted(line, client)) == expected


async def test_the_whole_profile_where_no_rows_can_be_chosen() -> None:
    meter = short_named(profile=Profile(days=2))
    set_habit(meter, "short-names-without-selection")
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(2):
            assert len(await client.read_profile(START, START + timedelta(hours=6))) == 24
    assert meter.count("exception") == 4


@pytest.mark.parametrize("habit", ["drops-association", "one-exception", "passing-result"])
async def test_what_passes_is_not_remembered(habit: str) -> None:
    expected = await by_logical_names(DlmsClient.read)
    meter = short_named()
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(3):
            assert await client.read() == expected
            set_habit(meter, habit)
            assert isinstance(value(await client.read(), TOTAL), int)


async def test_the_same_objects() -> None:
    async def read(client: DlmsClient) -> object:
        return [entry for entry in await client.objects() if entry.class_id not in {12, 15}]

    async with plugged_in(short_named()) as line:
        assert await read(client_at(line)) == await by_logical_names(read)


@pytest.mark.parametrize("habit", ["refuses-lists", "ignores-lists-over-5", "cuts-lists-over-10"])
async def test_without_long_lists(habit: str) -> None:
    expected = await by_logical_names(DlmsClient.read)
    meter = short_named()
    set_habit(meter, habit)
    async with plugged_in(meter) as line:
        client = client_at(line)
        assert [await client.read(), await client.read()] == [expected] * 2


async def test_blocks() -> None:
    expected = await by_logical_names(DlmsClient.read)
    meter = short_named(max_pdu=128)
    async with plugged_in(meter) as line:
        assert await client_at(line).read() == expected
    assert meter.count("block") > 5


@pytest.mark.parametrize("authentication", MECHANISMS)
async def test_authentication(authentication: Authentication) -> None:
    if authentication is Authentication.HLS_GMAC:
        meter = ciphered(short_names=True)
    else:
        meter = short_named(mechanism=MECHANISMS[authentication], secret=PASSWORD)
    async with plugged_in(meter) as line:
        if authentication is Authentication.HLS_GMAC:
            client = gmac_client(line, protection=Protection.NONE)
        else:
            client = client_at(
                line, authentication=authentication, password=PASSWORD, system_title=b"ONM12345"
            )
        assert isinstance(value(await client.read(), TOTAL), int)


@pytest.mark.parametrize("authentication", [Authentication.LLS, Authentication.HLS_MD5])
async def test_wrong_password(authentication: Authentication) -> None:
    meter = short_named(mechanism=MECHANISMS[authentication], secret=PASSWORD)
    async with plugged_in(meter) as line:
        client = client_at(line, authentication=authentication, password=b"wrong")
        for _ in range(2):
            with pytest.raises(MeterAuthenticationError):
                await client.read()
        assert meter.count("wrong password") == 1


@pytest.mark.parametrize("dedicated_key", [False, True])
async def test_ciphered(dedicated_key: bool) -> None:
    meter = ciphered(
        short_names=True,
        policy=AUTHENTICATED | ENCRYPTED,
        client_counter=5000,
        reports_counter=False,
    )
    async with plugged_in(meter) as line:
        client = gmac_client(line, dedicated_key=dedicated_key)
        for _ in range(2):
            assert isinstance(value(await client.read(), TOTAL), int)
    # The public client has read the counter.
    assert meter.count("stale counter") == 0
    used = [(entry.key, entry.counter) for entry in meter.received_counters]
    assert dedicated_key or len(used) == len(set(used))


@pytest.mark.parametrize("uses_short_names", [False, True])
async def test_another_meter(uses_short_names: bool) -> None:
    """No value is read from another meter with the short names of the first one."""
    async with plugged_in(short_named()) as line:
        client = client_at(line)
        first = await client.read()
    other = DlmsMeter(
        clock=lambda: TIME, serial="87654321", harmonics=3, short_names=uses_short_names
    )
    async with plugged_in(other) as line:
        client._manager._connector._url = line.url
        second = await client.read()
        expected = await client_at(line).read()
    assert first.meter != second.meter
    assert second == expected


async def test_another_meter_where_none_says_who_it_is() -> None:
    meters = [short_named(), short_named(harmonics=3)]
    for meter in meters:
        for code in ("0-0:42.0.0*255", "0-0:96.1.0*255"):
            del meter.objects[code]
    first, second = meters
    async with plugged_in(first) as line:
        client = client_at(line)
        expected = value(await client.read(), TOTAL)
    async with plugged_in(second) as line:
        client._manager._connector._url = line.url
        reading = await client.read()
    assert reading.meter.meter_id is None
    assert value(reading, TOTAL) == expected


async def test_a_list_that_is_refused_is_asked_for_again() -> None:
    meter = short_named()
    set_habit(meter, "object-list-later")
    async with plugged_in(meter) as line:
        client = client_at(line)
        with pytest.raises(AccessError, match="refuses the list of its objects"):
            await client.read()
        assert isinstance(value(await client.read(), TOTAL), int)


@pytest.mark.parametrize("accepts_second_request", [False, True])
async def test_neither_kind_of_names(accepts_second_request: bool) -> None:
    """The error has the reason for which logical names were refused."""
    meter = ciphered(
        policy=ENCRYPTED, public_client=None, accepts_second_request=accepts_second_request
    )
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(2):
            with pytest.raises(AssociationError, match="the meter requires ciphered"):
                await client.read()
        assert client.memory.has_short_names is False
        assert meter.count("rejected") == 4


async def test_one_request_in_each_connection() -> None:
    expected = await by_logical_names(DlmsClient.read)
    meter = short_named()
    set_habit(meter, "short-names-in-another-connection")
    async with plugged_in(meter) as line:
        client = client_at(line)
        assert [await client.read(), await client.read()] == [expected] * 2
        assert await restarted(line, client).read() == expected
    assert meter.count("rejected") == 1


async def test_the_counter_of_a_meter_that_takes_one_request() -> None:
    meter = ciphered(short_names=True, accepts_second_request=False)
    async with plugged_in(meter) as line:
        assert isinstance(value(await gmac_client(line).read(), TOTAL), int)


# --- messages


@pytest.mark.parametrize(
    ("attribute", "selection", "access"),
    [
        (ATTRIBUTE, b"\0", "020108"),
        (ATTRIBUTE[:-1] + b"\3", b"\0", "020110"),
        (NAME, b"\0", "02fd08"),
        (ATTRIBUTE, b"\1\2\x11\5", "04010802" + "1105"),
        (xdlms.descriptor(15, Obis.parse("0-0:40.0.0"), 1), b"\0", "02fa00"),
    ],
)
def test_access(attribute: bytes, selection: bytes, access: str) -> None:
    found = short_names.access(BASE_NAMES, attribute, selection)
    assert found == bytes.fromhex(access)


def test_what_has_no_name_is_not_asked_for() -> None:
    unknown = xdlms.descriptor(3, Obis.parse("1-0:2.8.0"), 2)
    assert short_names.access(BASE_NAMES, unknown) is None
    assert short_names.access({ATTRIBUTE[:-1]: 0xFFFF}, ATTRIBUTE) is None
    association = Association(DlmsSettings(), base_names=BASE_NAMES)
    operation = association.get_list([unknown, ATTRIBUTE, NAME])
    assert next(operation).hex() == "0502" + "020108" + "02fd08"
    with pytest.raises(StopIteration) as done:
        operation.send(bytes.fromhex("0c02" + "00060000007b" + "0103"))
    assert done.value.value == [AccessResult(4), 123, AccessResult(3)]
    with pytest.raises(StopIteration) as done:
        next(association.get_list([unknown]))
    assert done.value.value == [AccessResult(4)]


@pytest.mark.parametrize("head", ["0100", "00", ""])
def test_blocks_of_an_answer(head: str) -> None:
    """Some meters leave out of the blocks that there is one result."""
    content = bytes.fromhex(head + "0904" + "01020304")
    operation = Association(DlmsSettings(), base_names=BASE_NAMES).get(ATTRIBUTE)
    assert next(operation).hex() == "0501020108"
    blocks = [content[:3], content[3:]]
    first = b"\x0c\1\2\0\0\1" + bytes([len(blocks[0])]) + blocks[0]
    assert operation.send(first).hex() == "0501050001"
    with pytest.raises(StopIteration) as done:
        operation.send(b"\x0c\1\2\1\0\2" + bytes([len(blocks[1])]) + blocks[1])
    assert done.value.value == b"\1\2\3\4"


def test_a_list_with_something_behind_it() -> None:
    operation = Association(DlmsSettings(), base_names=BASE_NAMES).get_list([ATTRIBUTE, NAME])
    next(operation)
    with pytest.raises(TelegramError, match="behind"):
        operation.send(bytes.fromhex("0c02" + "00060000007b" + "0103" + "00"))


def test_a_service_error_is_about_reading() -> None:
    operation = Association(DlmsSettings(), base_names=BASE_NAMES).get(ATTRIBUTE)
    next(operation)
    with pytest.raises(ServiceError, match="refuses: definition: object undefined"):
        operation.send(bytes.fromhex("0e050401"))


def test_a_block_that_is_missing() -> None:
    operation = Association(DlmsSettings(), base_names=BASE_NAMES).get(ATTRIBUTE)
    next(operation)
    operation.send(bytes.fromhex("0c01020000010401000600"))
    with pytest.raises(TelegramError, match="missing"):
        operation.send(bytes.fromhex("0c010201000303007b01"))


def test_base_names_have_no_sign() -> None:
    [(base, entry)] = short_names.named_objects([(-768, 1, 0, b"\0\0\x2a\0\0\xff")])
    assert (base, entry.class_id, entry.obis) == (0xFD00, 1, Obis.parse("0-0:42.0.0"))


@pytest.mark.parametrize("element", [None, (1, 2, 3), (256, 3, 0, b"short")])
def test_no_object_list(element: Data) -> None:
    with pytest.raises(TelegramError):
        list(short_names.named_objects([element]))


ANSWERS = [
    "0c0100060000007b",
    "0c0103",
    "0c0102000001040100 0600",
    "0c010201000104010006007b",
    "0c03" + "00060000007b" + "0103" + "000903616263",
    "0e0504" + "01",
    "d80102",
]


@given(
    st.sampled_from(ANSWERS),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=3),
    st.integers(0, 40),
    st.booleans(),
)
def test_damage(answer: str, changes: Sequence[tuple[int, int]], end: int, is_list: bool) -> None:
    altered = bytearray.fromhex(answer)
    for place, byte in changes:
        altered[place % len(altered)] = byte
    association = Association(DlmsSettings(), base_names=BASE_NAMES)
    operation: Any = (
        association.get_list([ATTRIBUTE, NAME, NAME]) if is_list else association.get(ATTRIBUTE)
    )
    found = outcome(operation, *[bytes(altered[:end])] * 3)
    assert not is_list or found is None or isinstance(found, list)


@given(st.binary(max_size=60))
def test_damaged_block(rest: bytes) -> None:
    operation = Association(DlmsSettings(), base_names=BASE_NAMES).get_encoded(ATTRIBUTE)
    assert isinstance(outcome(operation, b"\x0c\1\2" + rest), bytes | None)


def outcome(operation: Operation[object], *answers: bytes) -> object:
    """Return the result of an operation; None for an error, or if it is not complete."""
    next(operation)
    try:
        for answer in answers:
            operation.send(answer)
    except StopIteration as done:
        return done.value
    except MeterError:
        return None
    return None
