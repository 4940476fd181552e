"""The longest callback: how long any input can block an event loop.

The client of each protocol listens to streams; the CPU time of every callback is measured. The
time of decoders must also be linear: twice the input may take 2.5 times as long. The Home Assistant
layer is measured by tests/helpers/callbacks.py, in the environment of Home Assistant.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
import csv
from decimal import Decimal
from functools import partial
import gc
import os
from pathlib import Path
import subprocess
import sys
import time
from typing import Final
from unittest.mock import patch

from meter import Obis, Protocol, Reading, Register
from meter.blink.s10 import S10Flashes
from meter.clients import create_pushed_client
from meter.dlms.push.decoder import DlmsDecoder
from meter.dlms.settings import Keys
from meter.errors import MeterError
from meter.iec62056 import Iec62056Decoder
from meter.iec62056.block import BlockCheck
from meter.iec62056.programming import FrameReader
from meter.iec62056.progress import Progress
from meter.looks import looks_like
from meter.reading import Identity
from meter.sml import SmlDecoder

from benchmarks import _crafted
from benchmarks._measure import amount, cpu_seconds, cut, run
from simulator.clock import SimulatedClockLoop
from simulator.iec62056.encoder import Checksum, answer
from simulator.memory import MemoryBridge

TARGET_MS: Final = 2
#: Allowed ratio of the times for twice the input and for the input.
PASS_TARGET: Final = 2.5
_ROUNDS: Final = amount(5, quick=1)
_MUTATED: Final = amount(2000, quick=20)
#: Shorter times are too inaccurate for a ratio.
_SHORTEST_SECONDS: Final = 50e-6
_CHUNK: Final = 4096
_ROOT: Final = Path(__file__).parent.parent

#: Folders of the captures of each protocol.
_FOLDERS: Final[Mapping[Protocol, tuple[str, ...]]] = {
    Protocol.SML: ("sml", "sml/synthetic", "reports/sml"),
    Protocol.IEC62056: (
        *("iec62056", "iec62056/profiles", "iec62056/sessions"),
        "reports/iec62056",
    ),
    Protocol.DLMS: ("dlms", "lists", "reports/dlms"),
}


# --- callbacks ------------------------------------------------------------------------------------


def longest_callback(protocol: Protocol, data: bytes, keys: Keys | None = None) -> float:
    """Return the CPU time (ms) of the longest callback while a client listens to a stream."""
    return min(_longest_callback(protocol, data, keys) for _ in range(_ROUNDS))


def _longest_callback(protocol: Protocol, data: bytes, keys: Keys | None) -> float:
    times = [0]
    run_handle = asyncio.Handle._run  # noqa: SLF001 - event loops run all callbacks here

    def timed(handle: asyncio.Handle) -> None:
        begin = time.thread_time_ns()
        run_handle(handle)
        times.append(time.thread_time_ns() - begin)

    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner, _without_collector():
        runner.run(_listen(protocol, data, keys, patch.object(asyncio.Handle, "_run", timed)))
    return max(times) / 1e6


async def _listen(
    protocol: Protocol, data: bytes, keys: Keys | None, timing: AbstractContextManager[object]
) -> None:
    """Listen to a stream from its first byte until the port is closed."""
    async with MemoryBridge() as line:
        client = create_pushed_client(protocol, line.url, keys=keys)

        async def listen() -> None:
            with suppress(MeterError):
                async for _ in client.listen():
                    pass

        listening = asyncio.create_task(listen())
        while not line.listened_to:  # noqa: ASYNC110 - lines have no event for it
            await asyncio.sleep(0)
        with timing:
            sent = 0
            for chunk in cut(data, _CHUNK):
                line.put(chunk)
                sent += len(chunk)
                while client.counters.received < sent:  # noqa: ASYNC110 - clients have no event for it
                    await asyncio.sleep(0)
            # Simulated time passes when nothing is left to do.
            await asyncio.sleep(1)
            listening.cancel()
            await asyncio.wait([listening])


@contextmanager
def _without_collector() -> Generator[None]:
    """Disable garbage collection, which takes longer in a benchmark than in use."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _show(title: str, figures: Mapping[str, float]) -> list[str]:
    """Print the longest callbacks; return the targets that were missed."""
    worst = sorted(figures, key=lambda name: figures[name], reverse=True)
    print(f"\n{title}: longest callback {figures[worst[0]]:.3f} ms")
    for name in worst[:5]:
        print(f"  {name:50} {figures[name]:6.3f} ms")
    return [
        f"{title}, {name}: {figures[name]:.1f} ms, not {TARGET_MS}"
        for name in worst
        if figures[name] > TARGET_MS
    ]


def measure_captures() -> Iterable[str]:
    """Print the longest callbacks of recorded telegrams; return the targets that were missed."""
    folder = os.environ.get("ONEMETER_CAPTURES")
    if folder is None:
        print("\nNo recorded telegrams: ONEMETER_CAPTURES is not set to their folder")
        return
    for protocol, folders in _FOLDERS.items():
        figures = {}
        for path in (p for name in folders for p in sorted(Path(folder, name).glob("*.bin"))):
            data = path.read_bytes()
            figures[path.name] = longest_callback(protocol, data, _keys(path))
        yield from _show(f"{len(figures)} captures, {protocol.upper()}", figures)


def _keys(path: Path) -> Keys | None:
    """Return the keys of a capture from the index in its folder."""
    with (path.parent / "index.csv").open(encoding="utf-8", newline="") as index:
        found = next((row for row in csv.DictReader(index) if row["file"] == path.name), {})
    if not found.get("ek"):
        return None
    authentication = found.get("ak")
    return Keys(
        bytes.fromhex(found["ek"]), bytes.fromhex(authentication) if authentication else None
    )


def measure_crafted() -> Iterable[str]:
    """Print the longest callbacks of crafted streams; return the targets that were missed."""
    for protocol, streams in _crafted.crafted().items():
        figures = {title: longest_callback(protocol, data) for title, data in streams.items()}
        yield from _show(f"Crafted, {protocol.upper()}", figures)
    messages = {
        f"{devices} devices": _crafted.s10(devices) for devices in (100, 300, amount(3000, quick=9))
    } | {"devices without time": '{"dev_list":[' + ",".join(['{"mac":"1"}'] * 1350) + "]}"}
    figures = {}
    for title, message in messages.items():
        with _without_collector():
            figures[title] = cpu_seconds({"ours": partial(_take_s10, message)})["ours"] * 1e3
    yield from _show("Crafted, S10", figures)


def _take_s10(message: str) -> None:
    with suppress(MeterError):
        S10Flashes().new(message)


def measure_mutated() -> Iterable[str]:
    """Print the longest callbacks of damaged telegrams; return the targets that were missed."""
    figures = {
        protocol.upper(): longest_callback(protocol, data)
        for protocol, data in _crafted.mutated(_MUTATED).items()
    }
    return _show(f"{_MUTATED} mutated telegrams", figures)


# --- passes ---------------------------------------------------------------------------------------


def _feed(decoder: Iec62056Decoder | SmlDecoder | DlmsDecoder, data: bytes) -> None:
    for chunk in cut(data, 256):
        decoder.feed(chunk)
    decoder.finish()


def _feed_readouts(data: bytes) -> None:
    _feed(Iec62056Decoder(is_guarded=True), data)


def _progress(data: bytes) -> None:
    progress = Progress(0, len(data), 1)
    for chunk in cut(data, 16):
        progress.continues(chunk, 0)


def _reading(registers: int) -> Reading:
    found = [
        Register(
            Obis(1, 0, number >> 8, 8, number & 255), Decimal(number), "kWh", None, str(number)
        )
        for number in range(registers)
    ]
    return Reading(Identity(), None, tuple(found), b"")


def passes(scale: int) -> dict[str, Callable[[], object]]:
    """Return jobs by name; their input is proportional to the scale."""
    readouts = _crafted.iec62056(15_000 * scale)
    sml_telegram = _crafted.sml_entries(190 * scale)
    frame = answer("P.01" + "(0.123)\r\n" * (25_000 * scale), Checksum.XOR)
    registers = _reading(500 * scale)
    message = _crafted.s10(100 * scale)
    jobs: dict[str, Callable[[], object]] = {
        f"IEC 62056-21: {title}": partial(_feed_readouts, data) for title, data in readouts.items()
    }
    jobs |= {
        "SML: entries": lambda: _feed(SmlDecoder(), sml_telegram),
        "SML: escapes": lambda: _feed(SmlDecoder(), b"\x1b" * 20_000 * scale),
        "DLMS: a compact array": lambda: _feed(
            DlmsDecoder(), _crafted.wrapped(_crafted.dlms_compact(3200 * scale))
        ),
        "DLMS: codes and values": lambda: _feed(
            DlmsDecoder(), _crafted.wrapped(_crafted.dlms_values(200 * scale))
        ),
        "a frame of programming mode": lambda: list(FrameReader(BlockCheck()).feed(frame)),
        "a long answer": lambda: _progress(frame[: 50_000 * scale]),
        "current values of a reading": registers.current,
        "an S10 message": lambda: _take_s10(message),
        "classification": lambda: looks_like(b"(1.8" * (5000 * scale)),
    }
    return jobs


def measure_passes() -> Iterable[str]:
    """Print the largest ratio; return the targets that were missed."""
    print("\nRatio of the CPU times for twice the input and for the input")
    once, twice = passes(1), passes(2)
    worst = ("", 0.0)
    for name, job in once.items():
        with _without_collector():
            seconds = cpu_seconds({"once": job, "twice": twice[name]})
        ratio = seconds["twice"] / max(seconds["once"], _SHORTEST_SECONDS)
        worst = max(worst, (name, ratio), key=lambda found: found[1])
        if ratio > PASS_TARGET:
            yield f"{name}: {ratio:.1f} times as long for twice the input, not {PASS_TARGET}"
    print(f"  {len(once)} passes, at most {worst[1]:.2f} ({worst[0]})")


# --- Home Assistant -------------------------------------------------------------------------------


def check_home_assistant() -> Iterable[str]:
    """Measure the Home Assistant layer in Home Assistant's environment; return a failure."""
    subprocess.run([_ROOT / "scripts/setup"], check=True)  # noqa: S603 - our own script
    command: list[str | Path] = [
        _ROOT / ".venv/bin/python",
        "-m",
        "tests.helpers.callbacks",
        *sys.argv[1:],
    ]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, cwd=_ROOT, env=environment, check=False)  # noqa: S603
    return ["the Home Assistant layer"] if ended.returncode else []


if __name__ == "__main__":
    sys.exit(
        run(
            [measure_captures, measure_crafted, measure_mutated, measure_passes],
            [check_home_assistant],
        )
    )
