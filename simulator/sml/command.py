"""The command of an SML meter."""

import argparse
import math
from random import Random
import time
from typing import Final

from simulator import arguments
from simulator.command import Command, add_baud, add_interval, baud
from simulator.household import Household
from simulator.line import Line
from simulator.push import Troubles, push

from .meter import SmlMeter, Style


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_baud(parser)
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--style",
        type=Style,
        choices=list(Style),
        default=Style.FNN,
        help="fnn: a modern meter; edl: one of 2010, with the direction in its status word only"
        " (default: fnn)",
    )
    meter.add_argument(
        "--serial",
        type=arguments.serial,
        default=12_345_678,
        help="serial number (default: 12345678)",
    )
    meter.add_argument("--seed", type=int, default=0, help="another household for each number")
    solar = meter.add_mutually_exclusive_group()
    solar.add_argument("--no-solar", action="store_true", help="a household without solar panels")
    solar.add_argument(
        "--only-solar",
        action="store_true",
        help="the meter of the solar panels alone, which counts their generation",
    )
    add_interval(meter, 1)
    meter.add_argument(
        "--pin-locked",
        action="store_true",
        help="whole kWh and no power, as before the PIN is entered",
    )
    _add_troubles(parser.add_argument_group("trouble"))


def _add_troubles(trouble: argparse._ArgumentGroup) -> None:
    trouble.add_argument(
        "--noise",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of bytes that are changed",
    )
    trouble.add_argument(
        "--lose",
        type=arguments.rate,
        default=0.0,
        metavar="RATE",
        help="share of bytes that are lost",
    )
    trouble.add_argument(
        "--silent-after",
        type=arguments.seconds,
        metavar="S",
        help="send nothing from this second on",
    )
    trouble.add_argument(
        "--silent-for",
        type=arguments.seconds,
        default=math.inf,
        metavar="S",
        help="... for this number of seconds (default: for ever)",
    )
    trouble.add_argument(
        "--restart-total-after",
        type=arguments.seconds,
        metavar="S",
        help="restart the totals at 0 kWh after this number of seconds, as a new meter does",
    )


async def _run(options: argparse.Namespace, line: Line) -> None:
    started = int(time.time())
    meter = SmlMeter(
        household=Household(
            options.seed,
            appliances=not options.only_solar,
            solar=not options.no_solar,
            utc_offset=-time.timezone,
        ),
        serial=options.serial,
        style=options.style,
        locked=options.pin_locked,
        restart=(
            None
            if options.restart_total_after is None
            else started + int(options.restart_total_after)
        ),
    )
    silences = []
    if options.silent_after is not None:
        silences.append((options.silent_after, options.silent_after + options.silent_for))
    troubles = Troubles(
        noise=options.noise,
        lose=options.lose,
        silences=silences,
        random=Random(options.seed),
    )
    print(f"SML meter {meter.name} at {line.url}, {options.baud} baud", flush=True)
    await push(line, meter.telegram, interval=options.interval, troubles=troubles)


COMMAND: Final = Command(
    name="sml",
    summary="a meter that pushes SML telegrams",
    description="A meter that pushes an SML telegram each second through its optical port. It\n"
    "measures a household with solar panels. The same seed gives the same household,\n"
    "and the totals continue when the simulator is started again.",
    add_options=_add_options,
    first_speed=baud,
    run=_run,
)
