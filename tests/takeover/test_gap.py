"""The time between two sensors is a gap, which the load profile of the meter fills."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_TAKE_OVER
from custom_components.onemeter.history import reading
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..helpers.load_profile import ENTITY, PER_HOUR, START, TOTAL, IecMeter, ProfiledMeter
from ..helpers.taken_over import CONSENT, OLD

ENERGY: dict[str, Any] = {
    "state_class": "total_increasing",
    "device_class": "energy",
    "unit_of_measurement": "kWh",
}
END = START + timedelta(minutes=17)
BEGIN = END + timedelta(hours=5, seconds=30)


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> ProfiledMeter:
    """Return a meter that another sensor has followed from 10:00 to 10:17."""
    monkeypatch.setattr(reading, "_PAUSE", 0)
    meter = ProfiledMeter(hass, freezer, IecMeter())
    await meter.begin()
    assert await async_setup_component(hass, "sensor", {})
    for time in (START + timedelta(seconds=30), END):
        await meter.compile_until(time)
        freezer.move_to(time)
        hours = (time - START) / timedelta(hours=1)
        hass.states.async_set(OLD, f"{float(TOTAL) + hours * float(PER_HOUR):.2f}", ENERGY)
        await hass.async_block_till_done()
    freezer.move_to(END + timedelta(minutes=4))
    await meter.compile()
    hass.states.async_remove(OLD)
    await meter.compile_until(BEGIN)
    return meter


async def test_gap_is_filled(meter: ProfiledMeter) -> None:
    before = await meter.rows(OLD)
    assert before == {START: (1000.34, 0.33)}
    meter.make_entry(options={**meter.entry.options, **CONSENT})
    await meter.live(BEGIN, BEGIN + timedelta(hours=1))
    await meter.compile_until(BEGIN + timedelta(hours=1))
    rows = await meter.rows(OLD)
    assert list(rows) == [START, START + timedelta(hours=5)]
    await meter.import_at(BEGIN + timedelta(hours=1))
    rows = await meter.rows(OLD)
    states = [1001.2, 1002.4, 1003.6, 1004.8, 1006.0]
    assert [state for state, _ in rows.values()][:5] == states
    assert list(rows) == [START + timedelta(hours=hour) for hour in range(6)]
    # The first state was 1000.01.
    assert [total for _, total in rows.values()] == [
        pytest.approx(state - 1000.01) for state, _ in rows.values()
    ]


async def test_gap_before_a_sensor_with_rows_of_its_own(meter: ProfiledMeter) -> None:
    await meter.live(BEGIN, BEGIN + timedelta(hours=2))
    await meter.compile_until(BEGIN + timedelta(hours=2))
    own = await meter.rows(ENTITY)
    assert [state for state, _ in own.values()] == [1007.11, 1008.31]
    options = {**meter.entry.options, **CONSENT}
    meter.hass.config_entries.async_update_entry(meter.entry, options=options)
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    assert await meter.set_up()
    await meter.settle()
    assert CONF_TAKE_OVER not in meter.entry.options
    await meter.import_at(BEGIN + timedelta(hours=2, minutes=1))
    rows = await meter.rows(OLD)
    states = [1001.2, 1002.4, 1003.6, 1004.8, 1006.0, 1007.11, 1008.31]
    assert [state for state, _ in rows.values()] == states
    assert [total for _, total in rows.values()] == [
        pytest.approx(state - 1000.01) for state, _ in rows.values()
    ]
