"""The commands: ``decode | detect | listen | read | profile | objects``.

Those that need a port import asyncio and serialx late: both are slow to import, and decoding a
file does not need them.
"""
# ruff: noqa: PLC0415

import argparse
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
import sys
from typing import Final

from ..client import Counters, PolledClient
from ..errors import (
    AccessError,
    AssociationError,
    KeyNeededError,
    MeterAuthenticationError,
    MeterError,
    MeterSilentError,
    UnknownDataError,
)
from ..protocols import POLLED_LINE, PUSHED_LINE, Protocol
from ..reading import Interval, Reading
from ..redaction import redact
from .arguments import parser
from .decode import counted, decode
from .json_lines import as_json, interval_as_json
from .listen_arguments import impulses_of
from .output import Output, complain
from .polled_arguments import dlms_of, sign_on_of
from .shared_arguments import keys_of, line_of, refuse

_NO_KEYS: Final = (
    "no keys were given: a meter that encrypts needs --encryption-key and --authentication-key,"
    " others may need --password"
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status; None takes the arguments of the process.

    Raises SystemExit with status 2 for wrong usage.
    """
    options = parser().parse_args(arguments)
    output = Output()
    if options.command == "detect":
        return _detect(options, output)
    counters = _COMMANDS[options.command](options, output)
    counts = " ".join(f"{name}={getattr(counters, name)}" for name in counted(options))
    print(counts, file=sys.stderr)
    return 0 if output.lines else 1


def _detect(options: argparse.Namespace, output: Output) -> int:
    from .detect import find

    return find(options.port, options.country, output)


def _listen(options: argparse.Namespace, output: Output) -> Counters:
    from ..clients import create_pushed_client
    from .listen import listen

    protocol = Protocol(options.protocol)
    if protocol is Protocol.BLINK:
        return _count(options, output)
    line = line_of(options, PUSHED_LINE[protocol])
    keys = keys_of(options) if protocol is Protocol.DLMS else None
    client = create_pushed_client(protocol, options.port, line, keys)
    listen(
        client,
        output.show,
        lambda err: _complain_of(err, options),
        count=options.count,
        seconds=options.seconds,
    )
    return client.counters


def _count(options: argparse.Namespace, output: Output) -> Counters:
    from ..blink.client import BlinkClient
    from .listen import listen

    settings, counter = impulses_of(options)
    line = line_of(options, PUSHED_LINE[Protocol.BLINK])
    client = BlinkClient(options.port, line, counter, settings)

    def show(reading: Reading) -> None:
        output.write(as_json(reading) | {"impulses": counter.impulses})

    listen(client, show, complain, count=options.count, seconds=options.seconds)
    if client.counters.good and output.lines != options.count:
        # The impulses counted since the last reading.
        with suppress(BrokenPipeError):
            show(client.reading())
    return client.counters


def _read(options: argparse.Namespace, output: Output) -> Counters:
    from .poll import read

    client = _polled_client(options)

    def show(reading: Reading, duration: float | None) -> None:
        seconds = {} if duration is None else {"duration": round(duration, 3)}
        output.write(as_json(reading) | seconds)
        values = [register.value for register in reading.registers]
        if _is_keyless(options) and not any(isinstance(value, Decimal | int) for value in values):
            complain(f"no measurement in it; {_NO_KEYS}")

    read(client, show, lambda err: _complain_of(err, options), addresses=options.register)
    return client.counters


def _complain_of(err: MeterError, options: argparse.Namespace) -> None:
    complain(err)
    if isinstance(err, MeterSilentError | UnknownDataError):
        complain(
            f"to find out how it is read: scripts/onemeter detect --port {redact(options.port)}"
        )
    if isinstance(err, KeyNeededError):
        complain("give --encryption-key, and --authentication-key if there is one")
    is_refusal = isinstance(err, AccessError | AssociationError)
    needs_password = isinstance(err, MeterAuthenticationError) and options.password is None
    if (is_refusal or needs_password) and _is_keyless(options):
        complain(_NO_KEYS)


def _is_keyless(options: argparse.Namespace) -> bool:
    return options.protocol == Protocol.DLMS and keys_of(options).encryption is None


def _profile(options: argparse.Namespace, output: Output) -> Counters:
    from .poll import read_profile

    client = _polled_client(options)

    def show(interval: Interval) -> None:
        output.write(interval_as_json(interval, with_channels=True))

    start, end, zone = options.start, options.end, options.time_zone
    if start >= end:
        refuse("--from must be before --to")
    read_profile(
        client, show, lambda err: _complain_of(err, options), start=start, end=end, zone=zone
    )
    return replace(client.counters, good=int(output.lines > 0))


def _objects(options: argparse.Namespace, output: Output) -> Counters:
    from ..dlms.client import DlmsClient
    from .dlms_json_lines import object_as_json
    from .poll import read_objects

    client = _polled_client(options)
    if isinstance(client, DlmsClient):
        read_objects(
            client,
            lambda found: output.write(object_as_json(found)),
            lambda err: _complain_of(err, options),
        )
    return client.counters


def _polled_client(options: argparse.Namespace) -> PolledClient:
    """Return the client of the options; SystemExit with status 2 for unusable keys or passwords."""
    from ..clients import create_polled_client

    protocol = Protocol(options.protocol)
    line = line_of(options, POLLED_LINE[protocol])
    if protocol is not Protocol.DLMS:
        return create_polled_client(protocol, options.port, line, sign_on_of(options))
    settings, counter = dlms_of(options)
    try:
        return create_polled_client(protocol, options.port, line, settings, counter)
    except ValueError as err:
        refuse(err)


_COMMANDS = {
    "decode": decode,
    "listen": _listen,
    "read": _read,
    "profile": _profile,
    "objects": _objects,
}
