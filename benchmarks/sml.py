"""SML: our decoder beside pysml and smllib, in CPU time, in one run.

Every decoder does its whole job on the same chunks of a stream: find the telegrams, check their
checksums, decode all values. Ours makes complete readings of them, with identity and direction.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
import itertools
import logging
import os
from pathlib import Path
import platform
from random import Random
import sys
from threading import Event, Thread
import time
import tty
from unittest.mock import patch

from meter import Protocol
from meter.clients import create_pushed_client
from meter.sml import SmlDecoder
from sml.asyncio import SmlSerialProtocol
from smllib import SmlStreamReader
from smllib.errors import CrcError

from simulator.household import Household
from simulator.sml.meter import SmlMeter, Style

type Chunks = Sequence[bytes]

ROUNDS = 7
TELEGRAMS = 200
NOON = 1_790_000_000
CAPTURE = "sml/smartmeter-obis__ttyUSB0-head.bin"

#: How many times faster than a peer we want to be, by the size of the chunks.
TARGETS = {("pysml", 256): 40, ("smllib", 256): 6, ("pysml", 1): 15}
CALLBACK_TARGET_MS = 2


def ours(chunks: Chunks) -> int:
    """Make readings."""
    decoder = SmlDecoder()
    readings = 0
    for chunk in chunks:
        for _ in decoder.feed(chunk):
            readings += 1
    return readings


def smllib(chunks: Chunks) -> int:
    """Make lists of SML objects."""
    reader = SmlStreamReader()
    frames = 0
    for chunk in chunks:
        reader.add(chunk)
        with suppress(CrcError):
            while (frame := reader.get_frame()) is not None:
                frame.parse_frame()
                frames += 1
    return frames


def pysml(chunks: Chunks) -> int:
    """Make dictionaries."""
    lists = 0

    def dispatch(body: object) -> None:
        nonlocal lists
        lists += type(body).__name__ == "SmlGetListResponse"

    protocol = SmlSerialProtocol("socket://nowhere:1", dispatch)
    for chunk in chunks:
        protocol.data_received(chunk)
    return lists


DECODERS: dict[str, Callable[[Chunks], int]] = {"ours": ours, "smllib": smllib, "pysml": pysml}


def cut(data: bytes, size: int) -> Chunks:
    """Cut a stream into chunks."""
    return [bytes(chunk) for chunk in itertools.batched(data, size, strict=False)]


def cpu_seconds(chunks: Chunks) -> dict[str, float]:
    """Return the least CPU time of each decoder; the decoders take turns."""
    best = dict.fromkeys(DECODERS, float("inf"))
    for _ in range(ROUNDS):
        for name, decode in DECODERS.items():
            begin = time.process_time()
            decode(chunks)
            best[name] = min(best[name], time.process_time() - begin)
    return best


def streams() -> dict[str, bytes]:
    """Return a stream of each generation of meters, and a recorded one where there is one."""
    meters = {style: SmlMeter(household=Household(), style=style) for style in Style}
    found = {
        f"simulated {style.upper()} meter": b"".join(
            meter.telegram(NOON + second) for second in range(TELEGRAMS)
        )
        for style, meter in meters.items()
    }
    if folder := os.environ.get("ONEMETER_CAPTURES"):
        found["recorded EDL meter"] = Path(folder, CAPTURE).read_bytes()
    return found


def row(title: str, figures: dict[str, float], unit: str) -> str:
    """Format the figures of all decoders, and how many times ours the others are."""
    texts = []
    for name, figure in figures.items():
        ratio = "" if name == "ours" else f" ({figure / figures['ours']:5.1f} ×)"
        texts.append(f"{name} {figure:7.1f} {unit}{ratio}")
    return f"  {title:28} " + "   ".join(texts)


def compare_speed() -> list[str]:
    """Print the time for a telegram; return the targets that were missed."""
    missed = []
    for title, data in streams().items():
        telegrams = ours(cut(data, 256))
        print(f"\n{title}: {telegrams} telegrams of {len(data) / telegrams:.0f} bytes")
        for size in (256, 16, 1):
            chunks = cut(data, size)
            if counts := {n: c for n, d in DECODERS.items() if (c := d(chunks)) != telegrams}:
                raise RuntimeError(f"telegrams lost: {counts}")
            figures = {n: s / telegrams * 1e6 for n, s in cpu_seconds(chunks).items()}
            print(row(f"chunks of {size}", figures, "µs"))
            for (name, target_size), target in TARGETS.items():
                ratio = figures[name] / figures["ours"]
                if size == target_size and ratio < target:
                    missed.append(f"{title}, chunks of {size}: {ratio:.1f} × {name}, not {target}")
    return missed


def compare_garbage() -> None:
    """Print the time for a byte that is no part of a telegram."""
    random = Random(1)
    telegram = SmlMeter(household=Household(), style=Style.EDL).telegram(NOON)
    broken = telegram[:-1] + bytes([telegram[-1] ^ 1])
    size = 1 << 16
    print("\nWhat is no telegram, in chunks of 64 bytes")
    for title, data in {
        "noise": random.randbytes(size),
        "a start, then noise": telegram[:8] + random.randbytes(size),
        "nothing but escapes": b"\x1b" * size,
        "telegrams, wrong checksum": broken * (size // len(broken)),
    }.items():
        figures = {n: s / len(data) * 1e9 for n, s in cpu_seconds(cut(data, 64)).items()}
        print(row(title, figures, "ns/B"))


def callback_times(data: bytes, telegrams: int) -> list[float]:
    """Return the CPU time of each callback of an event loop that listens to a meter, in ms."""
    times: list[float] = []
    done = Event()
    run = asyncio.Handle._run  # noqa: SLF001 - where an event loop runs all callbacks

    def timed(handle: asyncio.Handle) -> None:
        begin = time.thread_time_ns()
        run(handle)
        times.append((time.thread_time_ns() - begin) / 1e6)

    def send(meter: int) -> None:
        for chunk in itertools.cycle(cut(data, 256)):
            while not done.is_set():
                try:
                    os.write(meter, chunk)
                except BlockingIOError:
                    time.sleep(0.001)
                else:
                    break
            else:
                return

    async def listen(path: str) -> None:
        readings = 0
        async with aclosing(create_pushed_client(Protocol.SML, path).listen()) as heard:
            async for _ in heard:
                readings += 1
                if readings == telegrams:
                    return

    meter, port = os.openpty()
    tty.setraw(port)
    os.set_blocking(meter, False)
    sender = Thread(target=send, args=[meter])
    sender.start()
    try:
        with patch.object(asyncio.Handle, "_run", timed):
            asyncio.run(listen(os.ttyname(port)))
    finally:
        done.set()
        sender.join()
        os.close(meter)
        os.close(port)
    return sorted(times)


def measure_callbacks() -> list[str]:
    """Print how long we hold an event loop at most; return the target if it was missed."""
    meter = SmlMeter(household=Household(), style=Style.FNN)
    data = b"".join(meter.telegram(NOON + second) for second in range(TELEGRAMS))
    times = callback_times(data, telegrams := 3000)
    percentile = times[int(len(times) * 0.999)]
    print(f"\n{len(times)} callbacks of an event loop that reads {telegrams} telegrams from a port")
    print(
        f"  CPU time: median {times[len(times) // 2]:.3f} ms, 99.9 % below {percentile:.3f} ms, "
        f"longest {times[-1]:.3f} ms"
    )
    if percentile < CALLBACK_TARGET_MS:
        return []
    return [f"callback: {percentile:.1f} ms, not {CALLBACK_TARGET_MS}"]


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    logging.disable()
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU time, least of {ROUNDS}")
    missed = compare_speed()
    compare_garbage()
    missed += measure_callbacks()
    print("\nTargets:", "; ".join(missed) or "all met")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
