"""Fills gaps: reads the profile, plans the rows, and writes them with what undoes them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
import logging
from typing import Final

from homeassistant.const import UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..billing.sources import BALANCED_EXPORT, BALANCED_IMPORT, Source
from ..const import (
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
)
from ..coordinator.base import OneMeterConfigEntry
from ..coordinator.polled import PolledCoordinator
from ..meter import Key, Obis
from ..meter.obis import ELECTRICITY
from ..totals import Totals
from ..totals.limits import rule_of
from ..totals.total import Total, is_transformed
from .balances import as_gap, energies_of, plan_balance, settle_each
from .clock import ClockOffset
from .intervals import Channel, ChannelName, channels, mbus_channel
from .memory import ImportMemory, ImportRecord, KnownGap
from .new_statistic import async_add_statistic
from .outcome import Outcome
from .planning import full_hour, plan_gap
from .power import IMPORTED, power_in
from .reading import ProfileSpan, async_placed, async_read_slice
from .recorder_task import async_in_recorder
from .records import Record, prepare, read_power, write
from .rows import Plan, Reason
from .samples import HOUR, Gap
from .series import ZERO, Disagreement, Kind, Series
from .span_memory import SpanMemory
from .spans import Work, in_spans, is_same_time, span_of
from .statistic_of import Statistic, async_statistic_of
from .statistics_rows import compiled_until, read_rows
from .targets import best_series, total_of

_LOGGER = logging.getLogger(__name__)

#: How often a profile is looked for that does not reach to the end of a gap.
_ATTEMPTS: Final = 4
#: Time of a profile that is read within seconds, so that no progress is shown.
_SOON_READ: Final = timedelta(days=1)
#: How often rows are planned again that have changed meanwhile.
_PLANS: Final = 3

type PlanRows = Callable[..., Plan]
type Channels = Mapping[ChannelName, Channel]


class GapFiller:
    """Fills the gaps of one entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        coordinator: PolledCoordinator,
        imports: ImportMemory,
    ) -> None:
        """Take whose gaps these are, and where imports are remembered."""
        self._hass = hass
        self._entry = entry
        self._coordinator = coordinator
        self._imports = imports
        self._multiplier = Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER))
        self._max_power: int = entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)
        #: The capture period, as soon as it is known.
        self.period = timedelta(minutes=15)
        #: The part of the profile that gaps are filled from at present.
        self._span: ProfileSpan | None = None
        #: What was read for gaps that are still open.
        self._spans = SpanMemory(hass, entry.entry_id)
        #: Called with the share of the profile that was read; None when reading has ended.
        self.on_progress: Callable[[float | None], object] = lambda _: None

    async def async_load(self) -> None:
        """Go on with what was read before a restart."""
        await self._spans.async_load()
        self._entry.async_on_unload(self._spans.async_close)

    async def async_forget_profile(self) -> None:
        """Take that nothing more is to be read."""
        await self._spans.async_forget_all()

    async def async_fill(
        self, gaps: Sequence[tuple[KnownGap, Gap]], keys: Sequence[Key], *, dry_run: bool = False
    ) -> list[Outcome]:
        """Fill gaps, newest first; those that nothing more is to be done about are closed.

        The keys are those of all totals. Raises what reading the profile raises.
        """
        outcomes: list[Outcome] = []
        record = ImportRecord(dt_util.utcnow())
        for work in in_spans(gaps):
            span = self._span = self._spans.span(work.start, work.end)
            found = await self._async_read(work, span)
            for known, gap in work.gaps:
                outcome = await self._async_fill_one(
                    known, gap, found, keys, None if dry_run else record
                )
                if outcome is not None:
                    outcomes.append(outcome)
                    if gap.key == IMPORTED and outcome.plan.changes and not dry_run:
                        totals = [other for _, other in work.gaps if is_same_time(gap, other)]
                        await self._async_fill_power(totals, found, keys, record)
            outcomes += await self._async_fill_balances(
                work, found, keys, None if dry_run else record
            )
            if not dry_run:
                await self._async_correct_peaks(work, found, keys)
            if not any(known.is_open for known, _ in work.gaps):
                await self._spans.async_forget(span)
        return outcomes

    async def _async_read(self, work: Work, span: ProfileSpan) -> Channels:
        """Read the part of the profile for some gaps, or what is missing of it."""
        clock = ClockOffset.of(self._coordinator.newest, self._coordinator.client.duration)
        read = partial(async_read_slice, self._coordinator, clock)

        def on_progress() -> None:
            if span.end - span.start > _SOON_READ:
                self.on_progress(span.share)
            self._spans.async_save_soon()

        others = {mbus_channel(gap.key) for _, gap in work.gaps}
        try:
            await span.async_read_missing(others, read, on_progress)
            if span.end < work.end:
                await span.async_extend(work.end, read, on_progress)
            await span.async_read(read, on_progress)
            await span.async_check_doubtful(read)
        finally:
            self.on_progress(None)
        placed = await async_placed(span, clock, read)
        found = await asyncio.to_thread(channels, placed)
        own = [name for name in found if name.obis.a == ELECTRICITY] or found
        if found:
            self.period = min(max(found[name].length for name in own), HOUR)
        return found

    async def _async_fill_one(
        self,
        known: KnownGap,
        gap: Gap,
        found: Channels,
        keys: Sequence[Key],
        record: ImportRecord | None,
    ) -> Outcome | None:
        """Fill a gap of one total; None where there is nothing to fill, or it is too early."""
        totals = self._coordinator.totals
        if isinstance(totals, Totals) and not totals.is_corrected(gap.key):
            # The correction of steps reads rows that must not have changed before.
            return None
        if self._is_missing(known, gap, is_dry_run=record is None):
            return None
        statistic = await self.async_statistic(gap)
        series = await asyncio.to_thread(best_series, gap, found, keys)
        own: Channels = {}
        if isinstance(gap.key, Obis) and gap.key.a != ELECTRICITY:
            # The profile of a meter on the M-Bus may have its newest row later than the others.
            own = {name: found[name] for name in found if total_of(name, keys) == gap.key}
        # Nothing of the time behind the last full hour is needed where the register is known, and
        # nothing is there where it is captured once an hour.
        is_register = isinstance(series, Series) and series.kind is Kind.REGISTER
        is_whole = is_register and (gap.last is None or bool(own))
        end = full_hour(gap.first.time) if is_whole else gap.first.time
        if self._is_too_early(known, end, own or found):
            return None
        is_done = True
        outcome = None
        if statistic is not None and isinstance(series, Disagreement):
            outcome = Outcome(statistic.statistic_id, gap.key, Plan(), series)
        elif statistic is not None and isinstance(series, Series):
            since = min(channel.periods[0].start for channel in found.values())
            registers = self._coordinator.newest.registers
            rule = rule_of(gap.key, registers, self._max_power) if gap.key in registers else None
            plan_rows = partial(
                plan_gap,
                gap,
                series,
                factor=statistic.factor,
                most_per_hour=rule and rule.most_per_hour,
            )
            plan = await self._async_plan_and_write(statistic, gap, since, plan_rows, record)
            is_done = plan is not None and all(
                reason is not Reason.NOT_COMPILED for _, reason in plan.left
            )
            if plan is not None:
                outcome = Outcome(statistic.statistic_id, gap.key, plan)
        if is_done and record is not None:
            known.is_open = False
        return outcome

    async def _async_fill_balances(
        self, work: Work, found: Channels, keys: Sequence[Key], record: ImportRecord | None
    ) -> list[Outcome]:
        """Settle each period of the gaps by itself that was settled together with others."""
        billing = self._coordinator.billing
        outcomes: list[Outcome] = []
        if (periods := billing.options.balancing) is None:
            return outcomes
        for scope, source, missed in billing.missed():
            times = missed.begin, missed.end
            series = await self._async_series_of(times, source, work, found, keys)
            settled = settle_each(missed, source, periods, series, self._multiplier)
            if settled is None:
                continue
            for side, before, lump, amounts in (
                (BALANCED_IMPORT, missed.imported, missed.net, [it.imported for it in settled]),
                (BALANCED_EXPORT, missed.exported, -missed.net, [it.exported for it in settled]),
            ):
                name = f"{side}{scope}"
                statistic = await async_statistic_of(
                    self._hass, self._entry, name, UnitOfEnergy.KILO_WATT_HOUR
                )
                if statistic is None or statistic.metadata_id is None:
                    continue
                gap = as_gap(name, missed)
                factor = statistic.factor
                ends = [
                    (it.end, amount * factor) for it, amount in zip(settled, amounts, strict=True)
                ]
                plan = partial(plan_balance, gap, ends, before * factor, max(lump, ZERO) * factor)
                planned = await self._async_plan_and_write(statistic, gap, None, plan, record)
                if planned is not None:
                    outcomes.append(Outcome(statistic.statistic_id, name, planned))
        return outcomes

    async def _async_correct_peaks(self, work: Work, found: Channels, keys: Sequence[Key]) -> None:
        """Take the periods of peak power that were missed in these gaps."""
        billing = self._coordinator.billing
        if (unknown := billing.unknown_peaks) is None or (periods := billing.options.peaks) is None:
            return
        source, times = unknown
        for _, gap in work.gaps:
            if gap.last is None or gap.key != source.added[0]:
                continue
            last, first = gap.last.time - periods.length, gap.first.time + periods.length
            # Of longer times, only the part in the gap.
            inside = [
                (max(begin, periods.begin(last)), min(end, first))
                for begin, end in times
                if begin < first and last < end
            ]
            series = await self._async_series_of((last, first), source, work, found, keys)
            energies = await asyncio.to_thread(
                energies_of, inside, source, periods, series, self._multiplier
            )
            await self._coordinator.async_correct_peaks(energies)

    async def _async_series_of(
        self,
        times: tuple[datetime, datetime],
        source: Source,
        work: Work,
        found: Channels,
        keys: Sequence[Key],
    ) -> Mapping[Key, Series]:
        """Return what the totals of a source were in the gaps between two points in time."""
        series: dict[Key, Series] = {}
        for _, gap in work.gaps:
            if gap.last is None or gap.unit != UnitOfEnergy.KILO_WATT_HOUR or gap.has_fallen:
                continue
            is_inside = gap.last.time < times[1] and times[0] < gap.first.time
            if (
                is_inside
                and gap.key in {*source.added, *source.subtracted}
                and gap.multipliers == (self._multiplier, self._multiplier)
            ):
                known = await asyncio.to_thread(best_series, gap, found, keys)
                if isinstance(known, Series):
                    series[gap.key] = known
        return series

    async def _async_fill_power(
        self, gaps: Sequence[Gap], found: Channels, keys: Sequence[Key], record: ImportRecord
    ) -> None:
        """Replace what the recorder has made up for the power in a gap of these totals."""
        series: dict[Key, Series] = {}
        for gap in gaps:
            known = await asyncio.to_thread(best_series, gap, found, keys)
            if isinstance(known, Series):
                series[gap.key] = known
        powers = await asyncio.to_thread(power_in, gaps[0], series, keys, self.period)
        for name, hours in powers.items():
            statistic = await async_statistic_of(self._hass, self._entry, name, UnitOfPower.WATT)
            if statistic is None or statistic.has_sum or not hours:
                continue
            if (metadata_id := statistic.metadata_id) is None:
                continue
            factor = float(statistic.factor * self._multiplier)
            read = partial(read_power, metadata_id=metadata_id, powers=hours, factor=factor)
            planned = await async_in_recorder(self._hass, read)
            if planned.changes:
                await self._async_write(planned, record)

    def _is_too_early(self, known: KnownGap, end: datetime, found: Channels) -> bool:
        """Return whether the profile does not reach to the end of a gap yet."""
        newest = max((channel.periods[-1].end for channel in found.values()), default=None)
        if newest is None or newest >= end or known.attempts >= _ATTEMPTS:
            return False
        known.attempts += 1
        # What is newer than that is read the next time.
        if (span := self._span) is not None:
            span.end = max(newest, span.start)
        return True

    def _is_missing(self, known: KnownGap, gap: Gap, *, is_dry_run: bool) -> bool:
        """Return whether the profile of a meter on the M-Bus is to be read again for a gap.

        The meter has not returned it this time; the gap stays open, as long as that may change.
        """
        if not known.is_open or self._span is None:
            return False
        channel = mbus_channel(gap.key)
        start, end = span_of(known, gap)
        missing = (part for part, others in self._span.missing.items() if channel in others)
        if not any(begin < end and start < until for begin, until in missing):
            return False
        if not is_dry_run:
            if known.rest.take_refusal():
                return False
            known.rest.begin()
        return True

    async def _async_plan_and_write(
        self,
        statistic: Statistic,
        gap: Gap,
        since: datetime | None,
        plan_rows: PlanRows,
        record: ImportRecord | None,
    ) -> Plan | None:
        """Return what was written, or would be; None where the rows change all the time."""
        metadata_id = statistic.metadata_id
        if metadata_id is None and statistic.metadata is not None and record is not None:
            metadata_id = await async_add_statistic(self._hass, statistic.metadata)
        for _ in range(_PLANS):
            rows, until = await async_in_recorder(
                self._hass,
                lambda session: (
                    read_rows(session, metadata_id, gap, since),
                    compiled_until(session),
                ),
            )
            plan = await asyncio.to_thread(plan_rows, rows, compiled_until=until)
            if record is None or metadata_id is None or plan.is_empty:
                return plan
            if await self._async_write(Record.of(metadata_id, plan), record):
                hours = len(plan.changes)
                name = statistic.statistic_id
                _LOGGER.info("%s hours of %s were filled from the load profile", hours, name)
                return plan
        return None

    async def _async_write(self, planned: Record, record: ImportRecord) -> bool:
        """Write what is planned, once what undoes it is on the disk; return whether it was."""
        prepared = await async_in_recorder(self._hass, partial(prepare, record=planned))
        record.records.append(prepared)
        self._imports.add(record)
        await self._imports.async_save()
        if await async_in_recorder(self._hass, partial(write, record=prepared)):
            return True
        record.records.remove(prepared)
        if not record.records:
            self._imports.imports.remove(record)
        await self._imports.async_save()
        return False

    async def async_statistic(self, gap: Gap) -> Statistic | None:
        """Return the statistic of a gap's total; None where it has none."""
        statistic = await async_statistic_of(self._hass, self._entry, str(gap.key), gap.unit)
        if statistic is None or not statistic.has_sum:
            return None
        if not is_transformed(gap.key, Total(Decimal(1), gap.unit)):
            return statistic
        return replace(statistic, factor=statistic.factor * self._multiplier)
