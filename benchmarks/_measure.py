"""Measurement of CPU time, and of the callbacks of an event loop."""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
import itertools
import logging
import os
import platform
import sys
from threading import Event, Thread
import time
import tty
from typing import Final
from unittest.mock import patch

from meter import Protocol
from meter.clients import create_pushed_client

type Chunks = Sequence[bytes]
#: A part of a benchmark: prints its figures, returns missed targets or failures.
type Part = Callable[[], Iterable[str]]

_QUICK: Final = "--quick"


def amount[T](full: T, *, quick: T) -> T:
    """Return the amount for a full run, or that for a quick one."""
    return quick if _QUICK in sys.argv else full


ROUNDS = amount(7, quick=1)
#: Telegrams that an event loop receives while its callbacks are timed.
_TELEGRAMS = amount(3000, quick=30)
_CALLBACK_TARGET_MS = 2


def make_parser() -> ArgumentParser:
    """Return the parser of a benchmark's arguments."""
    parser = ArgumentParser(prog="scripts/benchmark NAME", allow_abbrev=False)
    parser.add_argument(
        _QUICK, action="store_true", help="run every part once, to check that it works"
    )
    return parser


def run(
    measurements: Iterable[Part],
    checks: Iterable[Part] = (),
    options: Namespace | None = None,
) -> int:
    """Run the parts of a benchmark; return the exit status of its process.

    Measurements return missed targets, which do not count in a quick run; checks return failures.
    Arguments are parsed here unless the options are given.
    """
    is_quick = (options or make_parser().parse_args()).quick
    logging.disable()
    print(
        f"Python {platform.python_version()}, {platform.machine()}; "
        f"CPU time, minimum of {ROUNDS} rounds unless stated otherwise"
    )
    missed = [target for measure in measurements for target in measure()]
    failed = [failure for check in checks for failure in check()]
    if is_quick:
        print("\nA quick run only checks that every part works: ignore its figures.")
    else:
        print("\nTargets:", "; ".join(missed) or "all met")
    if failed:
        print("Failed:", "; ".join(failed))
    return bool(failed or (missed and not is_quick))


def cut(data: bytes, size: int) -> Chunks:
    """Cut a stream into chunks."""
    return [bytes(chunk) for chunk in itertools.batched(data, size, strict=False)]


def cpu_seconds(
    jobs: Mapping[str, Callable[[], object]],
    *,
    rounds: int = ROUNDS,
    times: int = 1,
    shortest: float = 0,
) -> dict[str, float]:
    """Return the minimum CPU time of each job in interleaved rounds.

    A short job is run ``times`` times in each round, and again until ``shortest`` seconds have
    passed: a round begins with the caches that the other jobs leave behind.
    """
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            begin, runs, seconds = time.process_time(), 0, -1.0
            while seconds < shortest:
                for _ in range(times):
                    job()
                runs += times
                seconds = time.process_time() - begin
            best[name] = min(best[name], seconds / runs)
    return best


def row(title: str, figures: Mapping[str, float], unit: str) -> str:
    """Format the figures of all decoders, and their ratios to ours."""
    texts = []
    for name, figure in figures.items():
        ratio = "" if name == "ours" else f" ({figure / figures['ours']:5.1f} ×)"
        texts.append(f"{name} {figure:7.1f} {unit}{ratio}")
    return f"  {title:28} " + "   ".join(texts)


def judged(title: str, figures: Mapping[str, float], targets: Mapping[str, float]) -> list[str]:
    """Print each ratio of a peer to ours beside its target; return those that were missed."""
    missed = []
    for name, target in targets.items():
        if name not in figures:
            continue
        ratio = figures[name] / figures["ours"]
        print(f"    {ratio:6.2f} × {name}, target {target:.3g} ×: ", end="")
        print("met" if ratio >= target else "missed")
        if ratio < target:
            missed.append(f"{title}: {ratio:.2f} × {name}, not {target:.3g}")
    return missed


def measure_callbacks(protocol: Protocol, data: bytes) -> list[str]:
    """Print the longest callbacks of an event loop that receives telegrams again and again.

    Returns the target if it was missed.
    """
    times = _callback_times(protocol, data)
    percentile = times[int(len(times) * 0.999)]
    print(
        f"\n{len(times)} callbacks of an event loop that reads {_TELEGRAMS} telegrams from a port"
    )
    print(
        f"  CPU time: median {times[len(times) // 2]:.3f} ms, 99.9 % below {percentile:.3f} ms, "
        f"longest {times[-1]:.3f} ms"
    )
    if percentile < _CALLBACK_TARGET_MS:
        return []
    return [f"callback: {percentile:.1f} ms, not {_CALLBACK_TARGET_MS}"]


def _callback_times(protocol: Protocol, data: bytes) -> list[float]:
    """Return the CPU time of each callback while a client listens, sorted, in ms."""
    times: list[float] = []
    done = Event()
    run = asyncio.Handle._run  # noqa: SLF001 - event loops run all callbacks here

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
        async with aclosing(create_pushed_client(protocol, path).listen()) as heard:
            async for _ in heard:
                readings += 1
                if readings == _TELEGRAMS:
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
