"""SML: our decoder beside pysml and smllib, in CPU time, in one run.

Every decoder does its whole job on the same chunks of a stream: find the telegrams, check their
checksums, decode all values. Ours makes complete readings of them, with identity and direction.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
import os
from pathlib import Path
from random import Random
import sys

from meter import Protocol
from meter.sml import SmlDecoder
from sml.asyncio import SmlSerialProtocol
from smllib import SmlStreamReader
from smllib.errors import CrcError

from benchmarks._measure import Chunks, amount, cpu_seconds, cut, measure_callbacks, row, run
from simulator.household import Household
from simulator.sml.meter import SmlMeter, Style

TELEGRAMS = amount(200, quick=10)
NOON = 1_790_000_000
CAPTURE = "sml/smartmeter-obis__ttyUSB0-head.bin"

#: How many times faster than a peer we want to be, by the size of the chunks.
TARGETS = {("pysml", 256): 40, ("smllib", 256): 6, ("pysml", 1): 15}


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


def decoding(chunks: Chunks) -> dict[str, float]:
    """Return the least CPU time of each decoder."""
    return cpu_seconds({name: partial(decode, chunks) for name, decode in DECODERS.items()})


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
            figures = {n: s / telegrams * 1e6 for n, s in decoding(chunks).items()}
            print(row(f"chunks of {size}", figures, "µs"))
            for (name, target_size), target in TARGETS.items():
                ratio = figures[name] / figures["ours"]
                if size == target_size and ratio < target:
                    missed.append(f"{title}, chunks of {size}: {ratio:.1f} × {name}, not {target}")
    return missed


def compare_garbage() -> list[str]:
    """Print the time for a byte that is no part of a telegram; there is no target for it."""
    random = Random(1)
    telegram = SmlMeter(household=Household(), style=Style.EDL).telegram(NOON)
    broken = telegram[:-1] + bytes([telegram[-1] ^ 1])
    size = amount(1 << 16, quick=1 << 12)
    print("\nWhat is no telegram, in chunks of 64 bytes")
    for title, data in {
        "noise": random.randbytes(size),
        "a start, then noise": telegram[:8] + random.randbytes(size),
        "nothing but escapes": b"\x1b" * size,
        "telegrams, wrong checksum": broken * (size // len(broken)),
    }.items():
        figures = {n: s / len(data) * 1e9 for n, s in decoding(cut(data, 64)).items()}
        print(row(title, figures, "ns/B"))
    return []


def listened_to() -> bytes:
    """Return the telegrams that an event loop is sent."""
    meter = SmlMeter(household=Household(), style=Style.FNN)
    return b"".join(meter.telegram(NOON + second) for second in range(TELEGRAMS))


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    callbacks = partial(measure_callbacks, Protocol.SML, listened_to())
    return run([compare_speed, compare_garbage, callbacks])


if __name__ == "__main__":
    sys.exit(main())
