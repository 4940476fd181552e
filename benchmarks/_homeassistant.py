"""The figures of scripts/benchmark homeassistant, in the environment of Home Assistant.

SML meters send a telegram each second at the speed of their line; each number of meters,
integration and publish interval gets a new Home Assistant, whose CPU time and memory without meters
are subtracted.
"""

from argparse import ArgumentParser
import asyncio
from collections.abc import Mapping
from math import inf
from statistics import median
import sys
from typing import Final, NamedTuple

from benchmarks._homeassistant_run import BAUDRATE, IS_QUICK, START, WINDOW, Case, Cost, Result, run

_METERS: Final = (1,) if IS_QUICK else (1, 10, 25)
#: The number of meters that targets are for.
_JUDGED: Final = 10
_IDLE: Final = Case("onemeter", 0, 10)
_NOT_MEASURED: Final = Result(0, None, Cost(0, 0, 0, [], 0, 0))

#: Targets: CPU time in ms per meter and second, lateness in ms, share of the CPU time of edl21.
_STILL_TARGET: Final = 0.9
_CHANGING_TARGET: Final = 1.6
_SHARE_TARGET: Final = 0.25
_LATENESS_TARGET: Final = 1


def _cases() -> list[Case]:
    """Return what is measured."""
    ways = [("onemeter", 1), ("onemeter", 10), ("edl21", 1)]
    if IS_QUICK:
        ways = [("onemeter", 1), ("edl21", 1)]
    return [Case(domain, meters, interval) for meters in _METERS for domain, interval in ways]


def _title(case: Case) -> str:
    number = f"{case.meters} meter{'s' if case.meters > 1 else ''}"
    if case.domain == "edl21":
        return f"{number}, edl21"
    return f"{number}, OneMeter each {case.interval} s"


class Figures(NamedTuple):
    """What is judged of a case: CPU time in ms per meter and second, and the lateness."""

    still: float
    changing: float
    cost: Cost


async def _measure_all() -> Mapping[Case, Figures]:
    """Measure one case after the other; in a quick run all together."""
    idle = _NOT_MEASURED if IS_QUICK else await run(_IDLE)
    print(
        f"Home Assistant without meters: {idle.changing.cpu:.2f} ms CPU per second and "
        f"{idle.changing.memory:.0f} MB, subtracted below",
        flush=True,
    )
    cases = _cases()
    turns = asyncio.Semaphore(len(cases) if IS_QUICK else 1)

    async def measure(case: Case) -> Figures:
        async with turns:
            return _print(case, await run(case), idle)

    figures = await asyncio.gather(*(measure(case) for case in cases))
    return dict(zip(cases, figures, strict=True))


def _print(case: Case, result: Result, idle: Result) -> Figures:
    """Print a case, and return what is judged of it."""
    cost = result.changing
    changing, still = (
        inf if window is None else (window.cpu - idle.changing.cpu) / case.meters
        for window in (cost, result.still)
    )
    text = f", {still:.2f} with nothing changing" if result.still is not None else ""
    print(
        f"\n{_title(case)}\n"
        f"  CPU ms per meter and second: {changing:.2f}{text}\n"
        f"  database {cost.growth / case.meters:.2f} MB per hour and meter; memory "
        f"{cost.memory - idle.changing.memory:.1f} MB in all; set up "
        f"{result.start - idle.start:.1f} s later than without meters",
        flush=True,
    )
    if cost.lateness:
        unseen = f"; {cost.unseen} of {cost.telegrams} telegrams never shown"
        print(
            f"  last byte to state: median {median(cost.lateness):.1f} ms, longest "
            f"{cost.lateness[-1]:.1f} ms{unseen if case.interval == 1 else ''}",
            flush=True,
        )
    return Figures(still, changing, cost)


def _judged(title: str, figure: float, target: float, unit: str) -> list[str]:
    """Print a figure beside its target; return it if it was missed."""
    is_met = figure <= target
    text = f"{title}: {figure:.2f} {unit}, target {target:g}"
    print(f"  {text}: {'met' if is_met else 'missed'}")
    return [] if is_met else [text]


def _judge(found: Mapping[Case, Figures]) -> list[str]:
    """Print the figures that have targets; return the targets that were missed."""
    each_second = found[Case("onemeter", _JUDGED, 1)]
    edl21 = found[Case("edl21", _JUDGED, 1)]
    cost = each_second.cost
    first, last = min(_METERS), max(_METERS)
    memory = {
        domain: found[Case(domain, last, 1)].cost.memory - found[Case(domain, first, 1)].cost.memory
        for domain in ("onemeter", "edl21")
    }
    further = ", ".join(f"{name} {mb / (last - first):.2f} MB" for name, mb in memory.items())
    print(f"\nMemory of each further meter: {further}")
    print(f"\nTargets, {_JUDGED} meters, publishing each second")
    return [
        *_judged("nothing changing", each_second.still, _STILL_TARGET, "ms"),
        *_judged("changing", each_second.changing, _CHANGING_TARGET, "ms"),
        *_judged("nothing changing, of edl21", each_second.still / edl21.still, _SHARE_TARGET, "×"),
        *_judged("changing, of edl21", each_second.changing / edl21.changing, _SHARE_TARGET, "×"),
        *_judged("median lateness", median(cost.lateness or [inf]), _LATENESS_TARGET, "ms"),
        *_judged("telegrams never shown", cost.unseen, 0, "telegrams"),
    ]


def main() -> int:
    """Measure and print everything; return 1 if a target was missed in a full run."""
    parser = ArgumentParser(prog="scripts/benchmark homeassistant", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="start each integration once")
    parser.parse_args()
    print(f"SML meters at {BAUDRATE} baud, a telegram each second; windows of {WINDOW} s")
    try:
        found = asyncio.run(_measure_all())
    except TimeoutError:
        print(f"This machine is too slow: not set up within {START} s")
        return not IS_QUICK
    if IS_QUICK:
        print("\nA quick run only checks that every part works: ignore its figures.")
        return 0
    missed = _judge(found)
    print("\nTargets:", "; ".join(missed) or "all met")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
