"""DLMS meters that push: lists in turn, long intervals, and keys that no longer match."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.coordinator.first_reading import FirstReading, async_hand_over
from custom_components.onemeter.coordinator.silence import TIMEOUTS, SilenceMonitor
from custom_components.onemeter.meter import (
    Identity,
    Key,
    MeterError,
    Obis,
    Protocol,
    Reading,
    Register,
)
from custom_components.onemeter.meter.dlms.push.identity import identity_of
from custom_components.onemeter.meter.errors import (
    AddressError,
    AssociationError,
    InvocationCounterError,
    KeyNeededError,
    MeterAuthenticationError,
    MeterSilentError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
)
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..helpers.polled import PolledMeter
from ..helpers.published import register
from ..helpers.pushed import METER, OTHER_METER, PushedMeter, reading

NAMELESS = Identity()
timeout = asyncio.timeout
EK = "000102030405060708090a0b0c0d0e0f"
POWER_REGISTER = register("1-0:1.7.0*255", "100", "W")
POWER: Mapping[Key, Register] = {Obis(1, 0, 1, 7, 0): POWER_REGISTER}
TOTAL: Mapping[Key, Register] = {Obis(1, 0, 1, 8, 0): register("1-0:1.8.0*255", "1", "Wh")}
TIME: Mapping[Key, Register] = {Obis(0, 0, 1, 0, 0): register("0-0:1.0.0*255", "1")}
CREDENTIALS = [
    (KeyNeededError(""), "key_needed"),
    (WrongEncryptionKeyError(""), "wrong_encryption_key"),
    (WrongAuthenticationKeyError(""), "wrong_authentication_key"),
]


def power(watt: str, meter: Identity = METER) -> Reading:
    """Return the list that is sent every few seconds."""
    return reading(register("1-0:1.7.0*255", watt, "W"), meter=meter)


def hourly(watt_hours: str) -> Reading:
    """Return the list that is sent every hour."""
    return reading(register("1-0:1.7.0*255", "7", "W"), register("1-0:1.8.0*255", watt_hours, "Wh"))


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    meter = PushedMeter(hass, freezer)
    meter.make_entry(protocol="dlms", mode="pushed", encryption_key=EK)
    return meter


@pytest.fixture
def polled(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PolledMeter:
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms", encryption_key=EK)
    return meter


def flows(hass: HomeAssistant) -> list[str]:
    return [
        flow["step_id"]
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == SOURCE_REAUTH
    ]


async def test_totals_of_the_hourly_list_appear_and_stay(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(power("100"))
    assert hass.states.get("sensor.meter_energy_import") is None
    assert meter.value("power_import") == "100"
    await meter.say(hourly("5000"), after=10)
    assert meter.value() == "5.000"
    for _ in range(70):
        meter.freezer.tick(60)
        await meter.say(power("200"))
    assert meter.value() == "5.000"
    assert meter.value("power_import") == "200"
    for _ in range(120):
        meter.freezer.tick(60)
        await meter.say(power("300"))
    assert meter.value() == "unknown"


async def test_power_is_no_difference_between_two_telegrams(meter: PushedMeter) -> None:
    imported, exported = (register(f"1-0:{c}.7.0*255", "100", "W") for c in (1, 2))
    for power_register, name in ((imported, "power_import"), (exported, "power_export")):
        meter.enable(str(power_register.obis), name)
    await meter.start(reading(imported, exported))
    assert meter.value("power") == "0"
    await meter.say(power("300"), after=11)
    assert meter.value("power_import") == "300"
    assert meter.value("power_export") == "100", "of the telegram before"
    assert meter.value("power") == STATE_UNKNOWN
    await meter.say(hourly("5000"), after=11)
    assert meter.value("power") == STATE_UNKNOWN
    await meter.say(reading(imported, exported), after=11)
    await meter.say(reading(register("1-0:1.8.0*255", "5001", "Wh")), after=11)
    assert meter.value() == "5.001"
    assert meter.value("power") == "0", "as long as both are valid"


async def test_list_without_id_is_of_the_meter_that_has_told_it(meter: PushedMeter) -> None:
    await meter.start(power("1", NAMELESS), power("2"))
    assert meter.value("power_import") == "2"
    await meter.say(power("3", NAMELESS), after=10)
    assert meter.value("power_import") == "3"
    assert meter.coordinator.data.meter == METER
    await meter.say(power("4", OTHER_METER), power("5", NAMELESS), after=11)
    assert meter.value("power_import") == STATE_UNAVAILABLE
    await meter.say(power("6"), after=1)
    assert meter.value("power_import") == "6"
    await meter.say(power("7", NAMELESS), after=11)
    assert meter.value("power_import") == "7"


async def test_slow_meter_is_not_taken_for_silent(meter: PushedMeter) -> None:
    await meter.start(power("1"))
    for seconds in (61, 60, 62):
        await meter.wait(seconds, step=10)
        assert meter.coordinator.last_update_success
        await meter.say(power("1"))
    await meter.wait(180, step=10)
    assert meter.coordinator.last_update_success
    await meter.wait(20, step=10)
    assert not meter.coordinator.last_update_success


@pytest.mark.parametrize(
    ("gaps", "silence"),
    [
        ([], 300),
        ([2.5], 300),
        ([2.5] * 3, 30),
        ([60] * 3, 180),
        ([60] * 3 + [2.5] * 4, 180),
        ([60] * 3 + [2.5] * 5, 30),
        ([10] * 60 + [1200], 3600),
        ([10] * 60 + [1200] + [10] * 5, 30),
        ([900], 2700),
        ([900] * 3, 2700),
        ([3600] * 3, 3600),
    ],
)
def test_silence_follows_from_the_intervals(gaps: list[float], silence: float) -> None:
    monitor = SilenceMonitor(TIMEOUTS[Protocol.DLMS])
    for moment in accumulate(gaps, initial=0.0):
        monitor.add(POWER, moment)
    assert monitor.silence == silence


@pytest.mark.parametrize(("lists", "pause"), [(1, 60), (4, 60), (5, 900)])
def test_lists_in_a_row_are_no_interval(lists: int, pause: float) -> None:
    monitor = SilenceMonitor(TIMEOUTS[Protocol.DLMS])
    for burst in range(1, 6):
        for number in range(lists):
            monitor.add({**TIME, Obis(1, 0, 21, 7, number): POWER_REGISTER}, burst * pause + number)
    assert 3 * pause - 3 * lists <= monitor.silence <= 3 * pause


def test_silence_is_that_of_the_lists_that_have_not_stopped() -> None:
    monitor = SilenceMonitor(TIMEOUTS[Protocol.DLMS])
    for second in range(0, 600, 10):
        monitor.add(POWER, second)
        if second % 60 == 0:
            monitor.add(TOTAL, second)
    assert monitor.silence == 30
    monitor.add(TOTAL, 600)
    assert monitor.silence == 30
    monitor.add(TOTAL, 660)
    assert monitor.silence == 180


def test_gap_in_which_the_port_was_lost_is_none_of_the_meter() -> None:
    monitor = SilenceMonitor(TIMEOUTS[Protocol.DLMS])
    for second in range(0, 100, 10):
        monitor.add(POWER, second)
    monitor.restart(95)
    monitor.add(POWER, 1000)
    monitor.add(POWER, 1010)
    assert monitor.silence == 30


@pytest.mark.parametrize("protocol", [Protocol.SML, Protocol.IEC62056])
def test_silence_of_other_protocols_is_always_the_same(protocol: Protocol) -> None:
    monitor = SilenceMonitor(TIMEOUTS[protocol])
    for moment in (0.01, 1, 29, 1000):
        assert monitor.silence == 30
        monitor.add(POWER, moment)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.5, 10, 40, 600, 4000, 20_000]),
            st.sets(st.sampled_from([*POWER, *TOTAL, *TIME])),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_each_register_has_its_own_intervals(
    telegrams: list[tuple[float, set[Key], bool]],
) -> None:
    """Registers that are sent together are judged as if each were the only one of a meter."""
    registers = {**POWER, **TOTAL, **TIME}
    together = SilenceMonitor(TIMEOUTS[Protocol.DLMS])
    alone = {key: SilenceMonitor(TIMEOUTS[Protocol.DLMS]) for key in registers}
    now = 0.0
    for pause, keys, is_lost in telegrams:
        now += pause
        for monitor in [together, *alone.values()]:
            if is_lost:
                monitor.restart(now - pause / 2)
        together.add({key: registers[key] for key in keys}, now)
        for key, monitor in alone.items():
            monitor.add({key: registers[key]} if key in keys else {}, now)
        silences = [monitor.silence for monitor in alone.values()]
        known = [silence for silence in silences if silence != 300] or [300]
        assert together.silence in {min(silences), min(known)}
        for later in (0, 29, 31, 301, 10_799):
            valid = set().union(*(it.current(now + later) for it in alone.values()))
            assert together.current(now + later) == valid
            expiries = [monitor.next_expiry(now + later) for monitor in alone.values()]
            assert together.next_expiry(now + later) == min(expiries)


TOTAL_LIST = reading(register("1-0:1.8.0*255", "5000", "Wh"))


async def push_in_turn(meter: PushedMeter, seconds: int, *, total_every: int) -> None:
    """Push power every ten seconds, and a total at another interval."""
    for second in range(1, seconds + 1):
        await meter.wait(1)
        if second % 10 == 0:
            await meter.say(power("100"))
        if second % total_every == 0:
            await meter.say(TOTAL_LIST)


async def test_power_whose_list_has_stopped_is_unknown(meter: PushedMeter) -> None:
    await meter.start(power("100"))
    await push_in_turn(meter, 60, total_every=15)
    assert meter.value("power_import") == "100"
    for second in range(1, 41):
        await meter.wait(1)
        if second % 15 == 0:
            await meter.say(TOTAL_LIST)
        if second == 29:
            assert meter.value("power_import") == "100"
    assert meter.value("power_import") == STATE_UNKNOWN
    for _ in range(40):
        await meter.say(TOTAL_LIST, after=60)
    assert meter.value("power_import") == STATE_UNKNOWN
    assert meter.value() == "5.000"
    await meter.say(power("200"), after=10)
    assert meter.value("power_import") == "200"


async def test_power_becomes_unknown_between_two_telegrams(meter: PushedMeter) -> None:
    await meter.start(power("100"))
    await push_in_turn(meter, 100, total_every=25)
    await meter.say(TOTAL_LIST, after=25)
    await meter.wait(4)
    assert meter.value("power_import") == "100"
    await meter.wait(2)
    assert meter.value("power_import") == STATE_UNKNOWN
    assert meter.value() == "5.000"
    for _ in range(20):
        await meter.say(TOTAL_LIST, after=25)
        assert meter.coordinator.last_update_success


async def test_what_the_flow_has_heard_is_there_at_once(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    read = FirstReading(power("42"), dt_util.utcnow(), None, {})
    async_hand_over(hass, str(METER.unique_id), read)
    assert await meter.set_up()
    assert meter.value("power_import") == "42"


async def test_what_the_flow_has_heard_long_ago_is_not(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    long_ago = dt_util.utcnow() - timedelta(minutes=10)
    async_hand_over(hass, str(METER.unique_id), FirstReading(power("42"), long_ago, None, {}))
    await meter.start(power("43"))
    assert meter.value("power_import") == "43"


@pytest.mark.parametrize(("state", "seconds"), [(CoreState.running, 75), (CoreState.starting, 20)])
async def test_start_does_not_wait_for_a_slow_meter(
    hass: HomeAssistant, meter: PushedMeter, state: CoreState, seconds: int
) -> None:
    hass.set_state(state)
    waited: list[float] = []

    def see(delay: float | None) -> asyncio.Timeout:
        if delay == seconds:
            waited.append(delay)
            return timeout(0)
        return timeout(delay)

    with patch("custom_components.onemeter.coordinator.pushed.asyncio.timeout", see):
        assert not await meter.set_up()
    assert waited == [seconds]
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    hass.set_state(CoreState.running)


@pytest.mark.parametrize(("error", "translation_key"), CREDENTIALS)
async def test_key_that_does_not_fit_is_asked_for(
    hass: HomeAssistant, meter: PushedMeter, error: MeterError, translation_key: str
) -> None:
    meter.client.diagnosis = error
    with patch(
        "custom_components.onemeter.coordinator.pushed.asyncio.timeout", lambda _: timeout(0)
    ):
        assert not await meter.set_up()
    assert meter.state() is ConfigEntryState.SETUP_ERROR
    assert meter.entry.error_reason_translation_key == translation_key
    assert flows(hass) == ["reauth_dlms_pushed"]


@pytest.mark.parametrize(("error", "translation_key"), CREDENTIALS)
async def test_key_that_was_changed_is_asked_for(
    hass: HomeAssistant, meter: PushedMeter, error: MeterError, translation_key: str
) -> None:
    await meter.start(power("1"))
    meter.client.diagnosis = error
    await meter.wait(301, step=20)
    assert meter.coordinator.translation_key == translation_key
    assert meter.value("power_import") == STATE_UNAVAILABLE
    assert flows(hass) == ["reauth_dlms_pushed"]
    await meter.say(power("2"), after=2)
    assert meter.value("power_import") == "2"


@pytest.mark.parametrize(
    ("error", "translation_key"),
    [*CREDENTIALS, (MeterAuthenticationError(""), "password_rejected")],
)
async def test_meter_that_rejects_keys_is_tried_no_more(
    hass: HomeAssistant, polled: PolledMeter, error: MeterError, translation_key: str
) -> None:
    await polled.start()
    polled.client.usual = error
    await polled.until_due()
    assert polled.coordinator.translation_key == translation_key
    assert flows(hass) == ["reauth_dlms"]
    reads = polled.client.reads
    for _ in range(5):
        await polled.until_due()
    assert polled.client.reads == reads, "meters lock themselves"
    with pytest.raises(HomeAssistantError) as refused:
        await hass.services.async_call(
            "button", "press", {"entity_id": "button.meter_read_now"}, blocking=True
        )
    assert refused.value.translation_key == translation_key
    await polled.coordinator.async_request_refresh()
    assert polled.client.reads == reads + 2
    polled.client.usual = reading()
    await polled.coordinator.async_request_refresh()
    assert polled.value() == "5.000"


@pytest.mark.parametrize(
    ("error", "translation_key"),
    [*CREDENTIALS, (MeterAuthenticationError(""), "password_rejected")],
)
async def test_meter_that_rejects_keys_is_not_set_up(
    hass: HomeAssistant, polled: PolledMeter, error: MeterError, translation_key: str
) -> None:
    assert not await polled.start(error)
    assert polled.state() is ConfigEntryState.SETUP_ERROR
    assert polled.entry.error_reason_translation_key == translation_key
    assert polled.client.reads == 1
    assert flows(hass) == ["reauth_dlms"]


@pytest.mark.parametrize(
    ("error", "translation_key"),
    [
        (InvocationCounterError(""), "counter_rejected"),
        (AddressError(""), "address_refused"),
        (AssociationError(""), "association_refused"),
        (MeterSilentError(""), "meter_silent"),
    ],
)
async def test_other_trouble_is_tried_again(
    hass: HomeAssistant, polled: PolledMeter, error: MeterError, translation_key: str
) -> None:
    await polled.start()
    polled.client.usual = error
    await polled.until_due()
    await polled.wait(5)
    assert polled.coordinator.translation_key == translation_key
    assert not flows(hass)
    polled.client.usual = reading()
    await polled.until_due()
    assert polled.value() == "5.000"


async def test_number_without_unit_has_none_in_an_object_of_its_own(polled: PolledMeter) -> None:
    energy = replace(register("1-0:1.8.0*255", 5), address="1-0:1.8.0*255")
    total = reading(energy)
    await polled.start(total)
    [told] = polled.coordinator.data.registers.values()
    assert told.unit is None


# --- Ids ------------------------------------------------------------------------------------------

#: What a meter tells of itself, and the ids under which it may have been set up: as it is now, as
#: pushed meters were, as others of its lists tell it, without its manufacturer.
SERIAL = b"1EMH0012784641"
TELLING = identity_of((SERIAL, b"EMH0000012784641"), b"EMH0000012784641", b"EMH\x67\0\0\1\2")
STORED = ("1EMH0012784641", "EMH1EMH0012784641", "EMH0000012784641")


@pytest.mark.parametrize("stored", STORED)
async def test_pushed_meter_is_known_by_any_of_its_ids(
    hass: HomeAssistant, meter: PushedMeter, stored: str
) -> None:
    meter.make_entry(stored, protocol="dlms", mode="pushed")
    await meter.start(power("100", TELLING))
    await meter.say(power("200", TELLING), after=11)
    assert meter.value("power_import") == "200"
    assert meter.entry.unique_id == stored
    entity = er.async_get(hass).async_get("sensor.meter_power_import")
    assert entity is not None
    assert entity.unique_id.startswith(f"{stored}-")
    await meter.say(power("300", OTHER_METER), after=11)
    assert meter.value("power_import") == STATE_UNAVAILABLE


@pytest.mark.parametrize("stored", STORED)
async def test_polled_meter_is_known_by_any_of_its_ids(
    hass: HomeAssistant, polled: PolledMeter, stored: str
) -> None:
    polled.make_entry(stored, protocol="dlms")
    assert await polled.start(power("100", TELLING))
    entity = er.async_get(hass).async_get("sensor.meter_power_import")
    assert entity is not None
    assert entity.unique_id.startswith(f"{stored}-")
