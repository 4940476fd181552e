"""The simulator's command line: ``python -m simulator sml | iec62056 | dlms | blink | replay``."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
import signal
import sys
from typing import Final

from . import arguments, replay
from .blink import command as blink
from .dlms import command as dlms
from .iec62056 import command as iec62056
from .line import Line
from .pty import PtyLine
from .sml import command as sml
from .tcp import TcpLine

_COMMANDS: Final = (sml.COMMAND, iec62056.COMMAND, dlms.COMMAND, blink.COMMAND, replay.COMMAND)

_PROGRAM: Final = "simulate"
_EXAMPLES: Final = """\
examples:
  %(prog)s sml --pty /tmp/meter                        a meter at a serial port
  %(prog)s sml --tcp 127.0.0.1:5000 --lose 0.001       ... behind a bridge, with a bad probe
  %(prog)s iec62056 --pty /tmp/meter                   a meter that is polled
  %(prog)s dlms --pty /tmp/meter --authentication lls --password 12345678
  %(prog)s blink --pty /tmp/meter --impulses-per-kwh 1000
  %(prog)s replay telegrams.bin --pty /tmp/meter       the captured bytes of a real meter

"%(prog)s sml --help" lists all options of "sml", and so on. Ctrl-C ends the simulator.
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
    baudrate = options.first_speed(options)
    if options.pty is not None:
        return PtyLine(options.pty, baudrate)
    host, port = options.tcp
    return TcpLine(host, port, baudrate)


async def _until_stopped(command: Coroutine[None, None, None], line: Line) -> None:
    """Run a command with its line open until it ends or a signal stops the process."""
    task = asyncio.ensure_future(command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        async with line:
            await task


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"scripts/{_PROGRAM}",
        description="Simulates electricity meters at a serial port or a TCP port, at the speed of\n"
        "a real meter's line.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        required=True, metavar=" | ".join(command.name for command in _COMMANDS)
    )
    for command in _COMMANDS:
        command_parser = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command_parser.set_defaults(run=command.run, first_speed=command.first_speed)
        _add_port(command_parser)
        command.add_options(command_parser)
    return parser


def _add_port(parser: argparse.ArgumentParser) -> None:
    port = parser.add_argument_group("port").add_mutually_exclusive_group(required=True)
    port.add_argument(
        "--pty",
        type=Path,
        metavar="PATH",
        help="create a serial port; PATH becomes a symbolic link to it",
    )
    port.add_argument(
        "--tcp",
        type=arguments.address,
        metavar="HOST:PORT",
        help="listen at this address, as a network bridge does",
    )


if __name__ == "__main__":
    sys.exit(main())
