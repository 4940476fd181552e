"""Totals of telegrams without checksum."""

from decimal import Decimal
import random
import re

import pytest

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.totals import Proof

from ..helpers.guarded import IMPORT, NET, Meter

EXPORT = Obis.parse("1-0:2.8.0")


def pushed() -> Meter:
    """Return a meter that sends by itself and has sent two telegrams."""
    meter = Meter(proof=Proof.REPETITION)
    meter.tell(5001)
    meter.tell(5001, after=2)
    return meter


def polled() -> Meter:
    meter = Meter(proof=Proof.NOTHING)
    meter.tell(5001)
    return meter


def test_first_total_is_published_once_the_next_telegram_confirms_it() -> None:
    meter = Meter(proof=Proof.REPETITION)
    assert meter.tell(9_000_000) is None
    assert meter.tell(5001, after=2) is None
    assert meter.tell(5002, after=2) == 5001
    assert meter.tell(5002, after=2) == 5002


def test_polled_meter_has_no_next_telegram_soon() -> None:
    meter = polled()
    assert meter.tell(5601, after=60) == 5601


def test_each_total_waits_for_the_next_telegram() -> None:
    meter = pushed()
    sent = [5003, 5004, 5004, 5009]
    assert [meter.tell(value, after=2) for value in sent] == [5001, 5003, 5004, 5004]


def test_total_that_waits_for_the_next_telegram_is_not_withheld() -> None:
    meter = pushed()
    meter.pass_time(2)
    assert not meter.review({IMPORT: Register(IMPORT, 5003, "Wh")}).withheld
    meter.pass_time(2)
    assert meter.review({IMPORT: Register(IMPORT, 90_000, "Wh")}).withheld == {IMPORT}


@pytest.mark.parametrize("meter", [pushed(), polled()])
def test_rise_that_only_a_standing_value_explains_needs_three_telegrams_over_a_minute(
    meter: Meter,
) -> None:
    """A register that is refreshed every quarter of an hour."""
    for _ in range(450):
        meter.tell(5001, after=2)
    for after in (2, 30, 27):
        assert meter.tell(14_001, after=after) == 5001
    assert meter.tell(14_001, after=2) == 5001
    assert meter.tell(14_001, after=2) == 14_001
    assert not meter.jumped


def test_values_that_do_not_agree_prove_nothing() -> None:
    meter = pushed()
    for _ in range(450):
        meter.tell(5001, after=2)
    values = [14_001, 9001, 13_001, 7001, 12_001, 5001]
    assert {meter.tell(value, after=15) for value in values} == {5001}


def test_damage_below_a_total_that_rises_is_not_published() -> None:
    meter = pushed()
    assert meter.tell(4998, after=2) == 5001
    assert meter.tell(5003, after=2) == 5001
    assert meter.tell(5004, after=2) == 5003


def test_net_total_follows_in_both_directions() -> None:
    meter = Meter(proof=Proof.REPETITION)
    sent = [5001, 5001, 4999, 4997, 5003, 5001, 5002, 5005, 5008]
    shown = [meter.tell(value, after=2, obis=NET) for value in sent]
    assert shown == [None, 5001, 5001, 4999, 4999, 4999, 5001, 5002, 5005]


def test_consent_takes_no_damaged_value() -> None:
    meter = pushed()
    for _ in range(40):
        meter.tell(300, after=2)
    meter.tell(90_000, after=2)
    assert [int(newest.value) for _, newest in meter.jumped.values()] == [300]
    assert meter.guard.accept(meter.now)[IMPORT].value == 300
    assert meter.tell(301, after=2) == 300


def test_another_meter_begins_with_what_two_telegrams_show() -> None:
    meter = pushed()
    meter.start_over()
    assert meter.tell(90_000, after=2) == 5001
    assert meter.tell(300, after=2) == 5001
    assert meter.tell(301, after=2) == 300


class Line:
    """A line without parity, on which a bit of some telegrams is flipped."""

    def __init__(self, damage: float) -> None:
        self._damage = damage
        self._random = random.Random(11)

    def send(self, *values: str) -> list[str]:
        """Return the values as they arrive."""
        text = bytearray(" ".join(values).encode())
        if self._random.random() < self._damage:
            text[self._random.randrange(len(text))] ^= 1 << self._random.randrange(8)
        return text.decode("latin-1").split(" ")


def readable(*texts: str) -> bool:
    """Return whether all texts are numbers as the meter writes them."""
    return all(re.fullmatch(r"\d{6}\.\d{4}", text, re.ASCII) for text in texts)


def test_a_day_of_telegrams_of_which_one_in_a_hundred_is_damaged() -> None:
    """500 W for 24 h, one telegram in 2 s, and an export that has never changed."""
    meter, line = Meter(proof=Proof.REPETITION), Line(0.01)
    idle = "001234.5670"
    sent: set[Decimal] = set()
    published: list[tuple[Value, Value]] = []
    for second in range(0, 86_400, 2):
        total = f"{5000 + Decimal(second) / 7200:011.4f}"
        sent.add(Decimal(total))
        meter.pass_time(2)
        arrived = line.send(total, idle)
        if readable(*arrived):
            registers: dict[Key, Register] = {
                key: Register(key, Decimal(text), "kWh")
                for key, text in zip((IMPORT, EXPORT), arrived, strict=True)
            }
            meter.review(registers)
            published.append((registers[IMPORT].value, registers[EXPORT].value))
            if len(published) > 1:
                # Never beyond what is true, and no more than four telegrams behind.
                behind = Decimal(total) - Decimal(str(registers[IMPORT].value))
                assert 0 <= behind <= Decimal("0.0015")
    assert len(published) > 42_900
    assert not meter.jumped
    assert {exported for _, exported in published[1:]} == {Decimal(idle)}
    # What was not sent lies between two values that were, for one telegram.
    assert sum(imported not in sent for imported, _ in published[1:]) <= 6
