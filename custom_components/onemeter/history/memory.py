"""What is remembered of an entry's gaps over restarts, crashes included, and of its imports."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..billing.periods import Periods
from ..const import DOMAIN
from ..meter import Key
from ..registers.known_codes import parse_key
from .planning import full_hour
from .records import Record
from .rest import Rest
from .samples import HOUR, Gap, Sample, Trail
from .span_memory import async_forget_span
from .targets import can_be_filled

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
#: Seconds that samples may stay unwritten: a crash makes a gap longer by that, and the first value
#: of an hour is written at once.
_SAVE_DELAY: Final = 300
#: Gaps that are remembered once they are filled: the action may look at them again.
_GAPS_KEPT: Final = 1000
#: Gaps of which more than the samples next to them is remembered.
_SAMPLES_KEPT: Final = 100
#: Imports that can be undone: the newest of this number, and of this time.
_IMPORTS_KEPT: Final = 50
_IMPORTS_KEPT_FOR: Final = timedelta(days=90)
#: Times without live values that are no gap: up to this, ...
_SHORTEST_GAP: Final = timedelta(minutes=5)
#: ... and up to this number of intervals.
_INTERVALS: Final = 2.5


@dataclass
class KnownGap:
    """A gap, and whether it waits to be filled."""

    gap: Gap
    is_open: bool = True
    #: How often the profile was looked at without reaching to its end, in this run.
    attempts: int = 0
    #: How long a profile on the M-Bus is left alone that the meter does not return, in this run.
    rest: Rest = field(default_factory=Rest)
    #: How far back the user wants it to be filled, where there was no value before.
    since: datetime | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> KnownGap:
        """Undo as_dict."""
        before, after = (
            tuple(Sample.from_list(item) for item in data[name]) for name in ("before", "after")
        )
        first, second = map(Decimal, data["multipliers"])
        interval = timedelta(seconds=data["interval"])
        gap = Gap(parse_key(data["key"]), data["unit"], before, after, interval, (first, second))
        since = data.get("since")
        return cls(gap, data["is_open"], since=since and datetime.fromisoformat(since))

    def as_dict(self) -> dict[str, Any]:
        """Return the gap ready for JSON."""
        gap = self.gap
        return {
            "key": str(gap.key),
            "unit": gap.unit,
            "before": [sample.as_list() for sample in gap.before],
            "after": [sample.as_list() for sample in gap.after],
            "interval": gap.interval.total_seconds(),
            "multipliers": [str(multiplier) for multiplier in gap.multipliers],
            "is_open": self.is_open,
            "since": self.since and self.since.isoformat(),
        }


@dataclass
class ImportRecord:
    """One import: what it has written, or was about to."""

    time: datetime
    records: list[Record] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImportRecord:
        """Undo as_dict."""
        records = [Record.from_dict(record) for record in data["records"]]
        return cls(datetime.fromisoformat(data["time"]), records)

    @property
    def period(self) -> tuple[datetime, datetime]:
        """The time of its rows, from the start of the first hour to the end of the last one."""
        starts = self._starts
        return dt_util.utc_from_timestamp(min(starts)), dt_util.utc_from_timestamp(
            max(starts)
        ) + HOUR

    @property
    def hours(self) -> int:
        """How many hours have rows of it."""
        return len(self._starts)

    @property
    def _starts(self) -> set[float]:
        return {start for record in self.records for start in record.hours}

    def as_dict(self) -> dict[str, Any]:
        """Return the record ready for JSON."""
        records = [record.as_dict() for record in self.records]
        return {"time": self.time.isoformat(), "records": records}


class GapMemory:
    """Follows the live values of an entry's totals, and remembers the gaps between them."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        multiplier: Decimal,
        billed: Periods | None = None,
    ) -> None:
        """Begin without anything stored; what is billed by periods has gaps within an hour, too."""
        self._billed = billed
        self.gaps: list[KnownGap] = []
        self._multiplier = self._multiplier_before = multiplier
        self._trails: dict[Key, Trail] = {}
        self._store = _gap_store(hass, entry_id)
        self._is_save_due = False
        #: How far back the profile is wanted before the first values of all.
        self._since: datetime | None = None
        #: When the entry was last changed (ISO 8601) before its password or keys were rejected.
        self.rejected: str | None = None

    async def async_load(self, import_days: int = 0) -> None:
        """Restore what was stored; take the days to be imported for a new entry."""
        if (data := await self._store.async_load()) is None:
            if import_days:
                self._since = dt_util.utcnow() - timedelta(days=import_days)
            return
        try:
            trails = {
                parse_key(key): Trail.from_dict(trail) for key, trail in data["trails"].items()
            }
            gaps = map(KnownGap.from_dict, data["gaps"])
            # Earlier versions have stored others, too.
            self._trails = {k: trail for k, trail in trails.items() if can_be_filled(k, trail.unit)}
            self.gaps = [it for it in gaps if can_be_filled(it.gap.key, it.gap.unit)]
            self._multiplier_before = Decimal(data["multiplier"])
            self.rejected = data.get("rejected")
        except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
            _LOGGER.exception("What was remembered of gaps is damaged")
            self._trails, self.gaps = {}, []

    @callback
    def async_add(self, key: Key, unit: str | None, sample: Sample, interval: timedelta) -> bool:
        """Take a live value of a total; return whether a gap has ended with it.

        A total that no load profile holds is ignored.
        """
        if not can_be_filled(key, unit):
            return False
        trail = self._trails.get(key)
        last = trail.samples[-1] if trail and trail.samples else None
        if trail is None or trail.unit != unit or (last and last.time >= sample.time):
            # The clock was set back, or the register is another one by now.
            trail = self._trails[key] = Trail(unit)
            last = None
        if self._since is not None:
            beginning = Gap(key, unit, (), (sample,), interval, 2 * (self._multiplier,))
            self.gaps.append(KnownGap(beginning, since=self._since))
        is_gap = self._is_gap(last, sample, interval)
        if is_gap:
            multipliers = self._multiplier_before, self._multiplier
            before = tuple(trail.samples)
            self.gaps.append(KnownGap(Gap(key, unit, before, (sample,), interval, multipliers)))
            del self.gaps[:-_GAPS_KEPT]
        trail.add(sample)
        is_new_hour = last is None or full_hour(last.time) != full_hour(sample.time)
        self.async_save_soon(at_once=is_gap or is_new_hour)
        return is_gap

    @callback
    def async_add_gap(
        self, key: Key, last: Sample, first: Sample | None, interval: timedelta
    ) -> None:
        """Note a gap behind the last sample of before this memory began."""
        if (trail := self._trails.get(key)) is None:
            return
        first = first or trail.samples[0]
        if self._is_gap(last, first, interval):
            multipliers = self._multiplier, self._multiplier
            gap = Gap(key, trail.unit, (last,), (first,), interval, multipliers)
            self.gaps.append(KnownGap(gap))
            self.async_save_soon(at_once=True)

    @callback
    def async_next_reading(self) -> None:
        """Take that the multiplier of all later values is the present one."""
        self._multiplier_before = self._multiplier
        self._since = None

    def _is_gap(self, last: Sample | None, sample: Sample, interval: timedelta) -> bool:
        if last is None:
            # Before the first value of all there is one, too, but only the user can ask for it.
            return False
        if sample.time - last.time <= max(_SHORTEST_GAP, _INTERVALS * interval):
            return False
        starts = [full_hour] if self._billed is None else [full_hour, self._billed.begin]
        return any(start(last.time) != start(sample.time) for start in starts)

    def trail(self, key: Key) -> Trail | None:
        """Return the newest samples of a total."""
        return self._trails.get(key)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All totals that there are."""
        return tuple(self._trails)

    def completed(self, known: KnownGap) -> Gap:
        """Return a gap with the samples that have come since, until it was filled."""
        gap = known.gap
        if not known.is_open:
            # Filled again from the same samples, all rows stay the same.
            return gap
        if (trail := self._trails.get(gap.key)) is not None and trail.unit == gap.unit:
            later = (sample for sample in trail.samples if sample.time > gap.after[-1].time)
            gap = replace(gap, after=(*gap.after, *later))
        return gap

    @callback
    def async_close(self, known: KnownGap, gap: Gap | None = None) -> None:
        """Take that nothing more is to be done about a gap, which was filled with its samples."""
        known.is_open = False
        if gap is not None:
            known.gap = gap
        for old in self.gaps[:-_SAMPLES_KEPT]:
            if not old.is_open:
                old.gap = replace(old.gap, before=old.gap.before[-1:], after=old.gap.after[:1])
        self.async_save_soon(at_once=True)

    @callback
    def async_reject(self, entry_changed: str | None) -> None:
        """Store that password or keys were rejected; None if they were accepted.

        ``entry_changed`` is when the entry was last changed (ISO 8601).
        """
        self.rejected = entry_changed
        self.async_save_soon(at_once=True)

    def open(self) -> Iterator[KnownGap]:
        """Yield the gaps that wait to be filled."""
        return (known for known in self.gaps if known.is_open)

    @callback
    def async_save_soon(self, *, at_once: bool = False) -> None:
        """Write what is remembered, later unless a crash must not lose it."""
        if at_once or not self._is_save_due:
            self._is_save_due = True
            self._store.async_delay_save(self._data, 0 if at_once else _SAVE_DELAY)

    async def async_save(self) -> None:
        """Write what is remembered."""
        await self._store.async_save(self._data())

    def _data(self) -> dict[str, Any]:
        self._is_save_due = False
        return {
            # Not in the event loop's thread.
            "trails": {str(key): trail.as_dict() for key, trail in list(self._trails.items())},
            "gaps": [known.as_dict() for known in list(self.gaps)],
            "multiplier": str(self._multiplier_before),
            "rejected": self.rejected,
        }


def with_import(imports: Iterable[ImportRecord], record: ImportRecord) -> list[ImportRecord]:
    """Return imports with another one, without those that are too old to be undone."""
    oldest = record.time - _IMPORTS_KEPT_FOR
    kept = [item for item in imports if item.time >= oldest]
    return [*kept[1 - _IMPORTS_KEPT :], record]


class ImportMemory:
    """The imports of an entry that can be undone."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin without anything stored."""
        self.imports: list[ImportRecord] = []
        self._store = _import_store(hass, entry_id)

    async def async_load(self) -> None:
        """Read what was written."""
        if (data := await self._store.async_load()) is not None:
            self.imports = [ImportRecord.from_dict(item) for item in data["imports"]]

    def add(self, record: ImportRecord) -> None:
        """Add an import, if it is none of these yet, and drop those that are too old."""
        if record not in self.imports:
            self.imports = with_import(self.imports, record)

    async def async_save(self) -> None:
        """Write it; it is on the disk then."""
        imports = list(self.imports)
        await self._store.async_save(
            await asyncio.to_thread(lambda: {"imports": [item.as_dict() for item in imports]})
        )


async def async_forget_history(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was remembered of an entry that is gone."""
    await _gap_store(hass, entry_id).async_remove()
    await _import_store(hass, entry_id).async_remove()
    await async_forget_span(hass, entry_id)


def _gap_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return _store(hass, f"{DOMAIN}.gaps.{entry_id}")


def _import_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return _store(hass, f"{DOMAIN}.imports.{entry_id}")


def _store(hass: HomeAssistant, key: str) -> Store[dict[str, Any]]:
    # Thousands of rows would hold up the event loop.
    return Store(hass, _VERSION, key, atomic_writes=True, serialize_in_event_loop=False)
