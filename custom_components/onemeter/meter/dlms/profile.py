"""Load profiles: which rows to ask for, and what is in them (IEC 62056-6-2, class 7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Final

from ..errors import AccessError, MeterError, RefusedError, TelegramError
from ..iec62056.times import standard_offset
from ..interleaving import find_in_turns
from ..obis import Obis
from ..reading import Interval, Register
from .apdu import axdr
from .apdu.axdr import Data, Delta
from .apdu.results import ExceptionError, ServiceError, access_error
from .apdu.times import encode_date_time
from .apdu.xdlms import NO_SELECTION, AccessResult, descriptor, parse_result
from .cosem import (
    CAPTURE_OBJECTS,
    CAPTURE_PERIOD,
    CAPTURE_TIME,
    LAST_AVERAGE,
    OBIS_LENGTH,
    SCALER_UNIT,
    VALUE,
    CosemObject,
    ObjectClass,
    ScalerUnit,
    plain_value,
    register_value,
    time_of,
)
from .memory import Memory
from .object_selection import CLOCK, LOAD_PROFILE
from .registers import Reader
from .session import Session

_SORT_METHOD: Final = 5
_IN_USE: Final = 7
_LAST_IN_FIRST_OUT: Final = 2
#: In place of what the meter is known to refuse.
_DENIED: Final = AccessResult(3)
#: Seconds of the longest capture period of a load profile; longer ones are of billing periods.
_PERIOD_MAX: Final = 3600
_PROFILES: Final = 99
#: More is asked for than is wanted: in autumn an hour comes twice.
_MARGIN: Final = timedelta(hours=1)
#: Columns of a profile, and rows among which one that tells its time is looked for.
_COLUMNS_MAX: Final = 100
_LOOKED_AT: Final = 1000
#: Answers without rows: null instead of an array, and an empty one.
_NULL: Final = b"\0\0"
_NO_ROWS: Final = b"\0\x01\0"
_BY_RANGE: Final = b"\x01\x01"
_BY_ENTRY: Final = b"\x01\x02"
#: Of a clock's status: daylight saving, and that nothing is told.
_DAYLIGHT_SAVING: Final = 0x80
_UNTOLD: Final = 0xFF
_STATUS_CLASS: Final = 63
_STATUS_GROUP: Final = (96, 10)


type Row = tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of a profile captures."""

    class_id: int
    obis: Obis
    attribute: int
    index: int = 0

    @property
    def is_clock(self) -> bool:
        """Whether it is the time stamp of the row."""
        return self.class_id == ObjectClass.CLOCK

    @property
    def is_status(self) -> bool:
        """Whether it is the status word of the row."""
        return self.class_id == _STATUS_CLASS or (
            self.class_id == ObjectClass.DATA and (self.obis.c, self.obis.d) == _STATUS_GROUP
        )

    @property
    def is_scaled(self) -> bool:
        """Whether a scaler belongs to its values."""
        return self.class_id in SCALER_UNIT and (
            self.attribute == VALUE
            or (self.class_id == ObjectClass.DEMAND_REGISTER and self.attribute == LAST_AVERAGE)
        )

    @property
    def is_time(self) -> bool:
        """Whether its values are points in time."""
        times = {int(number): attribute for number, attribute in CAPTURE_TIME.items()}
        return times.get(self.class_id) == self.attribute

    def encoded(self) -> bytes:
        """Write it as selections name it."""
        return axdr.structure(
            axdr.long_unsigned(self.class_id),
            axdr.octet_string(bytes(self.obis)),
            axdr.integer(self.attribute),
            axdr.long_unsigned(self.index),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """What a profile's rows are made of."""

    columns: tuple[Column, ...]
    period: timedelta
    scalers: dict[Obis, ScalerUnit | None]
    #: The meter says that the newest row is the first.
    newest_first: bool = False
    #: The zone of the meter's clock, where it is known.
    zone: tzinfo | None = None
    invert_deviation: bool = False


class ProfileReader:
    """Reads a meter's load profile."""

    def __init__(
        self,
        session: Session,
        reader: Reader,
        memory: Memory,
        zone: tzinfo | None,
        *,
        invert_deviation: bool,
    ) -> None:
        """Take the session, what reads registers, what is known, and how the meter counts."""
        self._session = session
        self._reader = reader
        self._memory = memory
        self._zone = zone
        self._invert = invert_deviation

    async def read(self, start: datetime, end: datetime) -> Sequence[Interval]:
        """Return the intervals that end after the start, up to the end.

        Raises RefusedError where the meter has no load profile.
        """
        obis, period = await self._find()
        attributes = [_of(obis, number) for number in (CAPTURE_OBJECTS, _SORT_METHOD)]
        found = await self._session.get_all(attributes)
        captured, sort_method = (found.get(attribute, _DENIED) for attribute in attributes)
        if isinstance(captured, AccessResult):
            raise access_error(captured)
        columns = parse_columns(captured)
        newest_first = sort_method == _LAST_IN_FIRST_OUT
        scaled = [column for column in columns if column.is_scaled]
        entries = [CosemObject(column.class_id, 0, column.obis) for column in scaled]
        await self._reader.learn_scalers(dict.fromkeys(entries), None)
        layout = Layout(
            columns, period, self._memory.scalers, newest_first, self._zone, self._invert
        )
        content = await self._rows(obis, layout, start, end)
        steps = (step for row in _rows_in(content, layout) for step in (row, None))
        rows = await find_in_turns(steps)
        backwards = _is_newest_first(rows, layout)
        ended = await find_in_turns(
            step for row in _intervals(rows, layout, backwards=backwards) for step in (row, None)
        )
        intervals = [row for row in ended if start < row.end <= end]
        return intervals[::-1] if backwards else intervals

    async def _find(self) -> tuple[Obis, timedelta]:
        """Return the load profile and its capture period."""
        objects = await self._reader.discover()
        found = [entry.obis for entry in objects if entry.class_id == ObjectClass.PROFILE_GENERIC]
        usual = [obis for obis in found if obis == LOAD_PROFILE]
        others = [obis for obis in found if obis != LOAD_PROFILE]
        others.sort(key=lambda obis: obis.c != _PROFILES)
        for candidates in filter(None, (usual, others)):
            periods = await self._session.get_all(
                [_of(obis, CAPTURE_PERIOD) for obis in candidates]
            )
            for obis in candidates:
                period = periods.get(_of(obis, CAPTURE_PERIOD))
                if isinstance(period, AccessResult) or not isinstance(period, int):
                    continue
                if 0 < period <= _PERIOD_MAX:
                    return obis, timedelta(seconds=period)
        port = self._session.link.channel.name
        raise RefusedError(f"the meter at {port} has no load profile", port=port)

    async def _rows(self, obis: Obis, layout: Layout, start: datetime, end: datetime) -> bytes:
        """Return the encoded rows: by range, or else by entry, or else all of them."""
        selections = [
            by_range(layout.columns, start - _MARGIN, end + _MARGIN),
            await self._by_entry(obis, layout, start),
            NO_SELECTION,
        ]
        buffer = _of(obis, VALUE)
        refusal: MeterError | None = None
        for selection in filter(None, selections):
            operation = self._session.association.get_encoded(buffer, selection)
            try:
                content = await self._session.ask(operation)
            except (ExceptionError, ServiceError) as err:
                if err.is_about_ciphering:
                    raise
                refusal = err
                continue
            if content[:2] == _NULL:
                return _NO_ROWS
            if content[:1] == b"\0":
                return content
            result = parse_result(content)
            refusal = access_error(result) if isinstance(result, AccessResult) else None
        if await self._count(obis) == 0:
            return _NO_ROWS
        raise refusal or AccessError("the meter does not give its load profile away")

    async def _count(self, obis: Obis) -> int | None:
        """Return how many rows there are; None where the meter does not tell."""
        in_use = _of(obis, _IN_USE)
        count = (await self._session.get_all([in_use])).get(in_use)
        return count if isinstance(count, int) and not isinstance(count, AccessResult) else None

    async def _by_entry(self, obis: Obis, layout: Layout, start: datetime) -> bytes | None:
        """Select the newest rows by their number; None where the meter tells too little."""
        clock = descriptor(ObjectClass.CLOCK, CLOCK, VALUE)
        in_use = _of(obis, _IN_USE)
        results = await self._session.get_all([clock, in_use])
        count, shown = results.get(in_use), results.get(clock)
        if isinstance(count, AccessResult) or not isinstance(count, int):
            return None
        if isinstance(shown, AccessResult):
            return None
        now = time_of(shown, invert=self._invert)
        if now is None:
            return None
        wanted = (now.replace(tzinfo=None) - start + 2 * _MARGIN) // layout.period + 1
        wanted = max(min(wanted, count), 1)
        if layout.newest_first:
            return by_entry(1, wanted)
        return by_entry(max(count - wanted, 0) + 1, 0)


def _of(obis: Obis, attribute: int) -> bytes:
    return descriptor(ObjectClass.PROFILE_GENERIC, obis, attribute)


def by_range(columns: Sequence[Column], start: datetime, end: datetime) -> bytes | None:
    """Select the rows between two points in time; None where rows have no time stamp."""
    clock = next((column for column in columns if column.is_clock), None)
    if clock is None:
        return None
    times = [axdr.octet_string(encode_date_time(time)) for time in (start, end)]
    return _BY_RANGE + axdr.structure(clock.encoded(), *times, axdr.array())


def by_entry(first: int, last: int) -> bytes:
    """Select rows by their numbers, from 1 on; 0 is the last one."""
    rows = (axdr.double_long_unsigned(number) for number in (first, last))
    return _BY_ENTRY + axdr.structure(*rows, axdr.long_unsigned(1), axdr.long_unsigned(0))


def parse_columns(data: Data) -> tuple[Column, ...]:
    """Read the capture objects of a profile. Raises TelegramError."""
    if not isinstance(data, list) or len(data) > _COLUMNS_MAX:
        raise TelegramError("capture objects that are no array, or too many")
    columns: list[Column] = []
    for element in data:
        match element:
            case (int(class_id), bytes(name), int(attribute), int(index), *_) if (
                len(name) == OBIS_LENGTH
            ):
                columns.append(Column(class_id, Obis.from_bytes(name), attribute, index))
            case _:
                raise TelegramError("capture objects with something else among them")
    return tuple(columns)


def _rows_in(content: bytes, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a profile's buffer as it was answered.

    Raises TelegramError for what are no rows of this layout.
    """
    for row in axdr.decode_elements(content, 1):
        if not isinstance(row, tuple) or len(row) != len(layout.columns):
            raise TelegramError("a row of a profile with other columns")
        yield row


def _is_newest_first(rows: Sequence[Row], layout: Layout) -> bool:
    """Tell whether the rows go back in time.

    Where they do not tell, since clocks do so for an hour each autumn, the meter's word counts.
    """
    place = _place_of_clock(layout)
    first, last = (
        next(
            (
                time.replace(tzinfo=None)
                for row in islice(order, _LOOKED_AT)
                if place >= 0 and (time := time_of(row[place])) is not None
            ),
            None,
        )
        for order in (rows, reversed(rows))
    )
    if first is None or last is None or timedelta() <= first - last <= _MARGIN:
        return layout.newest_first
    return first > last


def _place_of_clock(layout: Layout) -> int:
    """Return which column is the clock; -1 for none."""
    return next((i for i, column in enumerate(layout.columns) if column.is_clock), -1)


def _intervals(
    rows: Sequence[Row], layout: Layout, *, backwards: bool
) -> Iterator[Interval | None]:
    """Yield the intervals of rows in their order, None for a row without time."""
    columns = layout.columns
    place = _place_of_clock(layout)
    step = -layout.period if backwards else layout.period
    before: list[Data] = [None] * len(columns)
    stamp: datetime | None = None
    season: str | None = None
    end_utc: datetime | None = None
    for row in rows:
        cells = [_continued(cell, last) for cell, last in zip(row, before, strict=True)]
        clock = row[place] if place >= 0 else None
        if clock is None:
            stamp = None if stamp is None else stamp + step
            end_utc = None if end_utc is None else end_utc + step
        else:
            shown = time_of(clock, invert=layout.invert_deviation)
            season = _season(clock)
            stamp = None if shown is None else shown.replace(tzinfo=None)
            if shown is None:
                end_utc = None
            else:
                end_utc = _utc(shown, season, layout.zone, end_utc, backwards=backwards)
        before = cells
        if stamp is None:
            yield None
            continue
        status = "".join(
            _hexadecimal(cell)
            for column, cell in zip(columns, cells, strict=True)
            if column.is_status
        )
        values = tuple(
            _value(column, cell, layout)
            for column, cell in zip(columns, cells, strict=True)
            if not column.is_clock and not column.is_status
        )
        yield Interval(stamp - layout.period, stamp, season, end_utc, status, values)


def _continued(cell: Data, last: Data) -> Data:
    """Return a cell that may be told by what is above it only."""
    if cell is None:
        return last
    if isinstance(cell, Delta):
        if not isinstance(last, int):
            raise TelegramError("a difference from nothing in a profile")
        return int(last) + int(cell)
    return cell


def _season(clock: Data) -> str | None:
    if isinstance(clock, int):
        return "utc"
    if not isinstance(clock, bytes) or not clock or clock[-1] == _UNTOLD:
        return None
    return "summer" if clock[-1] & _DAYLIGHT_SAVING else "winter"


def _utc(
    shown: datetime,
    season: str | None,
    zone: tzinfo | None,
    last: datetime | None,
    *,
    backwards: bool,
) -> datetime | None:
    """Return the time stamp of a row in UTC, by its own deviation or by the zone."""
    if shown.tzinfo is not None:
        return shown.astimezone(UTC)
    if zone is None:
        return None
    if season is not None:
        offset = standard_offset(zone, shown.year)
        offset += timedelta(hours=1) if season == "summer" else timedelta()
        return (shown - offset).replace(tzinfo=UTC)
    # In autumn an hour comes twice.
    first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if backwards:
        return second if last is None or second < last else first
    return second if last is not None and first <= last else first


def _hexadecimal(cell: Data) -> str:
    match cell:
        case bytes():
            return cell.hex().upper()
        case str() if cell and not cell.strip("01"):
            return f"{int(cell, 2):0{-(-len(cell) // 4)}X}"
        case int():
            digits = f"{int(cell):X}"
            return digits.zfill(len(digits) + len(digits) % 2)
    return ""


def _value(column: Column, cell: Data, layout: Layout) -> Register:
    address = str(column.obis)
    if column.is_time:
        time = time_of(cell, invert=layout.invert_deviation)
        return Register(column.obis, time, address=address)
    if not column.is_scaled:
        return Register(column.obis, plain_value(cell), address=address)
    scaler_unit = layout.scalers.get(column.obis)
    if scaler_unit is None:
        return Register(column.obis, None, address=address)
    return Register(
        column.obis, register_value(cell, scaler_unit), scaler_unit.unit, address=address
    )
