"""The total of impulses when the process is killed repeatedly."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice
import logging
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import pytest

from simulator.blink import Light, steady
from simulator.pty import PtyLine

from ..helpers.killed import count, killed

_LOGGER = logging.getLogger(__name__)

#: Impulses per second.
RATE = 20
PUBLISH_INTERVAL = 1

pytestmark = pytest.mark.real_time("kills processes that count at a port")


class Life:
    """The totals that a process published before it was killed."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self.published: list[int] = []
        self._pipe = pipe
        self._news = asyncio.Event()
        self._is_over = False
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._take)

    def _take(self) -> None:
        try:
            self.published.append(self._pipe.recv())
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._is_over = True
        self._news.set()

    async def until_published(self, total: int) -> None:
        """Wait until this total is published, or a larger one."""
        async with asyncio.timeout(60):
            while not self.published or self.published[-1] < total:
                assert not self._is_over
                self._news.clear()
                await self._news.wait()

    async def until_over(self) -> None:
        """Return the total that was published last."""
        while not self._is_over:
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def counting(folder: Path, port: str | Path) -> AsyncGenerator[Life]:
    """Count impulses in a process, and kill it at the end."""
    with killed(count, folder, port, PUBLISH_INTERVAL) as pipe:
        life = Life(pipe)
        await life.until_published(0)
        yield life
    await life.until_over()
    pipe.close()


async def kill_at_a_port(folder: Path, times: int) -> None:
    """Kill processes that count impulses: no impulse is counted twice, and few are lost."""
    random = Random(5)
    published = [0]
    losses: list[int] = []
    async with PtyLine(folder / "ttyMETER", 9600) as cable:
        light = Light(cable)

        async def flash(flashes: int) -> None:
            now = asyncio.get_running_loop().time()
            await light.blink(islice(steady(RATE, now), flashes), now)

        seen = at_risk = 0
        for number in range(times + 1):
            async with counting(folder, cable.url) as life:
                # What a dead process has published last was stored before.
                assert published[-1] <= life.published[0] <= seen
                losses.append(seen - life.published[0])
                assert losses[-1] <= at_risk
                seen = life.published[0]
                if number < times:
                    kept = random.randrange(20)
                    await flash(kept)
                    await life.until_published(seen + kept)
                    # From now on it may be killed at any time of its interval.
                    at_risk = random.randrange(30)
                    await flash(at_risk)
                    seen += kept + at_risk
                    await asyncio.sleep(random.uniform(0, 0.05))
            published += life.published
    assert published == sorted(published)
    assert published[-1] + sum(losses) == light.impulses
    _LOGGER.info("Lost %s of %s flashes, %s at once", sum(losses), light.impulses, max(losses))


async def kill_at_a_counter(folder: Path, times: int) -> None:
    """Repeat that with a source that has a total of its own: no impulse is lost."""
    random = Random(6)
    source = folder / "source"
    published: list[int] = []

    def show(total: int) -> None:
        written = folder / "written"
        written.write_text(str(total))
        written.replace(source)

    total = begin = 1000
    show(total)
    for _ in range(times):
        async with counting(folder, source) as life:
            for _ in range(random.randrange(40)):
                total += 1
                show(total)
                await asyncio.sleep(1 / RATE)
        published += life.published
        # It goes on counting meanwhile.
        total += random.randrange(5)
        show(total)
    async with counting(folder, source) as life:
        await life.until_published(total - begin)
    published += life.published
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
