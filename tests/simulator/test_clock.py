"""The simulated clock: it jumps while the loop waits, and stands still during callbacks."""

import asyncio
from functools import partial
from itertools import count
import socket
from threading import Event
import time
import warnings

import pytest

from simulator.clock import SimulatedClockLoop


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_an_hour_takes_no_time() -> None:
    before, real = now(), time.monotonic()
    await asyncio.sleep(3600)
    assert now() - before == pytest.approx(3600)
    # Far more than it takes, even on a busy machine.
    assert time.monotonic() - real < 60


async def test_longer_than_a_selector_waits() -> None:
    before = now()
    await asyncio.sleep(10 * 86_400)
    assert now() - before == pytest.approx(10 * 86_400)


async def test_timers_come_in_order_and_at_their_times() -> None:
    loop = asyncio.get_running_loop()
    start = now()
    calls: list[tuple[str, float]] = []

    def call(name: str) -> None:
        calls.append((name, now() - start))

    for name, seconds in (("last", 7.5), ("first", 0.25), ("middle", 3.0)):
        loop.call_later(seconds, call, name)
    loop.call_later(1, call, "never").cancel()
    await asyncio.sleep(8)
    assert calls == [("first", 0.25), ("middle", 3.0), ("last", 7.5)]


async def test_work_takes_no_time() -> None:
    before = now()
    time.sleep(0.01)  # noqa: ASYNC251  work, as the loop sees it
    for _ in range(100):
        await asyncio.sleep(0)
    assert now() == before


async def test_what_is_ready_comes_before_the_next_timer() -> None:
    loop = asyncio.get_running_loop()
    order: list[str] = []
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")
        loop.call_later(0.001, order.append, "timer")

        def read() -> None:
            order.append("bytes")
            loop.remove_reader(left)

        loop.add_reader(left, read)
        await asyncio.sleep(0.001)
    assert order == ["bytes", "timer"]


async def test_no_time_passes_while_a_thread_works() -> None:
    order: list[str] = []
    before = now()
    asyncio.get_running_loop().call_later(1, order.append, "timer")

    def work(name: str, seconds: float) -> None:
        time.sleep(seconds)
        order.append(name)

    await asyncio.gather(
        asyncio.to_thread(work, "short", 0.01), asyncio.to_thread(work, "long", 0.05)
    )
    assert order == ["short", "long"]
    assert now() == before
    await asyncio.sleep(1)
    assert order == ["short", "long", "timer"]


async def test_time_passes_after_a_call_in_a_thread_has_failed() -> None:
    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await asyncio.to_thread(fail)
    before = now()
    await asyncio.sleep(1)
    assert now() - before == pytest.approx(1)


def test_threads_are_waited_for_at_the_end() -> None:
    """Closing the loop waits for threads without a time-out."""
    started = Event()
    finished = []

    def work() -> None:
        started.set()
        time.sleep(0.1)
        finished.append(True)

    async def leave() -> None:
        call = asyncio.get_running_loop().run_in_executor(None, work)
        started.wait()
        call.cancel()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(leave(), loop_factory=SimulatedClockLoop)
    assert finished


def test_waiting_in_vain_ends() -> None:
    """Also if there is always another timer."""
    cleaned_up = []

    async def wait() -> None:
        try:
            await asyncio.gather(asyncio.Event().wait(), tick())
        finally:
            await asyncio.sleep(1)
            cleaned_up.append(True)

    async def tick() -> None:
        for _ in count():
            await asyncio.sleep(0.02)

    with pytest.raises(RuntimeError, match="simulated seconds were not enough"):
        asyncio.run(wait(), loop_factory=partial(SimulatedClockLoop, 0.1))
    assert cleaned_up
