"""Whether each kind of meter is found, after how long, and with how much light.

Each kind at each connection, among them a real ser2net where there is one, and runs on a simulated
clock with noise, half telegrams, clocks that are wrong, and any moment of a beginning, by the
kinds that are usual in a country.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
import shutil
import socket
from statistics import mean
import sys
from tempfile import TemporaryDirectory
from typing import Final, override

from meter.detection import Detection, detect
from meter.detection.countries import habits_of

from benchmarks._measure import amount, run
from simulator.clock import SimulatedClockLoop
from simulator.kinds import KINDS, Kind
from simulator.line import Line, damage
from simulator.memory import MemoryBridge, MemoryLine
from simulator.pty import PtyLine
from simulator.uart import Framing, Receiver

_RUNS: Final = amount(2000, quick=24)
_TABLE: Final = amount(tuple(KINDS), quick=("SML, 1 s", "HDLC, polled"))
_COUNTRY: Final = "DE"
#: Real seconds in which a run must have ended.
_REAL_SECONDS: Final = 120
_CLOCK_ERROR: Final = 0.015
#: Shares of the bytes that are changed on the way; half as many are lost.
_NOISE: Final = (0.0, 0.0001)
#: Seconds until ser2net listens, and those that its answers take longer than a port's.
_START_SECONDS: Final = 1.0
_ROUND_TRIPS: Final = 3.0
_SHARE_TARGET: Final = 0.95
#: Runs that took too long of which is printed which they were.
_SHOWN: Final = 12

#: How common each kind is, estimated from public reports. The shares of a row need not add up to 1.
_SHARES: Final[Mapping[str, Mapping[str, float]]] = {
    "DE": {
        "SML, 1 s": 0.4,
        "SML, 5 s": 0.14,
        "SML, PIN not entered": 0.14,
        "SML, 2010": 0.1,
        "text, 1 s": 0.08,
        "mode C": 0.06,
        "mode C at 9600": 0.02,
        "mode C, slow": 0.02,
        "light, 1000 imp/kWh at 500 W": 0.02,
        "HDLC, polled": 0.02,
    },
    "PL": {
        "mode C": 0.2,
        "mode C, quick": 0.1,
        "mode A": 0.05,
        "mode C, stays at 300": 0.05,
        "mode C, slow": 0.05,
        "mode E": 0.05,
        "light, 1000 imp/kWh at 500 W": 0.15,
        "light, 10000 imp/kWh at 500 W": 0.1,
        "HDLC, polled": 0.1,
        "HDLC, 2400 8E1, 5 s": 0.03,
        "M-Bus, 2400 8E1": 0.02,
        "P1, 1 s": 0.05,
    },
    "AT": {
        "M-Bus, 2400 8E1": 0.25,
        "HDLC, 2400 8E1, 5 s": 0.2,
        "HDLC, 9600 8N1, enciphered": 0.35,
        "mode C": 0.1,
        "P1, 1 s": 0.08,
    },
    "CH": {
        "HDLC, 2400 8E1, 5 s": 0.6,
        "HDLC, 115200 8N1": 0.13,
        "mode C": 0.13,
        "HDLC, 9600 8N1, enciphered": 0.12,
    },
    "NO": {
        "HDLC, 2400 8E1, 2.5 s": 0.6,
        "HDLC, 2400 8N1, 10 s": 0.33,
        "mode C": 0.07,
    },
    "DK": {"HDLC, 2400 8N1, 10 s": 0.93, "mode C": 0.07},
    "NL": {
        "P1, 1 s": 0.5,
        "P1, 10 s": 0.25,
        "P1, 7N1": 0.05,
        "P1, enciphered": 0.1,
        "HDLC, polled": 0.05,
    },
    "US": {
        "mode C": 0.3,
        "mode C, echo": 0.05,
        "mode B": 0.05,
        "mode C at 9600": 0.05,
        "HDLC, polled": 0.2,
        "HDLC, polled, no parameters": 0.05,
        "light, 1000 imp/kWh at 500 W": 0.15,
        "P1, 10 s": 0.1,
        "battery": 0.05,
    },
}


# --- each kind at each connection -----------------------------------------------------------------


@asynccontextmanager
async def _serving(kind: Kind, line: Line, after: float) -> AsyncGenerator[None]:
    kind.set_up(line)
    task = asyncio.create_task(kind.serve(line))
    await asyncio.sleep(after)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _at_a_line(kind: Kind, receiver: Receiver) -> Detection:
    async with MemoryLine() as line, _serving(kind, line, 0.3):
        line.receiver = receiver
        return await detect(line.url, country=_COUNTRY)


async def _at_a_bridge(kind: Kind) -> Detection:
    async with MemoryBridge() as line, _serving(kind, line, 0.3):
        line.framing = None
        return await detect(line.url, country=_COUNTRY)


def _simulated(kind: Kind, connection: str) -> Detection | None:
    """Return what is found on a simulated clock; None for what there is no such meter."""
    with asyncio.Runner(loop_factory=partial(SimulatedClockLoop, _REAL_SECONDS)) as runner:
        if connection == "bridge":
            return runner.run(_at_a_bridge(kind)) if kind.has_fixed_speed else None
        return None if kind.is_network else runner.run(_at_a_line(kind, Receiver(connection)))


def _is_right(kind: Kind, found: Detection) -> bool | None:
    """Return whether the right meter was found; None if none was."""
    winner = found.winner
    if winner is None:
        return None
    return (
        winner.protocol == kind.protocol
        and winner.is_polled is (kind.interval is None)
        and (not found.tried or winner.line.baudrate == kind.baudrate)
    )


def measure_kinds() -> Iterable[str]:
    """Print what is found at each connection; return what was not."""
    print(f"\nEach kind, country {_COUNTRY}: seconds until it is found (limit), ms of light before")
    dark = habits_of(_COUNTRY).dark_seconds
    missed = []
    for name in _TABLE:
        kind = KINDS[name]
        limit = kind.seconds_allowed(dark, str(habits_of(_COUNTRY).line))
        figures = []
        for connection in (*Receiver, "bridge"):
            found = _simulated(kind, connection)
            if found is None:
                figures.append(f"{'–':>18}")
                continue
            is_right = _is_right(kind, found)
            figures.append(f"{found.seconds:8.2f} s {found.light_seconds * 1000:5.0f} ms")
            if not is_right:
                missed.append(
                    f"{name} at {connection}: {'nothing' if is_right is None else 'wrong'}"
                )
            elif found.seconds > limit and connection != "bridge":
                missed.append(f"{name} at {connection}: {found.seconds:.1f} s, not {limit:.1f}")
            if kind.protocol == "sml" and found.light_seconds:
                missed.append(f"{name} at {connection}: light")
        print(f"  {name:32} ({limit:4.1f} s) {'  '.join(figures)}", flush=True)
    return missed


# --- through ser2net ------------------------------------------------------------------------------


def _configuration(kinds: Mapping[str, int], folder: Path) -> str:
    """Return ser2net's configuration for the pseudo-terminals in a folder, each at a TCP port."""
    blocks = ["%YAML 1.1", "---"]
    for name, port in kinds.items():
        blocks += [
            f"connection: &meter{port}",
            f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}",
            f"  connector: serialdev(nouucplock=true),{_path(folder, name)},9600n81,local",
        ]
    return "\n".join(blocks) + "\n"


def _path(folder: Path, name: str) -> Path:
    return folder / f"head{list(KINDS).index(name)}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


async def _found_through(name: str, port: int, folder: Path, begin: asyncio.Event) -> Detection:
    kind = KINDS[name]
    async with PtyLine(_path(folder, name)) as line, _serving(kind, line, 0.3):
        await begin.wait()
        return await detect(f"rfc2217://127.0.0.1:{port}", country=_COUNTRY)


async def _through_ser2net(program: str, names: Sequence[str]) -> Mapping[str, Detection]:
    """Return what is found at real ports behind a real ser2net, all at the same time."""
    ports = {name: _free_port() for name in names}
    begin = asyncio.Event()
    with TemporaryDirectory() as folder:
        path = Path(folder)
        searches = [
            asyncio.create_task(_found_through(name, port, path, begin))
            for name, port in ports.items()
        ]
        configuration = path / "ser2net.yaml"
        configuration.write_text(_configuration(ports, path))
        server = await asyncio.create_subprocess_exec(program, "-n", "-c", str(configuration))
        await asyncio.sleep(_START_SECONDS)
        begin.set()
        try:
            return dict(zip(names, await asyncio.gather(*searches), strict=True))
        finally:
            server.kill()
            await server.wait()


def measure_ser2net() -> Iterable[str]:
    """Print what is found through ser2net; return what was not."""
    program = shutil.which("ser2net", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        print("\nThere is no ser2net")
        return []
    # A pseudo-terminal has no framing.
    names = [
        name
        for name in _TABLE
        if not KINDS[name].is_network and KINDS[name].framing is Framing.EIGHT_NONE
    ]
    outcomes = asyncio.run(_through_ser2net(program, names))
    print(f"\nThrough ser2net, country {_COUNTRY}, all at the same time")
    missed = []
    dark = habits_of(_COUNTRY).dark_seconds
    for name, found in outcomes.items():
        limit = KINDS[name].seconds_allowed(dark, str(habits_of(_COUNTRY).line)) + _ROUND_TRIPS
        light = found.light_seconds * 1000
        print(f"  {name:32} ({limit:4.1f} s) {found.seconds:8.2f} s {light:5.0f} ms")
        if not _is_right(KINDS[name], found):
            missed.append(f"{name} through ser2net: {found.situation}")
        elif found.seconds > limit:
            missed.append(f"{name} through ser2net: {found.seconds:.1f} s, not {limit:.1f}")
    return missed


# --- many runs ------------------------------------------------------------------------------------


class _NoisyLine(MemoryLine):
    """A line on which bytes change on the way to the reader."""

    noise = 0.0
    random = Random(0)

    @override
    def reflect(self, data: bytes) -> None:
        super().reflect(damage(data, self.random, noise=self.noise, lose=self.noise / 2))


@dataclass(frozen=True, slots=True)
class _Run:
    country: str
    kind: str
    seed: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    run: _Run
    seconds: float
    limit: float
    is_right: bool | None
    light: float


async def _noisy(one: _Run) -> Detection:
    random = Random(one.seed)
    kind = KINDS[one.kind]
    async with _NoisyLine() as line:
        line.random = random
        line.noise = random.choice(_NOISE)
        line.receiver = random.choice(list(Receiver))
        line.clock_error = random.uniform(-_CLOCK_ERROR, _CLOCK_ERROR)
        async with _serving(kind, line, random.uniform(0, 2 * (kind.interval or 1.0))):
            return await detect(line.url, country=one.country)


def _outcome(one: _Run) -> _Outcome:
    """Run once, in a process of its own."""
    kind, habits = KINDS[one.kind], habits_of(one.country)
    with asyncio.Runner(loop_factory=partial(SimulatedClockLoop, _REAL_SECONDS)) as runner:
        found = runner.run(_noisy(one))
    limit = kind.seconds_allowed(habits.dark_seconds, str(habits.line))
    return _Outcome(one, found.seconds, limit, _is_right(kind, found), found.light_seconds)


def _runs() -> list[_Run]:
    random = Random(1)
    found = []
    for number in range(_RUNS):
        country = list(_SHARES)[number % len(_SHARES)]
        shares = _SHARES[country]
        (kind,) = random.choices(list(shares), list(shares.values()))
        found.append(_Run(country, kind, number))
    return found


def measure_runs() -> Iterable[str]:
    """Print how often meters are found in time; return what was wrong."""
    print(f"\n{_RUNS} runs with noise, wrong clocks and half telegrams")
    with ProcessPoolExecutor(2) as processes:
        outcomes = list(processes.map(_outcome, _runs(), chunksize=4))
    missed = [
        f"{one.run}: {'wrong' if one.is_right is False else 'light'}"
        for one in outcomes
        if one.is_right is False
        or (one.run.country == "DE" and KINDS[one.run.kind].protocol == "sml" and one.light)
    ]
    for country in _SHARES:
        own = [one for one in outcomes if one.run.country == country]
        in_time = [one for one in own if one.is_right and one.seconds <= one.limit]
        share = len(in_time) / len(own)
        seconds = [one.seconds for one in own]
        nothing, wrong = (sum(one.is_right is what for one in own) for what in (None, False))
        print(
            f"  {country}: {len(own):4} runs, {share:6.1%} in time, mean {mean(seconds):5.1f} s, "
            f"worst {max(seconds):5.1f} s, nothing {nothing}, wrong {wrong}"
        )
        if share < _SHARE_TARGET:
            missed.append(f"{country}: {share:.1%} in time, not {_SHARE_TARGET:.0%}")
    for one in sorted(outcomes, key=lambda one: one.limit - one.seconds)[:_SHOWN]:
        if one.is_right is None or one.seconds > one.limit:
            what = f"{one.run.country}, {one.run.kind}, run {one.run.seed}"
            print(f"    {what}: {one.seconds:.1f} s, not {one.limit:.1f}")
    return missed


def main() -> int:
    """Measure and print everything; return 1 if something was wrong."""
    return run([measure_kinds, measure_ser2net, measure_runs])


if __name__ == "__main__":
    sys.exit(main())
