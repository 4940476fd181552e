"""When a meter's readings are published, and what happens when none arrive."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
import logging
import random
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.onemeter.access import port_watch
from custom_components.onemeter.const import (
    CONF_PUBLISH_INTERVAL,
    GENERATED,
)
from custom_components.onemeter.meter import Identity
from custom_components.onemeter.meter.errors import (
    UNKNOWN,
    ChecksumError,
    MeterConnectionError,
    MeterError,
    MeterSilentError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    UnknownDataError,
)
from custom_components.onemeter.meter.looks import Look
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.setup import async_setup_component

from ..helpers.published import register
from ..helpers.pushed import GENERATED_ID, OTHER_METER, PORT, PushedMeter, energy, reading

LOST = PortLostError("gone", port="the port")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


async def test_first_telegram_is_there_once_the_entry_is_set_up(meter: PushedMeter) -> None:
    assert await meter.start()
    assert meter.value() == "5.000"
    assert meter.value("power") == "100"


async def test_publishes_at_most_once_per_interval_and_the_newest_last(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=1)
    assert meter.value() == "5.000"
    await meter.say(energy("5002"), after=1)
    await meter.wait(7)
    assert meter.value() == "5.000"
    await meter.wait(2)
    assert meter.value() == "5.002"
    await meter.say(energy("5003"), after=4)
    assert meter.value() == "5.002"
    await meter.wait(5)
    assert meter.value() == "5.003"


@pytest.mark.parametrize("seconds", [0.85, 0.99, 0.998, 1.0, 1.002, 1.01, 1.15])
async def test_every_telegram_of_an_interval_is_published_at_once(
    meter: PushedMeter, seconds: float
) -> None:
    """Also where the clocks of the meter and of the computer differ, and telegrams are jittery."""
    meter.make_entry(options={CONF_PUBLISH_INTERVAL: 1})
    await meter.start(energy("5000"))
    jitter = random.Random(1)
    late = 0.0
    for second in range(1, 60):
        was_late, late = late, jitter.uniform(0, 0.03)
        await meter.say(energy(str(5000 + second)), after=seconds + late - was_late)
        assert meter.value() == f"5.{second:03}"


async def test_telegrams_out_of_step_are_published_at_once_again(meter: PushedMeter) -> None:
    meter.make_entry(options={CONF_PUBLISH_INTERVAL: 1})
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=0.6)
    late = []
    for second in range(2, 10):
        await meter.say(energy(str(5000 + second)), after=1)
        late.append(meter.value() != f"5.{second:03}")
    assert late.index(False) <= 2
    assert not any(late[2:])


@pytest.mark.parametrize(("seconds", "apart"), [(2, 10), (3, 9), (4, 8), (6, 12), (7, 14), (9, 9)])
async def test_the_telegram_nearest_to_the_interval_is_published(
    meter: PushedMeter, seconds: int, apart: int
) -> None:
    await meter.start(energy("5000"))
    published = []
    for second in range(seconds, 61, seconds):
        await meter.say(energy(str(5000 + second)), after=seconds)
        if meter.value() == f"5.{second:03}":
            published.append(second)
    assert published == list(range(apart, 61, apart))


async def test_news_after_a_pause_is_published_at_once(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=15)
    await meter.wait(0.1)
    assert meter.value() == "5.001"


@pytest.mark.parametrize(("interval", "published"), [(1, 30), (10, 3), (900, 0)])
async def test_interval_is_an_option(meter: PushedMeter, interval: int, published: int) -> None:
    meter.make_entry(options={CONF_PUBLISH_INTERVAL: interval})
    await meter.start(energy("5000"))
    updates = []
    meter.coordinator.async_add_listener(lambda: updates.append(meter.coordinator.data))
    for second in range(30):
        await meter.say(energy(str(5001 + second)))
        await meter.wait(1)
    assert len(updates) == published
    assert meter.coordinator.last_update_success, "telegrams count, whether published or not"


async def test_writes_no_state_without_news(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    written: list[str] = []

    @callback
    def note(data: Mapping[str, Any]) -> bool:
        written.append(data["entity_id"])
        return False

    hass.bus.async_listen(EVENT_STATE_CHANGED, lambda _: None, event_filter=note)
    hass.bus.async_listen(EVENT_STATE_REPORTED, lambda _: None, event_filter=note)
    updates: list[None] = []
    meter.coordinator.async_add_listener(lambda: updates.append(None))
    for _ in range(60):
        await meter.say(reading(), after=1)
    assert updates == []
    assert written == []
    assert meter.coordinator.data.received.timestamp() >= meter.freezer().timestamp() - 10


async def test_silence_makes_unavailable_says_so_once_and_ends(
    meter: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=5)
    await meter.wait(29)
    assert meter.value() != STATE_UNAVAILABLE
    await meter.wait(2)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "meter_silent"
    await meter.wait(100)
    assert meter.client.opened >= 4, "the port is opened anew, in case that it is stuck"
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert sum("meter.local" in record.getMessage() for record in errors) == 1
    await meter.say(energy("5002"))
    assert meter.value() == "5.002"
    assert meter.coordinator.translation_key is None
    recovered = [record for record in caplog.records if "can be read again" in record.getMessage()]
    assert len(recovered) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("diagnosis", "text"),
    [
        (MeterSilentError("silent", port="p"), "meter_silent"),
        (UnknownDataError("what?", port="p", looks_like=UNKNOWN), "unknown_data"),
        (UnknownDataError("DLMS", port="p", looks_like="DLMS"), "unknown_data_like"),
        (UnknownDataError("noise", port="p", looks_like=Look.NOISE), "unknown_data_noise"),
        (ChecksumError("damaged", port="p"), "checksum_failed"),
    ],
)
async def test_silence_has_the_reason_that_the_client_sees(
    meter: PushedMeter, diagnosis: MeterError, text: str
) -> None:
    await meter.start()
    meter.client.diagnosis = diagnosis
    await meter.wait(32)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == diagnosis.translation_key
    error = meter.coordinator.last_exception
    assert getattr(error, "translation_key", None) == text


async def test_lost_port_is_unavailable_at_once_and_comes_back(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(LOST)
    assert meter.value() == STATE_UNAVAILABLE
    assert not meter.client.is_open
    await meter.wait(3)
    assert meter.client.is_open
    await meter.say(energy("5001"))
    assert meter.value() == "5.001"


@pytest.mark.parametrize(
    ("port", "longest"), [("/dev/ttyMETER", [16, 32, 60, 60]), (PORT, [10, 10, 10, 10])]
)
async def test_waits_grow_and_shrink_after_a_connection_that_held(
    meter: PushedMeter, port: str, longest: list[float]
) -> None:
    waits: list[float] = []
    plugged_in = False

    async def wait(_: HomeAssistant, url: str, seconds: float) -> bool:
        assert url == meter.client.url
        waits.append(seconds)
        return plugged_in

    meter.client.url = port
    await meter.start()
    with patch.object(port_watch, "async_wait_for_change", wait):
        await meter.say(*[LOST] * 8)
        assert waits == [1, 2, 4, 8, *longest]
        await meter.say(*[PortBusyError("busy", port="p", by="?")] * 2)
        assert waits[8:] == [5, 5], "nothing tells when the other program has gone"
        plugged_in = True
        await meter.say(*[LOST] * 2)
        assert waits[10:] == [longest[-1], 1], "what was plugged in may need a moment"
        plugged_in = False
        await meter.say(LOST, LOST, reading(), LOST)
        assert waits[12:] == [1, 2, 4], "one telegram is no connection that holds"
        await meter.say(reading())
        for _ in range(6):
            await meter.say(reading(), after=10)
        await meter.say(LOST)
        assert waits[15:] == [1]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines about the meter, without debug messages."""
    return [
        record.getMessage().split("meter.local:3333 ")[1]
        for record in caplog.records
        if "meter.local" in record.getMessage() and record.levelno > logging.DEBUG
    ]


async def test_a_peer_that_closes_after_each_telegram_is_logged_once(
    hass: HomeAssistant, meter: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start(energy("5000"))
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    total = 5000
    for _ in range(120):
        if meter.client.is_open:
            total += 1
            await meter.say(energy(str(total)), LOST)
        await meter.wait(1)
    assert meter.client.opened < 20, "the waits grow"
    states = [
        state.state
        for event in changes
        if (state := event.data["new_state"]) is not None
        and state.entity_id == "sensor.meter_energy_import"
    ]
    assert states[0] == STATE_UNAVAILABLE
    assert STATE_UNAVAILABLE not in states[1:], "what comes again in time is not gone"
    await meter.wait(10)
    assert meter.value() == f"{total / 1000:.3f}"
    [begin] = lines(caplog)
    assert "was lost" in begin

    while not meter.client.is_open:
        await meter.wait(1)
    for _ in range(40):
        await meter.say(energy("6000"), after=1)
    assert len(lines(caplog)) == 1
    for _ in range(20):
        await meter.say(energy("6000"), after=1)
    assert lines(caplog)[1:] == ["can be read again"]
    await meter.say(LOST)
    assert meter.value() == STATE_UNAVAILABLE, "a connection that held is lost at once"
    assert len(lines(caplog)) == 3


async def test_a_peer_that_comes_and_goes_and_stays_away_is_unavailable(
    meter: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start(energy("5000"))
    await meter.say(LOST)
    await meter.wait(2)
    await meter.say(energy("5001"), LOST)
    for _ in range(28):
        if meter.client.is_open:
            meter.client.said.put_nowait(LOST)
        await meter.wait(1)
    assert meter.value() == "5.001"
    for _ in range(3):
        if meter.client.is_open:
            meter.client.said.put_nowait(LOST)
        await meter.wait(1)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "port_lost"
    assert len(lines(caplog)) == 1
    meter.forget()
    while not meter.client.is_open:
        await meter.wait(1)
    await meter.say(energy("5002"))
    assert meter.value() == "5.002"
    assert len(lines(caplog)) == 1
    for _ in range(61):
        await meter.say(energy("5002"), after=1)
    assert lines(caplog)[1:] == ["can be read again"]


async def test_port_plugged_in_again_is_opened_within_seconds(
    meter: PushedMeter, tmp_path: Any
) -> None:
    path = tmp_path / "ttyMETER"
    path.touch()
    await meter.start()
    meter.client.url = str(path)
    path.unlink()
    for _ in range(8):
        if meter.client.is_open:
            meter.client.said.put_nowait(PortNotFoundError("gone", port="p"))
        await meter.wait(5)
    opened = meter.client.opened
    path.touch()
    for _ in range(3):
        await meter.wait(1)
    assert meter.client.opened == opened + 1
    await meter.say(reading())
    assert meter.value("power") == "100"


async def test_port_of_an_integration_that_is_not_there_counts_as_closed(
    meter: PushedMeter,
) -> None:
    await meter.start()
    await meter.say(ConfigEntryNotReady("ESPHome is loading"))
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "cannot_connect"
    await meter.wait(3)
    await meter.say(reading())
    assert meter.value() == "5.000"


async def test_what_nobody_expected_is_logged_and_survived(
    meter: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start()
    await meter.say(ZeroDivisionError("a bug"))
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "unknown"
    assert "ZeroDivisionError: a bug" in caplog.text
    await meter.wait(3)
    await meter.say(reading())
    assert meter.value() == "5.000"


async def test_client_that_stops_listening_is_asked_why(meter: PushedMeter) -> None:
    async def nothing() -> Any:
        return
        yield

    await meter.start()
    with patch.object(meter.client, "listen", nothing):
        await meter.say(LOST)
        await meter.wait(2)
    assert meter.coordinator.translation_key == "meter_silent"
    await meter.wait(2)
    await meter.say(reading())
    assert meter.value() == "5.000"


async def test_asked_for_an_update_it_gives_the_newest_or_says_why_not(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await async_setup_component(hass, "homeassistant", {})
    await meter.start(energy("5000"))
    await meter.say(energy("5001"))
    assert meter.value() == "5.000"

    async def update() -> None:
        await hass.services.async_call(
            "homeassistant",
            "update_entity",
            {"entity_id": "sensor.meter_energy_import"},
            blocking=True,
        )
        await meter.wait(11)

    await update()
    assert meter.value() == "5.001"
    await meter.say(LOST)
    await update()
    assert meter.value() == STATE_UNAVAILABLE


async def test_another_meter_is_never_published(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=1)
    await meter.say(energy("999999", meter=OTHER_METER), after=8)
    assert meter.coordinator.last_update_success, "only crosstalk so far"
    await meter.say(energy("999999", meter=OTHER_METER), after=3)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "other_meter"
    for _ in range(60):
        await meter.say(energy("999999", meter=OTHER_METER), after=1)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "other_meter"
    await meter.say(energy("5002"))
    assert meter.value() == "5.002"


async def test_telegram_without_id_is_passed_over_where_the_meter_has_one(
    meter: PushedMeter,
) -> None:
    await meter.start(energy("5000"))
    for _ in range(32):
        await meter.say(energy("6000", meter=Identity()), after=1)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "meter_silent"


@pytest.mark.parametrize("identity", [Identity(), OTHER_METER])
@pytest.mark.parametrize("unique_id", [GENERATED_ID, f"{GENERATED}{0:032}"])
async def test_entry_with_generated_id_takes_any_meter(
    meter: PushedMeter, identity: Identity, unique_id: str
) -> None:
    meter.make_entry(unique_id)
    await meter.start(energy("5000", meter=identity))
    assert meter.value() == "5.000"


async def test_meter_that_sends_in_turns(meter: PushedMeter) -> None:
    first = reading(register("1-0:1.8.0*255", "5000", "Wh"))
    second = reading(register("1-0:16.7.0*255", "100", "W"), register("1-0:16.7.0*255", "7", "W"))
    await meter.start(first)
    for _ in range(10):
        await meter.say(second, after=1)
        await meter.say(first, after=1)
    assert meter.value() == "5.000"
    assert meter.value("power") == "100", "the first register of each code"
    for _ in range(32):
        await meter.say(first, after=1)
    assert meter.value("power") == STATE_UNKNOWN


async def test_register_without_code_is_passed_over(meter: PushedMeter) -> None:
    nameless = register("1-0:1.8.0*255", 1, "Wh")
    await meter.start(
        reading(
            type(nameless)(None, 1, "Wh"),
            register("1-0:1.8.0*255", Decimal(5000), "Wh"),
        )
    )
    assert meter.value() == "5.000"


@pytest.mark.parametrize(
    ("error", "translation_key"),
    [
        (MeterConnectionError("no", port="p", reason="r"), "cannot_connect"),
        (PortNotFoundError("no", port="p"), "port_not_found"),
        (PortBusyError("no", port="p", by="?"), "port_busy"),
        (PortBusyError("no", port="p", by="cat (PID 7)"), "port_busy_by"),
        (ConfigEntryNotReady("ESPHome is loading"), "cannot_connect"),
        (ZeroDivisionError("a bug"), "unknown"),
    ],
    ids=lambda item: type(item).__name__,
)
async def test_failed_setup_leaves_nothing_behind_and_is_tried_again(
    meter: PushedMeter, error: Exception, translation_key: str
) -> None:
    await meter.start(error)
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == translation_key
    assert not meter.client.is_open
    meter.client.said.put_nowait(reading())
    with meter.patched():
        await meter.wait(10)
    assert meter.state() is ConfigEntryState.LOADED
    assert meter.value() == "5.000"


async def test_setup_waits_for_the_first_telegram_but_not_forever(meter: PushedMeter) -> None:
    setting_up = asyncio.create_task(meter.start(energy("1", meter=Identity())))
    await meter.client.listening.wait()
    await meter.wait(7)
    assert meter.state() is ConfigEntryState.SETUP_IN_PROGRESS
    await meter.wait(2)
    await setting_up
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == "meter_silent"
    assert not meter.client.is_open


async def test_unloading_closes_the_port(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    await meter.say(energy("5001"))
    assert meter.client.is_open
    assert await hass.config_entries.async_unload(meter.entry.entry_id)
    assert not meter.client.is_open
    assert meter.value() == STATE_UNAVAILABLE


async def test_publishes_nothing_once_it_is_shut_down(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.coordinator.async_shutdown()
    await meter.say(energy("5001"), after=11)
    await meter.wait(11)
    assert meter.value() == "5.000"
