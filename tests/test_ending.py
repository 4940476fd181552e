"""Removing, disabling and reloading an entry ends soon, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
import gc
from pathlib import Path
import threading
from typing import override
from unittest.mock import Mock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.access import port_watch
from custom_components.onemeter.const import DOMAIN, GENERATED
from custom_components.onemeter.meter import Reading
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_PORT, CONF_PROTOCOL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from simulator.household import Household
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from .helpers.at_the_port import state
from .helpers.polled import PolledMeter, ScriptedPolledClient
from .helpers.pushed import PushedMeter, ScriptedClient
from .helpers.rfc2217 import tcp_port
from .helpers.usb import stub_usb
from .helpers.waiting import until

TOTAL = "sensor.meter_energy_import"
#: How long anything that is done to an entry may take, in seconds.
SOON = 2

type Action = Callable[[HomeAssistant, ConfigEntry], Awaitable[object]]


async def remove(hass: HomeAssistant, entry: ConfigEntry) -> None:
    await hass.config_entries.async_remove(entry.entry_id)


async def disable(hass: HomeAssistant, entry: ConfigEntry) -> None:
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)


async def unload(hass: HomeAssistant, entry: ConfigEntry) -> None:
    await hass.config_entries.async_unload(entry.entry_id)


async def reload(hass: HomeAssistant, entry: ConfigEntry) -> None:
    with patch("custom_components.onemeter.async_setup_entry", return_value=True):
        await hass.config_entries.async_reload(entry.entry_id)


ACTIONS: list[Action] = [remove, disable, unload, reload]


async def duration(job: Awaitable[object]) -> float:
    """Return how many seconds something takes."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await job
    return loop.time() - start


class Stubborn:
    """Ends only when the test says so, however often it is cancelled."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def stay(self) -> None:
        while not self.may_end.is_set():
            with suppress(asyncio.CancelledError):
                await self.may_end.wait()


class StubbornClient(Stubborn, ScriptedClient):
    def __init__(self) -> None:
        Stubborn.__init__(self)
        ScriptedClient.__init__(self)

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        async for heard in super().listen():
            yield heard
            await self.stay()


class StuckClient(StubbornClient):
    """Says nothing and does not end."""

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        self.is_open = True
        self.listening.set()
        await self.stay()
        self.is_open = False
        return
        yield


class StubbornPolledClient(Stubborn, ScriptedPolledClient):
    def __init__(self) -> None:
        Stubborn.__init__(self)
        ScriptedPolledClient.__init__(self)

    @override
    async def read(self) -> Reading:
        if self.reads:
            await self.stay()
        return await super().read()


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_pushed_client_that_never_ends(
    hass: HomeAssistant, action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    meter = PushedMeter(hass, Mock())
    meter.client = client = StubbornClient()
    assert await meter.start()
    seconds = await duration(action(hass, meter.entry))
    client.may_end.set()
    assert seconds < SOON
    assert "onemeter following does not end, and is left behind" in caplog.text
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_polled_client_that_never_ends(hass: HomeAssistant, action: Action) -> None:
    meter = PolledMeter(hass, Mock())
    meter.client = client = StubbornPolledClient()
    assert await meter.start()
    button = hass.async_create_task(meter.coordinator.async_read_now())
    await asyncio.sleep(0.01)
    seconds = await duration(action(hass, meter.entry))
    client.may_end.set()
    assert seconds < SOON
    button.cancel()
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("action", [remove, disable, reload])
@pytest.mark.parametrize("client", [ScriptedClient, StuckClient])
async def test_an_entry_that_is_being_set_up(
    hass: HomeAssistant, action: Action, client: type[ScriptedClient]
) -> None:
    """Nobody has to wait for the first reading of a meter that says nothing."""
    meter = PushedMeter(hass, Mock())
    meter.client = client()
    setting_up = hass.async_create_task(meter.set_up())
    await meter.client.listening.wait()
    assert meter.state() is ConfigEntryState.SETUP_IN_PROGRESS
    seconds = await duration(action(hass, meter.entry))
    if isinstance(meter.client, StuckClient):
        meter.client.may_end.set()
    assert seconds < SOON
    await setting_up
    if hass.config_entries.async_get_entry(meter.entry.entry_id):
        await unload(hass, meter.entry)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not meter.client.is_open


def resources() -> tuple[int, int, int]:
    """Return how many files, tasks and threads there are."""
    gc.collect()
    files = len(list(Path("/proc/self/fd").iterdir()))
    return files, len(asyncio.all_tasks()), threading.active_count()


@asynccontextmanager
async def followed(hass: HomeAssistant, line: PtyLine) -> AsyncGenerator[ConfigEntry]:
    """Set up an entry whose meter speaks all the time at a line that is plugged in."""
    stub_usb(hass)
    meter = SmlMeter(household=Household())
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Meter",
        unique_id=f"{GENERATED}{0:032}",
        data={CONF_PORT: line.url, CONF_PROTOCOL: "sml"},
    )
    entry.add_to_hass(hass)
    speaking = asyncio.create_task(push(line, meter.telegram, interval=0.05))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    try:
        yield entry
    finally:
        await unload(hass, entry)
        speaking.cancel()


@pytest.mark.parametrize("times", [3, pytest.param(1000, marks=pytest.mark.soak)])
async def test_port_that_is_unplugged_again_and_again(
    hass: HomeAssistant, tmp_path: Path, times: int
) -> None:
    line = PtyLine(tmp_path / "head")

    async def flap() -> None:
        line.close()
        await until(lambda: state(hass, TOTAL) == STATE_UNAVAILABLE, SOON)
        await line.open()
        # A device that is back before anyone has looked is found by the next attempt only.
        await until(lambda: state(hass, TOTAL) != STATE_UNAVAILABLE)

    with patch.object(port_watch, "_LOOK_EVERY", 0.05):
        async with line, followed(hass, line):
            for _ in range(2):
                await flap()
            before = resources()
            for _ in range(times):
                await flap()
            assert resources() == before


@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.soak)])
async def test_entry_that_is_disabled_and_enabled_again_and_again(
    hass: HomeAssistant, tmp_path: Path, times: int
) -> None:
    async with PtyLine(tmp_path / "head") as line, followed(hass, line) as entry:

        async def disable_and_enable() -> float:
            seconds = await duration(disable(hass, entry))
            assert not line.listened_to
            enable = hass.config_entries.async_set_disabled_by(entry.entry_id, None)
            assert await enable
            return seconds

        await disable_and_enable()
        before = resources()
        longest = max([await disable_and_enable() for _ in range(times)])
        assert longest < SOON
        assert resources() == before


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.soak)])
async def test_entry_that_is_removed_while_it_connects(
    hass: HomeAssistant, scheme: str, times: int
) -> None:
    """The one server says nothing once it is connected, the other one does not even connect."""
    stub_usb(hass)

    async def remove_connecting(address: str) -> float:
        entry = MockConfigEntry(
            domain=DOMAIN, data={CONF_PORT: f"{scheme}://{address}", CONF_PROTOCOL: "sml"}
        )
        entry.add_to_hass(hass)
        setting_up = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
        await until(lambda: entry.state is ConfigEntryState.SETUP_IN_PROGRESS)
        await asyncio.sleep(0.1)
        seconds = await duration(remove(hass, entry))
        await setting_up
        return seconds

    async with tcp_port(asyncio.Protocol) as address:
        await remove_connecting(address)
        before = resources()
        longest = max([await remove_connecting(address) for _ in range(times)])
        await until(lambda: resources() == before, SOON)
    assert longest < SOON
