"""Identification lines: manufacturer, speed, mode."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.identity import identity_from_text
from custom_components.onemeter.meter.iec62056.identification import (
    IDENTIFICATION_LINE,
    IDENTIFICATION_START,
    Identification,
    baud_character,
)
from custom_components.onemeter.meter.reading import Identity
from simulator.iec62056.encoder import SPEED_DIGITS, SPEED_LETTERS, with_even_parity


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"/TST5DEMO-21\r\n", ("TST", "5", "DEMO-21")),
        (b"/TST5\\2DEMO-21\r\n", ("TST", "5", r"\2DEMO-21")),
        (b"/TST5\\@\\201DEMO\r\n", ("TST", "5", r"\@\201DEMO")),
        (b"/TST5\\@V1.00 \r\n", ("TST", "5", r"\@V1.00")),
        (b"/TSt4DEMO\n", ("TSt", "4", "DEMO")),
        # mode A: a blank, or anything else
        (b"/TST 685-382 NONE\r", ("TST", " ", "685-382 NONE")),
        (b"/TST-DEMO", ("TST", "-", "DEMO")),
        (b"/TST0\r\n", ("TST", "0", "")),
        (b"/TST5<1>DEMO\r\n", ("TST", "5", "<1>DEMO")),
        # longer than in the standard
        (
            b"/TST5\\253833635_DEMONSTRATOR 1.0\r\n",
            ("TST", "5", r"\253833635_DEMONSTRATOR 1.0"),
        ),
        # against the standard
        (b"/TST5/DEMO-21\r\n", ("TST", "5", "/DEMO-21")),
        (b"/TST5\\2/DEMO\r\n", ("TST", "5", r"\2/DEMO")),
        (b"/TST5DEMO(21)/D\r\n", ("TST", "5", "DEMO(21)/D")),
        # a control character inside
        (b"/TST5\x1cDE\x7fMO\r\n", ("TST", "5", "DEMO")),
        (b"/TST5\\\x1cDEMO\r\n", ("TST", "5", "\\DEMO")),
        (with_even_parity(b"/TST5DEMO\r\n"), ("TST", "5", "DEMO")),
    ],
)
def test_identification(line: bytes, parts: tuple[str, str, str]) -> None:
    found = Identification.parse(line)
    assert (found.manufacturer, found.baud, found.ident) == parts


@pytest.mark.parametrize(
    "line",
    [b"", b"/", b"/?!\r\n", b"/TS", b"/TST", b"/TS15DEMO\r\n", b"/TST(DEMO)\r\n", b"TST5DEMO\r\n"],
)
def test_no_identification(line: bytes) -> None:
    with pytest.raises(ValueError, match="identification"):
        Identification.parse(line)


@pytest.mark.parametrize(
    "text",
    [
        # within data
        b"1.8.0(/TST5)\r\n",
        b"0.3.0(5000*imp/kWh)(2)\r\n",
        b"0.2.0(a/bcd5(e)f)\r\n",
        # the rest of one before another
        b"/TS\r\n",
        b"/TST(5)\r\n",
        b"/TST5" + b"(1)" * 30 + b"\r\n",
    ],
)
def test_no_identification_in_a_stream(text: bytes) -> None:
    assert IDENTIFICATION_LINE.search(text) is None


def test_an_identification_without_text_in_a_stream() -> None:
    line = IDENTIFICATION_LINE.search(b"\x00/TST5\r\n\r\n")
    assert line is not None
    assert line[0] == b"/TST5\r"


def test_an_identification_cut_off_by_another() -> None:
    line = IDENTIFICATION_LINE.search(b"/TST5/TST5/DEMO\r\n")
    assert line is not None
    assert line[0] == b"/TST5/DEMO\r"


@given(st.lists(st.sampled_from([b"/", b"(", b")", b"!", b"T", b"5", b"\x02", b"\r"]), max_size=90))
def test_each_identification_has_begun_as_one(parts: list[bytes]) -> None:
    text = b"/TST5" + b"".join(parts) + b"\r\n"
    if (line := IDENTIFICATION_LINE.match(text)) is not None:
        for end in range(1, len(line[0])):
            assert IDENTIFICATION_START.match(text[:end]), end


@given(st.binary(max_size=100))
def test_whatever_is_found_in_a_stream_is_an_identification(data: bytes) -> None:
    text = bytes(byte & 0x7F for byte in b"/TST5" + data + b"\r\n")
    if (line := IDENTIFICATION_LINE.search(text)) is not None:
        found = Identification.parse(line[0])
        assert len(found.manufacturer) == 3
        assert found.ident.isprintable()


@pytest.mark.parametrize(
    ("speeds", "is_negotiated"), [(SPEED_DIGITS, True), (SPEED_LETTERS, False), ({}, False)]
)
def test_speeds(speeds: dict[int, str], *, is_negotiated: bool) -> None:
    for speed, character in speeds.items():
        found = Identification.parse(f"/TST{character}DEMO".encode())
        assert found.baudrate == speed
        assert found.is_negotiated is is_negotiated
        assert (baud_character(speed) == character) is is_negotiated


@pytest.mark.parametrize("character", [" ", "-", "7", "9", "G", "a", "x"])
def test_mode_a(character: str) -> None:
    found = Identification.parse(f"/TST{character}DEMO".encode())
    assert found.baudrate is None
    assert not found.is_negotiated


def test_speed_without_character() -> None:
    assert baud_character(115_200) is None


def test_quick_meters_have_a_lower_case_letter() -> None:
    assert Identification.parse(b"/TST5DEMO").reaction_time == 0.2
    assert Identification.parse(b"/TSt5DEMO").reaction_time == 0.02


@pytest.mark.parametrize(
    ("given_id", "identity"),
    [
        (None, Identity(None, "TST", "DEMO")),
        ("00000008", Identity("00000008", "TST", "DEMO")),
        ("1TST0000000008", Identity("1TST0000000008", "TST", "DEMO", "1TST0000000008")),
        ("1TSTA700000008", Identity("1TSTA700000008", "TST", "DEMO", "1TSTA700000008")),
        ("1TST000000000X", Identity("1TST000000000X", "TST", "DEMO")),
        ("1TST00000000080", Identity("1TST00000000080", "TST", "DEMO")),
    ],
)
def test_identity(given_id: str | None, identity: Identity) -> None:
    assert identity_from_text(given_id, "TSt", "DEMO") == identity


def test_identity_of_data_alone() -> None:
    assert identity_from_text("8", None, None) == Identity("8")
