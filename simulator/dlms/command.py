"""The command of a DLMS meter, polled or pushing."""

import argparse
from collections.abc import Coroutine
from typing import Final

from simulator.command import Command
from simulator.household import Household
from simulator.line import Line
from simulator.push import push

from .conversation import serve
from .framings import Framing
from .habits import set_habit
from .layouts import Layout
from .mbus import GAS_METER, WATER_METER
from .meter import DlmsMeter
from .options import MECHANISMS, PROTECTIONS, add_options
from .profile import Profile
from .push import PushMeter
from .registers import Registers
from .settings import Transport

_STANDARD_TIME: Final = 3600
#: Speeds by the pushed layout, None for a polled meter; all other layouts are pushed at 2400 baud,
#: the speed of wired M-Bus and of HAN ports.
_SPEEDS: Final = {None: 9600, Layout.P1: 115_200, Layout.P1_HEAD: 115_200}
_PUSHED_SPEED: Final = 2400


def first_speed(options: argparse.Namespace) -> int:
    """Return the speed of the line in baud until the meter changes it; complete ``baud``."""
    if options.baud is None:
        options.baud = _SPEEDS.get(options.push, _PUSHED_SPEED)
    signs_on = options.push is None and options.transport is Transport.MODE_E
    speed: int = options.start_baud if signs_on else options.baud
    return speed


async def _run(options: argparse.Namespace, line: Line) -> None:
    household = Household(options.seed, solar=not options.no_solar, utc_offset=_STANDARD_TIME)
    registers = Registers(household=household)
    try:
        if options.push is None:
            running = _poll(options, line, registers)
        else:
            running = _push(options, line, registers)
    except ValueError as error:
        options.usage_error(str(error))
    await running


def _poll(
    options: argparse.Namespace, line: Line, registers: Registers
) -> Coroutine[None, None, None]:
    line.echo = options.echo
    sizes = (1, 2, 4) if options.address_size is None else (options.address_size,)
    meter = DlmsMeter(
        registers=registers,
        profile=Profile(days=options.days),
        mbus=(GAS_METER, WATER_METER) if options.mbus else (),
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
        mechanism=MECHANISMS[options.authentication],
        secret=options.password.encode(),
        suite=options.suite,
        encryption_key=options.encryption_key,
        authentication_key=options.authentication_key,
        policy=0 if options.encryption_key is None else PROTECTIONS[options.protection],
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


def _push(
    options: argparse.Namespace, line: Line, registers: Registers
) -> Coroutine[None, None, None]:
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
        protection=PROTECTIONS[options.protection],
        envelope=options.envelope,
        system_title=options.system_title or PushMeter().system_title,
    )
    name = f"DLMS meter {meter.serial} at {line.url}, {options.baud} baud"
    print(f"{name}, pushes {meter.layout}", flush=True)
    return push(line, meter.telegram, interval=options.interval)


COMMAND: Final = Command(
    name="dlms",
    summary="a meter with DLMS/COSEM",
    description="A meter that is polled with DLMS/COSEM or pushes its values, with or without\n"
    "encryption. It measures a household with solar panels. The same seed gives the same\n"
    "household, and the totals continue when the simulator is started again.",
    add_options=add_options,
    first_speed=first_speed,
    run=_run,
)
