"""Impulses through Home Assistant: sources, restarts, calibrations."""

from datetime import timedelta
from decimal import Decimal
import json
from time import monotonic_ns
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

from custom_components.onemeter.const import CONF_SOURCE_ID, DOMAIN
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError

from ..helpers.blinking import SOURCE, BlinkingMeter
from ..helpers.pushed import PushedMeter

ENERGY = "sensor.meter_energy_import"


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> BlinkingMeter:
    return BlinkingMeter(hass, freezer)


def stored(meter: BlinkingMeter, storage: dict[str, Any]) -> int:
    """Return the stored impulses."""
    memory = storage[f"{DOMAIN}.{meter.entry.entry_id}"]["data"]
    impulses: int = memory["impulses"]["counter"]["impulses"]
    return impulses


async def set_reading(hass: HomeAssistant, reading: str, entity_id: str = ENERGY) -> Any:
    answer = await hass.services.async_call(
        DOMAIN,
        "set_meter_reading",
        {"entity_id": entity_id, "reading": reading},
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    return answer[entity_id]


# --- sources --------------------------------------------------------------------------------------


async def test_number_of_impulses(meter: BlinkingMeter) -> None:
    meter.freezer.move_to("2026-11-28T10:00:00+00:00")
    meter.enable("last_impulse", "last_impulse")
    await meter.show(100, after=0)
    await meter.set_up()
    assert Decimal(meter.value()) == 0
    assert meter.value("power_import") == STATE_UNKNOWN
    await meter.show("105.0", after=10)
    assert meter.value() == "0.005"
    await meter.show(107, after=10)
    assert meter.value() == "0.007"
    # Two impulses of 1 Wh in ten seconds, and then none in as many.
    assert 340 < Decimal(meter.value("power_import")) <= 720
    assert meter.shown("last_impulse") == "2026-11-28T10:00:10+00:00"


@pytest.mark.parametrize("untold", [STATE_UNAVAILABLE, STATE_UNKNOWN])
async def test_source_goes_and_comes_back(meter: BlinkingMeter, untold: str) -> None:
    await meter.show(100, after=0)
    await meter.set_up()
    await meter.show(110)
    await meter.show(untold)
    assert meter.value() == STATE_UNAVAILABLE
    await meter.show(115, after=12)
    # What it has counted meanwhile is not lost.
    assert meter.value() == "0.015"


async def test_source_that_is_not_there_yet(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    await meter.set_up()
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == "source_unavailable"
    await meter.show(7, after=30)
    await hass.async_block_till_done(wait_background_tasks=False)
    assert meter.state() is ConfigEntryState.LOADED


async def test_source_begins_again(meter: BlinkingMeter) -> None:
    await meter.show(100, after=0)
    await meter.set_up()
    await meter.show(110)
    await meter.show(3)
    assert meter.value() == "0.013"
    await meter.show("garbage")
    await meter.show(4)
    assert meter.value() == "0.014"


async def test_light(meter: BlinkingMeter) -> None:
    meter.make_entry(port="binary_sensor.led")
    await meter.show("off", after=0)
    await meter.set_up()
    for state in ("on", "off", "on", "on", "off", STATE_UNKNOWN):
        await meter.show(state, after=1)
    # What was not seen to go on is no impulse.
    for state in ("on", "off", "on"):
        await meter.show(state, after=6)
    await meter.wait(11)
    assert meter.value() == "0.003"


async def test_event_entity(meter: BlinkingMeter) -> None:
    meter.make_entry(port="event.led")
    await meter.show("2026-11-28T10:00:00.000+00:00", after=0)
    await meter.set_up()
    for second in range(1, 4):
        await meter.show(f"2026-11-28T10:00:{second:02}.000+00:00", after=1)
    await meter.wait(11)
    assert meter.value() == "0.003"


async def test_first_event_of_all(meter: BlinkingMeter) -> None:
    meter.make_entry(port="event.led")
    await meter.show(STATE_UNKNOWN, after=0)
    await meter.set_up()
    await meter.show("2026-11-28T10:00:00.000+00:00")
    await meter.show(STATE_UNAVAILABLE)
    await meter.show("2026-11-28T10:00:00.000+00:00", after=12)
    assert meter.value() == "0.001"


async def test_another_source_begins_with_what_it_shows(meter: BlinkingMeter) -> None:
    await meter.show(100, after=0)
    await meter.set_up()
    await meter.show(110)
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    meter.hass.config_entries.async_update_entry(
        meter.entry, data={**meter.entry.data, CONF_SOURCE_ID: "sensor.other_flashes"}
    )
    await meter.show(112, after=0)
    await meter.set_up()
    await meter.settle()
    assert meter.value() == "0.010"
    await meter.show(113)
    assert meter.value() == "0.011"


async def test_events(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    meter.make_entry(port="meter_flash", source="event")
    await meter.set_up()
    for _ in range(5):
        hass.bus.async_fire("meter_flash", {"anything": 1})
        await meter.wait(1)
    hass.bus.async_fire("other_flash")
    await meter.wait(11)
    assert meter.value() == "0.005"


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_s10(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    meter.make_entry(port="onemeter/s10/v1/AABBCCDDEEFF", source="mqtt")
    await meter.set_up()

    async def send(mac: str, ts: int) -> None:
        payload = json.dumps({"dev_list": [{"mac": mac, "ts": ts}]})
        async_fire_mqtt_message(hass, "onemeter/s10/v1", payload)
        await meter.wait(1)

    for ts in (1_790_000_000_000, 1_790_000_001_000, 1_790_000_001_000):
        await send("aa:bb:cc:dd:ee:ff", ts)
    await send("11:22:33:44:55:66", 1_790_000_002_000)
    async_fire_mqtt_message(hass, "onemeter/s10/v1", "no JSON")
    await meter.wait(11)
    assert meter.value() == "0.002"
    assert meter.coordinator.client.counters.damaged == 1


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_s10_messages_that_come_again(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    meter.make_entry(port="onemeter/s10/v1/AABBCCDDEEFF", source="mqtt")
    await meter.set_up()

    async def send(*times: int, retain: bool = False) -> None:
        flashes = [{"mac": "AABBCCDDEEFF", "ts": ts} for ts in times]
        payload = json.dumps({"dev_list": flashes})
        async_fire_mqtt_message(hass, "onemeter/s10/v1", payload, retain=retain)
        await meter.wait(1)

    await send(1_790_000_000_000, 1_790_000_001_000)
    await meter.wait(11)
    assert meter.value() == "0.002"
    for _ in range(3):
        await meter.restart()
        # What the broker keeps for new subscribers, and what it had delivered before.
        await send(1_790_000_001_000, retain=True)
        await send(1_789_999_999_000, 1_790_000_001_000)
    await meter.wait(11)
    assert meter.value() == "0.002"
    # A sender that held flashes back while the broker was away.
    await send(1_790_000_001_000, 1_790_000_005_000, 1_790_000_002_000)
    await meter.wait(11)
    assert meter.value() == "0.004"
    # Its clock is set back.
    await meter.wait(60, step=10)
    await send(1_780_000_000_000)
    await meter.wait(11)
    assert meter.value() == "0.005"
    assert meter.coordinator.client.counters.other == 2


async def test_s10_without_mqtt(meter: BlinkingMeter) -> None:
    meter.make_entry(port="onemeter/s10/v1/AABBCCDDEEFF", source="mqtt")
    await meter.set_up()
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == "source_unavailable"


# --- what is stored, and what is published --------------------------------------------------------


async def test_nothing_is_published_that_is_not_written(
    hass: HomeAssistant, meter: BlinkingMeter, hass_storage: dict[str, Any]
) -> None:
    ahead: list[str] = []

    @callback
    def see(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if (
            state is not None
            and state.entity_id == ENERGY
            and state.state not in {STATE_UNAVAILABLE, STATE_UNKNOWN}
            and Decimal(state.state) * 1000 > stored(meter, hass_storage)
        ):
            ahead.append(state.state)

    hass.bus.async_listen("state_changed", see)
    await meter.show(0, after=0)
    await meter.set_up()
    for total in range(7, 700, 7):
        await meter.show(total, after=3)
    await meter.wait(11)
    assert meter.value() == "0.693"
    assert ahead == []


async def test_disk_is_full(
    hass: HomeAssistant, meter: BlinkingMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(20)
    assert meter.value() == "0.020"
    issues = ir.async_get(hass)
    issue_id = f"not_written_{meter.entry.entry_id}"
    write = Store._async_write_data

    async def fail(store: Store[Any], data: dict[str, Any]) -> None:
        if store.key.startswith(DOMAIN):
            raise WriteError("no space left on device")
        await write(store, data)

    with patch.object(Store, "_async_write_data", fail):
        for total in (30, 44):
            await meter.show(total)
            assert meter.value() == "0.020"
            assert meter.coordinator.last_update_success
        assert issues.async_get_issue(DOMAIN, issue_id) is not None
        with pytest.raises(HomeAssistantError) as caught:
            await set_reading(hass, "7")
        assert caught.value.translation_key == "not_written"
        assert meter.value() == "0.020"
    assert stored(meter, hass_storage) == 20
    # Nothing new comes, but now it can be written.
    await meter.wait(11)
    assert stored(meter, hass_storage) == 44
    assert meter.value() == "7.000"
    assert issues.async_get_issue(DOMAIN, issue_id) is None


async def test_total_is_there_before_the_first_state(
    hass: HomeAssistant, meter: BlinkingMeter
) -> None:
    meter.make_entry(reading="12345.5")
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(60)
    assert Decimal(meter.value()) == Decimal("12345.56")
    seen: list[str] = []

    @callback
    def see(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.entity_id == ENERGY:
            seen.append(state.state)

    hass.bus.async_listen("state_changed", see)
    await meter.restart()
    numbers = [Decimal(state) for state in seen if state != STATE_UNAVAILABLE]
    assert numbers[0] == Decimal("12345.56")
    # The source has counted on.
    await meter.restart()
    await meter.show(65)
    assert Decimal(meter.value()) == Decimal("12345.565")


async def test_what_is_counted_is_written_when_the_entry_ends(
    meter: BlinkingMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(5, after=0)
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    assert stored(meter, hass_storage) == 5


async def test_what_is_counted_is_written_when_home_assistant_ends(
    hass: HomeAssistant, meter: BlinkingMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(5, after=0)
    hass.set_state(CoreState.final_write)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert stored(meter, hass_storage) == 5


async def test_clock_is_behind_at_the_start(meter: BlinkingMeter) -> None:
    """The clock of a machine without real-time clock is behind after a start."""
    await meter.show(1000, after=0)
    await meter.set_up()
    await meter.show(1010)
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    meter.freezer.tick(timedelta(minutes=-40))
    await meter.show(1510, after=0)
    await meter.set_up()
    await meter.settle()
    await meter.show(1511)
    assert meter.value() == "0.511"


async def test_machine_sleeps(meter: BlinkingMeter) -> None:
    await meter.show(1000, after=0)
    await meter.set_up()
    await meter.show(1010)
    # The clock of the day goes on, that of the event loop does not.
    with patch(
        "custom_components.onemeter.impulses.sources.monotonic_ns", return_value=monotonic_ns()
    ):
        meter.freezer.tick(timedelta(hours=5))
        await meter.show(4010, after=0)
    await meter.wait(11)
    assert meter.value() == "3.010"


async def test_darkness_is_no_failure(meter: BlinkingMeter) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(1, after=10)
    await meter.show(2, after=10)
    await meter.wait(7200, step=60)
    await meter.wait(11)
    assert meter.value() == "0.002"
    assert meter.coordinator.last_update_success


async def test_impulses_of_the_day(
    hass: HomeAssistant, meter: BlinkingMeter, entity_registry: er.EntityRegistry
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    meter.freezer.move_to("2026-11-28T20:00:00+00:00")
    for key in ("impulses_today", "impulse_rate"):
        entity_registry.async_get_or_create("sensor", DOMAIN, f"{meter.entry.unique_id}-{key}")
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(30, after=60)
    await meter.show(60, after=1)
    assert Decimal(meter.shown("impulse_rate")) == pytest.approx(30, abs=3)
    await meter.wait(11)
    assert meter.shown("impulses_today") == "60"
    await meter.restart()
    await meter.show(70)
    assert meter.shown("impulses_today") == "70"
    meter.freezer.move_to("2026-11-28T23:00:00+00:00")
    await meter.wait(11)
    assert meter.shown("impulses_today") == "0"
    await meter.show(75)
    assert meter.shown("impulses_today") == "5"


async def test_export(meter: BlinkingMeter) -> None:
    meter.make_entry(export=True)
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(5)
    assert meter.value("energy_export") == "0.005"


# --- calibration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "off", "shown"),
    [("1234.5", "1234.490", "1234.500"), ("0,004", "-0.006", "0.004"), ("0.010", "0.000", "0.010")],
)
async def test_reading_is_set(
    meter: BlinkingMeter, hass_storage: dict[str, Any], reading: str, off: str, shown: str
) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(10)
    assert await set_reading(meter.hass, reading) == {"off_by": off}
    await meter.settle()
    assert Decimal(meter.value()) == Decimal(shown)
    memory = hass_storage[f"{DOMAIN}.{meter.entry.entry_id}"]["data"]
    steps = [step["offset"] for step in memory["steps"]]
    assert steps == ([] if Decimal(off) == 0 else [off])
    await meter.restart()
    assert Decimal(meter.value()) == Decimal(shown)
    await meter.show(11)
    assert Decimal(meter.value()) == Decimal(shown) + Decimal("0.001")


@pytest.mark.parametrize(
    "reading", ["-1", "much", "1e15", "", "1e-5000", "1e-10", "5." + 10 * "0", 2000 * "9"]
)
async def test_reading_that_no_display_shows(
    hass: HomeAssistant, meter: BlinkingMeter, reading: str
) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    with pytest.raises(Exception, match="not a meter reading"):
        await set_reading(hass, reading)
    # It goes on counting.
    await meter.show(5)
    assert meter.value() == "0.005"


async def test_reading_of_what_is_not_counted(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PushedMeter(hass, freezer)
    await meter.start()
    with pytest.raises(ServiceValidationError) as caught:
        await set_reading(hass, "5")
    assert caught.value.translation_key == "not_counted"


# --- diagnostics ----------------------------------------------------------------------------------


async def test_diagnostics(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.show(5)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["data"]["source_id"] == SOURCE
    assert diagnostics["impulses"] == {
        "counted": 5,
        "rejected": 0,
        "missed_estimate": 0,
        "edges": 1,
    }
    assert diagnostics["telegrams"] == []


async def test_address_of_a_sender_is_not_told(hass: HomeAssistant, meter: BlinkingMeter) -> None:
    meter.make_entry(port="onemeter/s10/v1/AABBCCDDEEFF", source="mqtt").add_to_hass(hass)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert "AABBCC" not in json.dumps(diagnostics)
