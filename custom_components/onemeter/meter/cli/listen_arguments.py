"""The arguments of the command that receives from a meter: listen."""

import argparse

from ..blink.counter import ImpulseCounter
from ..blink.settings import BlinkSettings
from ..protocols import PUSHED_LINE
from .blink_arguments import add_blink, blink_of
from .shared_arguments import above_zero, add_keys, add_port, add_protocol, refuse


def add_listen(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``listen``."""
    add_protocol(parser, PUSHED_LINE)
    add_port(
        parser, "sml, blink: 9600 8N1; iec62056: 9600 7E1; dlms: 2400 8E1; P1 ports need 115200"
    )
    add_keys(parser)
    add_blink(parser)
    parser.add_argument("--count", type=above_zero(int), metavar="N", help="end after N readings")
    parser.add_argument(
        "--seconds", type=above_zero(float), metavar="S", help="end after S seconds"
    )


def impulses_of(options: argparse.Namespace) -> tuple[BlinkSettings, ImpulseCounter]:
    """Return the BLINK settings of the options, and a counter that begins with them.

    Raises SystemExit with status 2 without an impulse constant, or with one out of range.
    """
    try:
        return blink_of(options)
    except ValueError as err:
        refuse(err)
