"""Helpers of end-to-end tests: adding a meter, states, statistics."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.onemeter.const import DOMAIN
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import StatisticsRow, statistics_during_period
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; TimeoutError after a time that suits a busy machine."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


async def add_meter(hass: HomeAssistant, *forms: dict[str, Any]) -> ConfigEntry:
    """Add a meter through the config flow with these forms; return its entry."""
    flow = hass.config_entries.flow
    result = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    for form in forms:
        result = await flow.async_configure(result["flow_id"], form)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.02)
        result = await flow.async_configure(result["flow_id"])
    assert result["step_id"] == "confirm"
    result = await flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def rows_of_this_hour(hass: HomeAssistant, *entity_ids: str) -> dict[str, StatisticsRow]:
    """Return the long-term statistics of this hour by sensor."""
    await async_wait_recording_done(hass)
    hour = dt_util.utcnow().replace(minute=0, second=0, microsecond=0)
    # The row of the last five minutes of an hour completes that of the hour.
    do_adhoc_statistics(hass, start=hour + timedelta(minutes=55))
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        hour,
        None,
        set(entity_ids),
        "hour",
        None,
        {"state", "sum", "mean"},
    )
    return {entity_id: row for entity_id, [row] in rows.items()}
