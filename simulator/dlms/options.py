"""The options of a DLMS meter on the command line."""

import argparse
from pathlib import Path
from typing import Final

from simulator import arguments
from simulator.command import add_household, add_interval

from .ciphering import AUTHENTICATED, ENCRYPTED, KEY_SIZES, Mechanism
from .framings import Framing
from .habits import HABITS
from .layouts import Layout
from .push import Envelope, TimeForm
from .settings import Transport
from .times import ClockStyle

#: Bits of the security control byte.
PROTECTIONS: Final = {
    "none": 0,
    "authenticated": AUTHENTICATED,
    "encrypted": ENCRYPTED,
    "both": AUTHENTICATED | ENCRYPTED,
}
MECHANISMS: Final = {mechanism.name.lower(): mechanism for mechanism in Mechanism}
_TITLE_SIZE: Final = 8


def _bytes(text: str) -> bytes:
    """Return hexadecimal digits as bytes, none where there is anything else."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _key(text: str) -> bytes:
    if len(key := _bytes(text)) not in KEY_SIZES.values():
        # The message does not repeat the text: it may be a key but for one digit.
        raise argparse.ArgumentTypeError("not 32 or 64 hexadecimal digits")
    return key


def _title(text: str) -> bytes:
    if len(title := _bytes(text)) != _TITLE_SIZE:
        raise argparse.ArgumentTypeError(f"not 16 hexadecimal digits: {text}")
    return title


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a meter."""
    parser.set_defaults(usage_error=parser.error)
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--baud",
        type=arguments.positive_int,
        help="speed (default: 9600 of a polled meter, 2400 of a pushing one, 115200 of a P1 port)",
    )
    meter.add_argument("--serial", help="serial number")
    add_household(meter)
    meter.add_argument(
        "--clock",
        type=ClockStyle,
        choices=list(ClockStyle),
        default=ClockStyle.STANDARD,
        help="how its clock encodes the deviation from UTC (default: standard)",
    )
    _add_keys(parser)
    _add_polled(parser)
    _add_pushing(parser)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_argument_group("keys (default: none)")
    keys.add_argument("--encryption-key", type=_key, metavar="HEX", help="encryption key")
    keys.add_argument(
        "--authentication-key", type=_key, default=b"", metavar="HEX", help="authentication key"
    )
    keys.add_argument(
        "--suite", type=int, choices=list(KEY_SIZES), default=0, help="security suite (default: 0)"
    )
    keys.add_argument(
        "--protection",
        choices=list(PROTECTIONS),
        default="both",
        help="protection that each message needs if there is a key (default: both)",
    )
    keys.add_argument(
        "--system-title", type=_title, metavar="HEX", help="system title of the meter"
    )


def _add_polled(parser: argparse.ArgumentParser) -> None:
    polled = parser.add_argument_group("polled meter")
    polled.add_argument(
        "--transport",
        type=Transport,
        choices=list(Transport),
        default=Transport.HDLC,
        help="transport layer; mode-e begins at 300 baud (default: hdlc)",
    )
    polled.add_argument(
        "--start-baud",
        type=arguments.positive_int,
        default=300,
        help="speed of the sign-on with mode-e (default: 300)",
    )
    polled.add_argument(
        "--authentication",
        choices=list(MECHANISMS),
        default="none",
        help="authentication mechanism (default: none)",
    )
    polled.add_argument("--password", default="", help="password, or secret of HLS")
    polled.add_argument(
        "--client", type=arguments.positive_int, default=1, help="client address (default: 1)"
    )
    polled.add_argument(
        "--address",
        type=arguments.positive_int,
        default=1,
        help="address of the logical device (default: 1)",
    )
    polled.add_argument(
        "--physical-address",
        type=arguments.positive_int,
        default=17,
        help="address of the physical device (default: 17)",
    )
    polled.add_argument(
        "--address-size",
        type=int,
        choices=(1, 2, 4),
        help="bytes of its HDLC address (default: it answers to all sizes)",
    )
    polled.add_argument(
        "--max-pdu",
        type=arguments.positive_int,
        default=1024,
        help="longest message in bytes (default: 1024)",
    )
    polled.add_argument(
        "--days",
        type=arguments.positive_int,
        default=60,
        help="days of its load profile (default: 60)",
    )
    polled.add_argument(
        "--mbus", action="store_true", help="with a gas and a water meter on its M-Bus"
    )
    polled.add_argument(
        "--reaction",
        type=arguments.seconds,
        default=0.02,
        metavar="S",
        help="seconds before each answer (default: 0.02)",
    )
    polled.add_argument(
        "--counter",
        type=arguments.count,
        default=0,
        metavar="N",
        help="last invocation counter that it has accepted (default: 0)",
    )
    polled.add_argument(
        "--counter-file",
        type=Path,
        metavar="FILE",
        help="append each received invocation counter to this file",
    )
    polled.add_argument(
        "--habit",
        choices=list(HABITS),
        action="append",
        default=[],
        metavar="NAME",
        help="deviation of some real meters; may be given several times: " + ", ".join(HABITS),
    )
    polled.add_argument(
        "--echo", action="store_true", help="echo all that it receives, as some reading heads do"
    )


def _add_pushing(parser: argparse.ArgumentParser) -> None:
    pushing = parser.add_argument_group("pushing meter")
    pushing.add_argument(
        "--push",
        type=Layout,
        choices=list(Layout),
        help="push values in this layout instead of being polled",
    )
    pushing.add_argument(
        "--framing",
        type=Framing,
        choices=list(Framing),
        help="framing of the telegrams (default: hdlc; bare for P1)",
    )
    pushing.add_argument(
        "--time-form",
        type=TimeForm,
        choices=list(TimeForm),
        default=TimeForm.STANDARD,
        help="encoding of the time in a notification (default: standard)",
    )
    pushing.add_argument(
        "--envelope",
        type=Envelope,
        choices=list(Envelope),
        default=Envelope.GENERAL_GLO,
        help="APDU of encrypted telegrams (default: general-glo)",
    )
    pushing.add_argument(
        "--items",
        type=int,
        choices=(1, 9, 13, 14, 18),
        default=18,
        help="number of values in a positional list (default: 18)",
    )
    add_interval(pushing, 5)
