"""The config flow of IEC 62056-21 meters: pushed and polled, progress, shared ports."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.onemeter.const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_FILL_GAPS,
    CONF_IMPORT_DAYS,
    CONF_MULTIPLIER,
    CONF_SWITCH_DELAY,
    CONF_SWITCH_SPEED,
    CONF_TABLE,
)
from custom_components.onemeter.flow.schemas import (
    CONF_FIXED_SPEED,
    SECTION_EXPERT,
    SECTION_LINE,
)
from custom_components.onemeter.meter import (
    Framing,
    LineSettings,
    MeterError,
    Obis,
    Protocol,
    Register,
)
from custom_components.onemeter.meter.errors import (
    UNKNOWN,
    ChecksumError,
    FixedSpeedError,
    MeterAuthenticationError,
    MeterPushesError,
    NoReadoutError,
    PortLostError,
    PortNotFoundError,
    RefusedError,
)
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.looks import Look
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PROTOCOL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import (
    EVENT_DATA_ENTRY_FLOW_PROGRESSED,
    FlowResultType,
)
from homeassistant.exceptions import ConfigEntryNotReady

from ..helpers.config_flow import (
    DETAILS,
    FORM,
    IEC_DATA,
    IEC_FORM,
    IEC_SILENT,
    NAMELESS,
    OTHER_ME162,
    POLLED_LINE,
    PORT,
    PROBING,
    PROGRESS,
    PUSHED_LINE,
    SEARCH,
    Line,
    add_iec_entry,
    assert_said,
    confirm,
    details_in,
    readout,
    scripted_clients,
    start,
    submit_iec,
    suggested,
    unknown,
)

pytestmark = scripted_clients


async def test_meter_that_answers_is_shown_and_added(
    hass: HomeAssistant, iec_line: Line, setup_entry: AsyncMock
) -> None:
    result = await submit_iec(hass, await start(hass))
    assert result["description_placeholders"] == {
        "meter": "Iskraemeco",
        "manufacturer": "Iskraemeco",
        "model": "ME162-0010",
        "id": "12345678",
        "count": "1",
        "energy_import": "1234.567 kWh",
        "energy_export": "–",
        "power": "–",
        # At 300 baud, at which the line was opened.
        "import_seconds": "96",
    }
    result = await confirm(hass, result)
    assert result["title"] == "Iskraemeco"
    assert result["data"] == IEC_DATA
    assert result["options"] == {CONF_FILL_GAPS: True}
    assert result["result"].unique_id == "ISK12345678"
    assert iec_line.asked == [(Protocol.IEC62056, PORT, PUSHED_LINE)]
    assert iec_line.sign_ons == [(PORT, POLLED_LINE, SignOn())]
    assert not iec_line.open
    setup_entry.assert_called_once()


async def test_meter_that_speaks_first_is_not_asked(hass: HomeAssistant, iec_line: Line) -> None:
    iec_line.says = readout()
    result = await confirm(hass, await submit_iec(hass, await start(hass)))
    assert result["data"] == {**IEC_DATA, CONF_MODE: "pushed"}
    assert iec_line.sign_ons == []


@pytest.mark.parametrize(
    "heard",
    [unknown("IEC 62056-21"), unknown(UNKNOWN), ChecksumError("", port=PORT)],
    ids=["readout", "few bytes", "damaged"],
)
async def test_meter_that_has_begun_to_speak_is_listened_to_for_longer(
    hass: HomeAssistant, iec_line: Line, heard: MeterError
) -> None:
    iec_line.says = readout()
    iec_line.speaks_after = 0.1
    iec_line.diagnosis = heard
    result = await confirm(hass, await submit_iec(hass, await start(hass)))
    assert result["data"][CONF_MODE] == "pushed"
    assert iec_line.sign_ons == []


async def test_meter_that_speaks_rarely_is_heard_in_the_end(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.says = readout()
    iec_line.speaks_after = 0.1
    iec_line.answers = unknown(Look.NOISE)
    result = await confirm(hass, await submit_iec(hass, await start(hass)))
    assert result["data"][CONF_MODE] == "pushed"
    assert len(iec_line.asked) == 2
    assert len(iec_line.sign_ons) == 1


@pytest.mark.parametrize(
    ("details", "kept", "sign_on"),
    [
        ({CONF_ADDRESS: " 0042 "}, {CONF_ADDRESS: "0042"}, SignOn(address="0042")),
        (
            {SECTION_EXPERT: {CONF_PASSWORD: "s3cret", CONF_TABLE: "hash"}},
            {CONF_PASSWORD: "s3cret", CONF_TABLE: "#"},
            SignOn(password="s3cret", table="#"),
        ),
        (
            {SECTION_EXPERT: {CONF_FIXED_SPEED: True, CONF_SWITCH_DELAY: 0.25, CONF_TABLE: "2"}},
            {CONF_SWITCH_SPEED: False, CONF_SWITCH_DELAY: 0.25, CONF_TABLE: "2"},
            SignOn(switch_speed=False, switch_delay=0.25, table="2"),
        ),
        *(
            (
                {SECTION_EXPERT: {CONF_ACKNOWLEDGEMENT: entered}},
                {CONF_ACKNOWLEDGEMENT: kept},
                SignOn(acknowledgement=kept),
            )
            for entered, kept in (("none", "none"), ("list_7", "0Z7"), ("ACK 2 6 6", "266"))
        ),
    ],
)
async def test_meter_is_spoken_to_as_it_wants(
    hass: HomeAssistant,
    iec_line: Line,
    details: dict[str, Any],
    kept: dict[str, Any],
    sign_on: SignOn,
) -> None:
    result = await confirm(hass, await submit_iec(hass, await start(hass), DETAILS | details))
    assert result["data"] == IEC_DATA | kept
    assert iec_line.sign_ons == [(PORT, POLLED_LINE, sign_on)]


async def test_battery_meter_is_woken_up_and_not_listened_to(
    hass: HomeAssistant, iec_line: Line
) -> None:
    result = await submit_iec(hass, await start(hass), {**DETAILS, CONF_BATTERY: True})
    result = await confirm(hass, result)
    assert result["data"] == {**IEC_DATA, CONF_BATTERY: True}
    assert iec_line.asked == []
    assert iec_line.sign_ons == [(PORT, POLLED_LINE, SignOn(wake_up=True))]


async def test_meter_that_is_found_to_push_when_it_is_polled_is_listened_to(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.says, iec_line.answers = iec_line.answers, MeterPushesError("", port=PORT)
    result = await submit_iec(hass, await start(hass), {**DETAILS, CONF_BATTERY: True})
    result = await confirm(hass, result)
    assert result["data"] == {**IEC_DATA, CONF_MODE: "pushed", CONF_BATTERY: True}
    assert (len(iec_line.sign_ons), len(iec_line.asked)) == (1, 1)


async def test_speed_that_the_user_has_chosen_is_that_of_both_ways(
    hass: HomeAssistant, iec_line: Line
) -> None:
    form = {**IEC_FORM, SECTION_LINE: {CONF_BAUDRATE: "2400"}}
    await confirm(hass, await submit_iec(hass, await start(hass), form=form))
    line = LineSettings(2400, Framing.SEVEN_EVEN)
    assert iec_line.asked == [(Protocol.IEC62056, PORT, line)]
    assert iec_line.sign_ons == [(PORT, line, SignOn())]


@pytest.mark.parametrize(
    ("heard", "answer", "error"),
    [
        (IEC_SILENT, IEC_SILENT, "meter_silent"),
        (IEC_SILENT, FixedSpeedError("", port=PORT), "fixed_speed"),
        (unknown(UNKNOWN), FixedSpeedError("", port=PORT), "unknown_data"),
        (IEC_SILENT, unknown(UNKNOWN), "unknown_data"),
        (IEC_SILENT, unknown(Look.NOISE), "unknown_data_noise"),
        (IEC_SILENT, ChecksumError("", port=PORT), "checksum_failed"),
        (IEC_SILENT, NoReadoutError("", port=PORT), "no_readout"),
        (IEC_SILENT, RefusedError("", port=PORT), "refused"),
        (IEC_SILENT, MeterAuthenticationError("", port=PORT), "password_rejected"),
        (IEC_SILENT, PortLostError("", port=PORT), "port_lost"),
        (unknown(Look.NOISE), IEC_SILENT, "unknown_data_noise"),
        (unknown(Look.NOISE), unknown(UNKNOWN), "unknown_data_noise"),
        (unknown("SML"), unknown(Look.NOISE), "unknown_data_like"),
        (ChecksumError("", port=PORT), IEC_SILENT, "checksum_failed"),
    ],
)
async def test_most_telling_error_leads_back_to_the_form(
    hass: HomeAssistant, iec_line: Line, heard: MeterError, answer: Exception, error: str
) -> None:
    iec_line.diagnosis = heard
    iec_line.answers = answer
    details = {SECTION_EXPERT: {CONF_PASSWORD: "s3cret"}, CONF_ADDRESS: "42"}
    with patch(f"{PROBING}.LISTEN_SECONDS", 0.02):
        result = await submit_iec(hass, await start(hass), details)
        assert result["step_id"] == "user"
        assert result["errors"] == {"base": error}
        assert_said(result, "error", error)
        is_sml = error == "unknown_data_like"
        assert suggested(result)[CONF_PROTOCOL] == ("sml" if is_sml else "iec62056")
        assert not iec_line.open

        iec_line.answers = readout()
        flow = hass.config_entries.flow
        result = await flow.async_configure(result["flow_id"], IEC_FORM)
        filled = details_in(result)
        assert filled[CONF_ADDRESS] == "42"
        assert "s3cret" not in str(filled)
        result = await flow.async_configure(result["flow_id"], filled)
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await confirm(hass, await flow.async_configure(result["flow_id"]))
    assert result["data"] == {**IEC_DATA, CONF_ADDRESS: "42", CONF_PASSWORD: "s3cret"}


@pytest.mark.parametrize(
    "exception", [PortNotFoundError("", port=PORT), ConfigEntryNotReady("ESPHome is loading")]
)
async def test_port_that_cannot_be_opened_is_not_tried_again(
    hass: HomeAssistant, iec_line: Line, exception: Exception
) -> None:
    iec_line.says = exception
    result = await submit_iec(hass, await start(hass))
    assert result["step_id"] == "user"
    assert result["errors"]
    assert iec_line.sign_ons == []


@pytest.mark.parametrize(
    ("details", "errors"),
    [
        ({CONF_ADDRESS: "12-34"}, {CONF_ADDRESS: "invalid_address"}),
        ({CONF_ADDRESS: "1" * 33}, {CONF_ADDRESS: "invalid_address"}),
        ({SECTION_EXPERT: {CONF_PASSWORD: "(secret)"}}, {"base": "invalid_password"}),
        ({SECTION_EXPERT: {CONF_PASSWORD: "geheimnißvoll"}}, {"base": "invalid_password"}),
        ({SECTION_EXPERT: {CONF_PASSWORD: "1" * 33}}, {"base": "invalid_password"}),
        ({SECTION_EXPERT: {CONF_ACKNOWLEDGEMENT: "25"}}, {"base": "invalid_acknowledgement"}),
    ],
)
async def test_what_no_meter_understands_may_be_corrected(
    hass: HomeAssistant, iec_line: Line, details: dict[str, Any], errors: dict[str, str]
) -> None:
    result = await submit_iec(hass, await start(hass), DETAILS | details)
    assert result["step_id"] == "iec62056"
    assert result["errors"] == errors
    for error in errors.values():
        assert_said(result, "error", error)
    assert iec_line.asked == []
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], DETAILS)
    await hass.async_block_till_done(wait_background_tasks=True)
    await confirm(hass, await flow.async_configure(result["flow_id"]))


async def test_progress_shows_that_bytes_come(hass: HomeAssistant, iec_line: Line) -> None:
    iec_line.answers = None
    flow = hass.config_entries.flow
    changed = async_capture_events(hass, EVENT_DATA_ENTRY_FLOW_PROGRESSED)
    result = await flow.async_configure((await start(hass))["flow_id"], IEC_FORM)
    result = await flow.async_configure(result["flow_id"], DETAILS)
    assert result["progress_action"] == "listen"
    assert_said(result, "progress", "listen")
    await iec_line.answering.wait()
    await asyncio.sleep(0.05)
    assert changed
    seen = []
    for _ in range(2):
        result = await flow.async_configure(result["flow_id"])
        assert result["type"] is FlowResultType.SHOW_PROGRESS
        assert result["progress_action"] == "read"
        assert_said(result, "progress", "read")
        assert result["description_placeholders"] is not None
        seen.append(int(result["description_placeholders"]["received"]))
        await asyncio.sleep(0.05)
    assert 17 < seen[0] < seen[1]
    flow.async_abort(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not iec_line.open


@pytest.mark.parametrize("latency", [0, 0.03, 0.07])
async def test_frontend_fetches_each_change_once_and_the_end_too(
    hass: HomeAssistant, iec_line: Line, latency: float
) -> None:
    """A request too many finds the flow gone, and the dialog shows an error."""
    entry = await add_iec_entry(hass)
    iec_line.answers = None
    flow = hass.config_entries.flow
    results = []

    @callback
    def fetch(_: Event[Any]) -> None:
        async def request() -> None:
            await asyncio.sleep(latency)
            results.append(await flow.async_configure(result["flow_id"]))

        fetches.append(hass.async_create_task(request()))

    fetches: list[asyncio.Task[None]] = []
    with (
        patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0.02),
        patch(f"{PROGRESS}.PROGRESS_SECONDS", 0.01),
    ):
        result = await entry.start_reconfigure_flow(hass)
        result = await flow.async_configure(result["flow_id"], IEC_FORM)
        stop = hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, fetch)
        result = await flow.async_configure(result["flow_id"], DETAILS)
        while len(fetches) < 4:  # noqa: ASYNC110 - a dialog is in no hurry
            await asyncio.sleep(0.01)
        # The number of bytes has changed again by the time it ends.
        iec_line.answers = readout()
        await hass.async_block_till_done(wait_background_tasks=True)
    await asyncio.gather(*fetches)
    stop()
    assert [item["type"] for item in results[:-1]] == [FlowResultType.SHOW_PROGRESS] * (
        len(results) - 1
    )
    shown = [item["description_placeholders"] for item in results[:-1]]
    assert all(before != after for before, after in pairwise(shown))
    assert results[-1]["reason"] == "reconfigure_successful"


async def test_readout_of_the_flow_is_handed_over(hass: HomeAssistant, iec_line: Line) -> None:
    with patch(f"{SEARCH}.async_hand_over") as open_mode_e:
        await confirm(hass, await submit_iec(hass, await start(hass)))
    [(_, unique_id, read)] = [call.args for call in open_mode_e.call_args_list]
    assert unique_id == "ISK12345678"
    assert read.reading is iec_line.answers


@pytest.mark.parametrize(
    ("registers", "ratio"),
    [
        ({"0.4.2": Decimal(40)}, "40"),
        ({"0.4.2": Decimal(200), "0.4.5": Decimal(5)}, "40"),
        ({"0.4.2": Decimal(40), "0.4.3": "100"}, "4000"),
        ({"0.4.2": 40, "0.4.3": Decimal(20000), "0.4.6": Decimal(100)}, "8000"),
        ({"0.4.4": Decimal(1500), "0.4.2": Decimal(40)}, "1500"),
        ({"0.4.4": Decimal(300), "0.4.7": Decimal(5)}, "60"),
        ({"0.4.2": Decimal("0.5")}, "0.5"),
        ({"0.4.2": Decimal(1), "0.4.5": Decimal(3)}, "0.333333"),
    ],
)
@pytest.mark.parametrize("channel", [0, 1])
async def test_transformer_ratio_is_proposed_as_multiplier(
    hass: HomeAssistant,
    iec_line: Line,
    registers: dict[str, Decimal | int | str],
    ratio: str,
    channel: int,
) -> None:
    iec_line.answers = readout(
        *(Register(Obis.parse(f"1-{channel}:{code}"), value) for code, value in registers.items())
    )
    result = await submit_iec(hass, await start(hass))
    assert result["step_id"] == "confirm_ratio"
    assert_said(result, "step", "confirm_ratio", "description")
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["ratio"] == ratio
    assert result["data_schema"] is not None
    assert result["data_schema"]({})[CONF_MULTIPLIER] == 1
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {CONF_MULTIPLIER: 0.12345678})
    assert result["errors"] == {CONF_MULTIPLIER: "too_many_decimals"}
    assert_said(result, "error", "too_many_decimals")
    result = await flow.async_configure(result["flow_id"], {CONF_MULTIPLIER: float(ratio)})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {CONF_FILL_GAPS: True, CONF_MULTIPLIER: ratio}


async def test_transformer_ratio_is_not_applied_without_consent(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.answers = readout(Register(Obis.parse("1-0:0.4.2"), Decimal(40)))
    result = await submit_iec(hass, await start(hass))
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {CONF_FILL_GAPS: True}


@pytest.mark.usefixtures("iec_line")
async def test_first_import_is_offered(hass: HomeAssistant) -> None:
    result = await submit_iec(hass, await start(hass))
    form = {CONF_FILL_GAPS: False, CONF_IMPORT_DAYS: 60}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], form)
    assert result["options"] == form


@pytest.mark.usefixtures("iec_line")
async def test_meter_on_a_battery_is_not_read_for_its_profile(hass: HomeAssistant) -> None:
    result = await submit_iec(hass, await start(hass), {**DETAILS, CONF_BATTERY: True})
    assert result["data_schema"] is not None
    assert not {CONF_FILL_GAPS, CONF_IMPORT_DAYS} & result["data_schema"]({}).keys()


@pytest.mark.parametrize("value", [Decimal(1), Decimal(0), "n/a", None, Decimal(-40), 10**9])
async def test_what_is_no_transformer_ratio_is_not_proposed(
    hass: HomeAssistant, iec_line: Line, value: Decimal | int | str | None
) -> None:
    iec_line.answers = readout(Register(Obis.parse("1-0:0.4.2"), value))
    await confirm(hass, await submit_iec(hass, await start(hass)))


async def test_meters_of_one_line_share_its_port(hass: HomeAssistant, iec_line: Line) -> None:
    await add_iec_entry(hass, address="0042")
    flow = hass.config_entries.flow
    result = await submit_iec(hass, await start(hass))
    assert result["errors"] == {CONF_ADDRESS: "address_needed"}
    assert_said(result, "error", "address_needed")
    result = await flow.async_configure(result["flow_id"], {**DETAILS, CONF_ADDRESS: "42"})
    assert result["errors"] == {CONF_ADDRESS: "address_taken"}
    assert_said(result, "error", "address_taken")
    iec_line.answers = readout(meter=OTHER_ME162)
    result = await flow.async_configure(result["flow_id"], {**DETAILS, CONF_ADDRESS: "43"})
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await confirm(hass, await flow.async_configure(result["flow_id"]))
    assert result["data"] == {**IEC_DATA, CONF_ADDRESS: "43"}
    assert iec_line.asked == [], "nobody pushes where meters are asked"


@pytest.mark.parametrize(
    "other",
    [
        {CONF_MODE: "polled"},
        {CONF_MODE: "pushed", CONF_ADDRESS: "42"},
        {CONF_PROTOCOL: "sml"},
    ],
)
async def test_port_of_a_meter_that_would_answer_too_is_not_shared(
    hass: HomeAssistant, iec_line: Line, other: dict[str, Any]
) -> None:
    await add_iec_entry(hass, **other)
    flow = hass.config_entries.flow
    result = await flow.async_configure((await start(hass))["flow_id"], IEC_FORM)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert iec_line.sign_ons == []


async def test_meter_that_pushes_does_not_share_the_port_of_those_that_are_asked(
    hass: HomeAssistant,
) -> None:
    await add_iec_entry(hass, address="42")
    result = await hass.config_entries.flow.async_configure((await start(hass))["flow_id"], FORM)
    assert result["reason"] == "already_configured"


async def test_meter_without_manufacturer_is_named_by_its_protocol(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.answers = readout(meter=NAMELESS)
    result = await confirm(hass, await submit_iec(hass, await start(hass)))
    assert result["title"] == "IEC 62056-21 meter"
