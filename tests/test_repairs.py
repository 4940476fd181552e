"""Repairs, and what happens when the user confirms them."""

from decimal import Decimal
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.access.moved_port import async_moved_port
from custom_components.onemeter.const import CONF_MAX_POWER, DOMAIN
from custom_components.onemeter.coordinator.silence import TIMEOUTS
from custom_components.onemeter.meter import Protocol, Reading
from custom_components.onemeter.meter.errors import PortLostError, PortNotFoundError
from custom_components.onemeter.meter.redaction import redact
from homeassistant.components import usb
from homeassistant.components.repairs.const import DOMAIN as REPAIRS_DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_PORT, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component

from .helpers.published import register
from .helpers.pushed import METER, OTHER_METER, PORT, PushedMeter, energy, reading

LOST = PortLostError("gone", port="p")


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    return PushedMeter(hass, freezer)


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    return {str(issue.translation_key): issue for issue in ir.async_get(hass).issues.values()}


async def ask(hass: HomeAssistant, issue: Issue) -> dict[str, Any]:
    """Open the fix flow of an issue."""
    issue_id = issues(hass)[issue].issue_id
    form: dict[str, Any] = await hass.data[REPAIRS_DOMAIN]["flow_manager"].async_init(
        DOMAIN, context={"issue_id": issue_id}
    )
    return form


async def submit(hass: HomeAssistant, issue: Issue) -> dict[str, Any]:
    """Open the fix flow of an issue, and confirm."""
    form = await ask(hass, issue)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "confirm"
    assert form["description_placeholders"]["title"] == "Meter"
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    result: dict[str, Any] = await manager.async_configure(form["flow_id"], {})
    return result


async def choose(hass: HomeAssistant, reason: str) -> dict[str, Any]:
    """Open the fix flow for another meter, and choose why it is connected."""
    menu = await ask(hass, Issue.OTHER_METER)
    assert menu["type"] is FlowResultType.MENU
    assert menu["menu_options"] == ["replaced", "second_meter", "moved"]
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    result: dict[str, Any] = await manager.async_configure(
        menu["flow_id"], {"next_step_id": reason}
    )
    return result


async def confirm(hass: HomeAssistant, reason: str) -> dict[str, Any]:
    """Open the fix flow for another meter, choose why it is connected, and confirm."""
    form = await choose(hass, reason)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == reason
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    result: dict[str, Any] = await manager.async_configure(form["flow_id"], {})
    return result


async def replace(meter: PushedMeter, watt_hours: str) -> None:
    """Send another total for more than a minute."""
    for _ in range(7):
        await meter.say(energy(watt_hours), after=10)


async def test_jumped_totals_wait_for_consent(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    assert meter.value() == "5.000"
    [issue] = issues(hass).values()
    assert issue.translation_key == Issue.TOTALS_JUMPED
    assert issue.is_fixable
    assert issue.translation_placeholders == {
        "title": "Meter",
        "totals": "- 1.8.0: 5.000 → 0.300 kWh",
    }
    assert (await submit(hass, Issue.TOTALS_JUMPED))["type"] is FlowResultType.CREATE_ENTRY
    await meter.settle()
    assert meter.value() == "0.300", "at once"
    assert not issues(hass)
    await meter.say(energy("301"), after=11)
    await meter.wait(1)
    assert meter.value() == "0.301"


async def test_consent_is_asked_for_the_newest_values(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    await meter.say(energy("302"), after=10)
    hass.config.language = "de"
    shown = await ask(hass, Issue.TOTALS_JUMPED)
    assert shown["description_placeholders"] == {
        "title": "Meter",
        "totals": "- 1.8.0: 5,000 → 0,302 kWh",
    }
    await hass.config_entries.async_unload(meter.entry.entry_id)
    shown = await ask(hass, Issue.TOTALS_JUMPED)
    assert shown["description_placeholders"]["title"] == "Meter"


async def test_jumped_totals_ask_again_after_a_restart(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    await hass.config_entries.async_unload(meter.entry.entry_id)
    ir.async_get(hass).issues.clear()
    await meter.start(energy("301"))
    assert meter.value() == "5.000"
    assert list(issues(hass)) == [Issue.TOTALS_JUMPED]
    assert (await submit(hass, Issue.TOTALS_JUMPED))["type"] is FlowResultType.CREATE_ENTRY
    await meter.settle()
    assert meter.value() == "0.301"


async def test_totals_that_come_back_need_no_consent(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    await meter.say(energy("5001"), after=10)
    assert not issues(hass)


async def test_consent_needs_a_meter_that_can_be_read(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    await meter.say(LOST)
    result = await submit(hass, Issue.TOTALS_JUMPED)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "meter_unavailable")
    await hass.config_entries.async_unload(meter.entry.entry_id)
    result = await submit(hass, Issue.TOTALS_JUMPED)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "meter_unavailable")
    assert issues(hass)


async def test_total_that_has_vanished_can_still_be_consented_to(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await replace(meter, "300")
    for _ in range(40):
        await meter.say(reading(register("1-0:16.7.0*255", "100", "W")), after=1)
    assert (await submit(hass, Issue.TOTALS_JUMPED))["type"] is FlowResultType.CREATE_ENTRY
    await meter.say(energy("301"), after=11)
    await meter.wait(1)
    assert meter.value() == "0.301"


async def test_locked_meter_asks_for_its_pin_until_it_has_it(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    locked = reading(register("1-0:1.8.0*255", "5000000", "Wh"))
    await meter.start(locked)
    for _ in range(7):
        await meter.say(locked, after=10)
    [issue] = issues(hass).values()
    assert issue.translation_key == Issue.METER_LOCKED
    assert not issue.is_fixable
    await meter.say(energy("5000000.3"), after=1)
    assert not issues(hass)


async def take_over(meter: PushedMeter) -> None:
    """Send telegrams of another meter."""
    for _ in range(12):
        await meter.say(energy("70", meter=OTHER_METER), after=1)


async def test_other_meter_goes_away_when_the_right_one_is_back(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await take_over(meter)
    assert list(issues(hass)) == [Issue.OTHER_METER]
    await meter.say(energy("5001"))
    assert not issues(hass)
    assert meter.value() == "5.001"


async def test_entry_goes_on_with_the_meter_that_replaced_its_own(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await take_over(meter)
    assert meter.value() == STATE_UNAVAILABLE
    with meter.patched():
        assert (await confirm(hass, "replaced"))["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(energy("71", meter=OTHER_METER))
        await meter.wait(2)
    assert meter.state() is ConfigEntryState.LOADED
    assert meter.value() == "0.071"
    assert not issues(hass)
    assert meter.entry.unique_id == OTHER_METER.unique_id
    [device] = dr.async_entries_for_config_entry(dr.async_get(hass), meter.entry.entry_id)
    assert device.identifiers == {(DOMAIN, "1DMO0099999999")}
    assert device.serial_number == "1 DMO00 9999 9999"
    entities = er.async_entries_for_config_entry(er.async_get(hass), meter.entry.entry_id)
    assert {entity.unique_id for entity in entities} == {
        "1DMO0099999999-1-0:1.8.0*255",
        "1DMO0099999999-1-0:16.7.0*255",
        "1DMO0099999999-status",
        "1DMO0099999999-signal_quality",
    }
    await meter.say(energy("72", meter=METER), after=1)
    await meter.say(energy("73", meter=OTHER_METER), after=10)
    await meter.wait(1)
    assert meter.value() == "0.073"


async def test_meters_on_the_mbus_stay_when_the_electricity_meter_is_replaced(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    gas = register("0-1:24.1.0*255", "003"), register("0-1:24.2.1*255", "8123.5", "m³")
    own = energy("5000").registers
    await meter.start(reading(*own, *gas))
    devices = dr.async_get(hass)
    before = {
        device.name: device.id
        for device in dr.async_entries_for_config_entry(devices, meter.entry.entry_id)
    }
    await take_over(meter)
    with meter.patched():
        assert (await confirm(hass, "replaced"))["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(reading(*own, *gas, meter=OTHER_METER))
        await meter.wait(2)
    after = {
        device.name: device
        for device in dr.async_entries_for_config_entry(devices, meter.entry.entry_id)
    }
    assert {name: device.id for name, device in after.items()} == before
    assert after["Meter"].identifiers == {(DOMAIN, "1DMO0099999999")}
    assert after["Gas meter"].identifiers == {(DOMAIN, "1DMO0099999999-mbus-1")}
    state = hass.states.get("sensor.gas_meter_total")
    assert state is not None
    assert state.state == "8123.5"


async def test_entry_that_could_not_be_set_up_for_another_meter(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    """No total was stored before, so there is no step either."""
    other = energy("70", meter=OTHER_METER)
    hass.async_create_task(meter.wait(TIMEOUTS[Protocol.SML].first_running + 1))
    await meter.start(other)
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    assert meter.entry.error_reason_translation_key == "other_meter"
    with meter.patched():
        assert (await confirm(hass, "replaced"))["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(other)
        await meter.wait(2)
    assert meter.state() is ConfigEntryState.LOADED
    assert meter.value() == "0.070"


async def test_repair_names_both_meters(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await take_over(meter)
    menu = await ask(hass, Issue.OTHER_METER)
    assert menu["description_placeholders"] == {
        "title": "Meter",
        "own_id": "1 DMO00 1234 5678",
        "other_id": "1 DMO00 9999 9999",
    }


async def test_meter_is_named_by_its_unique_id_before_it_was_ever_read(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    hass.async_create_task(meter.wait(TIMEOUTS[Protocol.SML].first_running + 1))
    await meter.start(energy("70", meter=OTHER_METER))
    menu = await ask(hass, Issue.OTHER_METER)
    assert menu["description_placeholders"]["own_id"] == METER.unique_id


async def test_second_meter_gets_an_entry_of_its_own(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await take_over(meter)
    first = meter.entry
    with meter.patched():
        result = await confirm(hass, "second_meter")
        assert result["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(energy("71", meter=OTHER_METER))
        await meter.wait(2)
    assert not issues(hass)
    assert first.disabled_by is ConfigEntryDisabler.USER
    assert first.unique_id == METER.unique_id
    assert first.state is ConfigEntryState.NOT_LOADED
    entities = er.async_entries_for_config_entry(er.async_get(hass), first.entry_id)
    assert {entity.unique_id for entity in entities} >= {"1DMO0012345678-1-0:1.8.0*255"}
    [second] = [entry for entry in hass.config_entries.async_entries(DOMAIN) if entry is not first]
    assert second.state is ConfigEntryState.LOADED
    assert second.unique_id == OTHER_METER.unique_id
    assert dict(second.data) == dict(first.data)
    assert second.title != first.title
    entity_id = er.async_get(hass).async_get_entity_id(
        "sensor", DOMAIN, "1DMO0099999999-1-0:1.8.0*255"
    )
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == "0.071"


@pytest.mark.parametrize("reason", ["replaced", "second_meter"])
async def test_meter_of_another_entry_is_refused(
    hass: HomeAssistant, meter: PushedMeter, reason: str
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_METER.unique_id).add_to_hass(hass)
    await meter.start(energy("5000"))
    await take_over(meter)
    result = await confirm(hass, reason)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert meter.entry.unique_id == METER.unique_id
    assert meter.entry.state is ConfigEntryState.LOADED
    assert issues(hass)


async def test_head_that_is_moved_back_changes_nothing(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5000"))
    await take_over(meter)
    result = await choose(hass, "moved")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "moved")
    assert list(issues(hass)) == [Issue.OTHER_METER]
    await meter.say(energy("5001"))
    assert not issues(hass)
    assert meter.value() == "5.001"


MOVED = "esphome://meter.local:6053/?port_name=uart"


def device_moves(monkeypatch: pytest.MonkeyPatch, to: str | None) -> None:
    """Let Home Assistant find the device of the entry's port at another port."""
    monkeypatch.setattr(
        usb,
        "async_find_moved_serial_port",
        lambda _, port: to if port == PORT else None,
        raising=False,
    )


async def test_entry_follows_its_port(
    hass: HomeAssistant, meter: PushedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await meter.start(energy("5000"))
    device_moves(monkeypatch, MOVED)
    await meter.say(LOST)
    issue = issues(hass)[Issue.PORT_MOVED]
    assert issue.translation_placeholders == {
        "title": "Meter",
        "port": redact(PORT),
        "moved": redact(MOVED),
    }
    with meter.patched():
        assert (await submit(hass, Issue.PORT_MOVED))["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(energy("5001"))
        await meter.wait(2)
    assert meter.entry.data[CONF_PORT] == MOVED
    assert meter.state() is ConfigEntryState.LOADED
    assert meter.value() == "5.001"
    assert not issues(hass)


async def test_entry_that_cannot_be_set_up_follows_its_port(
    hass: HomeAssistant, meter: PushedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    device_moves(monkeypatch, MOVED)
    await meter.start(PortNotFoundError("gone", port="p"))
    assert meter.state() is ConfigEntryState.SETUP_RETRY
    with meter.patched():
        assert (await submit(hass, Issue.PORT_MOVED))["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(energy("5001"))
        await meter.wait(2)
    assert meter.state() is ConfigEntryState.LOADED
    assert not issues(hass)


@pytest.mark.parametrize("back", [energy("5001"), LOST], ids=["and read", "and silent"])
async def test_port_that_is_back_needs_no_repair(
    hass: HomeAssistant,
    meter: PushedMeter,
    monkeypatch: pytest.MonkeyPatch,
    back: Reading | Exception,
) -> None:
    await meter.start(energy("5000"))
    device_moves(monkeypatch, MOVED)
    await meter.say(LOST)
    assert list(issues(hass)) == [Issue.PORT_MOVED]
    device_moves(monkeypatch, None)
    await meter.say(back, after=2)
    assert not issues(hass)


async def test_release_that_does_not_know_where_ports_have_moved(
    hass: HomeAssistant, meter: PushedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(usb, "async_find_moved_serial_port", raising=False)
    await meter.start(energy("5000"))
    await meter.say(LOST)
    assert meter.value() == STATE_UNAVAILABLE
    assert not issues(hass)


@pytest.mark.skipif(
    not hasattr(usb, "async_find_moved_serial_port"), reason="Home Assistant before 2026.11"
)
async def test_home_assistant_finds_the_port(hass: HomeAssistant) -> None:
    by_id = "/dev/serial/by-id/usb-Head_FT7XQ2LM-if00-port0"
    proxied = "esphome://meter.local/?port_udev_id=usb-Head_FT7XQ2LM-if00-port0"
    with patch("homeassistant.components.usb.scan_serial_ports", return_value=[]):
        assert await async_setup_component(hass, "usb", {})
    assert async_moved_port(hass, by_id) is None
    device = usb.USBDevice(
        device=proxied,
        vid="10C4",
        pid="EA60",
        serial_number="FT7XQ2LM",
        manufacturer="Head",
        description=None,
    )
    hass.data["usb"]._last_processed_devices = {device}
    assert async_moved_port(hass, by_id) == proxied
    assert async_moved_port(hass, "socket://meter.local:3333") is None


async def overload(meter: PushedMeter, watts: int, minutes: int, begin: int = 5001) -> int:
    """Exceed the maximum power, with a telegram every 10 seconds; return the total."""
    total = begin
    for second in range(10, 60 * minutes + 1, 10):
        total = begin + watts * second // 3600
        await meter.say(energy(str(total)), after=10)
    return total


async def test_overload_asks_for_a_higher_maximum_power(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5001"))
    total = await overload(meter, 60_000, 5)
    assert not issues(hass)
    total = await overload(meter, 60_000, 6, begin=total)
    assert meter.value() == "5.001"
    issue = issues(hass)[Issue.OVERLOAD]
    assert issue.is_fixable
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["max_power"] == "43470"
    with meter.patched():
        shown = await ask(hass, Issue.OVERLOAD)
        assert shown["description_placeholders"] == {
            "title": "Meter",
            "max_power": "43470",
            "power": "60000",
        }
        assert (await submit(hass, Issue.OVERLOAD))["type"] is FlowResultType.CREATE_ENTRY
        meter.freezer.tick(1)
        meter.client.said.put_nowait(energy(str(total + 10)))
        await meter.wait(2)
    assert meter.entry.options == {CONF_MAX_POWER: 60_000}
    assert Decimal(meter.value()) == Decimal(total + 10) / 1000
    assert not issues(hass)


async def test_overload_that_ends_by_itself_needs_nothing(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5001"))
    total = await overload(meter, 60_000, 6)
    assert list(issues(hass)) == [Issue.OVERLOAD]
    await meter.say(energy(str(total)), after=300)
    assert not issues(hass)
    await meter.say(energy(str(total)), after=11)
    assert Decimal(meter.value()) == Decimal(total) / 1000


async def test_overload_is_settled_by_other_options(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5001"))
    total = await overload(meter, 60_000, 6)
    with meter.patched():
        options = {CONF_MAX_POWER: 100_000}
        hass.config_entries.async_update_entry(meter.entry, options=options)
        await hass.config_entries.async_unload(meter.entry.entry_id)
        await meter.start(energy(str(total)))
    assert not issues(hass)
    assert Decimal(meter.value()) == Decimal(total) / 1000


async def test_overload_of_an_entry_that_is_not_loaded(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5001"))
    await overload(meter, 60_000, 6)
    await hass.config_entries.async_unload(meter.entry.entry_id)
    with meter.patched():
        assert (await submit(hass, Issue.OVERLOAD))["type"] is FlowResultType.CREATE_ENTRY
    assert meter.entry.options[CONF_MAX_POWER] == 60_000
