"""The options of a blinking meter on the simulator's command line."""

import argparse
import asyncio
from fractions import Fraction
from itertools import islice
from random import Random
import time
from typing import Final

from simulator import arguments
from simulator.household import Household
from simulator.line import Line

from .light import Light, Troubles
from .meter import BlinkingMeter, steady

#: Seconds from one look at who listens to the next, and from somebody's opening of the port until
#: nothing that comes is thrown away any more.
_LOOK: Final = 0.02
_SETTLE: Final = 1.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a meter."""
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--impulses-per-kwh",
        type=_constant,
        default=Fraction(1000),
        metavar="N",
        help="its impulse constant (default: 1000)",
    )
    meter.add_argument("--seed", type=int, default=0, help="another household")
    meter.add_argument("--no-solar", action="store_true", help="a household without panels")
    meter.add_argument("--export", action="store_true", help="flash for what is fed in")
    meter.add_argument(
        "--rate", type=_rate, metavar="HZ", help="flash so often instead, without a household"
    )
    meter.add_argument(
        "--count",
        type=arguments.positive_int,
        metavar="N",
        help="flash so often for the first program that opens the port, and end when it has gone",
    )
    meter.add_argument(
        "--flash",
        type=arguments.seconds,
        default=0.0,
        metavar="S",
        help="seconds that a flash lasts (default: no longer than a character)",
    )
    trouble = parser.add_argument_group("trouble")
    trouble.add_argument(
        "--jitter",
        type=arguments.seconds,
        default=0.0,
        metavar="S",
        help="seconds by which a flash is early or late",
    )
    trouble.add_argument(
        "--miss",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of flashes that are not seen",
    )
    trouble.add_argument(
        "--double",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of flashes that are seen twice",
    )
    trouble.add_argument(
        "--burst",
        type=arguments.positive_int,
        default=1,
        metavar="N",
        help="let so many arrive together",
    )


async def run(options: argparse.Namespace, line: Line) -> None:
    """Let a meter with these options flash on a line; say in the end how often it did."""
    troubles = Troubles(
        jitter=options.jitter,
        miss=options.miss,
        double=options.double,
        burst=options.burst,
        random=Random(options.seed),
    )
    light = Light(line, troubles, options.flash)
    name = f"{float(options.impulses_per_kwh):g} imp/kWh"
    if options.rate is not None:
        name = f"{options.rate:g} flashes per second"
    print(f"Blinking meter at {line.url}, {name}", flush=True)
    try:
        await _blink(options, light)
    finally:
        print(
            f"{light.impulses} impulses, {light.flashes} flashes seen: {light.missed} missed,"
            f" {light.doubled} doubled",
            flush=True,
        )


async def _blink(options: argparse.Namespace, light: Light) -> None:
    if options.count is not None:
        await _wait(light.line, until=True)
        await asyncio.sleep(_SETTLE)
    now = time.time()
    if options.rate is not None:
        flashes = steady(options.rate, now)
    else:
        household = Household(options.seed, solar=not options.no_solar, utc_offset=-time.timezone)
        meter = BlinkingMeter(
            household=household, per_kwh=options.impulses_per_kwh, is_export=options.export
        )
        flashes = meter.flashes(now)
    await light.blink(islice(flashes, options.count), now)
    await _wait(light.line, until=False)


async def _wait(line: Line, *, until: bool) -> None:
    # The kernel tells only when it is asked who has a port open.
    while line.listened_to is not until:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK)


def _constant(text: str) -> Fraction:
    try:
        constant = Fraction(text)
    except ValueError, ZeroDivisionError:
        constant = Fraction(0)
    if constant <= 0:
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return constant


def _rate(text: str) -> float:
    rate = arguments.seconds(text)
    if not rate:
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return rate
