"""Balanced energy of a polled meter, which is read just before each period ends."""

from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_BALANCING_PERIOD, CONF_POLL_INTERVAL
from homeassistant.core import HomeAssistant

from ..helpers.billed import IMPORTED, NOON
from ..helpers.polled import PolledMeter
from ..helpers.published import register
from ..helpers.pushed import reading


@pytest.mark.parametrize(("battery", "settled"), [(False, "0.100"), (True, "0")])
async def test_meter_is_read_before_the_end(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, *, battery: bool, settled: str
) -> None:
    """Except one with a battery, which must not be read more often."""
    freezer.move_to(NOON + timedelta(minutes=13))
    meter = PolledMeter(hass, freezer)
    interval = 1000 if battery else 600
    meter.make_entry(
        options={CONF_POLL_INTERVAL: interval, CONF_BALANCING_PERIOD: "15"}, battery=battery
    )
    total = "5000"

    def totals() -> None:
        meter.client.usual = reading(
            register("1-0:1.8.0*255", total, "Wh"), register("1-0:2.8.0*255", "300", "Wh")
        )

    totals()
    assert await meter.set_up()
    total = "5100"
    totals()
    await meter.wait(121)
    state = hass.states.get(IMPORTED)
    assert state is not None
    assert state.state == settled
    boundary = datetime.fromisoformat("2026-11-23T12:14:55+00:00")
    read = [at for at in meter.client.read_at[1:] if at < NOON + timedelta(minutes=15)]
    assert read == ([] if battery else [boundary])
