"""Processes that are killed while they work, forked from one with Home Assistant imported."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_socket import socket_allow_hosts

from custom_components.onemeter.access.invocation_counter import StoredCounter
from custom_components.onemeter.coordinator.blink import BlinkCoordinator
from custom_components.onemeter.meter import Obis
from custom_components.onemeter.settings import BlinkEntrySettings
from homeassistant.config_entries import ConfigEntries, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, frame

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])

_ENERGY = Obis.parse("1-0:1.8.0")


@contextmanager
def killed(work: Callable[..., None], *arguments: object) -> Generator[Connection[Any, Any]]:
    """Run ``work`` in a process that is killed at the end; its messages remain readable."""
    # The fork server is contacted through a socket.
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def reserve(pipe: Connection[Any, Any], folder: Path, key: bytes) -> None:
    """Reserve three invocation counters at a time, for ever; send the first of them."""

    async def reserve_forever() -> None:
        counter = StoredCounter(HomeAssistant(str(folder)), key, None)
        while True:
            pipe.send(await counter.reserve(3))

    asyncio.run(reserve_forever())


def count(pipe: Connection[Any, Any], folder: Path, port: str | Path, interval: float) -> None:
    """Count flashes at a port, or the number in a file; send each published total."""
    asyncio.run(_count(pipe, folder, port, interval))


async def _count(
    pipe: Connection[Any, Any], folder: Path, port: str | Path, interval: float
) -> None:
    hass = HomeAssistant(str(folder))
    frame.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    await hass.config_entries.async_initialize()
    dr.async_setup(hass)
    await dr.async_load(hass, load_empty=True)
    await er.async_load(hass, load_empty=True)
    source = {"source": "rx", "port": port}
    if isinstance(port, Path):
        source = {"source": "entity", "source_id": "sensor.flashes"}
        hass.states.async_set("sensor.flashes", await asyncio.to_thread(port.read_text))
        hass.async_create_background_task(_show(hass, port), "show")
    entry = ConfigEntry(
        version=1,
        minor_version=2,
        domain="onemeter",
        title="Meter",
        source="user",
        unique_id="generated-0",
        entry_id="0",
        data={"protocol": "blink", "impulses_per_kwh": "1000", **source},
        discovery_keys=MappingProxyType({}),
        subentries_data=(),
        options={"publish_interval": interval},
    )
    settings = BlinkEntrySettings.from_entry(entry.data)
    coordinator = BlinkCoordinator(hass, entry, settings)

    def send() -> None:
        if coordinator.data is not None:
            energy = coordinator.data.registers[_ENERGY].value
            assert isinstance(energy, Decimal)
            pipe.send(int(energy * 1000))

    coordinator.async_add_listener(send)
    await coordinator._async_setup()
    await coordinator.async_refresh()
    assert coordinator.last_update_success, coordinator.last_exception
    await asyncio.Event().wait()


async def _show(hass: HomeAssistant, path: Path) -> None:
    """Set an entity to the number in a file, for ever."""
    while True:
        hass.states.async_set("sensor.flashes", await asyncio.to_thread(path.read_text))
        await asyncio.sleep(0.05)
