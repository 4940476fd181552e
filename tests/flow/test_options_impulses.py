"""The options that tell what sees the flashes of a meter whose registers are read."""

import asyncio
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import (
    CONF_EDGES,
    CONF_IMPULSES,
    CONF_IMPULSES_PER_KWH,
    CONF_SOURCE,
    CONF_SOURCE_ID,
    CONF_WH_PER_IMPULSE,
    DOMAIN,
)
from custom_components.onemeter.flow.blink_schemas import CONF_CONSTANT, CONF_LINE, CONF_UNIT
from custom_components.onemeter.flow.options_impulses import CONF_FLASHES
from custom_components.onemeter.flow.schemas import SECTION_EXPERT
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_ENTITY_ID, CONF_EVENT, CONF_MAC, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..helpers.published import register
from ..helpers.pushed import PORT, PushedMeter, reading

LIGHT = "sensor.flashes"
CONSTANT: dict[str, Any] = {CONF_CONSTANT: "1000", SECTION_EXPERT: {}}


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    await async_setup_component(hass, "http", {})
    meter = PushedMeter(hass, freezer)
    constant = register("1-0:0.3.0*255", "5000", "imp/kWh")
    await meter.start(reading(register("1-0:1.8.0*255", "5000", "Wh"), constant))
    return meter


async def begin(meter: PushedMeter, what: str) -> ConfigFlowResult:
    """Choose what sees the flashes."""
    result = await meter.hass.config_entries.options.async_init(meter.entry.entry_id)
    return await fill_in(meter, result, {CONF_FLASHES: what})


async def fill_in(
    meter: PushedMeter, result: ConfigFlowResult, form: dict[str, Any]
) -> ConfigFlowResult:
    meter.client.listening.clear()

    async def say() -> None:
        """Receive what the entry begins with when it is set up again."""
        await meter.client.listening.wait()
        meter.client.said.put_nowait(reading())

    saying = asyncio.create_task(say())
    with meter.patched():
        result = await meter.hass.config_entries.options.async_configure(result["flow_id"], form)
        await meter.hass.async_block_till_done()
    saying.cancel()
    return result


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what a form is filled with."""
    schema = result["data_schema"]
    assert schema is not None
    return {
        str(key): key.description["suggested_value"]
        for key in schema.schema
        if key.description and "suggested_value" in key.description
    }


@pytest.mark.parametrize(
    ("what", "form", "kept"),
    [
        (
            "blink_entity",
            {CONF_ENTITY_ID: LIGHT},
            {CONF_SOURCE_ID: LIGHT, CONF_SOURCE: "entity", CONF_IMPULSES_PER_KWH: "1000"},
        ),
        (
            "blink_event",
            {CONF_EVENT: "esphome.flash", CONF_CONSTANT: "0,4", CONF_UNIT: "wh_per_imp"},
            {CONF_SOURCE_ID: "esphome.flash", CONF_SOURCE: "event", CONF_WH_PER_IMPULSE: "0.4"},
        ),
        (
            "blink_port",
            {CONF_PORT: "/dev/ttyLIGHT", CONF_LINE: "cts", SECTION_EXPERT: {CONF_EDGES: "1"}},
            {
                CONF_PORT: "/dev/ttyLIGHT",
                CONF_SOURCE: "cts",
                CONF_IMPULSES_PER_KWH: "1000",
                CONF_EDGES: 1,
            },
        ),
    ],
)
async def test_source_is_kept(
    meter: PushedMeter, what: str, form: dict[str, Any], kept: dict[str, Any]
) -> None:
    meter.hass.states.async_set(LIGHT, "5")
    result = await begin(meter, what)
    assert result["step_id"] == what
    # The meter tells its constant itself.
    assert suggested(result) == {CONF_CONSTANT: "5000"}
    result = await fill_in(meter, result, {**CONSTANT, **form})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert meter.entry.options[CONF_IMPULSES] == {CONF_PROTOCOL: "blink", **kept}
    assert CONF_FLASHES not in meter.entry.options
    # The next time it begins with that.
    result = await begin(meter, what)
    assert suggested(result)[CONF_CONSTANT] == form.get(CONF_CONSTANT, "1000").replace(",", ".")
    result = await begin(meter, "none")
    assert CONF_IMPULSES not in meter.entry.options


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_sender(meter: PushedMeter) -> None:
    result = await begin(meter, "blink_mqtt")
    await fill_in(meter, result, {**CONSTANT, CONF_MAC: "aa:bb:cc:dd:ee:ff"})
    assert meter.entry.options[CONF_IMPULSES][CONF_SOURCE_ID] == "onemeter/s10/v1/AABBCCDDEEFF"


@pytest.mark.parametrize(
    ("what", "form", "errors"),
    [
        ("blink_entity", {CONF_ENTITY_ID: "sensor.none"}, {CONF_ENTITY_ID: "entity_not_found"}),
        (
            "blink_entity",
            {CONF_ENTITY_ID: LIGHT, CONF_CONSTANT: "many"},
            {CONF_CONSTANT: "invalid_constant"},
        ),
        ("blink_port", {CONF_PORT: PORT}, {"base": "source_taken"}),
    ],
)
async def test_what_cannot_be_right_is_said(
    meter: PushedMeter, what: str, form: dict[str, Any], errors: dict[str, str]
) -> None:
    meter.hass.states.async_set(LIGHT, "5")
    result = await begin(meter, what)
    result = await fill_in(meter, result, {**CONSTANT, **form})
    assert result["errors"] == errors
    assert CONF_IMPULSES not in meter.entry.options


async def test_source_of_another_entry_is_refused(
    hass: HomeAssistant, meter: PushedMeter, freezer: FrozenDateTimeFactory
) -> None:
    other = PushedMeter(hass, freezer)
    other.make_entry("other", port=LIGHT).add_to_hass(hass)
    hass.states.async_set(LIGHT, "5")
    result = await fill_in(
        meter, await begin(meter, "blink_entity"), {**CONSTANT, CONF_ENTITY_ID: LIGHT}
    )
    assert result["errors"] == {"base": "source_taken"}
    assert hass.config_entries.async_entries(DOMAIN)


async def test_second_source_of_another_entry_is_refused(
    hass: HomeAssistant, meter: PushedMeter, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set(LIGHT, "5")
    form = {**CONSTANT, CONF_ENTITY_ID: LIGHT}
    result = await fill_in(meter, await begin(meter, "blink_entity"), form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    # The entry that has it may keep it.
    result = await fill_in(meter, await begin(meter, "blink_entity"), form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    other = PushedMeter(hass, freezer)
    impulses = meter.entry.options[CONF_IMPULSES]
    other.make_entry("other", port="/dev/null", options={CONF_IMPULSES: impulses})
    other.entry.add_to_hass(hass)
    result = await fill_in(meter, await begin(meter, "blink_entity"), form)
    assert result["errors"] == {"base": "source_taken"}


async def test_port_is_kept_by_a_name_that_outlives_replugging(meter: PushedMeter) -> None:
    with patch(
        "custom_components.onemeter.flow.ports.get_serial_by_id",
        {"/dev/ttyUSB1": "/dev/serial/by-id/head"}.get,
    ):
        result = await begin(meter, "blink_port")
        await fill_in(meter, result, {**CONSTANT, CONF_PORT: "/dev/ttyUSB1"})
    assert meter.entry.options[CONF_IMPULSES][CONF_PORT] == "/dev/serial/by-id/head"


async def test_meter_that_is_not_read_has_no_constant_to_begin_with(meter: PushedMeter) -> None:
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    assert suggested(await begin(meter, "blink_entity")) == {}


async def test_meter_that_sends_no_constant(meter: PushedMeter) -> None:
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start(reading(register("1-0:1.8.0*255", "5000", "Wh")))
    assert suggested(await begin(meter, "blink_entity")) == {}
