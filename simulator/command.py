"""A command of the simulator's command line, and the options that several commands share."""

import argparse
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from . import arguments
from .line import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its texts, its options, and what it runs."""

    name: str
    #: For the list of commands.
    summary: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]
    #: Return the speed of the line in baud when it is opened; the meter may change it.
    first_speed: Callable[[argparse.Namespace], int]
    run: Callable[[argparse.Namespace, Line], Coroutine[None, None, None]]


def add_baud(parser: argparse.ArgumentParser) -> None:
    """Add the speed of a line that keeps it; ``baud`` is its ``first_speed``."""
    parser.add_argument_group("speed").add_argument(
        "--baud",
        type=arguments.positive_int,
        default=9600,
        help="speed of the line (default: 9600)",
    )


def baud(options: argparse.Namespace) -> int:
    """Return the speed that ``add_baud`` has added."""
    speed: int = options.baud
    return speed


def add_household(group: argparse._ArgumentGroup) -> None:
    """Add the options of the household that a meter measures."""
    group.add_argument("--seed", type=int, default=0, help="another household for each number")
    group.add_argument("--no-solar", action="store_true", help="a household without solar panels")


def add_interval(group: argparse._ArgumentGroup, seconds: float) -> None:
    """Add the interval of pushed telegrams, with its default."""
    group.add_argument(
        "--interval",
        type=arguments.seconds,
        default=seconds,
        metavar="S",
        help=f"seconds between pushed telegrams (default: {seconds:g})",
    )
