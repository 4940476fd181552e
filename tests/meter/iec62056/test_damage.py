"""Damaged telegrams: none gives a wrong number more often than its checksum allows."""

from functools import cache

import pytest

from simulator.iec62056 import Iec62056Meter, Registers
from simulator.iec62056.encoder import Checksum, with_even_parity
from simulator.iec62056.meter import Mode
from tests.meter.iec62056.damage import (
    LENGTH,
    RANDOM,
    SINGLE,
    SWAPPED,
    at_most,
    is_protected,
    judge,
)

NOON = 1_790_000_000
COUNTS = [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)]


@cache
def telegrams(checksum: Checksum, mode: Mode) -> list[bytes]:
    """Return telegrams of one meter, from time to time."""
    times = iter(range(NOON, NOON + 8 * 97, 97))
    meter = Iec62056Meter(
        checksum=checksum,
        mode=mode,
        registers=Registers(history=1),
        clock=lambda: next(times),
    )
    sent = []
    for _ in range(8):
        data = meter.identification + meter.readout() if mode is Mode.C else meter.pushed()
        sent.append(data.removesuffix(b"\r\n"))
    return sent


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.SUM])
def test_block_check_character(checksum: Checksum, count: int, *, is_known: bool) -> None:
    """One of 128 random changes does not show; two, as long as the meter's kind is not known."""
    tally = judge(telegrams(checksum, Mode.C), count, checksum, is_known=is_known)
    wrong, total = tally.counts(*RANDOM)
    assert wrong <= at_most(1 / 128 if is_known else 2 / 128, total), tally
    wrong, total = tally.counts(*SINGLE)
    # While the kind is not known, one digit for another in an exclusive or may fit as a sum.
    assert wrong <= (0 if is_known else at_most(3 / 128, total)), tally


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("is_known", [False, True])
def test_crc(count: int, *, is_known: bool) -> None:
    sent = telegrams(Checksum.CRC16, Mode.D)
    tally = judge(sent, count, "crc", is_known=is_known, is_guarded=not is_known)
    wrong, total = tally.counts(*RANDOM, *SINGLE, SWAPPED)
    assert wrong <= at_most(1 / 65_536, total), tally


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("parity", [False, True], ids=["8N1", "7E1"])
def test_no_checksum(count: int, *, parity: bool) -> None:
    """What is damaged in one place shows where it makes a total shorter or longer, or by parity."""
    sent = telegrams(Checksum.NONE, Mode.D)
    if parity:
        sent = [with_even_parity(telegram) for telegram in sent]
    for only_totals in (False, True):
        tally = judge(sent, count, "none", is_known=True, is_guarded=True, only_totals=only_totals)
        if parity:
            assert tally.wrong["bit"] == 0, tally
        if only_totals:
            assert tally.counts(*LENGTH)[0] == 0, tally


def test_a_meter_that_nobody_knows_yet_is_not_trusted_without_checksum() -> None:
    sent = telegrams(Checksum.NONE, Mode.D)
    tally = judge(sent, 2000, "none", is_known=False, is_guarded=True)
    assert tally.counts(*RANDOM, *SINGLE, SWAPPED)[0] == 0, tally


def test_judging_checksums() -> None:
    for checksum, mode in (
        (Checksum.XOR, Mode.C),
        (Checksum.SUM, Mode.C),
        (Checksum.CRC16, Mode.D),
    ):
        for telegram in telegrams(checksum, mode):
            assert is_protected(telegram)
            assert is_protected(with_even_parity(telegram))
            assert not is_protected(telegram[:-1])
            assert not is_protected(telegram.replace(b"1.8.0", b"2.8.0", 1))
    assert not any(map(is_protected, telegrams(Checksum.NONE, Mode.D)))
