"""A meter whose sensor goes on with the statistics of an earlier one, in a real recorder."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.const import CONF_TAKE_OVER
from custom_components.onemeter.meter import Reading
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import (
    Statistics,
    StatisticsMeta,
    StatisticsShortTerm,
)
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope

from .published import register
from .pushed import reading
from .recorded import RecordedMeter

OLD = "sensor.edl21_total"
OWN = "sensor.meter_energy_import"
IMPORT = "1-0:1.8.0*255"
CONSENT = {CONF_TAKE_OVER: {IMPORT: OLD}}
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_FIVE_MINUTES = timedelta(minutes=5)

type Table = type[Statistics | StatisticsShortTerm]


class Row(NamedTuple):
    """A row of a statistic."""

    start: datetime
    state: float
    sum: float


def at(clock: str, day: int = 2) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return NOON.replace(day=day, hour=hour, minute=minute)


def telegram(kwh: str) -> Reading:
    return reading(register(IMPORT, kwh, "kWh"), register("1-0:16.7.0*255", "100", "W"))


async def compile_rows(hass: HomeAssistant, start: datetime, end: datetime) -> None:
    """Let the recorder make its rows of a time."""
    await async_wait_recording_done(hass)
    while start < end:
        get_instance(hass).queue_task(StatisticsTask(start, fire_events=False))
        start += _FIVE_MINUTES
    await async_wait_recording_done(hass)


async def rows(hass: HomeAssistant, statistic_id: str, table: Table = Statistics) -> list[Row]:
    """Return the rows of a statistic in the order of time."""
    await async_wait_recording_done(hass)

    def read() -> list[Row]:
        with session_scope(hass=hass, read_only=True) as session:
            found = session.query(table.start_ts, table.state, table.sum).join(
                StatisticsMeta, StatisticsMeta.id == table.metadata_id
            )
            found = found.filter(StatisticsMeta.statistic_id == statistic_id)
            return [
                Row(datetime.fromtimestamp(start, UTC), state, total)
                for start, state, total in found.order_by(table.start_ts)
            ]

    found: list[Row] = await get_instance(hass).async_add_executor_job(read)
    return found


async def purge_five_minutes(hass: HomeAssistant, statistic_id: str) -> None:
    """Remove the rows of a statistic that are kept for days only."""
    await async_wait_recording_done(hass)

    def purge() -> None:
        with session_scope(hass=hass) as session:
            (metadata_id,) = (
                session.query(StatisticsMeta.id).filter_by(statistic_id=statistic_id).one()
            )
            session.query(StatisticsShortTerm).filter_by(metadata_id=metadata_id).delete()

    await get_instance(hass).async_add_executor_job(purge)


class Successor(RecordedMeter):
    """A meter that follows an earlier sensor."""

    async def old_sensor(
        self,
        states: dict[str, str],
        entity_id: str = OLD,
        *,
        unit: str = "kWh",
        **attributes: Any,
    ) -> None:
        """Record states of an earlier sensor with their times, and remove it."""
        about = {
            "state_class": "total_increasing",
            "device_class": "energy",
            "unit_of_measurement": unit,
            **attributes,
        }
        begin: datetime | None = None
        for clock, state in states.items():
            time = at(clock)
            if begin is not None:
                await compile_rows(self.hass, begin, floor(time))
            begin = floor(time)
            self.freezer.move_to(time)
            self.hass.states.async_set(entity_id, state, about)
        assert begin is not None
        await compile_rows(self.hass, begin, begin + _FIVE_MINUTES)
        self.hass.states.async_remove(entity_id)
        # The hour's row is made of the rows of five minutes that there are.
        await compile_rows(
            self.hass, begin.replace(minute=55), begin.replace(minute=55) + _FIVE_MINUTES
        )

    async def begin(self, time: datetime, kwh: str, **options: Any) -> None:
        """Set the meter up at a time."""
        self.freezer.move_to(time)
        self.make_entry(options=options)
        assert await self.start(telegram(kwh))

    async def show(self, time: datetime, kwh: str) -> None:
        """Receive a telegram at a time, and publish it."""
        self.freezer.move_to(time)
        self.client.said.put_nowait(telegram(kwh))
        await self.settle()
        await self.coordinator.async_refresh()
        await self.settle()

    async def reload(self, kwh: str, **options: Any) -> None:
        """Change the options and set the entry up again."""
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        self.client.said.put_nowait(telegram(kwh))
        with self.patched():
            assert await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.settle()


def floor(time: datetime) -> datetime:
    return time.replace(minute=time.minute // 5 * 5, second=0)


def rise(first: str | float, last: str | float) -> float:
    return float(Decimal(str(last)) - Decimal(str(first)))
