"""Progress of an answer, as opposed to endless bytes."""

from itertools import batched
from random import Random

import pytest

from custom_components.onemeter.meter.iec62056.progress import Progress
from simulator.iec62056.encoder import with_even_parity

ENDLESS = 10**9


def seconds_until_given_up(data: bytes, rate: int = 30, *, most: int = ENDLESS) -> float | None:
    """Send data at a rate; return when it was given up, None if all of it was received."""
    progress = Progress(100.0, most, ENDLESS)
    for number, character in enumerate(batched(data, 1, strict=True), 1):
        if not progress.continues(bytes(character), 100 + number / rate):
            return number / rate
    return None


@pytest.mark.parametrize(
    "line",
    [
        b"1.8.0(000123.4*kWh)\r\n",
        b"\x021-0:1.8.0*255(000123.4*kWh)\r\n",
        b"(0.123)(4.567)\r\n",
        b"ET0PE(12.3)\r",
        b"0.9.1 (160000)\n",
        b"2.6.0*01(1.5*kW)(2609211600)",
        b"C.1.0(12345678)",
    ],
)
def test_data_are_progress(line: bytes) -> None:
    slow = line * 200
    assert seconds_until_given_up(slow) is None
    assert seconds_until_given_up(with_even_parity(slow)) is None
    # Noise in between is no progress.
    assert seconds_until_given_up((line + b"\x00" * 500) * 5) is None
    assert seconds_until_given_up(line + b"x" * 1000) == pytest.approx(20 + len(line) / 30, abs=1)


@pytest.mark.parametrize(
    "garbage",
    [
        b"x",
        b"(",
        b")",
        b"\r\n",
        b"!\r\n",
        b"/TST5DEMO\r\n",
        b"1.8.0\r\n",
        b"1.8.0(000123.4*kWh\r\n",
        b"1.8.0)000123.4*kWh)\r\n",
        b"()",
        b"\x02\x04\x00",
        b"\x00",
    ],
)
def test_anything_else_is_none(garbage: bytes) -> None:
    assert seconds_until_given_up(garbage * 1000) == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_none(seed: int) -> None:
    noise = Random(seed).randbytes(1000)
    assert seconds_until_given_up(noise) == pytest.approx(20, abs=0.1)


def test_limits() -> None:
    assert seconds_until_given_up(b"1.8.0(1)\r\n" * 10, most=50) == 50 / 30
    progress = Progress(0, ENDLESS, 15)
    assert progress.continues(b"1.8.0(1)\r\n", 14)
    assert not progress.continues(b"1.8.0(1)\r\n", 15)
