"""Decoding the rows of a load profile (IEC 62056-6-2, class 7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Final

from ..clock import standard_offset
from ..errors import TelegramError
from ..obis import Obis
from ..reading import Interval, Register
from .apdu import axdr
from .apdu.data_types import Data, Delta
from .apdu.times import STATUS_DAYLIGHT_SAVING, STATUS_UNSPECIFIED
from .cosem import (
    CAPTURE_TIME,
    LAST_AVERAGE,
    OBIS_LENGTH,
    SCALER_UNIT,
    VALUE,
    ObjectClass,
    ScalerUnit,
    plain_value,
    register_value,
    time_of,
)

#: Columns of a profile, more than any known meter has.
_COLUMNS_MAX: Final = 100
#: Rows at either end among which one with a time stamp is searched.
_SEARCHED: Final = 1000
#: In autumn, clocks repeat an hour.
_REPEATED: Final = timedelta(hours=1)
#: Class of status mappings, and value groups C and D of status words in data objects.
_STATUS_CLASS: Final = 63
_STATUS_GROUP: Final = (96, 10)

type Row = tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a profile: the attribute that it captures."""

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
        """Whether its values have a scaler and a unit."""
        return self.class_id in SCALER_UNIT and (
            self.attribute == VALUE
            or (self.class_id == ObjectClass.DEMAND_REGISTER and self.attribute == LAST_AVERAGE)
        )

    @property
    def is_time(self) -> bool:
        """Whether its values are capture times."""
        times = {int(number): attribute for number, attribute in CAPTURE_TIME.items()}
        return times.get(self.class_id) == self.attribute

    def encoded(self) -> bytes:
        """Encode it as a capture object, for selective access."""
        return axdr.structure(
            axdr.long_unsigned(self.class_id),
            axdr.octet_string(bytes(self.obis)),
            axdr.integer(self.attribute),
            axdr.long_unsigned(self.index),
        )


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """Everything that the decoding of a profile's rows depends on."""

    columns: tuple[Column, ...]
    period: timedelta
    scalers: dict[Obis, ScalerUnit | None]
    #: Whether the meter's sort method says that the newest row is the first.
    newest_first: bool = False
    #: The time zone of the meter's clock; None: unknown.
    zone: tzinfo | None = None
    invert_deviation: bool = False

    @property
    def clock_place(self) -> int:
        """The index of the time stamp column; -1 without one."""
        return next((i for i, column in enumerate(self.columns) if column.is_clock), -1)


def parse_columns(data: Data) -> tuple[Column, ...]:
    """Return the columns from the capture objects of a profile. Raises TelegramError."""
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


def rows_in(content: bytes, layout: ProfileLayout) -> Iterator[Row]:
    """Yield the rows in a get-response with the buffer of a profile.

    Raises TelegramError for rows that do not have the columns of the layout.
    """
    for row in axdr.decode_elements(content, 1):
        if not isinstance(row, tuple) or len(row) != len(layout.columns):
            raise TelegramError("a row of a profile with other columns")
        yield row


def is_newest_first(rows: Sequence[Row], layout: ProfileLayout) -> bool:
    """Return whether the rows go back in time.

    Their time stamps decide, or the meter's sort method if they are missing or within the hour that
    is repeated in autumn.
    """
    place = layout.clock_place
    first, last = (
        next(
            (
                time.replace(tzinfo=None)
                for row in islice(order, _SEARCHED)
                if place >= 0 and (time := time_of(row[place])) is not None
            ),
            None,
        )
        for order in (rows, reversed(rows))
    )
    if first is None or last is None or timedelta() <= first - last <= _REPEATED:
        return layout.newest_first
    return first > last


def intervals_of(
    rows: Sequence[Row], layout: ProfileLayout, *, backwards: bool
) -> Iterator[Interval | None]:
    """Yield the intervals of rows in their order, None for a row without a time.

    Cells may be null if they equal the cell above, or contain the difference from it.
    """
    columns = layout.columns
    place = layout.clock_place
    step = -layout.period if backwards else layout.period
    before: list[Data] = [None] * len(columns)
    stamp: datetime | None = None
    season: str | None = None
    end_utc: datetime | None = None
    for row in rows:
        cells = [_complete(cell, above) for cell, above in zip(row, before, strict=True)]
        clock = row[place] if place >= 0 else None
        if clock is None:
            stamp = None if stamp is None else stamp + step
            end_utc = None if end_utc is None else end_utc + step
        else:
            local = time_of(clock, invert=layout.invert_deviation)
            season = _season(clock)
            stamp = None if local is None else local.replace(tzinfo=None)
            if local is None:
                end_utc = None
            else:
                end_utc = _utc(local, season, layout.zone, end_utc, backwards=backwards)
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
            _register(column, cell, layout)
            for column, cell in zip(columns, cells, strict=True)
            if not column.is_clock and not column.is_status
        )
        yield Interval(stamp - layout.period, stamp, season, end_utc, status, values)


def _complete(cell: Data, above: Data) -> Data:
    if cell is None:
        return above
    if isinstance(cell, Delta):
        if not isinstance(above, int):
            raise TelegramError("a difference from nothing in a profile")
        return int(above) + int(cell)
    return cell


def _season(clock: Data) -> str | None:
    if isinstance(clock, int):
        return "utc"
    if not isinstance(clock, bytes) or not clock or clock[-1] == STATUS_UNSPECIFIED:
        return None
    return "summer" if clock[-1] & STATUS_DAYLIGHT_SAVING else "winter"


def _utc(
    local: datetime,
    season: str | None,
    zone: tzinfo | None,
    previous: datetime | None,
    *,
    backwards: bool,
) -> datetime | None:
    """Return a time stamp in UTC: by its own deviation, or by the zone; None if both are unknown.

    ``previous`` is the time stamp of the row before, which decides in the repeated hour.
    """
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    if zone is None:
        return None
    if season is not None:
        offset = standard_offset(zone, local.year)
        offset += timedelta(hours=1) if season == "summer" else timedelta()
        return (local - offset).replace(tzinfo=UTC)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if backwards:
        return second if previous is None or second < previous else first
    return second if previous is not None and first <= previous else first


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


def _register(column: Column, cell: Data, layout: ProfileLayout) -> Register:
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
