"""The whole way, with nothing replaced, for DLMS meters: encrypted and not, asked and pushing."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from decimal import Decimal
import json
from pathlib import Path
import time
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.onemeter.access.invocation_counter import client_title
from custom_components.onemeter.const import (
    CONF_AUTHENTICATION,
    CONF_AUTHENTICATION_KEY,
    CONF_CLIENT,
    CONF_ENCRYPTION_KEY,
    CONF_FIRST_COUNTER,
    CONF_TRANSPORT,
    DOMAIN,
)
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from simulator.dlms import (
    DlmsMeter,
    Layout,
    MbusMeter,
    Mechanism,
    PushMeter,
    Transport,
    serve,
    set_habit,
)
from simulator.line import Line
from simulator.pty import PtyLine
from simulator.push import push
from simulator.tcp import TcpLine

from .helpers import at_the_port
from .helpers.at_the_port import state
from .helpers.usb import stub_usb
from .helpers.waiting import until

EK = bytes(range(16))
AK = bytes(range(0xD0, 0xE0))
TOTAL = "sensor.dmo_energy_import"

pytestmark = pytest.mark.real_time("a port of the kernel, or of the network")


@pytest.fixture(autouse=True)
def dialog(hass: HomeAssistant) -> Generator[None]:
    """Do not wait for a dialog that nobody opens, nor look for the machine's devices."""
    stub_usb(hass)
    with patch("custom_components.onemeter.flow.progress.SHORTEST_PROGRESS", 0):
        yield


def port_form(line: Line, **settings: str) -> dict[str, Any]:
    return {CONF_PORT: line.url, CONF_PROTOCOL: "dlms", SECTION_LINE: settings}


def address_form(transport: str = "default") -> dict[str, Any]:
    return {CONF_TRANSPORT: transport, SECTION_EXPERT: {}}


def keys_form(encryption_key: bytes = EK, authentication_key: bytes = AK) -> dict[str, str]:
    return {
        CONF_AUTHENTICATION: "gmac",
        CONF_ENCRYPTION_KEY: encryption_key.hex(),
        CONF_AUTHENTICATION_KEY: authentication_key.hex(),
    }


ASKED = {"next_step_id": "dlms_polled"}


@asynccontextmanager
async def answering(line: Line, meter: DlmsMeter) -> AsyncGenerator[None]:
    """Have a meter at the other end of a line."""
    async with line:
        task = asyncio.create_task(serve(line, meter))
        try:
            yield
        finally:
            task.cancel()


def encrypted(**settings: Any) -> DlmsMeter:
    return DlmsMeter(
        mechanism=Mechanism.GMAC,
        encryption_key=EK,
        authentication_key=AK,
        policy=0x30,
        transport=Transport.WRAPPER,
        **settings,
    )


async def look(hass: HomeAssistant, *forms: dict[str, Any]) -> Any:
    """Go through the dialog; return what comes of it."""
    flow = hass.config_entries.flow
    result: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    for form in forms:
        result = await flow.async_configure(result["flow_id"], form)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.02)
        result = await flow.async_configure(result["flow_id"])
    return result


@pytest.mark.usefixtures("socket_enabled")
async def test_encrypted_meter_in_the_network(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    meter, line = encrypted(), TcpLine()
    async with answering(line, meter):
        entry = await at_the_port.add_meter(
            hass, port_form(line), ASKED, address_form("wrapper"), keys_form()
        )
        assert float(state(hass, TOTAL)) > 0
        await entry.runtime_data.async_read_now()
        counters = [received.counter for received in meter.received_counters]
        assert len(counters) == len(set(counters))
        [title] = {received.title.hex() for received in meter.received_counters}
        assert title == client_title(hass, None).hex()
        [marks] = hass_storage[f"{DOMAIN}.invocation_counters"]["data"]["marks"].values()
        assert min(marks.values()) > max(counters)

        shown = json.dumps(await async_get_config_entry_diagnostics(hass, entry)).lower()
        name = meter.logical_device_name
        for secret in (EK.hex(), AK.hex(), title, meter.title.hex(), name.hex(), name.decode()):
            assert secret.lower() not in shown
        assert meter.serial not in shown
        assert '"transport": "wrapper"' in shown
        assert '"authentication": "authenticated"' in shown

        await hass.config_entries.async_remove(entry.entry_id)
        assert hass_storage[f"{DOMAIN}.invocation_counters"]["data"]["marks"] == {"": {}}


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("habit", ["hangs-up-on-lists-over-5", "breaks-on-hdlc", "short-names"])
async def test_habits_are_found_out_once(hass: HomeAssistant, habit: str) -> None:
    meter, line = DlmsMeter(transport=Transport.WRAPPER), TcpLine()
    set_habit(meter, habit)
    address = {**address_form(), CONF_CLIENT: 1}
    async with answering(line, meter):
        entry = await at_the_port.add_meter(
            hass, port_form(line), ASKED, address, {CONF_AUTHENTICATION: "none"}
        )
        assert float(state(hass, TOTAL)) > 0
        await entry.runtime_data.async_read_now()
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
        assert float(state(hass, TOTAL)) > 0
        assert meter.count("list trouble") <= 1
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("socket_enabled")
async def test_counter_that_the_meter_hides_is_entered(hass: HomeAssistant) -> None:
    meter, line = encrypted(client_counter=5000), TcpLine()
    set_habit(meter, "hides-counter")
    async with answering(line, meter):
        result = await look(hass, port_form(line), ASKED, address_form("wrapper"), keys_form())
        assert result["step_id"] == "dlms_counter"
        assert result["errors"] == {"base": "counter_needed"}
        flow = hass.config_entries.flow
        result = await flow.async_configure(result["flow_id"], {CONF_FIRST_COUNTER: 6000})
        while result["type"] is FlowResultType.SHOW_PROGRESS:
            await asyncio.sleep(0.02)
            result = await flow.async_configure(result["flow_id"])
        assert result["step_id"] == "confirm"
    assert meter.received_counters[-1].counter >= 6000


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(
    "keys", [keys_form(encryption_key=AK), keys_form(authentication_key=EK)], ids=["EK", "AK"]
)
async def test_wrong_key_is_told_and_mended(hass: HomeAssistant, keys: dict[str, str]) -> None:
    """Which of both it is, such a meter tells nobody."""
    line = TcpLine()
    async with answering(line, encrypted()):
        result = await look(hass, port_form(line), ASKED, address_form("wrapper"), keys)
        assert result["errors"] == {"base": "wrong_keys"}
        assert result["step_id"] == "dlms_keys"
        flow = hass.config_entries.flow
        result = await flow.async_configure(result["flow_id"], keys_form())
        while result["type"] is FlowResultType.SHOW_PROGRESS:
            await asyncio.sleep(0.02)
            result = await flow.async_configure(result["flow_id"])
        assert result["step_id"] == "confirm"


async def test_meter_with_a_password_behind_an_optical_head(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    meter = DlmsMeter(mechanism=Mechanism.LLS, secret=b"12345678")
    line = PtyLine(tmp_path / "head")
    lls = {CONF_AUTHENTICATION: "lls", CONF_PASSWORD: "12345678"}
    async with answering(line, meter):
        result = await look(
            hass,
            port_form(line),
            ASKED,
            address_form("hdlc"),
            {**lls, CONF_PASSWORD: "87654321"},
        )
        assert result["errors"] == {"base": "password_rejected"}
        assert result["step_id"] == "dlms_keys"
        hass.config_entries.flow.async_abort(result["flow_id"])

        entry = await at_the_port.add_meter(hass, port_form(line), ASKED, address_form(), lls)
        assert float(state(hass, TOTAL)) > 0

        meter.secret = b"changed"
        with pytest.raises(ConfigEntryAuthFailed):
            await entry.runtime_data.async_read_now()
        await hass.async_block_till_done()
        [reauth] = hass.config_entries.flow.async_progress()
        assert reauth["context"]["source"] == SOURCE_REAUTH
        changed = {**lls, CONF_PASSWORD: "changed"}
        result = await hass.config_entries.flow.async_configure(reauth["flow_id"], changed)
        assert result["reason"] == "reauth_successful"
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.LOADED
        assert float(state(hass, TOTAL)) > 0
        await hass.config_entries.async_unload(entry.entry_id)


@asynccontextmanager
async def pushing(line: Line, meter: PushMeter) -> AsyncGenerator[None]:
    """Have a meter push at the other end of a line."""
    async with line:
        task = asyncio.create_task(push(line, meter.telegram, interval=0.2))
        try:
            yield
        finally:
            task.cancel()


@pytest.mark.parametrize("layout", [Layout.LIST, Layout.KAMSTRUP])
async def test_encrypted_meter_that_pushes(
    hass: HomeAssistant, tmp_path: Path, layout: Layout
) -> None:
    meter = PushMeter(layout=layout, encryption_key=EK, authentication_key=AK)
    line = PtyLine(tmp_path / "head")
    both = {CONF_ENCRYPTION_KEY: EK.hex(), CONF_AUTHENTICATION_KEY: AK.hex()}
    menu = {"next_step_id": "dlms_pushed"}
    cases: list[tuple[dict[str, str], str]] = [
        ({}, "key_needed"),
        ({CONF_ENCRYPTION_KEY: AK.hex()}, "wrong_encryption_key"),
        ({**both, CONF_AUTHENTICATION_KEY: EK.hex()}, "wrong_authentication_key"),
    ]
    async with pushing(line, meter):
        for keys, error in cases:
            result = await look(hass, port_form(line), menu, keys)
            assert result["errors"] == {"base": error}
            assert result["step_id"] == "dlms_pushed"
            hass.config_entries.flow.async_abort(result["flow_id"])
        entry = await at_the_port.add_meter(hass, port_form(line), menu, both)
        assert hass.states.async_entity_ids("sensor")
        # With the next telegram: the first one has come to the flow.
        await until(lambda: entry.runtime_data.authenticity.judge.is_required)
        assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("socket_enabled")
async def test_meters_on_the_mbus_are_devices(hass: HomeAssistant) -> None:
    gas = MbusMeter(manufacturer="ELS")
    water = MbusMeter(channel=2, number="00004711", manufacturer="KAM", device_type=7, first=900)
    free = MbusMeter(channel=3, number="", manufacturer="", device_type=0)
    # Its totals change with the hour.
    now, line = time.time(), TcpLine()
    meter = DlmsMeter(transport=Transport.WRAPPER, mbus=(gas, water, free), clock=lambda: now)

    def devices() -> dict[str, tuple[str | None, str | None]]:
        """Return serial number and manufacturer of the devices behind the electricity meter."""
        found = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        [own] = [device for device in found if device.via_device_id is None]
        others = [device for device in found if device.via_device_id == own.id]
        assert len(others) == len(found) - 1
        return {str(device.name): (device.serial_number, device.manufacturer) for device in others}

    def total(of: MbusMeter) -> str:
        return str(Decimal(of.captured("", int(now))).scaleb(-3))

    async with answering(line, meter):
        address = {**address_form("wrapper"), CONF_CLIENT: 1}
        forms = port_form(line), ASKED, address, {CONF_AUTHENTICATION: "none"}
        entry = await at_the_port.add_meter(hass, *forms)
        assert devices() == {
            "Gas meter": ("90123456", "Elster"),
            "Water meter": ("00004711", "Kamstrup"),
        }
        assert state(hass, "sensor.gas_meter_total") == total(gas)
        assert state(hass, "sensor.water_meter_total") == total(water)
        shown = hass.states.get("sensor.gas_meter_total")
        assert shown is not None
        assert shown.attributes["unit_of_measurement"] == "m³"
        assert shown.attributes["device_class"] == "gas"

        diagnostics = json.dumps(await async_get_config_entry_diagnostics(hass, entry))
        assert "90123456" not in diagnostics
        assert "00004711" not in diagnostics

        meter.mbus = (MbusMeter(number="55555555", first=900_000_000), water, free)
        del meter.objects
        await entry.runtime_data.async_read_now()
        await hass.async_block_till_done()
        assert devices() == {
            "Gas meter": ("55555555", "DMO"),
            "Water meter": ("00004711", "Kamstrup"),
        }
        await hass.config_entries.async_unload(entry.entry_id)
