"""S10 senders are offered once each, at most sixteen at a time, and nothing else is."""

from collections.abc import Generator
import json
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_mqtt_message

from custom_components.onemeter import async_setup_entry, async_unload_entry
from custom_components.onemeter.const import CONF_IMPULSES, DOMAIN
from custom_components.onemeter.flow.blink_schemas import CONF_CONSTANT
from custom_components.onemeter.flow.schemas import SECTION_EXPERT
from custom_components.onemeter.impulses.discovery import FLOWS_MAX
from custom_components.onemeter.meter.blink.s10 import TOPIC
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_MAC
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

MAC = "E50102030405"
OTHER = "E50102030406"

pytestmark = pytest.mark.usefixtures("mqtt_mock")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let Home Assistant's MQTT client keep its timer."""
    return True


@pytest.fixture(autouse=True)
def dialog(hass: HomeAssistant) -> Generator[None]:
    hass.config.components.add("usb")
    with (
        patch("custom_components.onemeter.flow.progress.SHORTEST_PROGRESS", 0),
        patch("custom_components.onemeter.flow.impulse_probe.COUNT_SECONDS", 0.05),
        patch("custom_components.onemeter.async_setup_entry", AsyncMock(return_value=True)),
        patch("custom_components.onemeter.async_unload_entry", AsyncMock(return_value=True)),
    ):
        yield


async def publish(hass: HomeAssistant, *senders: str, ts: int = 1) -> None:
    devices = [{"mac": mac, "ts": ts} for mac in senders]
    async_fire_mqtt_message(hass, TOPIC, json.dumps({"dev_list": devices}))
    await hass.async_block_till_done(wait_background_tasks=True)


def offered(hass: HomeAssistant) -> list[Any]:
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [flow["context"]["unique_id"] for flow in flows]


async def test_each_sender_is_offered_once(hass: HomeAssistant) -> None:
    for ts in range(3):
        await publish(hass, MAC, OTHER, ts=ts)
    assert sorted(offered(hass)) == [f"s10-{MAC}", f"s10-{OTHER}"]


async def test_no_more_than_sixteen_are_offered(hass: HomeAssistant) -> None:
    for number in range(FLOWS_MAX + 4):
        await publish(hass, f"E5{number:010X}", ts=number)
    assert len(offered(hass)) == FLOWS_MAX


@pytest.mark.parametrize("payload", ["", "no json", "{}", '{"dev_list": [{"mac": "xyz"}]}', "[]"])
async def test_what_is_no_sender_is_not_offered(hass: HomeAssistant, payload: str) -> None:
    async_fire_mqtt_message(hass, TOPIC, payload)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert offered(hass) == []


BY_MQTT = {
    "protocol": "blink",
    "source": "mqtt",
    "source_id": f"{TOPIC}/{MAC}",
    "impulses_per_kwh": "1000",
}


#: Data and options of entries that count the sender.
COUNTED: list[tuple[dict[str, str], dict[str, Any]]] = [
    (BY_MQTT, {}),
    ({"port": "/dev/ttyUSB0", "protocol": "sml"}, {CONF_IMPULSES: BY_MQTT}),
]
COUNTED_BY = ["entry", "second source"]


@pytest.mark.parametrize(("data", "options"), COUNTED, ids=COUNTED_BY)
async def test_sender_that_is_counted_is_not_offered(
    hass: HomeAssistant, data: dict[str, str], options: dict[str, Any]
) -> None:
    MockConfigEntry(
        domain=DOMAIN, unique_id="generated-1", data=data, options=options, minor_version=2
    ).add_to_hass(hass)
    await publish(hass, MAC, OTHER)
    assert offered(hass) == [f"s10-{OTHER}"]


@pytest.mark.parametrize(("data", "options"), COUNTED, ids=COUNTED_BY)
async def test_offer_ends_when_the_sender_is_counted(
    hass: HomeAssistant, data: dict[str, str], options: dict[str, Any]
) -> None:
    await publish(hass, MAC, OTHER)
    entry = MockConfigEntry(
        domain=DOMAIN, unique_id="generated-1", data=data, options=options, minor_version=2
    )
    entry.add_to_hass(hass)
    with (
        patch("custom_components.onemeter.async_setup_entry", async_setup_entry),
        patch("custom_components.onemeter.async_unload_entry", async_unload_entry),
    ):
        await hass.config_entries.async_setup(entry.entry_id)
        assert offered(hass) == [f"s10-{OTHER}"]
        await hass.config_entries.async_unload(entry.entry_id)


async def test_sender_that_is_ignored_is_not_offered(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(domain=DOMAIN, unique_id=f"s10-{MAC}", source=SOURCE_IGNORE)
    entry.add_to_hass(hass)
    await publish(hass, MAC)
    assert offered(hass) == []


async def test_offered_sender_becomes_an_entry_of_its_own(hass: HomeAssistant) -> None:
    await publish(hass, MAC)
    flow = hass.config_entries.flow
    [offer] = flow.async_progress_by_handler(DOMAIN)
    assert offer["context"]["title_placeholders"] == {"name": "S10 …0405"}
    result: ConfigFlowResult = await flow.async_configure(offer["flow_id"])
    assert result["step_id"] == "blink_mqtt"
    entered = {CONF_MAC: MAC, CONF_CONSTANT: "1000", SECTION_EXPERT: {}}
    wrong = await flow.async_configure(offer["flow_id"], {**entered, CONF_CONSTANT: "much"})
    assert wrong["errors"] == {CONF_CONSTANT: "invalid_constant"}
    result = await flow.async_configure(offer["flow_id"], entered)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await flow.async_configure(offer["flow_id"])
    assert result["step_id"] == "confirm_blink_quiet"
    with (
        patch("custom_components.onemeter.async_setup_entry", async_setup_entry),
        patch("custom_components.onemeter.async_unload_entry", async_unload_entry),
    ):
        result = await flow.async_configure(offer["flow_id"], {})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"] == BY_MQTT
        entry = result["result"]
        assert str(entry.unique_id).startswith("generated-")
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)
    await publish(hass, MAC, ts=9)
    assert offered(hass) == []
