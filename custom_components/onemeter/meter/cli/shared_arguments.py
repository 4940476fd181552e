"""Arguments that several commands have, and the types of arguments."""

import argparse
from collections.abc import Callable, Collection
from datetime import datetime
import math
import os
from pathlib import Path
import sys
from typing import Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..dlms.settings import Keys, parse_key
from ..errors import KeyFormatError
from ..line import Framing, LineSettings
from ..protocols import POLLED_LINE, PUSHED_LINE, Protocol

_LEVELS: Final = {"high": True, "low": False}
#: Environment variables that keys are taken from if the options are not given, by option.
_KEY_VARIABLES: Final = {
    "encryption_key": "ONEMETER_ENCRYPTION_KEY",
    "authentication_key": "ONEMETER_AUTHENTICATION_KEY",
}


def refuse(message: object) -> NoReturn:
    """Report wrong usage on standard error, and end with exit status 2."""
    sys.stderr.write(f"onemeter: {message}\n")
    raise SystemExit(2)


def add_protocol(parser: argparse.ArgumentParser, protocols: Collection[Protocol]) -> None:
    """Add ``--protocol`` for the protocols that a command supports."""

    def protocol(text: str) -> str:
        if text in protocols or text not in Protocol:
            return text
        if text in PUSHED_LINE and text not in POLLED_LINE:
            hint = f"{text} meters are not polled: use the command listen"
        else:
            hint = f"not for {text} meters, only for {', '.join(protocols)}"
        raise argparse.ArgumentTypeError(hint)

    parser.add_argument(
        "--protocol", type=protocol, choices=protocols, required=True, help="the meter's protocol"
    )


def add_port(parser: argparse.ArgumentParser, defaults: str) -> None:
    """Add the options for the port; ``defaults`` names the speeds without ``--baud``."""
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="a path such as /dev/ttyUSB0, or socket://host:port, rfc2217://…, esphome://…",
    )
    parser.add_argument(
        "--baud", type=above_zero(int), metavar="N", help=f"bits per second (default: {defaults})"
    )
    parser.add_argument(
        "--framing",
        choices=list(Framing),
        help="data bits, parity, stop bits (default: the protocol's)",
    )
    parser.add_argument("--dtr", choices=_LEVELS, help="level of DTR while the port is open")
    parser.add_argument("--rts", choices=_LEVELS, help="level of RTS while the port is open")


def add_time_zone(parser: argparse.ArgumentParser) -> None:
    """Add ``--time-zone``."""
    parser.add_argument(
        "--time-zone",
        type=_zone,
        metavar="ZONE",
        help="time zone of the meter's clock, such as Europe/Berlin: adds the times of a profile"
        " in UTC",
    )


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Add the options for the keys of a DLMS meter."""
    for name, abbreviation in (("encryption", "GUEK, EK"), ("authentication", "GAK, AK")):
        parser.add_argument(
            f"--{name}-key",
            type=_key,
            metavar="HEX",
            help=f"dlms: {name} key ({abbreviation}), 32 or 64 hexadecimal digits, or @ and the"
            f" file that contains them (default: ${_KEY_VARIABLES[f'{name}_key']})",
        )


def line_of(options: argparse.Namespace, default: LineSettings) -> LineSettings:
    """Return the line settings of the options, with a default for what is not given."""
    return LineSettings(
        baudrate=options.baud or default.baudrate,
        framing=Framing(options.framing or default.framing),
        dtr=_LEVELS.get(options.dtr),
        rts=_LEVELS.get(options.rts),
    )


def keys_of(options: argparse.Namespace) -> Keys:
    """Return the keys of the options, else those of the environment.

    Raises SystemExit with status 2 for an invalid key in the environment, or two keys that do not
    belong to one security suite.
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


def above_zero[N: (int, float)](number: type[N]) -> Callable[[str], N]:
    """Return the type of an argument that is a finite number above zero."""

    def parse(text: str) -> N:
        try:
            value = number(text)
        except ValueError:
            value = number(0)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value

    return parse


def sendable(is_allowed: Callable[[str], bool]) -> Callable[[str], str]:
    """Return the type of an argument that is sent to the meter."""

    def parse(text: str) -> str:
        # The text may be a secret.
        if not is_allowed(text):
            raise argparse.ArgumentTypeError("it contains characters that cannot be sent")
        return text

    return parse


def time(text: str) -> datetime:
    """Return the naive time of an argument such as 2026-11-01T12:15."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, nor a date and time") from None


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


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except ValueError, OSError, ZoneInfoNotFoundError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone") from None
