"""The arguments of the command that decodes a file: decode."""

import argparse
from io import BufferedReader
import sys

from ..protocols import Protocol
from .shared_arguments import add_keys, add_protocol, add_time_zone


def add_decode(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``decode``."""
    add_protocol(parser, [protocol for protocol in Protocol if protocol is not Protocol.BLINK])
    parser.add_argument(
        "--object",
        choices=("telegram", "body", "profile"),
        default="telegram",
        help="what the file contains: telegrams as received (default); sml: the messages of one"
        " telegram without transport layer, as some gateways deliver them; iec62056: a load"
        " profile or event log",
    )
    add_time_zone(parser)
    add_keys(parser)
    parser.add_argument("file", type=_file, metavar="FILE", help="the file; - is standard input")


def _file(path: str) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb")  # noqa: PTH123
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{path}: {err.strerror}") from err
