"""The arguments of the command line, and what they ask for."""

import argparse
from collections.abc import Callable
from datetime import datetime
from io import BufferedReader
import math
import os
from pathlib import Path
import sys
from typing import Final, NoReturn, override
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..blink.counter import ImpulseCounter
from ..blink.settings import BlinkSettings
from ..dlms.security.counters import InvocationCounter
from ..dlms.settings import DlmsSettings, Keys, parse_key
from ..errors import KeyFormatError
from ..iec62056.settings import SignOn, is_acknowledgement, is_address, is_password, is_register
from ..line import Framing, LineSettings
from ..protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .blink_arguments import add_blink, blink_of
from .dlms_arguments import add_dlms, counter_of, dlms_settings_of

_EXAMPLES = """\
examples:
  onemeter decode --protocol sml capture.bin
  cat capture.bin | onemeter decode --protocol iec62056 -
  onemeter listen --protocol sml --port /dev/ttyUSB0
  onemeter listen --protocol sml --port socket://192.168.1.20:3333 --count 1
  onemeter listen --protocol sml --port rfc2217://192.168.1.20:2217 --dtr high --rts low
  onemeter read --protocol iec62056 --port /dev/ttyUSB0
  onemeter read --protocol iec62056 --port /dev/ttyUSB0 --register 1.7.0 --register 1.8.0
  onemeter profile --protocol iec62056 --port /dev/ttyUSB0 --from 2026-11-01 --to 2026-11-02
  onemeter decode --protocol dlms --encryption-key @guek.txt capture.bin
  onemeter listen --protocol dlms --port /dev/ttyUSB0 --encryption-key @guek.txt
  onemeter read --protocol dlms --port /dev/ttyUSB0 --client 1 --password @password.txt
  onemeter objects --protocol dlms --port socket://192.168.1.20:4059
  onemeter listen --protocol blink --port /dev/ttyUSB0 --impulses-per-kwh 1000

Each reading is one line of JSON on standard output, each row of a load profile too. The last line
on standard error counts the telegrams that became a reading, that arrived damaged, and that were
something other than a reading; with dlms, also those that a key is missing or wrong for. With
blink they are the impulses that were counted, none, and those that came too fast to be any.

exit status:
  0  at least one reading
  1  no reading
  2  wrong usage
"""
_LEVELS = {"high": True, "low": False}
#: Where keys are looked for that the arguments do not hold, by their name among the options.
_KEY_VARIABLES: Final = {
    "encryption_key": "ONEMETER_ENCRYPTION_KEY",
    "authentication_key": "ONEMETER_AUTHENTICATION_KEY",
}


class _Parser(argparse.ArgumentParser):
    """Complains about arguments without repeating what may be a part of a key."""

    @override
    def error(self, message: str) -> NoReturn:
        head, found, _ = message.partition("unrecognized arguments:")
        if found:
            message = f"{head}unrecognized arguments (what has blanks needs quotes)"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = _Parser(
        prog="onemeter",
        description="Read an electricity meter, or decode what one sent.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    decode = commands.add_parser(
        "decode",
        help="decode a file of received bytes",
        description="Decode a file of received bytes: one line of JSON for each reading.",
    )
    _add_protocol(decode, *(protocol for protocol in Protocol if protocol is not Protocol.BLINK))
    decode.add_argument(
        "--object",
        choices=("telegram", "body", "profile"),
        default="telegram",
        help="what the file holds: telegrams with all that is around them (default); sml: the"
        " messages of one telegram without transport layer, as some gateways deliver them;"
        " iec62056: a load profile or event log",
    )
    _add_time_zone(decode)
    _add_keys(decode)
    decode.add_argument("file", type=_file, metavar="FILE", help="the file; - is standard input")

    listen = commands.add_parser(
        "listen",
        help="listen at a port to a meter that sends by itself",
        description="Listen at a port to a meter that sends by itself: one line of JSON for each"
        " reading, until Ctrl-C.",
    )
    _add_protocol(listen, *PUSHED_LINE)
    _add_port(listen, "sml, blink: 9600 8N1, iec62056: 9600 7E1, dlms: 2400 8E1; P1 ports: 115200")
    _add_keys(listen)
    add_blink(listen)
    listen.add_argument("--count", type=_above_zero(int), metavar="N", help="end after N readings")
    listen.add_argument(
        "--seconds", type=_above_zero(float), metavar="S", help="end after S seconds"
    )

    read = commands.add_parser(
        "read",
        help="ask a meter for its readout, or for single registers",
        description="Ask a meter for its readout: one line of JSON, with the seconds that it took.",
    )
    _add_polled(read)
    read.add_argument(
        "--register",
        type=_sendable(is_register),
        action="append",
        default=[],
        metavar="CODE",
        help="read just this register, such as 1.8.0 (iec62056, in programming mode) or"
        " 1-0:1.8.0*255 (dlms); may be given again",
    )

    profile = commands.add_parser(
        "profile",
        help="ask a meter for its load profile",
        description="Ask a meter for its load profile: one line of JSON for each interval.",
    )
    _add_polled(profile)
    for name, target in (("--from", "start"), ("--to", "end")):
        profile.add_argument(
            name,
            dest=target,
            type=_time,
            required=True,
            metavar="T",
            help="2026-11-01 or 2026-11-01T12:15, as the meter's clock counts",
        )
    _add_time_zone(profile)

    objects = commands.add_parser(
        "objects",
        help="ask a DLMS meter for all that it has",
        description="Ask a DLMS meter for all objects that it has, with their values: one line of"
        " JSON for each.",
    )
    _add_asked(objects, Protocol.DLMS)
    return root


def _add_protocol(parser: argparse.ArgumentParser, *protocols: Protocol) -> None:
    parser.add_argument(
        "--protocol", choices=protocols, required=True, help="what the meter speaks"
    )


def _add_port(parser: argparse.ArgumentParser, usual: str) -> None:
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="a path such as /dev/ttyUSB0, or socket://host:port, rfc2217://…, esphome://…",
    )
    parser.add_argument(
        "--baud",
        type=_above_zero(int),
        metavar="N",
        help=f"bits per second; usually the protocol's own ({usual})",
    )
    parser.add_argument(
        "--framing",
        choices=list(Framing),
        help="data bits, parity, stop bits; usually the protocol's own",
    )
    parser.add_argument("--dtr", choices=_LEVELS, help="level of DTR while the port is open")
    parser.add_argument("--rts", choices=_LEVELS, help="level of RTS while the port is open")


def _add_polled(parser: argparse.ArgumentParser) -> None:
    _add_asked(parser, *POLLED_LINE)
    parser.add_argument(
        "--table",
        choices=("1", "2", "3", "4", "#"),
        default="",
        help="readout table, such as 1 (VDEW), or #",
    )
    parser.add_argument(
        "--battery", action="store_true", help="wake the meter up first, as battery meters need it"
    )
    parser.add_argument(
        "--fixed-speed", action="store_true", help="stay at the speed of the first request"
    )
    parser.add_argument(
        "--switch-delay",
        type=_above_zero(float),
        default=0.0,
        metavar="S",
        help="seconds before the change of speed, for slow reading heads",
    )
    parser.add_argument(
        "--acknowledgement",
        type=_sendable(is_acknowledgement),
        default="",
        metavar="VZY",
        help="what asks for the readout: 0Z0 (default; Z: the meter's speed), 0Z6 for a short list "
        "of some meters, 256 and the like, or none",
    )


def _add_asked(parser: argparse.ArgumentParser, *protocols: Protocol) -> None:
    _add_protocol(parser, *protocols)
    _add_port(
        parser,
        "iec62056: 300 7E1, from which the meter goes on to its own; dlms: 9600 8N1",
    )
    parser.add_argument(
        "--address",
        type=_sendable(is_address),
        default="",
        help="device address, where several meters share the line",
    )
    parser.add_argument(
        "--password",
        help="iec62056: for registers and profiles of some meters; dlms: text, or hexadecimal"
        " digits after 0x, or @ and a file that holds it; otherwise $ONEMETER_PASSWORD is taken",
    )
    add_dlms(parser)
    _add_keys(parser)


def _add_time_zone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--time-zone",
        type=_zone,
        metavar="ZONE",
        help="zone of the meter's clock, such as Europe/Berlin, to tell times of a profile in UTC",
    )


def _add_keys(parser: argparse.ArgumentParser) -> None:
    for name, abbreviation in (("encryption", "GUEK, EK"), ("authentication", "GAK, AK")):
        parser.add_argument(
            f"--{name}-key",
            type=_key,
            metavar="HEX",
            help=f"dlms: {name} key ({abbreviation}), 32 or 64 hexadecimal digits, or @ and a file"
            f" that holds them; otherwise ${_KEY_VARIABLES[f'{name}_key']} is taken",
        )


def _key(text: str) -> bytes:
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        return parse_key(text)
    except KeyFormatError as err:
        raise argparse.ArgumentTypeError(str(err)) from None
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {err.strerror}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[1:]}: not a text file") from None


def _file(path: str) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb")  # noqa: PTH123
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{path}: {err.strerror}") from err


def _sendable(is_allowed: Callable[[str], bool]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        # The text may be a secret.
        if not is_allowed(text):
            raise argparse.ArgumentTypeError("it has characters that may not be sent")
        return text

    return parse


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, nor a date and time") from None


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except ValueError, OSError, ZoneInfoNotFoundError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone") from None


def _above_zero[N: (int, float)](number: type[N]) -> Callable[[str], N]:
    def parse(text: str) -> N:
        try:
            value = number(text)
        except ValueError:
            value = number(0)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value

    return parse


def line_of(options: argparse.Namespace, usual: LineSettings) -> LineSettings:
    """Return the line that was asked for, as usual where nothing was."""
    return LineSettings(
        baudrate=options.baud or usual.baudrate,
        framing=Framing(options.framing or usual.framing),
        dtr=_LEVELS.get(options.dtr),
        rts=_LEVELS.get(options.rts),
    )


def sign_on_of(options: argparse.Namespace) -> SignOn:
    """Return how the meter is to be spoken to.

    Raises SystemExit with status 2 for a password that cannot be sent.
    """
    if options.password is not None and not is_password(options.password):
        refuse("the password has characters that may not be sent")
    return SignOn(
        address=options.address,
        table=options.table,
        password=options.password,
        wake_up=options.battery,
        switch_speed=not options.fixed_speed,
        switch_delay=options.switch_delay,
        acknowledgement=options.acknowledgement,
    )


def keys_of(options: argparse.Namespace) -> Keys:
    """Return the keys among the arguments, otherwise those of the environment.

    Raises SystemExit with status 2 for what cannot be a key there, or two that do not go together.
    """
    keys: dict[str, bytes | None] = {}
    for name, variable in _KEY_VARIABLES.items():
        key = getattr(options, name)
        if key is None and (text := os.environ.get(variable)):
            try:
                key = _key(text)
            except argparse.ArgumentTypeError as err:
                refuse(f"{variable}: {err}")
        keys[name.removesuffix("_key")] = key
    try:
        return Keys(**keys)
    except ValueError as err:
        refuse(err)


def dlms_of(options: argparse.Namespace) -> tuple[DlmsSettings, InvocationCounter | None]:
    """Return how the meter is to be spoken to, and where invocation counters come from.

    Raises SystemExit with status 2 for secrets or titles that cannot be used.
    """
    try:
        settings = dlms_settings_of(options, keys_of(options))
    except (OSError, ValueError) as err:
        refuse(getattr(err, "strerror", None) or err)
    return settings, counter_of(options, settings)


def impulses_of(options: argparse.Namespace) -> tuple[BlinkSettings, ImpulseCounter]:
    """Return how impulses are seen, and what counts them.

    Raises SystemExit with status 2 without an impulse constant, or with one that no meter has.
    """
    try:
        return blink_of(options)
    except ValueError as err:
        refuse(err)


def refuse(trouble: object) -> NoReturn:
    """Complain about the arguments, and end with status 2."""
    sys.stderr.write(f"onemeter: {trouble}\n")
    raise SystemExit(2)
