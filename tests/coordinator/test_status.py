"""The status of a meter, its sensors, and the repair for a meter that cannot be read for long."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.onemeter.access.issues import Issue, async_raise_issue
from custom_components.onemeter.coordinator.status import REPAIR_AFTER, Status, status_of
from custom_components.onemeter.meter import MeterError
from custom_components.onemeter.meter.errors import (
    AccessError,
    ChecksumError,
    EmptyReadoutError,
    FixedSpeedError,
    NotAuthenticatedError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    WrongEncryptionKeyError,
    WrongKeysError,
)
from custom_components.onemeter.status_sensors import SignalQualitySensor
from homeassistant.components import usb
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir

from ..helpers.polled import PolledMeter
from ..helpers.published import register
from ..helpers.pushed import OTHER_METER, PushedMeter, energy, reading

MISSING = PortNotFoundError("none", port="p")
BUSY = PortBusyError("busy", port="p", by="?")
LOST = PortLostError("gone", port="p")
OVERDUE = REPAIR_AFTER.total_seconds() + 1


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


def repairs(hass: HomeAssistant) -> list[str]:
    return [str(issue.translation_key) for issue in ir.async_get(hass).issues.values()]


def written(changes: list[Event[EventStateChangedData]], entity_id: str) -> list[str]:
    """Return the states of an entity that were written."""
    states = [change.data["new_state"] for change in changes]
    return [state.state for state in states if state is not None and state.entity_id == entity_id]


def errors(kind: type[MeterError] = MeterError) -> Iterator[type[MeterError]]:
    yield kind
    for more in kind.__subclasses__():
        if more.__module__ == MeterError.__module__:
            yield from errors(more)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FixedSpeedError, Status.SILENT),
        (PortLostError, Status.NO_CONNECTION),
        (EmptyReadoutError, Status.DAMAGED),
        (AccessError, Status.REFUSED),
        (WrongKeysError, Status.WRONG_KEY),
        (MeterError, Status.ERROR),
    ],
)
def test_status_of_an_error(error: type[MeterError], status: Status) -> None:
    assert status_of(error("")) is status


def test_every_error_has_a_status_that_is_no_success() -> None:
    statuses = Counter(status_of(kind("")) for kind in errors())
    assert not {Status.OK, Status.LOCKED, Status.NOT_SAVED} & set(statuses)
    assert statuses[Status.ERROR] <= 2, "of all errors, and of keys that no entry has"


async def test_status_is_shown_while_the_meter_is_unavailable(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    assert meter.value("status") == "ok"
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    await meter.say(LOST)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.value("status") == "no_connection"
    for _ in range(3):
        await meter.say(MISSING, after=10)
        assert meter.value("status") == "port_missing"
    await meter.say(BUSY, after=10)
    assert meter.value("status") == "port_in_use"
    await meter.say(energy("5001"), after=10)
    assert meter.value("status") == "ok"
    news = written(changes, "sensor.meter_status")
    assert news == ["no_connection", "port_missing", "port_in_use", "ok"]


async def test_status_of_a_polled_meter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PolledMeter(hass, freezer)
    await meter.start()
    assert meter.value("status") == "ok"
    meter.client.usual = ChecksumError("damaged", port="p")
    await meter.wait(75)
    assert meter.value("status") == "damaged"
    meter.client.usual = WrongEncryptionKeyError("wrong", port="p")
    await meter.wait(75)
    assert meter.value("status") == "wrong_key"
    assert er.async_get(hass).async_get("sensor.meter_signal_quality") is None


async def test_status_of_a_meter_that_needs_its_pin(meter: PushedMeter) -> None:
    locked = reading(register("1-0:1.8.0*255", "5000000", "Wh"))
    await meter.start(locked)
    for _ in range(7):
        await meter.say(locked, after=10)
    assert meter.value("status") == "locked"
    await meter.wait(OVERDUE)
    assert meter.value("status") == "silent"
    await meter.say(locked)
    await meter.say(energy("5000000.3"), after=1)
    assert meter.value("status") == "ok"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MISSING, "unavailable_port_missing"),
        (NotAuthenticatedError("old", port="p"), "unavailable_not_authenticated"),
        (ValueError("bug"), "unavailable_error"),
    ],
)
async def test_meter_that_cannot_be_read_for_long_becomes_a_repair(
    hass: HomeAssistant, meter: PushedMeter, error: Exception, text: str
) -> None:
    await meter.start(energy("5000"))
    meter.client.diagnosis = (
        error if isinstance(error, MeterError) else MeterError("bug", reason="bug")
    )
    await meter.say(error)
    await meter.wait(REPAIR_AFTER.total_seconds() - 5)
    assert not repairs(hass)
    await meter.wait(10)
    [issue] = ir.async_get(hass).issues.values()
    # Meanwhile the port is open again, and nothing comes.
    assert issue.translation_key == text
    assert not issue.is_fixable
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["title"] == "Meter"
    assert "secret" not in issue.translation_placeholders["port"]
    await meter.say(energy("5001"))
    assert not repairs(hass)
    assert meter.value() == "5.001"


async def test_repair_names_the_present_cause(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.wait(OVERDUE + 60)
    assert repairs(hass) == ["unavailable_silent"]
    await meter.say(BUSY)
    assert repairs(hass) == ["unavailable_port_in_use"]
    for _ in range(12):
        await meter.say(energy("70", meter=OTHER_METER), after=6)
    assert repairs(hass) == [Issue.OTHER_METER], "which has a repair of its own"


async def test_short_failures_are_no_repair(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    for total in range(3):
        await meter.say(LOST)
        await meter.wait(REPAIR_AFTER.total_seconds() / 2)
        await meter.say(energy(str(5001 + total)))
    assert not repairs(hass)


async def test_port_that_has_moved_is_one_repair(
    hass: HomeAssistant, meter: PushedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await meter.start(energy("5000"))
    monkeypatch.setattr(
        usb, "async_find_moved_serial_port", lambda _, port: f"{port}0", raising=False
    )
    for _ in range(16):
        await meter.say(MISSING, after=60)
    assert repairs(hass) == [Issue.PORT_MOVED]


async def test_counter_that_has_fallen_is_one_repair(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await meter.say(NotAuthenticatedError("old", port="p"))
    async_raise_issue(hass, meter.entry, Issue.COUNTER_FELL)
    await meter.wait(OVERDUE)
    assert repairs(hass) == [Issue.COUNTER_FELL]


async def test_repair_ends_with_the_entry(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.wait(OVERDUE + 60)
    assert repairs(hass) == ["unavailable_silent"]
    await hass.config_entries.async_unload(meter.entry.entry_id)
    assert meter.state() is ConfigEntryState.NOT_LOADED
    assert not repairs(hass)
    await meter.wait(OVERDUE)
    assert not repairs(hass)


async def test_meter_that_is_missing_from_the_start(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    """Each attempt to set it up has a coordinator of its own."""
    with meter.patched():
        assert not await meter.start(MISSING)
        assert meter.state() is ConfigEntryState.SETUP_RETRY
        await meter.wait(REPAIR_AFTER.total_seconds() - 30)
        assert not repairs(hass)
        await meter.wait(60)
        assert repairs(hass) == ["unavailable_silent"]
        await meter.wait(OVERDUE)
        assert repairs(hass) == ["unavailable_silent"]
        meter.client.said.put_nowait(energy("5000"))
        while meter.state() is not ConfigEntryState.LOADED:
            await meter.wait(5)
    assert meter.value("status") == "ok"
    assert not repairs(hass)


@pytest.mark.parametrize("is_overdue", [False, True])
@pytest.mark.parametrize("end", ["disable", "remove"])
async def test_repair_ends_with_an_entry_that_is_not_set_up(
    hass: HomeAssistant, meter: PushedMeter, end: str, *, is_overdue: bool
) -> None:
    with meter.patched():
        assert not await meter.start(MISSING)
        await meter.wait(OVERDUE + 60 if is_overdue else 60)
        assert repairs(hass) == (["unavailable_silent"] if is_overdue else [])
        entries, entry_id = hass.config_entries, meter.entry.entry_id
        # An attempt to set it up may have to end first, for which the time goes on.
        ending = asyncio.create_task(
            entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
            if end == "disable"
            else entries.async_remove(entry_id)
        )
        while not ending.done():
            await meter.wait(1)
        assert not repairs(hass)
        await meter.wait(2 * OVERDUE)
    assert not repairs(hass)


async def test_signal_quality_is_disabled_by_default(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    entity = er.async_get(hass).async_get("sensor.meter_signal_quality")
    assert entity is not None
    assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_signal_quality(meter: PushedMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SignalQualitySensor, "_attr_entity_registry_enabled_default", True)
    await meter.start(energy("5000"))
    assert meter.value("signal_quality") == STATE_UNKNOWN
    for _ in range(6):
        meter.client.counters.damaged += 1
        await meter.say(energy("5000"), energy("5000"), energy("5000"), after=10)
    await meter.wait(30)
    assert meter.value("signal_quality") == "75"
    await meter.wait(200)
    assert meter.value("status") == "silent"
    assert meter.value("signal_quality") == "75", "of the last five minutes"
    await meter.wait(120)
    assert meter.value("signal_quality") == STATE_UNKNOWN
