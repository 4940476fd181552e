"""Line settings guessed by what is read of a sender with others."""

from itertools import product
from random import Random

import pytest

from custom_components.onemeter.meter.detection.lines import (
    REFERENCE,
    SWEEP,
    likely_lines,
    lines_by_start,
    slower_lines,
)
from custom_components.onemeter.meter.line import Framing, LineSettings
from simulator.dlms import Framing as Frames
from simulator.uart import Framing as Sent, Receiver, resample
from tests.helpers import pushed_telegrams as telegrams

SENDERS = {
    "HDLC": telegrams.dlms(),
    "M-Bus": telegrams.dlms(Frames.MBUS, is_enciphered=True),
    "SML": telegrams.sml(),
    "text": telegrams.text(),
    "text, 7E1": telegrams.text_with_parity(),
}
FRAMED = ("HDLC", "M-Bus")
CLOCKS = (0.98, 0.99, 1.0, 1.01, 1.02)


@pytest.mark.parametrize(
    ("name", "framing", "baudrate"),
    [
        (name, framing, baudrate)
        for name in SENDERS
        for framing in (Framing.EIGHT_NONE, Framing.EIGHT_EVEN)
        for baudrate in (2400, 4800)
        if framing is Framing.EIGHT_NONE or name in FRAMED
    ],
)
def test_first_bytes_are_enough(name: str, framing: Framing, baudrate: int) -> None:
    """They say speed and framing, but for M-Bus at 4800 baud, which is the same with both."""
    expected = LineSettings(baudrate, framing)
    for clock, receiver in product(CLOCKS, Receiver):
        data = SENDERS[name][:20]
        read = resample(data, baudrate * clock, 9600, Sent(framing), receiver=receiver)
        best, *others = lines_by_start(read[:6])
        if (name, baudrate) == ("M-Bus", 4800):
            assert expected in {best, *others}
        else:
            assert best == expected


@pytest.mark.parametrize(
    ("name", "baudrate"),
    # The rest of a text at 4800 baud looks like much else.
    [
        (name, baudrate)
        for name in SENDERS
        for baudrate in (300, 1200, 2400, 4800)
        if baudrate < 4800 or not name.startswith("text")
    ],
)
def test_slower_senders_show_in_any_part(name: str, baudrate: int) -> None:
    data = SENDERS[name] * 2
    random = Random(f"{name} {baudrate}")
    for clock, receiver in product(CLOCKS, Receiver):
        start = random.randrange(len(data) // 2)
        read = resample(data[start : start + 100], baudrate * clock, 9600, receiver=receiver)
        assert baudrate in {line.baudrate for line in slower_lines(read)}


@pytest.mark.parametrize("name", SENDERS)
def test_right_speed_is_not_taken_for_a_slower_one(name: str) -> None:
    data = SENDERS[name] * 2
    assert not slower_lines(data)
    assert not lines_by_start(data)


@pytest.mark.parametrize("baudrate", [57_600, 115_200])
@pytest.mark.parametrize("name", SENDERS)
def test_faster_senders(name: str, baudrate: int) -> None:
    data = (SENDERS[name] * 3)[:300]
    read = resample(data, baudrate, 9600)
    assert baudrate in {line.baudrate for line in likely_lines(REFERENCE, read, is_whole=True)}


def test_rest_of_a_burst_says_nothing() -> None:
    assert not likely_lines(REFERENCE, SENDERS["SML"][100:], is_whole=False, has_begin=False)
    line = LineSettings(2400, Framing.EIGHT_EVEN)
    assert not likely_lines(line, SENDERS["SML"][100:], is_whole=False)


def test_other_framing_comes_first_where_the_speed_is_right() -> None:
    line = LineSettings(2400, Framing.EIGHT_EVEN)
    other = LineSettings(2400, Framing.EIGHT_NONE)
    assert likely_lines(line, b"\x7e\xa0\x55", is_whole=True)[0] == other
    assert likely_lines(line, b"\x55\xa0\x55", is_whole=True)[0] == REFERENCE
    text = resample(telegrams.text(), 115_200, 115_200, Sent.SEVEN_NONE)
    likely = likely_lines(LineSettings(115_200), text, is_whole=True)
    assert likely[0] == LineSettings(115_200, Framing.SEVEN_NONE)


def test_sml_at_a_slow_port() -> None:
    read = resample(SENDERS["SML"], 9600, 2400)
    line = LineSettings(2400, Framing.EIGHT_EVEN)
    assert likely_lines(line, read, is_whole=True)[0] == REFERENCE


def test_each_line_is_tried_once() -> None:
    assert len(set(SWEEP)) == len(SWEEP)
    assert SWEEP[0] == REFERENCE
