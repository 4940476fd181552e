"""Faults lead to a clear error, and the next poll works."""

import asyncio

import pytest

from custom_components.onemeter.meter.dlms import settings
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.settings import Authentication, Keys, Protection
from custom_components.onemeter.meter.errors import (
    AddressError,
    AssociationError,
    InvocationCounterError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterError,
    MeterSilentError,
    WrongAuthenticationKeyError,
    WrongKeysError,
)
from simulator.dlms import (
    ALWAYS,
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Faults,
    Mechanism,
    Transport,
    WrongKey,
)

from ...helpers.dlms_meters import (
    AUTHENTICATION_KEY,
    ENCRYPTION_KEY,
    PASSWORD,
    MemoryCounter,
    ciphered,
    client_at,
    gmac_client,
    plugged_in,
    value,
)

WRONG_KEY = bytes(range(100, 116))


async def works(client: DlmsClient) -> None:
    assert isinstance(value(await client.read(), "1-0:1.8.0"), int)


@pytest.mark.parametrize("explains", [False, True])
@pytest.mark.parametrize(
    ("mechanism", "authentication"),
    [
        (Mechanism.LLS, Authentication.LLS),
        (Mechanism.MD5, Authentication.HLS_MD5),
        (Mechanism.SHA1, Authentication.HLS_SHA1),
    ],
)
async def test_wrong_password(
    mechanism: Mechanism, authentication: Authentication, explains: bool
) -> None:
    meter = DlmsMeter(mechanism=mechanism, secret=PASSWORD, explains_rejection=explains)
    async with plugged_in(meter) as line:
        client = client_at(line, authentication=authentication, password=b"mistaken")
        for _ in range(3):
            with pytest.raises(MeterAuthenticationError) as caught:
                await client.read()
            assert "mistaken" not in str(caught.value)
        # The wrong password was sent only once.
        assert meter.count("association rejected") + meter.count("wrong proof") <= 1
        await works(client_at(line, authentication=authentication, password=PASSWORD))


@pytest.mark.parametrize("behaviour", WrongKey)
@pytest.mark.parametrize("policy", [0, AUTHENTICATED | ENCRYPTED])
async def test_wrong_encryption_key(behaviour: WrongKey, policy: int) -> None:
    meter = ciphered(wrong_key=behaviour, policy=policy)
    errors: dict[WrongKey, type[MeterError]] = {
        WrongKey.EXCEPTION: WrongKeysError,
        WrongKey.REJECTION: AssociationError,
        WrongKey.ERROR: WrongKeysError,
        WrongKey.SILENCE: MeterSilentError,
    }
    async with plugged_in(meter) as line:
        counter = MemoryCounter()
        client = gmac_client(line, counter, keys=Keys(WRONG_KEY, AUTHENTICATION_KEY))
        with pytest.raises(errors[behaviour]):
            await client.read()
        await works(gmac_client(line, counter))


@pytest.mark.parametrize("behaviour", [WrongKey.EXCEPTION, WrongKey.ERROR])
async def test_wrong_authentication_key(behaviour: WrongKey) -> None:
    meter = ciphered(wrong_key=behaviour)
    async with plugged_in(meter) as line:
        counter = MemoryCounter()
        client = gmac_client(line, counter, keys=Keys(ENCRYPTION_KEY, WRONG_KEY))
        with pytest.raises(WrongAuthenticationKeyError):
            await client.read()
        await works(gmac_client(line, counter))


@pytest.mark.parametrize("protection", [Protection.NONE, Protection.BOTH])
async def test_system_title_that_is_not_told(protection: Protection) -> None:
    meter = ciphered(sends_title=False)
    async with plugged_in(meter) as line:
        counter = MemoryCounter()
        with pytest.raises(AssociationError, match="system title"):
            await gmac_client(line, counter, protection=protection).read()
        meter.sends_title = True
        await works(gmac_client(line, counter, protection=protection))


async def test_short_names() -> None:
    async with plugged_in(DlmsMeter(answered_context=2)) as line:
        with pytest.raises(AssociationError, match="short names"):
            await client_at(line).read()


async def test_stale_counter() -> None:
    # The meter does not propose a counter, but expects one that is far ahead.
    meter = ciphered(client_counter=5000, public_client=None)
    async with plugged_in(meter) as line:
        await works(gmac_client(line))


async def test_counter_that_is_never_taken() -> None:
    meter = ciphered(faults=Faults(stale_counters=ALWAYS))
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        with pytest.raises(InvocationCounterError):
            await client.read()
        meter.faults = Faults()
        await works(client)


@pytest.mark.parametrize("refuses", [False, True])
async def test_address(refuses: bool) -> None:
    meter = DlmsMeter(refuses_other_addresses=refuses)
    async with plugged_in(meter) as line:
        client = client_at(line, logical_device=5)
        with pytest.raises(AddressError if refuses else MeterSilentError):
            await client.read()
        await works(client_at(line))


async def test_address_after_the_sign_on() -> None:
    meter = DlmsMeter(transport=Transport.MODE_E)
    async with plugged_in(meter) as line:
        with pytest.raises(AddressError):
            await client_at(line, logical_device=5).read()


async def test_other_mechanism() -> None:
    meter = DlmsMeter(mechanism=Mechanism.SHA1, secret=PASSWORD)
    async with plugged_in(meter) as line:
        client = client_at(line)
        for _ in range(2):
            with pytest.raises(AssociationError, match="authentication"):
                await client.read()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"disc_midway": 1}, None),
        ({"disconnect_midway": 1}, None),
        ({"silences": ALWAYS}, MeterSilentError),
        ({"refuse_connection": ALWAYS}, AddressError),
        ({"lose_frames": 1}, None),
        ({"lose_frames": 1, "spared_answers": 2}, None),
        ({"lose_segments": 1}, None),
        ({"lose_segments": 3, "spared_answers": 1}, None),
        ({"flip_bits": 1, "spared_answers": 2}, None),
        ({"flip_bits": 2}, None),
        ({"silences": 1}, None),
        ({"refuse_connection": 1}, None),
        ({"busy": ALWAYS}, None),
    ],
)
@pytest.mark.parametrize("keys", [False, True])
async def test_faults(faults: dict[str, int], error: type[MeterError] | None, keys: bool) -> None:
    meter = ciphered() if keys else DlmsMeter()
    async with plugged_in(meter) as line:
        client = (gmac_client if keys else client_at)(line)
        await works(client)
        meter.faults = Faults(**faults)
        if error is None:
            await works(client)
        else:
            with pytest.raises(error):
                await client.read()
        meter.faults = Faults()
        await works(client)
    used = [(entry.key, entry.counter) for entry in meter.received_counters]
    assert len(used) == len(set(used))


async def test_answer_to_another_request() -> None:
    meter = DlmsMeter()
    async with plugged_in(meter) as line:
        client = client_at(line)
        await works(client)
        meter.faults.other_answers = 1
        await works(client)


async def test_answer_to_another_request_than_the_proof() -> None:
    meter = ciphered()
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        await works(client)
        meter.faults.other_answers = 1
        with pytest.raises(MeterSilentError):
            await client.read()
        await works(client)


@pytest.mark.parametrize("transport", [Transport.HDLC, Transport.WRAPPER])
async def test_unplugged(transport: Transport) -> None:
    meter = DlmsMeter(transport=transport, reaction_time=0.05)
    async with plugged_in(meter) as line:
        client = client_at(line, transport=settings.Transport(transport.value))
        await works(client)
        reading = asyncio.create_task(client.read())
        await asyncio.sleep(0.1)
        line.close()
        with pytest.raises(MeterConnectionError):
            await reading
        with pytest.raises(MeterConnectionError):
            await client.read()
        await line.open()
        await works(client)


async def test_cancelled() -> None:
    meter = ciphered(reaction_time=0.02)
    async with plugged_in(meter) as line:
        client = gmac_client(line)
        for delay in (0.01, 0.05, 0.1, 0.15, 0.2, 0.3):
            reading = asyncio.create_task(client.read())
            await asyncio.sleep(delay)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert not line.listened_to
        await works(client)
    used = [(entry.key, entry.counter) for entry in meter.received_counters]
    assert len(used) == len(set(used))
