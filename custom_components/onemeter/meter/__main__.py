"""The command line: ``python -m meter decode | listen | read | profile``."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from io import BufferedReader
import json
import math
import os
import sys
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .client import Counters
from .errors import TelegramError
from .iec62056 import Iec62056Decoder, Profile, decode_profile, profile_text
from .iec62056.settings import SignOn
from .json_lines import as_json, channels_as_json, event_as_json, interval_as_json
from .line import Framing, LineSettings
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .reading import Interval, Reading
from .sml import SmlDecoder, decode_body

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

Each reading is one line of JSON on standard output, each row of a load profile too. The last line
on standard error counts the telegrams that became a reading, that arrived damaged, and that were
something other than a reading.

exit status:
  0  at least one reading
  1  no reading
  2  wrong usage
"""
_LEVELS = {"high": True, "low": False}
#: Bytes decoded at a time.
_CHUNK = 16_384

type Decoder = SmlDecoder | Iec62056Decoder


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
    options = _parser().parse_args(arguments)
    output = _Output()
    counters = options.run(options, output)
    counts = f"good={counters.good} damaged={counters.damaged} other={counters.other}"
    print(counts, file=sys.stderr)
    return 0 if output.lines else 1


def _decode(options: argparse.Namespace, output: _Output) -> Counters:
    if options.object != "telegram":
        with options.file:
            return _decode_whole(options, output)
    decoder: Decoder = SmlDecoder() if options.protocol == Protocol.SML else Iec62056Decoder()
    with options.file, suppress(BrokenPipeError, KeyboardInterrupt):
        for data in _chunks(options.file):
            for reading in decoder.feed(data):
                output.show(reading)
    with suppress(BrokenPipeError):
        for reading in decoder.finish():
            output.show(reading)
    return Counters(good=decoder.good, damaged=decoder.damaged, other=decoder.other)


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
    from .clients import create_pushed_client  # noqa: PLC0415
    from .listen import listen  # noqa: PLC0415

    protocol = Protocol(options.protocol)
    client = create_pushed_client(protocol, options.port, _line(options, PUSHED_LINE[protocol]))
    listen(client, output.show, _complain, count=options.count, seconds=options.seconds)
    return client.counters


def _read(options: argparse.Namespace, output: _Output) -> Counters:
    from .ask import read  # noqa: PLC0415
    from .clients import create_polled_client  # noqa: PLC0415

    protocol = Protocol(options.protocol)
    line = _line(options, POLLED_LINE[protocol])
    client = create_polled_client(protocol, options.port, line, _sign_on(options))

    def show(reading: Reading, duration: float | None) -> None:
        seconds = {} if duration is None else {"duration": round(duration, 3)}
        output.write(as_json(reading) | seconds)

    read(client, show, _complain, addresses=options.register)
    return client.counters


def _profile(options: argparse.Namespace, output: _Output) -> Counters:
    from .ask import read_profile  # noqa: PLC0415
    from .clients import create_polled_client  # noqa: PLC0415

    protocol = Protocol(options.protocol)
    line = _line(options, POLLED_LINE[protocol])
    client = create_polled_client(protocol, options.port, line, _sign_on(options))

    def show(interval: Interval) -> None:
        output.write(interval_as_json(interval))

    start, end, zone = options.start, options.end, options.time_zone
    read_profile(client, show, _complain, start=start, end=end, zone=zone)
    return Counters(good=int(output.lines > 0), damaged=client.counters.damaged)


def _line(options: argparse.Namespace, usual: LineSettings) -> LineSettings:
    return LineSettings(
        baudrate=options.baud or usual.baudrate,
        framing=Framing(options.framing or usual.framing),
        dtr=_LEVELS.get(options.dtr),
        rts=_LEVELS.get(options.rts),
    )


def _sign_on(options: argparse.Namespace) -> SignOn:
    return SignOn(
        address=options.address,
        table=options.table,
        password=options.password,
        wake_up=options.battery,
        switch_speed=not options.fixed_speed,
        switch_delay=options.switch_delay,
    )


def _complain(trouble: object) -> None:
    print(f"onemeter: {trouble}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onemeter",
        description="Read an electricity meter, or decode what one sent.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    decode = commands.add_parser(
        "decode",
        help="decode a file of received bytes",
        description="Decode a file of received bytes: one line of JSON for each reading.",
    )
    decode.set_defaults(run=_decode)
    _add_protocol(decode, *Protocol)
    decode.add_argument(
        "--object",
        choices=("telegram", "body", "profile"),
        default="telegram",
        help="what the file holds: telegrams with all that is around them (default); sml: the"
        " messages of one telegram without transport layer, as some gateways deliver them;"
        " iec62056: a load profile or event log",
    )
    _add_time_zone(decode)
    decode.add_argument("file", type=_file, metavar="FILE", help="the file; - is standard input")

    listen = commands.add_parser(
        "listen",
        help="listen at a port to a meter that sends by itself",
        description="Listen at a port to a meter that sends by itself: one line of JSON for each"
        " reading, until Ctrl-C.",
    )
    listen.set_defaults(run=_listen)
    _add_protocol(listen, *PUSHED_LINE)
    _add_port(listen, "sml: 9600 8N1, iec62056: 9600 7E1; P1 ports: 115200")
    listen.add_argument("--count", type=_above_zero(int), metavar="N", help="end after N readings")
    listen.add_argument(
        "--seconds", type=_above_zero(float), metavar="S", help="end after S seconds"
    )

    read = commands.add_parser(
        "read",
        help="ask a meter for its readout, or for single registers",
        description="Ask a meter for its readout: one line of JSON, with the seconds that it took.",
    )
    read.set_defaults(run=_read)
    _add_polled(read)
    read.add_argument(
        "--register",
        action="append",
        default=[],
        metavar="CODE",
        help="read just this register, in programming mode, such as 1.8.0; may be given again",
    )

    profile = commands.add_parser(
        "profile",
        help="ask a meter for its load profile",
        description="Ask a meter for its load profile: one line of JSON for each interval.",
    )
    profile.set_defaults(run=_profile)
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
    return parser


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
    _add_protocol(parser, *POLLED_LINE)
    _add_port(parser, "iec62056: 300 7E1, from which the meter goes on to its own")
    parser.add_argument(
        "--address", default="", help="device address, where several meters share the line"
    )
    parser.add_argument("--password", help="for registers and profiles of some meters")
    parser.add_argument("--table", default="", help="readout table, such as 1 (VDEW), or #")
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


def _add_time_zone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--time-zone",
        type=_zone,
        metavar="ZONE",
        help="zone of the meter's clock, such as Europe/Berlin, to tell times of a profile in UTC",
    )


def _file(path: str) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb")  # noqa: PTH123
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{path}: {err.strerror}") from err


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


if __name__ == "__main__":
    sys.exit(main())
