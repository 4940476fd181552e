"""The command line: ``python -m meter decode | listen | read | profile``."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BufferedReader
import json
import os
import sys
from typing import TYPE_CHECKING

from ..client import Counters, PolledClient
from ..errors import TelegramError
from ..iec62056 import Iec62056Decoder, Profile, decode_profile, profile_text
from ..protocols import POLLED_LINE, PUSHED_LINE, Protocol
from ..reading import Interval, Reading
from ..sml import SmlDecoder, decode_body
from .arguments import dlms_of, impulses_of, keys_of, line_of, parser, refuse, sign_on_of
from .json_lines import as_json, channels_as_json, event_as_json, interval_as_json

if TYPE_CHECKING:
    # It brings asyncio and serialx, which are slow to import.
    from ..stream import Decoder

#: Bytes decoded at a time.
_CHUNK = 16_384
#: What is counted of telegrams, and of those that keys are for.
_COUNTS = ("good", "damaged", "other")
_KEY_COUNTS = ("needs_key", "wrong_encryption_key", "wrong_authentication_key")


class _Output:
    """Standard output, with a count of the lines for it."""

    def __init__(self) -> None:
        self.lines = 0

    def show(self, reading: Reading) -> None:
        """Write a reading."""
        self.write(as_json(reading))

    def write(self, content: Mapping[str, object]) -> None:
        """Write a line at once, so that the next program in a pipe sees it live.

        Raises BrokenPipeError when nobody reads the output any more.
        """
        line = json.dumps(content, ensure_ascii=False)
        self.lines += 1
        try:
            sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The interpreter flushes again when it exits, which would fail loudly.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status; None takes the arguments of the process.

    Raises SystemExit with status 2 for wrong usage.
    """
    options = parser().parse_args(arguments)
    output = _Output()
    counters = _COMMANDS[options.command](options, output)
    names = _counted(options)
    counts = " ".join(f"{name}={getattr(counters, name)}" for name in names)
    print(counts, file=sys.stderr)
    return 0 if output.lines else 1


def _counted(options: argparse.Namespace) -> tuple[str, ...]:
    """Name what is counted of a protocol's telegrams."""
    return _COUNTS + _KEY_COUNTS if options.protocol == Protocol.DLMS else _COUNTS


def _decode(options: argparse.Namespace, output: _Output) -> Counters:
    if options.object != "telegram":
        with options.file:
            return _decode_whole(options, output)
    decoder = _decoder(options)
    with options.file, suppress(BrokenPipeError, KeyboardInterrupt):
        for data in _chunks(options.file):
            for reading in decoder.feed(data):
                output.show(reading)
    with suppress(BrokenPipeError):
        for reading in decoder.finish():
            output.show(reading)
    if options.protocol == Protocol.DLMS:
        _complain_of_lists(decoder)
    return Counters(**{name: getattr(decoder, name) for name in _counted(options)})


def _complain_of_lists(decoder: Decoder) -> None:
    """Write the shapes of lists that are not known to standard error."""
    from ..dlms.push.decoder import DlmsDecoder  # noqa: PLC0415

    if isinstance(decoder, DlmsDecoder):
        for found in decoder.unknown_lists():
            print(f"this meter's list is not known yet: {found.summary}", file=sys.stderr)


def _decoder(options: argparse.Namespace) -> Decoder:
    match options.protocol:
        case Protocol.SML:
            return SmlDecoder()
        case Protocol.IEC62056:
            return Iec62056Decoder()
    from ..dlms.push.decoder import DlmsDecoder  # noqa: PLC0415  # the others need no cryptography

    return DlmsDecoder(keys_of(options))


def _decode_whole(options: argparse.Namespace, output: _Output) -> Counters:
    """Decode a file that holds a single thing without anything around it."""
    with suppress(BrokenPipeError, KeyboardInterrupt):
        data = b"".join(_chunks(options.file))
        try:
            if options.object == "body":
                output.show(decode_body(data))
            else:
                zone = options.time_zone
                output.write(_profile_as_json(decode_profile(profile_text(data), zone)))
        except TelegramError as err:
            _complain(err)
            return Counters(damaged=1)
    return Counters(good=output.lines)


def _profile_as_json(profile: Profile) -> dict[str, object]:
    header = profile.header
    period = header.capture_period
    events = [event_as_json(event) for event in profile.events]
    return {
        "object": header.object,
        "capture_period_minutes": None if period is None else int(period.total_seconds()) // 60,
        "channels": [] if period is None else channels_as_json(header.channels),
        "rows": events or [interval_as_json(interval) for interval in profile.intervals],
    }


def _chunks(file: BufferedReader) -> Iterator[bytes]:
    """Yield a file's bytes as they come."""
    try:
        while data := file.read1(_CHUNK):
            yield data
    except OSError as err:
        _complain(f"{file.name}: {err.strerror}")


# The commands that need a port import late: asyncio and serialx are slow to import, and decoding a
# file does not need them.


def _listen(options: argparse.Namespace, output: _Output) -> Counters:
    from ..clients import create_pushed_client  # noqa: PLC0415
    from .listen import listen  # noqa: PLC0415

    protocol = Protocol(options.protocol)
    if protocol is Protocol.BLINK:
        return _count(options, output)
    line = line_of(options, PUSHED_LINE[protocol])
    keys = keys_of(options) if protocol is Protocol.DLMS else None
    client = create_pushed_client(protocol, options.port, line, keys)
    listen(client, output.show, _complain, count=options.count, seconds=options.seconds)
    return client.counters


def _count(options: argparse.Namespace, output: _Output) -> Counters:
    from ..blink.client import BlinkClient  # noqa: PLC0415
    from .listen import listen  # noqa: PLC0415

    settings, counter = impulses_of(options)
    line = line_of(options, PUSHED_LINE[Protocol.BLINK])
    client = BlinkClient(options.port, line, counter, settings)

    def show(reading: Reading) -> None:
        output.write(as_json(reading) | {"impulses": counter.impulses})

    listen(client, show, _complain, count=options.count, seconds=options.seconds)
    if client.counters.good and output.lines != options.count:
        # What has been counted since the last reading.
        with suppress(BrokenPipeError):
            show(client.reading())
    return client.counters


def _read(options: argparse.Namespace, output: _Output) -> Counters:
    from .ask import read  # noqa: PLC0415

    client = _polled_client(options)

    def show(reading: Reading, duration: float | None) -> None:
        seconds = {} if duration is None else {"duration": round(duration, 3)}
        output.write(as_json(reading) | seconds)

    read(client, show, _complain, addresses=options.register)
    return client.counters


def _profile(options: argparse.Namespace, output: _Output) -> Counters:
    from .ask import read_profile  # noqa: PLC0415

    client = _polled_client(options)

    def show(interval: Interval) -> None:
        output.write(interval_as_json(interval))

    start, end, zone = options.start, options.end, options.time_zone
    read_profile(client, show, _complain, start=start, end=end, zone=zone)
    return Counters(good=int(output.lines > 0), damaged=client.counters.damaged)


def _objects(options: argparse.Namespace, output: _Output) -> Counters:
    from ..dlms.client import DlmsClient  # noqa: PLC0415
    from .ask import read_objects  # noqa: PLC0415
    from .dlms_json_lines import object_as_json  # noqa: PLC0415

    client = _polled_client(options)
    if isinstance(client, DlmsClient):
        read_objects(client, lambda found: output.write(object_as_json(found)), _complain)
    return Counters(good=client.counters.good, damaged=client.counters.damaged)


def _polled_client(options: argparse.Namespace) -> PolledClient:
    """Make the client that was asked for; SystemExit where its keys or passwords do not do."""
    from ..clients import create_polled_client  # noqa: PLC0415

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
    "decode": _decode,
    "listen": _listen,
    "read": _read,
    "profile": _profile,
    "objects": _objects,
}


def _complain(trouble: object) -> None:
    print(f"onemeter: {trouble}", file=sys.stderr)
