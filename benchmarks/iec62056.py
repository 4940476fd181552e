"""IEC 62056-21: our decoder compared with pwitab's iec62056-21 and dsmr-parser; readouts at a port.

Ours returns complete readings: checksum, OBIS codes, decimal numbers, units, dates, identity. So
does dsmr-parser for the codes in its list. iec62056-21 checks the checksum and splits the text into
addresses, values and units, all of them text; its split alone is also measured. What is judged is a
readout after others of the same meter, since then the clock, the total and what is measured now
have changed; the first one is shown beside it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
import os
from pathlib import Path
from random import Random
import re
import sys
import time

from dsmr_parser.parsers import TelegramParser
from dsmr_parser.telegram_specifications import V5
from iec62056_21.messages import DataBlock, ReadoutDataMessage
from meter import Protocol
from meter.checksum import xor_of
from meter.iec62056 import Iec62056Decoder

from benchmarks._foreign import check_foreign_client
from benchmarks._line import measure_first_readings, measure_live_registers, measure_readouts
from benchmarks._measure import (
    ROUNDS,
    Chunks,
    amount,
    cpu_seconds,
    cut,
    judged,
    measure_callbacks,
    row,
    run,
)
from benchmarks._readouts import household_lines, industry_lines, p1_telegram, readout
from simulator.iec62056 import Iec62056Meter, Mode
from simulator.iec62056.encoder import p1_crc, with_even_parity

NOON = 1_790_000_000
TELEGRAMS = amount(200, quick=10)
#: Rounds of jobs of microseconds, which other load on the machine disturbs more.
SHORT_ROUNDS = amount(50, quick=1)
SPLIT = "only its split"
FIRST = "ours, first"
#: The last digits of values that change from one readout to the next, and the number of readouts.
VARYING = re.compile(
    rb"(?<=[\r\n])((?:\d-\d:)?(?:0\.9\.1|1\.0\.0|\d+\.7\.0|[12]\.8\.[01])"
    rb"\([^()\r\n*]*)\d(?=[*)S])"
)
READOUTS = 10
SIZES = {"small": 215, "large": 16_601}
CAPTURES = {"large": "iec62056/amateusz_kohler.bin", "P1": "iec62056/dsmr_v5.bin"}

#: Targets: the time of a peer divided by ours, at least.
READOUT_TARGETS: Mapping[str, Mapping[str, float]] = {
    "small": {"iec62056-21": 0.5},
    "large": {"iec62056-21": 0.5, SPLIT: 1},
}
P1_TARGETS: Mapping[str, float] = {"dsmr-parser": 4}
GARBAGE_KIB = amount(64, quick=4)
GARBAGE_TARGET_NS = 1000
FEED_TARGET_MS = 2


def ours(data: bytes) -> int:
    """Decode a reading; return the number of its registers."""
    decoder = Iec62056Decoder()
    readings = decoder.feed(data) or decoder.finish()
    return sum(len(reading.registers) for reading in readings)


def following(data: bytes) -> Callable[[], int]:
    """Return a job that decodes a readout after others in which some values differ."""
    decoder, readouts = Iec62056Decoder(), cycle([_varied(data, it) for it in range(READOUTS)])

    def decode_next() -> int:
        readings = decoder.feed(next(readouts)) or decoder.finish()
        return sum(len(reading.registers) for reading in readings)

    for _ in range(READOUTS):
        decode_next()
    return decode_next


def _varied(data: bytes, number: int) -> bytes:
    varied = VARYING.sub(rb"\g<1>%d" % number, data)
    if varied[-2:-1] == b"\x03":
        return varied[:-1] + bytes([xor_of(varied[varied.index(b"\x02") + 1 : -1])])
    if (crc := re.search(rb"(?<=!)[0-9A-F]{4}\r\n\Z", varied)) is not None:
        return varied[: crc.start()] + p1_crc(varied[: crc.start()])
    return varied


def iec62056_21(data: bytes) -> int:
    """Check the checksum of a readout and split it into data sets; return their number."""
    return _size(ReadoutDataMessage.from_bytes(data[data.index(b"\x02") :]).data_block)


def its_split(data: bytes) -> int:
    """Only split a readout, since recorded ones have no checksum."""
    block = data.partition(b"\x02")[2].partition(b"!\r\n")[0]
    return _size(DataBlock.from_bytes(block))


def _size(block: DataBlock) -> int:
    return sum(len(line.data_sets) for line in block.data_lines)


def recorded(name: str) -> dict[str, bytes]:
    """Return a recorded readout, if there is one."""
    folder = os.environ.get("ONEMETER_CAPTURES")
    if folder is None or name not in CAPTURES:
        return {}
    data = Path(folder, CAPTURES[name]).read_bytes()
    return {f"recorded, {len(data)} bytes": data}


def microseconds(jobs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the minimum CPU time of each job in µs."""
    seconds = cpu_seconds(jobs, rounds=SHORT_ROUNDS, times=amount(20, quick=1))
    return {name: found * 1e6 for name, found in seconds.items()}


def compare_readouts() -> list[str]:
    """Print the time for a readout; return the targets that were missed."""
    missed = []
    for name, size in SIZES.items():
        lines = household_lines() if name == "small" else industry_lines()
        simulated = readout(lines, size)
        print(f"\nA {name} readout: {ours(simulated)} values")
        readouts = {f"simulated, {len(simulated)} bytes": simulated} | recorded(name)
        for title, data in readouts.items():
            jobs: dict[str, Callable[[], object]] = {
                "ours": following(data),
                FIRST: partial(ours, data),
                SPLIT: partial(its_split, data),
            }
            if data is simulated:
                jobs["iec62056-21"] = partial(iec62056_21, data)
            counts = {reader: read() for reader, read in jobs.items()}
            if len(set(counts.values())) != 1:
                raise RuntimeError(f"values lost: {counts}")
            figures = microseconds(jobs)
            print(row(title, figures, "µs"))
            missed += judged(title, figures, READOUT_TARGETS[name])
    return missed


def compare_p1() -> list[str]:
    """Print the time for a P1 telegram; return the targets that were missed."""
    parser = TelegramParser(V5)
    missed = []
    print("\nA P1 telegram")
    simulated = p1_telegram()
    for title, data in ({f"simulated, {len(simulated)} bytes": simulated} | recorded("P1")).items():
        text = data.decode()
        if not ours(data) or not parser.parse(text, throw_ex=True):
            raise RuntimeError("the telegram is not read")
        figures = microseconds(
            {
                "ours": following(data),
                FIRST: partial(ours, data),
                "dsmr-parser": partial(parser.parse, text),
            }
        )
        print(row(title, figures, "µs"))
        missed += judged(title, figures, P1_TARGETS)
    return missed


def decode(chunks: Chunks) -> None:
    """Decode a stream."""
    decoder = Iec62056Decoder()
    for chunk in chunks:
        decoder.feed(chunk)
    decoder.finish()


def longest_feed(chunks: Chunks) -> float:
    """Return the CPU time of the slowest chunk, minimum of several rounds, in ms."""
    rounds = []
    for _ in range(ROUNDS):
        decoder = Iec62056Decoder()
        longest = 0.0
        for chunk in chunks:
            begin = time.process_time()
            decoder.feed(chunk)
            longest = max(longest, time.process_time() - begin)
        rounds.append(longest)
    return min(rounds) * 1e3


def garbage(size: int) -> dict[str, bytes]:
    """Return data that is not a readout but expensive to reject."""
    random = Random(1)
    good = readout(household_lines(), 1200)
    parts = {
        "noise": random.randbytes(size),
        "printable noise": bytes(random.choices(range(0x20, 0x7F), k=size)),
        "a start, then noise": good[:100] + random.randbytes(size),
        "wrong checksum": good[:-1] + bytes([good[-1] ^ 1]),
        "beginnings without end": good[:60],
        "identifications": b"/DMO5DEMO-21\r\n",
        "almost identifications": b"/DMO5" + b"x" * 90,
        "data sets without end": b"1.8.0(000001.234*kWh)\r\n",
        "an open bracket, then !": b"(" + b"!" * size,
        "a closed bracket, then !": b"(1)" + b"!" * size,
        "line ends with !": b"!\r\n",
    }
    parts |= {f"nothing but {c}": c.encode() for c in "/!()"}
    parts |= {f"nothing but {n}": c for n, c in (("STX", b"\x02"), ("ETX", b"\x03"))}
    parts |= {f"STX, then {c}": b"\x02" + c.encode() * size for c in "a(!/"}
    return {title: (part * (size // len(part) + 1))[:size] for title, part in parts.items()}


def measure_garbage() -> list[str]:
    """Print the time per byte of such data; return the targets that were missed."""
    missed = []
    print(
        f"\nData that is not a readout, {GARBAGE_KIB} KiB: in chunks of 64, "
        "and the slowest chunk of 1024 bytes"
    )
    for title, data in garbage(GARBAGE_KIB << 10).items():
        seconds = cpu_seconds({"ours": partial(decode, cut(data, 64))})["ours"]
        figure = seconds / len(data) * 1e9
        longest = longest_feed(cut(data, 1024))
        print(f"  {title:28} {figure:6.0f} ns/B   {longest:6.3f} ms")
        if figure > GARBAGE_TARGET_NS:
            missed.append(f"{title}: {figure:.0f} ns/B, not {GARBAGE_TARGET_NS}")
        if longest > FEED_TARGET_MS:
            missed.append(f"{title}: {longest:.1f} ms, not {FEED_TARGET_MS}")
    return missed


def pushed() -> bytes:
    """Return the telegrams for the event loop."""
    seconds = iter(range(NOON, NOON + TELEGRAMS))
    meter = Iec62056Meter(mode=Mode.D, clock=lambda: next(seconds))
    return with_even_parity(b"".join(meter.pushed() for _ in range(TELEGRAMS)))


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    callbacks = partial(measure_callbacks, Protocol.IEC62056, pushed())
    return run(
        [
            compare_readouts,
            compare_p1,
            measure_garbage,
            callbacks,
            measure_live_registers,
            measure_first_readings,
            measure_readouts,
        ],
        checks=[check_foreign_client],
    )


if __name__ == "__main__":
    sys.exit(main())
