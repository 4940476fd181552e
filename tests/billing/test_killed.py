"""Balanced energy when the process is killed while a period is settled."""

import asyncio
from pathlib import Path
from random import Random
import time

import pytest

from ..helpers.killed import killed
from .killed import settle_forever, totals_at

pytestmark = pytest.mark.real_time("kills processes that write files")


def lives(folder: Path, number: int, seconds: float) -> list[tuple[int, int, int, int]]:
    """Return what a process publishes until it is killed."""
    published: list[tuple[int, int, int, int]] = []
    with killed(settle_forever, folder, number) as pipe:
        published.append(pipe.recv())
        time.sleep(seconds)
    try:
        while True:
            published.append(pipe.recv())
    except EOFError:
        pipe.close()
    return published


@pytest.mark.soak
async def test_nothing_is_settled_twice(tmp_path: Path) -> None:
    times = 100
    random = Random(3)
    published: list[tuple[int, int, int, int]] = []
    number = 0
    for _ in range(times):
        life = await asyncio.to_thread(lives, tmp_path, number, random.uniform(0, 0.05))
        published += life
        # The energy of the period that may or may not be stored is read again.
        number = life[-1][0] + 1
    first = totals_at(0)
    before = (0, 0)
    for at, imported, exported, net in published:
        now = totals_at(at)
        assert imported - exported + net == (now[0] - first[0]) - (now[1] - first[1])
        assert imported >= before[0]
        assert exported >= before[1]
        before = imported, exported
    assert min(before) > 0
    assert len(published) > times
