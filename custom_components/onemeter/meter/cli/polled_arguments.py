"""The arguments of the commands that poll a meter: read, profile, objects."""

import argparse
from collections.abc import Collection

from ..dlms.security.counters import InvocationCounter
from ..dlms.settings import DlmsSettings
from ..iec62056.settings import SignOn, is_acknowledgement, is_address, is_password, is_register
from ..protocols import POLLED_LINE, Protocol
from .dlms_arguments import add_dlms, counter_of, dlms_settings_of
from .shared_arguments import (
    above_zero,
    add_keys,
    add_port,
    add_protocol,
    add_time_zone,
    keys_of,
    refuse,
    sendable,
    time,
)


def add_read(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``read``."""
    _add_polled(parser, POLLED_LINE)
    _add_sign_on(parser)
    parser.add_argument(
        "--register",
        type=sendable(is_register),
        action="append",
        default=[],
        metavar="CODE",
        help="read only this register, such as 1.8.0 (iec62056, in programming mode) or"
        " 1-0:1.8.0*255 (dlms); may be repeated",
    )


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``profile``."""
    _add_polled(parser, POLLED_LINE)
    _add_sign_on(parser)
    for name, target in (("--from", "start"), ("--to", "end")):
        parser.add_argument(
            name,
            dest=target,
            type=time,
            required=True,
            metavar="T",
            help="2026-11-01 or 2026-11-01T12:15, in the time of the meter's clock",
        )
    add_time_zone(parser)


def add_objects(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``objects``."""
    _add_polled(parser, [Protocol.DLMS])


def _add_polled(parser: argparse.ArgumentParser, protocols: Collection[Protocol]) -> None:
    add_protocol(parser, protocols)
    add_port(parser, "iec62056: 300 7E1, then the speed that the meter proposes; dlms: 9600 8N1")
    parser.add_argument(
        "--address",
        type=sendable(is_address),
        default="",
        help="device address, where several meters share the line",
    )
    parser.add_argument(
        "--password",
        help="iec62056: for registers and profiles of some meters; dlms: text, or hexadecimal"
        " digits after 0x, or @ and the file that contains it (default: $ONEMETER_PASSWORD)",
    )
    add_dlms(parser)
    add_keys(parser)


def _add_sign_on(parser: argparse.ArgumentParser) -> None:
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
        type=above_zero(float),
        default=0.0,
        metavar="S",
        help="seconds before the change of speed, for slow optical heads",
    )
    parser.add_argument(
        "--acknowledgement",
        type=sendable(is_acknowledgement),
        default="",
        metavar="VZY",
        help="the acknowledgement that requests the readout: 0Z0 (default; Z: the meter's speed),"
        " 0Z6 for a short list of some meters, others such as 256, or none",
    )


def sign_on_of(options: argparse.Namespace) -> SignOn:
    """Return the sign-on settings of the options.

    Raises SystemExit with status 2 for a password that cannot be sent.
    """
    if options.password is not None and not is_password(options.password):
        refuse("the password contains characters that cannot be sent")
    return SignOn(
        address=options.address,
        table=options.table,
        password=options.password,
        wake_up=options.battery,
        switch_speed=not options.fixed_speed,
        switch_delay=options.switch_delay,
        acknowledgement=options.acknowledgement,
    )


def dlms_of(options: argparse.Namespace) -> tuple[DlmsSettings, InvocationCounter | None]:
    """Return the DLMS settings of the options, and the invocation counter with keys.

    Raises SystemExit with status 2 for secrets or titles that cannot be used.
    """
    try:
        settings = dlms_settings_of(options, keys_of(options))
    except (OSError, ValueError) as err:
        refuse(getattr(err, "strerror", None) or err)
    return settings, counter_of(options, settings)
