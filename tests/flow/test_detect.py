"""The flow for a meter whose protocol the user does not know, with what detection may return."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import (
    CONF_AUTHENTICATION_KEY,
    CONF_BAUDRATE,
    CONF_ENCRYPTION_KEY,
    CONF_ENERGY_ROLE,
    DOMAIN,
)
from custom_components.onemeter.flow.blink_schemas import CONF_CONSTANT, CONF_LINE
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE
from custom_components.onemeter.meter import (
    POLLED_LINE,
    PUSHED_LINE,
    Framing,
    Identity,
    LineSettings,
    Obis,
    Protocol,
    Reading,
    Register,
)
from custom_components.onemeter.meter.blink.settings import BlinkSettings, Source
from custom_components.onemeter.meter.detection import (
    Candidate,
    Detection,
    Encryption,
    Evidence,
    EvidenceKind,
    Refusal,
    Situation,
    Step,
)
from custom_components.onemeter.meter.dlms.settings import DlmsSettings, Transport
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    WrongEncryptionKeyError,
)
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.looks import Look
from homeassistant.components.usb import SerialDevice, SerialPortConsumer, USBDevice
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_NAME, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ConfigEntryNotReady

from ..helpers.config_flow import (
    CONNECTION,
    PORT,
    PORTS,
    PROGRESS,
    assert_said,
    reading,
    start,
    suggested,
)
from .test_dlms import AK, EK, METER as DLMS_METER, DlmsLine, filled, reading as dlms_reading

DETECT = "custom_components.onemeter.flow.detect.detect"
FORM: dict[str, Any] = {CONF_PORT: PORT, SECTION_LINE: {}}
ENCRYPTED = Encryption(is_encrypted=True, is_authenticated=True, suite=0)
FAST = LineSettings(115_200)

pytestmark = pytest.mark.usefixtures("detector", "line")


def candidate(protocol: Protocol, *, is_polled: bool = False, **details: Any) -> Candidate:
    line = (POLLED_LINE if is_polled else PUSHED_LINE)[protocol]
    evidence = (Evidence(EvidenceKind.TELEGRAMS, 2, line),)
    default: dict[str, Any] = {"line": line, "evidence": evidence}
    return Candidate(protocol=protocol, is_polled=is_polled, **(default | details))


def found(*candidates: Candidate, **details: Any) -> Detection:
    return Detection(situation=Situation.FOUND, candidates=candidates, **details)


SML = found(candidate(Protocol.SML))
PUSHED_DLMS = found(candidate(Protocol.DLMS))
ENCRYPTED_DLMS = found(candidate(Protocol.DLMS, line=FAST, encryption=ENCRYPTED))
POLLED_DLMS = found(
    candidate(
        Protocol.DLMS,
        is_polled=True,
        settings=DlmsSettings(transport=Transport.HDLC, logical_device=1, physical_device=17),
        findings={"transport": "hdlc"},
    )
)


@dataclass
class Detector:
    """Takes the place of detection, and keeps what it was called with."""

    result: Detection | Exception = SML
    calls: list[dict[str, Any]] = field(default_factory=list)
    #: Set once detection may end.
    may_end: asyncio.Event | None = None

    async def detect(
        self, url: str, *, progress: Callable[[Step, float], None], **options: Any
    ) -> Detection:
        self.calls.append({"url": url, **options})
        progress(Step.LISTEN, 0.1)
        if self.may_end is not None:
            await self.may_end.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture(autouse=True)
def dialog(hass: HomeAssistant) -> Generator[None]:
    """Do not wait for a dialog that nobody opens."""
    hass.config.components.add("usb")
    with (
        patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0),
        patch(f"{PROGRESS}.PROGRESS_SECONDS", 0.01),
        patch(f"{PORTS}.get_serial_by_id", lambda port: port),
        patch("custom_components.onemeter.async_setup_entry", AsyncMock(return_value=True)),
        patch("custom_components.onemeter.async_unload_entry", AsyncMock(return_value=True)),
    ):
        yield


@pytest.fixture
def detector() -> Generator[Detector]:
    detector = Detector()
    with patch(DETECT, detector.detect):
        yield detector


@pytest.fixture
def line() -> Generator[DlmsLine]:
    """Give the flow clients that find what the test puts there."""
    line = DlmsLine()
    with (
        patch(f"{CONNECTION}.create_pushed_client", lambda *args, **kw: _pushed(line, *args, **kw)),
        patch(f"{CONNECTION}.create_polled_client", lambda *args, **kw: _polled(line, *args, **kw)),
    ):
        yield line


def _pushed(line: DlmsLine, protocol: Protocol, *args: Any, **options: Any) -> Any:
    if protocol is Protocol.DLMS:
        return line.dlms_pushed(protocol, *args, **options)
    return line.pushed(protocol, *args)


def _polled(line: DlmsLine, protocol: Protocol, *args: Any, **options: Any) -> Any:
    if protocol is Protocol.DLMS:
        return line.dlms_polled(protocol, *args, **options)
    return line.polled(protocol, *args)


async def submit(
    hass: HomeAssistant, result: ConfigFlowResult, form: dict[str, Any]
) -> ConfigFlowResult:
    """Fill in a form, and follow the flow as the frontend does until it has another one."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], form)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        assert_said(result, "progress", str(result["progress_action"]))
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await flow.async_configure(result["flow_id"])
    if result["type"] is FlowResultType.FORM:
        assert_said(result, "step", result["step_id"], "description")
        for key in (result["errors"] or {}).values():
            assert_said(result, "error", key)
    return result


async def create(
    hass: HomeAssistant, result: ConfigFlowResult, **form: str
) -> dict[str, str | int]:
    """Confirm the meter, and return the data of its entry."""
    assert result["step_id"].startswith("confirm"), result
    result = await hass.config_entries.flow.async_configure(result["flow_id"], form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return dict(result["data"])


async def test_one_page_and_one_confirmation(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    hass.config.country = "DE"
    result = await submit(hass, await start(hass), FORM)
    assert detector.calls == [
        {
            "url": PORT,
            "country": "DE",
            "last_wake_up": None,
            "known": None,
            "asked": None,
            "usb_id": None,
        }
    ]
    schema = result["data_schema"]
    assert schema is not None
    assert schema({}) == {CONF_NAME: "DMO", CONF_ENERGY_ROLE: "none"}
    assert await create(hass, result) == {CONF_PORT: PORT, CONF_PROTOCOL: "sml"}
    assert line.asked == [(Protocol.SML, PORT, PUSHED_LINE[Protocol.SML])]


async def test_name_and_role_are_those_that_were_entered(hass: HomeAssistant) -> None:
    result = await submit(hass, await start(hass), FORM)
    await create(hass, result, name=" Cellar ", energy_role="grid")
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert entry.title == "Cellar"
    assert entry.options == {CONF_ENERGY_ROLE: "grid"}


@pytest.mark.parametrize(
    ("result", "data"),
    [
        (
            found(candidate(Protocol.SML, line=LineSettings(2400, Framing.EIGHT_EVEN))),
            {CONF_PROTOCOL: "sml", "baudrate": 2400, "framing": "8E1"},
        ),
        (found(candidate(Protocol.IEC62056)), {CONF_PROTOCOL: "iec62056", "mode": "pushed"}),
        (
            found(candidate(Protocol.IEC62056, is_polled=True, settings=SignOn(table="#"))),
            {CONF_PROTOCOL: "iec62056", "mode": "polled", "table": "#"},
        ),
        (
            found(candidate(Protocol.IEC62056, is_polled=True, settings=SignOn(wake_up=True))),
            {CONF_PROTOCOL: "iec62056", "mode": "polled", "battery": True},
        ),
        (PUSHED_DLMS, {CONF_PROTOCOL: "dlms", "mode": "pushed"}),
        (
            POLLED_DLMS,
            {
                CONF_PROTOCOL: "dlms",
                "mode": "polled",
                "transport": "hdlc",
                "logical_device": 1,
                "physical_device": 17,
            },
        ),
    ],
)
async def test_entry_has_what_was_detected(
    hass: HomeAssistant, detector: Detector, line: DlmsLine, result: Detection, data: dict[str, Any]
) -> None:
    detector.result = result
    line.says = line.answers = dlms_reading()
    shown = await submit(hass, await start(hass), FORM)
    assert await create(hass, shown) == {CONF_PORT: PORT, **data}


async def test_progress_shows_what_is_done(hass: HomeAssistant, detector: Detector) -> None:
    detector.may_end = asyncio.Event()
    result = await start(hass)
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], FORM)
    assert result["progress_action"] == "detect_open"
    while result["progress_action"] == "detect_open":
        await asyncio.sleep(0.02)
        result = await flow.async_configure(result["flow_id"])
    assert result["progress_action"] == "detect_listen"
    assert_said(result, "progress", "detect_listen")
    flow.async_abort(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_progress_shows_the_reading_of_what_was_found(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    detector.result = found(candidate(Protocol.IEC62056, is_polled=True, settings=SignOn()))
    line.answers = None
    flow = hass.config_entries.flow
    result = await flow.async_configure((await start(hass))["flow_id"], FORM)
    while result["progress_action"] != "read":
        assert result["type"] is FlowResultType.SHOW_PROGRESS
        await asyncio.sleep(0.02)
        result = await flow.async_configure(result["flow_id"])
    assert_said(result, "progress", "read")
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["port"] == PORT
    assert int(placeholders["received"]) >= 17
    line.answers = reading()
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await flow.async_configure(result["flow_id"])
    assert (await create(hass, result))[CONF_PROTOCOL] == "iec62056"


@pytest.mark.parametrize("step", Step)
def test_each_step_has_a_text(step: Step) -> None:
    result: Any = {"description_placeholders": {"port": PORT}}
    assert_said(result, "progress", f"detect_{step}")


@pytest.mark.parametrize(
    ("result", "error", "protocol"),
    [
        (
            Detection(
                situation=Situation.CANNOT_OPEN, error=PortNotFoundError("no port", port=PORT)
            ),
            "port_not_found",
            "detect",
        ),
        (
            Detection(situation=Situation.IN_USE, error=PortBusyError("busy", port=PORT, by="cat")),
            "port_busy_by",
            "detect",
        ),
        (
            Detection(situation=Situation.LOST, error=PortLostError("lost", port=PORT)),
            "port_lost",
            "detect",
        ),
        (
            Detection(
                situation=Situation.CANNOT_OPEN,
                error=MeterConnectionError("no", port=PORT, reason="refused"),
            ),
            "cannot_connect",
            "detect",
        ),
        (Detection(situation=Situation.SILENT), "nothing_heard", "detect"),
        (Detection(situation=Situation.SILENT, light_seconds=0.2), "nothing_heard_lit", "detect"),
        (
            Detection(
                situation=Situation.NOT_UNDERSTOOD,
                tried=(LineSettings(9600), LineSettings(2400, Framing.EIGHT_EVEN)),
            ),
            "not_understood",
            "detect",
        ),
        (
            Detection(situation=Situation.NOT_UNDERSTOOD, looks_like=Look.NOISE),
            "not_understood",
            "detect",
        ),
        (
            Detection(situation=Situation.NOT_UNDERSTOOD, has_fixed_speed=True),
            "not_understood_fixed",
            "detect",
        ),
        (Detection(situation=Situation.SILENT, has_fixed_speed=True), "fixed_speed", "detect"),
        (
            Detection(situation=Situation.NOT_UNDERSTOOD, looks_like=Look.INVERTED),
            "unknown_data_inverted",
            "detect",
        ),
        (
            Detection(situation=Situation.NOT_UNDERSTOOD, looks_like=Look.SML),
            "not_understood_like",
            "sml",
        ),
        (
            Detection(
                situation=Situation.REFUSES,
                candidates=(
                    candidate(Protocol.IEC62056, is_polled=True, refusal=Refusal.NO_READOUT),
                ),
            ),
            "no_readout",
            "iec62056",
        ),
        (
            Detection(
                situation=Situation.REFUSES,
                candidates=(
                    candidate(Protocol.IEC62056, is_polled=True, refusal=Refusal.NEEDS_DLMS),
                ),
            ),
            "needs_dlms",
            "dlms",
        ),
        (ConfigEntryNotReady("the device is offline"), "cannot_connect", "detect"),
    ],
)
async def test_reason_is_shown_and_the_next_try_may_succeed(  # noqa: PLR0917 - parametrized
    hass: HomeAssistant,
    detector: Detector,
    line: DlmsLine,
    result: Detection | Exception,
    error: str,
    protocol: str,
) -> None:
    detector.result = result
    shown = await submit(hass, await start(hass), {**FORM, CONF_PROTOCOL: "detect"})
    assert shown["step_id"] == "user"
    assert shown["errors"] == {"base": error}
    assert suggested(shown)[CONF_PROTOCOL] == protocol
    detector.result = SML
    await create(hass, await submit(hass, shown, {**FORM, CONF_PROTOCOL: "detect"}))
    assert line.asked


async def test_settings_that_were_tried_are_named(hass: HomeAssistant, detector: Detector) -> None:
    tried = (LineSettings(9600), LineSettings(2400, Framing.EIGHT_EVEN))
    detector.result = Detection(situation=Situation.NOT_UNDERSTOOD, tried=tried)
    result = await submit(hass, await start(hass), FORM)
    placeholders = result["description_placeholders"] or {}
    assert placeholders["speeds"] == "9600 8N1, 2400 8E1"


async def test_encrypted_meter_leads_to_its_keys(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    detector.result = ENCRYPTED_DLMS
    result = await submit(hass, await start(hass), FORM)
    assert result["step_id"] == "dlms_encrypted"
    assert not result["errors"]
    assert not line.asked

    line.says = None
    line.diagnosis = WrongEncryptionKeyError("wrong", port=PORT)
    line.lacks = "wrong_encryption_key"
    keys = {CONF_ENCRYPTION_KEY: "0" * 32, CONF_AUTHENTICATION_KEY: AK}
    with patch("custom_components.onemeter.flow.probe._LOOK_SECONDS", 0.01):
        result = await submit(hass, result, keys)
    assert result["errors"] == {"base": "wrong_encryption_key"}
    assert result["step_id"] == "dlms_encrypted"
    assert filled(result)[CONF_ENCRYPTION_KEY] == ""

    line.says, line.lacks = dlms_reading(), None
    result = await submit(hass, result, {**filled(result), CONF_ENCRYPTION_KEY: EK})
    assert await create(hass, result) == {
        CONF_PORT: PORT,
        CONF_PROTOCOL: "dlms",
        "mode": "pushed",
        # That of the telegrams, on every way through the forms.
        CONF_BAUDRATE: FAST.baudrate,
        "framing": FAST.framing.value,
        CONF_ENCRYPTION_KEY: EK,
        CONF_AUTHENTICATION_KEY: AK,
    }


NAME_ONLY = Reading(
    DLMS_METER, None, (Register(Obis.parse("0-0:42.0.0"), "KFM1200123456789"),), b""
)


@pytest.mark.parametrize(
    "result",
    [
        POLLED_DLMS,
        replace(
            POLLED_DLMS,
            situation=Situation.REFUSES,
            candidates=(replace(POLLED_DLMS.candidates[0], refusal=Refusal.NEEDS_KEYS),),
        ),
        found(replace(POLLED_DLMS.candidates[0], refusal=Refusal.NEEDS_KEYS)),
    ],
    ids=["name only", "refused", "refused over the wrapper"],
)
async def test_polled_meter_without_values_needs_a_password(
    hass: HomeAssistant, detector: Detector, line: DlmsLine, result: Detection
) -> None:
    detector.result = result
    line.answers = NAME_ONLY
    shown = await submit(hass, await start(hass), FORM)
    assert shown["step_id"] == "dlms_locked"
    assert not shown["errors"]
    line.answers = dlms_reading()
    shown = await submit(hass, shown, {CONF_PASSWORD: "s3cret"})
    data = await create(hass, shown)
    assert data[CONF_PASSWORD] == "s3cret"
    assert (data["logical_device"], data["physical_device"]) == (1, 17)


async def test_refused_address_leads_to_the_form_of_the_address(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    refused = replace(POLLED_DLMS.candidates[0], refusal=Refusal.NEEDS_ADDRESS)
    detector.result = Detection(situation=Situation.REFUSES, candidates=(refused,))
    line.answers = dlms_reading()
    result = await submit(hass, await start(hass), FORM)
    assert result["step_id"] == "dlms_address"
    assert result["errors"] == {"base": "address_refused"}
    result = await submit(hass, result, {SECTION_EXPERT: {}})
    assert result["step_id"] == "dlms_keys"
    await create(hass, await submit(hass, result, {}))


async def test_flashes_lead_to_their_form(hass: HomeAssistant, detector: Detector) -> None:
    settings = BlinkSettings(source=Source.LONG)
    detector.result = found(candidate(Protocol.BLINK, settings=settings))
    result = await submit(hass, await start(hass), FORM)
    assert result["step_id"] == "blink_port"
    assert filled(result)[CONF_LINE] == "long"
    with patch("custom_components.onemeter.flow.impulse_probe.COUNT_SECONDS", 0.05):
        result = await hass.config_entries.flow.async_configure(
            result["flow_id"],
            {CONF_LINE: "long", CONF_CONSTANT: "1000", SECTION_EXPERT: {}},
        )
        assert result["type"] is FlowResultType.SHOW_PROGRESS
    hass.config_entries.flow.async_abort(result["flow_id"])


async def test_locked_sml_meter_is_told_from_others(hass: HomeAssistant, line: DlmsLine) -> None:
    line.says = reading(registers=(Register(Obis.parse("1-0:1.8.0"), 1234, "kWh"),))
    result = await submit(hass, await start(hass), FORM)
    assert result["step_id"] == "confirm_locked"
    await create(hass, result)


async def test_what_is_known_of_a_port_is_used_again(
    hass: HomeAssistant, detector: Detector
) -> None:
    woken = datetime(2026, 11, 30, 12, tzinfo=UTC)
    detector.result = Detection(situation=Situation.SILENT, last_wake_up=woken)
    result = await submit(hass, await start(hass), FORM)
    fast = candidate(Protocol.SML, line=FAST)
    detector.result = found(fast, last_wake_up=woken)
    result = await submit(hass, result, FORM)
    assert detector.calls[-1]["last_wake_up"] == woken
    assert detector.calls[-1]["known"] is None
    await submit(hass, await start(hass), {**FORM, CONF_PROTOCOL: "detect"})
    assert detector.calls[-1]["known"] == FAST
    assert detector.calls[-1]["asked"] is None

    detector.result = POLLED_DLMS
    await submit(hass, await start(hass), {**FORM, CONF_PROTOCOL: "detect"})
    await submit(hass, await start(hass), {**FORM, CONF_PROTOCOL: "detect"})
    assert detector.calls[-1]["known"] is None
    assert detector.calls[-1]["asked"] == POLLED_LINE[Protocol.DLMS]


async def test_speed_that_was_entered_is_tried_first(
    hass: HomeAssistant, detector: Detector
) -> None:
    form = {**FORM, SECTION_LINE: {CONF_BAUDRATE: "19200"}}
    await submit(hass, await start(hass), form)
    assert detector.calls[-1]["known"] == LineSettings(19200)


USB = USBDevice(
    device="/dev/ttyUSB7",
    vid="17A8",
    pid="0001",
    serial_number=None,
    manufacturer=None,
    description=None,
)
BUILT_IN = SerialDevice(
    device="/dev/ttyS0", serial_number=None, manufacturer=None, description=None
)
ESPHOME = replace(BUILT_IN, device="esphome-hass://entry/uart")


@pytest.mark.parametrize(
    ("ports", "used", "selected"),
    [
        ([BUILT_IN, USB], [], USB.device),
        ([BUILT_IN, ESPHOME], [], ESPHOME.device),
        ([BUILT_IN], [], ""),
        ([USB, ESPHOME], [], ""),
        ([USB, ESPHOME], [USB.device], ESPHOME.device),
        ([USB], [USB.device], ""),
        ([], [], ""),
    ],
)
async def test_only_free_port_is_selected(
    hass: HomeAssistant,
    detector: Detector,
    ports: list[SerialDevice],
    used: list[str],
    selected: str,
) -> None:
    users = {port: [SerialPortConsumer(kind="app", title="ser2net", active=False)] for port in used}
    with (
        patch(f"{PORTS}.async_scan_serial_ports", AsyncMock(return_value=ports)),
        patch(f"{PORTS}.async_get_serial_port_consumers", AsyncMock(return_value=users)),
    ):
        result = await start(hass)
        assert (suggested(result)[CONF_PORT] or "") == selected
        if selected == USB.device:
            await submit(hass, result, {CONF_PORT: selected, SECTION_LINE: {}})
            assert detector.calls[0]["usb_id"] == "17A8:0001"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("192.168.1.5:3333", "socket://192.168.1.5:3333"),
        ("meter.local:23", "socket://meter.local:23"),
        ("[fe80::1]:23", "socket://[fe80::1]:23"),
        ("rfc2217://meter.local:23", "rfc2217://meter.local:23"),
    ],
)
async def test_address_without_a_scheme_is_a_socket(
    hass: HomeAssistant, typed: str, url: str
) -> None:
    result = await submit(hass, await start(hass), {**FORM, CONF_PORT: typed})
    assert (await create(hass, result))[CONF_PORT] == url


async def add_entry(hass: HomeAssistant, meter: Identity, **data: Any) -> MockConfigEntry:
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Meter",
        unique_id=meter.unique_id,
        data={CONF_PORT: PORT, **data},
        minor_version=2,
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def test_reconfigured_meter_is_found_at_another_port(
    hass: HomeAssistant, detector: Detector
) -> None:
    entry = await add_entry(hass, reading().meter, **{CONF_PROTOCOL: "sml"})
    detector.result = found(candidate(Protocol.SML, line=FAST))
    result = await entry.start_reconfigure_flow(hass)
    form = {CONF_PORT: "/dev/ttyUSB3", CONF_PROTOCOL: "detect", SECTION_LINE: {}}
    result = await submit(hass, result, form)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[CONF_PORT] == "/dev/ttyUSB3"
    assert entry.data[CONF_BAUDRATE] == FAST.baudrate
    # The same meter probably speaks as before.
    assert detector.calls[-1]["known"] == PUSHED_LINE[Protocol.SML]


async def test_reconfigured_meter_may_have_another_protocol_and_keeps_its_keys(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    entry = await add_entry(
        hass,
        DLMS_METER,
        **{CONF_PROTOCOL: "dlms", "mode": "pushed", CONF_ENCRYPTION_KEY: EK},
    )
    detector.result = ENCRYPTED_DLMS
    line.says = dlms_reading()
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[CONF_ENCRYPTION_KEY] == EK
    assert entry.data[CONF_BAUDRATE] == FAST.baudrate

    detector.result = found(candidate(Protocol.IEC62056))
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {CONF_PORT: PORT, CONF_PROTOCOL: "iec62056", "mode": "pushed"}


async def test_reconfigured_meter_keeps_its_password(
    hass: HomeAssistant, detector: Detector
) -> None:
    entry = await add_entry(
        hass,
        reading().meter,
        **{CONF_PROTOCOL: "iec62056", "mode": "pushed", CONF_PASSWORD: "12345678"},
    )
    detector.result = found(candidate(Protocol.IEC62056, line=FAST))
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[CONF_PASSWORD] == "12345678"
    assert entry.data[CONF_BAUDRATE] == FAST.baudrate


async def test_meter_is_the_same_under_each_of_its_ids(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    """In IEC 62056-21 it sends its number, in DLMS besides its name."""
    entry = await add_entry(
        hass, Identity("12345678", "KFM"), **{CONF_PROTOCOL: "iec62056", "mode": "polled"}
    )
    detector.result = POLLED_DLMS
    by_name = Identity("KFM1200123456789", "KFM", aliases=("12345678", "KFM12345678"))
    line.answers = replace(dlms_reading(), meter=by_name)
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["reason"] == "reconfigure_successful"
    assert entry.unique_id == "KFM12345678"


BLINKING = {CONF_PROTOCOL: "blink", "source": "rx", "impulses_per_kwh": "1000"}


@pytest.mark.parametrize(
    ("before", "found_candidate"),
    [
        (BLINKING, candidate(Protocol.IEC62056)),
        ({CONF_PROTOCOL: "iec62056", "mode": "pushed"}, candidate(Protocol.BLINK)),
    ],
    ids=["from BLINK", "to BLINK"],
)
async def test_entry_without_meter_id_does_not_change_between_impulses_and_registers(
    hass: HomeAssistant,
    detector: Detector,
    line: DlmsLine,
    before: dict[str, str],
    found_candidate: Candidate,
) -> None:
    entry = MockConfigEntry(
        domain=DOMAIN, unique_id="generated-1", data={CONF_PORT: PORT, **before}, minor_version=2
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    detector.result = found(found_candidate)
    line.says = reading(Identity())
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["errors"] == {CONF_PROTOCOL: "protocol_changed"}
    assert entry.data == {CONF_PORT: PORT, **before}


async def test_other_meter_at_the_port_is_not_taken(
    hass: HomeAssistant, detector: Detector
) -> None:
    entry = await add_entry(hass, Identity("0a01444d4f000000000000"), **{CONF_PROTOCOL: "sml"})
    before = dict(entry.data)
    detector.result = found(candidate(Protocol.SML, line=FAST))
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**FORM, CONF_PROTOCOL: "detect"})
    assert result["reason"] == "wrong_meter"
    assert entry.data == before


async def test_meter_that_was_detected_and_then_fails(
    hass: HomeAssistant, detector: Detector, line: DlmsLine
) -> None:
    detector.result = found(candidate(Protocol.SML, line=FAST))
    line.says = PortLostError("lost", port=PORT)
    result = await submit(hass, await start(hass), FORM)
    assert result["errors"] == {"base": "port_lost"}
    # What was detected is not searched again.
    form = suggested(result)
    assert form[CONF_PROTOCOL] == "sml"
    assert form[SECTION_LINE][CONF_BAUDRATE] == "115200"


async def test_port_is_needed(hass: HomeAssistant, detector: Detector) -> None:
    result = await start(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PORT: "", SECTION_LINE: {}}
    )
    assert result["errors"] == {CONF_PORT: "port_needed"}
    assert not detector.calls
