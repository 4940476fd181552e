"""What a client has found out about its meter, over restarts of Home Assistant."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant

from ..helpers.polled import PolledMeter, ScriptedPolledClient

FOUND = {"transport": "hdlc", "objects": [[3, 0, "0100010800ff"]]}


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PolledMeter:
    return PolledMeter(hass, freezer)


async def restart(hass: HomeAssistant, meter: PolledMeter, **data: Any) -> ScriptedPolledClient:
    """Set the entry up with another client, after its data were changed."""
    await hass.config_entries.async_unload(meter.entry.entry_id)
    hass.config_entries.async_update_entry(meter.entry, data={**meter.entry.data, **data})
    meter.client = ScriptedPolledClient()
    assert await meter.start()
    return meter.client


async def test_findings_are_kept(
    hass: HomeAssistant, meter: PolledMeter, hass_storage: dict[str, Any]
) -> None:
    meter.client.found = FOUND
    assert await meter.start()
    assert meter.client.recalled == {}
    assert (await restart(hass, meter)).recalled == FOUND
    assert await hass.config_entries.async_remove(meter.entry.entry_id)
    assert not [name for name in hass_storage if name.startswith("onemeter")]


@pytest.mark.parametrize("damage", [[], {"conditions": {}}, {"conditions": 1, "findings": {}}])
async def test_damaged_findings_are_none(
    hass: HomeAssistant, meter: PolledMeter, hass_storage: dict[str, Any], damage: object
) -> None:
    meter.client.found = FOUND
    assert await meter.start()
    hass_storage[f"onemeter.{meter.entry.entry_id}.findings"]["data"] = damage
    assert (await restart(hass, meter)).recalled == {}


async def test_findings_of_another_view_are_not_recalled(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    meter.client.found = FOUND
    assert await meter.start()
    assert (await restart(hass, meter, **{CONF_ADDRESS: "42"})).recalled == {}


async def test_nothing_is_written_without_findings(
    meter: PolledMeter, hass_storage: dict[str, Any]
) -> None:
    assert await meter.start()
    assert not [name for name in hass_storage if name.endswith(".findings")]
