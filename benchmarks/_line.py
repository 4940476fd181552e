"""Duration of readouts in mode C at a pseudo-terminal, compared with the shortest possible."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from meter import PolledClient, Protocol
from meter.clients import create_polled_client

from benchmarks._measure import amount
from benchmarks._readouts import household_lines, readout
from simulator.clock import SimulatedClockLoop
from simulator.iec62056 import Iec62056Meter, serve
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.pty import PtyLine

_SIZES = amount((215, 1200, 4600), quick=(215,))
#: Reaction times in seconds, by the manufacturer's letters that announce them.
_REACTION_TIMES = amount({"DMO": 0.2, "DMo": 0.02}, quick={"DMO": 0.2})
#: Reaction times for the first reading of a meter, in seconds.
_FIRST_REACTION_TIMES = amount((0.02, 0.2, 0.55, 0.7, 1.45), quick=(0.55,))
_RUNS = amount(5, quick=1)
_TARGET_EXCESS = 0.15
#: The shortest reaction time that the manufacturer's letters do not announce as quick.
_USUAL_REACTION_TIME = 0.2

_REGISTERS = amount(("1.8.0", "2.8.0"), quick=("1.8.0",))
_POLLS = amount(20, quick=1)
_TARGET_POLL = 0.6

#: Polls of a session of over an hour on the simulated clock, and seconds between them.
_MANY_POLLS = amount(3660, quick=60)
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
            title = f"tr {reaction_time * 1000:.0f} ms, {len(data)} bytes"
            durations, attempts = asyncio.run(_durations(data, _RUNS))
            if attempts != _RUNS:
                missed.append(f"{title}: {_RUNS} readouts took {attempts} attempts")
            excess = [duration - limit for duration in durations]
            print(
                f"  {title:28} limit {limit:.3f}   measured {limit + median(excess):.3f}   "
                f"excess: median {median(excess):.3f}, most {max(excess):.3f}"
            )
            if max(excess) > _TARGET_EXCESS:
                missed.append(f"{title}: {max(excess):.3f} s more, not {_TARGET_EXCESS}")
    return missed


def measure_first_readings() -> list[str]:
    """Print how long the first reading of a meter takes; return the targets that were missed."""
    print("\nThe first reading, by the meter's reaction time: seconds")
    missed = []
    for reaction_time in _FIRST_REACTION_TIMES:
        manufacturer, own = ("DMO", 0.2) if reaction_time >= _USUAL_REACTION_TIME else ("DMo", 0.02)
        data = readout(household_lines(), _SIZES[0], manufacturer)
        limit = _shortest(data, own) + 2 * (reaction_time - own)
        [duration], attempts = asyncio.run(_durations(data, 1, reaction_time))
        title = f"tr {reaction_time * 1000:.0f} ms, {len(data)} bytes"
        print(f"  {title:28} limit {limit:.3f}   measured {duration:.3f}")
        if attempts != 1:
            missed.append(f"{title}: the first reading took {attempts} attempts")
        if duration - limit > _TARGET_EXCESS:
            missed.append(f"{title}: {duration - limit:.3f} s more, not {_TARGET_EXCESS}")
    return missed


def measure_live_registers() -> list[str]:
    """Print how long two registers take in a session; return the targets that were missed."""
    polls, _ = asyncio.run(_watch(plugged_in, 0, _POLLS))
    print(f"\n{len(_REGISTERS)} live registers in one session at {_SPEED} baud")
    print(f"  {_POLLS} polls: median {median(polls):.3f} s, longest {max(polls):.3f} s")
    missed = []
    if max(polls) > _TARGET_POLL:
        missed.append(f"a poll: {max(polls):.2f} s, not {_TARGET_POLL}")
    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner:
        polls, sessions = runner.run(_watch(_simulated, _INTERVAL, _MANY_POLLS))
    print(
        f"  on a simulated clock: {len(polls)} polls in {sum(polls):.0f} s and {sessions} session, "
        f"longest interval {max(polls):.3f} s"
    )
    if sessions != 1:
        raise RuntimeError(f"{_MANY_POLLS} polls took {sessions} sessions")
    return missed


def _shortest(data: bytes, reaction_time: float) -> float:
    """Return the shortest possible duration of a readout: all characters and three pauses."""
    identification, _, block = data.partition(b"\n")
    slow = len(_REQUEST) + len(identification) + 1 + len(_ACKNOWLEDGEMENT)
    return (
        slow * _BITS_PER_CHARACTER / _SIGN_ON_SPEED
        + len(block) * _BITS_PER_CHARACTER / _SPEED
        + 3 * reaction_time
    )


async def _durations(
    data: bytes, runs: int, reaction_time: float | None = None
) -> tuple[list[float], int]:
    """Return the durations of readouts, and the number of attempts."""
    meter = Iec62056Meter.from_capture(data, reaction_time=reaction_time)
    found = []
    async with plugged_in(meter) as line:
        client = _client(line)
        for _ in range(runs):
            await client.read()
            if client.duration is not None:
                found.append(client.duration)
    return found, meter.count("sign-on")


async def _watch(
    plug_in: Callable[[Iec62056Meter], AbstractAsyncContextManager[Line]],
    interval: float,
    polls: int,
) -> tuple[list[float], int]:
    """Watch registers; return the seconds between polls, and the number of sessions."""
    loop = asyncio.get_running_loop()
    meter = Iec62056Meter()
    times = []
    async with (
        plug_in(meter) as line,
        aclosing(_client(line).watch(_REGISTERS, interval)) as readings,
    ):
        async for _ in readings:
            times.append(loop.time())
            if len(times) > polls:
                break
    return [after - before for before, after in pairwise(times)], meter.count("session")


def _client(line: Line) -> PolledClient:
    return create_polled_client(Protocol.IEC62056, line.url)


@asynccontextmanager
async def plugged_in(meter: Iec62056Meter) -> AsyncGenerator[Line]:
    """Serve a meter at a pseudo-terminal."""
    with TemporaryDirectory() as folder:
        line = PtyLine(Path(folder, "head"), meter.start_baudrate)
        async with line, _serving(line, meter):
            yield line


@asynccontextmanager
async def _simulated(meter: Iec62056Meter) -> AsyncGenerator[Line]:
    """Serve a meter at a line in memory."""
    async with MemoryLine(meter.start_baudrate) as line, _serving(line, meter):
        yield line


@asynccontextmanager
async def _serving(line: Line, meter: Iec62056Meter) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(serve(line, meter))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
