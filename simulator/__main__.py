"""The simulator's command line: ``python -m simulator sml | iec62056 | dlms | blink | replay``."""

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

from . import arguments
from .blink import command as blink_command
from .dlms import command as dlms_command
from .household import Household
from .iec62056 import command
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
  %(prog)s iec62056 --pty /tmp/meter                   a meter that has to be asked
  %(prog)s dlms --pty /tmp/meter --authentication lls --password 12345678
  %(prog)s blink --pty /tmp/meter --impulses-per-kwh 1000
  %(prog)s replay telegrams.bin --pty /tmp/meter       what a real meter once said

"%(prog)s sml --help" and the like list all options. Ctrl-C ends the simulator.
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
    baudrate = options.speed(options)
    if options.pty is not None:
        return PtyLine(options.pty, baudrate)
    host, port = options.tcp
    return TcpLine(host, port, baudrate)


def _speed(options: argparse.Namespace) -> int:
    speed: int = options.baud
    return speed


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
    commands = parser.add_subparsers(
        required=True, metavar="sml | iec62056 | dlms | blink | replay"
    )

    port = argparse.ArgumentParser(add_help=False)
    group = port.add_argument_group("port")
    where = group.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--pty", type=Path, metavar="PATH", help="serial port to make, as a link at this path"
    )
    where.add_argument(
        "--tcp",
        type=arguments.address,
        metavar="HOST:PORT",
        help="address to listen at, as a bridge does",
    )
    speed = argparse.ArgumentParser(add_help=False)
    speed.add_argument_group("speed").add_argument(
        "--baud",
        type=arguments.positive_int,
        default=9600,
        help="speed of the line (default: 9600)",
    )

    sml = commands.add_parser(
        "sml",
        parents=[port, speed],
        help="a meter that pushes SML telegrams",
        description="A meter with an optical port that pushes an SML telegram each second, in\n"
        "front of a household with solar panels. The same seed is the same household,\n"
        "and its totals go on when the simulator is started again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sml.set_defaults(run=_sml, speed=_speed)
    meter = sml.add_argument_group("meter")
    meter.add_argument(
        "--style",
        type=Style,
        choices=list(Style),
        default=Style.FNN,
        help="fnn: a modern meter; edl: one of 2010, which tells direction only in its status word",
    )
    meter.add_argument(
        "--serial", type=arguments.serial, default=12_345_678, help="number of the meter"
    )
    meter.add_argument("--seed", type=int, default=0, help="another household")
    solar = meter.add_mutually_exclusive_group()
    solar.add_argument("--no-solar", action="store_true", help="a household without panels")
    solar.add_argument(
        "--only-solar",
        action="store_true",
        help="the panels' own meter, which counts what they give",
    )
    meter.add_argument(
        "--interval",
        type=arguments.seconds,
        default=1.0,
        metavar="S",
        help="seconds between telegrams",
    )
    meter.add_argument(
        "--pin-locked", action="store_true", help="whole kWh only and no power, as without PIN"
    )
    trouble = sml.add_argument_group("trouble")
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
        help="say nothing from so many seconds on",
    )
    trouble.add_argument(
        "--silent-for",
        type=arguments.seconds,
        default=math.inf,
        metavar="S",
        help="... but only for so long (default: for ever)",
    )
    trouble.add_argument(
        "--restart-total-after",
        type=arguments.seconds,
        metavar="S",
        help="begin again at 0 kWh after so many seconds, as a new meter",
    )

    iec62056 = commands.add_parser(
        "iec62056",
        parents=[port],
        help="a meter that speaks IEC 62056-21",
        description="A meter with an optical port that is asked for its readout, or sends it by\n"
        "itself (mode D), in front of a household with solar panels. The same seed is the\n"
        "same household, and its totals go on when the simulator is started again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    iec62056.set_defaults(run=command.run, speed=command.first_speed)
    command.add_options(iec62056)

    dlms = commands.add_parser(
        "dlms",
        parents=[port],
        help="a meter that speaks DLMS/COSEM",
        description="A meter that is asked by DLMS/COSEM, or pushes its values by itself, in\n"
        "front of a household with solar panels, with keys or without. The same seed is the same\n"
        "household, and its totals go on when the simulator is started again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    dlms.set_defaults(run=dlms_command.run, speed=dlms_command.first_speed)
    dlms_command.add_options(dlms)

    blink = commands.add_parser(
        "blink",
        parents=[port, speed],
        help="a meter whose light flashes",
        description="A meter that says nothing but flashes for each impulse, in front of a\n"
        "household with solar panels, seen at the receive line of a serial port. In the end it\n"
        "says how often it has flashed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    blink.set_defaults(run=blink_command.run, speed=_speed)
    blink_command.add_options(blink)

    again = commands.add_parser(
        "replay",
        parents=[port, speed],
        help="a captured stream",
        description="Send a captured stream to the first program that opens the port. Ends when\n"
        "that program has closed it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    again.set_defaults(run=_replay, speed=_speed)
    again.add_argument("file", type=Path, metavar="FILE", help="the bytes to send")
    again.add_argument("--loop", action="store_true", help="begin again at the end, for ever")
    return parser


if __name__ == "__main__":
    sys.exit(main())
