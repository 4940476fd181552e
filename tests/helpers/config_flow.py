"""The config flow with clients whose readings and errors are set by the test."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
import json
from pathlib import Path
import string
from typing import Any, override

import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import (
    CONF_DTR,
    DOMAIN,
)
from custom_components.onemeter.flow.schemas import (
    SECTION_EXPERT,
    SECTION_LINE,
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
    MeterConnectionError,
    MeterSilentError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    PortPermissionError,
    UnknownDataError,
)
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.looks import Look
from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_MODE, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    FlowResultType,
)
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv

FLOW = "custom_components.onemeter.config_flow"


SEARCH = "custom_components.onemeter.flow.search"
PROGRESS = "custom_components.onemeter.flow.progress"
PORTS = "custom_components.onemeter.flow.ports"


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
    """Return a telegram of a pushing meter."""
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
    """The readings and errors of the clients in a flow, and the calls that created them."""

    #: A reading, an error of opening or listening, or None: no telegram.
    says: Reading | Exception | None = field(default_factory=reading)
    diagnosis: MeterError = field(
        default_factory=lambda: MeterSilentError("nothing comes", port=PORT)
    )
    asked: list[tuple[Protocol, str, LineSettings]] = field(default_factory=list)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    open: bool = False

    #: Seconds until then.
    speaks_after: float = 0
    #: The same for a polled meter.
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
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        raise NotImplementedError


def assert_said(result: ConfigFlowResult, *path: str) -> None:
    """Check that there is an English text, and that the flow has all of its placeholders."""
    texts: Any = json.loads(Path("custom_components/onemeter/translations/en.json").read_text())
    for key in ("config", *path):
        texts = texts[key]
    spoken_of = {name for _, name, _, _ in string.Formatter().parse(texts) if name}
    assert spoken_of <= (result["description_placeholders"] or {}).keys()


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return the suggested values of the form of the port."""
    schema = result["data_schema"]
    assert schema is not None
    values = {str(key): (key.description or {}).get("suggested_value") for key in schema.schema}
    section = {key.schema: value for key, value in schema.schema.items()}[SECTION_LINE]
    values[SECTION_LINE] = {
        str(key): (key.description or {}).get("suggested_value") for key in section.schema.schema
    }
    return values


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    """Start the config flow."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert not result["errors"]
    return result


async def submit(
    hass: HomeAssistant, result: ConfigFlowResult, form: dict[str, Any]
) -> ConfigFlowResult:
    """Submit the form of the port; return the step after the search."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], form)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert result["progress_action"] == "listen"
    assert_said(result, "progress", "listen")
    await hass.async_block_till_done(wait_background_tasks=True)
    return await flow.async_configure(result["flow_id"])


async def confirm(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Confirm the meter; return the created entry."""
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
    """Add and set up an entry."""
    entry = MockConfigEntry(domain=DOMAIN, title="DMO", unique_id=unique_id, data={**DATA, **data})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert is_loaded(entry)
    return entry


def is_loaded(entry: ConfigEntry) -> bool:
    """Whether the entry is set up."""
    return entry.state is ConfigEntryState.LOADED


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
    """Check that the form has its error and input, and that the flow can be completed."""
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert result["errors"] == {"base": error}
    assert_said(result, "error", error)
    assert suggested(result)[CONF_PORT] == PORT
    assert suggested(result)[SECTION_LINE][CONF_DTR] == "high"
    assert not line.open

    line.says = reading()
    await confirm(hass, await submit(hass, result, FORM))


IEC_FORM = {CONF_PORT: PORT, CONF_PROTOCOL: "iec62056", SECTION_LINE: {}}


IEC_DATA = {CONF_PORT: PORT, CONF_PROTOCOL: "iec62056", CONF_MODE: "polled"}


DETAILS: dict[str, Any] = {SECTION_EXPERT: {}}


ME162 = Identity("12345678", "ISK", "ME162-0010", None)


OTHER_ME162 = Identity("87654321", "ISK", "ME162-0010", None)


PUSHED_LINE = LineSettings(9600, Framing.SEVEN_EVEN)


POLLED_LINE = LineSettings(300, Framing.SEVEN_EVEN)


IEC_SILENT = MeterSilentError("", port=PORT)


def readout(*registers: Register, meter: Identity = ME162) -> Reading:
    """Return a readout."""
    energy = Register(Obis.parse("1-0:1.8.0"), Decimal("1234.567"), "kWh", address="1.8.0")
    return Reading(meter, None, (energy, *registers), b"")


def unknown(guess: str) -> UnknownDataError:
    return UnknownDataError("", port=PORT, looks_like=guess)


async def submit_iec(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    details: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
) -> ConfigFlowResult:
    """Submit both forms; return the step after the search."""
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
    """Add and set up an entry."""
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
    """Return the suggested values of the form of IEC 62056-21."""
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


def sent(form: probatio.Schema | None) -> list[dict[str, Any]]:
    """Return the fields of a form as they are sent to the frontend."""
    assert form is not None
    fields = probatio.to_field_list(form, custom_serializer=cv.custom_serializer)
    as_sent: list[dict[str, Any]] = json.loads(json.dumps(fields))
    return as_sent


#: Marks modules whose flows have no frontend, no ports and no set-up of entries.
scripted_clients = pytest.mark.usefixtures(
    "no_frontend", "usb", "by_id", "users", "setup_entry", "impatience"
)
