"""More power than the maximum power in the options."""

from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Obis
from custom_components.onemeter.totals import Proof

from ..helpers.guarded import IMPORT, NET, Meter


class Drawing(Meter):
    """A meter with a load."""

    total = Decimal("5000.1")

    def draw(self, watts: int, minutes: float, spacing: int = 2, obis: Obis = IMPORT) -> None:
        """Let a load run for some minutes, in telegrams every few seconds."""
        begin = self.total
        for telegram in range(1, round(minutes * 60 / spacing) + 1):
            energy = Decimal(watts * spacing * telegram) / 3600
            self.total = begin + energy.quantize(Decimal("0.1"))
            self.shown = self.tell(self.total, after=spacing, obis=obis)


@pytest.mark.parametrize("spacing", [1, 2, 10, 60])
@pytest.mark.parametrize(
    ("watts", "needed"), [(60_000, 60_000), (90_000, 90_000), (40_000, 40_000)]
)
def test_overload_is_told_after_five_minutes(spacing: int, watts: int, needed: int) -> None:
    meter = Drawing()
    meter.draw(20_000, 1, spacing)
    meter.draw(watts, 5, spacing)
    assert meter.guard.overload is None
    meter.draw(watts, 1, spacing)
    assert meter.guard.overload is not None
    assert needed - 1000 < meter.guard.overload <= needed + 100
    assert not meter.jumped
    meter.draw(watts, 120, spacing)
    assert meter.guard.overload == needed
    assert not meter.jumped


def test_maximum_power_that_was_told_lets_the_total_through() -> None:
    meter = Drawing()
    meter.draw(60_000, 180)
    assert meter.shown != meter.total
    meter.guard.max_power = meter.guard.overload or 0
    for _ in range(100):
        meter.draw(60_000, 0.2)
        assert meter.shown == meter.total
        assert meter.guard.overload is None


@pytest.mark.parametrize("watts", [100_000, 500_000])
def test_much_more_than_twice_the_maximum_power_every_quarter_of_an_hour(watts: int) -> None:
    meter = Drawing()
    meter.draw(20_000, 60, 900)
    meter.draw(watts, 60, 900)
    assert meter.guard.overload is not None
    assert meter.guard.overload <= watts
    assert not meter.jumped


def test_net_total_that_falls_too_fast() -> None:
    meter = Drawing()
    meter.draw(-60_000, 10, obis=NET)
    assert meter.guard.overload in {60_000, 60_100}


def test_overload_of_telegrams_without_checksum() -> None:
    meter = Drawing(proof=Proof.REPETITION)
    meter.draw(20_000, 1)
    meter.draw(60_000, 10)
    assert meter.guard.overload in {59_900, 60_000}


def test_single_spikes_are_no_overload() -> None:
    meter = Drawing()
    for _ in range(200):
        meter.draw(20_000, 0.1)
        meter.tell(9_000_000, after=1)
    assert meter.guard.overload is None


def test_jump_is_no_overload() -> None:
    meter = Drawing()
    meter.draw(20_000, 30, 900)
    for _ in range(10):
        meter.tell(9_000_000, after=900)
    assert meter.guard.overload is None
    assert meter.jumped
