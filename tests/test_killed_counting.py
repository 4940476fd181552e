"""What becomes of a counted total when its process is killed, again and again."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
import logging
from pathlib import Path
from random import Random
import sys
import time

import pytest

from simulator.blink import Light, steady
from simulator.pty import PtyLine

_LOGGER = logging.getLogger(__name__)

RATE = 20
PUBLISH_INTERVAL = 1

#: Counts until it is killed, and says each total that it publishes. The source is a port, or the
#: number in a file, as an entity shows it.
_COUNTER = """
import asyncio, sys
from pathlib import Path
from types import MappingProxyType
from homeassistant.config_entries import ConfigEntry, ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame
from custom_components.onemeter.counting import BlinkCoordinator
from custom_components.onemeter.meter import Obis

ENERGY = Obis.parse("1-0:1.8.0")

async def show(hass, path):
    while True:
        hass.states.async_set("sensor.flashes", path.read_text())
        await asyncio.sleep(0.05)

async def main(folder, source, port, interval):
    hass = HomeAssistant(folder)
    frame.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    if source == "entity":
        path, port = Path(port), "sensor.flashes"
        hass.states.async_set(port, path.read_text())
        showing = asyncio.create_task(show(hass, path))
    data = {"protocol": "blink", "source": source, "port": port, "impulses_per_kwh": "1000"}
    entry = ConfigEntry(
        version=1, minor_version=1, domain="onemeter", title="Meter", source="user",
        unique_id="generated-0", entry_id="0", data=data, discovery_keys=MappingProxyType({}),
        subentries_data=(), options={"publish_interval": int(interval)},
    )
    coordinator = BlinkCoordinator(hass, entry)

    def say():
        if coordinator.data is not None:
            print(int(coordinator.data.registers[ENERGY].value * 1000), flush=True)

    coordinator.async_add_listener(say)
    await coordinator._async_setup()
    await coordinator.async_refresh()
    assert coordinator.last_update_success, coordinator.last_exception
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Life:
    """A process that counts until it is killed."""

    process: asyncio.subprocess.Process
    published: list[int] = field(default_factory=list)

    async def listen(self) -> None:
        """Take what is published, until nothing more comes."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.published.append(int(line))

    async def until_published(self, total: int | None = None) -> None:
        """Wait for a total; without one, for the first."""
        async with asyncio.timeout(30):
            while not self.published or (total is not None and self.published[-1] != total):
                await asyncio.sleep(0.01)
                assert self.process.returncode is None


@asynccontextmanager
async def counting(folder: Path, source: str, port: str) -> AsyncGenerator[Life]:
    """Count in a process that is killed in the end."""
    arguments = [str(folder), source, port, str(PUBLISH_INTERVAL)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COUNTER, *arguments), stdout=asyncio.subprocess.PIPE
    )
    life = Life(process)
    listening = asyncio.create_task(life.listen())
    try:
        await life.until_published()
        yield life
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening


async def kill_at_a_port(path: Path, times: int) -> None:
    """Flash while processes count that are killed; nothing comes twice, and little is lost."""
    random = Random(5)
    published: list[int] = []
    losses: list[int] = []
    async with PtyLine(path / "ttyMETER", 9600) as cable:
        light = Light(cable)
        seen = 0
        for _ in range(times):
            count = int(random.uniform(0.2, 4) * RATE)
            async with counting(path, "rx", cable.url) as life:
                if published:
                    losses.append(seen - life.published[0])
                    seen = life.published[0]
                now = time.monotonic()
                await light.blink(islice(steady(RATE, now), count), now)
                seen += count
                await asyncio.sleep(random.uniform(0, 0.05))
            assert published == sorted(published)
            # What a dead process has said last was written down before.
            assert not losses or losses[-1] >= 0
            published += life.published
        async with counting(path, "rx", cable.url) as life:
            losses.append(seen - life.published[0])
            published += life.published
    assert published == sorted(published)
    assert published[-1] + sum(losses) == light.impulses
    # Those of the interval between two publications, and of the time that storing takes.
    assert all(0 <= loss <= RATE * (PUBLISH_INTERVAL + 2) for loss in losses), losses
    _LOGGER.info("Lost %s of %s flashes, %s at once", sum(losses), light.impulses, max(losses))


async def kill_at_a_counter(path: Path, times: int) -> None:
    """Do the same with a source that has a total of its own, of which nothing is lost."""
    random = Random(6)
    source = path / "source"
    published: list[int] = []

    def show(total: int) -> None:
        written = path / "written"
        written.write_text(str(total))
        written.replace(source)

    total = 1000
    show(total)
    begin = total
    for number in range(times + 1):
        async with counting(path, "entity", str(source)) as life:
            if number == times:
                await life.until_published(total - begin)
            for _ in range(int(random.uniform(0.2, 4) * RATE) if number < times else 0):
                total += 1
                show(total)
                await asyncio.sleep(1 / RATE)
        published += life.published
        # It goes on counting meanwhile.
        if number < times:
            total += random.randrange(5)
            show(total)
    assert published == sorted(published)
    assert published[-1] == total - begin
    _LOGGER.info("Lost none of %s impulses", total - begin)


async def test_killed_while_counting_at_a_port(tmp_path: Path) -> None:
    await kill_at_a_port(tmp_path, 5)


async def test_killed_while_following_a_counter(tmp_path: Path) -> None:
    await kill_at_a_counter(tmp_path, 3)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_killed_many_times(tmp_path: Path) -> None:
    (tmp_path / "port").mkdir()
    (tmp_path / "counter").mkdir()
    await kill_at_a_port(tmp_path / "port", 100)
    await kill_at_a_counter(tmp_path / "counter", 20)
