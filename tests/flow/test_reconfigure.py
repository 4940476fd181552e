"""Reconfiguration of an entry: another port, other settings, another meter."""

import asyncio
from unittest.mock import AsyncMock, patch

import pytest

from custom_components.onemeter.const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_FRAMING,
    CONF_RTS,
    CONF_SWITCH_DELAY,
    CONF_TABLE,
    DOMAIN,
)
from custom_components.onemeter.flow.schemas import (
    CONF_FIXED_SPEED,
    SECTION_EXPERT,
    SECTION_LINE,
    UNCHANGED,
)
from custom_components.onemeter.meter import (
    Identity,
    LineSettings,
    Protocol,
)
from homeassistant.config_entries import (
    ConfigEntryState,
)
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    FlowResultType,
)

from ..helpers.config_flow import (
    DATA,
    DETAILS,
    FORM,
    GENERATED_ID,
    IEC_DATA,
    IEC_FORM,
    METER,
    NAMELESS,
    OTHER_ME162,
    OTHER_METER,
    OTHER_PORT,
    PORT,
    SEARCH,
    SITUATIONS,
    Line,
    add_entry,
    add_iec_entry,
    assert_said,
    details_in,
    is_loaded,
    reading,
    readout,
    scripted_clients,
    submit,
    submit_iec,
    suggested,
)

pytestmark = scripted_clients


async def test_reconfigure_begins_with_what_the_entry_has(hass: HomeAssistant) -> None:
    entry = await add_entry(hass, baudrate=2400, framing="7E1", dtr=True, rts=False)
    result = await entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure"
    assert suggested(result) == {
        CONF_PORT: PORT,
        CONF_PROTOCOL: "sml",
        SECTION_LINE: {
            CONF_BAUDRATE: "2400",
            CONF_FRAMING: "7e1",
            CONF_DTR: "high",
            CONF_RTS: "low",
        },
    }


@pytest.mark.parametrize("port", [PORT, OTHER_PORT])
async def test_reconfigure_listens_in_place_of_the_entry_and_changes_it(
    hass: HomeAssistant, line: Line, setup_entry: AsyncMock, port: str
) -> None:
    entry = await add_entry(hass, dtr=True)
    result = await entry.start_reconfigure_flow(hass)
    form = {**FORM, CONF_PORT: port, SECTION_LINE: {CONF_RTS: "low"}}
    result = await submit(hass, result, form)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert line.asked == [(Protocol.SML, port, LineSettings(9600, rts=False))]
    assert entry.data == {CONF_PORT: port, CONF_PROTOCOL: "sml", CONF_RTS: False}
    assert is_loaded(entry)
    assert setup_entry.call_count == 2
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_reconfigured_meter_without_id_keeps_the_one_it_got(
    hass: HomeAssistant, line: Line
) -> None:
    entry = await add_entry(hass, GENERATED_ID)
    line.says = reading(NAMELESS)
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PORT: OTHER_PORT})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[CONF_PORT] == OTHER_PORT
    assert entry.unique_id == GENERATED_ID


async def test_entry_rests_while_its_flow_listens_and_no_longer(
    hass: HomeAssistant, line: Line
) -> None:
    entry = await add_entry(hass)
    line.says = None
    result = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(result["flow_id"], FORM)
    await line.listening.wait()
    assert not is_loaded(entry)
    reload = hass.async_create_task(hass.config_entries.async_reload(entry.entry_id))
    await asyncio.sleep(0)
    assert not is_loaded(entry)

    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)

    assert await reload
    assert not line.open
    assert is_loaded(entry)
    assert entry.data == DATA


async def test_reconfigure_waits_for_an_entry_that_is_being_set_up(
    hass: HomeAssistant, line: Line, setup_entry: AsyncMock
) -> None:
    entry = await add_entry(hass)
    first_telegram = asyncio.Event()

    async def wait_for_first_telegram(*_: object) -> bool:
        return await first_telegram.wait()

    setup_entry.side_effect = wait_for_first_telegram
    hass.config_entries.async_schedule_reload(entry.entry_id)
    result = await entry.start_reconfigure_flow(hass)
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS

    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {**FORM, CONF_PORT: OTHER_PORT}
    )
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert line.asked == []
    first_telegram.set()
    await hass.async_block_till_done(wait_background_tasks=True)

    assert entry.data[CONF_PORT] == OTHER_PORT
    assert is_loaded(entry)


@pytest.mark.parametrize(("exception", "error"), SITUATIONS)
async def test_reconfigure_leads_back_to_the_form_with_the_entry_at_work(
    hass: HomeAssistant, line: Line, exception: Exception, error: str
) -> None:
    entry = await add_entry(hass)
    line.says = exception
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PORT: OTHER_PORT})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "reconfigure"
    assert result["errors"] == {"base": error}
    assert suggested(result)[CONF_PORT] == OTHER_PORT
    assert is_loaded(entry)
    assert entry.data == DATA

    line.says = reading()
    result = await submit(hass, result, {**FORM, CONF_PORT: OTHER_PORT})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {**DATA, CONF_PORT: OTHER_PORT}


@pytest.mark.parametrize(
    ("unique_id", "meter"),
    [
        ("1DMO0012345678", OTHER_METER),
        ("1DMO0012345678", NAMELESS),
        (GENERATED_ID, METER),
    ],
)
async def test_another_meter_does_not_take_the_place_of_the_entrys(
    hass: HomeAssistant, line: Line, unique_id: str, meter: Identity
) -> None:
    entry = await add_entry(hass, unique_id)
    line.says = reading(meter)
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PORT: OTHER_PORT})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "wrong_meter"
    assert result["description_placeholders"] == {"meter": meter.name or "–"}
    assert_said(result, "abort", "wrong_meter")
    assert entry.data == DATA
    assert entry.unique_id == unique_id
    assert is_loaded(entry)


async def test_reconfigure_leaves_the_port_of_another_entry_alone(
    hass: HomeAssistant, line: Line
) -> None:
    await add_entry(hass, "1DMO0099999999", port=OTHER_PORT)
    entry = await add_entry(hass)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {**FORM, CONF_PORT: OTHER_PORT}
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert line.asked == []
    assert is_loaded(entry)


@pytest.mark.usefixtures("iec_line")
async def test_reconfigure_begins_with_all_that_the_entry_has(hass: HomeAssistant) -> None:
    entry = await add_iec_entry(
        hass,
        battery=True,
        address="42",
        password="s3cret",
        table="#",
        switch_speed=False,
        switch_delay=0.5,
    )
    result = await entry.start_reconfigure_flow(hass)
    assert suggested(result)[CONF_PROTOCOL] == "iec62056"
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], IEC_FORM)
    filled = details_in(result)
    assert filled == {
        CONF_BATTERY: True,
        CONF_ADDRESS: "42",
        SECTION_EXPERT: {
            CONF_PASSWORD: UNCHANGED,
            CONF_TABLE: "hash",
            CONF_ACKNOWLEDGEMENT: "default",
            CONF_FIXED_SPEED: True,
            CONF_SWITCH_DELAY: 0.5,
        },
    }
    before = dict(entry.data)
    result = await flow.async_configure(result["flow_id"], filled)
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await flow.async_configure(result["flow_id"])
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == before


async def test_reconfigure_reads_in_place_of_the_entry_and_changes_it(
    hass: HomeAssistant, iec_line: Line, setup_entry: AsyncMock
) -> None:
    entry = await add_iec_entry(hass, password="s3cret")
    iec_line.says = readout()
    details = {CONF_ADDRESS: "42", SECTION_EXPERT: {}}
    form = {**IEC_FORM, CONF_PORT: OTHER_PORT}
    result = await submit_iec(hass, await entry.start_reconfigure_flow(hass), details, form)
    assert result["reason"] == "reconfigure_successful"
    data = {CONF_PORT: OTHER_PORT, CONF_ADDRESS: "42", CONF_MODE: "pushed"}
    assert entry.data == IEC_DATA | data, "a password that was taken away is gone"
    assert is_loaded(entry)
    assert setup_entry.call_count == 2


async def test_reconfigured_meter_begins_with_what_was_read(
    hass: HomeAssistant, iec_line: Line
) -> None:
    entry = await add_iec_entry(hass, GENERATED_ID)
    iec_line.answers = readout(meter=NAMELESS)
    with patch(f"{SEARCH}.async_hand_over") as open_mode_e:
        result = await submit_iec(hass, await entry.start_reconfigure_flow(hass))
    assert result["reason"] == "reconfigure_successful"
    _, unique_id, read = open_mode_e.call_args.args
    assert (unique_id, read.reading) == (GENERATED_ID, iec_line.answers)


async def test_reconfigure_finds_another_meter(hass: HomeAssistant, iec_line: Line) -> None:
    entry = await add_iec_entry(hass)
    iec_line.answers = readout(meter=OTHER_ME162)
    result = await submit_iec(hass, await entry.start_reconfigure_flow(hass))
    assert result["reason"] == "wrong_meter"
    assert entry.data == IEC_DATA
    assert is_loaded(entry)


@pytest.mark.usefixtures("iec_line")
async def test_reconfigure_of_one_of_several_meters(hass: HomeAssistant) -> None:
    await add_iec_entry(hass, "ISK87654321", address="43")
    entry = await add_iec_entry(hass, address="42")
    result = await submit_iec(hass, await entry.start_reconfigure_flow(hass))
    assert result["errors"] == {CONF_ADDRESS: "address_needed"}
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {**DETAILS, CONF_ADDRESS: "42"})
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await flow.async_configure(result["flow_id"])
    assert result["reason"] == "reconfigure_successful"
