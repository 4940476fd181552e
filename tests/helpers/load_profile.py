"""An entry whose meter has a load profile that is read at a simulated port, and is recorded."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.const import CONF_FILL_GAPS, CONF_POLL_INTERVAL
from custom_components.onemeter.history.importer import HistoryImporter, async_importer
from custom_components.onemeter.history.statistics_rows import compiled_until
from custom_components.onemeter.meter import (
    Interval,
    LineSettings,
    LoadProfiles,
    PolledClient,
    Reading,
)
from custom_components.onemeter.meter.errors import MeterSilentError
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.iec62056.settings import SignOn
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import (
    Statistics,
    StatisticsMeta,
    StatisticsRuns,
    StatisticsShortTerm,
)
from homeassistant.components.recorder.tasks import CompileMissingStatisticsTask, StatisticsTask
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util
from simulator import dlms, iec62056
from simulator.clock import SimulatedClockLoop
from simulator.dlms.profile import NoAccessError
from simulator.household import Energy, Household
from simulator.iec62056.registers import ZONE
from simulator.memory import MemoryLine

from .dlms_meters import client_at
from .polled import PolledMeter, ScriptedPolledClient
from .published import register
from .pushed import METER

#: 1000 kWh at this time, and so much in each hour from then on.
START = datetime(2026, 11, 2, 10, tzinfo=UTC)
TOTAL = Decimal(1000)
PER_HOUR = Decimal("1.2")
ENTITY = "sensor.meter_energy_import"
_STEPS_PER_KWH = 36_000_000
_FIVE_MINUTES = timedelta(minutes=5)

#: Minutes of an hour: those that rows and the boundaries of capture periods depend on.
_READ_AT = (0, 15, 30, 55)

type Rows = dict[datetime, tuple[float, float]]


class SteadyHousehold(Household):
    """A house that draws the same power at any time, and none while there is a power cut."""

    def __init__(
        self, total: Decimal = TOTAL, start: datetime = START, cuts: Sequence[tuple[int, int]] = ()
    ) -> None:
        super().__init__()
        self.total = total
        self.start = int(start.timestamp())
        self.cuts = cuts

    @override
    def energy(self, time: int) -> Energy:
        cut = sum(max(min(time, end) - begin, 0) for begin, end in self.cuts)
        seconds = time - self.start - cut
        return Energy(int(self.total * _STEPS_PER_KWH) + seconds * int(PER_HOUR * 10_000), 0)


class LateHousehold(Household):
    """A house as a meter sees it whose clock is ahead."""

    def __init__(self, household: Household, ahead: int) -> None:
        super().__init__()
        self._household = household
        self._ahead = ahead

    @override
    def energy(self, time: int) -> Energy:
        return self._household.energy(time - self._ahead)


def kwh(household: Household, time: datetime) -> Decimal:
    """Return what the register shows, in whole watt hours."""
    return in_kwh(household.energy(int(time.timestamp())).imported)


def in_kwh(energy: int) -> Decimal:
    """Return tenths of a watt times seconds in kWh, as a register shows them."""
    return Decimal(energy // 36_000).scaleb(-3)


def _five_minutes(time: datetime) -> datetime:
    return time.replace(minute=time.minute // 5 * 5, second=0, microsecond=0)


class _Everything:
    """Contains each time."""

    def __contains__(self, _: object) -> bool:
        return True


class _RefusedProfile(dlms.Profile):
    """A profile whose rows may not be read at present."""

    @override
    def buffer(self, *_: object) -> bytes:
        raise NoAccessError("denied")


def refused(profile: dlms.Profile) -> dlms.Profile:
    """Return a profile whose rows may not be read at present."""
    return _RefusedProfile(**{item.name: getattr(profile, item.name) for item in fields(profile)})


@dataclass
class IecMeter:
    """A meter of IEC 62056-21 with a load profile."""

    memory: iec62056.Memory = field(default_factory=lambda: iec62056.Memory(channels=("1.8.0",)))
    #: Seconds by which its clock is ahead.
    ahead: int = 0
    household: Household = field(default_factory=SteadyHousehold)
    #: Whether it refuses to give its profile: ``(ERROR)``, or as if it had no entries.
    refuses: bool = False
    seems_empty: bool = False
    #: The password that it wants, and the one that it is sent.
    password: str | None = None
    entered: str | None = None
    lines_per_block: int = 1000

    @property
    def remembered(self) -> iec62056.Memory:
        """What it keeps of the past."""
        return self.memory

    def shown_at(self, now: datetime) -> datetime:
        """Return what its clock shows, without a zone."""
        return (now + timedelta(seconds=self.ahead)).astimezone(ZONE).replace(tzinfo=None, fold=0)

    @asynccontextmanager
    async def client(self, now: datetime) -> AsyncGenerator[PolledClient]:
        """Put it up at a line, and yield a client for it."""
        meter = iec62056.Iec62056Meter(
            registers=iec62056.Registers(household=LateHousehold(self.household, self.ahead)),
            memory=replace(self.memory, lost=_Everything()) if self.seems_empty else self.memory,
            clock=lambda: now.timestamp() + self.ahead,
            start_baudrate=9600,
            baudrate=9600,
        )
        if self.refuses:
            meter.profile_requests = ()
        meter.password = self.password
        meter.lines_per_block = self.lines_per_block
        async with MemoryLine(9600) as line:
            task = asyncio.create_task(iec62056.serve(line, meter))
            yield Iec62056Client(line.url, LineSettings(9600), SignOn(password=self.entered))
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@dataclass
class DlmsMeter:
    """A DLMS meter with a load profile."""

    profile: dlms.Profile = field(
        default_factory=lambda: dlms.Profile(registers=("1-0:1.8.0*255",))
    )
    ahead: int = 0
    household: Household = field(default_factory=SteadyHousehold)
    #: The meters on its M-Bus.
    mbus: Sequence[dlms.MbusMeter] = ()
    #: Whether it denies access to its profile, or seems to have no rows.
    refuses: bool = False
    seems_empty: bool = False

    @property
    def remembered(self) -> dlms.Profile:
        """What it keeps of the past."""
        return self.profile

    def _profile(self) -> dlms.Profile:
        if self.refuses:
            return refused(self.profile)
        return replace(self.profile, lost=_Everything()) if self.seems_empty else self.profile

    def shown_at(self, now: datetime) -> datetime:
        """Return what its clock shows, with its deviation from UTC."""
        local = (now + timedelta(seconds=self.ahead)).astimezone(ZONE)
        return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))

    @asynccontextmanager
    async def client(self, now: datetime) -> AsyncGenerator[PolledClient]:
        """Put it up at a line, and yield a client for it."""
        meter = dlms.DlmsMeter(
            registers=dlms.Registers(household=LateHousehold(self.household, self.ahead)),
            profile=self._profile(),
            mbus=self.mbus,
            clock=lambda: now.timestamp() + self.ahead,
        )
        async with MemoryLine(115_200) as line:
            task = asyncio.create_task(dlms.serve(line, meter))
            yield client_at(line)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class ProfiledClient(ScriptedPolledClient):
    """A client whose readouts are scripted, and whose profile is read from a simulated meter."""

    def __init__(self, hass: HomeAssistant, meter: IecMeter | DlmsMeter) -> None:
        super().__init__()
        self._hass = hass
        self.meter = meter
        self.asked: list[tuple[datetime, datetime]] = []
        self.is_there = True
        self.has_export = False
        #: The five minutes in which it was read.
        self.was_read: set[datetime] = set()

    @override
    async def read(self) -> Reading:
        if not self.is_there:
            raise MeterSilentError("silent", port="port")
        now = dt_util.utcnow()
        self.was_read.add(_five_minutes(now))
        totals = [register("1-0:1.8.0*255", str(kwh(self.meter.household, now)), "kWh")]
        if self.has_export:
            energy = self.meter.household.energy(int(now.timestamp())).exported
            totals.append(register("1-0:2.8.0*255", str(in_kwh(energy)), "kWh"))
        if isinstance(self.meter, DlmsMeter):
            for other in self.meter.mbus:
                value = Decimal(other.captured(other.total_code, int(now.timestamp())))
                code = f"0-{other.channel}:24.1.0*255"
                totals.append(register(code, other.device_type))
                totals.append(register(other.total_code, str(value.scaleb(other.scaler)), "m³"))
        self.usual = Reading(METER, self.meter.shown_at(now), tuple(totals), b"")
        return await super().read()

    @override
    async def read_profile(
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        return (await self.read_energy_profiles(start, end, zone)).intervals

    @override
    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        self.asked.append((start, end))
        return await self._in_simulated_time(
            lambda client: client.read_energy_profiles(start, end, zone)
        )

    @override
    async def read_registers(self, addresses: Sequence[str]) -> Reading:
        return await self._in_simulated_time(lambda client: client.read_registers(addresses))

    async def _in_simulated_time[T](self, run: Callable[[PolledClient], Awaitable[T]]) -> T:
        now = dt_util.utcnow()

        async def at_the_meter() -> T:
            async with self.meter.client(now) as client:
                return await run(client)

        def in_simulated_time() -> T:
            with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner:
                return runner.run(at_the_meter())

        return await self._hass.async_add_executor_job(in_simulated_time)


class ProfiledMeter(PolledMeter):
    """An entry of a meter with a load profile, with the recorder's rows of its total."""

    client: ProfiledClient
    #: Whether the recorder makes all rows of five minutes, which takes long.
    compiles_all = False

    def __init__(
        self,
        hass: HomeAssistant,
        freezer: FrozenDateTimeFactory,
        meter: IecMeter | DlmsMeter,
        **options: Any,
    ) -> None:
        super().__init__(hass, freezer)
        self.client = ProfiledClient(hass, meter)
        self.make_entry(options={CONF_POLL_INTERVAL: 300, **options})

    async def begin(self, start: datetime = START, zone: str = "Europe/Berlin") -> None:
        """Let the recorder begin at a time: it was started before the clock was set."""
        await self.hass.config.async_set_time_zone(zone)
        self.freezer.move_to(start)

        def begin() -> None:
            with session_scope(hass=self.hass) as session:
                session.query(StatisticsRuns).delete()
                session.add(StatisticsRuns(start=start - timedelta(minutes=5)))

        await async_wait_recording_done(self.hass)
        await self.recorder.async_add_executor_job(begin)

    @property
    def importer(self) -> HistoryImporter:
        importer = async_importer(self.hass, self.entry.entry_id)
        assert importer is not None
        return importer

    @property
    def recorder(self) -> Any:
        return get_instance(self.hass)

    async def read_at(self, time: datetime) -> None:
        """Read the meter, the first time by setting the entry up."""
        await self.compile_until(time)
        self.client.is_there = True
        self.freezer.move_to(time)
        if self.state() is ConfigEntryState.NOT_LOADED:
            assert await self.set_up()
        else:
            await self.coordinator.async_read_now()
        await self.settle()

    async def compile_until(self, time: datetime) -> None:
        """Let the recorder make its rows when each hour has ended, until a time."""
        now = dt_util.utcnow()
        hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        while hour + timedelta(seconds=10) <= time:
            self.freezer.move_to(hour + timedelta(seconds=10))
            await self.compile()
            hour += timedelta(hours=1)

    async def compile(self) -> None:
        """Let the recorder make the hour rows that are missing.

        Of the rows of five minutes, only those are made that hour rows or sums depend on: in which
        the meter was read, which end an hour, and the newest. All others would be the same as the
        row before, or follow from it.
        """
        await async_wait_recording_done(self.hass)
        if self.compiles_all:
            self.recorder.queue_task(CompileMissingStatisticsTask())
            await async_wait_recording_done(self.hass)
            return
        start = await self.recorder.async_add_executor_job(self._compiled_until)
        newest = _five_minutes(dt_util.utcnow()) - _FIVE_MINUTES
        while start <= newest:
            if start == newest or start.minute == 55 or start in self.client.was_read:
                self.recorder.queue_task(StatisticsTask(start, fire_events=False))
            start += _FIVE_MINUTES
        await async_wait_recording_done(self.hass)

    def _compiled_until(self) -> datetime:
        with session_scope(hass=self.hass, read_only=True) as session:
            return compiled_until(session)

    async def live(self, start: datetime, end: datetime) -> None:
        """Read the meter at some of the times at which it is read every five minutes."""
        time = start.replace(minute=start.minute // 5 * 5, second=30, microsecond=0)
        while time <= end:
            if time >= start and time.minute in _READ_AT:
                await self.read_at(time)
            time += timedelta(minutes=5)

    async def switch_off(self, time: datetime) -> None:
        """End Home Assistant, right after another reading."""
        await self.read_at(time)
        await async_wait_recording_done(self.hass)
        self.recorder.set_enable(False)
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.settle()
        await async_wait_recording_done(self.hass)

    async def switch_on(self, time: datetime, *, flat_since: datetime | None = None) -> None:
        """Start Home Assistant again: the recorder makes the rows of the time that it was off."""
        self.freezer.move_to(time)
        self.recorder.set_enable(True)
        assert await self.set_up()
        await self.settle()
        if flat_since is not None:
            start = time.replace(minute=time.minute // 5 * 5, second=0)
            await self.skip_to(start, flat_since=flat_since)
        await self.compile()

    async def become_unavailable(self, time: datetime) -> None:
        """Lose the meter right after another reading."""
        await self.read_at(time)
        await async_wait_recording_done(self.hass)
        self.client.is_there = False
        self.coordinator._pauses = ()
        with suppress(Exception):
            await self.coordinator.async_read_now()
        await self.settle()
        await async_wait_recording_done(self.hass)

    async def skip_to(self, time: datetime, *, flat_since: datetime | None = None) -> None:
        """Let the recorder have compiled all until a time: without numbers, or flat rows.

        These are what it makes at the end of an outage, as long as it keeps states.
        """
        await async_wait_recording_done(self.hass)

        def skip() -> None:
            with session_scope(hass=self.hass) as session:
                session.add(StatisticsRuns(start=time - timedelta(minutes=5)))
                if flat_since is None:
                    return
                last = (
                    session.query(StatisticsShortTerm)
                    .filter(StatisticsShortTerm.sum.is_not(None))
                    .order_by(StatisticsShortTerm.start_ts.desc())
                    .first()
                )
                assert last is not None
                values = {"state": last.state, "sum": last.sum, "metadata_id": last.metadata_id}
                begin = flat_since
                while begin + timedelta(hours=1) <= time:
                    session.add(Statistics(start_ts=begin.timestamp(), **values))
                    begin += timedelta(hours=1)
                start = (time - timedelta(minutes=5)).timestamp()
                session.add(StatisticsShortTerm(start_ts=start, **values))

        await self.recorder.async_add_executor_job(skip)

    async def add_row(self, start: datetime, *, state: float, total: float) -> None:
        """Add an hour row of the total."""

        def add() -> None:
            with session_scope(hass=self.hass) as session:
                metadata = session.query(StatisticsMeta).filter_by(statistic_id=ENTITY).one()
                row = Statistics(start_ts=start.timestamp(), state=state, sum=total)
                row.metadata_id = metadata.id
                session.add(row)

        await self.recorder.async_add_executor_job(add)

    async def purge_five_minutes(self) -> None:
        """Remove the rows that are kept for days only, as each night."""
        await async_wait_recording_done(self.hass)

        def purge() -> None:
            with session_scope(hass=self.hass) as session:
                session.query(StatisticsShortTerm).delete()

        await self.recorder.async_add_executor_job(purge)

    async def import_at(self, time: datetime) -> None:
        """Let the recorder announce its rows, and wait for what comes of it."""
        self.freezer.move_to(time)
        await self.compile()
        await self.settle()
        before = self.entry.options
        options = {**before, CONF_FILL_GAPS: True}
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        self.hass.bus.async_fire(EVENT_RECORDER_5MIN_STATISTICS_GENERATED)
        await self.imported()
        options = {CONF_FILL_GAPS: False, **before}
        self.hass.config_entries.async_update_entry(self.entry, options=options)

    async def imported(self) -> None:
        """Wait until nothing is imported any more."""
        await self.settle()
        async with self.importer._busy:
            pass
        await self.settle()
        await async_wait_recording_done(self.hass)

    async def all_rows(
        self, table: type[Statistics | StatisticsShortTerm] = Statistics
    ) -> list[tuple[Any, ...]]:
        """Return all columns of all rows of all statistics."""
        await async_wait_recording_done(self.hass)

        def read() -> list[tuple[Any, ...]]:
            with session_scope(hass=self.hass, read_only=True) as session:
                found = session.execute(table.__table__.select().order_by(table.id))
                return [tuple(row) for row in found]

        rows: list[tuple[Any, ...]] = await self.recorder.async_add_executor_job(read)
        return rows

    async def means(self, entity: str) -> dict[datetime, tuple[float, ...]]:
        """Return mean, min and max of each hour row of a sensor."""
        await async_wait_recording_done(self.hass)

        def read() -> dict[datetime, tuple[float, ...]]:
            with session_scope(hass=self.hass, read_only=True) as session:
                found = session.query(Statistics).join(
                    StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id
                )
                return {
                    datetime.fromtimestamp(row.start_ts or 0, UTC): tuple(
                        round(value or 0, 3) for value in (row.mean, row.min, row.max)
                    )
                    for row in found.filter(StatisticsMeta.statistic_id == entity)
                }

        means: dict[datetime, tuple[float, ...]] = await self.recorder.async_add_executor_job(read)
        return means

    async def set_means(self, entity: str, power: float) -> None:
        """Let all hour rows of a sensor have the same power."""

        def change() -> None:
            with session_scope(hass=self.hass) as session:
                metadata = session.query(StatisticsMeta).filter_by(statistic_id=entity).one()
                session.query(Statistics).filter_by(metadata_id=metadata.id).update(
                    {"mean": power, "min": power, "max": power}
                )

        await self.recorder.async_add_executor_job(change)

    async def rows(self, entity: str = ENTITY) -> Rows:
        """Return state and sum of each hour row."""
        await async_wait_recording_done(self.hass)

        def read() -> Rows:
            with session_scope(hass=self.hass, read_only=True) as session:
                found = session.query(Statistics).join(
                    StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id
                )
                found = found.filter(StatisticsMeta.statistic_id == entity)
                return {
                    datetime.fromtimestamp(row.start_ts or 0, UTC): (
                        round(row.state or 0, 3),
                        round(row.sum or 0, 3),
                    )
                    for row in found.order_by(Statistics.start_ts)
                }

        rows: Rows = await self.recorder.async_add_executor_job(read)
        return rows
