"""Reading the load profile of a meter (IEC 62056-6-2, class 7)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from ..errors import AccessError, ChecksumError, MeterError, RefusedError, TelegramError
from ..interleaving import find_in_turns
from ..obis import ELECTRICITY, Obis
from ..reading import Interval, LoadProfiles
from .apdu import axdr
from .apdu.data_types import Data
from .apdu.results import READ_WRITE_DENIED, ExceptionError, ServiceError, access_error
from .apdu.times import encode_date_time
from .apdu.xdlms import NO_SELECTION, AccessResult, descriptor, parse_result
from .cosem import CAPTURE_OBJECTS, CAPTURE_PERIOD, VALUE, CosemObject, ObjectClass, time_of
from .mbus_clients import MBUS_PROFILE
from .memory import Memory
from .object_selection import CLOCK, LOAD_PROFILE
from .profile_rows import (
    Column,
    ProfileLayout,
    intervals_of,
    is_newest_first,
    parse_columns,
    rows_in,
)
from .registers import Reader
from .session import Session

#: Attributes of a profile.
_SORT_METHOD: Final = 5
_ENTRIES_IN_USE: Final = 7
#: Sort method: the newest row is the first.
_LAST_IN_FIRST_OUT: Final = 2
#: Result of an attribute that the meter is known to refuse.
_DENIED: Final = AccessResult(READ_WRITE_DENIED)
#: Seconds of the longest capture period of a load profile; longer ones are billing periods.
_PERIOD_MAX: Final = 3600
_DAY: Final = 86_400
#: Value groups C and D of load profiles.
_LOAD_PROFILE: Final = (99, 1)
#: Value group C of profiles, and how many are looked at.
_PROFILES: Final = 99
_PROFILES_MAX: Final = 20
#: Value groups D of energies and of mean powers, and what M-Bus meters count.
_ENERGIES: Final = frozenset({4, 5, 8, 9, 29})
_MBUS_TOTAL: Final = (24, 2)
#: Requested beyond the interval at both ends, because clocks repeat an hour in autumn.
_MARGIN: Final = timedelta(hours=1)
#: Results without rows: null-data in place of an array, and an empty array.
_NULL: Final = b"\0\0"
_NO_ROWS: Final = b"\0\x01\0"
#: Selective access with its selector: by range, and by entry.
_BY_RANGE: Final = b"\x01\x01"
_BY_ENTRY: Final = b"\x01\x02"

#: Code, capture period and columns.
type _Profile = tuple[Obis, timedelta, tuple[Column, ...]]


class ProfileReader:
    """Reads the load profile of a meter in one session."""

    def __init__(
        self,
        session: Session,
        reader: Reader,
        memory: Memory,
        zone: tzinfo | None,
        *,
        invert_deviation: bool,
        energy_only: bool,
    ) -> None:
        """Take the session, its reader of registers, the memory, and the meter's time zone.

        ``energy_only``: whether only energy is read, that of meters on the M-Bus included.
        """
        self._session = session
        self._reader = reader
        self._memory = memory
        self._zone = zone
        self._invert = invert_deviation
        self._energy_only = energy_only

    async def read(self, start: datetime, end: datetime) -> LoadProfiles:
        """Return the intervals that end after ``start``, up to ``end``.

        Raises RefusedError if the meter has no load profile.
        """
        profile = await self._find()
        intervals = await self._read(*profile, start, end)
        if not self._energy_only:
            return LoadProfiles(intervals)
        mbus, missing = await self._read_mbus(profile[0], start, end)
        return LoadProfiles(intervals, mbus, missing)

    async def _read_mbus(
        self, known: Obis, start: datetime, end: datetime
    ) -> tuple[list[Interval], frozenset[int]]:
        """Read the first profile with hourly totals of each meter on the M-Bus.

        Returns the rows, and the channels whose profiles the meter does not return: the load
        profile, whose code is ``known``, is worth more.
        """
        objects = await self._reader.discover()
        candidates = [
            entry.obis
            for entry in objects
            if entry.class_id == ObjectClass.PROFILE_GENERIC
            and (entry.obis.c, entry.obis.d) == MBUS_PROFILE
        ][:_PROFILES_MAX]
        channels = {known.b} if known in candidates else set()
        missing: set[int] = set()
        intervals: list[Interval] = []
        for obis in candidates:
            if obis.b in channels:
                continue
            if self._session.is_avoided(obis):
                missing.add(obis.b)
                continue
            try:
                with self._session.dispensable(obis):
                    if (profile := await self._mbus_profile(obis)) is not None:
                        channels.add(obis.b)
                        intervals += await self._read(*profile, start, end)
                        missing.discard(obis.b)
            except ChecksumError:
                raise
            except (ExceptionError, ServiceError) as err:
                if err.is_about_ciphering:
                    raise
                missing.add(obis.b)
            except RefusedError, TelegramError:
                missing.add(obis.b)
        # 0 is no channel: what is counted there is the meter's own.
        return intervals, frozenset(missing - {0})

    async def _read(
        self,
        obis: Obis,
        period: timedelta,
        columns: tuple[Column, ...],
        start: datetime,
        end: datetime,
    ) -> Sequence[Interval]:
        order = _attribute(obis, _SORT_METHOD)
        sort_method = (await self._session.get_all([order])).get(order, _DENIED)
        newest_first = sort_method == _LAST_IN_FIRST_OUT
        wanted = tuple(filter(_is_needed, columns)) if self._energy_only else columns
        scaled = [column for column in wanted if column.is_scaled]
        entries = [CosemObject(column.class_id, 0, column.obis) for column in scaled]
        await self._reader.learn_scalers(dict.fromkeys(entries), None)
        layout = ProfileLayout(
            columns, period, self._memory.scalers, newest_first, self._zone, self._invert
        )
        content = await self._read_rows(obis, layout, wanted, start, end)
        if wanted != columns and _width(content) == len(wanted):
            layout = replace(layout, columns=wanted)
        rows = await find_in_turns(step for row in rows_in(content, layout) for step in (row, None))
        backwards = is_newest_first(rows, layout)
        found_intervals = intervals_of(rows, layout, backwards=backwards)
        ended = await find_in_turns(step for row in found_intervals for step in (row, None))
        intervals = [row for row in ended if start < self._local_end(row) <= end]
        return intervals[::-1] if backwards else intervals

    def _local_end(self, row: Interval) -> datetime:
        """Return the end of a row in the meter's local time: its time stamp may be in UTC."""
        if row.season != "utc" or row.end_utc is None or self._zone is None:
            return row.end
        return row.end_utc.astimezone(self._zone).replace(tzinfo=None)

    async def _find(self) -> _Profile:
        """Return the code of the load profile, its capture period and its columns.

        That is one with energy: the first of an hour or less, else one of a day. A profile without
        energy, such as that of power quality, is only read where there is no other one.
        """
        objects = await self._reader.discover()
        found = [entry.obis for entry in objects if entry.class_id == ObjectClass.PROFILE_GENERIC]
        found.sort(key=_preference)
        others: list[_Profile] = []
        refusal: MeterError | None = None
        for candidates in (found[:1], found[1:_PROFILES_MAX]):
            periods = await self._session.get_all(
                [_attribute(obis, CAPTURE_PERIOD) for obis in candidates]
            )
            for obis in candidates:
                period = periods.get(_attribute(obis, CAPTURE_PERIOD))
                if isinstance(period, AccessResult) or not isinstance(period, int):
                    continue
                if not 0 < period <= _DAY:
                    continue
                captured = await self._captured(obis)
                if isinstance(captured, AccessResult):
                    refusal = access_error(captured)
                    continue
                profile = obis, timedelta(seconds=period), parse_columns(captured)
                if period <= _PERIOD_MAX and any(map(_is_energy, profile[2])):
                    return profile
                others.append(profile)
        if others:
            return min(others, key=lambda other: not any(map(_is_energy, other[2])))
        port = self._session.link.channel.name
        raise refusal or RefusedError(f"the meter at {port} has no load profile", port=port)

    async def _mbus_profile(self, obis: Obis) -> _Profile | None:
        """Return the profile with this code if it has hourly totals. Raises AccessError."""
        attribute = _attribute(obis, CAPTURE_PERIOD)
        period = (await self._session.get_all([attribute])).get(attribute, _DENIED)
        if isinstance(period, AccessResult):
            raise access_error(period)
        if not isinstance(period, int) or not 0 < period <= _PERIOD_MAX:
            return None
        captured = await self._captured(obis)
        if isinstance(captured, AccessResult):
            raise access_error(captured)
        columns = parse_columns(captured)
        has_totals = any(map(_is_energy, columns))
        return (obis, timedelta(seconds=period), columns) if has_totals else None

    async def _captured(self, obis: Obis) -> Data | AccessResult:
        captured = _attribute(obis, CAPTURE_OBJECTS)
        return (await self._session.get_all([captured])).get(captured, _DENIED)

    async def _read_rows(
        self,
        obis: Obis,
        layout: ProfileLayout,
        wanted: Sequence[Column],
        start: datetime,
        end: datetime,
    ) -> bytes:
        """Read the encoded rows: by range, else by entry, else the whole buffer.

        They have all columns, or those that are wanted where the meter takes a selection of them.
        """
        ranges = [
            _select_range(layout.columns, start - _MARGIN, end + _MARGIN),
            self._select_range_in_zone(layout.columns, start - _MARGIN, end + _MARGIN),
        ]
        selections = [*ranges, await self._by_entry(obis, layout, start), NO_SELECTION]
        if len(wanted) < len(layout.columns) and self._memory.selects_columns:
            selections = [_with_columns(found, wanted) for found in ranges] + selections
        buffer = _attribute(obis, VALUE)
        refusal: MeterError | None = None
        for selection in filter(None, selections):
            operation = self._session.association.get_encoded(buffer, selection)
            try:
                content = await self._session.run_established(operation)
            except (ExceptionError, ServiceError) as err:
                if err.is_about_ciphering:
                    raise
                refusal = err
                continue
            if content[:2] == _NULL:
                return _NO_ROWS
            if content[:1] == b"\0":
                if selection in ranges:
                    self._memory.selects_columns = len(wanted) == len(layout.columns)
                return content
            result = parse_result(content)
            refusal = access_error(result) if isinstance(result, AccessResult) else None
        # Some meters refuse to return an empty buffer.
        if await self._count(obis) == 0:
            return _NO_ROWS
        raise refusal or AccessError("the meter refuses access to its load profile")

    def _select_range_in_zone(
        self, columns: Sequence[Column], start: datetime, end: datetime
    ) -> bytes | None:
        """Select a range for meters that refuse times without deviation from UTC."""
        zone = self._zone
        if zone is None:
            return None
        start, end = (time.replace(tzinfo=zone) for time in (start, end))
        return _select_range(columns, start, end, invert=self._invert)

    async def _count(self, obis: Obis) -> int | None:
        """Return the number of rows in the buffer; None if the meter refuses it."""
        in_use = _attribute(obis, _ENTRIES_IN_USE)
        count = (await self._session.get_all([in_use])).get(in_use)
        return count if isinstance(count, int) and not isinstance(count, AccessResult) else None

    async def _by_entry(self, obis: Obis, layout: ProfileLayout, start: datetime) -> bytes | None:
        """Select the newest rows by their numbers; None if their count or the time is unknown."""
        clock = descriptor(ObjectClass.CLOCK, CLOCK, VALUE)
        in_use = _attribute(obis, _ENTRIES_IN_USE)
        results = await self._session.get_all([clock, in_use])
        count, shown = results.get(in_use), results.get(clock)
        if isinstance(count, AccessResult) or not isinstance(count, int):
            return None
        if isinstance(shown, AccessResult):
            return None
        now = time_of(shown, invert=self._invert)
        if now is None:
            return None
        newest = (now.replace(tzinfo=None) - start + 2 * _MARGIN) // layout.period + 1
        newest = max(min(newest, count), 1)
        if layout.newest_first:
            return _select_entries(1, newest)
        return _select_entries(max(count - newest, 0) + 1, 0)


def _preference(obis: Obis) -> tuple[bool, ...]:
    """Return a sort key for profiles: the load profile, others of its kind, M-Bus, and the rest."""
    group = obis.c, obis.d
    return (
        obis != LOAD_PROFILE,
        group != _LOAD_PROFILE,
        group != MBUS_PROFILE,
        obis.c != _PROFILES,
    )


def _is_energy(column: Column) -> bool:
    obis = column.obis
    if obis.a == ELECTRICITY:
        return obis.d in _ENERGIES
    return (obis.c, obis.d) == _MBUS_TOTAL


def _is_needed(column: Column) -> bool:
    return column.is_clock or column.is_status or _is_energy(column)


def _width(content: bytes) -> int:
    """Return how many columns the first of some encoded rows has; 0 without rows."""
    first = next(axdr.decode_elements(content, 1), None)
    return len(first) if isinstance(first, tuple) else 0


def _attribute(obis: Obis, number: int) -> bytes:
    return descriptor(ObjectClass.PROFILE_GENERIC, obis, number)


def _select_range(
    columns: Sequence[Column], start: datetime, end: datetime, *, invert: bool = False
) -> bytes | None:
    """Encode the selection of rows between two points in time; None without a time stamp column."""
    clock = next((column for column in columns if column.is_clock), None)
    if clock is None:
        return None
    times = [axdr.octet_string(encode_date_time(time, invert=invert)) for time in (start, end)]
    return _BY_RANGE + axdr.structure(clock.encoded(), *times, axdr.array())


def _with_columns(selection: bytes | None, wanted: Iterable[Column]) -> bytes | None:
    """Replace the empty list of columns, which stands for all, in the selection of a range."""
    if selection is None:
        return None
    columns = axdr.array(*(column.encoded() for column in wanted))
    return selection.removesuffix(axdr.array()) + columns


def _select_entries(first: int, last: int) -> bytes:
    """Encode the selection of rows by their numbers, from 1 on; 0 is the last row."""
    rows = (axdr.double_long_unsigned(number) for number in (first, last))
    return _BY_ENTRY + axdr.structure(*rows, axdr.long_unsigned(1), axdr.long_unsigned(0))
