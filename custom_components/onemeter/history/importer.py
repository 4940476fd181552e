"""Follows an entry's live values, and has the gaps between them filled: by itself and on demand."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
import logging
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from homeassistant.components.recorder import DOMAIN as RECORDER_DOMAIN, get_instance
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..access.error_texts import is_about_credentials
from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..access.numbers import async_number_text
from ..const import (
    CONF_FILL_GAPS,
    CONF_IMPORT_DAYS,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DOMAIN,
)
from ..coordinator.base import OneMeterConfigEntry
from ..coordinator.meter_data import MeterData
from ..coordinator.polled import PolledCoordinator
from ..meter import Key, MeterError
from ..settings import from_entry
from ..totals.limits import rule_of
from ..totals.total import Total
from .clock import UnknownTimeError
from .filling import GapFiller
from .in_period import async_gaps_in_period
from .memory import GapMemory, ImportMemory, KnownGap
from .outcome import Outcome
from .reading import IncompleteProfileError
from .recorder_task import UnsupportedSchemaError, is_supported
from .rest import Rest
from .samples import Sample
from .undoing import async_undo

_LOGGER = logging.getLogger(__name__)

_IMPORTERS: HassKey[dict[str, HistoryImporter]] = HassKey(f"{DOMAIN}_history")

#: After a boundary of capture periods, until a meter has its row.
_ROW_IS_THERE: Final = timedelta(minutes=1)
#: After the end of a billing period, until what was missed is settled at the latest.
_SETTLED: Final = timedelta(minutes=1)
#: Percent from one progress that is shown to the next.
_STEP: Final = 10


class HistoryImporter:
    """Notices gaps of an entry's statistics, and fills them when its meter is back."""

    def __init__(
        self, hass: HomeAssistant, entry: OneMeterConfigEntry, coordinator: PolledCoordinator
    ) -> None:
        """Take whose gaps these are."""
        self._hass = hass
        self._entry = entry
        self._coordinator = coordinator
        self._max_power: int = entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)
        multiplier = Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER))
        shortest = coordinator.billing.options.shortest
        self.memory = GapMemory(hass, entry.entry_id, multiplier, shortest)
        self.imports = ImportMemory(hass, entry.entry_id)
        self._filler = GapFiller(hass, entry, coordinator, self.imports)
        self._busy = asyncio.Lock()
        #: Percent of the profile that was read for an import; None while nothing is read.
        self.progress: int | None = None
        #: Called when the progress has changed.
        self.on_progress: Callable[[], object] = lambda: None
        self._filler.on_progress = self._async_on_progress
        #: Changes with the credentials, and contains nothing of them.
        self._entry_changed = entry.modified_at.isoformat()
        self._rest = Rest()

    async def async_load(self) -> None:
        """Go on from what was remembered, and follow the meter."""
        await self.memory.async_load(self._entry.options.get(CONF_IMPORT_DAYS, 0))
        await self.imports.async_load()
        await self._filler.async_load()
        if CONF_FILL_GAPS in self._entry.options:
            async_clear_issue(self._hass, self._entry, Issue.FILL_GAPS)
        # It is raised again if that is still so, and if gaps are still to be filled.
        async_clear_issue(self._hass, self._entry, Issue.HISTORY_TIME_UNKNOWN)
        if self._is_rejected:
            async_raise_issue(self._hass, self._entry, Issue.HISTORY_REJECTED)
        else:
            async_clear_issue(self._hass, self._entry, Issue.HISTORY_REJECTED)
        self._coordinator.on_reading = self._async_take
        self._entry.async_on_unload(
            self._hass.bus.async_listen(
                EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_on_rows
            )
        )
        self._entry.async_on_unload(self.memory.async_save)

    @property
    def is_busy(self) -> bool:
        """Whether gaps are being filled, or an import undone."""
        return self._busy.locked()

    @property
    def _is_rejected(self) -> bool:
        """Whether the meter has rejected the password or keys since the entry was changed."""
        return self.memory.rejected == self._entry_changed

    @property
    def is_automatic(self) -> bool:
        """Whether gaps are filled automatically."""
        return self._entry.options.get(CONF_FILL_GAPS, False) and self.may_be_automatic

    @property
    def may_be_automatic(self) -> bool:
        """Whether the meter is read without being asked: no battery drains."""
        return not from_entry(self._entry.data).on_battery

    @callback
    def _async_on_progress(self, share: float | None) -> None:
        """Take how much was read, in large steps: each one is a row of the database."""
        progress = None if share is None else int(share * 100) // _STEP * _STEP
        if progress != self.progress:
            self.progress = progress
            self.on_progress()

    @callback
    def _async_take(self, data: MeterData) -> None:
        """Take the totals of a reading that were accepted."""
        interval = self._coordinator.interval
        for key, register in data.registers.items():
            if key in data.withheld:
                continue
            rule = rule_of(key, data.registers, self._max_power)
            if rule is None or rule.may_fall or (total := Total.counted(register)) is None:
                continue
            sample = Sample(data.received, total.amount)
            self.memory.async_add(key, total.amount_unit, sample, interval)
        self.memory.async_next_reading()

    @callback
    def async_add_gap(self, key: Key, last: Sample, first: Sample | None) -> None:
        """Note that an earlier sensor followed a total until its last sample.

        first is the first sample since then; without it, it is the first one that is remembered.
        """
        self.memory.async_add_gap(key, last, first, self._coordinator.interval)

    @callback
    def _async_on_rows(self, _: Event) -> None:
        """Fill the gaps that have ended, in the background, or offer it."""
        was_asked = CONF_FILL_GAPS in self._entry.options or not self.may_be_automatic
        if not was_asked and any(known.since is None for known in self.memory.open()):
            async_raise_issue(self._hass, self._entry, Issue.FILL_GAPS)
        if not self.is_busy and self._due(dt_util.utcnow()):
            self._entry.async_create_background_task(
                self._hass, self._async_fill_due(), f"{DOMAIN} history"
            )

    def _due(self, now: datetime) -> list[KnownGap]:
        if not self._rest.is_over or self._coordinator.is_rejected or self._is_rejected:
            return []
        period = self._filler.period
        wait = self._coordinator.billing.waits_for
        wait = wait and wait + _SETTLED
        return [
            known
            for known in self.memory.open()
            # The time before the first value is only there if the user wants it.
            if (self.is_automatic or known.since is not None)
            and known.rest.is_over
            and _next_boundary(known.gap.first.time, period) + _ROW_IS_THERE <= now
            and known.gap.first.time + wait <= now
        ]

    async def _async_fill_due(self) -> None:
        async with self._busy:
            await get_instance(self._hass).async_recorder_ready.wait()
            if not self._check_schema():
                return
            try:
                await self._async_fill(self._due(dt_util.utcnow()))
            except MeterError as err:
                self._async_on_error(err)
            except UnknownTimeError:
                async_raise_issue(self._hass, self._entry, Issue.HISTORY_TIME_UNKNOWN)
                self._rest.begin()
            except IncompleteProfileError:
                _LOGGER.debug("%s does not give a part of its profile", self._entry.title)
                self._rest.begin()
            except SQLAlchemyError, HomeAssistantError, UnsupportedSchemaError:
                _LOGGER.exception("The gaps of %s cannot be filled", self._entry.title)
                self._rest.begin(longest=True)
            else:
                self._rest.end()
            if not any(self.memory.open()):
                await self._filler.async_forget_profile()

    async def _async_fill(
        self, gaps: Iterable[KnownGap], *, dry_run: bool = False
    ) -> list[Outcome]:
        completed = [(known, self.memory.completed(known)) for known in gaps]
        were_open = [(known, gap) for known, gap in completed if known.is_open]
        try:
            outcomes = await self._filler.async_fill(completed, self.memory.keys, dry_run=dry_run)
        except MeterError as err:
            if is_about_credentials(err):
                # Meters lock themselves after several wrong ones, so these are not sent again, not
                # even after a restart.
                self.memory.async_reject(self._entry_changed)
                async_raise_issue(self._hass, self._entry, Issue.HISTORY_REJECTED)
            raise
        finally:
            # Also those that were filled before an error.
            for known, gap in were_open:
                if not known.is_open:
                    self.memory.async_close(known, gap)
        if completed and self.memory.rejected is not None:
            self.memory.async_reject(None)
            async_clear_issue(self._hass, self._entry, Issue.HISTORY_REJECTED)
        if completed:
            async_clear_issue(self._hass, self._entry, Issue.HISTORY_TIME_UNKNOWN)
        if not dry_run:
            self._async_report(outcomes)
        return outcomes

    @callback
    def _async_on_error(self, err: MeterError) -> None:
        _LOGGER.debug("The load profile of %s cannot be read: %s", self._entry.title, err)
        if is_about_credentials(err):
            self._entry.async_start_reauth(self._hass)
            return
        if self._rest.take_error(err):
            _LOGGER.info("%s does not give a load profile", self._entry.title)
            for known in list(self.memory.open()):
                self.memory.async_close(known)
            return
        self._rest.begin()

    def _check_schema(self) -> bool:
        if is_supported(self._hass):
            async_clear_issue(self._hass, self._entry, Issue.HISTORY_UNSUPPORTED)
            return True
        async_raise_issue(self._hass, self._entry, Issue.HISTORY_UNSUPPORTED)
        return False

    @callback
    def _async_report(self, outcomes: Iterable[Outcome]) -> None:
        """Report the newest gap in which profile and register disagree, as long as there is one."""
        failed = [outcome for outcome in outcomes if outcome.disagreement is not None]
        if not failed:
            if outcomes:
                async_clear_issue(self._hass, self._entry, Issue.HISTORY_DISAGREES)
            return
        outcome = failed[0]
        found = outcome.disagreement
        assert found is not None  # noqa: S101
        unit = "" if (trail := self.memory.trail(outcome.key)) is None else trail.unit
        register, profile = (
            async_number_text(self._hass, rise)
            for rise in (found.register_rise, found.channel_rise)
        )
        async_raise_issue(
            self._hass,
            self._entry,
            Issue.HISTORY_DISAGREES,
            {
                "register": f"{register} {unit}",
                "profile": f"{profile} {unit}",
                "key": str(outcome.key),
            },
        )

    def _require(self) -> None:
        """Raise UnsupportedSchemaError where nothing can be written."""
        if RECORDER_DOMAIN not in self._hass.config.components or not self._check_schema():
            raise UnsupportedSchemaError

    async def async_import(self, start: datetime, end: datetime, *, dry_run: bool) -> list[Outcome]:
        """Fill the gaps in a period, for the action.

        Raises MeterError, UnsupportedSchemaError, SQLAlchemyError.
        """
        async with self._busy:
            self._require()
            interval = self._coordinator.interval
            gaps = await async_gaps_in_period(
                self._hass, self.memory, self._filler, start, end, interval=interval
            )
            return await self._async_fill(gaps, dry_run=dry_run)

    async def async_undo(self, until: datetime | None = None) -> tuple[int, int]:
        """Undo the newest import; return how many rows were brought back, and how many not.

        With the time of an import, all that are newer are undone first. Raises LookupError without
        an import, UnsupportedSchemaError.
        """
        async with self._busy:
            self._require()
            return await async_undo(self._hass, self.imports, until)


async def async_setup_history(
    hass: HomeAssistant, entry: OneMeterConfigEntry, coordinator: PolledCoordinator
) -> None:
    """Follow the live values of a meter that may have a load profile."""
    importer = HistoryImporter(hass, entry, coordinator)
    await importer.async_load()
    importers = hass.data.setdefault(_IMPORTERS, {})
    importers[entry.entry_id] = importer

    @callback
    def forget() -> None:
        del importers[entry.entry_id]

    entry.async_on_unload(forget)


@callback
def async_importer(hass: HomeAssistant, entry_id: str) -> HistoryImporter | None:
    """Return what fills the gaps of a loaded entry; None where its meter has no load profile."""
    return hass.data.get(_IMPORTERS, {}).get(entry_id)


def _next_boundary(time: datetime, period: timedelta) -> datetime:
    seconds = period.total_seconds()
    return dt_util.utc_from_timestamp((time.timestamp() // seconds + 1) * seconds)
