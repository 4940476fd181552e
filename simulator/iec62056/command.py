"""The options of a meter on the simulator's command line."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from simulator import arguments
from simulator.household import Household
from simulator.line import Line

from .conversation import serve
from .encoder import SPEED_DIGITS, Checksum
from .faults import ALWAYS
from .habits import HABITS
from .meter import Iec62056Meter, LowerSpeed, Mode, Programming
from .profile import Memory
from .registers import Registers


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a meter."""
    speed = parser.add_argument_group("speed")
    speed.add_argument(
        "--baud",
        type=int,
        choices=list(SPEED_DIGITS),
        help="speed that the meter proposes, or at which it sends in mode D (default: 9600)",
    )
    speed.add_argument(
        "--start-baud",
        type=arguments.positive_int,
        default=300,
        help="speed of the sign-on (default: 300)",
    )
    speed.add_argument(
        "--lower-speed",
        type=LowerSpeed,
        choices=list(LowerSpeed),
        default=LowerSpeed.ACCEPTED,
        help="what it does when a lower speed is asked for (default: accepted)",
    )
    meter = parser.add_argument_group("meter")
    meter.add_argument(
        "--mode", type=Mode, choices=list(Mode), help="how it comes to terms (default: C)"
    )
    meter.add_argument("--serial", default="12345678", help="number of the meter")
    meter.add_argument("--address", help="the only address it answers to (default: its number)")
    meter.add_argument("--seed", type=int, default=0, help="another household")
    meter.add_argument("--no-solar", action="store_true", help="a household without panels")
    meter.add_argument("--no-power", action="store_true", help="tell energy only, no power")
    meter.add_argument(
        "--decimals", type=int, choices=range(5), default=3, help="of kWh (default: 3)"
    )
    meter.add_argument(
        "--readout",
        type=Path,
        metavar="FILE",
        help="give this captured readout, as its identification says",
    )
    meter.add_argument(
        "--checksum",
        type=Checksum,
        choices=list(Checksum),
        help="kind of checksum (default: xor, or that of the captured readout)",
    )
    meter.add_argument(
        "--tr",
        type=arguments.seconds,
        metavar="S",
        help="reaction time (default: 0.2, as the standard's)",
    )
    meter.add_argument("--no-parity", action="store_true", help="send 8N1 instead of 7E1")
    meter.add_argument(
        "--battery", action="store_true", help="sleep until NUL characters wake the meter"
    )
    meter.add_argument(
        "--interval",
        type=arguments.seconds,
        default=1.0,
        metavar="S",
        help="seconds between telegrams in mode D",
    )
    session = parser.add_argument_group("programming session")
    session.add_argument(
        "--programming",
        type=Programming,
        choices=list(Programming),
        default=Programming.ALLOWED,
        help="what it does when asked for a session (default: allowed)",
    )
    session.add_argument("--password", help="the password of sessions (default: none is needed)")
    session.add_argument(
        "--days",
        type=arguments.positive_int,
        default=60,
        help="days of its load profile (default: 60)",
    )
    trouble = parser.add_argument_group("trouble")
    trouble.add_argument(
        "--echo", action="store_true", help="send back all that comes, as some heads do"
    )
    trouble.add_argument(
        "--habit",
        action="append",
        default=[],
        choices=list(HABITS),
        metavar="NAME",
        help="what some meters do; may be given several times: "
        + "; ".join(f"{name}: {text}" for name, (text, _) in HABITS.items()),
    )
    trouble.add_argument(
        "--no-switch", action="store_true", help="agree to another speed, but keep the first one"
    )
    trouble.add_argument(
        "--error", default="00000000", metavar="HEX", help="bits of the error register F.F"
    )
    trouble.add_argument(
        "--other-serial-after",
        type=arguments.seconds,
        metavar="S",
        help="another meter in its place after so many seconds",
    )
    trouble.add_argument(
        "--other-serial", default="87654321", metavar="SERIAL", help="... with this number"
    )


def first_speed(options: argparse.Namespace) -> int:
    """Return the speed that the line has until the meter changes it."""
    speed: int = options.start_baud
    if options.mode is Mode.D:
        speed = options.baud or Iec62056Meter.baudrate
    return speed


async def run(options: argparse.Namespace, line: Line) -> None:
    """Let a meter with these options answer on a line."""
    line.echo = options.echo
    common: dict[str, Any] = {
        "serial": options.serial,
        "address": options.address,
        "start_baudrate": options.start_baud,
        "lower_speed": options.lower_speed,
        "reaction_time": options.tr,
        "even_parity": not options.no_parity,
        "battery": options.battery,
        "interval": options.interval,
        "programming": options.programming,
        "password": options.password,
    }
    if options.baud is not None:
        common["baudrate"] = options.baud
    if options.mode is not None:
        common["mode"] = options.mode
    if options.readout is not None:
        meter = Iec62056Meter.playing(
            options.readout.read_bytes(), checksum=options.checksum, **common
        )
    else:
        household = Household(options.seed, solar=not options.no_solar, utc_offset=3600)
        meter = Iec62056Meter(
            registers=Registers(
                household=household,
                decimals=options.decimals,
                with_power=not options.no_power,
                error=options.error,
            ),
            checksum=options.checksum or Checksum.XOR,
            memory=Memory(days=options.days),
            **common,
        )
    if options.no_switch:
        meter.faults.keep_old_speed = ALWAYS
    for habit in options.habit:
        HABITS[habit][1](meter)
    if options.other_serial_after is not None:
        asyncio.get_running_loop().call_later(
            options.other_serial_after, setattr, meter, "serial", options.other_serial
        )
    name = meter.identification.decode("ascii", "replace").strip()
    print(f"IEC 62056-21 meter {name} at {line.url}, mode {meter.mode}", flush=True)
    await serve(line, meter)
