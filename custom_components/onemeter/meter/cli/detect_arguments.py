"""The arguments of the command that finds out which meter is at a port: detect."""

import argparse


def add_detect(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``detect``."""
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="a path such as /dev/ttyUSB0, or socket://host:port, rfc2217://…, esphome://…",
    )
    parser.add_argument(
        "--country",
        type=_country,
        metavar="CODE",
        help="two letters, such as DE: which meters are usual, and so where to begin and for how"
        " long nothing is sent (default: as in Germany, where light may press a meter's key)",
    )


def _country(text: str) -> str:
    if len(text) != len("DE") or not (text.isascii() and text.isalpha()):
        raise argparse.ArgumentTypeError(f"{text!r} is no code of two letters")
    return text.upper()
