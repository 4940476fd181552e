"""The flows, with Home Assistant's own flow manager and a client that does as a test says."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import pairwise
import json
from pathlib import Path
import string
from typing import Any, override
from unittest.mock import AsyncMock, patch

import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.onemeter.access.clients import expected_meter
from custom_components.onemeter.const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_DIRECTION,
    CONF_DTR,
    CONF_ENERGY_ROLE,
    CONF_FRAMING,
    CONF_LIVE_REGISTERS,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    CONF_POLL_INTERVAL,
    CONF_PUBLISH_INTERVAL,
    CONF_RTS,
    CONF_SWITCH_DELAY,
    CONF_SWITCH_SPEED,
    CONF_TABLE,
    DOMAIN,
)
from custom_components.onemeter.flow.options_impulses import CONF_FLASHES
from custom_components.onemeter.flow.schemas import (
    CONF_FIXED_SPEED,
    IEC62056_SCHEMA,
    MULTIPLIER_SCHEMA,
    PASSWORD_SCHEMA,
    PORT_SCHEMA,
    SECTION_EXPERT,
    SECTION_LINE,
    UNCHANGED,
)
from custom_components.onemeter.meter import (
    Framing,
    Identity,
    Interval,
    LineSettings,
    MeterError,
    Obis,
    PolledClient,
    Protocol,
    PushedClient,
    Reading,
    Register,
)
from custom_components.onemeter.meter.errors import (
    UNKNOWN,
    ChecksumError,
    FixedSpeedError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterPushesError,
    MeterSilentError,
    NoReadoutError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    PortPermissionError,
    RefusedError,
    UnknownDataError,
)
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.looks import Look
from homeassistant.components.usb import SerialPortConsumer
from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import (
    EVENT_DATA_ENTRY_FLOW_PROGRESSED,
    FlowResultType,
    InvalidData,
)
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv

FLOW = "custom_components.onemeter.config_flow"
SEARCH = "custom_components.onemeter.flow.search"
PROBING = "custom_components.onemeter.flow.probe"
CONNECTION = "custom_components.onemeter.access.clients"
PORT = "/dev/ttyUSB0"
OTHER_PORT = "socket://meter.local:3333"
FORM = {CONF_PORT: PORT, CONF_PROTOCOL: "sml", SECTION_LINE: {}}
DATA = {CONF_PORT: PORT, CONF_PROTOCOL: "sml"}

METER = Identity("0a01444d4f0000bc614e", "DMO", None, "1DMO0012345678")
OTHER_METER = Identity("0a01444d4f0005f5e0ff", "DMO", None, "1DMO0099999999")
NAMELESS = Identity()
GENERATED_ID = "generated-5e0c1f6a7b8d4c2e9f0a1b2c3d4e5f60"


def reading(meter: Identity = METER, registers: tuple[Register, ...] | None = None) -> Reading:
    """Make what a meter says."""
    if registers is None:
        registers = (
            Register(Obis.parse("1-0:96.50.1*1"), "DMO"),
            Register(None, 1),
            Register(Obis.parse("1-0:1.8.0"), Decimal("12345678.9"), "Wh"),
            Register(Obis.parse("1-0:2.8.0"), 1000, "Wh"),
            Register(Obis.parse("1-0:16.7.0"), 250, "W", signed_value=-250),
        )
    return Reading(meter, None, registers, b"")


@dataclass
class Line:
    """What the clients of a test find, and what was asked of them."""

    #: A reading, the error of opening or listening, or None: nothing understandable comes.
    says: Reading | Exception | None = field(default_factory=reading)
    diagnosis: MeterError = field(
        default_factory=lambda: MeterSilentError("nothing comes", port=PORT)
    )
    asked: list[tuple[Protocol, str, LineSettings]] = field(default_factory=list)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    open: bool = False

    #: Seconds until it is said.
    speaks_after: float = 0
    #: The same for a meter that is asked.
    answers: Reading | Exception | None = field(
        default_factory=lambda: MeterSilentError("no answer", port=PORT)
    )
    sign_ons: list[tuple[str, LineSettings, SignOn]] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def pushed(self, protocol: Protocol, url: str, line: LineSettings) -> FakeClient:
        self.asked.append((protocol, url, line))
        return FakeClient(self, url, line)

    def polled(
        self, protocol: Protocol, url: str, line: LineSettings, sign_on: SignOn
    ) -> FakePolledClient:
        assert protocol is Protocol.IEC62056
        self.sign_ons.append((url, line, sign_on))
        return FakePolledClient(self, url, line)


class FakeClient(PushedClient):
    def __init__(self, found: Line, url: str, line: LineSettings) -> None:
        super().__init__(url, line)
        self.found = found

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        self.found.open = True
        self.found.listening.set()
        try:
            if self.found.speaks_after:
                await asyncio.sleep(self.found.speaks_after)
            match self.found.says:
                case Reading() as said:
                    yield said
                case Exception() as error:
                    raise error
                case None:
                    await asyncio.Event().wait()
        finally:
            self.found.open = False

    @override
    def diagnose(self) -> MeterError:
        return self.found.diagnosis


class FakePolledClient(PolledClient):
    def __init__(self, found: Line, url: str, line: LineSettings) -> None:
        super().__init__(url, line)
        self.found = found

    @override
    async def read(self) -> Reading:
        self.found.open = True
        self.found.answering.set()
        self.counters.received += 17
        try:
            while (answer := self.found.answers) is None:
                await asyncio.sleep(0.01)
                self.counters.received += 1
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.found.open = False

    @override
    def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        raise NotImplementedError

    @override
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def no_frontend() -> Generator[None]:
    """Do not wait for a dialog that nobody opens."""
    with patch(f"{SEARCH}.SHORTEST_PROGRESS", 0):
        yield


@pytest.fixture(autouse=True)
def usb(hass: HomeAssistant) -> None:
    """Let the integration's dependency seem set up; it would look for the machine's devices."""
    hass.config.components.add("usb")


@pytest.fixture
def line() -> Generator[Line]:
    """Give the flow clients that find what the test puts there."""
    line = Line()
    with (
        patch(f"{CONNECTION}.create_pushed_client", line.pushed),
        patch(f"{CONNECTION}.create_polled_client", line.polled),
    ):
        yield line


@pytest.fixture(autouse=True)
def by_id() -> Generator[dict[str, str]]:
    """Stand in for /dev/serial/by-id."""
    names: dict[str, str] = {}
    with patch(f"{FLOW}.get_serial_by_id", lambda port: names.get(port, port)):
        yield names


@pytest.fixture(autouse=True)
def users() -> Generator[dict[str, list[SerialPortConsumer]]]:
    """Stand in for what Home Assistant knows of its ports."""
    users: dict[str, list[SerialPortConsumer]] = {}
    with (
        patch(f"{SEARCH}.async_scan_serial_ports", AsyncMock(return_value=[])),
        patch(f"{SEARCH}.async_get_serial_port_consumers", AsyncMock(return_value=users)),
    ):
        yield users


@pytest.fixture(autouse=True)
def setup_entry() -> Generator[AsyncMock]:
    """Set entries up without reading a meter."""
    setup_entry = AsyncMock(return_value=True)
    with (
        patch("custom_components.onemeter.async_setup_entry", setup_entry),
        patch(
            "custom_components.onemeter.async_unload_entry",
            AsyncMock(return_value=True),
        ),
    ):
        yield setup_entry


def assert_said(result: ConfigFlowResult, *path: str) -> None:
    """Check that the flow has an English text here, and gives it all that it speaks of."""
    texts: Any = json.loads(Path("custom_components/onemeter/translations/en.json").read_text())
    for key in ("config", *path):
        texts = texts[key]
    spoken_of = {name for _, name, _, _ in string.Formatter().parse(texts) if name}
    assert spoken_of <= (result["description_placeholders"] or {}).keys()


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what the form is filled with."""
    schema = result["data_schema"]
    assert schema is not None
    values = {str(key): (key.description or {}).get("suggested_value") for key in schema.schema}
    section = {key.schema: value for key, value in schema.schema.items()}[SECTION_LINE]
    values[SECTION_LINE] = {
        str(key): (key.description or {}).get("suggested_value") for key in section.schema.schema
    }
    return values


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the dialog for a new meter."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert not result["errors"]
    return result


async def submit(
    hass: HomeAssistant, result: ConfigFlowResult, form: dict[str, Any]
) -> ConfigFlowResult:
    """Fill in where the meter is, and follow the flow to what comes of it."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], form)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert result["progress_action"] == "listen"
    assert_said(result, "progress", "listen")
    await hass.async_block_till_done(wait_background_tasks=True)
    return await flow.async_configure(result["flow_id"])


async def confirm(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Agree that this is the meter."""
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "confirm"
    assert_said(result, "step", "confirm", "description")
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return result


async def add_entry(
    hass: HomeAssistant, unique_id: str = "1DMO0012345678", **data: str | int | bool
) -> MockConfigEntry:
    """Have a meter that was set up before."""
    entry = MockConfigEntry(domain=DOMAIN, title="DMO", unique_id=unique_id, data={**DATA, **data})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert is_loaded(entry)
    return entry


def is_loaded(entry: ConfigEntry) -> bool:
    """Say whether the entry is set up now."""
    return entry.state is ConfigEntryState.LOADED


async def test_meter_is_heard_shown_and_added(
    hass: HomeAssistant, line: Line, setup_entry: AsyncMock
) -> None:
    result = await submit(hass, await start(hass), FORM)

    assert result["description_placeholders"] == {
        "meter": "DMO",
        "manufacturer": "DMO",
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


async def test_meters_of_one_manufacturer_are_numbered(hass: HomeAssistant, line: Line) -> None:
    titles = []
    for number in range(3):
        line.says = reading(Identity(f"0a01444d4f000000000{number}", "DMO"))
        form = {**FORM, CONF_PORT: f"{OTHER_PORT}{number}"}
        result = await confirm(hass, await submit(hass, await start(hass), form))
        titles.append(result["title"])
    assert titles == ["DMO", "DMO 2", "DMO 3"]


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


SITUATIONS = [
    (PortNotFoundError("", port=PORT), "port_not_found"),
    (PortPermissionError("", port=PORT), "port_permission"),
    (PortBusyError("", port=PORT, by=UNKNOWN), "port_busy"),
    (PortBusyError("", port=PORT, by="cat (PID 7)"), "port_busy_by"),
    (PortLostError("", port=PORT), "port_lost"),
    (MeterConnectionError("", port=PORT, reason="not a serial port"), "cannot_connect"),
    (ConfigEntryNotReady("ESPHome has not loaded yet"), "cannot_connect"),
]
DIAGNOSES = [
    (MeterSilentError("", port=PORT), "meter_silent"),
    (UnknownDataError("", port=PORT, looks_like=UNKNOWN), "unknown_data"),
    (UnknownDataError("", port=PORT, looks_like="IEC 62056-21"), "unknown_data_like"),
    (UnknownDataError("", port=PORT, looks_like=Look.NOISE), "unknown_data_noise"),
    (ChecksumError("", port=PORT), "checksum_failed"),
]


async def assert_recovers(
    hass: HomeAssistant, line: Line, result: ConfigFlowResult, error: str
) -> None:
    """Check that the form is back with its error and contents, and that the flow can go on."""
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert result["errors"] == {"base": error}
    assert_said(result, "error", error)
    assert suggested(result)[CONF_PORT] == PORT
    assert suggested(result)[SECTION_LINE][CONF_DTR] == "high"
    assert not line.open

    line.says = reading()
    await confirm(hass, await submit(hass, result, FORM))


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
    with patch(f"{SEARCH}.SHORTEST_PROGRESS", 0.1):
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


async def test_same_meter_at_another_port_is_not_added_again(
    hass: HomeAssistant, line: Line
) -> None:
    entry = await add_entry(hass)
    result = await submit(hass, await start(hass), {**FORM, CONF_PORT: OTHER_PORT})
    assert line.asked[0][1] == OTHER_PORT
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data == DATA


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


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        ({}, {}),
        ({CONF_PUBLISH_INTERVAL: 900.0}, {CONF_PUBLISH_INTERVAL: 900}),
        ({CONF_MAX_POWER: 100_000_000.0}, {CONF_MAX_POWER: 100_000_000}),
        ({CONF_DIRECTION: "off"}, {CONF_DIRECTION: "off"}),
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
        CONF_ENERGY_ROLE: "none",
    }
    assert entry.options == usual | kept
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


# IEC 62056-21

IEC_FORM = {CONF_PORT: PORT, CONF_PROTOCOL: "iec62056", SECTION_LINE: {}}
IEC_DATA = {CONF_PORT: PORT, CONF_PROTOCOL: "iec62056", CONF_MODE: "polled"}
DETAILS: dict[str, Any] = {SECTION_EXPERT: {}}
ME162 = Identity("12345678", "ISK", "ME162-0010", None)
OTHER_ME162 = Identity("87654321", "ISK", "ME162-0010", None)
PUSHED_LINE = LineSettings(9600, Framing.SEVEN_EVEN)
POLLED_LINE = LineSettings(300, Framing.SEVEN_EVEN)
IEC_SILENT = MeterSilentError("", port=PORT)


def readout(*registers: Register, meter: Identity = ME162) -> Reading:
    """Make what a meter answers."""
    energy = Register(Obis.parse("1-0:1.8.0"), Decimal("1234.567"), "kWh", address="1.8.0")
    return Reading(meter, None, (energy, *registers), b"")


def unknown(guess: str) -> UnknownDataError:
    return UnknownDataError("", port=PORT, looks_like=guess)


@pytest.fixture
def iec_line(line: Line) -> Line:
    """Put a meter there that says nothing and answers."""
    line.says = None
    line.answers = readout()
    return line


@pytest.fixture(autouse=True)
def impatience() -> Generator[None]:
    """Wait for no time at all where the client of a test has nothing to say."""
    with (
        patch(f"{PROBING}.PUSH_SECONDS", 0.01),
        patch(f"{SEARCH}.PROGRESS_SECONDS", 0.01),
    ):
        yield


async def submit_iec(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    details: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
) -> ConfigFlowResult:
    """Fill in both forms, and follow the flow to what comes of it."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], form or IEC_FORM)
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "iec62056"
    result = await flow.async_configure(result["flow_id"], details or DETAILS)
    if result["type"] is not FlowResultType.SHOW_PROGRESS:
        return result
    await hass.async_block_till_done(wait_background_tasks=True)
    return await flow.async_configure(result["flow_id"])


async def add_iec_entry(
    hass: HomeAssistant,
    unique_id: str = "ISK12345678",
    **data: Any,
) -> MockConfigEntry:
    """Have a meter that was set up before."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Iskraemeco",
        unique_id=unique_id,
        data={**IEC_DATA, **data},
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    return entry


def details_in(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what the form of IEC 62056-21 is filled with."""
    schema = result["data_schema"]
    assert schema is not None
    values = {str(key.schema): (key.description or {}) for key in schema.schema}
    section = {key.schema: value for key, value in schema.schema.items()}[SECTION_EXPERT]
    filled = {name: value.get("suggested_value") for name, value in values.items()}
    filled[SECTION_EXPERT] = {
        str(getattr(key.schema, "schema", key.schema)): (key.description or {}).get(
            "suggested_value"
        )
        for key in section.schema.schema
    }
    return filled


async def test_meter_that_answers_is_shown_and_added(
    hass: HomeAssistant, iec_line: Line, setup_entry: AsyncMock
) -> None:
    result = await submit_iec(hass, await start(hass))
    assert result["description_placeholders"] == {
        "meter": "Iskraemeco",
        "manufacturer": "Iskraemeco",
        "id": "12345678",
        "count": "1",
        "energy_import": "1234.567 kWh",
        "energy_export": "–",
        "power": "–",
    }
    result = await confirm(hass, result)
    assert result["title"] == "Iskraemeco"
    assert result["data"] == IEC_DATA
    assert result["options"] == {}
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
        assert suggested(result)[CONF_PROTOCOL] == "iec62056"
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
        patch(f"{SEARCH}.SHORTEST_PROGRESS", 0.02),
        patch(f"{SEARCH}.PROGRESS_SECONDS", 0.01),
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
    assert result["data_schema"]({}) == {CONF_MULTIPLIER: 1}
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {CONF_MULTIPLIER: 0.12345678})
    assert result["errors"] == {CONF_MULTIPLIER: "too_many_decimals"}
    assert_said(result, "error", "too_many_decimals")
    result = await flow.async_configure(result["flow_id"], {CONF_MULTIPLIER: float(ratio)})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {CONF_MULTIPLIER: ratio}


async def test_transformer_ratio_is_not_applied_without_consent(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.answers = readout(Register(Obis.parse("1-0:0.4.2"), Decimal(40)))
    result = await submit_iec(hass, await start(hass))
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {}


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


async def test_meter_without_manufacturer_is_named_by_its_protocol(
    hass: HomeAssistant, iec_line: Line
) -> None:
    iec_line.answers = readout(meter=NAMELESS)
    result = await confirm(hass, await submit_iec(hass, await start(hass)))
    assert result["title"] == "IEC 62056-21 meter"


async def test_rejected_password_is_replaced_and_nothing_else(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    entry = await add_iec_entry(hass, address="42", password="wrong")
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_confirm"
    assert_said(result, "step", "reauth_confirm", "description")
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {CONF_PASSWORD: "(right)"})
    assert result["errors"] == {"base": "invalid_password"}
    assert_said(result, "error", "invalid_password")
    result = await flow.async_configure(result["flow_id"], {CONF_PASSWORD: "right"})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.data == {**IEC_DATA, CONF_ADDRESS: "42", CONF_PASSWORD: "right"}
    assert setup_entry.call_count == 2


def sent(form: probatio.Schema | None) -> list[dict[str, Any]]:
    """Return the fields of a form as the frontend gets them."""
    assert form is not None
    fields = probatio.to_field_list(form, custom_serializer=cv.custom_serializer)
    as_sent: list[dict[str, Any]] = json.loads(json.dumps(fields))
    return as_sent


@pytest.mark.parametrize(
    "form",
    [PORT_SCHEMA, IEC62056_SCHEMA, MULTIPLIER_SCHEMA, PASSWORD_SCHEMA],
    ids=["port", "iec62056", "multiplier", "password"],
)
def test_forms_can_be_sent_to_the_frontend(form: probatio.Schema) -> None:
    fields = sent(form)
    assert all(isinstance(field["name"], str) for field in fields)
    assert len(fields) == len(form.schema)


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
    assert names == [*expected, CONF_FLASHES, CONF_ENERGY_ROLE]


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
    usual = {CONF_MAX_POWER: 43470, CONF_MULTIPLIER: "1", CONF_ENERGY_ROLE: "none"}
    assert entry.options == usual | kept


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
