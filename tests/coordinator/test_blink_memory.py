"""The stored total of impulses, and that in the recorder."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.impulses.totals import IMPULSES_TODAY
from custom_components.onemeter.totals.last_rows import LastRow
from homeassistant.components.recorder import Recorder
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..helpers.blinking import BlinkingMeter
from ..helpers.recorded import ENTITY, NOON, OnDisk, RecordedBlinkingMeter

MINUTE = timedelta(minutes=1)


class House(OnDisk, RecordedBlinkingMeter):
    """A BLINK meter, the disk with its total, and the totals that were published."""

    def __init__(
        self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, storage: dict[str, Any]
    ) -> None:
        super().__init__(hass, freezer)
        self.storage = storage
        self.published: list[Decimal] = []
        hass.bus.async_listen("state_changed", self._async_see)

    @callback
    def _async_see(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.entity_id == ENTITY and state.state != STATE_UNAVAILABLE:
            in_mwh = state.attributes[ATTR_UNIT_OF_MEASUREMENT] == "MWh"
            self.published.append(Decimal(state.state) * (1000 if in_mwh else 1))

    async def begin(self) -> None:
        await self.show(self.impulses, after=0)
        assert await self.set_up()
        await self.settle()

    async def end(self) -> None:
        """Unload the entry, and wait for the recorder."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        await async_wait_recording_done(self.hass)

    def assert_never_fallen(self) -> None:
        assert all(before <= after for before, after in pairwise(self.published))


@pytest.fixture
async def house(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> House:
    freezer.move_to(NOON)
    house = House(hass, freezer, hass_storage)
    house.make_entry(reading="0.2")
    return house


@pytest.mark.parametrize("unit", ["kWh", "MWh"])
@pytest.mark.parametrize("minutes", [12, 15])
async def test_memory_is_lost(house: House, minutes: int, unit: str) -> None:
    """Totals that were published after the last row do not fall either."""
    await house.begin()
    er.async_get(house.hass).async_update_entity_options(
        ENTITY, "sensor", {"unit_of_measurement": unit}
    )
    await house.run(minutes)
    shown = house.value()
    await house.end()
    house.restore(None)
    await house.begin()
    assert Decimal(house.value()) == Decimal(shown)
    await house.run(30 - minutes)
    # It was counted in Wh.
    assert (await house.sums())[-1] == pytest.approx(15 * 30, abs=16)
    house.assert_never_fallen()


async def test_memory_is_older(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The source keeps its total, so impulses since the backup are counted."""
    await house.begin()
    await house.run(6)
    await house.end()
    backup = house.disk()
    await house.begin()
    await house.run(32)
    shown = house.value()
    await house.end()
    house.restore(backup)
    await house.begin()
    assert house.value() == shown
    assert "lost or out of date; counting continues from 0.77 kWh" in caplog.text
    await house.run(12)
    assert house.coordinator.data.registers[IMPULSES_TODAY].value == 12 * 15
    assert (await house.sums())[-1] == pytest.approx(15 * 50, abs=16)
    house.assert_never_fallen()


async def test_memory_that_is_not_older_loses_nothing(house: House) -> None:
    """The process is killed, and the source continues to count."""
    await house.begin()
    await house.run(12)
    disk = house.disk()
    # In the dark rows go on.
    await house.wait(600, step=60)
    await house.make_rows()
    await house.end()
    house.restore(disk)
    house.impulses += 300
    house.freezer.tick(30 * MINUTE)
    await house.begin()
    await house.run(5)
    assert Decimal(house.value()) == Decimal("0.2") + Decimal(12 * 15 + 300 + 5 * 15) / 1000
    house.assert_never_fallen()


# Of the total alone


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> BlinkingMeter:
    """Return a meter that shows 1 kWh at noon."""
    freezer.move_to(NOON)
    meter = BlinkingMeter(hass, freezer)
    meter.make_entry(reading="1")
    await meter.show(0, after=0)
    await meter.set_up()
    return meter


def after_row(meter: BlinkingMeter, state: float, end: datetime) -> Decimal:
    """Return the total after a reconciliation with a row."""
    totals = meter.coordinator.totals
    totals._restored = None
    totals._restore(totals._content())
    totals._reconcile(LastRow(end - 5 * MINUTE, end, state, "kWh", "energy"))
    return meter.coordinator.client.counter.energy


@pytest.mark.parametrize(
    ("state", "age"),
    [
        pytest.param(0.9, 4, id="row leads to the memory"),
        pytest.param(0.1, 24 * 60, id="database of yesterday"),
        pytest.param(0.1, 0, id="within a row"),
        pytest.param(1.0, -60, id="clock is behind"),
        pytest.param(0.4, -600, id="clock was ahead"),
    ],
)
async def test_memory_counts(meter: BlinkingMeter, state: float, age: int) -> None:
    assert after_row(meter, state, dt_util.utcnow() - age * MINUTE) == 1


@pytest.mark.parametrize(
    ("reading", "state", "age"),
    [
        pytest.param("5000", 1.2, 24 * 60, id="more than possible"),
        pytest.param("1", 1.2, 4, id="less"),
        pytest.param("1", 1.2, -60, id="less, and the clock is behind"),
    ],
)
async def test_row_counts(
    meter: BlinkingMeter, reading: str, state: float, age: int, caplog: pytest.LogCaptureFixture
) -> None:
    meter.coordinator.client.counter.calibrate(Decimal(reading))
    assert after_row(meter, state, dt_util.utcnow() - age * MINUTE) == Decimal(str(state))
    assert caplog.record_tuples[-1][1] == logging.WARNING


async def test_row_that_is_no_total(meter: BlinkingMeter) -> None:
    """As left by another sensor with the same entity id."""
    assert after_row(meter, -1, dt_util.utcnow()) == 1
