"""Damaged telegrams give wrong numbers no more often than their checksum allows."""

from functools import cache
from math import comb

import pytest

from simulator.iec62056 import Iec62056Meter, Registers
from simulator.iec62056.encoder import Checksum, with_even_parity
from simulator.iec62056.meter import Mode
from tests.helpers.damage import (
    LENGTH,
    RANDOM,
    SINGLE,
    SWAPPED,
    at_most,
    is_protected,
    judge,
    send_with_bit_errors,
    send_with_hidden_bit_errors,
)

NOON = 1_790_000_000
COUNTS = [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)]
BIT_ERROR_RATES = [1e-4, 3e-4, 1e-3]
#: Of the readouts that are accepted at these rates.
WRONG_SHARE = 1e-6


@cache
def telegrams(checksum: Checksum, mode: Mode) -> list[bytes]:
    """Return telegrams of one meter at different times."""
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
    """One of 128 random changes is missed; two while the kind of checksum is unknown."""
    tally = judge(telegrams(checksum, Mode.C), count, checksum, is_known=is_known)
    wrong, total = tally.counts(*RANDOM)
    assert wrong <= at_most(1 / 128 if is_known else 2 / 128, total), tally
    wrong, total = tally.counts(*SINGLE)
    # While the kind is unknown, a changed digit may give a valid sum instead of an XOR.
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
    """Damage in one place is detected by parity, or by the length of a total."""
    sent = telegrams(Checksum.NONE, Mode.D)
    if parity:
        sent = [with_even_parity(telegram) for telegram in sent]
    for only_totals in (False, True):
        tally = judge(sent, count, "none", is_known=True, is_guarded=True, only_totals=only_totals)
        if parity:
            assert tally.wrong["bit"] == 0, tally
        if only_totals:
            assert tally.counts(*LENGTH)[0] == 0, tally


def test_first_telegrams_of_a_meter_without_checksum_are_not_published() -> None:
    sent = telegrams(Checksum.NONE, Mode.D)
    tally = judge(sent, 2000, "none", is_known=False, is_guarded=True)
    assert tally.counts(*RANDOM, *SINGLE, SWAPPED)[0] == 0, tally


@cache
def block_with_parity() -> tuple[bytes, bytes]:
    """Return identification and block of a readout of usual size."""
    meter = Iec62056Meter(
        registers=Registers(history=0, with_grid=False), clock=lambda: NOON, checksum=Checksum.XOR
    )
    return with_even_parity(meter.identification), with_even_parity(meter.readout())


@pytest.mark.parametrize("count", [5000, pytest.param(1_000_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("rate", BIT_ERROR_RATES)
def test_bit_errors_show_in_parity(rate: float, count: int) -> None:
    """XOR alone misses the same bit flipped in two characters."""
    result = send_with_bit_errors(*block_with_parity(), count, rate, "bits")
    undamaged = count * (1 - rate) ** (8 * len(block_with_parity()[1]))
    assert result.accepted > undamaged / 2
    assert result.wrong <= WRONG_SHARE * count, result


@pytest.mark.parametrize("count", [5000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_bit_errors_that_no_check_detects(count: int) -> None:
    """Both checks miss only two flipped bits in each of two characters."""
    result = send_with_hidden_bit_errors(*block_with_parity(), count, "hidden")
    assert 0 < result.wrong < result.sent
    for rate in BIT_ERROR_RATES:
        two_in_one = comb(8, 2) * rate**2 * (1 - rate) ** 6
        in_order = (1 - rate) ** 8
        pairs = comb(len(block_with_parity()[1]), 2) * (two_in_one / in_order) ** 2
        assert pairs * result.wrong / result.sent <= WRONG_SHARE


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
