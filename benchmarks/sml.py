"""SML: CPU time of our decoder compared with pysml and smllib.

Every decoder finds the telegrams in the same chunks of a stream, checks their checksums and decodes
all values. Ours returns complete readings, with identity and direction.
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

#: Targets: time of a peer divided by ours, by the size of the chunks.
TARGETS = {("pysml", 256): 40, ("smllib", 256): 6, ("pysml", 1): 15}


def ours(chunks: Chunks) -> int:
    """Decode readings; return their number."""
    decoder = SmlDecoder()
    readings = 0
    for chunk in chunks:
        for _ in decoder.feed(chunk):
            readings += 1
    return readings


def smllib(chunks: Chunks) -> int:
    """Decode SML objects; return the number of telegrams."""
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
    """Decode dictionaries; return the number of telegrams."""
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
    """Return the minimum CPU time of each decoder."""
    return cpu_seconds({name: partial(decode, chunks) for name, decode in DECODERS.items()})


def streams() -> dict[str, bytes]:
    """Return a stream of each style of meter, and a recorded one if there is one."""
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
    """Print the time per byte of data that is not a telegram; there is no target."""
    random = Random(1)
    telegram = SmlMeter(household=Household(), style=Style.EDL).telegram(NOON)
    broken = telegram[:-1] + bytes([telegram[-1] ^ 1])
    size = amount(1 << 16, quick=1 << 12)
    print("\nData that is not a telegram, in chunks of 64 bytes")
    for title, data in {
        "noise": random.randbytes(size),
        "a start, then noise": telegram[:8] + random.randbytes(size),
        "nothing but escapes": b"\x1b" * size,
        "telegrams, wrong checksum": broken * (size // len(broken)),
    }.items():
        figures = {n: s / len(data) * 1e9 for n, s in decoding(cut(data, 64)).items()}
        print(row(title, figures, "ns/B"))
    return []


def pushed() -> bytes:
    """Return the telegrams for the event loop."""
    meter = SmlMeter(household=Household(), style=Style.FNN)
    return b"".join(meter.telegram(NOON + second) for second in range(TELEGRAMS))


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    callbacks = partial(measure_callbacks, Protocol.SML, pushed())
    return run([compare_speed, compare_garbage, callbacks])


if __name__ == "__main__":
    sys.exit(main())
