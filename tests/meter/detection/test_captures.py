"""What real meters sent, replayed at the true speed of their lines.

$ONEMETER_CAPTURES names the folder of the captures, as in tests/test_captures.py.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import csv
import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from custom_components.onemeter.meter.detection import Detection, detect
from simulator.iec62056 import Iec62056Meter, serve
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.uart import Framing, Receiver

FOLDER = os.environ.get("ONEMETER_CAPTURES")

pytestmark = [
    pytest.mark.captures,
    pytest.mark.skipif(FOLDER is None, reason="$ONEMETER_CAPTURES is not set: no captures to read"),
]


def captures(*folders: str, only: Callable[[Path], object]) -> list[Any]:
    """Return some of the captures in folders; without any, what takes their place."""
    if FOLDER is None:
        return [pytest.param(Path(), id="captures")]
    found = [path for name in folders for path in sorted(Path(FOLDER, name).glob("*.bin"))]
    paths = [path for path in found if only(path)]
    assert paths
    return [pytest.param(path, id=path.stem) for path in paths]


def readings_of(path: Path) -> list[Any]:
    """Return what must be read from a capture."""
    expected = json.loads((path.parent / "expected" / f"{path.stem}.json").read_text("utf-8"))
    readings: list[Any] = expected["readings"]
    return readings


def row_of(path: Path) -> dict[str, str]:
    """Return what the index says about a capture."""
    with (path.parent / "index.csv").open(encoding="utf-8", newline="") as index:
        return next(row for row in csv.DictReader(index) if row["file"] == path.name)


def content_of(path: Path) -> bytes:
    """Return the bytes of a capture."""
    return path.read_bytes()


async def replayed(
    data: bytes, baudrate: int, framing: Framing, *, country: str, interval: float
) -> Detection:
    """Send a capture again and again, and return what is found then."""
    random = Random(len(data))

    async def send(line: Line) -> None:
        while True:
            await line.write(data)
            await asyncio.sleep(interval)

    async with MemoryLine(baudrate) as line:
        line.framing = framing
        line.receiver = random.choice(list(Receiver))
        line.clock_error = random.uniform(-0.01, 0.01)
        task = asyncio.create_task(send(line))
        await asyncio.sleep(random.uniform(0, 2))
        found = await detect(line.url, country=country)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return found


def can_be_read(path: Path) -> bool:
    return bool(readings_of(path)) and row_of(path).get("checksum") not in {"bad", "stale"}


def is_framed(path: Path) -> bool:
    """Return whether something that is sent in frames can be read from a capture of DLMS."""
    is_good = row_of(path)["expect"] in {"ok", "encrypted_no_key", "wrong_key"}
    return is_good and content_of(path)[:1] in FRAMINGS


#: Framing of the line by the first byte of HDLC and M-Bus.
FRAMINGS = {b"\x7e": Framing.EIGHT_NONE, b"\x68": Framing.EIGHT_EVEN}
#: Printed by a program, without the end that a readout has on a line.
PRINTED = "shng_pafal_12ec3g"


@pytest.mark.parametrize("path", captures("sml", "reports/sml", only=readings_of))
async def test_sml(path: Path) -> None:
    readings, data = readings_of(path), content_of(path)
    found = await replayed(data, 9600, Framing.EIGHT_NONE, country="DE", interval=1)
    assert found.winner is not None
    assert found.winner.protocol == "sml"
    assert found.winner.identity.meter_id in {reading["meter_id"] for reading in readings}
    assert found.light_seconds == 0


@pytest.mark.parametrize(
    "path",
    captures(
        "iec62056",
        "reports/iec62056",
        only=lambda path: can_be_read(path) and path.stem != PRINTED,
    ),
)
async def test_iec62056(path: Path) -> None:
    """Those of P1 ports are pushed, and all others are readouts that a meter was asked for."""
    row, data, readings = row_of(path), content_of(path), readings_of(path)
    if is_pushed := row.get("checksum") == "crc16":
        found = await replayed(data, 115_200, Framing.EIGHT_NONE, country="NL", interval=1)
    else:
        meter = Iec62056Meter.from_capture(data)
        async with MemoryLine(300) as line:
            task = asyncio.create_task(serve(line, meter))
            found = await detect(line.url, country="PL")
            task.cancel()
    winner = found.winner
    assert winner is not None
    assert winner.protocol == "iec62056"
    assert winner.is_polled is not is_pushed
    if readings[0]["manufacturer"] is not None:
        assert winner.identity.manufacturer == readings[0]["manufacturer"]


@pytest.mark.parametrize("path", captures("dlms", "lists", "reports/dlms", only=is_framed))
async def test_dlms(path: Path) -> None:
    row = row_of(path)
    framing = FRAMINGS[content_of(path)[:1]]
    baudrate = 9600 if framing is Framing.EIGHT_NONE else 2400
    found = await replayed(content_of(path), baudrate, framing, country="AT", interval=5)
    assert found.winner is not None
    assert found.winner.protocol == "dlms"
    assert found.winner.line.baudrate == baudrate
    assert (found.winner.encryption is None) is (row["ek"] == "" and row["expect"] == "ok")
