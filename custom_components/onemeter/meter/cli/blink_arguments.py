"""The arguments for BLINK."""

import argparse
from decimal import Decimal, InvalidOperation

from ..blink.constant import ImpulseConstant
from ..blink.counter import MAX_POWER, ImpulseCounter
from ..blink.settings import BlinkSettings, Source


def add_blink(parser: argparse.ArgumentParser) -> None:
    """Add the options for the impulse constant and the source of impulses."""
    group = parser.add_argument_group("blink")
    constant = group.add_mutually_exclusive_group()
    constant.add_argument(
        "--impulses-per-kwh",
        type=_number,
        metavar="N",
        help="the impulse constant printed on the meter, 0.01 to 1000000 imp/kWh",
    )
    constant.add_argument(
        "--wh-per-impulse", type=_number, metavar="WH", help="the same as Wh per impulse"
    )
    group.add_argument(
        "--source",
        type=Source,
        choices=list(Source),
        default=Source.RX,
        help="rx: each byte received is a flash (default); long: flashes last longer than a"
        " character, up to 10 per second; otherwise the modem line that the LED switches",
    )
    group.add_argument(
        "--edges",
        type=int,
        choices=(1, 2),
        help="edges that each impulse has at the source (default: rx, long, ri: 1; others: 2)",
    )
    group.add_argument("--export", action="store_true", help="the impulses are exported energy")
    group.add_argument(
        "--max-power",
        type=_watts,
        default=MAX_POWER,
        metavar="W",
        help=f"maximum power of the connection; faster flashes are rejected (default: {MAX_POWER})",
    )
    group.add_argument(
        "--reading",
        type=_number,
        default=Decimal(0),
        metavar="KWH",
        help="reading of the meter's display at the start (default: 0)",
    )


def blink_of(options: argparse.Namespace) -> tuple[BlinkSettings, ImpulseCounter]:
    """Return the BLINK settings of the options, and a counter that begins with them.

    Raises ValueError without an impulse constant, or with one out of range.
    """
    if options.impulses_per_kwh is not None:
        constant = ImpulseConstant.per_kwh(options.impulses_per_kwh)
    elif options.wh_per_impulse is not None:
        constant = ImpulseConstant.watt_hours(options.wh_per_impulse)
    else:
        raise ValueError("blink needs --impulses-per-kwh or --wh-per-impulse")
    source: Source = options.source
    counter = ImpulseCounter(
        constant,
        edges=options.edges or source.edges,
        max_power=options.max_power,
        offset=options.reading,
    )
    return BlinkSettings(source=source, is_export=options.export), counter


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number


def _watts(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of watts")
    return int(text)
