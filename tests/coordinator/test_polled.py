"""Polled meters: when they are read, and what happens if they do not answer."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
import logging
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.const import (
    CONF_LIVE_REGISTERS,
    CONF_POLL_INTERVAL,
    CONF_PUBLISH_INTERVAL,
)
from custom_components.onemeter.coordinator.first_reading import FirstReading, async_hand_over
from custom_components.onemeter.meter import Identity, MeterError, Obis, Reading, Register
from custom_components.onemeter.meter.errors import (
    ChecksumError,
    FixedSpeedError,
    MeterAuthenticationError,
    MeterSilentError,
    NoReadoutError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    RefusedError,
)
from custom_components.onemeter.meter.iec62056.codes import parse_address
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util

from ..helpers.polled import PolledMeter
from ..helpers.published import register
from ..helpers.pushed import METER, OTHER_METER, energy, reading

SILENT = MeterSilentError("nothing comes", port="p")
DAMAGED = ChecksumError("damaged", port="p")
IMPORT = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:16.7.0")
VOLTAGE = Obis.parse("1-0:32.7.0")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PolledMeter:
    freezer.move_to("2026-11-23 12:00:10+00:00")
    return PolledMeter(hass, freezer)


def times(meter: PolledMeter) -> list[str]:
    """Return the times at which readouts began."""
    return [f"{time:%H:%M:%S}" for time in meter.client.read_at]


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors in the log."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("custom_components")
    ]


async def test_first_readout_is_there_once_the_entry_is_set_up(meter: PolledMeter) -> None:
    assert await meter.start()
    assert meter.value() == "5.000"
    assert not meter.client.is_open


async def test_is_read_every_minute_and_published_at_once(meter: PolledMeter) -> None:
    await meter.start(energy("5000"), energy("5001"))
    await meter.wait(59)
    assert meter.client.reads == 1
    await meter.wait(1)
    assert meter.value() == "5.001"
    await meter.wait(120)
    assert times(meter) == ["12:00:10", "12:01:10", "12:02:10", "12:03:10"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({CONF_POLL_INTERVAL: 20}, ["12:00:10", "12:00:30", "12:00:50"]),
        ({CONF_POLL_INTERVAL: 900}, ["12:00:10", "12:14:55", "12:29:55"]),
        ({CONF_POLL_INTERVAL: 1800}, ["12:00:10", "12:29:55", "12:59:55"]),
    ],
)
async def test_interval_is_an_option(
    meter: PolledMeter, options: dict[str, int], expected: list[str]
) -> None:
    meter.make_entry(options=options)
    await meter.start()
    await meter.wait(2 * options[CONF_POLL_INTERVAL], step=5)
    assert times(meter) == expected


@pytest.mark.parametrize(
    "options", [{}, {CONF_POLL_INTERVAL: 60}, {CONF_POLL_INTERVAL: 900}], ids=str
)
async def test_battery_meter_is_read_every_quarter_of_an_hour_at_most(
    meter: PolledMeter, options: dict[str, int]
) -> None:
    meter.make_entry(options=options, battery=True)
    await meter.start()
    await meter.wait(1800, step=5)
    assert times(meter) == ["12:00:10", "12:14:55", "12:29:55"]


@pytest.mark.parametrize("interval", [1, 60, 900])
async def test_readout_that_takes_longer_than_the_interval_is_followed_by_the_next(
    meter: PolledMeter, interval: int
) -> None:
    meter.make_entry(options={CONF_POLL_INTERVAL: interval})
    await meter.start()
    meter.client.takes = interval + 10
    await meter.wait(interval, step=10)
    reads = meter.client.reads
    await meter.wait(3 * meter.client.takes, step=1)
    assert meter.client.reads == reads + 3
    assert meter.value() == "5.000"


async def test_clock_that_is_set_back_does_not_keep_the_meter_waiting(meter: PolledMeter) -> None:
    meter.make_entry(options={CONF_POLL_INTERVAL: 900})
    await meter.start()
    # As a clock that goes slower than the steady time, since the tests have one clock only.
    with patch("custom_components.onemeter.coordinator.polled.dt_util") as clock:
        clock.utcnow.side_effect = lambda: dt_util.utcnow() - timedelta(hours=2)
        await meter.wait(1800, step=10)
        assert meter.client.reads == 2
        await meter.wait(900, step=10)
        assert meter.client.reads == 3


async def test_what_the_next_attempt_mends_is_never_seen(
    meter: PolledMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start(energy("5000"), DAMAGED, PortLostError("gone", port="p"), energy("5001"))
    await meter.wait(63)
    assert meter.client.reads == 3
    assert meter.coordinator.last_update_success
    await meter.wait(3)
    assert meter.value() == "5.001"
    assert times(meter) == ["12:00:10", "12:01:10", "12:01:11", "12:01:14"]
    assert not complaints(caplog)


@pytest.mark.parametrize(
    "error",
    [SILENT, DAMAGED, NoReadoutError("DLMS?", port="p")],
    ids=lambda error: error.translation_key,
)
async def test_meter_that_does_not_answer_is_unavailable_until_it_does(
    meter: PolledMeter, caplog: pytest.LogCaptureFixture, error: MeterError
) -> None:
    await meter.start(energy("5000"))
    meter.client.usual = error
    await meter.wait(64)
    assert meter.client.reads == 4
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == error.translation_key
    await meter.wait(300)
    retries = meter.client.read_at[3:]
    pauses = [(later - time).seconds for time, later in pairwise(retries)]
    assert pauses[:7] == [10, 10, 10, 10, 16, 32, 60]
    assert len(complaints(caplog)) == 1
    meter.client.usual = energy("5001")
    await meter.wait(60)
    assert meter.value() == "5.001"
    assert meter.coordinator.translation_key is None
    assert sum("can be read again" in record.getMessage() for record in caplog.records) == 1
    assert "secret" not in caplog.text


async def test_retries_are_not_rarer_than_readouts(meter: PolledMeter) -> None:
    meter.make_entry(options={CONF_POLL_INTERVAL: 5})
    await meter.start()
    meter.client.usual = SILENT
    await meter.wait(10)
    reads = meter.client.reads
    await meter.wait(50)
    assert meter.client.reads == reads + 10


async def test_meter_that_does_not_answer_keeps_its_battery(meter: PolledMeter) -> None:
    meter.make_entry(battery=True)
    await meter.start(reading(), SILENT, PortLostError("gone", port="p"))
    await meter.wait(2700, step=10)
    assert times(meter) == ["12:00:10", "12:15:00", "12:30:00", "12:45:00"]


@pytest.mark.parametrize("on_battery", [False, True])
async def test_lost_port_is_read_within_seconds_of_being_plugged_in(
    meter: PolledMeter, tmp_path: Any, *, on_battery: bool
) -> None:
    path = tmp_path / "ttyMETER"
    meter.client.url = str(path)
    meter.make_entry(battery=on_battery)
    await meter.start(energy("5000"))
    meter.client.usual = PortNotFoundError("gone", port="p")
    await meter.wait(2000, step=10)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "port_not_found"
    meter.client.usual = energy("5001")
    path.touch()
    await meter.wait(2)
    assert meter.value() == "5.001"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (PortBusyError("busy", port="p", by="cat (PID 7)"), 5),
        (PortNotFoundError("gone", port="p"), 10),
        (ConfigEntryNotReady("ESPHome is loading"), 10),
    ],
)
async def test_port_that_cannot_be_watched_is_tried_every_few_seconds(
    meter: PolledMeter, error: Exception, seconds: int
) -> None:
    await meter.start()
    meter.client.usual = error
    await meter.wait(120)
    reads = meter.client.reads
    await meter.wait(10 * seconds)
    assert meter.client.reads == reads + 10


async def test_what_nobody_expected_is_logged_and_survived(
    meter: PolledMeter, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.start(reading(), *[ZeroDivisionError("a bug")] * 3)
    await meter.wait(65)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "unknown"
    assert "ZeroDivisionError: a bug" in caplog.text
    await meter.wait(10)
    assert meter.value() == "5.000"


async def test_error_in_what_becomes_of_a_reading_is_survived_too(meter: PolledMeter) -> None:
    await meter.start()
    with patch.object(meter.coordinator.totals, "async_review", side_effect=ZeroDivisionError):
        await meter.wait(65)
    assert meter.value() == STATE_UNAVAILABLE
    await meter.wait(10)
    assert meter.value() == "5.000"


async def test_reading_that_is_too_old_is_not_shown_as_if_it_were_of_now(
    meter: PolledMeter,
) -> None:
    await meter.start(energy("5000"))
    meter.client.takes = 400
    await meter.wait(60 + 74)
    assert meter.value() == "5.000"
    await meter.wait(2)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "meter_silent"
    await meter.wait(400)
    assert meter.value() == "5.000"
    await meter.wait(900, step=10)
    assert meter.value() == "5.000", "it is known now how long it takes"


async def test_another_meter_is_never_published(hass: HomeAssistant, meter: PolledMeter) -> None:
    await meter.start(energy("5000"))
    meter.client.usual = energy("999999", meter=OTHER_METER)
    await meter.wait(60)
    assert meter.client.reads == 2, "another attempt would tell the same"
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "other_meter"
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_key == Issue.OTHER_METER
    assert issue.data is not None
    assert issue.data["unique_id"] == OTHER_METER.unique_id
    meter.client.usual = energy("5001")
    await meter.wait(10)
    assert meter.value() == "5.001"
    assert not ir.async_get(hass).issues


async def test_readout_without_id_is_no_reading_of_a_meter_that_has_one(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start(energy("5000"))
    meter.client.usual = energy("6000", meter=Identity())
    await meter.wait(60)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.coordinator.translation_key == "other_meter"
    assert not ir.async_get(hass).issues


async def test_register_that_is_left_out_is_there_no_longer(meter: PolledMeter) -> None:
    await meter.start(reading(), reading(register("1-0:1.8.0*255", "5001", "Wh")))
    await meter.wait(60)
    assert set(meter.coordinator.data.registers) == {IMPORT}


async def test_unit_that_the_meter_does_not_write_is_known_by_the_code(meter: PolledMeter) -> None:
    await meter.start(reading(Register(IMPORT, Decimal("12.345"), address="1.8.0")))
    assert meter.coordinator.data.registers[IMPORT].unit == "kWh"


async def test_totals_wait_for_consent(hass: HomeAssistant, meter: PolledMeter) -> None:
    await meter.start(energy("5000"))
    meter.client.usual = energy("300")
    await meter.wait(180, step=60)
    assert meter.value() == "5.000"
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_key == Issue.TOTALS_JUMPED
    assert await meter.coordinator.async_accept_totals()
    await meter.wait(1)
    assert meter.value() == "0.300"


# Setting up


@pytest.mark.parametrize(
    ("error", "translation_key"),
    [
        (SILENT, "meter_silent"),
        (PortNotFoundError("no", port="p"), "port_not_found"),
        (PortBusyError("no", port="p", by="cat (PID 7)"), "port_busy_by"),
        (ConfigEntryNotReady("ESPHome is loading"), "cannot_connect"),
        (ZeroDivisionError("a bug"), "unknown"),
        (energy("1", meter=OTHER_METER), "other_meter"),
    ],
    ids=lambda item: type(item).__name__,
)
async def test_failed_setup_leaves_nothing_behind_and_is_tried_again(
    meter: PolledMeter, error: Exception, translation_key: str
) -> None:
    meter.client.usual = error
    setting_up = asyncio.create_task(meter.start())
    await meter.client.reading.wait()
    await meter.wait(4)
    await setting_up
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == translation_key
    assert not meter.client.is_open
    meter.client.usual = reading()
    with meter.patched():
        await meter.wait(10)
    assert meter.state() is ConfigEntryState.LOADED
    assert meter.value() == "5.000"


async def test_setup_waits_for_a_slow_readout_as_long_as_it_takes(meter: PolledMeter) -> None:
    meter.client.takes = 300
    setting_up = asyncio.create_task(meter.start())
    await meter.client.reading.wait()
    await meter.wait(290, step=10)
    assert meter.state() is ConfigEntryState.SETUP_IN_PROGRESS
    await meter.wait(11)
    assert await setting_up
    assert meter.value() == "5.000"


async def test_setup_asks_once_where_the_port_has_never_carried_an_answer(
    meter: PolledMeter,
) -> None:
    meter.client.usual = FixedSpeedError("silent", port="p")
    await meter.start()
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == "fixed_speed"
    assert meter.client.reads == 1


@pytest.mark.parametrize(
    ("battery", "received", "waits", "translation_key"),
    [
        (False, 0, 20, "meter_silent"),
        (False, 7, 20, "slow_readout"),
        (True, 0, 20, "meter_silent"),
        (True, 7, 60, "slow_readout"),
    ],
)
async def test_start_of_home_assistant_does_not_wait_for_a_slow_readout(
    hass: HomeAssistant,
    meter: PolledMeter,
    *,
    battery: bool,
    received: int,
    waits: int,
    translation_key: str,
) -> None:
    meter.make_entry(battery=battery)
    hass.set_state(CoreState.starting)
    meter.client.takes = 300
    setting_up = asyncio.create_task(meter.start())
    await meter.client.reading.wait()
    meter.client.counters.received = received
    await meter.wait(waits - 1)
    assert meter.state() is ConfigEntryState.SETUP_IN_PROGRESS
    await meter.wait(2)
    await setting_up
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == translation_key
    assert not meter.client.is_open
    hass.set_state(CoreState.running)
    with meter.patched():
        # A battery-powered meter is woken up again only when it is due.
        await meter.wait(900 + 320, step=10)
    assert meter.value() == "5.000"


@pytest.mark.parametrize(("battery", "takes"), [(False, 15), (True, 45)])
async def test_start_of_home_assistant_waits_for_a_readout_that_is_quick_enough(
    hass: HomeAssistant, meter: PolledMeter, *, battery: bool, takes: int
) -> None:
    meter.make_entry(battery=battery)
    hass.set_state(CoreState.starting)
    meter.client.takes = takes
    setting_up = asyncio.create_task(meter.start())
    await meter.client.reading.wait()
    meter.client.counters.received = 7
    await meter.wait(takes + 1)
    assert await setting_up
    assert meter.value() == "5.000"


async def test_start_of_home_assistant_does_not_wait_for_a_second_attempt(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    hass.set_state(CoreState.starting)
    meter.client.answers.append(DAMAGED)
    meter.client.takes = 5
    setting_up = asyncio.create_task(meter.start())
    await meter.client.reading.wait()
    await meter.wait(6)
    assert not await setting_up
    assert meter.entry.error_reason_translation_key == "checksum_failed"
    assert meter.client.reads == 1
    with meter.patched():
        await meter.wait(30)
    assert meter.state() is ConfigEntryState.LOADED


async def test_meter_that_was_set_up_is_tried_again_while_home_assistant_starts(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    hass.set_state(CoreState.starting)
    assert await meter.start()
    meter.client.answers.append(DAMAGED)
    refreshing = asyncio.create_task(meter.coordinator.async_request_refresh())
    await meter.wait(3)
    await refreshing
    assert meter.client.reads == 3
    assert meter.value() == "5.000"


async def test_battery_meter_that_cannot_be_set_up_is_left_alone(
    meter: PolledMeter, tmp_path: Any
) -> None:
    path = tmp_path / "ttyMETER"
    meter.make_entry(port=str(path), battery=True)
    meter.client.usual = SILENT
    await meter.start()
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    with meter.patched():
        await meter.wait(890)
        assert meter.client.reads == 1
        await meter.wait(20)
        assert meter.client.reads == 2
        meter.client.usual = reading()
        path.touch()
        await meter.wait(6)
    assert meter.state() is ConfigEntryState.LOADED


async def test_battery_meter_at_a_port_that_is_not_there_is_waited_for_as_usual(
    meter: PolledMeter,
) -> None:
    meter.make_entry(battery=True)
    meter.client.usual = PortNotFoundError("no", port="p")
    await meter.start()
    with meter.patched():
        await meter.wait(11)
    assert meter.client.reads >= 2


def open_mode_e(hass: HomeAssistant, duration: float | None = None, **findings: Any) -> None:
    """Hand a reading over, as a config flow does."""
    read = FirstReading(energy("5000"), dt_util.utcnow(), duration, findings)
    async_hand_over(hass, str(METER.unique_id), read)


@pytest.mark.parametrize("on_battery", [False, True])
async def test_what_a_flow_has_read_is_not_read_again(
    hass: HomeAssistant, meter: PolledMeter, *, on_battery: bool
) -> None:
    meter.make_entry(battery=on_battery)
    open_mode_e(hass, found="out")
    await meter.wait(30)
    await meter.start()
    assert meter.value() == "5.000"
    assert meter.client.reads == 0
    assert meter.client.recalled == {"found": "out"}
    await meter.until_due(900 if on_battery else 30)
    assert meter.client.reads == 1
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start()
    assert meter.client.reads == 2


async def test_slow_meter_that_a_flow_has_read_is_not_given_up_too_early(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    open_mode_e(hass)
    await meter.start()
    meter.client.takes = 400
    await meter.wait(450, step=10)
    assert meter.value() == "5.000"
    await meter.wait(20, step=10)
    assert meter.client.reads == 2


async def test_readout_after_that_of_a_flow_ends_at_the_round_time(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    meter.make_entry(options={CONF_POLL_INTERVAL: 900})
    open_mode_e(hass, duration=60)
    await meter.start()
    await meter.wait(900, step=5)
    assert times(meter) == ["12:13:55"]


async def test_what_a_flow_has_read_long_ago_is_read_again(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    open_mode_e(hass)
    await meter.wait(90, step=90)
    await meter.start()
    assert meter.client.reads == 1


async def test_unloading_closes_the_port_in_the_middle_of_a_readout(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.takes = 300
    await meter.until_due()
    assert meter.client.is_open
    asked = asyncio.create_task(meter.coordinator.async_read_now())
    await asyncio.sleep(0)
    assert await hass.config_entries.async_unload(meter.entry.entry_id)
    assert not meter.client.is_open
    assert meter.value() == STATE_UNAVAILABLE
    await asked
    await meter.wait(600, step=60)
    assert meter.client.reads == 2


async def test_stopping_closes_the_port_in_the_middle_of_a_readout(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.takes = 300
    await meter.until_due()
    await hass.async_stop()
    assert not meter.client.is_open


# Live registers


def live(power: str, *more: Register, meter: Identity = METER) -> Reading:
    return reading(register("1-0:16.7.0*255", power, "W"), *more, meter=meter)


@pytest.fixture
async def live_meter(meter: PolledMeter) -> PolledMeter:
    """Return a meter whose power is a live register."""
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"]})
    await meter.start()
    return meter


def power(meter: PolledMeter) -> str:
    return meter.value("power")


async def tell(meter: PolledMeter, *heard: Reading | Exception | None) -> None:
    for item in heard:
        meter.client.live.put_nowait(item)
    await meter.settle()


async def test_power_is_import_minus_export_also_of_live_registers(meter: PolledMeter) -> None:
    def powers(imported: str, exported: str) -> Reading:
        return reading(
            register("1-0:1.7.0*255", imported, "W"), register("1-0:2.7.0*255", exported, "W")
        )

    meter.make_entry(options={CONF_LIVE_REGISTERS: ["1.7.0", "2.7.0"]})
    await meter.start(powers("100", "0"))
    assert power(meter) == "100"
    await tell(meter, powers("0", "250"))
    assert power(meter) == "-250"
    await tell(meter, reading(register("1-0:1.7.0*255", "70", "W")))
    assert power(meter) == STATE_UNKNOWN, "export is of the reading before"


async def test_live_registers_are_watched_between_readouts(live_meter: PolledMeter) -> None:
    client = live_meter.client
    assert client.watched == [(["16.7.0"], 2)]
    client.usual = energy("5010")
    await tell(live_meter, live("250"))
    assert power(live_meter) == "250"
    assert live_meter.value() == "5.000"
    await live_meter.wait(59)
    await tell(live_meter, live("300"))
    assert power(live_meter) == "300"
    assert client.reads == 1
    await live_meter.wait(1)
    assert client.reads == 2
    assert power(live_meter) == "100"
    assert live_meter.value() == "5.010"
    assert client.is_watched
    assert len(live_meter.coordinator.readings) == 2, "readouts only"


async def test_interval_of_live_registers_is_an_option(meter: PolledMeter) -> None:
    options = {CONF_LIVE_REGISTERS: ["16.7.0", "F.F"], CONF_PUBLISH_INTERVAL: 5}
    meter.make_entry(options=options)
    await meter.start()
    assert meter.client.watched == [(["16.7.0", "F.F"], 5)]


async def test_live_register_that_no_readout_tells_stays_between_sessions(
    live_meter: PolledMeter,
) -> None:
    await tell(live_meter, live("250", register("1-0:32.7.0*255", "230", "V")))
    await live_meter.until_due()
    assert live_meter.coordinator.data.registers[VOLTAGE].value == 230
    assert power(live_meter) == "100"
    await live_meter.until_due()
    assert VOLTAGE not in live_meter.coordinator.data.registers, "it has been told no more"


async def test_clock_of_the_meter_goes_on_between_readouts(meter: PolledMeter) -> None:
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"]})
    noon = datetime(2026, 11, 23, 13, 0, 7)  # noqa: DTZ001  as the meter counts
    said = reading()
    await meter.start(Reading(said.meter, noon, said.registers, said.raw))
    await meter.wait(10)
    await tell(meter, live("250"))
    assert meter.coordinator.newest.clock == noon + timedelta(seconds=10)
    await meter.until_due(50)
    await tell(meter, live("250"))
    assert meter.coordinator.newest.clock is None


async def test_live_register_that_is_refused_for_now(live_meter: PolledMeter) -> None:
    await tell(live_meter, live("250"), RefusedError("other reason"))
    await live_meter.wait(61)
    assert len(live_meter.client.watched) == 2
    assert live_meter.client.is_watched
    await tell(live_meter, live("300"))
    assert power(live_meter) == "300"
    await tell(live_meter, RefusedError("other reason"))
    await live_meter.wait(61)
    await tell(live_meter, RefusedError("other reason"))
    await live_meter.wait(600, step=60)
    assert len(live_meter.client.watched) == 3, "refused twice: left alone for a day"


async def test_live_values_of_another_meter_are_not_published(live_meter: PolledMeter) -> None:
    await tell(live_meter, live("9999", meter=OTHER_METER))
    assert power(live_meter) == "100"


async def test_meter_that_refuses_is_left_alone_for_a_day(
    live_meter: PolledMeter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await tell(live_meter, RefusedError("(ER01)"))
    await live_meter.wait(600, step=60)
    assert live_meter.client.reads == 11
    assert len(live_meter.client.watched) == 1
    assert power(live_meter) == "100"
    assert sum("no live values" in record.getMessage() for record in caplog.records) == 1
    await live_meter.wait(85_200, step=600)
    assert len(live_meter.client.watched) == 1
    await live_meter.wait(1200, step=600)
    assert live_meter.client.is_watched


async def test_rejected_password_is_asked_for_and_not_tried_again(
    hass: HomeAssistant, live_meter: PolledMeter
) -> None:
    await tell(live_meter, MeterAuthenticationError("no"))
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    await live_meter.wait(600, step=60)
    assert live_meter.client.reads == 11
    assert len(live_meter.client.watched) == 1
    assert len(hass.config_entries.flow.async_progress()) == 1
    assert power(live_meter) == "100"


async def test_session_that_breaks_off_is_followed_by_a_readout_and_the_next_session(
    live_meter: PolledMeter,
) -> None:
    await tell(live_meter, live("250"), DAMAGED)
    assert live_meter.client.reads == 2
    assert live_meter.client.is_watched
    assert power(live_meter) == "100"
    live_meter.client.usual = PortLostError("gone", port="p")
    await tell(live_meter, live("250"), PortLostError("gone", port="p"))
    await live_meter.wait(5)
    assert power(live_meter) == STATE_UNAVAILABLE


@pytest.mark.parametrize(
    "end", [DAMAGED, ConfigEntryNotReady("no"), ZeroDivisionError("a bug"), None]
)
async def test_session_that_gives_nothing_is_not_begun_again_at_once(
    meter: PolledMeter, end: Exception | None
) -> None:
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"], CONF_POLL_INTERVAL: 300})
    await meter.start()
    await tell(meter, end)
    assert meter.client.reads == 2
    await meter.wait(59)
    assert len(meter.client.watched) == 1
    await meter.wait(2)
    assert len(meter.client.watched) == 2
    assert meter.client.reads == 2


async def test_battery_meter_is_not_watched(meter: PolledMeter) -> None:
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"]}, battery=True)
    await meter.start()
    await meter.wait(10)
    assert meter.client.watched == []


async def test_what_a_flow_has_read_does_not_replace_the_readout_before_a_session(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"]})
    open_mode_e(hass)
    await meter.start()
    assert meter.client.reads == 1
    assert meter.client.is_watched


async def test_live_registers_are_chosen_among_those_of_the_newest_readout(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    def told(address: str, value: Decimal | str | None, unit: str | None = None) -> Register:
        return Register(parse_address(address), value, unit, address=address)

    await meter.start(
        reading(
            told("0.0.0", "12345678"),
            told("1.8.0", Decimal("12.345")),
            told("1.8.0*01", Decimal("11.345"), "kWh"),
            told("16.7.0", Decimal("0.25"), "kW"),
            told("1-0:32.7.0*255", Decimal("230.1"), "V"),
            told("14.7.0", Decimal(50), "Hz"),
            told("2.7.0", None, "kW"),
            told("6.8", Decimal("1.5"), "MWh"),
        )
    )
    er.async_get(hass).async_update_entity("sensor.meter_power", name="Grid power")
    result = await hass.config_entries.options.async_init(meter.entry.entry_id)
    assert result["data_schema"] is not None
    fields = {str(key): field for key, field in result["data_schema"].schema.items()}
    assert fields[CONF_LIVE_REGISTERS].config["options"] == [
        {"value": "1.8.0", "label": "Energy import (1.8.0): 12.345 kWh"},
        {"value": "16.7.0", "label": "Grid power (16.7.0): 0.25 kW"},
        {"value": "1-0:32.7.0*255", "label": "Voltage L1 (1-0:32.7.0*255): 230.1 V"},
        {"value": "6.8", "label": "1-0:6.8.0 (6.8): 1.5 MWh"},
    ]
    entered = {CONF_LIVE_REGISTERS: ["16.7.0", "C.7.1"]}
    with meter.patched():
        await hass.config_entries.options.async_configure(result["flow_id"], entered)
        await hass.async_block_till_done()
    assert meter.client.watched == [(["16.7.0", "C.7.1"], 2)]
