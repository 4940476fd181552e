"""The layout of an SML telegram: where its values are, and which bytes all telegrams share.

The field of an element contains its type and length. So in messages that differ only in contents
which are values, or are ignored, everything is in the same place and has the same meaning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from struct import Struct
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..reading import Identity, Reading, Register
from ..slices import Sliced
from .direction import direction_of
from .elements import Element, read_nested
from .entry import Entry

#: Registers that are compared, and made if they have changed, in one slice.
_SLICE: Final = 64

#: Seconds since 1970 that a clock which has been set can show.
_CLOCK_SECONDS: Final = range(
    *(
        int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
        for year in (SET_CLOCK_YEARS.start, SET_CLOCK_YEARS.stop)
    )
)
_OFFSET_MAX: Final = 24 * 60


@dataclass(slots=True)
class Meter:
    """Where the data of one meter are in messages."""

    identity: Identity
    #: Positions of times; the first one of a clock that has been set counts.
    times: list[int] = field(default_factory=list)
    #: Indexes of the entries in all the messages.
    indexes: list[int] = field(default_factory=list)
    #: Where the content of the status word is; None if no entry has the status word of the meter.
    status_at: slice | None = None
    #: The status word of the last messages, as bytes and as a number.
    word: bytes = b""
    status: int | None = None
    #: Its bits of the direction of power.
    direction: int | None = None

    def reading(self, data: bytes, registers: tuple[Register, ...], raw: bytes) -> Reading:
        """Return the reading of the meter in messages, with these registers."""
        clock = _clock(data, self.times) if self.times else None
        return Reading(self.identity, clock, registers, raw, self.status)


class Layout:
    """The layout of messages, and the registers of the last ones that had it."""

    def __init__(
        self, data: bytes, shared: bytes, meters: Sequence[Meter], entries: Sequence[Entry]
    ) -> None:
        """Take messages; a byte of ``shared`` is zero where others may differ, otherwise 0xFF."""
        self._size = len(data)
        self._mask = int.from_bytes(shared)
        self._shared = int.from_bytes(data) & self._mask
        self._meters = meters
        for meter in meters:
            ranks = [(entries[index].rank, index) for index in meter.indexes]
            if ranked := [(rank, index) for rank, index in ranks if rank is not None]:
                meter.status_at = entries[min(ranked)[1]].status_at
        self._entries = entries
        ends = [0, *(entry.content_at.stop for entry in entries)]
        forms = [
            f"{entry.content_at.start - end}x{entry.form}"
            for end, entry in zip(ends, entries, strict=False)
        ]
        self._contents_of = Struct(">" + "".join(forms)).unpack_from
        indexes = range(len(entries))
        self._slices = [indexes[start : start + _SLICE] for start in indexes[::_SLICE]]
        self._no_contents = (None,) * len(entries)
        #: The contents and the registers of the last messages; no contents while they are replaced.
        self._contents: Sequence[bytes | int | None] = self._no_contents
        self._registers = [Register(None, None)] * len(entries)
        self._makers = [entry.maker(None) for entry in entries]

    def fits(self, data: bytes) -> bool:
        """Return whether messages have this layout."""
        return len(data) == self._size and int.from_bytes(data) & self._mask == self._shared

    def read(self, data: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Return the readings of messages that have this layout, one of each meter."""
        before, self._contents = self._contents, self._no_contents
        found = self._contents_of(data)
        for meter in self._meters:
            if meter.status_at is not None and (word := data[meter.status_at]) != meter.word:
                meter.word, meter.status = word, int.from_bytes(word)
                if self._apply_direction(meter, direction_of(meter.status)):
                    before = self._no_contents
        registers, makers = self._registers, self._makers
        for indexes in self._slices:
            if indexes.start:
                yield
            for index in indexes:
                if found[index] != before[index]:
                    registers[index] = makers[index](found[index])
        self._contents = found
        if len(self._meters) == 1:
            return [self._meters[0].reading(data, tuple(registers), telegram)]
        return [
            # Diagnostics can mask the id of one meter only.
            meter.reading(data, tuple(map(registers.__getitem__, meter.indexes)), b"")
            for meter in self._meters
        ]

    def _apply_direction(self, meter: Meter, direction: int) -> bool:
        """Apply the bits of the direction of power; return whether they have changed."""
        if direction == meter.direction:
            return False
        meter.direction = direction
        for index in meter.indexes:
            if self._entries[index].has_direction:
                self._makers[index] = self._entries[index].maker(direction)
        return True


def _clock(data: bytes, positions: Iterable[int]) -> datetime | None:
    """Return the first time that is one of a clock."""
    for position in positions:
        time, _ = read_nested(data, position)
        if (clock := _time_of_day(time)) is not None:
            return clock
    return None


def _time_of_day(time: Element) -> datetime | None:
    """Return the time of day in an SML_Time; None for seconds of operation, or a clock not set."""
    match time:
        case (2, int(seconds)):
            offset = 0
        case (3, (int(seconds), int(zone), int(season))):
            offset = zone + season
        case _:
            return None
    if seconds not in _CLOCK_SECONDS or abs(offset) >= _OFFSET_MAX:
        return None
    return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
