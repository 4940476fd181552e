"""The command line: decode in a process of its own and in this one, the rest at a line."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import islice
import json
import os
from pathlib import Path
import shlex
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, Protocol as Interface, override

import pytest

from custom_components.onemeter.meter import (
    Identity,
    LineSettings,
    MeterError,
    Obis,
    PushedClient,
    Reading,
    Register,
)
from custom_components.onemeter.meter.cli.arguments import parser
from custom_components.onemeter.meter.cli.commands import main
from custom_components.onemeter.meter.cli.json_lines import as_json
from custom_components.onemeter.meter.cli.listen import _listen, listen
from custom_components.onemeter.meter.errors import MeterSilentError, PortLostError
from simulator import dlms
from simulator.blink import Light, steady
from simulator.clock import SimulatedClockLoop
from simulator.household import Household
from simulator.iec62056 import Memory, Registers, serve
from simulator.iec62056.encoder import Checksum, answer, data_block
from simulator.iec62056.meter import Mode
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.pty import PtyLine
from simulator.sml import encoder as sml
from tests.helpers import dlms_meters
from tests.helpers.lines import at_a_pty, meter
from tests.helpers.telegrams import SERVER_ID, damaged, telegram
from tests.helpers.waiting import until

in_a_process = pytest.mark.real_time("it is a process of its own")

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "meter"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "custom_components" / "onemeter")}
DECODE = ["decode", "--protocol", "sml"]
LISTEN_SML = ["listen", "--protocol", "sml"]
LISTEN = [*LISTEN_SML, "--port"]
LISTEN_BLINK = ["listen", "--protocol", "blink", "--port", "/dev/null"]
DECODE_IEC62056 = ["decode", "--protocol", "iec62056"]
ASK = ["--protocol", "iec62056", "--baud", "2400"]
ASK_PROFILE = ["profile", *ASK, "--port", "/dev/null"]

READING = {
    "meter_id": SERVER_ID.hex(),
    "manufacturer": "TST",
    "ident": None,
    "registers": [
        {"obis": "1-0:1.8.0*255", "value": "123.4", "unit": "Wh", "group": 0},
        {"obis": "1-0:16.7.0*255", "value": "-500", "unit": "W", "group": 0},
    ],
}

IDENT = b"/TST5DEMO-21\r\n"
LINES = "C.1.0(00000008)\r\n1.8.0(000123,40*kWh)\r\n1.6.1(1.5*kW)(2603151234)\r\n0.2.0,1()\r\n"
READOUT = IDENT + data_block(LINES, Checksum.XOR)
READOUT_AS_JSON = {
    "meter_id": "00000008",
    "manufacturer": "TST",
    "ident": "DEMO-21",
    "registers": [
        {"obis": obis, "address": address, "value": value, "unit": unit, "group": group}
        for obis, address, value, unit, group in (
            ("1-0:96.1.0*255", "C.1.0", "00000008", None, 0),
            ("1-0:1.8.0*255", "1.8.0", "123.40", "kWh", 0),
            ("1-0:1.6.1*255", "1.6.1", "1.5", "kW", 0),
            ("1-0:1.6.1*255", "1.6.1", "2603151234", None, 1),
            (None, "0.2.0,1", "", None, 0),
        )
    ],
}


#: Seconds that a command may take on a busy machine.
COMMAND_SECONDS = 60


@pytest.fixture(autouse=True)
def interrupts() -> Generator[None]:
    """Let Ctrl-C interrupt, as in a terminal.

    A job in the background begins with the signal ignored, and so do the processes that it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], input=data, capture_output=True, env=ENVIRONMENT, check=False
    )


def readings(output: bytes | str) -> list[object]:
    return [json.loads(line) for line in output.splitlines()]


def last_line(errors: bytes | str) -> str:
    line = errors.splitlines()[-1]
    return line if isinstance(line, str) else line.decode()


# --- decode -----------------------------------------------------------------------------------


@in_a_process
def test_decode_standard_input() -> None:
    result = run(*DECODE, "-", data=b"noise" + telegram() + damaged(telegram()) + telegram())
    assert readings(result.stdout) == [READING, READING]
    assert last_line(result.stderr) == "good=2 damaged=1 other=0"
    assert result.returncode == 0


def test_decode_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "capture.bin").write_bytes(telegram() + telegram()[:30])
    assert main([*DECODE, str(tmp_path / "capture.bin")]) == 0
    output = capsys.readouterr()
    assert readings(output.out) == [READING]
    assert last_line(output.err) == "good=1 damaged=1 other=0"


def test_decode_telegram_without_registers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture.bin"
    file.write_bytes(sml.transport(sml.message(sml.CLOSE_RESPONSE, sml.close_response())))
    assert main([*DECODE, str(file)]) == 1
    assert capsys.readouterr() == ("", "good=0 damaged=0 other=1\n")


def test_decode_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "capture.bin").write_bytes(b"no telegram")
    assert main([*DECODE, str(tmp_path / "capture.bin")]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "onemeter: no SML telegram in it\ngood=0 damaged=0 other=0\n"


@pytest.mark.parametrize(
    ("protocol", "data", "hint"),
    [
        ("sml", READOUT, "it looks like IEC 62056-21: try --protocol iec62056"),
        ("dlms", READOUT, "it looks like IEC 62056-21: try --protocol iec62056"),
        ("iec62056", telegram(), "it looks like SML: try --protocol sml"),
        ("sml", bytes([0x00, 0xF8, 0x80]) * 30, "it looks like line noise or wrong speed"),
        ("dlms", bytes([0x00, 0xF8, 0x80]) * 30, "it looks like line noise or wrong speed"),
    ],
)
def test_decode_something_else(
    protocol: str, data: bytes, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "capture.bin").write_bytes(data)
    assert main(["decode", "--protocol", protocol, str(tmp_path / "capture.bin")]) == 1
    (message, _) = capsys.readouterr().err.splitlines()
    assert message.startswith("onemeter: no ")
    assert message.endswith(hint)


def test_decode_body(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = sml.message(
        sml.GET_LIST_RESPONSE,
        sml.get_list_response(
            sml.octets(SERVER_ID), [sml.entry(bytes.fromhex("0100010800ff"), sml.unsigned(7))]
        ),
        transaction_id=sml.octets(b"1"),
    )
    (tmp_path / "body.bin").write_bytes(body)
    assert main([*DECODE, "--object", "body", str(tmp_path / "body.bin")]) == 0
    output = capsys.readouterr()
    (reading,) = readings(output.out)
    assert isinstance(reading, dict)
    assert reading["registers"][0]["value"] == "7"
    assert last_line(output.err) == "good=1 damaged=0 other=0"


def test_decode_what_is_no_body(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "body.bin").write_bytes(b"no body")
    assert main([*DECODE, "--object", "body", str(tmp_path / "body.bin")]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("onemeter: ")
    assert last_line(output.err) == "good=0 damaged=1 other=0"


def test_decode_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DECODE, "/proc/self/mem"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "onemeter: /proc/self/mem: Input/output error",
        "good=0 damaged=0 other=0",
    ]


def decode_from_a_pipe() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *DECODE, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )


@in_a_process
def test_decode_into_a_closed_pipe() -> None:
    process = decode_from_a_pipe()
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(telegram())
    process.stdin.flush()
    assert readings(process.stdout.readline()) == [READING]  # before the input has ended
    process.stdout.close()
    process.stdin.write(telegram() * 2)
    process.stdin.close()
    assert process.stderr.read().startswith(b"good=")
    process.stderr.close()
    assert process.wait() == 0


@in_a_process
def test_decode_interrupted() -> None:
    process = decode_from_a_pipe()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(telegram() + telegram()[:20])
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors == b"good=1 damaged=1 other=0\n"
    assert process.returncode == 0


def test_decode_iec62056_telegrams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "capture.bin"
    file.write_bytes(b"/?!\r\n" + READOUT + damaged(READOUT) + READOUT + READOUT[:-20])
    assert main([*DECODE_IEC62056, str(file)]) == 0
    output = capsys.readouterr()
    assert readings(output.out) == [READOUT_AS_JSON] * 2
    assert last_line(output.err) == "good=2 damaged=2 other=0"


@in_a_process
@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.SUM, Checksum.NONE])
def test_decode_iec62056_from_standard_input(checksum: Checksum) -> None:
    readout = IDENT + data_block(LINES, checksum)
    result = run(*DECODE_IEC62056, "-", data=readout * 2)
    assert readings(result.stdout) == [READOUT_AS_JSON] * 2
    assert last_line(result.stderr) == "good=2 damaged=0 other=0"
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (b"", "good=0 damaged=0 other=0"),
        (b"/?!\r\n\xff\x00", "good=0 damaged=0 other=0"),
        (damaged(telegram()), "good=0 damaged=0 other=0"),
        (READOUT[:-20], "good=0 damaged=1 other=0"),
        (LINES.encode(), "good=0 damaged=1 other=0"),
        (damaged(READOUT), "good=0 damaged=1 other=0"),
    ],
    ids=["nothing", "noise", "sml", "cut off", "no begin", "damaged"],
)
def test_decode_no_iec62056_telegram(
    data: bytes, counts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture.bin"
    file.write_bytes(data)
    assert main([*DECODE_IEC62056, str(file)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert last_line(output.err) == counts


PROFILE = (
    "P.01(261025023000)(00)(15)(2)(1.5)(kW)(X)()\r\n(0.10)(a)\r\n(0.20)()\r\n"
    "P.01(261025030000)(28)(15)(2)(1.5)(kW)(X)()\r\n(0,30)(b)\r\n"
    "P.01(261025021500)(00)(15)(2)(1.5)(kW)(X)()\r\n(0.40)(c)\r\n(0.5"
)
CHANNELS = [
    {"obis": "1-0:1.5.0*255", "address": "1.5", "unit": "kW"},
    {"obis": None, "address": "X", "unit": None},
]
ROWS = [
    (
        "2026-10-25T02:15:00",
        "2026-10-25T02:30:00",
        "00",
        ["0.10", "a"],
        "2026-10-25T00:30:00+00:00",
    ),
    (
        "2026-10-25T02:30:00",
        "2026-10-25T02:45:00",
        "00",
        ["0.20", None],
        "2026-10-25T00:45:00+00:00",
    ),
    (
        "2026-10-25T02:45:00",
        "2026-10-25T03:00:00",
        "28",
        ["0.30", "b"],
        "2026-10-25T01:00:00+00:00",
    ),
    (
        "2026-10-25T02:00:00",
        "2026-10-25T02:15:00",
        "00",
        ["0.40", "c"],
        "2026-10-25T01:15:00+00:00",
    ),
]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_decode_profile(
    zone: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profile.bin"
    file.write_bytes(PROFILE.encode())
    options = [] if zone is None else ["--time-zone", zone]
    assert main([*DECODE_IEC62056, "--object", "profile", *options, str(file)]) == 0
    output = capsys.readouterr()
    (profile,) = readings(output.out)
    assert profile == {
        "object": "P.01",
        "capture_period_minutes": 15,
        "channels": CHANNELS,
        "rows": [
            {"start": start, "end": end, "season": None}
            | ({} if zone is None else {"end_utc": in_utc})
            | {"status": status, "values": values}
            for start, end, status, values, in_utc in ROWS
        ],
    }
    assert last_line(output.err) == "good=1 damaged=0 other=0"


def test_decode_event_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log.bin"
    file.write_bytes(answer("P.98(1260315123456)(80)()(1)(C.11.0)()(04)\r\n", Checksum.SUM))
    assert main([*DECODE_IEC62056, "--object", "profile", str(file)]) == 0
    (profile,) = readings(capsys.readouterr().out)
    entry = {
        "obis": "1-0:96.11.0*255",
        "address": "C.11.0",
        "value": "04",
        "unit": None,
        "group": 0,
    }
    assert profile == {
        "object": "P.98",
        "capture_period_minutes": None,
        "channels": [],
        "rows": [
            {"time": "2026-03-15T12:34:56", "season": "summer", "status": "80", "entries": [entry]}
        ],
    }


@pytest.mark.parametrize(
    "data", [b"", b"(ER01)", READOUT, answer(PROFILE, Checksum.XOR)[:-1] + b"x"]
)
def test_decode_what_is_no_profile(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profile.bin"
    file.write_bytes(data)
    assert main([*DECODE_IEC62056, "--object", "profile", str(file)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("onemeter: ")
    assert last_line(output.err) == "good=0 damaged=1 other=0"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "COMMAND"),
        (["decode", "-"], "--protocol"),
        (["decode", "--protocol", "morse", "-"], "invalid choice: 'morse'"),
        ([*DECODE, "/does/not/exist"], "/does/not/exist: No such file or directory"),
        ([*DECODE, "/"], "/: Is a directory"),
        (["listen", "--protocol", "sml"], "--port"),
        ([*LISTEN, "/dev/null", "--baud", "fast"], "'fast' is not a number above 0"),
        ([*LISTEN, "/dev/null", "--count", "0"], "'0' is not a number above 0"),
        ([*LISTEN, "/dev/null", "--seconds", "nan"], "'nan' is not a number above 0"),
        ([*LISTEN, "/dev/null", "--framing", "9N1"], "invalid choice: '9N1'"),
        ([*DECODE, "--time-zone", "Mars/Olympus", "-"], "'Mars/Olympus' is not a time zone"),
        ([*DECODE, "--object", "subject", "-"], "invalid choice: 'subject'"),
        (
            ["read", "--protocol", "sml", "--port", "x"],
            "sml meters are not polled: use",
        ),
        (["objects", "--protocol", "blink", "--port", "x"], "use the command listen"),
        (["objects", "--protocol", "iec62056", "--port", "x"], "only for dlms"),
        (["decode", "--protocol", "blink", "-"], "use the command listen"),
        (LISTEN_BLINK, "--impulses-per-kwh or --wh-per-impulse"),
        ([*LISTEN_BLINK, "--impulses-per-kwh", "0"], "not a number above 0"),
        ([*LISTEN_BLINK, "--impulses-per-kwh", "1e9"], "not from 0.01 to 1 000 000"),
        ([*LISTEN_BLINK, "--impulses-per-kwh", "few"], "'few' is not a number"),
        ([*LISTEN_BLINK, "--impulses-per-kwh", "nan"], "'nan' is not a number"),
        ([*LISTEN_BLINK, "--impulses-per-kwh", "1", "--wh-per-impulse", "1"], "not allowed with"),
        ([*LISTEN_BLINK, "--max-power", "0"], "'0' is not a number of watts"),
        ([*LISTEN_BLINK, "--source", "dtr"], "invalid Source value: 'dtr'"),
        ([*LISTEN_BLINK, "--edges", "3"], "invalid choice: '3'"),
        (["read", "--protocol", "iec62056"], "--port"),
        (["detect"], "--port"),
        (["detect", "--port", "x", "--country", "Germany"], "'Germany' is no code"),
        ([*ASK_PROFILE, "--from", "yesterday", "--to", "2026-11-02"], "'yesterday' is not a date"),
        ([*ASK_PROFILE, "--from", "2026-11-01"], "--to"),
        (
            [*ASK_PROFILE, "--from", "2026-11-02", "--to", "2026-11-01"],
            "--from must be before --to",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert hint in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "exit status" in capsys.readouterr().out


def test_examples_of_the_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They name the script as it is, and are understood as they are printed."""
    monkeypatch.chdir(tmp_path)
    Path("capture.bin").write_bytes(telegram())
    Path("guek.txt").write_text("000102030405060708090A0B0C0D0E0F")
    stdin = SimpleNamespace(fileno=lambda: os.open("capture.bin", os.O_RDONLY))
    monkeypatch.setattr(sys, "stdin", stdin)
    examples = parser().format_help().partition("examples:\n")[2].partition("\n\n")[0]
    commands = []
    for line in examples.splitlines():
        program, *arguments = shlex.split(line.rpartition("|")[2])
        assert (ROOT / program).is_file()
        options = parser().parse_args(arguments)
        commands.append(options.command)
        if options.command == "decode":
            options.file.close()
    assert set(commands) == {"decode", "detect", "listen", "read", "profile", "objects"}
    assert main(shlex.split(examples.splitlines()[0])[1:]) == 0
    assert readings(capsys.readouterr().out) == [READING]


# --- the format -------------------------------------------------------------------------------


def test_every_kind_of_value() -> None:
    code = Obis(1, 0, 1, 8, 0)
    time = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
    values = {
        Decimal("33402.2640"): "33402.2640",
        Decimal("1E+3"): "1000",
        Decimal("-1E-18"): "-0.000000000000000001",
        -7: "-7",
        2**64 - 1: "18446744073709551615",
        "text": "text",
        b"\x00\xff": "0x00ff",
        b"": "0x",
        time: "2026-11-23T12:00:05+00:00",
        None: None,
    }
    registers = [
        *(Register(code, value) for value in values),
        Register(code, value=True),
        Register(None, 1, address="1.6.0,5", group=2, unit="°C"),
        Register(code, 5, signed_value=-5),
    ]
    result = as_json(Reading(Identity("id", ident="ident"), time, tuple(registers), b""))
    head = {"meter_id": "id", "manufacturer": None, "ident": "ident"}
    assert result == head | {
        "time": "2026-11-23T12:00:05+00:00",
        "registers": [
            *(
                {"obis": "1-0:1.8.0*255", "value": text, "unit": None, "group": 0}
                for text in [*values.values(), "true"]
            ),
            {"obis": None, "address": "1.6.0,5", "value": "1", "unit": "°C", "group": 2},
            {
                "obis": "1-0:1.8.0*255",
                "value": "5",
                "unit": None,
                "group": 0,
                "signed_value": "-5",
            },
        ],
    }


@in_a_process
def test_output_is_utf_8() -> None:
    celsius = sml.entry(bytes.fromhex("0100600900ff"), sml.unsigned(20), unit=sml.unsigned(9))
    data = sml.encode_telegram(sml.octets(SERVER_ID), [celsius])
    result = subprocess.run(
        [*COMMAND, *DECODE, "-"],
        input=data,
        capture_output=True,
        env=ENVIRONMENT | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        check=True,
    )
    assert '"°C"' in result.stdout.decode()


# --- listen -----------------------------------------------------------------------------------


#: What happens at a line while a command uses it.
type Beside = Callable[[MemoryLine], Coroutine[Any, Any, None]]


class AtALine(Interface):
    """Runs a command at a line, beside what happens there; returns what it wrote, and its status.

    That is the content of its lines, its errors, and its exit status.
    """

    def __call__(self, beside: Beside, *arguments: str) -> tuple[list[Any], str, int]: ...


@pytest.fixture
def at_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> AtALine:
    """Run commands in this process, on a simulated clock."""

    def run_command(beside: Beside, *arguments: str) -> tuple[list[Any], str, int]:
        line = MemoryLine()

        def run[T](command: Coroutine[Any, Any, T]) -> T:
            async def run_both() -> T:
                async with line:
                    task = asyncio.create_task(beside(line))
                    try:
                        return await command
                    finally:
                        task.cancel()
                        with suppress(asyncio.CancelledError):
                            await task

            loop = partial(SimulatedClockLoop, COMMAND_SECONDS)
            with asyncio.Runner(loop_factory=loop) as runner:
                return runner.run(run_both())

        monkeypatch.setattr(asyncio, "run", run)
        status = main([*arguments, "--port", line.url])
        output = capsys.readouterr()
        return readings(output.out), output.err, status

    return run_command


async def speak(line: Line, data: bytes) -> None:
    """Repeat this for ever."""
    while True:
        line.put(data)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def process_of(*arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a command in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def reading_from(
    cable: PtyLine, *arguments: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start a process that reads from a meter that repeats itself."""
    async with process_of(*arguments) as process:
        speaking = asyncio.create_task(speak(cable, telegram()))
        try:
            yield process
        finally:
            speaking.cancel()


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncGenerator[PtyLine]:
    async with PtyLine(tmp_path / "ttyMETER") as line:
        yield line


async def first_line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


@in_a_process
async def test_listen_until_count(cable: PtyLine) -> None:
    options = ["--count", "3", "--baud", "2400"]
    async with reading_from(cable, *LISTEN, cable.url, *options) as process:
        output, errors = await process.communicate()
    assert readings(output) == [READING] * 3
    assert last_line(errors).startswith("good=")
    assert process.returncode == 0


@in_a_process
async def test_listen_until_interrupted(cable: PtyLine) -> None:
    async with reading_from(cable, *LISTEN, cable.url) as process:
        assert readings(await first_line(process)) == [READING]
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert len(errors.splitlines()) == 1
    assert errors.startswith(b"good=")
    assert process.returncode == 0


@in_a_process
@pytest.mark.parametrize(("command", "trouble"), [(LISTEN, b"was lost"), (DECODE, b"")])
async def test_the_port_is_lost(cable: PtyLine, command: list[str], trouble: bytes) -> None:
    async with reading_from(cable, *command, cable.url) as process:
        assert readings(await first_line(process)) == [READING]
        cable.close()
        _, errors = await process.communicate()
    assert trouble in errors
    assert last_line(errors).startswith("good=")
    assert process.returncode == 0


def test_listen_in_silence(at_a_line: AtALine) -> None:
    output, errors, status = at_a_line(lambda line: speak(line, b""), *LISTEN_SML, "--seconds", "9")
    assert output == []
    assert errors.count("nothing comes") == 1
    assert last_line(errors) == "good=0 damaged=0 other=0"
    assert status == 1


def test_listen_to_noise(at_a_line: AtALine) -> None:
    options = [*LISTEN_SML, "--seconds", "20"]
    output, errors, status = at_a_line(lambda line: speak(line, bytes(50)), *options)
    assert output == []
    # Once while it lasts, and in the end.
    assert errors.count("looks like line noise or wrong speed") == 2
    assert status == 1


def test_listen_at_a_port_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--framing", "8E1", "--dtr", "high", "--rts", "low", "--seconds", "1"]
    assert main([*LISTEN, str(tmp_path / "tty"), *options]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors == [f"onemeter: {tmp_path}/tty does not exist", "good=0 damaged=0 other=0"]


class FakeClient(PushedClient):
    """Gives a number of readings, then fails or is silent."""

    def __init__(self, count: int, failure: MeterError | None = None) -> None:
        super().__init__("/dev/ttyUSB0", LineSettings(9600))
        self.count = count
        self.failure = failure
        self.closed = False

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        try:
            for _ in range(self.count):
                self.counters.good += 1
                yield Reading(Identity(), None, (), b"")
            if self.failure is not None:
                raise self.failure
            await asyncio.Event().wait()
        finally:
            self.closed = True

    @override
    def diagnose(self) -> MeterError:
        return MeterSilentError("silent")


class Heard:
    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.troubles: list[str] = []

    def show(self, reading: Reading) -> None:
        self.readings.append(reading)

    def complain(self, trouble: object) -> None:
        self.troubles.append(str(trouble))


@pytest.mark.parametrize(
    ("client", "count", "shown", "troubles"),
    [
        (FakeClient(5), 2, 2, []),
        (FakeClient(2), None, 2, []),
        (FakeClient(0), None, 0, ["silent"]),
        (FakeClient(1, PortLostError("lost")), None, 1, ["lost"]),
    ],
)
def test_listen(client: FakeClient, count: int | None, shown: int, troubles: list[str]) -> None:
    heard = Heard()
    listen(client, heard.show, heard.complain, count=count, seconds=0.02)
    assert len(heard.readings) == shown
    assert heard.troubles == troubles
    assert client.closed


@pytest.mark.parametrize(("seconds", "troubles"), [(14.9, []), (15.1, ["silent"])])
async def test_long_silence_is_explained_while_it_lasts(
    seconds: float, troubles: list[str]
) -> None:
    heard = Heard()
    await _listen(FakeClient(0), heard.show, heard.complain, count=None, seconds=seconds)
    assert heard.troubles == troubles


# --- IEC 62056-21 at a line -----------------------------------------------------------------------


@in_a_process
async def test_read_in_a_process(tmp_path: Path) -> None:
    async with (
        at_a_pty(tmp_path, meter(start_baudrate=2400)) as line,
        process_of("read", *ASK, "--port", line.url) as process,
    ):
        output, errors = await process.communicate()
    (reading,) = readings(output)
    assert isinstance(reading, dict)
    assert (reading["meter_id"], reading["manufacturer"]) == ("12345678", "DMO")
    assert errors == b"good=1 damaged=0 other=0\n"
    assert process.returncode == 0


def test_read(at_a_line: AtALine) -> None:
    simulated = meter(start_baudrate=2400)
    (reading,), errors, status = at_a_line(lambda line: serve(line, simulated), "read", *ASK)
    assert (reading["meter_id"], reading["manufacturer"]) == ("12345678", "DMO")
    # Sign-on, identification and acknowledgement, then the readout, and what both sides wait.
    wire_time = (5 + 14 + 6) * 10 / 2400 + len(simulated.readout()) * 10 / 9600
    assert reading["duration"] == pytest.approx(wire_time + 3 * 0.2, abs=0.001)
    assert (errors, status) == ("good=1 damaged=0 other=0\n", 0)


def test_read_single_registers(at_a_line: AtALine) -> None:
    options = ["--register", "1.8.0", "--register", "16.7.0", "--register", "99.9.9"]
    simulated = meter(start_baudrate=2400, password="1234")

    def read(password: str) -> tuple[list[Any], str, int]:
        command = ["read", *ASK, *options, "--password", password]
        return at_a_line(lambda line: serve(line, simulated), *command)

    (reading,), errors, status = read("1234")
    assert [register["address"] for register in reading["registers"]] == ["1.8.0", "16.7.0"]
    assert (errors, status) == ("good=1 damaged=0 other=0\n", 0)
    found, errors, status = read("4321")
    assert (found, status) == ([], 1)
    assert "password" in errors
    assert "4321" not in errors
    assert last_line(errors) == "good=0 damaged=0 other=0"


def test_profile(at_a_line: AtALine) -> None:
    now = datetime(2026, 10, 26, tzinfo=UTC).timestamp()
    simulated = meter(start_baudrate=2400, clock=lambda: now)
    span = ["--from", "2026-10-25T01:00", "--to", "2026-10-25T04:00"]
    rows, errors, status = at_a_line(
        lambda line: serve(line, simulated), "profile", *ASK, *span, "--time-zone", "Europe/Berlin"
    )
    assert status == 0, errors
    ends = [row["end_utc"] for row in rows]
    assert len(ends) == 16
    assert (ends[0], ends[-1]) == ("2026-10-24T23:15:00+00:00", "2026-10-25T03:00:00+00:00")
    assert ends == sorted(set(ends))
    for row in rows:
        assert [channel["obis"] for channel in row["channels"]] == [
            "1-0:1.5.0*255",
            "1-0:2.5.0*255",
        ]
        assert {channel["unit"] for channel in row["channels"]} == {"kW"}
        assert len(row["values"]) == 2
    assert last_line(errors) == "good=1 damaged=0 other=0"


def test_profiles_of_both_protocols_are_the_same(at_a_line: AtALine) -> None:
    """Two meters of one house, over the end of summer time, with a power cut."""
    now = datetime(2026, 10, 26, tzinfo=UTC).timestamp()
    household = Household(utc_offset=3600)
    cut = int(datetime(2026, 10, 24, 23, tzinfo=UTC).timestamp())
    outages = [(cut, cut + 3600)]
    iec62056 = meter(
        start_baudrate=9600,
        clock=lambda: now,
        registers=Registers(household=household),
        memory=Memory(channels=("1.8.0", "2.8.0"), outages=outages),
    )
    other = dlms.DlmsMeter(
        clock=lambda: now,
        registers=dlms.Registers(household=household),
        profile=dlms.Profile(outages=outages, days=3),
    )
    span = ["--from", "2026-10-25T00:00", "--to", "2026-10-25T06:00"]
    zone = ["--time-zone", "Europe/Berlin"]
    baud = ("--baud", str(dlms_meters.SPEED), "--server", "1", "--client", "1")
    found = {}
    for protocol, serving, options in (
        ("iec62056", lambda line: serve(line, iec62056), ("--baud", "9600")),
        ("dlms", lambda line: dlms.serve(line, other), baud),
    ):
        rows, errors, status = at_a_line(
            serving, "profile", "--protocol", protocol, *options, *span, *zone
        )
        assert status == 0, errors
        assert last_line(errors).startswith("good=1 damaged=0 other=0")
        found[protocol] = [
            (
                row["start"],
                row["end"],
                row["end_utc"],
                row["status"],
                [
                    # Each meter sends its own unit and digits.
                    (channel["obis"], Decimal(value) // _IN_WH[channel["unit"]])
                    for channel, value in zip(row["channels"], row["values"], strict=True)
                ],
            )
            for row in rows
        ]
    assert len(found["dlms"]) == 24
    for row, other_row in zip(found["dlms"], found["iec62056"], strict=True):
        # At the change itself, one shows the time before it, with a status, and one that after it.
        place = 2 if row[2] == "2026-10-25T01:00:00+00:00" else 0
        assert (*row[place:3], row[4]) == (*other_row[place:3], other_row[4])
        assert place or row[3] == other_row[3]


_IN_WH = {"Wh": Decimal(1), "kWh": Decimal("0.001")}


@pytest.mark.parametrize("client", [(), ("--client", "1")], ids=["public", "other"])
def test_read_an_encrypted_meter_without_keys(client: tuple[str, ...], at_a_line: AtALine) -> None:
    simulated = dlms_meters.ciphered()
    _, errors, _ = at_a_line(
        lambda line: dlms.serve(line, simulated),
        *("read", "--protocol", "dlms", "--baud", str(dlms_meters.SPEED), "--server", "1", *client),
    )
    message, counts = errors.splitlines()[-2:]
    assert "no keys were given" in message
    assert counts.startswith("good=")


@pytest.mark.parametrize("command", ["read", "objects"])
@pytest.mark.parametrize(
    ("keys", "text", "counts"),
    [
        (
            (dlms_meters.AUTHENTICATION_KEY, dlms_meters.AUTHENTICATION_KEY),
            "cannot decipher the client's messages",
            "needs_key=0 wrong_encryption_key=1 wrong_authentication_key=0",
        ),
        (
            (dlms_meters.ENCRYPTION_KEY, dlms_meters.ENCRYPTION_KEY),
            "rejects the authentication key",
            "needs_key=0 wrong_encryption_key=0 wrong_authentication_key=1",
        ),
    ],
    ids=["encryption", "authentication"],
)
def test_wrong_keys_of_a_polled_meter_are_counted(
    command: str, keys: tuple[bytes, bytes], text: str, counts: str, at_a_line: AtALine
) -> None:
    simulated = dlms_meters.ciphered()
    encryption, authentication = keys
    _, errors, status = at_a_line(
        lambda line: dlms.serve(line, simulated),
        *(command, "--protocol", "dlms", "--baud", str(dlms_meters.SPEED), "--server", "1"),
        *("--client", "1", "--encryption-key", encryption.hex()),
        *("--authentication-key", authentication.hex()),
    )
    assert text in errors
    assert last_line(errors).endswith(counts)
    assert status == 1


def test_no_hint_about_a_password_that_was_given(at_a_line: AtALine) -> None:
    simulated = dlms.DlmsMeter(mechanism=dlms.Mechanism.LLS, secret=dlms_meters.PASSWORD)
    _, errors, _ = at_a_line(
        lambda line: dlms.serve(line, simulated),
        *("read", "--protocol", "dlms", "--baud", str(dlms_meters.SPEED), "--server", "1"),
        *("--password", "wrong"),
    )
    assert "rejects the password" in errors
    assert "no keys were given" not in errors


def test_decode_encrypted_telegrams_without_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture.bin"
    pushing = dlms.PushMeter(encryption_key=dlms_meters.ENCRYPTION_KEY)
    file.write_bytes(pushing.telegram(1_790_000_000))
    assert main(["decode", "--protocol", "dlms", str(file)]) == 1
    message, counts = capsys.readouterr().err.splitlines()
    assert message == "onemeter: telegrams are encrypted: give --encryption-key"
    assert "needs_key=1" in counts


def test_listen_to_an_encrypted_meter_without_keys(at_a_line: AtALine) -> None:
    pushing = dlms.PushMeter(encryption_key=dlms_meters.ENCRYPTION_KEY)
    telegram_and_pause = pushing.telegram(1_790_000_000)
    options = ["listen", "--protocol", "dlms", "--seconds", "9"]
    _, errors, status = at_a_line(lambda line: speak(line, telegram_and_pause), *options)
    *_, trouble, advice, counts = errors.splitlines()
    assert trouble.endswith("are encrypted")
    assert advice.startswith("onemeter: give --encryption-key")
    assert "needs_key=0" not in counts
    assert status == 1


def test_listen_to_an_iec62056_meter(at_a_line: AtALine) -> None:
    simulated = meter(mode=Mode.D, start_baudrate=9600, interval=0.5)
    options = ["listen", "--protocol", "iec62056", "--count", "2"]
    found, errors, status = at_a_line(lambda line: serve(line, simulated), *options)
    assert [reading["ident"] for reading in found] == ["DEMO-21"] * 2
    assert status == 0
    # The first one was held back until another one came from the same meter.
    assert last_line(errors) == "good=2 damaged=0 other=1"


# --- BLINK at a line ------------------------------------------------------------------------------

COUNT = ["listen", "--protocol", "blink", "--impulses-per-kwh", "1000"]


async def blink(line: Line, count: int) -> None:
    """Flash ten times per second, as soon as somebody listens."""
    await until(lambda: line.listened_to)
    await Light(line).blink(islice(steady(10, 0), count), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_count_until_stopped(at_a_line: AtALine, number: signal.Signals) -> None:
    async def blink_and_stop(line: Line) -> None:
        await blink(line, 7)
        await asyncio.sleep(0.2)
        signal.raise_signal(number)

    found, errors, status = at_a_line(blink_and_stop, *COUNT, "--reading", "12345.6")
    first, last = found
    assert first["registers"] == [
        {"obis": "1-0:1.8.0*255", "value": "12345.601", "unit": "kWh", "group": 0},
        {"obis": "1-0:1.7.0*255", "value": None, "unit": "W", "group": 0},
    ]
    assert first["impulses"] == 1
    # What was counted since the last reading is told in the end.
    assert last["impulses"] == 7
    assert last["registers"][0]["value"] == "12345.607"
    assert (errors, status) == ("good=7 damaged=0 other=0\n", 0)


@in_a_process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_process_that_counts_is_stopped(cable: PtyLine, number: signal.Signals) -> None:
    async with process_of(*COUNT, "--port", cable.url) as process:
        flashing = asyncio.create_task(speak(cable, b"\0"))
        (first,) = readings(await first_line(process))
        flashing.cancel()
        process.send_signal(number)
        output, errors = await process.communicate()
    assert isinstance(first, dict)
    *_, last = [first, *readings(output)]
    assert isinstance(last, dict)
    assert last["impulses"] >= first["impulses"] >= 1
    assert errors == f"good={last['impulses']} damaged=0 other=0\n".encode()
    assert process.returncode == 0


def test_count_what_is_fed_in(at_a_line: AtALine) -> None:
    options = ["listen", "--protocol", "blink", "--wh-per-impulse", "0.5", "--export"]
    found, _, _ = at_a_line(lambda line: blink(line, 15), *options, "--count", "2")
    codes = [[register["obis"] for register in reading["registers"]] for reading in found]
    assert codes == [["1-0:2.8.0*255", "1-0:2.7.0*255"]] * 2


def test_no_flash(at_a_line: AtALine) -> None:
    found, errors, status = at_a_line(lambda line: blink(line, 0), *COUNT, "--seconds", "1")
    assert found == []
    assert "nothing comes" in errors
    assert status == 1
