"""How meters that blink are set up: what sees the flashes, what each means, and their options."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
import json
from pathlib import Path
import time
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_mqtt_message
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onemeter import async_setup_entry, async_unload_entry
from custom_components.onemeter.access.clients import expected_meter
from custom_components.onemeter.const import (
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_EDGES,
    CONF_ENERGY_ROLE,
    CONF_EXPORT,
    CONF_IMPULSES,
    CONF_IMPULSES_PER_KWH,
    CONF_MAX_POWER,
    CONF_PEAK_DAYS,
    CONF_PEAK_FROM,
    CONF_PEAK_PERIOD,
    CONF_PEAK_UNTIL,
    CONF_PUBLISH_INTERVAL,
    CONF_READING,
    CONF_SOURCE,
    CONF_SOURCE_ID,
    CONF_WH_PER_IMPULSE,
    DOMAIN,
)
from custom_components.onemeter.flow.blink_schemas import (
    CONF_CONSTANT,
    CONF_LINE,
    CONF_UNIT,
    blink_schema,
    to_blink_form,
    to_blink_settings,
)
from custom_components.onemeter.flow.options_impulses import CONF_FLASHES
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE
from custom_components.onemeter.meter.blink.settings import Source
from custom_components.onemeter.settings import (
    MINOR_VERSION,
    BlinkEntrySettings,
    Connection,
    HassSource,
)
from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import (
    CONF_ENTITY_ID,
    CONF_EVENT,
    CONF_MAC,
    CONF_PORT,
    CONF_PROTOCOL,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
)
from homeassistant.core import HomeAssistant, State
from homeassistant.data_entry_flow import FlowResultType
from simulator.blink import Light, steady
from simulator.household import Household
from simulator.pty import PtyLine
from simulator.sml.meter import SmlMeter

from ..helpers.config_flow import PORT, PORTS, PROGRESS, assert_said, sent, start
from ..helpers.waiting import running

pytestmark = pytest.mark.usefixtures("setup_entry")

PROBING = "custom_components.onemeter.flow.impulse_probe"
EVENT = "esphome.flash"
ENTITY = "sensor.flashes"
MAC = "E50102030405"
CONSTANT: dict[str, Any] = {CONF_CONSTANT: "1000", SECTION_EXPERT: {}}
SHORT = {**CONSTANT, CONF_LINE: "rx"}
AT_PORT = {CONF_PROTOCOL: "blink", CONF_SOURCE: "rx", CONF_IMPULSES_PER_KWH: "1000"}
BY_EVENT = {
    CONF_SOURCE_ID: EVENT,
    CONF_PROTOCOL: "blink",
    CONF_SOURCE: "event",
    CONF_IMPULSES_PER_KWH: "1000",
}
BY_ENTITY = {**BY_EVENT, CONF_SOURCE_ID: ENTITY, CONF_SOURCE: "entity"}


@pytest.fixture(autouse=True)
def dialog(hass: HomeAssistant) -> Generator[None]:
    """Wait neither for a dialog that nobody opens, nor for flashes that nobody sends."""
    hass.config.components.add("usb")
    with (
        patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0),
        patch(f"{PROGRESS}.PROGRESS_SECONDS", 0.01),
        patch(f"{PROBING}.COUNT_SECONDS", 0.2),
        patch(f"{PROBING}.ENOUGH_SECONDS", 0),
    ):
        yield


@pytest.fixture
def patience(dialog: None) -> Generator[None]:  # noqa: ARG001 - comes after it
    """Count until there are enough, however long that takes."""
    with patch(f"{PROBING}.COUNT_SECONDS", 600), patch(f"{PROBING}.ENOUGH_SECONDS", 0.5):
        yield


def form(port: str | None = None, **settings: str) -> dict[str, Any]:
    """Fill in the first form."""
    at_port = {} if port is None else {CONF_PORT: port}
    return {**at_port, CONF_PROTOCOL: "blink", SECTION_LINE: settings}


async def choose(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    choice: str,
    *forms: dict[str, Any],
    first: dict[str, Any] | None = None,
) -> ConfigFlowResult:
    """Fill in the first form, choose what sees the flashes, and fill in the forms after it."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], first or form())
    assert result["type"] is FlowResultType.MENU
    assert_said(result, "step", "blink", "menu_options", choice)
    assert_said(result, "step", "blink", "menu_option_descriptions", choice)
    result = await flow.async_configure(result["flow_id"], {"next_step_id": choice})
    assert result["step_id"] == choice
    assert_said(result, "step", choice, "description")
    for entered in forms:
        assert result["type"] is FlowResultType.FORM
        result = await flow.async_configure(result["flow_id"], entered)
    return result


async def counted(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Follow the flow as the frontend does, until it has counted."""
    flow = hass.config_entries.flow
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert result["progress_action"] == "count"
    assert_said(result, "progress", "count")
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.01)
        result = await flow.async_configure(result["flow_id"])
    return result


async def confirm(hass: HomeAssistant, result: ConfigFlowResult, step: str) -> ConfigFlowResult:
    """Agree that these are the meter's flashes, or that there are none yet."""
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == step
    assert_said(result, "step", step, "description")
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return result


async def add_entry(
    hass: HomeAssistant, unique_id: str = "generated-1", **data: Any
) -> MockConfigEntry:
    """Have a meter that was set up before."""
    kept = {**BY_EVENT, **data}
    if CONF_PORT in data:
        del kept[CONF_SOURCE_ID]
    entry = MockConfigEntry(
        domain=DOMAIN,
        minor_version=MINOR_VERSION,
        title="BLINK meter",
        unique_id=unique_id,
        data=kept,
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    return entry


def filled(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what a form is filled with."""
    schema = result["data_schema"]
    assert schema is not None
    found: dict[str, Any] = {}
    for key, value in schema.schema.items():
        if key.schema in (SECTION_EXPERT, SECTION_LINE):
            inner = value.schema.schema
            found[key.schema] = {str(k): (k.description or {})["suggested_value"] for k in inner}
        elif key.description:
            found[str(key)] = key.description["suggested_value"]
    return found


@asynccontextmanager
async def sending(line: PtyLine, data: bytes) -> AsyncGenerator[None]:
    """Have bytes come as soon as somebody has opened the port, one every millisecond and more."""

    async def send() -> None:
        while not line.listened_to:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
        for byte in data:
            line.put(bytes([byte]))
            await asyncio.sleep(0.002)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("patience")
async def test_flashes_at_a_port_are_counted_and_shown(hass: HomeAssistant, tmp_path: Path) -> None:
    first = form(str(tmp_path / "head"), baudrate="19200", dtr="high")
    constant = {**SHORT, CONF_CONSTANT: "1 000 000"}
    async with PtyLine(tmp_path / "head", 19200) as line, sending(line, bytes(10)):
        result = await choose(hass, await start(hass), "blink_port", constant, first=first)
        result = await counted(hass, result)
        assert not line.listened_to
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["meter"] == "BLINK meter"
    assert shown["port"] == line.url
    assert shown["constant"] == "1000000 imp/kWh"
    assert (shown["impulses"], shown["rejected"], shown["reading"]) == ("10", "0", "–")
    # 3.6 J each, the last of them some seconds ago at most.
    assert 0 < Decimal(shown["power"].removesuffix(" W")) < 2000

    result = await confirm(hass, result, "confirm_blink")
    assert result["title"] == "BLINK meter"
    assert result["data"] == {
        **AT_PORT,
        CONF_PORT: line.url,
        CONF_BAUDRATE: 19200,
        CONF_DTR: True,
        CONF_IMPULSES_PER_KWH: "1000000",
    }
    assert expected_meter(result["result"]) is None


@pytest.mark.usefixtures("patience")
async def test_signal_of_the_port_is_found_out(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head", 9600) as line:
        now = time.time()
        # Each flash is 19 zeros.
        async with running(Light(line, length=0.02).blink(steady(5, now), now)):
            first = form(line.url)
            result = await choose(hass, await start(hass), "blink_port", CONSTANT, first=first)
            result = await counted(hass, result)
    result = await confirm(hass, result, "confirm_blink")
    assert result["data"][CONF_SOURCE] == "long"


async def test_what_comes_too_fast_is_told_apart(hass: HomeAssistant, tmp_path: Path) -> None:
    constant = {**SHORT, CONF_CONSTANT: "0.01"}
    async with PtyLine(tmp_path / "head") as line, sending(line, bytes(10)):
        first = form(line.url)
        result = await choose(hass, await start(hass), "blink_port", constant, first=first)
        result = await counted(hass, result)
    shown = result["description_placeholders"]
    assert shown is not None
    assert (shown["impulses"], shown["power"]) == ("1", "–")
    assert int(shown["rejected"]) > 0


async def test_darkness_is_no_error(hass: HomeAssistant, tmp_path: Path) -> None:
    entered = {
        CONF_LINE: "long",
        CONF_CONSTANT: "0,4",
        CONF_UNIT: "wh_per_imp",
        CONF_READING: " 12345,60 ",
        CONF_EXPORT: True,
        SECTION_EXPERT: {CONF_EDGES: "2"},
    }
    async with PtyLine(tmp_path / "head") as line:
        first = form(line.url)
        result = await choose(hass, await start(hass), "blink_port", entered, first=first)
        result = await counted(hass, result)
    assert result["description_placeholders"] == {
        "meter": "BLINK meter",
        "port": line.url,
        "constant": "0.4 Wh/imp",
        "seconds": "0.2",
        "impulses": "0",
        "rejected": "0",
        "power": "–",
        "reading": "12345.60 kWh",
    }
    result = await confirm(hass, result, "confirm_blink_dark")
    assert result["data"] == {
        CONF_PORT: line.url,
        CONF_PROTOCOL: "blink",
        CONF_SOURCE: "long",
        CONF_WH_PER_IMPULSE: "0.4",
        CONF_READING: "12345.60",
        CONF_EXPORT: True,
        CONF_EDGES: 2,
    }


async def test_telegrams_in_place_of_flashes_are_named(hass: HomeAssistant, tmp_path: Path) -> None:
    telegram = SmlMeter(household=Household()).telegram(int(time.time()))
    async with PtyLine(tmp_path / "head") as line, sending(line, telegram[:40]):
        first = form(line.url)
        with patch(f"{PROBING}.COUNT_SECONDS", 2):
            result = await choose(hass, await start(hass), "blink_port", SHORT, first=first)
            result = await counted(hass, result)
        assert result["step_id"] == "user"
        assert result["errors"] == {"base": "unknown_data_like"}
        assert_said(result, "error", "unknown_data_like")
        assert (result["description_placeholders"] or {})["looks_like"] == "SML"

        # What was entered is there still.
        result = await choose(hass, result, "blink_port", first=first)
        assert filled(result)[CONF_CONSTANT] == "1000"


async def test_port_that_is_not_there_may_be_corrected(hass: HomeAssistant, tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "head")
    first = form(line.url)
    result = await choose(hass, await start(hass), "blink_port", CONSTANT, first=first)
    result = await counted(hass, result)
    assert result["step_id"] == "user"
    assert result["errors"] == {"base": "port_not_found"}
    async with line:
        result = await choose(hass, result, "blink_port", CONSTANT, first=first)
        await confirm(hass, await counted(hass, result), "confirm_blink_dark")


async def test_modem_lines_need_a_port_that_has_them(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line:
        entered = {**CONSTANT, CONF_LINE: "cts"}
        first = form(line.url)
        result = await choose(hass, await start(hass), "blink_port", entered, first=first)
        result = await counted(hass, result)
    assert result["errors"] == {"base": "cannot_connect"}
    assert (result["description_placeholders"] or {})["reason"] == "no modem lines"


@pytest.mark.parametrize(
    ("port", "components", "expected"),
    [
        (None, (), ["blink_entity", "blink_event"]),
        ("", (), ["blink_entity", "blink_event"]),
        (PORT, (), ["blink_port", "blink_entity", "blink_event"]),
        (None, ("mqtt",), ["blink_entity", "blink_event", "blink_mqtt"]),
        (PORT, ("mqtt",), ["blink_port", "blink_entity", "blink_event", "blink_mqtt"]),
    ],
)
async def test_sources_are_those_that_there_can_be(
    hass: HomeAssistant, port: str | None, components: tuple[str, ...], expected: list[str]
) -> None:
    hass.config.components |= set(components)
    result = await start(hass)
    with patch(f"{PORTS}.get_serial_by_id", lambda port: port):
        result = await hass.config_entries.flow.async_configure(result["flow_id"], form(port))
    assert result["menu_options"] == expected


@pytest.mark.usefixtures("patience")
async def test_events_are_counted_until_there_are_enough(hass: HomeAssistant) -> None:
    entered = {**CONSTANT, CONF_EVENT: f" {EVENT} "}
    first = form(PORT, dtr="high")
    result = await choose(hass, await start(hass), "blink_event", entered, first=first)
    for _ in range(3):
        hass.bus.async_fire(EVENT)
    hass.bus.async_fire("another")
    result = await counted(hass, result)
    shown = result["description_placeholders"]
    assert shown is not None
    assert (shown["port"], shown["impulses"]) == (EVENT, "3")
    result = await confirm(hass, result, "confirm_blink")
    assert result["data"] == BY_EVENT, "nothing of the port"


async def test_progress_tells_how_many_there_are(hass: HomeAssistant) -> None:
    flow = hass.config_entries.flow
    result = await choose(hass, await start(hass), "blink_event", {**CONSTANT, CONF_EVENT: EVENT})
    assert result["description_placeholders"] == {
        "port": EVENT,
        "impulses": "0",
        "seconds": "0.2",
    }
    hass.bus.async_fire(EVENT)
    await asyncio.sleep(0.05)
    result = await flow.async_configure(result["flow_id"])
    assert (result["description_placeholders"] or {})["impulses"] == "1"
    await confirm(hass, await counted(hass, result), "confirm_blink")


@pytest.mark.parametrize("event", ["", " ", "two words", "*", "state_changed", "x" * 65])
async def test_event_that_is_no_flash_may_be_corrected(hass: HomeAssistant, event: str) -> None:
    wrong = {**CONSTANT, CONF_EVENT: event}
    result = await choose(hass, await start(hass), "blink_event", wrong)
    assert result["errors"] == {CONF_EVENT: "invalid_event"}
    assert_said(result, "error", "invalid_event")
    assert_said(result, "step", "blink_event", "description")
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {**CONSTANT, CONF_EVENT: EVENT})
    result = await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
    assert result["data"] == BY_EVENT


@pytest.mark.parametrize(
    ("entity_id", "states"),
    [
        ("sensor.flashes", ("5", "7")),
        ("counter.flashes", ("5", "7")),
        ("number.flashes", ("5.0", "7.0")),
        ("input_number.flashes", ("5.0", "7.0")),
        ("binary_sensor.flashes", (STATE_OFF, STATE_ON, STATE_OFF, STATE_ON)),
        ("event.flash", ("2026-11-28T07:00:00", "2026-11-28T07:00:01", "2026-11-28T07:00:02")),
    ],
)
async def test_entities_are_counted(
    hass: HomeAssistant, entity_id: str, states: tuple[str, ...]
) -> None:
    hass.states.async_set(entity_id, states[0], {"state_class": "total_increasing"})
    entered = {**CONSTANT, CONF_ENTITY_ID: entity_id}
    result = await choose(hass, await start(hass), "blink_entity", entered)
    for state in states[1:]:
        hass.states.async_set(entity_id, state)
    result = await counted(hass, result)
    assert (result["description_placeholders"] or {})["impulses"] == "2"
    result = await confirm(hass, result, "confirm_blink")
    assert result["data"] == {**BY_ENTITY, CONF_SOURCE_ID: entity_id}


@pytest.mark.parametrize(
    ("state", "attributes", "error"),
    [
        (None, {}, "entity_not_found"),
        ("12", {"state_class": "measurement"}, "entity_is_rate"),
        (STATE_UNAVAILABLE, {"state_class": "measurement"}, "entity_is_rate"),
        ("bright", {}, "entity_not_numeric"),
        ("-1", {}, "entity_not_numeric"),
        ("nan", {}, "entity_not_numeric"),
    ],
)
async def test_entity_that_cannot_be_counted_may_be_corrected(
    hass: HomeAssistant, state: str | None, attributes: dict[str, str], error: str
) -> None:
    if state is not None:
        hass.states.async_set(ENTITY, state, attributes)
    entered = {**CONSTANT, CONF_ENTITY_ID: ENTITY}
    result = await choose(hass, await start(hass), "blink_entity", entered)
    assert result["errors"] == {CONF_ENTITY_ID: error}
    assert_said(result, "error", error)
    assert filled(result)[CONF_ENTITY_ID] == ENTITY
    hass.states.async_set(ENTITY, "12")
    result = await hass.config_entries.flow.async_configure(result["flow_id"], entered)
    await confirm(hass, await counted(hass, result), "confirm_blink_quiet")


@pytest.mark.parametrize("state", ["unavailable", "unknown"])
async def test_entity_may_be_away(hass: HomeAssistant, state: str) -> None:
    hass.states.async_set(ENTITY, state, {"state_class": "total"})
    entered = {**CONSTANT, CONF_ENTITY_ID: ENTITY}
    result = await choose(hass, await start(hass), "blink_entity", entered)
    result = await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
    assert result["data"] == BY_ENTITY


@pytest.mark.usefixtures("mqtt_mock", "patience")
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_s10_sender_is_counted(hass: HomeAssistant) -> None:
    entered = {**CONSTANT, CONF_MAC: "E5:01:02"}
    result = await choose(hass, await start(hass), "blink_mqtt", entered)
    assert result["errors"] == {CONF_MAC: "invalid_mac"}
    assert_said(result, "error", "invalid_mac")
    flow = hass.config_entries.flow
    entered = {**CONSTANT, CONF_MAC: " e5:01:02:03-04.05"}
    result = await flow.async_configure(result["flow_id"], entered)
    await hass.async_block_till_done()
    for ts in range(1, 4):
        devices = [{"mac": MAC, "ts": ts}, {"mac": "E5FFFFFFFFFF", "ts": ts}]
        async_fire_mqtt_message(hass, "onemeter/s10/v1", json.dumps({"dev_list": devices}))
    result = await counted(hass, result)
    assert (result["description_placeholders"] or {})["impulses"] == "3"
    result = await confirm(hass, result, "confirm_blink")
    port = f"onemeter/s10/v1/{MAC}"
    assert result["data"] == {**BY_EVENT, CONF_SOURCE_ID: port, CONF_SOURCE: "mqtt"}


@pytest.mark.parametrize(
    ("constant", "unit", "error"),
    [
        ("", "imp_per_kwh", "invalid_constant"),
        ("many", "imp_per_kwh", "invalid_constant"),
        ("-1000", "imp_per_kwh", "invalid_constant"),
        ("1e3", "imp_per_kwh", "invalid_constant"),
        ("1_000", "imp_per_kwh", "invalid_constant"),
        ("nan", "imp_per_kwh", "invalid_constant"),
        ("1.00.0", "imp_per_kwh", "invalid_constant"),
        ("0", "imp_per_kwh", "constant_out_of_range"),
        ("0.0099", "imp_per_kwh", "constant_out_of_range"),
        ("1000000.1", "imp_per_kwh", "constant_out_of_range"),
        ("0.0009", "wh_per_imp", "constant_out_of_range"),
        ("100000.1", "wh_per_imp", "constant_out_of_range"),
    ],
)
async def test_constant_that_no_meter_has_may_be_corrected(
    hass: HomeAssistant, constant: str, unit: str, error: str
) -> None:
    wrong = {CONF_EVENT: EVENT, CONF_CONSTANT: constant, CONF_UNIT: unit, SECTION_EXPERT: {}}
    result = await choose(hass, await start(hass), "blink_event", wrong)
    assert result["errors"] == {CONF_CONSTANT: error}
    assert_said(result, "error", error)
    shown = filled(result)
    assert (shown[CONF_EVENT], shown[CONF_CONSTANT], shown[CONF_UNIT]) == (EVENT, constant, unit)


@pytest.mark.parametrize(
    ("constant", "unit", "kept"),
    [
        ("1000", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "1000"}),
        ("10 000", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "10000"}),
        ("10000,0", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "10000"}),
        ("1.000,5", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "1000.5"}),
        ("10.000", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "10"}),
        ("0.01", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "0.01"}),
        ("1000000", "imp_per_kwh", {CONF_IMPULSES_PER_KWH: "1000000"}),
        ("0,125", "wh_per_imp", {CONF_WH_PER_IMPULSE: "0.125"}),
        ("1.1250", "wh_per_imp", {CONF_WH_PER_IMPULSE: "1.125"}),
        ("100000", "wh_per_imp", {CONF_WH_PER_IMPULSE: "100000"}),
    ],
)
async def test_constant_is_kept_exactly(
    hass: HomeAssistant, constant: str, unit: str, kept: dict[str, str]
) -> None:
    entered = {CONF_EVENT: EVENT, CONF_CONSTANT: constant, CONF_UNIT: unit, SECTION_EXPERT: {}}
    result = await choose(hass, await start(hass), "blink_event", entered)
    result = await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
    source = {CONF_SOURCE_ID: EVENT, CONF_PROTOCOL: "blink", CONF_SOURCE: "event"}
    assert result["data"] == source | kept


@pytest.mark.parametrize("text", ["much", "-1", "nan", "1000000000000"])
async def test_reading_that_no_display_shows_may_be_corrected(
    hass: HomeAssistant, text: str
) -> None:
    wrong = {**CONSTANT, CONF_EVENT: EVENT, CONF_READING: text}
    result = await choose(hass, await start(hass), "blink_event", wrong)
    assert result["errors"] == {CONF_READING: "invalid_reading"}
    assert_said(result, "error", "invalid_reading")
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {**wrong, CONF_READING: "0012.50"})
    result = await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
    assert result["data"] == {**BY_EVENT, CONF_READING: "12.50"}


@given(
    source=st.sampled_from([*Source, "entity", "event", "mqtt"]),
    constant=st.decimals("0.01", "1000000", places=4).map(lambda number: number.normalize()),
    is_export=st.booleans(),
    edges=st.sampled_from([None, 1, 2]),
)
def test_form_shows_what_is_kept(
    source: str, constant: Decimal, *, is_export: bool, edges: int | None
) -> None:
    ids = {"entity": ENTITY, "event": EVENT, "mqtt": f"onemeter/s10/v1/{MAC}"}
    settings = BlinkEntrySettings(
        connection=Connection(ids.get(source, PORT)),
        source=HassSource(source) if source in ids else Source(source),
        impulses_per_kwh=constant,
        export=is_export,
        edges=edges,
    )
    step = f"blink_{source}" if source in ids else "blink_port"
    hass = Mock()
    hass.states.get.return_value = State(ENTITY, "12")
    entered = blink_schema(step, with_reading=False)(to_blink_form(settings))
    assert to_blink_settings(hass, step, entered, Connection(PORT)) == settings


async def test_meters_are_counted_in_their_titles(hass: HomeAssistant) -> None:
    titles = []
    for number in range(2):
        entered = {**CONSTANT, CONF_EVENT: f"{EVENT}{number}"}
        result = await choose(hass, await start(hass), "blink_event", entered)
        result = await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
        titles.append(result["title"])
    assert titles == ["BLINK meter", "BLINK meter 2"]


@pytest.mark.parametrize(
    ("choice", "before", "entered"),
    [
        ("blink_event", BY_EVENT, {CONF_EVENT: EVENT}),
        ("blink_entity", BY_ENTITY, {CONF_ENTITY_ID: ENTITY}),
        ("blink_port", {**AT_PORT, CONF_PORT: PORT}, {CONF_LINE: "rx"}),
    ],
)
async def test_nothing_is_counted_twice(
    hass: HomeAssistant, choice: str, before: dict[str, Any], entered: dict[str, Any]
) -> None:
    await add_entry(hass, **before)
    hass.states.async_set(ENTITY, "12")
    with patch(f"{PORTS}.get_serial_by_id", lambda port: port):
        result = await choose(
            hass, await start(hass), choice, {**CONSTANT, **entered}, first=form(PORT)
        )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.parametrize(
    ("choice", "source", "entered"),
    [
        ("blink_event", BY_EVENT, {CONF_EVENT: EVENT}),
        ("blink_entity", BY_ENTITY, {CONF_ENTITY_ID: ENTITY}),
        ("blink_port", {**AT_PORT, CONF_PORT: PORT}, {CONF_LINE: "rx"}),
    ],
)
async def test_second_source_of_another_meter_is_not_counted_again(
    hass: HomeAssistant, choice: str, source: dict[str, Any], entered: dict[str, Any]
) -> None:
    MockConfigEntry(
        domain=DOMAIN,
        minor_version=MINOR_VERSION,
        unique_id="1DMO0012345678",
        data={CONF_PORT: "/dev/null", CONF_PROTOCOL: "sml"},
        options={"impulses": source},
    ).add_to_hass(hass)
    hass.states.async_set(ENTITY, "12")
    with patch(f"{PORTS}.get_serial_by_id", lambda port: port):
        result = await choose(
            hass, await start(hass), choice, {**CONSTANT, **entered}, first=form(PORT)
        )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def add_silent_meter(hass: HomeAssistant) -> MockConfigEntry:
    """Have a meter whose registers are read, if it sends any."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        minor_version=MINOR_VERSION,
        unique_id="1DMO0012345678",
        data={CONF_PORT: "/dev/null", CONF_PROTOCOL: "sml"},
    )
    entry.add_to_hass(hass)
    return entry


async def choose_flashes(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    """Open the options, and choose an entity as source of impulses."""
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    return await options.async_configure(result["flow_id"], {CONF_FLASHES: "blink_entity"})


SEEN_BY = [
    ("blink_event", {CONF_EVENT: EVENT}),
    ("blink_entity", {CONF_ENTITY_ID: ENTITY}),
    ("blink_port", {CONF_LINE: "rx"}),
]


@pytest.mark.parametrize(("choice", "entered"), SEEN_BY)
async def test_dialog_that_ends_second_is_refused(
    hass: HomeAssistant, tmp_path: Path, choice: str, entered: dict[str, Any]
) -> None:
    hass.states.async_set(ENTITY, "12")
    step = "confirm_blink_dark" if choice == "blink_port" else "confirm_blink_quiet"
    shown = []
    async with PtyLine(tmp_path / "head") as line:
        first = form(line.url) if choice == "blink_port" else form()
        for _ in range(2):
            form_of_source = {**CONSTANT, **entered}
            result = await choose(hass, await start(hass), choice, form_of_source, first=first)
            shown.append(await counted(hass, result))
    await confirm(hass, shown[1], step)
    result = await hass.config_entries.flow.async_configure(shown[0]["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


@pytest.mark.parametrize("is_reconfigured", [False, True])
async def test_entity_that_the_options_of_a_meter_took_meanwhile_is_refused(
    hass: HomeAssistant, *, is_reconfigured: bool
) -> None:
    hass.states.async_set(ENTITY, "12")
    entry = await add_entry(hass)
    other = await add_silent_meter(hass)
    form_of_source = {**CONSTANT, CONF_ENTITY_ID: ENTITY}
    begun = await (entry.start_reconfigure_flow(hass) if is_reconfigured else start(hass))
    begun = await choose(hass, begun, "blink_entity", form_of_source)
    if not is_reconfigured:
        begun = await counted(hass, begun)
    options = hass.config_entries.options
    result = await choose_flashes(hass, other)
    result = await options.async_configure(result["flow_id"], form_of_source)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    if is_reconfigured:
        result = await counted(hass, begun)
    else:
        result = await hass.config_entries.flow.async_configure(begun["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert {item.entry_id for item in hass.config_entries.async_entries(DOMAIN)} == {
        entry.entry_id,
        other.entry_id,
    }
    assert entry.data == BY_EVENT


async def test_entity_that_was_added_meanwhile_is_refused_in_the_options(
    hass: HomeAssistant,
) -> None:
    hass.states.async_set(ENTITY, "12")
    entry = await add_silent_meter(hass)
    open_options = await choose_flashes(hass, entry)
    form_of_source = {**CONSTANT, CONF_ENTITY_ID: ENTITY}
    result = await choose(hass, await start(hass), "blink_entity", form_of_source)
    await confirm(hass, await counted(hass, result), "confirm_blink_quiet")
    result = await hass.config_entries.options.async_configure(
        open_options["flow_id"], form_of_source
    )
    assert result["errors"] == {"base": "source_taken"}
    assert CONF_IMPULSES not in entry.options


@pytest.mark.parametrize(
    ("language", "title"), [("de", "BLINK-Zähler"), ("pl", "Licznik BLINK"), ("fi", "BLINK meter")]
)
async def test_title_in_the_language_of_home_assistant(
    hass: HomeAssistant, language: str, title: str
) -> None:
    hass.config.language = language
    entered = {**CONSTANT, CONF_EVENT: EVENT}
    result = await choose(hass, await start(hass), "blink_event", entered)
    result = await counted(hass, result)
    assert (result["description_placeholders"] or {})["meter"] == title


async def test_port_of_another_meter_does_not_keep_an_entity_from_being_counted(
    hass: HomeAssistant,
) -> None:
    await add_entry(hass, port=PORT, protocol="sml")
    with patch(f"{PORTS}.get_serial_by_id", lambda port: port):
        result = await choose(
            hass,
            await start(hass),
            "blink_event",
            {**CONSTANT, CONF_EVENT: EVENT},
            first=form(PORT),
        )
    await confirm(hass, await counted(hass, result), "confirm_blink_quiet")


async def test_constant_is_reconfigured_and_the_reading_stays(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    entry = await add_entry(hass, reading="12.5", export=True)
    result = await entry.start_reconfigure_flow(hass)
    assert filled(result)[CONF_PORT] == ""
    result = await choose(hass, result, "blink_event")
    shown = filled(result)
    assert shown == {
        CONF_EVENT: EVENT,
        CONF_CONSTANT: "1000",
        CONF_UNIT: "imp_per_kwh",
        CONF_EXPORT: True,
        SECTION_EXPERT: {CONF_EDGES: "default"},
    }
    flow = hass.config_entries.flow
    entered = {**shown, CONF_CONSTANT: "2", CONF_UNIT: "wh_per_imp", CONF_EXPORT: False}
    result = await flow.async_configure(result["flow_id"], entered)
    hass.bus.async_fire(EVENT)
    result = await counted(hass, result)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert entry.data == {
        CONF_SOURCE_ID: EVENT,
        CONF_PROTOCOL: "blink",
        CONF_SOURCE: "event",
        CONF_WH_PER_IMPULSE: "2",
        CONF_READING: "12.5",
    }
    assert setup_entry.call_count == 2


async def test_reconfigured_source_may_be_dark(hass: HomeAssistant, tmp_path: Path) -> None:
    entry = await add_entry(hass)
    async with PtyLine(tmp_path / "head") as line:
        result = await entry.start_reconfigure_flow(hass)
        result = await choose(hass, result, "blink_port", CONSTANT, first=form(line.url))
        result = await counted(hass, result)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigured_dark")
    assert_said(result, "abort", "reconfigured_dark")
    assert entry.data == {**AT_PORT, CONF_PORT: line.url}
    assert filled(await entry.start_reconfigure_flow(hass))[CONF_PORT] == line.url


@pytest.mark.parametrize(("before", "after"), [("sml", "blink"), ("blink", "sml")])
async def test_reconfigured_meter_does_not_begin_to_blink_or_cease(
    hass: HomeAssistant, before: str, after: str
) -> None:
    entry = await add_entry(hass, port=PORT, protocol=before)
    data = dict(entry.data)
    result = await entry.start_reconfigure_flow(hass)
    with patch(f"{PORTS}.get_serial_by_id", lambda port: port):
        result = await hass.config_entries.flow.async_configure(
            result["flow_id"], {**form(PORT), CONF_PROTOCOL: after}
        )
    assert result["step_id"] == "reconfigure"
    assert result["errors"] == {CONF_PROTOCOL: "protocol_changed"}
    assert_said(result, "error", "protocol_changed")
    assert entry.data == data


async def test_picture_is_there_before_anything_is_set_up(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    for _ in range(2):
        result = await choose(hass, await start(hass), "blink_event")
    client = await hass_client_no_auth()
    response = await client.get((result["description_placeholders"] or {})["picture"])
    assert response.status == HTTPStatus.OK
    assert response.content_type == "image/svg+xml"
    assert "1000 imp/kWh" in await response.text()


@pytest.mark.parametrize("step", ["blink_port", "blink_entity", "blink_event", "blink_mqtt"])
@pytest.mark.parametrize("with_reading", [True, False])
def test_forms_can_be_sent_to_the_frontend(step: str, *, with_reading: bool) -> None:
    names = [field["name"] for field in sent(blink_schema(step, with_reading=with_reading))]
    assert (CONF_READING in names) is with_reading
    first = 0 if step == "blink_port" else 1
    assert names[first : first + 2] == [CONF_CONSTANT, CONF_UNIT]


# Options

NO_PEAKS = {CONF_PEAK_PERIOD: "off", CONF_PEAK_FROM: 0, CONF_PEAK_UNTIL: 24, CONF_PEAK_DAYS: 1}


async def test_options_of_a_meter_that_blinks(hass: HomeAssistant, setup_entry: AsyncMock) -> None:
    entry = await add_entry(hass)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    assert result["step_id"] == "blink"
    names = [field["name"] for field in sent(result["data_schema"])]
    assert names == [
        CONF_PUBLISH_INTERVAL,
        CONF_MAX_POWER,
        CONF_READING,
        *NO_PEAKS,
        CONF_ENERGY_ROLE,
    ]
    entered = {CONF_PUBLISH_INTERVAL: 60, CONF_MAX_POWER: 5000, CONF_READING: " "}
    result = await options.async_configure(result["flow_id"], entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options == {
        CONF_PUBLISH_INTERVAL: 60,
        CONF_MAX_POWER: 5000,
        **NO_PEAKS,
        CONF_ENERGY_ROLE: "none",
    }
    assert setup_entry.call_count == 2


@pytest.mark.parametrize(
    ("shown", "off"), [("120.5", "+20.500"), ("99,999", "-0.001"), ("100", "+0.000")]
)
async def test_total_is_set_to_what_the_display_shows(
    hass: HomeAssistant, setup_entry: AsyncMock, shown: str, off: str
) -> None:
    setup_entry.side_effect = async_setup_entry
    hass.states.async_set(ENTITY, "12")
    entry = await add_entry(hass, **BY_ENTITY, reading="100")
    assert entry.state is ConfigEntryState.LOADED
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    result = await options.async_configure(result["flow_id"], {CONF_READING: shown})
    assert result["step_id"] == "calibrated"
    assert result["description_placeholders"] == {"off": off}
    assert entry.runtime_data.client.counter.energy == Decimal(shown.replace(",", "."))

    with patch("custom_components.onemeter.async_unload_entry", async_unload_entry):
        result = await options.async_configure(result["flow_id"], {})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert entry.options == {
            CONF_PUBLISH_INTERVAL: 10,
            CONF_MAX_POWER: 43470,
            **NO_PEAKS,
            CONF_ENERGY_ROLE: "none",
        }
        assert entry.runtime_data.client.counter.energy == Decimal(shown.replace(",", "."))
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("shown", "error"), [("100", "meter_unavailable"), ("much", "invalid_reading")]
)
async def test_reading_that_cannot_be_set_may_be_left_out(
    hass: HomeAssistant, shown: str, error: str
) -> None:
    entry = await add_entry(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    result = await options.async_configure(
        result["flow_id"], {CONF_PUBLISH_INTERVAL: 60, CONF_READING: shown}
    )
    assert result["errors"] == {CONF_READING: error}
    result = await options.async_configure(result["flow_id"], {CONF_PUBLISH_INTERVAL: 60})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        CONF_PUBLISH_INTERVAL: 60,
        CONF_MAX_POWER: 43470,
        **NO_PEAKS,
        CONF_ENERGY_ROLE: "none",
    }
