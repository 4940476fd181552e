"""Calibrations of counted impulses leave no trace in the sums of long-term statistics."""

from datetime import timedelta
from decimal import Decimal

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant

from ..helpers.recorded import NOON, RecordedBlinkingMeter


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> RecordedBlinkingMeter:
    freezer.move_to(NOON + timedelta(minutes=40))
    return RecordedBlinkingMeter(hass, freezer)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("reading", ["12345.6", "5000.05", "4999.9", "0"])
async def test_calibration_leaves_no_trace(
    meter: RecordedBlinkingMeter, reading: str, *, restarts: bool
) -> None:
    meter.make_entry(reading="5000")
    await meter.show(0, after=0)
    await meter.set_up()
    await meter.run(8)
    off = await meter.coordinator.async_calibrate(Decimal(reading))
    assert off == Decimal(reading) - Decimal("5000.12")
    if restarts:
        await meter.restart()
    await meter.run(12)
    assert Decimal(meter.value()) == Decimal(reading) + Decimal("0.18")
    sums = await meter.sums()
    # A row has 75 impulses at the most: no spike, no dip, and none of them lost.
    growth = [after - before for before, after in zip([0, *sums], sums, strict=False)]
    assert all(0 <= grown <= 80 for grown in growth), growth
    assert sums[-1] == pytest.approx(5 * 3 * 20 - 5, abs=16)
    assert meter.remembered_steps() == 0
