"""The command line: ``python -m meter decode …`` and ``python -m meter listen …``."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from io import BufferedReader
import json
import math
import os
import sys

from .client import Counters
from .errors import TelegramError
from .line import Framing, LineSettings
from .protocols import DEFAULT_LINE, Protocol
from .reading import Reading, Register, Value
from .sml import SmlDecoder, decode_body

_EXAMPLES = """\
examples:
  onemeter decode --protocol sml capture.bin
  cat capture.bin | onemeter decode --protocol sml -
  onemeter listen --protocol sml --port /dev/ttyUSB0
  onemeter listen --protocol sml --port socket://192.168.1.20:3333 --count 1
  onemeter listen --protocol sml --port rfc2217://192.168.1.20:2217 --dtr high --rts low

Each reading is one line of JSON on standard output. The last line on standard error counts the
telegrams that became a reading, that arrived damaged, and that were something other than a reading.

exit status:
  0  at least one reading
  1  no reading
  2  wrong usage
"""
_LEVELS = {"high": True, "low": False}
#: Bytes decoded at a time.
_CHUNK = 16_384


class _Output:
    """Standard output, with a count of the readings for it."""

    def __init__(self) -> None:
        self.readings = 0

    def show(self, reading: Reading) -> None:
        """Write a reading at once, so that the next program in a pipe sees it live.

        Raises BrokenPipeError when nobody reads the output any more.
        """
        line = json.dumps(as_json(reading), ensure_ascii=False)
        self.readings += 1
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
    counters = _decode(options, output) if options.command == "decode" else _listen(options, output)
    counts = f"good={counters.good} damaged={counters.damaged} other={counters.other}"
    print(counts, file=sys.stderr)
    return 0 if output.readings else 1


def as_json(reading: Reading) -> dict[str, object]:
    """Return a reading as the command line prints it; values are exact decimals or text."""
    result: dict[str, object] = {
        "meter_id": reading.meter.meter_id,
        "manufacturer": reading.meter.manufacturer,
        "ident": reading.meter.ident,
    }
    if reading.time is not None:
        result["time"] = reading.time.isoformat()
    result["registers"] = [_register(register) for register in reading.registers]
    return result


def _register(register: Register) -> dict[str, object]:
    result: dict[str, object] = {"obis": None if register.obis is None else str(register.obis)}
    if register.address is not None:
        result["address"] = register.address
    result |= {"value": _text(register.value), "unit": register.unit, "group": register.group}
    if register.signed_value is not None:
        result["signed_value"] = _text(register.signed_value)
    return result


def _text(value: Value) -> str | None:
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return f"0x{value.hex()}"
        case datetime():
            return value.isoformat()
        case int():
            return str(value)
        case _:
            return value


def _decode(options: argparse.Namespace, output: _Output) -> Counters:
    if options.object == "body":
        return _decode_body(options.file, output)
    decoder = SmlDecoder()
    with options.file, suppress(BrokenPipeError, KeyboardInterrupt):
        for data in _chunks(options.file):
            for reading in decoder.feed(data):
                output.show(reading)
    decoder.finish()
    return Counters(good=decoder.good, damaged=decoder.damaged, other=decoder.other)


def _decode_body(file: BufferedReader, output: _Output) -> Counters:
    with file, suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            reading = decode_body(b"".join(_chunks(file)))
        except TelegramError as err:
            _complain(err)
            return Counters(damaged=1)
        output.show(reading)
    return Counters(good=output.readings)


def _chunks(file: BufferedReader) -> Iterator[bytes]:
    """Yield a file's bytes as they come."""
    try:
        while data := file.read1(_CHUNK):
            yield data
    except OSError as err:
        _complain(f"{file.name}: {err.strerror}")


def _listen(options: argparse.Namespace, output: _Output) -> Counters:
    # Not for decoding a file: these bring asyncio and serialx, which are slow to import.
    from .clients import create_client  # noqa: PLC0415
    from .listen import listen  # noqa: PLC0415

    protocol = Protocol(options.protocol)
    usual = DEFAULT_LINE[protocol]
    line = LineSettings(
        baudrate=options.baud or usual.baudrate,
        framing=Framing(options.framing or usual.framing),
        dtr=_LEVELS.get(options.dtr),
        rts=_LEVELS.get(options.rts),
    )
    client = create_client(protocol, options.port, line)
    listen(client, output.show, _complain, count=options.count, seconds=options.seconds)
    return client.counters


def _complain(trouble: object) -> None:
    print(f"onemeter: {trouble}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="onemeter",
        description="Read an electricity meter, or decode what one sent.",
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    decode = commands.add_parser(
        "decode",
        help="decode a file of received bytes",
        description="Decode a file of received bytes: one line of JSON for each reading.",
    )
    _add_protocol(decode)
    decode.add_argument(
        "--object",
        choices=("telegram", "body"),
        default="telegram",
        help="what the file holds: telegrams with their transport layer (default), or the"
        " messages of one telegram without it, as some gateways deliver them",
    )
    decode.add_argument("file", type=_file, metavar="FILE", help="the file; - is standard input")

    listen = commands.add_parser(
        "listen",
        help="listen at a port to a meter that sends by itself",
        description="Listen at a port to a meter that sends by itself: one line of JSON for each"
        " reading, until Ctrl-C.",
    )
    _add_protocol(listen)
    listen.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="a path such as /dev/ttyUSB0, or socket://host:port, rfc2217://…, esphome://…",
    )
    listen.add_argument(
        "--baud",
        type=_above_zero(int),
        metavar="N",
        help="bits per second; usually the protocol's own (sml: 9600)",
    )
    listen.add_argument(
        "--framing",
        choices=list(Framing),
        help="data bits, parity, stop bits; usually the protocol's own (sml: 8N1)",
    )
    listen.add_argument("--dtr", choices=_LEVELS, help="level of DTR while the port is open")
    listen.add_argument("--rts", choices=_LEVELS, help="level of RTS while the port is open")
    listen.add_argument("--count", type=_above_zero(int), metavar="N", help="end after N readings")
    listen.add_argument(
        "--seconds", type=_above_zero(float), metavar="S", help="end after S seconds"
    )
    return parser


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol", choices=list(Protocol), required=True, help="what the meter speaks"
    )


def _file(path: str) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb")  # noqa: PTH123
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{path}: {err.strerror}") from err


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
