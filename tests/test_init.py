"""An entry's life: retried, unloaded, restarted, removed."""

import asyncio
from pathlib import Path
import subprocess
import sys
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    PortBusyError,
    PortNotFoundError,
)
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import issue_registry as ir

from .helpers.published import register
from .helpers.pushed import PORT, PushedMeter, energy, reading

NOT_FOUND = PortNotFoundError("no", port="p")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


async def test_sets_up_as_soon_as_the_port_is_plugged_in(
    meter: PushedMeter, tmp_path: Path
) -> None:
    path = tmp_path / "ttyMETER"
    meter.make_entry(port=str(path))
    await meter.start(*[NOT_FOUND] * 100)
    with meter.patched():
        opened = meter.client.opened
        while meter.client.opened == opened:
            await meter.wait(1)
        assert meter.state() is ConfigEntryState.SETUP_RETRY
        meter.forget()
        meter.client.said.put_nowait(reading())
        path.touch()
        await meter.wait(2)
        assert meter.state() is ConfigEntryState.LOADED


async def test_watches_no_port_of_an_entry_that_is_gone(
    hass: HomeAssistant, meter: PushedMeter, tmp_path: Path
) -> None:
    path = tmp_path / "ttyMETER"
    meter.make_entry(port=str(path))
    await meter.start(NOT_FOUND)
    await hass.config_entries.async_unload(meter.entry.entry_id)
    path.touch()
    await meter.wait(3)
    assert meter.state() is ConfigEntryState.NOT_LOADED
    assert meter.client.opened == 1


@pytest.mark.parametrize("port", [PORT, "/dev/no-such-port"])
@pytest.mark.parametrize(
    ("trouble", "longest"),
    [
        (MeterConnectionError("refused", port="p", reason="r"), 10),
        (ConfigEntryNotReady("ESPHome is loading"), 10),
        (PortBusyError("busy", port="p", by="?"), 5),
    ],
)
async def test_is_tried_again_within_seconds_however_long_it_takes(
    meter: PushedMeter, port: str, trouble: Exception, longest: int
) -> None:
    meter.make_entry(port=port)
    await meter.start(*[trouble] * 300)
    with meter.patched():
        # By now Home Assistant waits 80 s between two attempts.
        await meter.wait(200)
        for _ in range(3):
            opened = meter.client.opened
            await meter.wait(longest + 1)
            assert meter.client.opened in {opened + 1, opened + 2}
        meter.forget()
        meter.client.said.put_nowait(reading())
        await meter.wait(longest + 1)
        assert meter.state() is ConfigEntryState.LOADED
        opened = meter.client.opened
        await meter.wait(20)
        assert meter.client.opened == opened


async def test_start_of_home_assistant_does_not_wait_for_another_attempt(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    hass.set_state(CoreState.starting)
    await meter.start(NOT_FOUND)
    with meter.patched():
        await meter.wait(11)
        assert meter.client.opened == 2
        # It listens and hears nothing; this would wait for what the start waits for.
        await hass.async_block_till_done()
        assert meter.state() is ConfigEntryState.SETUP_IN_PROGRESS
        await meter.say(reading())
        assert meter.state() is ConfigEntryState.LOADED


@pytest.mark.parametrize("end", ["unload", "remove", "disable", "stop"])
async def test_nothing_is_tried_again_once_the_entry_or_home_assistant_has_ended(
    hass: HomeAssistant, meter: PushedMeter, end: str
) -> None:
    await meter.start(NOT_FOUND)
    assert [task for task in asyncio.all_tasks() if "port watch" in task.get_name()]
    entry_id = meter.entry.entry_id
    match end:
        case "unload":
            await hass.config_entries.async_unload(entry_id)
        case "remove":
            await hass.config_entries.async_remove(entry_id)
        case "disable":
            await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
        case "stop":
            await hass.async_stop()
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "port watch" in task.get_name()]
    if end != "stop":
        await meter.wait(11)
    assert meter.client.opened == 1


@pytest.mark.usefixtures("hass_storage")
async def test_totals_are_remembered_over_restarts(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=1)
    await hass.config_entries.async_unload(meter.entry.entry_id)
    assert await meter.start(energy("4000"))
    assert meter.value() == "5.001"


async def test_totals_are_written_every_few_minutes(
    meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5000"))
    key = f"{DOMAIN}.{meter.entry.entry_id}"
    for second in range(1, 310):
        await meter.say(energy(str(5000 + second)))
        await meter.wait(1)
    [mark] = hass_storage[key]["data"]["guard"]["marks"].values()
    assert 5290 <= int(mark["total"][0]) <= 5310


async def test_removed_entry_leaves_nothing(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(reading(register("1-0:1.8.0*255", "5000", "Wh")))
    for _ in range(70):
        await meter.say(reading(register("1-0:1.8.0*255", "3000", "Wh")), after=1)
    assert len(ir.async_get(hass).issues) == 2
    await hass.config_entries.async_remove(meter.entry.entry_id)
    await meter.wait(400)
    assert not ir.async_get(hass).issues
    assert f"{DOMAIN}.{meter.entry.entry_id}" not in hass_storage
    assert not meter.client.is_open


def test_clients_are_created_without_an_import() -> None:
    """They are created in the event loop, where no import may read files."""
    code = """if True:
        import sys
        import custom_components.onemeter
        from custom_components.onemeter.meter import Protocol
        from custom_components.onemeter.meter.clients import (
            create_polled_client,
            create_pushed_client,
        )

        before = set(sys.modules)
        for protocol in (Protocol.SML, Protocol.IEC62056, Protocol.DLMS):
            create_pushed_client(protocol, "/dev/ttyUSB0")
        for protocol in (Protocol.IEC62056, Protocol.DLMS):
            create_polled_client(protocol, "/dev/ttyUSB0")
        assert before == set(sys.modules), set(sys.modules) - before
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
