"""An entry's life: retried, unloaded, restarted, removed."""

from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter.errors import MeterConnectionError, PortNotFoundError
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .published import register
from .pushed import PushedMeter, energy, reading

NOT_FOUND = PortNotFoundError("no", port="p")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


async def test_sets_up_as_soon_as_the_port_is_plugged_in(
    meter: PushedMeter, tmp_path: Path
) -> None:
    path = tmp_path / "ttyMETER"
    meter.make_entry(port=str(path))
    await meter.start(*[NOT_FOUND] * 5)
    with meter.patched():
        # By now Home Assistant waits 80 s between two attempts.
        await meter.wait(90)
        while not meter.client.said.empty():
            await meter.wait(10)
        assert meter.state() is ConfigEntryState.SETUP_RETRY
        meter.client.said.put_nowait(reading())
        path.touch()
        await meter.wait(3)
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


async def test_ports_with_a_url_are_left_to_home_assistant(meter: PushedMeter) -> None:
    await meter.start(MeterConnectionError("no", port="p", reason="r"))
    with meter.patched():
        meter.client.said.put_nowait(reading())
        await meter.wait(3)
        assert meter.state() is ConfigEntryState.SETUP_RETRY
        await meter.wait(5)
        assert meter.state() is ConfigEntryState.LOADED


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
