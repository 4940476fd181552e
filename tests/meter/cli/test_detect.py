"""The command that finds out which meter is at a port."""

import argparse
import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import threading

import pytest

from custom_components.onemeter.meter.cli.commands import _complain_of, main
from custom_components.onemeter.meter.cli.detect import _WakeUps, detection_as_json
from custom_components.onemeter.meter.detection import detect
from custom_components.onemeter.meter.errors import (
    ChecksumError,
    MeterError,
    MeterSilentError,
    UnknownDataError,
)
from simulator.household import Household
from simulator.kinds import KINDS
from simulator.memory import MemoryLine
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter
from tests.helpers.finding import at_a_bridge, at_a_line


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is remembered out of the user's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "onemeter"


class Meter(threading.Thread):
    """A meter at a pseudo-terminal, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.is_ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._task = self._loop.create_task(self._speak())
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _speak(self) -> None:
        async with PtyLine(self.path, 9600) as line:
            self.is_ready.set()
            await push(line, SmlMeter(household=Household(1)).telegram)

    def stop(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self.join()


@pytest.mark.real_time("the command has an event loop of its own, and a port of the kernel's")
def test_meter_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter(tmp_path / "head")
    meter.start()
    meter.is_ready.wait()
    try:
        assert main(["detect", "--port", str(meter.path), "--country", "de"]) == 0
    finally:
        meter.stop()
    output = capsys.readouterr()
    (line,) = output.out.splitlines()
    found = json.loads(line)
    (candidate,) = found["candidates"]
    assert found["situation"] == "found"
    assert candidate["protocol"] == "sml"
    assert candidate["mode"] == "pushed"
    assert candidate["evidence"] == ["1 telegram with right checksum at 9600 8N1"]
    assert found["light_seconds"] == 0
    command = f"listen --protocol sml --port {meter.path} --baud 9600 --framing 8N1"
    assert found["command"] == command
    assert output.err == "onemeter: opening the port\nonemeter: listening\n"


def test_port_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--port", str(tmp_path / "head")]) == 1
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert found["situation"] == "cannot_open"
    assert found["candidates"] == []
    assert "does not exist" in output.err


@pytest.mark.parametrize(
    ("name", "settings", "command"),
    [
        ("battery", {"wake_up": True}, "--battery"),
        ("/#!", {"table": "#"}, "--table #"),
        ("light, 10000 imp/kWh at 500 W", None, "--impulses-per-kwh N"),
        (
            "HDLC, polled",
            {"transport": "hdlc", "logical_device": 1, "address_length": 1},
            "--transport hdlc",
        ),
    ],
)
async def test_settings_are_shown(name: str, settings: object, command: str) -> None:
    async with at_a_line(KINDS[name]) as line:
        found = detection_as_json(await detect(line.url, country="PL"), line.url)
    assert found["candidates"][0].get("settings") == settings
    assert found["command"].endswith(command)
    assert json.dumps(found)


async def test_encryption_is_shown() -> None:
    async with at_a_bridge(KINDS["M-Bus, 2400 8E1"]) as line:
        url = line.url.replace("socket://", "socket://user:secret@")
        found = detection_as_json(await detect(line.url, country="PL"), url)
    encryption = found["candidates"][0]["encryption"]
    assert encryption == {
        "encrypted": True,
        "authenticated": True,
        "suite": 0,
        "system_title": "444d4f670001e240",
    }
    assert found["tried"] == []
    assert "secret" not in json.dumps(found)


async def test_what_is_not_understood_is_shown() -> None:
    async with MemoryLine(9600) as line:
        found = detection_as_json(await detect(line.url, country="PL"), line.url)
    assert found["situation"] == "silent"
    assert found["command"] is None
    assert found["tried"] == ["9600 8N1", "300 7E1", "9600 7E1"]


@pytest.mark.parametrize(
    ("error", "has_advice"),
    [
        (MeterSilentError("silent"), True),
        (UnknownDataError("unknown"), True),
        (ChecksumError("damaged"), False),
    ],
)
def test_advice(error: MeterError, *, has_advice: bool, capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(port="socket://user:secret@bridge:1", protocol="sml")
    _complain_of(error, options)
    errors = capsys.readouterr().err
    assert ("scripts/onemeter detect --port socket://***@bridge:1" in errors) is has_advice
    assert "secret" not in errors


def test_wake_ups_are_remembered(state: Path) -> None:
    memory = _WakeUps(state / "wake_ups.json")
    assert memory.last("/dev/ttyUSB0") is None
    now = datetime.now(UTC)
    memory.store("/dev/ttyUSB0", now)
    memory.store("rfc2217://user:secret@bridge:2217", now - timedelta(hours=1))
    assert memory.last("/dev/ttyUSB0") == now
    assert "secret" not in (state / "wake_ups.json").read_text()
    (state / "wake_ups.json").write_text('{"/dev/ttyUSB0": "2026-11-30T12:00"}')
    assert memory.last("/dev/ttyUSB0") is None
    (state / "wake_ups.json").write_text("[")
    assert memory.last("/dev/ttyUSB0") is None
