"""The command of a meter of which only the LED is read."""

import argparse
import asyncio
from fractions import Fraction
from itertools import islice
from random import Random
import time
from typing import Final

from simulator import arguments
from simulator.command import Command, add_baud, add_household, baud
from simulator.household import Household
from simulator.line import Line

from .light import Light, Troubles
from .meter import BlinkingMeter, steady

#: Seconds from one check whether a program has the port open to the next.
_POLL_SECONDS: Final = 0.02
#: Seconds in which a program that has opened the port may still discard what it receives.
_SETTLE_SECONDS: Final = 1.0


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_baud(parser)
    _add_meter(parser)
    _add_troubles(parser)


def _add_meter(parser: argparse.ArgumentParser) -> None:
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--impulses-per-kwh",
        type=_constant,
        default=Fraction(1000),
        metavar="N",
        help="impulse constant (default: 1000)",
    )
    add_household(meter)
    meter.add_argument("--export", action="store_true", help="flash for exported energy")
    meter.add_argument(
        "--rate",
        type=_rate,
        metavar="HZ",
        help="flash at a constant rate instead of measuring a household",
    )
    meter.add_argument(
        "--count",
        type=arguments.positive_int,
        metavar="N",
        help="start when a program opens the port, flash N times, end when it closes the port",
    )
    meter.add_argument(
        "--flash",
        type=arguments.seconds,
        default=0.0,
        metavar="S",
        help="duration of a flash in seconds (default: shorter than a character)",
    )


def _add_troubles(parser: argparse.ArgumentParser) -> None:
    trouble = parser.add_argument_group("trouble")
    trouble.add_argument(
        "--jitter",
        type=arguments.seconds,
        default=0.0,
        metavar="S",
        help="seconds by which a flash is early or late at most",
    )
    trouble.add_argument(
        "--miss",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of flashes that are not received",
    )
    trouble.add_argument(
        "--double",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of flashes that are received twice",
    )
    trouble.add_argument(
        "--burst",
        type=arguments.positive_int,
        default=1,
        metavar="N",
        help="number of flashes that arrive together (default: 1)",
    )


async def _run(options: argparse.Namespace, line: Line) -> None:
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
        await asyncio.sleep(_SETTLE_SECONDS)
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
    while line.listened_to is not until:  # noqa: ASYNC110  lines have no event for it
        await asyncio.sleep(_POLL_SECONDS)


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


COMMAND: Final = Command(
    name="blink",
    summary="a meter whose LED flashes",
    description="A meter that sends no data, but whose LED flashes for each impulse, received at\n"
    "the RX line of a serial port. It measures a household with solar panels. At the end\n"
    "it prints the number of flashes.",
    add_options=_add_options,
    first_speed=baud,
    run=_run,
)
