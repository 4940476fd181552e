"""The command line: decode in a process of its own and in this one, listen at a pseudo-terminal."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import override

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
from custom_components.onemeter.meter.__main__ import as_json, main
from custom_components.onemeter.meter.errors import MeterSilentError, PortLostError
from custom_components.onemeter.meter.listen import _listen, listen
from simulator.pty import PtyLine
from simulator.sml import encoder as sml
from tests.meter.telegrams import SERVER_ID, damaged, telegram

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "meter"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "custom_components" / "onemeter")}
DECODE = ["decode", "--protocol", "sml"]
LISTEN = ["listen", "--protocol", "sml", "--port"]

READING = {
    "meter_id": SERVER_ID.hex(),
    "manufacturer": "TST",
    "ident": None,
    "registers": [
        {"obis": "1-0:1.8.0*255", "value": "123.4", "unit": "Wh", "group": 0},
        {"obis": "1-0:16.7.0*255", "value": "-500", "unit": "W", "group": 0},
    ],
}


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
    assert output.err == "good=0 damaged=0 other=0\n"


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


def test_decode_into_a_closed_pipe() -> None:
    process = subprocess.Popen(
        [*COMMAND, *DECODE, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
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


def test_decode_interrupted() -> None:
    process = subprocess.Popen(
        [*COMMAND, *DECODE, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(telegram() + telegram()[:20])
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors == b"good=1 damaged=1 other=0\n"
    assert process.returncode == 0


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
    output = capsys.readouterr().out
    assert "decode --protocol sml capture.bin" in output
    assert "exit status" in output


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


@asynccontextmanager
async def reading_from(
    cable: PtyLine, *arguments: str, data: bytes
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start a process of its own that reads from a meter that repeats itself."""

    async def speak() -> None:
        while True:
            cable.put(data)
            await asyncio.sleep(0.02)

    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    speaking = asyncio.create_task(speak())
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        speaking.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncGenerator[PtyLine]:
    async with PtyLine(tmp_path / "ttyMETER") as line:
        yield line


async def first_line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


async def test_listen_until_count(cable: PtyLine) -> None:
    options = ["--count", "3", "--baud", "2400"]
    async with reading_from(cable, *LISTEN, cable.url, *options, data=telegram()) as process:
        output, errors = await process.communicate()
    assert readings(output) == [READING] * 3
    assert last_line(errors).startswith("good=")
    assert process.returncode == 0


async def test_listen_until_interrupted(cable: PtyLine) -> None:
    async with reading_from(cable, *LISTEN, cable.url, data=telegram()) as process:
        assert readings(await first_line(process)) == [READING]
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert len(errors.splitlines()) == 1
    assert errors.startswith(b"good=")
    assert process.returncode == 0


@pytest.mark.parametrize(("command", "trouble"), [(LISTEN, b"was lost"), (DECODE, b"")])
async def test_the_port_is_lost(cable: PtyLine, command: list[str], trouble: bytes) -> None:
    async with reading_from(cable, *command, cable.url, data=telegram()) as process:
        assert readings(await first_line(process)) == [READING]
        cable.close()
        _, errors = await process.communicate()
    assert trouble in errors
    assert last_line(errors).startswith("good=")
    assert process.returncode == 0


async def test_listen_in_silence(cable: PtyLine) -> None:
    options = ["--seconds", "0.2"]
    async with reading_from(cable, *LISTEN, cable.url, *options, data=b"") as process:
        output, errors = await process.communicate()
    assert output == b""
    assert b"nothing comes" in errors
    assert last_line(errors) == "good=0 damaged=0 other=0"
    assert process.returncode == 1


async def test_listen_to_noise(cable: PtyLine) -> None:
    options = ["--seconds", "0.5"]
    async with reading_from(cable, *LISTEN, cable.url, *options, data=bytes(50)) as process:
        _, errors = await process.communicate()
    assert b"looks like line noise or wrong speed" in errors
    assert process.returncode == 1


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


async def test_long_silence_is_explained_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.onemeter.meter.listen._PATIENCE", 0)
    heard = Heard()
    await _listen(FakeClient(0), heard.show, heard.complain, count=None, seconds=0.02)
    assert heard.troubles == ["silent"]
