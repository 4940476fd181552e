"""The page of the config flow that offers to continue the statistics of earlier sensors."""

from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.const import CONF_ENERGY_ROLE, CONF_TAKE_OVER
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.util import dt as dt_util

from ..helpers.config_flow import FORM, assert_said, scripted_clients, start, submit

pytestmark = scripted_clients

IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"


async def end_at(hass: HomeAssistant, entity_id: str, state: float) -> None:
    """Let the statistics of a sensor end at this state (kWh), some hours ago."""
    about = StatisticMetaData(
        mean_type=StatisticMeanType.NONE,
        has_sum=True,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class="energy",
        unit_of_measurement="kWh",
    )
    hour = dt_util.utcnow().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    async_import_statistics(hass, about, [StatisticData(start=hour, state=state, sum=7.0)])
    await async_wait_recording_done(hass)


@pytest.fixture
async def old_sensors(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
) -> None:
    await end_at(hass, "sensor.edl21_import", 12345.0)
    await end_at(hass, "sensor.tasmota_import", 12340.5)
    await end_at(hass, "sensor.edl21_export", 0.5)


async def offer(hass: HomeAssistant) -> ConfigFlowResult:
    """Go to the page, and check its texts."""
    result = await submit(hass, await start(hass), FORM)
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {CONF_ENERGY_ROLE: "none"})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "take_over"
    assert_said(result, "step", "take_over", "description")
    return result


@pytest.mark.usefixtures("line", "old_sensors")
async def test_statistics_are_offered_and_chosen(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    result = await offer(hass)
    assert result["data_schema"] is not None
    (selector,) = result["data_schema"].schema.values()
    assert [option["label"].rpartition(" (")[0] for option in selector.config["options"]] == [
        "Energy import: 12345.6789 kWh ← sensor.edl21_import: 12345 kWh",
        "Energy import: 12345.6789 kWh ← sensor.tasmota_import: 12340.5 kWh",
        "Energy export: 1.000 kWh ← sensor.edl21_export: 0.5 kWh",
    ]
    setup_entry.assert_not_called()
    flow = hass.config_entries.flow
    twice = [f"{IMPORT} sensor.edl21_import", f"{IMPORT} sensor.tasmota_import"]
    result = await flow.async_configure(result["flow_id"], {CONF_TAKE_OVER: twice})
    assert result["errors"] == {CONF_TAKE_OVER: "chosen_twice"}
    assert_said(result, "error", "chosen_twice")
    with pytest.raises(InvalidData):
        await flow.async_configure(result["flow_id"], {CONF_TAKE_OVER: [f"{EXPORT} sensor.other"]})
    once = [f"{IMPORT} sensor.tasmota_import", f"{EXPORT} sensor.edl21_export"]
    result = await flow.async_configure(result["flow_id"], {CONF_TAKE_OVER: once})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].options == {
        CONF_TAKE_OVER: {IMPORT: "sensor.tasmota_import", EXPORT: "sensor.edl21_export"}
    }
    setup_entry.assert_called_once()


@pytest.mark.usefixtures("line", "old_sensors")
async def test_nothing_is_chosen(hass: HomeAssistant, setup_entry: AsyncMock) -> None:
    result = await offer(hass)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].options == {}
    setup_entry.assert_called_once()


@pytest.mark.usefixtures("line", "recorder_mock")
async def test_nothing_is_offered(hass: HomeAssistant) -> None:
    result = await submit(hass, await start(hass), FORM)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
