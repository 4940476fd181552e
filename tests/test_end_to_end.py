"""The whole way, with nothing replaced: a simulated meter, a port, Home Assistant, its recorder."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
import time
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.onemeter.access.port_watch import async_wait_for_change
from custom_components.onemeter.coordinator.silence import TIMEOUTS
from custom_components.onemeter.meter import Protocol
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_PORT, CONF_PROTOCOL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from simulator.household import Household
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from .helpers import at_the_port
from .helpers.at_the_port import rows_of_this_hour, state, until
from .helpers.usb import stub_usb

METER = SmlMeter(household=Household())
TOTAL = "sensor.dmo_energy_import"
POWER = "sensor.dmo_power"
PORT_WATCH = "custom_components.onemeter.access.port_watch"

pytestmark = pytest.mark.real_time("a port of the kernel")


@pytest.fixture(autouse=True)
def usb(hass: HomeAssistant) -> None:
    """Let the integration's dependency seem set up; it would look for the machine's devices."""
    stub_usb(hass)


@asynccontextmanager
async def speaking(line: PtyLine, *, interval: float = 0.05) -> AsyncGenerator[None]:
    """Have the meter at the other end of a line that is plugged in already."""
    task = asyncio.create_task(push(line, METER.telegram, interval=interval))
    try:
        yield
    finally:
        task.cancel()


async def add_meter(hass: HomeAssistant, line: PtyLine) -> ConfigEntry:
    return await at_the_port.add_meter(
        hass, {CONF_PORT: line.url, CONF_PROTOCOL: "sml", "line": {}}
    )


@pytest.mark.usefixtures("recorder_mock")
async def test_from_the_port_to_long_term_statistics(hass: HomeAssistant, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line, speaking(line):
        entry = await add_meter(hass, line)
        imported, _ = METER.totals(int(time.time()))
        assert float(state(hass, TOTAL)) == pytest.approx(imported / 10_000, abs=0.01)
        sent = [sum(METER.household.power(int(time.time()) - ago)) / 10 for ago in range(5)]
        assert float(state(hass, POWER)) in sent
        rows = await rows_of_this_hour(hass, TOTAL, POWER)
        assert rows[TOTAL]["state"] == pytest.approx(imported / 10_000, abs=0.01)
        assert rows[TOTAL]["sum"] == pytest.approx(0, abs=0.01)
        assert rows[POWER]["mean"] is not None
        await hass.config_entries.async_unload(entry.entry_id)


async def test_cable_pulled_and_plugged_in_again(hass: HomeAssistant, tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "head")
    async with line, speaking(line):
        entry = await add_meter(hass, line)
        for _ in range(2):
            with patch(f"{PORT_WATCH}.async_wait_for_change", wraps=async_wait_for_change) as waits:
                line.close()
                await until(lambda: state(hass, TOTAL) == STATE_UNAVAILABLE)
                # The second wait between two attempts is longer than the first.
                await until(lambda: waits.call_count >= 2)
                assert state(hass, TOTAL) == STATE_UNAVAILABLE
            await line.open()
            await until(lambda: state(hass, TOTAL) != STATE_UNAVAILABLE)
        await hass.config_entries.async_unload(entry.entry_id)
        await until(lambda: not line.listened_to)


async def test_cable_that_is_not_there_at_the_start(hass: HomeAssistant, tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "head")
    async with line, speaking(line):
        entry = await add_meter(hass, line)
        await hass.config_entries.async_unload(entry.entry_id)
        line.close()
        assert not await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.error_reason_translation_key == "port_not_found"
        await asyncio.sleep(0.1)
        await line.open()
        await until(lambda: entry.state is ConfigEntryState.LOADED)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("heard", "translation_key"),
    [(b"", "meter_silent"), (None, "unknown_data")],
    ids=["silence", "noise"],
)
async def test_nothing_but(
    hass: HomeAssistant, tmp_path: Path, heard: bytes | None, translation_key: str
) -> None:
    """The entry is unavailable for the right reason, until the meter speaks again."""
    random = Random(0)
    async with PtyLine(tmp_path / "head") as line:
        impatient = replace(TIMEOUTS[Protocol.SML], silence=2, unknown_silence=2)
        with patch.dict(TIMEOUTS, {Protocol.SML: impatient}):
            async with speaking(line):
                entry = await add_meter(hass, line)
                following: Any = entry.runtime_data

            async def crackle() -> None:
                while True:
                    line.put(random.randbytes(64) if heard is None else heard)
                    await asyncio.sleep(0.01)

            noise = asyncio.create_task(crackle())
            await until(lambda: state(hass, TOTAL) == STATE_UNAVAILABLE)
            await until(lambda: following.translation_key == translation_key)
            await asyncio.sleep(0.8)
            assert state(hass, TOTAL) == STATE_UNAVAILABLE
            assert following.translation_key == translation_key
            noise.cancel()
        async with speaking(line):
            await until(lambda: state(hass, TOTAL) != STATE_UNAVAILABLE)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_noise_at_the_start(hass: HomeAssistant, tmp_path: Path) -> None:
    random = Random(0)
    async with PtyLine(tmp_path / "head") as line:
        async with speaking(line):
            entry = await add_meter(hass, line)
            await hass.config_entries.async_unload(entry.entry_id)

        async def crackle() -> None:
            while True:
                line.put(random.randbytes(64))
                await asyncio.sleep(0.01)

        noise = asyncio.create_task(crackle())
        impatient = replace(TIMEOUTS[Protocol.SML], first_running=0.5)
        with patch.dict(TIMEOUTS, {Protocol.SML: impatient}):
            assert not await hass.config_entries.async_setup(entry.entry_id)
        noise.cancel()
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.error_reason_translation_key == "unknown_data_noise"
        assert not line.listened_to
