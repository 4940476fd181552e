"""What real meters sent, and what must be read from it.

The captures belong to other people and are not part of this project: $ONEMETER_CAPTURES names the
folder that holds them, with the expected results beside them.
"""

from collections.abc import Iterable
import csv
from datetime import datetime
from decimal import Decimal
from functools import cache
import itertools
import json
import os
from pathlib import Path
import random
import re
from typing import Any

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.cli.json_lines import as_json, profile_as_json
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.iec62056 import (
    Iec62056Decoder,
    decode_profile,
    profile_text,
)
from custom_components.onemeter.meter.iec62056.block import BlockCheck
from custom_components.onemeter.meter.iec62056.programming import FrameKind, FrameReader
from custom_components.onemeter.meter.sml import SmlDecoder, decode_body
from tests.helpers.damage import RANDOM, SINGLE, at_most, is_protected, judge

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
        assert register.get("address") == wanted.get("address")
        assert register["unit"] == wanted["unit"]
        assert register["group"] == wanted["group"]
        assert exact(register["value"]) == exact(wanted["value"]), register
        if signed:
            true = wanted.get("signed_value", wanted["value"])
            assert exact(register.get("signed_value", register["value"])) == exact(true), register


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("path", expected_in("sml", "sml/synthetic", "reports/sml"))
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


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_sml_with_layouts_remembered(is_shuffled: bool) -> None:
    """A decoder that has read other telegrams gives the readings of a new one."""
    telegrams = []
    for parameter in expected_in("sml", "sml/synthetic", "reports/sml"):
        data, _ = load(parameter.values[0])
        telegrams += [reading.raw for reading in SmlDecoder().feed(data)]
    if is_shuffled:
        random.Random(1).shuffle(telegrams)
    decoder = SmlDecoder()
    assert len(telegrams) > 400
    for telegram in telegrams:
        assert decoder.feed(telegram) == SmlDecoder().feed(telegram)


# --- IEC 62056-21 ---------------------------------------------------------------------------------


def read_iec62056(pieces: Iterable[bytes]) -> tuple[list[Reading], Iec62056Decoder]:
    """Feed a stream to its end."""
    decoder = Iec62056Decoder()
    readings = [reading for piece in pieces for reading in decoder.feed(piece)]
    readings += decoder.finish()
    return readings, decoder


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("path", expected_in("iec62056", "reports/iec62056"))
def test_iec62056(path: Path, chunk: int | None) -> None:
    data, expected = load(path)
    pieces = map(bytes, itertools.batched(data, chunk or len(data), strict=False))
    readings, decoder = read_iec62056(pieces)
    assert decoder.good == len(readings)
    if expected.get("checksum") == "stale":
        assert readings == []
        assert decoder.damaged == len(expected["readings"])
        return
    assert decoder.damaged == expected["damaged"]
    assert len(readings) == len(expected["readings"])
    for reading, wanted in zip(readings, expected["readings"], strict=True):
        check(reading, wanted, signed=False)


@pytest.mark.parametrize("path", expected_in("iec62056", "reports/iec62056"))
def test_iec62056_prefixes(path: Path) -> None:
    """A part of a capture gives errors, or what the whole one gives."""
    data, expected = load(path)
    whole = {
        (register["address"], register["group"], exact(register["value"]))
        for reading in expected["readings"]
        for register in reading["registers"]
    }
    for end in range(len(data)):
        readings, decoder = read_iec62056([data[:end]])
        assert decoder.damaged + decoder.good <= len(expected["readings"]) + expected["damaged"] + 1
        for reading in readings:
            for register in reading.registers:
                if isinstance(register.value, Decimal):
                    assert (register.address, register.group, register.value) in whole, end


@pytest.mark.parametrize("path", expected_in("iec62056/profiles"))
def test_iec62056_profiles(path: Path) -> None:
    data, expected = load(path)
    got = profile_as_json(decode_profile(profile_text(data)))
    assert got["object"] == expected["object"]
    assert got["capture_period_minutes"] == expected["capture_period_minutes"]
    assert got["channels"] == expected["channels"]
    rows: Any = got["rows"]
    assert len(rows) == len(expected["rows"])
    for row, wanted in zip(rows, expected["rows"], strict=True):
        for key in wanted.keys() - {"values", "entries"}:
            assert row[key] == wanted[key]
        values = [exact(value) for value in row.get("values", ())]
        assert values == [exact(value) for value in wanted.get("values", ())]
        for entry, wanted_entry in zip(
            row.get("entries", ()), wanted.get("entries", ()), strict=True
        ):
            assert {key: entry[key] for key in wanted_entry} == wanted_entry


@pytest.mark.parametrize("path", expected_in("iec62056/profiles"))
def test_iec62056_profile_prefixes(path: Path) -> None:
    data, _ = load(path)
    whole = decode_profile(profile_text(data))
    rows = len(whole.intervals) + len(whole.events)
    for end in range(len(data)):
        try:
            profile = decode_profile(profile_text(data[:end]))
        except TelegramError:
            continue
        assert profile.intervals == whole.intervals[: len(profile.intervals)]
        # The last event may lack its entries.
        assert profile.events[:-1] == whole.events[: max(len(profile.events) - 1, 0)]
        assert len(profile.intervals) + len(profile.events) <= rows


@pytest.mark.parametrize("name", ["requests", "answers"])
def test_iec62056_session(name: str) -> None:
    """Every frame of a session is found, and none in what is cut off."""
    if FOLDER is None:
        pytest.skip("no captures")
    (path,) = Path(FOLDER, "iec62056", "sessions").glob(f"*_{name}.bin")
    (expected,) = Path(FOLDER, "iec62056", "sessions", "expected").glob(f"*_{name}.json")
    data = path.read_bytes()
    frames = list(FrameReader(BlockCheck()).feed(data))
    sent = [
        frame
        for frame in json.loads(expected.read_text("utf-8"))["frames"]
        if frame.get("end") in {"ETX", "EOT"}
    ]
    found = [frame for frame in frames if frame.kind in {FrameKind.COMMAND, FrameKind.ANSWER}]
    assert len(found) == len(sent)
    assert all(frame.kind is not FrameKind.DAMAGED for frame in frames)
    for end in range(len(data)):
        part = list(FrameReader(BlockCheck()).feed(data[:end]))
        assert part == frames[: len(part)]


@cache
def protected_readouts() -> list[bytes]:
    """Return the telegrams of all captures that have a checksum."""
    found: list[bytes] = []
    for param in expected_in("iec62056"):
        data, _ = load(param.values[0])
        found += [reading.raw for reading in read_iec62056([data])[0]]
    return [raw for raw in found if is_protected(raw)]


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_iec62056_damage(count: int) -> None:
    """Changed numbers are accepted no more often than the checksums allow: two in 128."""
    readouts = protected_readouts()
    assert len(readouts) > 15
    tally = judge(readouts, count, "captures", is_known=False)
    for kinds in (RANDOM, SINGLE):
        wrong, total = tally.counts(*kinds)
        assert wrong <= at_most(2 / 128, total), tally


# --- DLMS -----------------------------------------------------------------------------------------

#: Names of what a decoder counts of telegrams that the keys do not fit.
KEY_COUNTS = ("needs_key", "wrong_encryption_key", "wrong_authentication_key")


#: Cases whose expected result contradicts another one's: the number of a meter in Carinthia is
#: 0-0:96.1.1 (lists/at_kelag12_am550), not 0-0:96.1.0.
CONTRADICTED = {"reports/dlms/at_kelag_am550.bin"}


def dlms_cases() -> list[Any]:
    """Find the rows of the indexes: a capture, its keys, and what comes of them."""
    if FOLDER is None:
        return [pytest.param({}, id="captures")]
    rows: list[dict[str, str]] = []
    for folder in ("dlms", "reports/dlms", "lists"):
        with Path(FOLDER, folder, "index.csv").open(encoding="utf-8", newline="") as file:
            found = [row | {"file": f"{folder}/{row['file']}"} for row in csv.DictReader(file)]
        assert found, f"no captures in {folder}"
        rows += (row for row in found if row["file"] not in CONTRADICTED)
    names = [f"{Path(row['file']).stem}-{row['expect']}" for row in rows]
    return [pytest.param(row, id=name) for row, name in zip(rows, names, strict=True)]


def load_dlms(row: dict[str, str]) -> tuple[bytes, Keys]:
    assert FOLDER is not None
    encryption, authentication = (bytes.fromhex(row[name]) or None for name in ("ek", "ak"))
    return Path(FOLDER, row["file"]).read_bytes(), Keys(encryption, authentication)


def expected_of(row: dict[str, str]) -> dict[str, Any]:
    assert FOLDER is not None
    capture = Path(FOLDER, row["file"])
    path = (capture.parent / "expected" / capture.name).with_suffix(".json")
    expected: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return expected


def read_dlms(
    data: bytes, keys: Keys, chunk: int | None = None
) -> tuple[list[Reading], DlmsDecoder]:
    """Feed a stream to its end."""
    decoder = DlmsDecoder(keys)
    readings: list[Reading] = []
    for piece in itertools.batched(data, chunk or max(len(data), 1), strict=False):
        readings += decoder.feed(bytes(piece))
    readings += decoder.finish()
    assert decoder.good == len(readings)
    return readings, decoder


def key_counts(decoder: DlmsDecoder) -> dict[str, bool]:
    return {name: getattr(decoder, name) > 0 for name in KEY_COUNTS}


def check_dlms(reading: Reading, expected: dict[str, Any]) -> None:
    """Compare a reading, register by register, but for what the sources disagree about."""
    got: dict[str, Any] = as_json(reading)
    unsure = expected.get("unsure") or []
    for key in {"manufacturer", "ident", "meter_id"} & expected.keys() - set(unsure):
        assert got[key] == expected[key], key
    if "time" in expected and "time" not in unsure:
        time = got.get("time") and datetime.fromisoformat(got["time"])
        assert time == (expected["time"] and datetime.fromisoformat(expected["time"]))
    registers = [register for register in got["registers"] if register["obis"] not in unsure]
    sure = [register for register in expected["registers"] if register["obis"] not in unsure]
    assert len(registers) == len(sure)
    for register, wanted in zip(registers, sure, strict=True):
        assert register["obis"] == wanted["obis"]
        assert register["unit"] == wanted["unit"]
        assert exact(register["value"]) == exact(wanted["value"]), register
        assert register["group"] == wanted.get("group", 0)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("row", dlms_cases())
def test_dlms(row: dict[str, str], chunk: int | None) -> None:
    data, keys = load_dlms(row)
    readings, decoder = read_dlms(data, keys, chunk)
    match row["expect"]:
        case "ok":
            expected = expected_of(row)
            assert (decoder.damaged > 0) == (expected["damaged"] > 0)
            assert len(readings) == len(expected["readings"])
            for reading, wanted in zip(readings, expected["readings"], strict=True):
                check_dlms(reading, wanted)
            return
        case "encrypted_no_key":
            told = "needs_key"
        case "wrong_key" if "wrong authentication key" in row["quirks"]:
            told = "wrong_authentication_key"
        case "wrong_key":
            told = "wrong_encryption_key"
        case "p1":  # plain text, which is no DLMS: neither a reading nor a wish for keys
            assert not any(key_counts(decoder).values())
            pieces = map(bytes, itertools.batched(data, chunk or len(data), strict=False))
            texts, _ = read_iec62056(pieces)
            for reading, wanted in zip(texts, expected_of(row)["readings"], strict=True):
                check(reading, wanted, signed=False)
            told = ""
        case _:
            assert (decoder.damaged > 0) == (row["expect"] == "damaged")
            told = ""
    assert readings == []
    if told:
        assert key_counts(decoder) == {name: name == told for name in KEY_COUNTS}


@pytest.mark.parametrize("row", dlms_cases())
def test_dlms_prefixes(row: dict[str, str]) -> None:
    """A part of a capture gives nothing, or what the whole one gives."""
    data, keys = load_dlms(row)
    whole, _ = read_dlms(data, keys)
    for end in range(0, len(data), 1 + len(data) // 300):
        readings, _ = read_dlms(data[:end], keys)
        assert [r.registers for r in readings] == [r.registers for r in whole[: len(readings)]]


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_dlms_mutations(count: int) -> None:
    """Whatever is changed, nothing is raised, and what is protected is read as it was sent."""
    if FOLDER is None:
        pytest.skip("no captures")
    cases = [load_dlms(param.values[0]) for param in dlms_cases()]
    rng = random.Random("mutations")
    for _ in range(count):
        data, keys = rng.choice(cases)
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(changed) or 1)
            match rng.randrange(4):
                case 0:
                    changed[place : place + 1] = rng.randbytes(1)
                case 1:
                    del changed[place : place + rng.randint(1, 8)]
                case 2:
                    changed[place:place] = rng.randbytes(rng.randint(1, 8))
                case _:
                    other, _ = rng.choice(cases)
                    changed[place:place] = other[: rng.randrange(len(other))]
        read_dlms(bytes(changed), keys, rng.choice((None, 16, 64)))
