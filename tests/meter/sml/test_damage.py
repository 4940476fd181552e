"""Streams with lost, flipped and added bytes: all undamaged telegrams are read, nothing else."""

from collections.abc import Sequence
from functools import cache
from itertools import count
import math
from random import Random

import pytest

from custom_components.onemeter.meter.reading import Reading
from custom_components.onemeter.meter.sml import SmlDecoder
from custom_components.onemeter.meter.sml.framing import LIMIT
from simulator.household import Household
from simulator.sml import encoder as sml
from simulator.sml.meter import SmlMeter, Style

RATES = (1e-4, 1e-3, 3e-3)
#: Kinds of damage to a byte; all kinds together also have bursts.
KINDS = ("drop", "flip", "insert")
NOON = 1_790_000_000


# --- damage and its evaluation ------------------------------------------------------------------


@cache
def telegrams(number: int) -> list[bytes]:
    """Return different telegrams of several meters."""
    meters = [SmlMeter(household=Household(), style=style) for style in Style]
    sent = [meters[second % 2].telegram(NOON + second) for second in range(number)]
    # Every tenth is full of escapes; every tenth has the other checksum.
    for place in range(0, number, 10):
        octets = sml.octets(sml.ESCAPE * (place % 3) + bytes([0x1B, 0x1A, place % 251]))
        entries = [sml.entry(bytes([1, 0, 96, 1, 0, 255]), octets)] * 5
        server_id = sml.octets(meters[0].server_id)
        sent[place] = sml.encode_telegram(server_id, entries, transaction=place)
        sent[place + 5] = sml.encode_telegram(
            server_id, entries[:1], transaction=place + 5, crc="kermit"
        )
    assert len(set(sent)) == number
    return sent


@cache
def reading_of(telegram: bytes) -> Reading:
    """Decode a single telegram."""
    (reading,) = SmlDecoder().feed(telegram)
    return reading


def damage(data: bytes, random: Random, rate: float, kinds: Sequence[str]) -> bytes:
    """Damage each byte with this probability."""
    damaged = bytearray()
    begin = 0
    while True:
        hit = begin + int(math.log(1 - random.random()) / math.log(1 - rate))
        damaged += data[begin:hit]
        if hit >= len(data):
            return bytes(damaged)
        kind = random.choice(kinds)
        if kind == "flip":
            damaged.append(data[hit] ^ 1 << random.randrange(8))
        elif kind == "insert":
            # Bytes of starts and ends are added more often than others.
            damaged += bytes([random.choice((random.randrange(256), 0x1B, 0x01, 0x1A)), data[hit]])
        begin = hit + 1
        if kind == "burst":
            damaged += random.choice(
                (random.randbytes(20), sml.ESCAPE, sml.START, sml.ESCAPE + b"\x1a", b"")
            )
            begin += random.randrange(200)


def undamaged(sent: Sequence[bytes], stream: bytes) -> list[bytes]:
    """Return the telegrams that are still complete in the stream, in order."""
    found: list[bytes] = []
    position = 0
    for telegram in sent:
        place = stream.find(telegram, position)
        if place >= 0:
            found.append(telegram)
            position = place + len(telegram)
    return found


def check(sent: Sequence[bytes], stream: bytes, random: Random) -> int:
    """Check the readings of a stream; return the number of damaged telegrams."""
    decoder = SmlDecoder()
    readings: list[Reading] = []
    position = 0
    while position < len(stream):
        size = random.choice((1, 3, 64, 256, 4096))
        readings += decoder.feed(stream[position : position + size])
        position += size
        assert len(decoder._buffer) <= LIMIT
    decoder.finish()
    whole = undamaged(sent, stream)
    assert [reading.raw for reading in readings] == whole
    assert readings == [reading_of(telegram) for telegram in whole]
    assert decoder.good == len(whole)
    assert decoder.skipped == len(stream) - sum(map(len, whole))
    return len(sent) - len(whole)


# --- the evaluation itself -----------------------------------------------------------------------


def test_judging_a_stream_without_damage() -> None:
    sent = telegrams(50)
    assert undamaged(sent, b"".join(sent)) == sent
    assert damage(b"".join(sent), Random(1), 1e-12, KINDS) == b"".join(sent)


@pytest.mark.parametrize("kind", KINDS)
def test_judging_damage_inside_of_a_telegram(kind: str) -> None:
    first, second, third = sent = telegrams(50)[:3]
    for place in range(len(second)):
        broken = bytearray(second)
        match kind:
            case "drop":
                del broken[place]
            case "flip":
                broken[place] ^= 1 << place % 8
            case "insert":
                broken.insert(place, 0xAA)
        others = [first, third]
        if kind == "insert" and place == 0:  # before its first byte
            others = sent
        assert undamaged(sent, first + broken + third) == others


@pytest.mark.parametrize("noise", ["00", "1b", "1b1b1b1b", "01", "1b1b1b1b1a", "aa" * 99])
def test_judging_damage_between_telegrams(noise: str) -> None:
    sent = telegrams(50)[:3]
    assert undamaged(sent, bytes.fromhex(noise).join(sent)) == sent


def test_judging_damage_that_changes_nothing() -> None:
    """An additional escape byte inside a start is equal to one before it."""
    first, second = sent = telegrams(50)[:2]
    assert undamaged(sent, first + second[:2] + b"\x1b" + second[2:]) == sent
    assert check(sent, first + second[:2] + b"\x1b" + second[2:], Random(1)) == 0


def test_judging_lost_telegrams() -> None:
    first, second, third = sent = telegrams(50)[:3]
    assert undamaged(sent, first + third) == [first, third]
    assert undamaged(sent, second) == [second]
    assert undamaged(sent, b"") == []


def test_damage_has_the_given_rate() -> None:
    data = bytes(1_000_000)
    for rate in RATES:
        hits = sum(map(bool, damage(data, Random(2), rate, ["flip"])))
        assert math.isclose(hits, rate * len(data), rel_tol=0.2)
        assert math.isclose(
            len(data) - len(damage(data, Random(2), rate, ["drop"])), hits, rel_tol=0.2
        )


# --- readings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [*map(list, zip(KINDS)), [*KINDS, "burst"]], ids="-".join)
@pytest.mark.parametrize("rate", RATES)
def test_all_undamaged_telegrams_and_nothing_else(rate: float, kinds: list[str]) -> None:
    sent = telegrams(300)
    random = Random(f"{rate} {kinds}")
    assert check(sent, damage(b"".join(sent), random, rate, kinds), random)


@pytest.mark.soak
@pytest.mark.parametrize("kinds", [*map(list, zip(KINDS)), [*KINDS, "burst"]], ids="-".join)
@pytest.mark.parametrize("rate", RATES)
def test_ten_thousand_damaged_telegrams(rate: float, kinds: list[str]) -> None:
    """1200 for each of nine combinations, and as many with all kinds together."""
    sent = telegrams(300)
    damaged = 0
    for seed in count():
        random = Random(f"{seed} {rate} {kinds}")
        damaged += check(sent, damage(b"".join(sent), random, rate, kinds), random)
        if damaged >= 1200:
            break


@pytest.mark.parametrize("seed", range(5))
def test_telegrams_cut_off_one_after_the_other(seed: int) -> None:
    """A stream from a probe that falls off again and again."""
    random = Random(seed)
    sent = telegrams(300)
    pieces: list[bytes] = []
    for telegram in sent:
        begin, end = sorted(random.choices(range(len(telegram) + 1), k=2))
        piece = random.choice((telegram, telegram[begin:], telegram[:end], telegram[begin:end]))
        pieces.append(piece + random.choice((b"", b"\x1b" * random.randrange(12), b"\x00")))
    assert check(sent, b"".join(pieces), random) > 100
