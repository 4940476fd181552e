"""The parser of the command line, with one subparser for each command."""

import argparse
from typing import Final, NoReturn, override

from .decode_arguments import add_decode
from .detect_arguments import add_detect
from .listen_arguments import add_listen
from .polled_arguments import add_objects, add_profile, add_read

EPILOG: Final = """\
examples:
  %(prog)s decode --protocol sml capture.bin
  cat capture.bin | %(prog)s decode --protocol iec62056 -
  %(prog)s detect --port /dev/ttyUSB0 --country DE
  %(prog)s listen --protocol sml --port /dev/ttyUSB0
  %(prog)s listen --protocol sml --port socket://192.168.1.20:3333 --count 1
  %(prog)s listen --protocol sml --port rfc2217://192.168.1.20:2217 --dtr high --rts low
  %(prog)s read --protocol iec62056 --port /dev/ttyUSB0
  %(prog)s read --protocol iec62056 --port /dev/ttyUSB0 --register 1.7.0 --register 1.8.0
  %(prog)s profile --protocol iec62056 --port /dev/ttyUSB0 --from 2026-11-01 --to 2026-11-02
  %(prog)s decode --protocol dlms --encryption-key @guek.txt capture.bin
  %(prog)s listen --protocol dlms --port /dev/ttyUSB0 --encryption-key @guek.txt
  %(prog)s read --protocol dlms --port /dev/ttyUSB0 --client 1 --password @password.txt
  %(prog)s objects --protocol dlms --port socket://192.168.1.20:4059
  %(prog)s listen --protocol blink --port /dev/ttyUSB0 --impulses-per-kwh 1000

Each reading, and each row of a load profile, is one line of JSON on standard output. The last line
on standard error counts the telegrams: good ones gave a reading, damaged ones were rejected, other
ones contained no reading; with dlms also those whose key is missing or wrong. With blink, good are
the impulses counted, and other are those that came too fast to be impulses.

exit status:
  0  at least one reading, or a meter found
  1  no reading, or no meter
  2  wrong usage
"""


class _Parser(argparse.ArgumentParser):
    """Does not repeat unrecognized arguments, which may be a part of a key."""

    @override
    def error(self, message: str) -> NoReturn:
        head, found, _ = message.partition("unrecognized arguments:")
        if found:
            message = f"{head}unrecognized arguments (what contains blanks needs quotes)"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = _Parser(
        prog="scripts/onemeter",
        description="Read an electricity meter, or decode what one has sent.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_decode(
        commands.add_parser(
            "decode",
            help="decode a file of received bytes",
            description="Decode a file of received bytes: one line of JSON for each reading.",
        )
    )
    add_detect(
        commands.add_parser(
            "detect",
            help="find out which meter is at a port, and how it is read",
            description="Find out which meter is at a port, and how it is read: one JSON object."
            " Listens first, and asks only if nothing comes.",
        )
    )
    add_listen(
        commands.add_parser(
            "listen",
            help="receive from a meter that pushes telegrams, or count its impulses",
            description="Receive from a meter that pushes telegrams, or count its impulses: one"
            " line of JSON for each reading, until Ctrl-C.",
        )
    )
    add_read(
        commands.add_parser(
            "read",
            help="poll a meter for all its registers, or for some of them",
            description="Poll a meter: one line of JSON, with its duration in seconds.",
        )
    )
    add_profile(
        commands.add_parser(
            "profile",
            help="poll a meter for its load profile",
            description="Poll a meter for its load profile: one line of JSON for each interval.",
        )
    )
    add_objects(
        commands.add_parser(
            "objects",
            help="poll a DLMS meter for all its objects",
            description="Poll a DLMS meter for all its objects with their values: one line of JSON"
            " for each.",
        )
    )
    return root
