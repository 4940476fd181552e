"""Ports behind ESPHome's serial proxy."""

import asyncio
from contextlib import aclosing

import pytest
from serialx import common

from custom_components.onemeter.meter import LineSettings, Obis, Protocol
from custom_components.onemeter.meter.clients import create_polled_client, create_pushed_client
from custom_components.onemeter.meter.errors import MeterConnectionError
from custom_components.onemeter.meter.port import Port
from simulator.household import Household
from simulator.memory import MemoryLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from ..helpers.esphome import esphome_device
from ..helpers.lines import meter as iec62056_meter, plugged_in

pytestmark = [
    pytest.mark.real_time("the connection is one of the kernel's"),
    pytest.mark.usefixtures("socket_enabled"),
]

IMPORT = Obis.parse("1-0:1.8.0")


async def test_sml() -> None:
    async with MemoryLine(9600) as line, esphome_device(line) as address:
        telegram = SmlMeter(household=Household(1)).telegram
        speaking = asyncio.create_task(push(line, telegram, interval=0.5))
        client = create_pushed_client(Protocol.SML, f"esphome://{address}/?port_name=Meter")
        async with asyncio.timeout(10), aclosing(client.listen()) as readings:
            assert (await anext(readings)).get(IMPORT)
        speaking.cancel()
        assert not line.listened_to


async def test_mode_c_changes_from_300_to_9600_baud() -> None:
    meter = iec62056_meter()
    async with plugged_in(meter) as line, esphome_device(line) as address:
        client = create_polled_client(Protocol.IEC62056, f"esphome://{address}/?port_name=Meter")
        assert (await client.read()).get(IMPORT)
    assert [entry.detail for entry in meter.log if entry.what == "readout"] == ["9600"]


async def test_no_port_of_that_name() -> None:
    async with MemoryLine(9600) as line, esphome_device(line) as address:
        url = f"esphome://{address}/?port_name=Metre"
        with pytest.raises(MeterConnectionError) as caught:
            async with Port(url, LineSettings(9600)):
                pass
    assert caught.value.details == {
        "port": url,
        "reason": "the device has no serial proxy of that name",
    }


async def test_device_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    async with MemoryLine() as line, esphome_device(line) as address:
        pass
    with pytest.raises(MeterConnectionError) as caught:
        async with Port(f"esphome://{address}/?port_name=Meter&key=s3cret", LineSettings(9600)):
            pass
    url = f"esphome://{address}/?port_name=Meter&***"
    assert caught.value.details == {"port": url, "reason": "Connection refused"}
    assert [record for record in caplog.records if record.name.startswith("aioesphome")] == []


async def test_without_the_esphome_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its library is what serialx needs for these ports.
    monkeypatch.setitem(common._REGISTERED_URI_HANDLERS, "esphome://", [])
    with pytest.raises(MeterConnectionError, match="ESPHome integration"):
        async with Port("esphome://192.0.2.1/?port_name=Meter", LineSettings(9600)):
            pass
