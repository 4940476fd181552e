"""The simulator as a program: output, signals, errors."""

import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest

from simulator.__main__ import main

ROOT = Path(__file__).parents[2]


def simulate(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listen(path: Path, size: int) -> bytes:
    port = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    try:
        data = b""
        while len(data) < size:
            data += os.read(port, size - len(data))
        return data
    finally:
        os.close(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_meter_pushes_until_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "meter"
    process = simulate("sml", "--pty", path, "--baud", "115200", "--interval", "0.2")
    assert process.stdout is not None
    assert process.stdout.readline() == f"SML meter 1 DMO00 1234 5678 at {path}, 115200 baud\n"
    assert b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" in listen(path, 700)
    process.send_signal(number)
    output, errors = process.communicate(timeout=5)
    assert (process.returncode, output, errors) == (0, "", "")
    assert not path.is_symlink()


def test_polled_meter(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    process = simulate(
        *("iec62056", "--pty", path, "--start-baud", "4800", "--serial", "42", "--tr", "0.02"),
        *("--no-power", "--echo", "--no-parity"),
    )
    assert process.stdout is not None
    started = f"IEC 62056-21 meter /DMO5DEMO-21 at {path}, mode C\n"
    assert process.stdout.readline() == started
    port = os.open(path, os.O_RDWR | os.O_NOCTTY)
    os.write(port, b"/?42!\r\n")
    expected = b"/?42!\r\n/DMO5DEMO-21\r\n"
    data = b""
    while len(data) < len(expected):
        data += os.read(port, 100)
    assert data == expected
    # The readout follows without acknowledgement, too.
    data = b""
    while b"!\r\n\x03" not in data:
        data += os.read(port, 4096)
    os.close(port)
    assert b"\r\nC.1.0(42)\r\n" in data
    assert b"16.7.0" not in data
    process.terminate()
    assert process.communicate(timeout=5) == ("", "")


def test_captured_readout_is_pushed(tmp_path: Path) -> None:
    readout = b"/ABC5METER\r\n\r\n1-0:1.8.0*255(000123.4*kWh)\r\n!\r\n"
    (tmp_path / "readout.bin").write_bytes(readout)
    process = simulate(
        *("iec62056", "--pty", tmp_path / "meter", "--readout", tmp_path / "readout.bin"),
        *("--mode", "D", "--no-parity", "--interval", "0.1"),
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("IEC 62056-21 meter /ABC5METER at ")
    heard = listen(tmp_path / "meter", 3 * len(readout))
    assert readout in heard
    process.terminate()
    assert process.communicate(timeout=5) == ("", "")


def test_blinking_meter_counts_its_flashes(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    process = simulate(
        *("blink", "--pty", path, "--rate", "100", "--count", "30", "--double", "1", "--seed", "3")
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"Blinking meter at {path}, 100 flashes per second\n"
    assert listen(path, 60) == bytes(60)
    output, errors = process.communicate(timeout=5)
    assert output == "30 impulses, 60 flashes seen: 0 missed, 30 doubled\n"
    assert (process.returncode, errors) == (0, "")


def test_blinking_household_until_it_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    options = ("--impulses-per-kwh", "1e6", "--no-solar", "--miss", "0.1")
    process = simulate("blink", "--pty", path, *options)
    assert process.stdout is not None
    assert process.stdout.readline() == f"Blinking meter at {path}, 1e+06 imp/kWh\n"
    assert listen(path, 20) == bytes(20)
    process.terminate()
    output, errors = process.communicate(timeout=5)
    assert "impulses, " in output
    assert (process.returncode, errors) == (0, "")


def test_replay_is_byte_exact(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4
    (tmp_path / "capture.bin").write_bytes(data)
    path = tmp_path / "meter"
    process = simulate("replay", tmp_path / "capture.bin", "--pty", path, "--baud", "115200")
    assert process.stdout is not None
    assert process.stdout.readline() == f"capture.bin, 1024 bytes, at {path}, 115200 baud\n"
    assert listen(path, len(data)) == data
    assert process.wait(timeout=5) == 0
    assert process.communicate() == ("", "")
    assert not path.is_symlink()


def test_replay_in_a_loop(tmp_path: Path) -> None:
    (tmp_path / "capture.bin").write_bytes(b"telegram")
    path = tmp_path / "meter"
    process = simulate("replay", tmp_path / "capture.bin", "--pty", path, "--loop")
    assert process.stdout is not None
    process.stdout.readline()
    assert listen(path, 80) == b"telegram" * 10
    process.terminate()
    assert process.wait(timeout=5) == 0
    process.communicate()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["sml"], "one of the arguments --pty --tcp is required"),
        (["sml", "--pty", "x", "--tcp", "127.0.0.1:1"], "not allowed with"),
        (["sml", "--tcp", "127.0.0.1"], "not HOST:PORT: 127.0.0.1"),
        (["sml", "--pty", "x", "--baud", "0"], "not a positive number: 0"),
        (["sml", "--pty", "x", "--noise", "1.5"], "not between 0 and 1: 1.5"),
        (["sml", "--pty", "x", "--interval", "-1"], "not a time in seconds: -1"),
        (["iec62056"], "one of the arguments --pty --tcp is required"),
        (["iec62056", "--pty", "x", "--mode", "F"], "invalid Mode value: 'F'"),
        (["blink", "--pty", "x", "--rate", "0"], "not a positive number: 0"),
        (["blink", "--pty", "x", "--impulses-per-kwh", "-1"], "not a positive number: -1"),
        (["blink", "--pty", "x", "--impulses-per-kwh", "many"], "not a positive number: many"),
        (["sml", "--pty", "x", "--serial", "123456789"], "not a number of up to eight digits"),
    ],
)
def test_wrong_usage(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert complaint in capsys.readouterr().err


def test_files_that_are_in_the_way_or_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")
    assert main(["sml", "--pty", str(path)]) == 1
    assert capsys.readouterr().err == f"simulate: {path}: exists and is not a symbolic link\n"
    missing = tmp_path / "missing"
    assert main(["replay", str(missing), "--pty", str(tmp_path / "meter")]) == 1
    assert capsys.readouterr().err == f"simulate: {missing}: No such file or directory\n"
