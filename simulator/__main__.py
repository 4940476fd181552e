"""The simulator's command line: ``python -m simulator sml | replay``."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import suppress
import math
from pathlib import Path
from random import Random
import signal
import sys
import time

from .household import Household
from .line import Line
from .pty import PtyLine
from .sml.meter import SmlMeter, Style
from .speak import Troubles, push, replay
from .tcp import TcpLine

_PROGRAM = "simulate"
_EXAMPLES = """\
examples:
  %(prog)s sml --pty /tmp/meter                        a meter at a serial port
  %(prog)s sml --tcp 127.0.0.1:5000 --lose 0.001       ... behind a bridge, with a bad probe
  %(prog)s replay telegrams.bin --pty /tmp/meter       what a real meter once said

"%(prog)s sml --help" lists all options. Ctrl-C ends the simulator.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    line = _line(options)
    try:
        asyncio.run(_until_stopped(options.run(options, line), line))
    except OSError as error:
        print(f"{_PROGRAM}: {error.filename or line.url}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _line(options: argparse.Namespace) -> Line:
    if options.pty is not None:
        return PtyLine(options.pty, options.baud)
    host, port = options.tcp
    return TcpLine(host, port, options.baud)


async def _until_stopped(speaking: Coroutine[None, None, None], line: Line) -> None:
    """Let a meter speak until it has said all, or somebody stops the process."""
    task = asyncio.ensure_future(speaking)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        async with line:
            await task


async def _sml(options: argparse.Namespace, line: Line) -> None:
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


async def _replay(options: argparse.Namespace, line: Line) -> None:
    data = options.file.read_bytes()
    print(f"{options.file.name}, {len(data)} bytes, at {line.url}, {options.baud} baud", flush=True)
    await replay(line, data, loop=options.loop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Electricity meters without electricity: at a serial port or a TCP port,\n"
        "at the speed of a real meter's line.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="sml | replay")

    port = argparse.ArgumentParser(add_help=False)
    group = port.add_argument_group("port")
    where = group.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--pty", type=Path, metavar="PATH", help="serial port to make, as a link at this path"
    )
    where.add_argument(
        "--tcp", type=_address, metavar="HOST:PORT", help="address to listen at, as a bridge does"
    )
    group.add_argument(
        "--baud", type=_positive_int, default=9600, help="speed of the line (default: 9600)"
    )

    sml = commands.add_parser(
        "sml",
        parents=[port],
        help="a meter that pushes SML telegrams",
        description="A meter with an optical port that pushes an SML telegram each second, in\n"
        "front of a household with solar panels. The same seed is the same household,\n"
        "and its totals go on when the simulator is started again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sml.set_defaults(run=_sml)
    meter = sml.add_argument_group("meter")
    meter.add_argument(
        "--style",
        type=Style,
        choices=list(Style),
        default=Style.FNN,
        help="fnn: a modern meter; edl: one of 2010, which tells direction only in its status word",
    )
    meter.add_argument("--serial", type=_serial, default=12_345_678, help="number of the meter")
    meter.add_argument("--seed", type=int, default=0, help="another household")
    solar = meter.add_mutually_exclusive_group()
    solar.add_argument("--no-solar", action="store_true", help="a household without panels")
    solar.add_argument(
        "--only-solar",
        action="store_true",
        help="the panels' own meter, which counts what they give",
    )
    meter.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="S", help="seconds between telegrams"
    )
    meter.add_argument(
        "--pin-locked", action="store_true", help="whole kWh only and no power, as without PIN"
    )
    trouble = sml.add_argument_group("trouble")
    trouble.add_argument(
        "--noise", type=_rate, default=0.0, metavar="RATE", help="share of bytes that are changed"
    )
    trouble.add_argument(
        "--lose", type=_rate, default=0.0, metavar="RATE", help="share of bytes that are lost"
    )
    trouble.add_argument(
        "--silent-after", type=_seconds, metavar="S", help="say nothing from so many seconds on"
    )
    trouble.add_argument(
        "--silent-for",
        type=_seconds,
        default=math.inf,
        metavar="S",
        help="... but only for so long (default: for ever)",
    )
    trouble.add_argument(
        "--restart-total-after",
        type=_seconds,
        metavar="S",
        help="begin again at 0 kWh after so many seconds, as a new meter",
    )

    again = commands.add_parser(
        "replay",
        parents=[port],
        help="a captured stream",
        description="Send a captured stream to the first program that opens the port. Ends when\n"
        "that program has closed it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    again.set_defaults(run=_replay)
    again.add_argument("file", type=Path, metavar="FILE", help="the bytes to send")
    again.add_argument("--loop", action="store_true", help="begin again at the end, for ever")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"not HOST:PORT: {text}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _positive_int(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return int(text)


def _serial(text: str) -> int:
    if not text.isdecimal() or len(text) > 8:
        raise argparse.ArgumentTypeError(f"not a number of up to eight digits: {text}")
    return int(text)


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate <= 1:
        raise argparse.ArgumentTypeError(f"not between 0 and 1: {text}")
    return rate


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"not a time in seconds: {text}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
