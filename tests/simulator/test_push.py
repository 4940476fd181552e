"""Pushing at an interval, with faults."""

import asyncio
from contextlib import suppress
from typing import override

import pytest

from simulator.line import Line
from simulator.push import Troubles, push


class Recorder(Line):
    """A line that records sent bytes with their times."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[float, bytes]] = []
        self.started = asyncio.get_running_loop().time()

    @property
    @override
    def url(self) -> str:
        return "recorder"

    @property
    @override
    def listened_to(self) -> bool:
        return True

    @override
    async def open(self) -> None: ...

    @override
    def close(self) -> None: ...

    @override
    def reflect(self, data: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time() - self.started, data))


async def push_for(seconds: float, troubles: Troubles | None = None) -> list[tuple[float, bytes]]:
    line = Recorder()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await push(line, lambda _: bytes(100), interval=0.05, troubles=troubles)
    return line.sent


async def test_telegrams_keep_their_interval() -> None:
    times = [time for time, _ in await push_for(0.48)]
    assert times == pytest.approx([0.05 * place for place in range(10)])


async def test_telegrams_that_take_longer_than_the_interval() -> None:
    """The next telegram follows at once."""
    line = Recorder()
    line.baudrate = 9600
    with suppress(TimeoutError):
        async with asyncio.timeout(0.25):
            await push(line, lambda _: bytes(96), interval=0.05)
    ends = [time for time, data in line.sent if len(data) < 9]
    assert ends == pytest.approx([0.1, 0.2])


async def test_silence() -> None:
    sent = await push_for(0.48, Troubles(silences=[(0.12, 0.33)]))
    assert [time for time, _ in sent] == pytest.approx([0, 0.05, 0.1, 0.35, 0.4, 0.45])


async def test_noise_and_loss() -> None:
    sent = await push_for(0.2, Troubles(noise=0.5, lose=0.5))
    assert all(len(data) < 80 and any(data) for _, data in sent)
