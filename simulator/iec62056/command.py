"""The command of an IEC 62056-21 meter."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, Final

from simulator import arguments
from simulator.command import Command, add_household, add_interval
from simulator.faults import ALWAYS
from simulator.household import Household
from simulator.line import Line

from .conversation import serve
from .encoder import SPEED_DIGITS, Checksum
from .habits import HABITS
from .meter import Iec62056Meter, LowerSpeed, Mode, Programming
from .profile import Memory
from .registers import Registers


def _add_options(parser: argparse.ArgumentParser) -> None:
    _add_speed(parser)
    _add_meter(parser)
    _add_session(parser)
    _add_troubles(parser)


def _add_speed(parser: argparse.ArgumentParser) -> None:
    speed = parser.add_argument_group("speed")
    speed.add_argument(
        "--baud",
        type=int,
        choices=list(SPEED_DIGITS),
        help="speed that the meter proposes, or at which it pushes in mode D (default: 9600)",
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
        help="what it does when a lower speed is requested (default: accepted)",
    )


def _add_meter(parser: argparse.ArgumentParser) -> None:
    meter = parser.add_argument_group("meter")
    meter.add_argument("--mode", type=Mode, choices=list(Mode), help="protocol mode (default: C)")
    meter.add_argument("--serial", default="12345678", help="serial number (default: 12345678)")
    meter.add_argument(
        "--address", help="the only address that it answers (default: its serial number)"
    )
    add_household(meter)
    meter.add_argument("--no-power", action="store_true", help="energy registers only, no power")
    meter.add_argument(
        "--decimals",
        type=int,
        choices=range(5),
        default=3,
        help="decimal places of kWh (default: 3)",
    )
    meter.add_argument(
        "--readout",
        type=Path,
        metavar="FILE",
        help="send this captured readout, in the mode and at the speed of its identification",
    )
    meter.add_argument(
        "--checksum",
        type=Checksum,
        choices=list(Checksum),
        help="kind of checksum (default: xor, or as in the captured readout)",
    )
    meter.add_argument(
        "--tr",
        type=arguments.seconds,
        metavar="S",
        help="reaction time (default: 0.2, or 0.02 as announced in a captured identification)",
    )
    meter.add_argument("--no-parity", action="store_true", help="send 8N1 instead of 7E1")
    meter.add_argument(
        "--battery", action="store_true", help="sleep until NUL characters wake the meter"
    )
    add_interval(meter, 1)


def _add_session(parser: argparse.ArgumentParser) -> None:
    session = parser.add_argument_group("programming mode")
    session.add_argument(
        "--programming",
        type=Programming,
        choices=list(Programming),
        default=Programming.ALLOWED,
        help="what it does when programming mode is requested (default: allowed)",
    )
    session.add_argument("--password", help="password of programming mode (default: none)")
    session.add_argument(
        "--days",
        type=arguments.positive_int,
        default=60,
        help="days of its load profile (default: 60)",
    )


def _add_troubles(parser: argparse.ArgumentParser) -> None:
    trouble = parser.add_argument_group("trouble")
    trouble.add_argument(
        "--echo", action="store_true", help="echo all that it receives, as some reading heads do"
    )
    trouble.add_argument(
        "--habit",
        action="append",
        default=[],
        choices=list(HABITS),
        metavar="NAME",
        help="deviation of some real meters; may be given several times: "
        + "; ".join(f"{name}: {text}" for name, (text, _) in HABITS.items()),
    )
    trouble.add_argument(
        "--no-switch", action="store_true", help="agree on another speed, but keep the first one"
    )
    trouble.add_argument(
        "--error", default="00000000", metavar="HEX", help="bits of the error register F.F"
    )
    trouble.add_argument(
        "--other-serial-after",
        type=arguments.seconds,
        metavar="S",
        help="replace the meter by another one after this number of seconds",
    )
    trouble.add_argument(
        "--other-serial", default="87654321", metavar="SERIAL", help="... with this number"
    )


def _first_speed(options: argparse.Namespace) -> int:
    speed: int = options.start_baud
    if options.mode is Mode.D:
        speed = options.baud or Iec62056Meter.baudrate
    return speed


async def _run(options: argparse.Namespace, line: Line) -> None:
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
        meter = Iec62056Meter.from_capture(
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


COMMAND: Final = Command(
    name="iec62056",
    summary="a meter with IEC 62056-21",
    description="A meter that is polled for its readout through its optical port, or pushes it\n"
    "(mode D). It measures a household with solar panels. The same seed gives the same\n"
    "household, and the totals continue when the simulator is started again.",
    add_options=_add_options,
    first_speed=_first_speed,
    run=_run,
)
