"""The flows with nothing replaced: real ports, a simulated meter at their other end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from custom_components.onemeter.const import (
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_LIVE_REGISTERS,
    CONF_PUBLISH_INTERVAL,
    DOMAIN,
)
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE
from custom_components.onemeter.meter import LineSettings
from custom_components.onemeter.meter.port import Port
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowContext,
    ConfigFlowResult,
)
from homeassistant.const import CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from simulator.household import Household
from simulator.iec62056 import Iec62056Meter, Mode, serve
from simulator.line import Line
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from ..helpers.at_the_port import until
from ..helpers.lines import meter as iec_meter

PORTS = "custom_components.onemeter.flow.ports"
METER = SmlMeter(household=Household())
OTHER_METER = SmlMeter(household=Household(), serial=99)

pytestmark = [
    pytest.mark.real_time("a port of the kernel"),
    pytest.mark.usefixtures("no_frontend", "usb"),
]


@asynccontextmanager
async def speaking(line: Line, meter: SmlMeter = METER) -> AsyncGenerator[None]:
    """Have a meter at the other end of a line that is plugged in already."""
    task = asyncio.create_task(push(line, meter.telegram, interval=0.05))
    try:
        yield
    finally:
        task.cancel()


def form(line: Line, **settings: str) -> dict[str, Any]:
    """Fill in the port of a line."""
    return {CONF_PORT: line.url, CONF_PROTOCOL: "sml", SECTION_LINE: settings}


async def start(hass: HomeAssistant, entry: ConfigEntry | None = None) -> ConfigFlowResult:
    """Open the dialog for a new meter, or for another port of one that is there."""
    context = ConfigFlowContext(source=SOURCE_USER)
    if entry is not None:
        context = ConfigFlowContext(source=SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    return await hass.config_entries.flow.async_init(DOMAIN, context=context)


async def submit(
    hass: HomeAssistant, result: ConfigFlowResult, user_input: dict[str, Any]
) -> ConfigFlowResult:
    """Fill in the form, and follow the flow as the frontend does until it has listened."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], user_input)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.02)
        result = await flow.async_configure(result["flow_id"])
    return result


async def confirm(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigEntry:
    """Agree that this is the meter, and return its entry once it is set up."""
    assert result["step_id"] == "confirm"
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert result["result"].state is ConfigEntryState.LOADED
    return result["result"]


async def test_meter_that_is_at_a_pty_late(hass: HomeAssistant, tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "head")
    result = await submit(hass, await start(hass), form(line))
    assert result["errors"] == {"base": "port_not_found"}

    async with line, speaking(line):
        entry = await confirm(hass, await submit(hass, result, form(line)))
        assert entry.title == "DMO"
        assert entry.unique_id == "1DMO0012345678"
        await hass.config_entries.async_unload(entry.entry_id)


async def test_silence_then_the_wrong_speed_then_the_meter(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    async with PtyLine(tmp_path / "head", 9600) as line:
        with patch("custom_components.onemeter.flow.probe.LISTEN_SECONDS", 0.1):
            result = await submit(hass, await start(hass), form(line))
        assert result["errors"] == {"base": "meter_silent"}
        assert not line.listened_to

        async with speaking(line):
            with patch("custom_components.onemeter.flow.probe.LISTEN_SECONDS", 2):
                result = await submit(hass, result, form(line, **{CONF_BAUDRATE: "115200"}))
            assert result["errors"] == {"base": "unknown_data_noise"}
            entry = await confirm(hass, await submit(hass, result, form(line)))
            await hass.config_entries.async_unload(entry.entry_id)


async def test_noise(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line:
        random = Random(0)

        async def crackle() -> None:
            while True:
                line.put(random.randbytes(64))
                await asyncio.sleep(0.01)

        noise = asyncio.create_task(crackle())
        with patch("custom_components.onemeter.flow.probe.LISTEN_SECONDS", 2):
            result = await submit(hass, await start(hass), form(line))
        noise.cancel()
        assert result["errors"] == {"base": "unknown_data_noise"}
        hass.config_entries.flow.async_abort(result["flow_id"])


async def test_port_in_use_names_the_program(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line, speaking(line):
        async with Port(line.url, LineSettings(9600)):
            with (
                patch(f"{PORTS}.async_scan_serial_ports", AsyncMock(return_value=[])),
                patch(f"{PORTS}.async_get_serial_port_consumers", AsyncMock(return_value={})),
            ):
                result = await submit(hass, await start(hass), form(line))
        assert result["errors"] == {"base": "port_busy_by"}
        assert "PID" in (result["description_placeholders"] or {})["by"]

        entry = await confirm(hass, await submit(hass, result, form(line)))
        await hass.config_entries.async_unload(entry.entry_id)


async def test_closed_dialog_frees_the_port(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line:
        result = await start(hass)
        await hass.config_entries.flow.async_configure(result["flow_id"], form(line))
        await until(lambda: line.listened_to)
        hass.config_entries.flow.async_abort(result["flow_id"])
        await until(lambda: not line.listened_to)


async def test_reconfigure_at_the_port_that_the_entry_itself_reads(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    async with PtyLine(tmp_path / "head") as line, speaking(line):
        entry = await confirm(hass, await submit(hass, await start(hass), form(line)))

        changed = form(line, **{CONF_BAUDRATE: "19200"})
        result = await submit(hass, await start(hass, entry), changed)
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "reconfigure_successful"
        await hass.async_block_till_done()
        assert entry.data[CONF_BAUDRATE] == 19200
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


async def test_reconfigure_where_another_meter_is(hass: HomeAssistant, tmp_path: Path) -> None:
    line, other = PtyLine(tmp_path / "head"), PtyLine(tmp_path / "other")
    async with line, other, speaking(line), speaking(other, OTHER_METER):
        entry = await confirm(hass, await submit(hass, await start(hass), form(line)))

        result = await submit(hass, await start(hass, entry), form(other))
        assert result["reason"] == "wrong_meter"
        await hass.async_block_till_done()
        assert entry.data[CONF_PORT] == line.url
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


# IEC 62056-21


@asynccontextmanager
async def answering(line: Line, *meters: Iec62056Meter) -> AsyncGenerator[None]:
    """Have meters at the other end of a line that wait to be asked, or push."""
    task = asyncio.create_task(serve(line, *meters))
    try:
        yield
    finally:
        task.cancel()


def iec_form(line: Line, baudrate: int = 9600) -> dict[str, Any]:
    """Fill in the port of a line; its usual 300 baud would take long."""
    return {
        CONF_PORT: line.url,
        CONF_PROTOCOL: "iec62056",
        SECTION_LINE: {CONF_BAUDRATE: str(baudrate)},
    }


async def submit_iec(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    user_input: dict[str, Any],
    **details: Any,
) -> ConfigFlowResult:
    """Fill in both forms, and follow the flow as the frontend does."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], user_input)
    assert result["step_id"] == "iec62056"
    return await submit(hass, result, {SECTION_EXPERT: {}, **details})


async def test_meter_that_waits_to_be_asked(hass: HomeAssistant, tmp_path: Path) -> None:
    meter = iec_meter(start_baudrate=9600)
    async with PtyLine(tmp_path / "head", 9600) as line, answering(line, meter):
        result = await submit_iec(hass, await start(hass), iec_form(line))
        entry = await confirm(hass, result)
        assert entry.data[CONF_MODE] == "polled"
        assert entry.unique_id == "DMO12345678"
        assert meter.count("readout") == 1, "the entry begins with what the flow has read"
        await hass.services.async_call(
            "button", "press", {"entity_id": "button.dmo_read_now"}, blocking=True
        )
        assert meter.count("readout") == 2
        assert not line.listened_to

        changed = iec_form(line) | {SECTION_LINE: {CONF_BAUDRATE: "9600", CONF_DTR: "high"}}
        result = await submit_iec(hass, await start(hass, entry), changed)
        assert result["reason"] == "reconfigure_successful"
        await hass.async_block_till_done()
        assert entry.data[CONF_DTR] is True
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


async def test_meter_that_pushes(hass: HomeAssistant, tmp_path: Path) -> None:
    meter = iec_meter(mode=Mode.D, interval=0.5)
    async with PtyLine(tmp_path / "head", 9600) as line, answering(line, meter):
        result = await submit_iec(hass, await start(hass), iec_form(line))
        entry = await confirm(hass, result)
        assert entry.data[CONF_MODE] == "pushed"
        assert entry.unique_id == "DMO12345678"
        assert not hass.states.async_entity_ids("button")
        await hass.config_entries.async_unload(entry.entry_id)


async def test_battery_meter(hass: HomeAssistant, tmp_path: Path) -> None:
    meter = iec_meter(start_baudrate=9600, battery=True)
    async with PtyLine(tmp_path / "head", 9600) as line, answering(line, meter):
        result = await submit_iec(hass, await start(hass), iec_form(line), battery=True)
        entry = await confirm(hass, result)
        assert entry.data[CONF_BATTERY] is True
        assert meter.count("readout") == 1
        await hass.config_entries.async_unload(entry.entry_id)


async def test_two_meters_on_one_line(hass: HomeAssistant, tmp_path: Path) -> None:
    meters = [iec_meter(start_baudrate=9600, serial=serial) for serial in ("11111111", "22222222")]
    async with PtyLine(tmp_path / "head", 9600) as line, answering(line, *meters):
        entries = []
        for meter in meters:
            result = await submit_iec(hass, await start(hass), iec_form(line), address=meter.serial)
            entries.append(await confirm(hass, result))
        assert [entry.unique_id for entry in entries] == ["DMO11111111", "DMO22222222"]
        buttons = ["button.dmo_read_now", "button.dmo_2222_read_now"]
        await hass.services.async_call("button", "press", {"entity_id": buttons}, blocking=True)
        assert [meter.count("readout") for meter in meters] == [2, 2]
        for entry in entries:
            await hass.config_entries.async_unload(entry.entry_id)


async def test_meter_of_another_protocol(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head", 9600) as line, speaking(line):
        with patch("custom_components.onemeter.flow.probe.LISTEN_SECONDS", 2):
            result = await submit_iec(hass, await start(hass), iec_form(line))
        assert result["errors"] == {"base": "unknown_data_like"}
        assert (result["description_placeholders"] or {})["looks_like"] == "SML"


async def test_live_values_and_their_password(hass: HomeAssistant, tmp_path: Path) -> None:
    meter = iec_meter(start_baudrate=9600, password="00000000")
    async with PtyLine(tmp_path / "head", 9600) as line, answering(line, meter):
        result = await submit_iec(
            hass,
            await start(hass),
            iec_form(line),
            **{SECTION_EXPERT: {CONF_PASSWORD: "11111111"}},
        )
        entry = await confirm(hass, result)
        options = hass.config_entries.options
        result = await options.async_init(entry.entry_id)
        entered = {CONF_LIVE_REGISTERS: ["16.7.0"], CONF_PUBLISH_INTERVAL: 1}
        await options.async_configure(result["flow_id"], entered)
        await hass.async_block_till_done()

        await until(lambda: bool(hass.config_entries.flow.async_progress()))
        assert meter.wrong_passwords == 1
        assert entry.state is ConfigEntryState.LOADED
        [flow] = hass.config_entries.flow.async_progress()
        result = await hass.config_entries.flow.async_configure(
            flow["flow_id"], {CONF_PASSWORD: "00000000"}
        )
        assert result["reason"] == "reauth_successful"
        await until(lambda: sum(entry.detail.startswith("R") for entry in meter.log) > 1)
        assert not hass.config_entries.flow.async_progress()
        await hass.config_entries.async_unload(entry.entry_id)
        assert not line.listened_to
