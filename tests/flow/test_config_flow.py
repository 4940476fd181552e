"""The config flow of SML meters: form, search, confirmation, errors of port and meter."""

from decimal import Decimal
from unittest.mock import AsyncMock, patch

import pytest

from custom_components.onemeter.access.clients import expected_meter
from custom_components.onemeter.const import (
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_FRAMING,
    CONF_RTS,
)
from custom_components.onemeter.flow.schemas import (
    SECTION_LINE,
)
from custom_components.onemeter.meter import (
    Framing,
    Identity,
    LineSettings,
    MeterError,
    Obis,
    Protocol,
    Register,
)
from custom_components.onemeter.meter.errors import (
    MeterSilentError,
    PortBusyError,
)
from homeassistant.components.usb import SerialPortConsumer
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    FlowResultType,
)
from homeassistant.exceptions import ConfigEntryNotReady

from ..helpers.config_flow import (
    DATA,
    DIAGNOSES,
    FORM,
    METER,
    NAMELESS,
    OTHER_PORT,
    PORT,
    PROBING,
    PROGRESS,
    SITUATIONS,
    Line,
    add_entry,
    assert_recovers,
    assert_said,
    confirm,
    is_loaded,
    reading,
    scripted_clients,
    start,
    submit,
)

pytestmark = scripted_clients


async def test_meter_is_heard_shown_and_added(
    hass: HomeAssistant, line: Line, setup_entry: AsyncMock
) -> None:
    result = await submit(hass, await start(hass), FORM)

    assert result["description_placeholders"] == {
        "meter": "DMO",
        "manufacturer": "DMO",
        "model": "SML meter",
        "id": "1 DMO00 1234 5678",
        "count": "5",
        "energy_import": "12345.6789 kWh",
        "energy_export": "1.000 kWh",
        "power": "-250 W",
    }
    assert not line.open
    setup_entry.assert_not_called()

    result = await confirm(hass, result)

    assert result["title"] == "DMO"
    assert result["data"] == DATA
    assert result["result"].unique_id == "1DMO0012345678"
    assert line.asked == [(Protocol.SML, PORT, LineSettings(baudrate=9600))]
    setup_entry.assert_called_once()


async def test_meter_is_added_although_a_reloaded_page_has_left_its_dialog(
    hass: HomeAssistant, line: Line
) -> None:
    await submit(hass, await start(hass), FORM)

    result = await confirm(hass, await submit(hass, await start(hass), FORM))

    assert result["data"] == DATA
    assert not line.open
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    ("chosen", "kept", "settings"),
    [
        (
            {CONF_BAUDRATE: "115200", CONF_FRAMING: "8e1", CONF_DTR: "high", CONF_RTS: "low"},
            {CONF_BAUDRATE: 115200, CONF_FRAMING: "8E1", CONF_DTR: True, CONF_RTS: False},
            LineSettings(115200, Framing.EIGHT_EVEN, dtr=True, rts=False),
        ),
        (
            {CONF_FRAMING: "7e1"},
            {CONF_FRAMING: "7E1"},
            LineSettings(9600, Framing.SEVEN_EVEN),
        ),
        (
            {CONF_BAUDRATE: "default", CONF_DTR: "low"},
            {CONF_DTR: False},
            LineSettings(9600, dtr=False),
        ),
    ],
)
async def test_line_settings_of_experts_are_used_and_kept(
    hass: HomeAssistant,
    line: Line,
    chosen: dict[str, str],
    kept: dict[str, int | str],
    settings: LineSettings,
) -> None:
    result = await submit(hass, await start(hass), {**FORM, SECTION_LINE: chosen})
    result = await confirm(hass, result)

    assert result["data"] == DATA | kept
    assert line.asked == [(Protocol.SML, PORT, settings)]


async def test_local_port_is_kept_by_the_name_that_outlives_replugging(
    hass: HomeAssistant, line: Line, by_id: dict[str, str]
) -> None:
    by_id[PORT] = "/dev/serial/by-id/usb-head"
    result = await confirm(hass, await submit(hass, await start(hass), FORM))
    assert result["data"][CONF_PORT] == "/dev/serial/by-id/usb-head"
    assert line.asked[0][1] == "/dev/serial/by-id/usb-head"


async def test_url_is_kept_as_it_is_but_for_blanks(
    hass: HomeAssistant, line: Line, by_id: dict[str, str]
) -> None:
    by_id[OTHER_PORT] = "not asked for"
    form = {**FORM, CONF_PORT: f" {OTHER_PORT}\n"}
    result = await confirm(hass, await submit(hass, await start(hass), form))
    assert result["data"][CONF_PORT] == OTHER_PORT
    assert line.asked[0][1] == OTHER_PORT


@pytest.mark.parametrize("protocol", ["sml", "iec62056", "dlms"])
@pytest.mark.parametrize("port", [{CONF_PORT: ""}, {CONF_PORT: " "}, {}], ids=str)
async def test_port_is_required(
    hass: HomeAssistant, line: Line, port: dict[str, str], protocol: str
) -> None:
    result = await start(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PROTOCOL: protocol, SECTION_LINE: {}, **port}
    )
    assert result["errors"] == {CONF_PORT: "port_needed"}
    assert_said(result, "error", "port_needed")
    assert line.asked == []
    await confirm(hass, await submit(hass, result, FORM))


@pytest.mark.parametrize(
    ("meter", "title"),
    [
        (Identity("0649534b0123456789ab", "ISK"), "Iskraemeco"),
        (Identity("00112233"), "SML meter"),
    ],
)
async def test_meter_with_another_kind_of_id(
    hass: HomeAssistant, line: Line, meter: Identity, title: str
) -> None:
    line.says = reading(meter)
    result = await confirm(hass, await submit(hass, await start(hass), FORM))
    assert result["title"] == title
    assert result["result"].unique_id == meter.unique_id


async def test_meter_without_id_gets_one(hass: HomeAssistant, line: Line) -> None:
    line.says = reading(NAMELESS, registers=())
    result = await submit(hass, await start(hass), FORM)
    assert result["description_placeholders"] == {
        "meter": "SML meter",
        "manufacturer": "–",
        "model": "SML meter",
        "id": "–",
        "count": "0",
        "energy_import": "–",
        "energy_export": "–",
        "power": "–",
    }
    result = await confirm(hass, result)
    assert result["title"] == "SML meter"
    first = result["result"].unique_id
    assert expected_meter(result["result"]) is None

    form = {**FORM, CONF_PORT: OTHER_PORT}
    result = await confirm(hass, await submit(hass, await start(hass), form))
    assert len({first, result["result"].unique_id, PORT, OTHER_PORT, None}) == 5


async def test_meters_of_one_maker_get_different_names(hass: HomeAssistant, line: Line) -> None:
    titles = []
    for number in range(3):
        unique_id, serial = f"0a01444d4f000000000{number}", f"1DMO000000000{number}"
        line.says = reading(Identity(unique_id, "DMO", None, serial))
        form = {**FORM, CONF_PORT: f"{OTHER_PORT}{number}"}
        result = await confirm(hass, await submit(hass, await start(hass), form))
        titles.append(result["title"])
    assert titles == ["DMO", "DMO …0001", "DMO …0002"]


async def test_confirmation_may_be_looked_at_again(
    hass: HomeAssistant, line: Line, setup_entry: AsyncMock
) -> None:
    result = await submit(hass, await start(hass), FORM)
    flow_id = result["flow_id"]

    async def look_again(*_: object) -> bool:
        again = await hass.config_entries.flow.async_configure(flow_id)
        assert again["step_id"] == "confirm"
        return True

    setup_entry.side_effect = look_again
    result = await confirm(hass, result)
    assert result["result"].unique_id == METER.unique_id
    assert is_loaded(result["result"])
    assert len(line.asked) == 1


@pytest.mark.parametrize(
    ("registers", "shown"),
    [
        ((Register(Obis.parse("1-0:15.7.0"), Decimal("12.5"), "W"),), "12.5 W"),
        ((Register(Obis.parse("1-0:16.7.0"), 7),), "7"),
        (
            (
                Register(Obis.parse("1-0:16.7.0"), None, "W"),
                Register(Obis.parse("1-0:1.7.0"), 8, "W"),
            ),
            "8 W",
        ),
        ((Register(Obis.parse("1-0:16.7.0*1"), 7, "W"),), "–"),
    ],
)
async def test_power_is_shown_by_whichever_register_has_it(
    hass: HomeAssistant, line: Line, registers: tuple[Register, ...], shown: str
) -> None:
    line.says = reading(registers=registers)
    result = await submit(hass, await start(hass), FORM)
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["power"] == shown


@pytest.mark.parametrize(("exception", "error"), SITUATIONS)
async def test_port_trouble_leads_back_to_the_form(
    hass: HomeAssistant, line: Line, exception: Exception, error: str
) -> None:
    line.says = exception
    form = {**FORM, SECTION_LINE: {CONF_DTR: "high"}}
    result = await submit(hass, await start(hass), form)
    await assert_recovers(hass, line, result, error)


@pytest.mark.parametrize(("diagnosis", "error"), DIAGNOSES)
async def test_no_reading_in_time_leads_back_to_the_form(
    hass: HomeAssistant, line: Line, diagnosis: MeterError, error: str
) -> None:
    line.says = None
    line.diagnosis = diagnosis
    form = {**FORM, SECTION_LINE: {CONF_DTR: "high"}}
    with patch(f"{PROBING}.LISTEN_SECONDS", 0.01):
        result = await submit(hass, await start(hass), form)
    await assert_recovers(hass, line, result, error)


async def test_users_of_a_busy_port_are_named_as_home_assistant_knows_them(
    hass: HomeAssistant, line: Line, users: dict[str, list[SerialPortConsumer]]
) -> None:
    users[PORT] = [
        SerialPortConsumer(kind="config_entry", title="EDL21", active=True),
        SerialPortConsumer(kind="config_entry", title="Asleep", active=False),
        SerialPortConsumer(kind="app", title="ser2net", active=True),
    ]
    users["/dev/ttyUSB1"] = [SerialPortConsumer(kind="app", title="Elsewhere", active=True)]
    line.says = PortBusyError("", port=PORT, by="python (PID 1)")
    result = await submit(hass, await start(hass), FORM)
    assert result["errors"] == {"base": "port_busy_by"}
    assert result["description_placeholders"] == {"port": PORT, "by": "EDL21, ser2net"}


async def test_dialog_may_be_looked_at_while_listening(hass: HomeAssistant, line: Line) -> None:
    line.says = None
    result = await start(hass)
    flow = hass.config_entries.flow
    await flow.async_configure(result["flow_id"], FORM)
    await line.listening.wait()
    again = await flow.async_configure(result["flow_id"])
    assert again["type"] is FlowResultType.SHOW_PROGRESS
    assert len(line.asked) == 1
    flow.async_abort(result["flow_id"])


@pytest.mark.parametrize("failure", [None, MeterSilentError(""), ConfigEntryNotReady("loading")])
async def test_nothing_said_holds_the_password_of_the_port(
    hass: HomeAssistant, line: Line, failure: Exception | None
) -> None:
    line.says = failure
    result = await start(hass)
    flow = hass.config_entries.flow
    form = {**FORM, CONF_PORT: "socket://me:s3cret@meter.local:3333"}
    result = await flow.async_configure(result["flow_id"], form)
    if failure is not None:
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await flow.async_configure(result["flow_id"])
    placeholders = result["description_placeholders"] or {}
    assert placeholders["port"] == "socket://***@meter.local:3333"
    flow.async_abort(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_progress_lasts_until_the_frontend_has_a_dialog_for_it(
    hass: HomeAssistant, line: Line
) -> None:
    result = await start(hass)
    flow = hass.config_entries.flow
    with patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0.1):
        await flow.async_configure(result["flow_id"], FORM)
        await line.listening.wait()
        assert not line.open
        again = await flow.async_configure(result["flow_id"])
        assert again["type"] is FlowResultType.SHOW_PROGRESS
        await hass.async_block_till_done(wait_background_tasks=True)
    await confirm(hass, await flow.async_configure(result["flow_id"]))


async def test_closed_dialog_closes_the_port(hass: HomeAssistant, line: Line) -> None:
    line.says = None
    result = await start(hass)
    await hass.config_entries.flow.async_configure(result["flow_id"], FORM)
    await line.listening.wait()
    assert line.open

    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)

    assert not line.open
    assert not hass.config_entries.flow.async_progress()


async def test_port_of_another_meter_is_not_opened(hass: HomeAssistant, line: Line) -> None:
    await add_entry(hass)
    result = await hass.config_entries.flow.async_configure((await start(hass))["flow_id"], FORM)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert_said(result, "abort", "already_configured")
    assert line.asked == []


async def test_port_of_a_second_source_is_not_opened(hass: HomeAssistant, line: Line) -> None:
    entry = await add_entry(hass)
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, CONF_PORT: OTHER_PORT},
        options={
            "impulses": {
                "protocol": "blink",
                "source": "rx",
                "port": FORM[CONF_PORT],
                "impulses_per_kwh": "1000",
            }
        },
    )
    result = await hass.config_entries.flow.async_configure((await start(hass))["flow_id"], FORM)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert line.asked == []


async def test_same_meter_at_another_port_is_not_added_again(
    hass: HomeAssistant, line: Line
) -> None:
    entry = await add_entry(hass)
    result = await submit(hass, await start(hass), {**FORM, CONF_PORT: OTHER_PORT})
    assert line.asked[0][1] == OTHER_PORT
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data == DATA
