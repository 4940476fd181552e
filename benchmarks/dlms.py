"""DLMS: CPU time of our decoder and client compared with gurux-dlms and dlms-cosem.

The peers decode a pushed telegram to a tree of values, ours to a complete reading: meter id, time,
registers with exact values and units. Both peers also read the simulated meter.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
import subprocess
import sys
import time
from typing import Final

from meter import Protocol
from meter.dlms.push.decoder import DlmsDecoder
from meter.dlms.settings import Keys as OurKeys

from benchmarks._dlms_foreign import check_foreign_clients
from benchmarks._dlms_gets import TARGETS as GET_TARGETS, measure_gets, measure_polls
from benchmarks._dlms_peers import DECODERS, be_quiet
from benchmarks._dlms_telegrams import KEYS, NOON, TELEGRAMS, Telegram
from benchmarks._measure import amount, judged, measure_callbacks, row, run

_ROUNDS: Final = amount(9, quick=1)
#: Number of different telegrams in a round.
_TIMES: Final = amount(40, quick=1)
_STREAM: Final = amount(200, quick=5)

#: Targets: CPU time of a peer for a telegram divided by ours.
_PUSH_TARGETS: Final[Mapping[str, Mapping[str, float]]] = {
    "Aidon": {"gurux": 5, "dlms-cosem": 8},
    "Kaifa": {"gurux": 5, "dlms-cosem": 8},
    "Kamstrup": {"gurux": 30, "dlms-cosem": 8},
    "E450": {"gurux": 15},
}
_TRIPS_TARGET: Final = 0.2
_IMPORTS: Final = {
    "ours": "meter.dlms.push.decoder, meter.dlms.client",
    "gurux": "gurux_dlms, gurux_dlms.secure",
    "dlms-cosem": "dlms_cosem.client, dlms_cosem.io",
}


def compare_pushes() -> list[str]:
    """Print the time for a pushed telegram; return the targets that were missed."""
    missed = []
    print(f"\nPushed telegrams: median of {_ROUNDS} interleaved rounds")
    for make in TELEGRAMS:
        telegrams = [make(NOON + 97 * number) for number in range(_TIMES)]
        telegram = telegrams[0]
        title = f"{telegram.title}, {len(telegram.data)} B"
        decoders, failures = _decoders(telegram)
        figures = _cpu_microseconds(
            {name: partial(_decode_all, decode, telegrams) for name, decode in decoders.items()}
        )
        print(row(title, figures, "µs"))
        for name, failure in failures.items():
            print(f"    {name} reads nothing: {failure}")
        wanted = _PUSH_TARGETS[telegram.title.split(",")[0]]
        missed += judged(title, figures, wanted)
    return missed


def _decoders(
    telegram: Telegram,
) -> tuple[dict[str, Callable[[bytes], object]], dict[str, str]]:
    """Return the decoders of a telegram, and why the other ones fail."""
    keys = OurKeys(KEYS.encryption, KEYS.authentication) if telegram.is_encrypted else OurKeys()
    decoder = DlmsDecoder(keys)
    (reading,) = decoder.feed(telegram.data)
    found = sum(register.value is not None for register in reading.registers)
    if found != telegram.registers:
        raise RuntimeError(f"{found} values of {telegram.registers}")
    decoders: dict[str, Callable[[bytes], object]] = {"ours": decoder.feed}
    failures = {}
    for name, make in DECODERS.items():
        decode = make(KEYS if telegram.is_encrypted else None)
        try:
            tree = decode(telegram.data)
        except Exception as error:  # noqa: BLE001  any exception of a peer is a failure
            failures[name] = str(error)
            continue
        if tree is None:
            failures[name] = f"no value of {telegram.data.hex()}"
        else:
            decoders[name] = decode
    return decoders, failures


def _decode_all(decode: Callable[[bytes], object], telegrams: Sequence[Telegram]) -> None:
    for telegram in telegrams:
        decode(telegram.data)


def _cpu_microseconds(jobs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median CPU time of each job for a telegram, in interleaved rounds."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(_ROUNDS):
        for name, job in jobs.items():
            begin = time.process_time()
            job()
            found[name].append((time.process_time() - begin) / _TIMES * 1e6)
    return {name: median(times) for name, times in found.items()}


def compare_gets() -> list[str]:
    """Print the cost of a GET; return the targets that were missed."""
    missed = []
    single, _ = measure_gets()
    for (transport, mechanism), figures in single.items():
        targets = {name: t for (wanted, name), t in GET_TARGETS.items() if wanted is mechanism}
        missed += judged(f"GET, {transport}, {mechanism.name}", figures, targets)
    share, _ = measure_polls()
    verdict = "met" if share <= _TRIPS_TARGET else "missed"
    print(f"    {share:.2f} of gurux’ round trips, target {_TRIPS_TARGET}: {verdict}")
    if share > _TRIPS_TARGET:
        missed.append(f"a poll: {share:.2f} of gurux’ round trips, not {_TRIPS_TARGET}")
    return missed


def compare_imports() -> list[str]:
    """Print how long imports take besides the start of Python; there is no target."""
    jobs = {"empty": "sys"} | _IMPORTS
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(_ROUNDS):
        for name, modules in jobs.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)  # noqa: S603
            found[name].append((time.perf_counter() - begin) * 1e3)
    empty = min(found.pop("empty"))
    figures = {name: min(times) - empty for name, times in found.items()}
    print("\nImport")
    print(row("minimum of all rounds", figures, "ms"))
    return []


def _stream() -> bytes:
    """Return the telegrams for the event loop."""
    return b"".join(TELEGRAMS[0](NOON + 10 * number).data for number in range(_STREAM))


def main() -> int:
    """Measure and print everything; return 1 if a target was missed."""
    be_quiet()
    callbacks = partial(measure_callbacks, Protocol.DLMS, _stream())
    return run(
        [compare_pushes, compare_gets, callbacks, compare_imports],
        checks=[check_foreign_clients],
    )


if __name__ == "__main__":
    sys.exit(main())
