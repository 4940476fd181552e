"""The options flow."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from custom_components.onemeter.const import (
    CONF_BALANCING_PERIOD,
    CONF_BATTERY,
    CONF_DIRECTION,
    CONF_ENERGY_ROLE,
    CONF_FILL_GAPS,
    CONF_GRID_QUALITY,
    CONF_LIVE_REGISTERS,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    CONF_PEAK_DAYS,
    CONF_PEAK_FROM,
    CONF_PEAK_PERIOD,
    CONF_PEAK_UNTIL,
    CONF_POLL_INTERVAL,
    CONF_PUBLISH_INTERVAL,
)
from custom_components.onemeter.flow.options_impulses import CONF_FLASHES
from homeassistant.const import CONF_MODE, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    FlowResultType,
    InvalidData,
)

from ..helpers.config_flow import (
    add_entry,
    add_iec_entry,
    scripted_clients,
    sent,
)

pytestmark = scripted_clients


#: The options of what is billed, as they are at first.
NOT_BILLED = {
    CONF_BALANCING_PERIOD: "off",
    CONF_PEAK_PERIOD: "off",
    CONF_PEAK_FROM: 0,
    CONF_PEAK_UNTIL: 24,
    CONF_PEAK_DAYS: 1,
}


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        ({}, {}),
        ({CONF_PUBLISH_INTERVAL: 900.0}, {CONF_PUBLISH_INTERVAL: 900}),
        ({CONF_MAX_POWER: 100_000_000.0}, {CONF_MAX_POWER: 100_000_000}),
        ({CONF_DIRECTION: "off"}, {CONF_DIRECTION: "off"}),
        (
            {CONF_BALANCING_PERIOD: "15", CONF_PEAK_PERIOD: "60", CONF_PEAK_FROM: 7.0},
            {CONF_BALANCING_PERIOD: "15", CONF_PEAK_PERIOD: "60", CONF_PEAK_FROM: 7},
        ),
        ({CONF_MULTIPLIER: 0.000001}, {CONF_MULTIPLIER: "0.000001"}),
        ({CONF_MULTIPLIER: 0.1}, {CONF_MULTIPLIER: "0.1"}),
        ({CONF_MULTIPLIER: 2000.0}, {CONF_MULTIPLIER: "2000"}),
        ({CONF_MULTIPLIER: 999999.999999}, {CONF_MULTIPLIER: "999999.999999"}),
    ],
)
async def test_options_are_kept_exactly_and_take_effect(
    hass: HomeAssistant,
    setup_entry: AsyncMock,
    entered: dict[str, Any],
    kept: dict[str, Any],
) -> None:
    entry = await add_entry(hass)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    assert result["step_id"] == "init"
    result = await options.async_configure(result["flow_id"], entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    usual = {
        CONF_PUBLISH_INTERVAL: 10,
        CONF_MAX_POWER: 43470,
        CONF_DIRECTION: "auto",
        CONF_MULTIPLIER: "1",
        CONF_GRID_QUALITY: False,
        CONF_ENERGY_ROLE: "none",
    }
    assert entry.options == usual | NOT_BILLED | kept
    assert setup_entry.call_count == 2


async def test_options_begin_with_what_was_chosen_before(hass: HomeAssistant) -> None:
    entry = await add_entry(hass)
    chosen = {
        CONF_PUBLISH_INTERVAL: 60,
        CONF_MAX_POWER: 10_000,
        CONF_DIRECTION: "off",
        CONF_MULTIPLIER: "62.5",
    }
    hass.config_entries.async_update_entry(entry, options=chosen)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    schema = result["data_schema"]
    assert schema is not None
    assert {
        str(key): key.description["suggested_value"] for key in schema.schema if key.description
    } == {**chosen, CONF_MULTIPLIER: 62.5}


async def test_multiplier_with_too_many_decimals_may_be_corrected(hass: HomeAssistant) -> None:
    entry = await add_entry(hass)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    result = await options.async_configure(result["flow_id"], {CONF_MULTIPLIER: 1.2345678})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {CONF_MULTIPLIER: "too_many_decimals"}
    result = await options.async_configure(result["flow_id"], {CONF_MULTIPLIER: 1.234568})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options[CONF_MULTIPLIER] == "1.234568"


@pytest.mark.parametrize(
    "entered",
    [
        {CONF_PUBLISH_INTERVAL: 0},
        {CONF_PUBLISH_INTERVAL: 901},
        {CONF_MAX_POWER: 0},
        {CONF_DIRECTION: "perhaps"},
        {CONF_MULTIPLIER: 0},
        {CONF_MULTIPLIER: -1},
        {CONF_MULTIPLIER: 1_000_001},
    ],
)
async def test_options_out_of_bounds_are_refused(
    hass: HomeAssistant, entered: dict[str, Any]
) -> None:
    entry = await add_entry(hass)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(result["flow_id"], entered)


@pytest.mark.parametrize(
    ("data", "step", "expected"),
    [
        (
            {},
            "polled",
            [
                CONF_POLL_INTERVAL,
                CONF_LIVE_REGISTERS,
                CONF_PUBLISH_INTERVAL,
                CONF_FILL_GAPS,
                CONF_MAX_POWER,
                CONF_MULTIPLIER,
            ],
        ),
        ({CONF_BATTERY: True}, "polled", [CONF_POLL_INTERVAL, CONF_MAX_POWER, CONF_MULTIPLIER]),
        (
            {CONF_MODE: "pushed"},
            "init",
            [CONF_PUBLISH_INTERVAL, CONF_MAX_POWER, CONF_MULTIPLIER],
        ),
        (
            {CONF_PROTOCOL: "sml", CONF_MODE: "pushed"},
            "init",
            [CONF_PUBLISH_INTERVAL, CONF_MAX_POWER, CONF_DIRECTION, CONF_MULTIPLIER],
        ),
    ],
)
async def test_options_are_those_that_the_meter_has(
    hass: HomeAssistant, data: dict[str, Any], step: str, expected: list[str]
) -> None:
    entry = await add_iec_entry(hass, **data)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert result["step_id"] == step
    names = [field["name"] for field in sent(result["data_schema"])]
    assert names == [*expected, CONF_FLASHES, *NOT_BILLED, CONF_GRID_QUALITY, CONF_ENERGY_ROLE]


@pytest.mark.parametrize(
    ("battery", "entered", "kept"),
    [
        (
            False,
            {},
            {CONF_POLL_INTERVAL: 60, CONF_LIVE_REGISTERS: [], CONF_PUBLISH_INTERVAL: 2},
        ),
        (
            False,
            {CONF_POLL_INTERVAL: 1.0, CONF_LIVE_REGISTERS: ["16.7.0", "1-0:32.7.0*255"]},
            {
                CONF_POLL_INTERVAL: 1,
                CONF_LIVE_REGISTERS: ["16.7.0", "1-0:32.7.0*255"],
                CONF_PUBLISH_INTERVAL: 2,
            },
        ),
        (True, {}, {CONF_POLL_INTERVAL: 900}),
        (True, {CONF_POLL_INTERVAL: 86_400.0}, {CONF_POLL_INTERVAL: 86_400}),
    ],
)
async def test_options_of_a_meter_that_is_asked(
    hass: HomeAssistant, *, battery: bool, entered: dict[str, Any], kept: dict[str, Any]
) -> None:
    entry = await add_iec_entry(hass, battery=battery)
    await hass.config_entries.async_unload(entry.entry_id)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    result = await options.async_configure(result["flow_id"], entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    usual = {
        CONF_MAX_POWER: 43470,
        CONF_MULTIPLIER: "1",
        CONF_GRID_QUALITY: False,
        CONF_ENERGY_ROLE: "none",
    }
    # A load profile is not read from a battery.
    gaps = {} if battery else {CONF_FILL_GAPS: False}
    assert entry.options == usual | NOT_BILLED | gaps | kept


async def test_code_that_no_meter_understands_may_be_corrected(hass: HomeAssistant) -> None:
    entry = await add_iec_entry(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    entered = {CONF_LIVE_REGISTERS: ["16.7.0", "16.7.0()"]}
    result = await options.async_configure(result["flow_id"], entered)
    assert result["errors"] == {CONF_LIVE_REGISTERS: "invalid_register"}
    result = await options.async_configure(result["flow_id"], {CONF_LIVE_REGISTERS: ["16.7.0"]})
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("battery", "interval"), [(False, 0), (False, 86_401), (True, 899), (True, 86_401)]
)
async def test_poll_interval_out_of_bounds_is_refused(
    hass: HomeAssistant, *, battery: bool, interval: int
) -> None:
    entry = await add_iec_entry(hass, battery=battery)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(
            result["flow_id"], {CONF_POLL_INTERVAL: interval}
        )
