"""The load profile: a row for each quarter of an hour, with selective access."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from simulator.household import SECONDS_PER_DAY

from . import axdr, times
from .obis import logical_name
from .registers import PERIOD
from .times import ClockStyle

CLOCK: Final = "0-0:1.0.0*255"
STATUS: Final = "0-0:96.10.1*255"
#: Bits of a row's status.
_POWER_DOWN: Final = 0x80
_RECOVERED: Final = 0x40

#: Where the deviation is in a point in time, and what stands there for none.
_DEVIATION: Final = slice(9, 11)
_NO_DEVIATION: Final = bytes.fromhex("8000")

_BY_RANGE: Final = 1
_BY_ENTRY: Final = 2
#: Classes of the captured objects.
_DATA: Final = 1
_REGISTER: Final = 3
_CLOCK_CLASS: Final = 8


class Captured(Protocol):
    """What a profile captures."""

    def captured(self, code: str, time: int, /) -> int:
        """Return the number of a register at a time."""


class NoAccessError(ValueError):
    """A selection that is invalid or not supported."""


class Empty(StrEnum):
    """The answer to a selection without rows."""

    ARRAY = "array"
    NULL = "null"
    REFUSED = "refused"


class Columns(StrEnum):
    """What a meter does with a selection of columns."""

    SELECTED = "selected"
    ALL = "all"
    REFUSED = "refused"


@dataclass(kw_only=True)
class Profile:
    """A profile: columns, days, habits.

    Times are in seconds since 1970.
    """

    #: Captured registers, after clock and status.
    registers: Sequence[str] = ("1-0:1.8.0*255", "1-0:2.8.0*255")
    register_class: int = _REGISTER
    #: The code of the status.
    status: str = STATUS
    #: Capture period in seconds.
    period: int = PERIOD
    days: int = 60
    with_status: bool = True
    #: Whether the clock of a row is null if it follows the row before after one period.
    null_clock: bool = False
    #: Whether the newest row is the first.
    newest_first: bool = False
    #: Power failures: from, to. A quarter of an hour that lies in one has no row.
    outages: Sequence[tuple[int, int]] = ()
    #: Whether a power cut ends a row at once, and another one follows at the quarter's end.
    partial_rows: bool = False
    #: Rows of these ends are lost.
    lost: Container[int] = ()
    #: Whether the meter supports selection by range, and by entry.
    by_range: bool = True
    #: Whether it refuses a range of times without deviation.
    wants_deviation: bool = False
    by_entry: bool = True
    #: What it does with a selection of columns.
    by_column: Columns = Columns.SELECTED
    #: The answer to a selection without rows.
    empty: Empty = Empty.ARRAY

    @property
    def columns(self) -> list[tuple[int, str]]:
        """Class and code of each column, which holds attribute 2."""
        status = [(_DATA, self.status)] if self.with_status else []
        return [
            (_CLOCK_CLASS, CLOCK),
            *status,
            *((self.register_class, code) for code in self.registers),
        ]

    def capture_objects(self) -> bytes:
        """Encode the capture objects."""
        return axdr.array(
            axdr.structure(
                axdr.u16(class_id), axdr.octets(logical_name(code)), axdr.i8(2), axdr.u16(0)
            )
            for class_id, code in self.columns
        )

    def ends(self, now: int, first: int | None = None, last: int | None = None) -> list[int]:
        """Return the ends of the stored rows, those in a span if one is given."""
        order = -1 if self.newest_first else 1
        oldest = now - self.days * SECONDS_PER_DAY + 1
        start = oldest if first is None else max(first, oldest)
        stop = now if last is None else min(last, now)
        ends = [
            end
            for end in range(-(-start // self.period) * self.period, stop + 1, self.period)
            if not any(down <= end - self.period and end <= up for down, up in self.outages)
            and end not in self.lost
        ]
        if self.partial_rows:
            ends += [
                down for down, _ in self.outages if down % self.period and start <= down <= stop
            ]
        return sorted(ends)[::order]

    def buffer(
        self, registers: Captured, style: ClockStyle, now: int, selection: bytes | None = None
    ) -> bytes:
        """Encode the selected rows, or all; NoAccessError if the selection is not possible.

        A selection is the selector's number and its encoded parameters (Blue Book, 4.3.6).
        """
        columns = list(range(len(self.columns)))
        if selection is None:
            ends = self.ends(now)
        elif selection[0] == _BY_RANGE and self.by_range:
            ends, columns = self._by_range(now, style, selection[1:])
        elif selection[0] == _BY_ENTRY and self.by_entry:
            ends, columns = self._by_entry(now, selection[1:])
        else:
            raise NoAccessError(f"selector {selection[0]}")
        if not ends and self.empty is Empty.REFUSED:
            raise NoAccessError("no rows")
        if not ends and self.empty is Empty.NULL:
            return axdr.NULL
        return axdr.array(self._rows(registers, style, ends, columns))

    def _by_range(self, now: int, style: ClockStyle, data: bytes) -> tuple[list[int], list[int]]:
        match axdr.Reader(data).value():
            case [
                [int(), bytes(restricting), int(), int()],
                bytes(first),
                bytes(last),
                list(wanted),
            ] if restricting == logical_name(CLOCK) and not (
                self.wants_deviation and first[_DEVIATION] == _NO_DEVIATION
            ):
                ends = self.ends(now, times.parse(first, style), times.parse(last, style))
            case _:
                raise NoAccessError("range")
        names = [logical_name(code) for _, code in self.columns]
        columns = list(range(len(names)))
        if wanted and self.by_column is Columns.REFUSED:
            raise NoAccessError("columns")
        if wanted and self.by_column is Columns.SELECTED:
            try:
                columns = [names.index(column[1]) for column in wanted]  # type: ignore[index, arg-type]
            except (ValueError, TypeError) as error:
                raise NoAccessError("columns") from error
        return ends, columns

    def _by_entry(self, now: int, data: bytes) -> tuple[list[int], list[int]]:
        match axdr.Reader(data).value():
            case [int(first), int(last), int(first_column), int(last_column)] if first > 0:
                pass
            case _:
                raise NoAccessError("entries")
        columns = range(len(self.columns))
        return (
            self.ends(now)[first - 1 : last or None],
            list(columns[max(first_column, 1) - 1 : last_column or None]),
        )

    def _rows(
        self, registers: Captured, style: ClockStyle, ends: list[int], columns: list[int]
    ) -> Iterator[bytes]:
        before: int | None = None
        step = -self.period if self.newest_first else self.period
        for end in ends:
            cells = []
            for place in columns:
                _, code = self.columns[place]
                match code:
                    case _ if code == CLOCK:
                        follows = self.null_clock and before == end - step
                        cell = axdr.NULL if follows else axdr.octets(times.encode(end, style))
                    case _ if code == self.status:
                        cell = axdr.u8(self._status(end))
                    case _:
                        cell = axdr.u32(registers.captured(code, end))
                cells.append(cell)
            before = end
            yield axdr.structure(*cells)

    def _status(self, end: int) -> int:
        start = end - self.period
        if self.partial_rows:
            if any(down == end for down, _ in self.outages):
                return _POWER_DOWN
            return _RECOVERED if any(start < up <= end for _, up in self.outages) else 0
        failed = any(down < end and start < up for down, up in self.outages)
        return _POWER_DOWN if failed else 0
