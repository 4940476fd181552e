"""Entries whose sensors are recorded."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.const import DOMAIN
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.util import dt as dt_util

from .blinking import BlinkingMeter
from .pushed import PushedMeter

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENTITY = "sensor.meter_energy_import"


class OnDisk:
    """The stored totals of an entry, which a test may take back to an earlier state."""

    entry: MockConfigEntry
    storage: dict[str, Any]

    def disk(self) -> dict[str, Any]:
        """Return a copy of the stored totals; empty if there are none."""
        return deepcopy(self.storage.get(f"{DOMAIN}.{self.entry.entry_id}", {}))

    def restore(self, disk: dict[str, Any] | None) -> None:
        """Replace the stored totals, or remove them."""
        key = f"{DOMAIN}.{self.entry.entry_id}"
        if disk:
            self.storage[key] = disk
        else:
            self.storage.pop(key, None)


class RecordedMeter(PushedMeter):
    """A meter whose total is recorded."""

    entity = ENTITY

    async def make_rows(self) -> None:
        """Make the recorder compile the row of a 5-minute period that has just ended."""
        now = dt_util.utcnow()
        if now.minute % 5 == 0 and now.second < 20:
            start = now.replace(second=0, microsecond=0) - timedelta(minutes=5)
            await async_wait_recording_done(self.hass)
            get_instance(self.hass).queue_task(StatisticsTask(start, fire_events=True))
            for _ in range(2):
                await async_wait_recording_done(self.hass)
                await self.settle()

    async def sums(self, period: Literal["5minute", "hour"] = "5minute") -> list[float]:
        """Return the sums of the rows, in Wh."""
        return list((await self.sums_by_time(period)).values())

    async def sums_by_time(self, period: Literal["5minute", "hour"]) -> dict[datetime, float]:
        """Return the sums of the rows by their start, in Wh or l."""
        await async_wait_recording_done(self.hass)
        rows = await get_instance(self.hass).async_add_executor_job(
            statistics_during_period,
            self.hass,
            NOON,
            None,
            {self.entity},
            period,
            {"energy": "Wh", "volume": "L"},
            {"sum"},
        )
        return {
            dt_util.utc_from_timestamp(row["start"]): row["sum"] or 0 for row in rows[self.entity]
        }

    def remembered_steps(self) -> int:
        return len(self.coordinator.totals._correction.steps)


class RecordedBlinkingMeter(RecordedMeter, BlinkingMeter):
    """A meter that flashes every four seconds, which is 0.9 kW."""

    impulses = 0

    async def run(self, minutes: int) -> None:
        """Advance the time, with flashes and rows of the recorder."""
        for _ in range(minutes * 3):
            self.impulses += 5
            await self.show(self.impulses, after=0)
            await self.wait(20, step=5)
            await self.make_rows()
