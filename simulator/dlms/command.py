"""The options of a DLMS meter on the simulator's command line."""

import argparse
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

from simulator import arguments
from simulator.household import Household
from simulator.line import Line
from simulator.speak import push

from .ciphering import AUTHENTICATED, ENCRYPTED, KEY_SIZES, Mechanism
from .conversation import serve
from .framings import Framing
from .habits import HABITS, set_habit
from .layouts import Layout
from .meter import DlmsMeter, Transport
from .profile import Profile
from .push import Envelope, PushMeter, TimeForm
from .registers import Registers
from .times import ClockStyle

_STANDARD_TIME = 3600
_PROTECTIONS = {
    "none": 0,
    "authenticated": AUTHENTICATED,
    "encrypted": ENCRYPTED,
    "both": AUTHENTICATED | ENCRYPTED,
}
_MECHANISMS = {mechanism.name.lower(): mechanism for mechanism in Mechanism}


def _key(text: str) -> bytes:
    """Read a key in hexadecimal digits."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in KEY_SIZES.values():
        # Not what was given: it may be all of a key but one digit.
        raise argparse.ArgumentTypeError("not 32 or 64 hexadecimal digits")
    return key


def _title(text: str) -> bytes:
    """Read a system title in hexadecimal digits."""
    try:
        title = bytes.fromhex(text)
    except ValueError:
        title = b""
    if len(title) != 8:
        raise argparse.ArgumentTypeError(f"not 16 hexadecimal digits: {text}")
    return title


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a meter."""
    parser.set_defaults(complain=parser.error)
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--baud",
        type=arguments.positive_int,
        help="speed (default: 9600 of a meter that is asked, 2400 of one that pushes, which is sent"
        " 8E1 then, 115200 of a P1 port)",
    )
    meter.add_argument("--serial", help="number of the meter")
    meter.add_argument("--seed", type=int, default=0, help="another household")
    meter.add_argument("--no-solar", action="store_true", help="a household without panels")
    meter.add_argument(
        "--clock",
        type=ClockStyle,
        choices=list(ClockStyle),
        default=ClockStyle.STANDARD,
        help="how its clock tells the distance from UTC (default: standard)",
    )
    _add_keys(parser)
    _add_asked(parser)
    _add_pushing(parser)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_argument_group("keys (default: none)")
    keys.add_argument("--encryption-key", type=_key, metavar="HEX", help="encipher with this key")
    keys.add_argument(
        "--authentication-key", type=_key, default=b"", metavar="HEX", help="what goes into tags"
    )
    keys.add_argument(
        "--suite", type=int, choices=list(KEY_SIZES), default=0, help="security suite (default: 0)"
    )
    keys.add_argument(
        "--protection",
        choices=list(_PROTECTIONS),
        default="both",
        help="what each message has, where there is a key (default: both)",
    )
    keys.add_argument("--system-title", type=_title, metavar="HEX", help="the meter's title")


def _add_asked(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_argument_group("a meter that is asked")
    asked.add_argument(
        "--transport",
        type=Transport,
        choices=list(Transport),
        default=Transport.HDLC,
        help="what carries the messages; mode-e begins at 300 baud (default: hdlc)",
    )
    asked.add_argument(
        "--start-baud",
        type=arguments.positive_int,
        default=300,
        help="speed of the sign-on with mode-e (default: 300)",
    )
    asked.add_argument(
        "--authentication",
        choices=list(_MECHANISMS),
        default="none",
        help="how a client shows that it may come in (default: none)",
    )
    asked.add_argument("--password", default="", help="the password, or the secret of HLS")
    asked.add_argument(
        "--client", type=arguments.positive_int, default=1, help="number of the client (default: 1)"
    )
    asked.add_argument(
        "--address",
        type=arguments.positive_int,
        default=1,
        help="address of the logical device (default: 1)",
    )
    asked.add_argument(
        "--physical-address",
        type=arguments.positive_int,
        default=17,
        help="physical address (default: 17)",
    )
    asked.add_argument(
        "--address-size",
        type=int,
        choices=(1, 2, 4),
        help="bytes of its address (default: it answers to all sizes)",
    )
    asked.add_argument(
        "--max-pdu",
        type=arguments.positive_int,
        default=1024,
        help="longest message (default: 1024)",
    )
    asked.add_argument(
        "--days",
        type=arguments.positive_int,
        default=60,
        help="days of its load profile (default: 60)",
    )
    asked.add_argument(
        "--reaction",
        type=arguments.seconds,
        default=0.02,
        metavar="S",
        help="time before each answer (default: 0.02)",
    )
    asked.add_argument(
        "--counter",
        type=arguments.count,
        default=0,
        metavar="N",
        help="invocation counter that was used last (default: 0)",
    )
    asked.add_argument(
        "--counter-file",
        type=Path,
        metavar="FILE",
        help="add each invocation counter that is received to this file",
    )
    asked.add_argument(
        "--habit",
        choices=list(HABITS),
        action="append",
        default=[],
        help="something that some meters do otherwise; may be given several times",
    )
    asked.add_argument(
        "--echo", action="store_true", help="send back all that comes, as some heads do"
    )


def _add_pushing(parser: argparse.ArgumentParser) -> None:
    pushing = parser.add_argument_group("a meter that pushes")
    pushing.add_argument(
        "--push",
        type=Layout,
        choices=list(Layout),
        help="push values in this layout, instead of waiting to be asked",
    )
    pushing.add_argument(
        "--framing",
        type=Framing,
        choices=list(Framing),
        help="what they are put into (default: hdlc, and bare for text)",
    )
    pushing.add_argument(
        "--time-form",
        type=TimeForm,
        choices=list(TimeForm),
        default=TimeForm.STANDARD,
        help="how a notification tells its time (default: standard)",
    )
    pushing.add_argument(
        "--envelope",
        type=Envelope,
        choices=list(Envelope),
        default=Envelope.GENERAL_GLO,
        help="what is enciphered into (default: general-glo)",
    )
    pushing.add_argument(
        "--items",
        type=int,
        choices=(1, 9, 13, 14, 18),
        default=18,
        help="values of a positional list (default: 18)",
    )
    pushing.add_argument(
        "--interval",
        type=arguments.seconds,
        default=5.0,
        metavar="S",
        help="seconds between telegrams (default: 5)",
    )


#: Speeds by what is pushed, if anything; wired M-Bus and HAN ports have the last one.
_SPEEDS: Final = {None: 9600, Layout.P1: 115_200, Layout.P1_HEAD: 115_200}
_PUSHED_SPEED: Final = 2400


def first_speed(options: argparse.Namespace) -> int:
    """Return the speed that the line has until the meter changes it."""
    if options.baud is None:
        options.baud = _SPEEDS.get(options.push, _PUSHED_SPEED)
    asked_at_300 = options.push is None and options.transport is Transport.MODE_E
    speed: int = options.start_baud if asked_at_300 else options.baud
    return speed


async def run(options: argparse.Namespace, line: Line) -> None:
    """Let a meter with these options speak on a line."""
    household = Household(options.seed, solar=not options.no_solar, utc_offset=_STANDARD_TIME)
    registers = Registers(household=household)
    try:
        speaking = (_answer if options.push is None else _push)(options, line, registers)
    except ValueError as error:
        options.complain(str(error))
    await speaking


def _answer(options: argparse.Namespace, line: Line, registers: Registers) -> Awaitable[None]:
    line.echo = options.echo
    sizes = (1, 2, 4) if options.address_size is None else (options.address_size,)
    meter = DlmsMeter(
        registers=registers,
        profile=Profile(days=options.days),
        clock_style=options.clock,
        serial=options.serial or DlmsMeter.serial,
        transport=options.transport,
        baudrate=options.baud,
        start_baudrate=options.start_baud,
        logical_device=options.address,
        physical_device=options.physical_address,
        address_sizes=sizes,
        reaction_time=options.reaction,
        client=options.client,
        mechanism=_MECHANISMS[options.authentication],
        secret=options.password.encode(),
        suite=options.suite,
        encryption_key=options.encryption_key,
        authentication_key=options.authentication_key,
        policy=0 if options.encryption_key is None else _PROTECTIONS[options.protection],
        system_title=options.system_title,
        client_counter=options.counter,
        counter_file=options.counter_file,
        max_pdu=options.max_pdu,
    )
    for habit in options.habit:
        set_habit(meter, habit)
    name = meter.logical_device_name.decode()
    print(f"DLMS meter {name} at {line.url}, {meter.transport}", flush=True)
    return serve(line, meter)


def _push(options: argparse.Namespace, line: Line, registers: Registers) -> Awaitable[None]:
    text = options.push in (Layout.P1, Layout.P1_HEAD)
    meter = PushMeter(
        registers=registers,
        serial=options.serial or PushMeter().serial,
        layout=options.push,
        framing=options.framing or (Framing.BARE if text else Framing.HDLC),
        time_form=options.time_form,
        clock_style=options.clock,
        items=options.items,
        encryption_key=options.encryption_key,
        authentication_key=options.authentication_key,
        suite=options.suite,
        protection=_PROTECTIONS[options.protection],
        envelope=options.envelope,
        system_title=options.system_title or PushMeter().system_title,
    )
    name = f"DLMS meter {meter.serial} at {line.url}, {options.baud} baud"
    print(f"{name}, pushes {meter.layout}", flush=True)
    return push(line, meter.telegram, interval=options.interval)
