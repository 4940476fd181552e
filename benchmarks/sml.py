"""SML: CPU time of our decoder compared with smllib, pysml and libsml.

Every decoder finds the telegrams in the same chunks of a stream, checks their checksums and decodes
all values. Ours returns complete readings: exact numbers, units, identity, direction. pysml returns
dictionaries of all messages, smllib entries whose values become floats. libsml (C) gets the whole
stream from memory and returns structures whose values become floats.
"""

from binascii import crc_hqx
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from functools import partial
import os
from pathlib import Path
from random import Random
from struct import Struct
import sys

from meter import Protocol
from meter.obis import ENERGY_IMPORT
from meter.reading import Register
from meter.sml import SmlDecoder

from benchmarks._measure import (
    Chunks,
    amount,
    cpu_seconds,
    cut,
    judged,
    make_parser,
    measure_callbacks,
    row,
    run,
)
from benchmarks._sml_peers import Decode, built_libsml, decoders
from simulator.household import Household
from simulator.sml.meter import SmlMeter, Style

TELEGRAMS = amount(200, quick=10)
NOON = 1_790_000_000
_LARGEST = 256
#: Seconds that a decoder decodes the same stream again in each round, at least. libsml does it for
#: longer, in a process of its own.
_SHORTEST = amount(0.05, quick=0.0)
CAPTURE = "sml/smartmeter-obis__ttyUSB0-head.bin"

#: Targets: time of a peer divided by ours, at least, by the size of the chunks.
TARGETS: Mapping[int, Mapping[str, float]] = {
    256: {"libsml": 1 / 1.5, "smllib": 10, "pysml 0.1.9": 100, "pysml 0.1.8": 200},
    1: {"pysml 0.1.9": 15},
}


def ours(chunks: Chunks) -> int:
    """Decode readings; return their number."""
    decoder = SmlDecoder()
    readings = 0
    for chunk in chunks:
        for _ in decoder.feed(chunk):
            readings += 1
    return readings


DECODERS: Mapping[str, Decode] = {"ours": ours, **decoders()}


def decoding(chunks: Chunks) -> dict[str, float]:
    """Return the minimum CPU time of each decoder."""
    jobs = {name: partial(decode, chunks) for name, decode in DECODERS.items()}
    return cpu_seconds(jobs, shortest=_SHORTEST)


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


def compare_speed(libsml: Path | None) -> Iterable[str]:
    """Print the time for a telegram; return the targets that were missed."""
    with built_libsml(libsml) as measure_libsml:
        yield from _compare_speed(measure_libsml)
    if libsml is None:
        print("\nlibsml was not measured: --libsml DIR gives the folder of its source")


def _compare_speed(libsml: Callable[[bytes], tuple[int, float]] | None) -> Iterable[str]:
    for title, data in streams().items():
        telegrams = ours(cut(data, 256))
        print(f"\n{title}: {telegrams} telegrams of {len(data) / telegrams:.0f} bytes")
        for size in (_LARGEST, 16, 1):
            chunks = cut(data, size)
            if counts := {n: c for n, d in DECODERS.items() if (c := d(chunks)) != telegrams}:
                raise RuntimeError(f"telegrams lost: {counts}")
            figures = {n: s / telegrams * 1e6 for n, s in decoding(chunks).items()}
            if libsml is not None and size == _LARGEST:
                found, figures["libsml"] = libsml(data)
                if found != telegrams:
                    raise RuntimeError(f"telegrams lost: libsml {found}")
            print(row(f"chunks of {size}", figures, "µs"))
            yield from judged(f"{title}, chunks of {size}", figures, TARGETS.get(size, {}))


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


def measure_floor() -> list[str]:
    """Print the time of the steps that no decoder in Python can leave out; there is no target.

    They are calls of the standard library, without what finds a telegram and calls them.
    """
    telegram = SmlMeter(household=Household(), style=Style.EDL).telegram(NOON)
    reverse, mask = bytes(range(256)), int.from_bytes(telegram[:64] * (len(telegram) // 64))
    shared = int.from_bytes(telegram) & mask
    contents_of = Struct(">" + "30xQ" * 8).unpack_from
    multiply, tenth = Context(prec=20).multiply, Decimal("0.1")
    steps: Mapping[str, Callable[[], object]] = {
        "checksum": lambda: crc_hqx(telegram.translate(reverse), 0xFFFF),
        "comparison with the layout": lambda: int.from_bytes(telegram) & mask == shared,
        "8 contents": lambda: contents_of(telegram),
        "a register": lambda: Register(ENERGY_IMPORT, multiply(tenth, 103_026_430), "Wh"),
    }
    figures = {n: s * 1e6 for n, s in cpu_seconds(steps, times=amount(5000, quick=1)).items()}
    print(f"\nSteps of Python for a telegram of {len(telegram)} bytes, without finding it")
    print("  " + ", ".join(f"{name} {figure:.2f} µs" for name, figure in figures.items()))
    return []


def pushed() -> bytes:
    """Return the telegrams for the event loop."""
    meter = SmlMeter(household=Household(), style=Style.FNN)
    return b"".join(meter.telegram(NOON + second) for second in range(TELEGRAMS))


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    parser = make_parser()
    parser.add_argument(
        "--libsml",
        type=Path,
        metavar="DIR",
        help="also compile libsml from its source in this folder, with cc, and measure it",
    )
    options = parser.parse_args()
    callbacks = partial(measure_callbacks, Protocol.SML, pushed())
    speed = partial(compare_speed, options.libsml)
    return run([speed, measure_floor, compare_garbage, callbacks], options=options)


if __name__ == "__main__":
    sys.exit(main())
