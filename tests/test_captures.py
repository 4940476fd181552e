"""What real meters sent, and what must be read from it.

The captures belong to other people and are not part of this project: $ONEMETER_CAPTURES names the
folder that holds them, with the expected results beside them.
"""

from decimal import Decimal
import itertools
import json
import os
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.__main__ import as_json
from custom_components.onemeter.meter.sml import SmlDecoder, decode_body

FOLDER = os.environ.get("ONEMETER_CAPTURES")

pytestmark = [
    pytest.mark.captures,
    pytest.mark.skipif(FOLDER is None, reason="$ONEMETER_CAPTURES is not set: no captures to read"),
]

NUMBER = re.compile(r"-?\d+(\.\d+)?")
HEAD = ("meter_id", "manufacturer", "ident")
#: None is all at once.
CHUNKS = (None, 1, 2, 3, 7, 16, 256)


def expected_in(*folders: str) -> list[Any]:
    """Find the expected results in folders; without captures, what takes their place."""
    if FOLDER is None:
        return [pytest.param(Path(), id="captures")]
    paths: list[Path] = []
    for folder in folders:
        found = sorted(Path(FOLDER, folder, "expected").glob("*.json"))
        assert found, f"no captures in {folder}"
        paths += found
    return [pytest.param(path, id=path.stem) for path in paths]


def load(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a capture and what must be read from it."""
    expected = json.loads(path.read_text("utf-8"))
    return (path.parent.parent / expected["file"]).read_bytes(), expected


def exact(value: str | None) -> Decimal | str | None:
    """Make equal what is equal: 1.20 and 1.2."""
    return Decimal(value) if value is not None and NUMBER.fullmatch(value) else value


def check(reading: Reading, expected: dict[str, Any], *, signed: bool) -> None:
    """Compare a reading, register by register."""
    got: dict[str, Any] = as_json(reading)
    for key in HEAD:
        assert got[key] == expected[key]
    assert len(reading.registers) == len(expected["registers"])
    for register, wanted in zip(got["registers"], expected["registers"], strict=True):
        assert register["obis"] == wanted["obis"]
        assert register["unit"] == wanted["unit"]
        assert register["group"] == wanted["group"]
        assert exact(register["value"]) == exact(wanted["value"]), register
        if signed:
            true = wanted.get("signed_value", wanted["value"])
            assert exact(register.get("signed_value", register["value"])) == exact(true), register


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("path", expected_in("sml", "sml/synthetic"))
def test_sml(path: Path, chunk: int | None) -> None:
    data, expected = load(path)
    decoder = SmlDecoder()
    readings: list[Reading] = []
    for piece in itertools.batched(data, chunk or len(data), strict=False):
        readings += decoder.feed(bytes(piece))
    decoder.finish()
    assert decoder.damaged == expected["damaged"]
    assert decoder.good == len(readings) == len(expected["readings"])
    for reading, wanted in zip(readings, expected["readings"], strict=True):
        # The status words of the synthetic ones are arbitrary.
        check(reading, wanted, signed="synthetic" not in path.parts)


@pytest.mark.parametrize("path", expected_in("sml/bodies"))
def test_sml_bodies(path: Path) -> None:
    data, expected = load(path)
    (wanted,) = expected["readings"]
    check(decode_body(data), wanted, signed=True)
