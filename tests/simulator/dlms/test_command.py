"""The command of DLMS meters."""

from argparse import ArgumentParser
from pathlib import Path
import subprocess
import sys

import pytest

from simulator.__main__ import main
from simulator.dlms import hdlc
from simulator.dlms.command import first_speed
from simulator.dlms.hdlc import Deframer, Frame
from simulator.dlms.options import add_options
from tests.helpers.waiting import DEADLINE
from tests.simulator.test_command_line import ROOT, listen

KEY = "000102030405060708090a0b0c0d0e0f"

a_process = pytest.mark.real_time("the simulator is a process")


def simulate(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", "dlms", "--pty", path, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@a_process
def test_polled_meter(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    process = simulate(path, "--serial", "42", "--address", "3", "--address-size", "2")
    assert process.stdout is not None
    assert process.stdout.readline() == f"DLMS meter DMO0000000000042 at {path}, hdlc\n"
    address = hdlc.server_address(3, 17, 2)
    request = Frame(address, b"\x03", hdlc.SNRM | hdlc.POLL).to_bytes()
    deframer = Deframer()
    with path.open("r+b", buffering=0) as port:
        port.write(request)
        while not (frames := deframer.feed(port.read(100))):
            pass
    assert (frames[0].source, frames[0].control) == (address, hdlc.UA | hdlc.POLL)
    process.terminate()
    assert process.communicate(timeout=DEADLINE) == ("", "")


@a_process
def test_meter_that_pushes(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    process = simulate(
        path,
        *("--push", "kamstrup", "--framing", "segments", "--baud", "115200"),
        *("--interval", "0.1", "--encryption-key", KEY, "--serial", "42"),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"DLMS meter 42 at {path}, 115200 baud, pushes kamstrup\n"
    frames = Deframer().feed(listen(path, 1500))
    assert {frame.segmented for frame in frames} == {False, True}
    assert any(frame.information.startswith(hdlc.LLC_RESPONSE + b"\xdb") for frame in frames)
    process.terminate()
    assert process.communicate(timeout=DEADLINE) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "speed"),
    [
        ([], 9600),
        (["--transport", "mode-e"], 300),
        (["--push", "kamstrup"], 2400),
        (["--push", "list", "--baud", "9600"], 9600),
        (["--push", "p1"], 115_200),
    ],
)
def test_usual_speeds(arguments: list[str], speed: int) -> None:
    parser = ArgumentParser()
    add_options(parser)
    assert first_speed(parser.parse_args(arguments)) == speed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--encryption-key", KEY[:-1]], "not 32 or 64 hexadecimal digits"),
        (["--encryption-key", KEY, "--suite", "2"], "suite 2 has keys of 32 bytes"),
        (["--authentication", "gmac"], "there is no encryption key"),
        (["--push", "p1-head"], "this layout is always encrypted"),
        (["--system-title", "00"], "not 16 hexadecimal digits: 00"),
        (["--counter", "-1"], "not a whole number: -1"),
        (["--transport", "udp"], "invalid Transport value: 'udp'"),
    ],
)
def test_wrong_usage(
    tmp_path: Path, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "meter"
    with pytest.raises(SystemExit, match="2"):
        main(["dlms", "--pty", str(path), *arguments])
    errors = capsys.readouterr().err
    assert complaint in errors
    # Not even an invalid key is shown.
    assert KEY[:-1] not in errors
    assert not path.is_symlink()
