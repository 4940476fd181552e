"""Bursts and flashes, by when bytes come."""

from custom_components.onemeter.meter.detection.bursts import Burst, Bursts, Flashes
from custom_components.onemeter.meter.line import LineSettings

LINE = LineSettings(9600)
FAST = LineSettings(115_200)


def test_burst_ends_with_a_silence() -> None:
    bursts = Bursts(10.0)
    assert bursts.finished(10.0) is None
    bursts.take(b"\x1b\x1b", 10.2)
    bursts.take(b"\x1b", 10.21)
    assert bursts.finished(10.3) is None
    assert bursts.ends_at is not None
    burst = bursts.finished(bursts.ends_at)
    assert burst is not None
    assert bytes(burst.data) == b"\x1b\x1b\x1b"
    assert (burst.begun, burst.ended) == (10.2, 10.21)
    assert burst.follows_silence
    assert burst.is_whole
    assert bursts.current is None


def test_rest_of_a_burst() -> None:
    """Where the port was opened in the middle of it, its begin is missing."""
    bursts = Bursts(10.0)
    bursts.take(b"rest", 10.01)
    burst = bursts.finished(11.0)
    assert burst is not None
    assert not burst.follows_silence
    assert not burst.is_whole


def test_sender_without_pauses() -> None:
    bursts = Bursts(10.0)
    for number in range(300):
        bursts.take(bytes(10), 10.001 + number / 100)
    burst = bursts.finished(13.0)
    assert burst is not None
    assert burst.goes_on
    assert burst.is_whole


def test_network_makes_gaps() -> None:
    bursts = Bursts(10.0, is_local=False)
    bursts.take(b"begin", 10.2)
    assert bursts.finished(10.5) is None
    assert bursts.finished(10.7) is not None


def flash(data: bytes = b"\x00", seconds: float = 0.0) -> Burst:
    return Burst(1.0, follows_silence=True, data=bytearray(data), ended=1.0 + seconds)


def test_flashes() -> None:
    flashes = Flashes()
    for data in (b"\x00", b"\xf8", b"\x80"):
        assert not flashes.are_enough
        flashes.take(flash(data), LINE)
    assert flashes.are_enough
    assert not flashes.are_long
    flashes.take(flash(bytes(20), 0.02), LINE)
    assert flashes.are_long
    assert flashes.count == 4


def test_other_bytes_among_flashes() -> None:
    """One of four may be a disturbance; anything longer is no light."""
    flashes = Flashes()
    flashes.take(flash(b"\x55"), LINE)
    for _ in range(3):
        flashes.take(flash(), LINE)
    assert not flashes.are_enough
    flashes.take(flash(), LINE)
    assert flashes.are_enough
    flashes.take(flash(b"some text"), LINE)
    assert not flashes.are_enough


def test_slow_characters_are_no_flashes() -> None:
    assert not flash(bytes(300), 0.3).is_flash(LINE)
    assert flash(bytes(2), 0.001).is_flash(FAST)
    assert not flash(bytes(20), 0.002).is_flash(FAST)
    assert not flash(b"\x00\x55", 0.002).is_flash(LINE)
