"""How long a meter of mode C at a pseudo-terminal takes to be read, beside what is possible."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from selectors import SelectorKey, SelectSelector
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, override

from meter import PolledClient, Protocol
from meter.clients import create_polled_client

from benchmarks._readouts import household_lines, readout
from simulator.iec62056 import Iec62056Meter, serve
from simulator.pty import PtyLine

_SIZES = (215, 1200, 4600)
#: Reaction times in seconds, by the manufacturer's letters that announce them.
_REACTION_TIMES = {"DMO": 0.2, "DMo": 0.02}
_RUNS = 5
_TARGET_EXCESS = 0.15

_REGISTERS = ("1.8.0", "2.8.0")
_POLLS = 20
_TARGET_POLL = 0.6

#: Seconds of a long session and from one poll to the next, by a clock that is not ours.
_LONG = 3660.0
_INTERVAL = 1.0

_BITS_PER_CHARACTER = 10
_SIGN_ON_SPEED = 300
_SPEED = 9600
_REQUEST = b"/?!\r\n"
_ACKNOWLEDGEMENT = b"\x06050\r\n"


def measure_readouts() -> list[str]:
    """Print how long readouts take; return the targets that were missed."""
    print(f"\nReadouts in mode C, {_SIGN_ON_SPEED} to {_SPEED} baud: seconds, {_RUNS} runs each")
    missed = []
    for manufacturer, reaction_time in _REACTION_TIMES.items():
        for size in _SIZES:
            data = readout(household_lines(), size, manufacturer)
            limit = _shortest(data, reaction_time)
            excess = [d - limit for d in asyncio.run(_durations(data))]
            title = f"tr {reaction_time * 1000:.0f} ms, {len(data)} bytes"
            print(
                f"  {title:28} limit {limit:.3f}   measured {limit + median(excess):.3f}   "
                f"excess: median {median(excess):.3f}, most {max(excess):.3f}"
            )
            if max(excess) > _TARGET_EXCESS:
                missed.append(f"{title}: {max(excess):.3f} s more, not {_TARGET_EXCESS}")
    return missed


def measure_live_registers() -> list[str]:
    """Print how long two registers take in a session; return the targets that were missed."""
    polls, _ = asyncio.run(_watch(0, lambda polls, _: polls == _POLLS))
    print(f"\n{len(_REGISTERS)} live registers in one session at {_SPEED} baud")
    print(f"  {_POLLS} polls: median {median(polls):.3f} s, longest {max(polls):.3f} s")
    missed = []
    if max(polls) > _TARGET_POLL:
        missed.append(f"a poll: {max(polls):.2f} s, not {_TARGET_POLL}")
    with asyncio.Runner(loop_factory=HurryingLoop) as runner:
        polls, sessions = runner.run(_watch(_INTERVAL, lambda _, seconds: seconds > _LONG))
    print(
        f"  by a clock that does not wait: {len(polls)} polls in {sum(polls):.0f} s and "
        f"{sessions} session, longest interval {max(polls):.3f} s"
    )
    if sessions != 1:
        missed.append(f"{sessions} sessions in {_LONG:.0f} s, not one")
    return missed


def _shortest(data: bytes, reaction_time: float) -> float:
    """Return the seconds that a readout takes at least: all characters and three pauses."""
    identification, _, block = data.partition(b"\n")
    slow = len(_REQUEST) + len(identification) + 1 + len(_ACKNOWLEDGEMENT)
    return (
        slow * _BITS_PER_CHARACTER / _SIGN_ON_SPEED
        + len(block) * _BITS_PER_CHARACTER / _SPEED
        + 3 * reaction_time
    )


async def _durations(data: bytes) -> list[float]:
    meter = Iec62056Meter.playing(data)
    found = []
    async with plugged_in(meter) as line:
        client = _client(line)
        for _ in range(_RUNS):
            await client.read()
            if client.duration is not None:
                found.append(client.duration)
    if (attempts := meter.count("sign-on")) != _RUNS:
        raise RuntimeError(f"{_RUNS} readouts took {attempts} attempts")
    return found


async def _watch(
    interval: float, is_enough: Callable[[int, float], bool]
) -> tuple[list[float], int]:
    """Watch registers until there are enough polls, or enough seconds have passed.

    Returns the seconds from each poll to the next, and how many sessions that took.
    """
    loop = asyncio.get_running_loop()
    meter = Iec62056Meter()
    times = []
    async with plugged_in(meter) as line:
        client = _client(line)
        await client.read()
        async with aclosing(client.watch(_REGISTERS, interval)) as readings:
            async for _ in readings:
                times.append(loop.time())
                if is_enough(len(times) - 1, times[-1] - times[0]):
                    break
    return [after - before for before, after in pairwise(times)], meter.count("session")


def _client(line: PtyLine) -> PolledClient:
    return create_polled_client(Protocol.IEC62056, line.url)


@asynccontextmanager
async def plugged_in(meter: Iec62056Meter) -> AsyncGenerator[PtyLine]:
    """Put a meter up at a pseudo-terminal."""
    with TemporaryDirectory() as folder:
        async with PtyLine(Path(folder, "head"), meter.start_baudrate) as line:
            task = asyncio.ensure_future(serve(line, meter))
            try:
                yield line
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


class HurryingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on by itself while there is nothing to do.

    Both the meter and its reader live by this clock, so that an hour takes less than a minute.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self._passed = 0.0
        self._elsewhere = 0
        super().__init__(_HurryingSelector(self))

    @override
    def time(self) -> float:
        return self._passed

    @override
    def run_in_executor[*Arguments, Result](
        self,
        executor: Executor | None,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        self._elsewhere += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: asyncio.Future[Any]) -> None:
        self._elsewhere -= 1

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, unless a thread is still at work."""
        if not self._elsewhere:
            self._passed += seconds


class _HurryingSelector(SelectSelector):
    """Waits only as long as the kernel may need to hand bytes on."""

    _PATIENCE = 0.0001
    #: Most seconds that pass at once, lest a deadline passes before the bytes have come.
    _STEP = 0.02

    def __init__(self, loop: HurryingLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(self._PATIENCE)
        if not events:
            self._loop.pass_time(min(timeout, self._STEP))
        return events
