"""The options page on which the optical head is aligned."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_MAX_POWER
from custom_components.onemeter.flow.alignment import CONF_ALIGN
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..helpers.pushed import PushedMeter, ScriptedClient, reading


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    await async_setup_component(hass, "http", {})
    meter = PushedMeter(hass, freezer)
    await meter.start()
    return meter


async def end(meter: PushedMeter, result: ConfigFlowResult) -> ConfigFlowResult:
    """Return the page after the progress."""
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await meter.wait(5)
        result = await meter.hass.config_entries.options.async_configure(result["flow_id"])
    return result


async def test_head_is_aligned_and_then_the_options_are_kept(meter: PushedMeter) -> None:
    options = meter.hass.config_entries.options
    result = await options.async_init(meter.entry.entry_id)
    entered = {CONF_ALIGN: True, CONF_MAX_POWER: 10_000}
    result = await options.async_configure(result["flow_id"], entered)
    assert result["progress_action"] == "align"
    assert result["description_placeholders"] == {"seconds": "10", "good": "0", "damaged": "0"}

    counters = meter.client.counters
    counters.good += 2
    counters.damaged += 3
    await meter.wait(5)
    result = await options.async_configure(result["flow_id"])
    assert result["description_placeholders"] == {"seconds": "10", "good": "2", "damaged": "3"}
    await meter.wait(15)
    result = await options.async_configure(result["flow_id"])
    assert result["description_placeholders"] == {"seconds": "10", "good": "0", "damaged": "0"}

    for again in (True, False):
        result = await end(meter, result)
        assert result["step_id"] == "aligned"
        if again:
            result = await options.async_configure(result["flow_id"], {CONF_ALIGN: True})
    with meter.patched():
        meter.client.said.put_nowait(reading())
        result = await options.async_configure(result["flow_id"], {CONF_ALIGN: False})
        await meter.hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert meter.entry.options[CONF_MAX_POWER] == 10_000
    assert CONF_ALIGN not in meter.entry.options


async def test_head_is_aligned_while_the_entry_is_set_up_again(meter: PushedMeter) -> None:
    options = meter.hass.config_entries.options
    result = await options.async_init(meter.entry.entry_id)
    meter.client.counters.good = 20
    assert await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    result = await options.async_configure(result["flow_id"], {CONF_ALIGN: True})
    assert result["description_placeholders"] == {"seconds": "10", "good": "0", "damaged": "0"}
    await meter.wait(2)

    meter.client = ScriptedClient()
    await meter.start()
    await meter.wait(1)
    meter.client.counters.good += 4
    await meter.wait(2)
    result = await options.async_configure(result["flow_id"])
    assert result["description_placeholders"] == {"seconds": "10", "good": "4", "damaged": "0"}
    options.async_abort(result["flow_id"])
