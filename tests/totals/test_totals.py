"""A meter's totals do not depend on when the clock of Home Assistant is set."""

from collections.abc import Generator
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.meter import Obis
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from tests.published import register
from tests.pushed import PushedMeter, energy, reading

IMPORT = Obis.parse("1-0:1.8.0")


def newest(meter: PushedMeter) -> object:
    return meter.coordinator.newest.registers[IMPORT].value


class Clock:
    """A clock that can be set while the steady time goes on."""

    def __init__(self) -> None:
        self._set_by = timedelta()

    def utcnow(self) -> datetime:
        return dt_util.utcnow() + self._set_by

    def set(self, by: timedelta) -> None:
        self._set_by += by


@pytest.fixture
def clock() -> Generator[Clock]:
    with patch("custom_components.onemeter.totals.totals.dt_util", Clock()) as clock:
        yield clock


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


@pytest.mark.parametrize("hours", [-2, 2])
async def test_clock_that_is_set(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock, hours: int
) -> None:
    await meter.start(energy("5000"))
    clock.set(timedelta(hours=hours))
    for second in range(1, 90):
        await meter.say(energy(str(5000 + second)), after=1)
        assert newest(meter) == 5000 + second
        assert meter.coordinator.newest.withheld == set()
    for _ in range(7):
        await meter.say(energy("90000"), after=10)
        assert newest(meter) == 5089
        assert meter.coordinator.newest.withheld == {IMPORT}
    assert len(ir.async_get(hass).issues) == 1
    assert await meter.coordinator.async_accept_totals()
    assert newest(meter) == 90_000
    [step] = meter.coordinator.totals.steps
    assert step.time == clock.utcnow()


async def test_clock_that_is_set_late(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock
) -> None:
    """It had stopped while Home Assistant was off: what was consumed then looks like a jump."""
    await meter.start(energy("5000"))
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start(energy("25000"))
    for _ in range(7):
        await meter.say(energy("25000"), after=10)
    assert newest(meter) == 5000
    assert ir.async_get(hass).issues
    clock.set(timedelta(days=2))
    await meter.say(energy("25001"), after=1)
    assert newest(meter) == 25_001
    assert not ir.async_get(hass).issues


async def test_total_is_withheld_as_long_as_its_telegram_counts(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("90000"), after=1)
    await meter.say(reading(register("1-0:16.7.0*255", "100", "W")), after=1)
    assert newest(meter) == 5000
    assert meter.coordinator.newest.withheld == {IMPORT}
    await meter.say(energy("5001"), after=1)
    assert meter.coordinator.newest.withheld == set()
