"""The layout of an SML telegram: where its values are, and which bytes all telegrams share.

The field of an element contains its type and length. So in messages that differ only in contents
which are values, or are ignored, everything is in the same place and has the same meaning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import compress
from operator import ne
from struct import Struct
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..reading import Identity, Reading, Register
from ..slices import Sliced
from .elements import Element, read_nested
from .entry import Entry

#: Registers that are made in one slice.
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
    #: The status word of the last messages.
    status: int | None = None


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
        #: The contents and the registers of the last messages; no contents while they are replaced.
        self._contents: Sequence[bytes | int] = ()
        self._registers = [Register(None, None)] * len(entries)

    def fits(self, data: bytes) -> bool:
        """Return whether messages have this layout."""
        return len(data) == self._size and int.from_bytes(data) & self._mask == self._shared

    def read(self, data: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Return the readings of messages that have this layout, one of each meter."""
        before, self._contents = self._contents, ()
        found = self._contents_of(data)
        changed = list(range(len(found)))
        if before:
            changed = list(compress(changed, map(ne, before, found, strict=True)))
        for meter in self._meters:
            if meter.status_at is None:
                continue
            status = int.from_bytes(data[meter.status_at])
            if status != meter.status:
                meter.status = status
                changed += self._apply_status(meter.indexes, status)
        for done, index in enumerate(changed, 1):
            self._registers[index] = self._entries[index].register(found[index])
            if done % _SLICE == 0:
                yield
        self._contents = found
        is_single = len(self._meters) == 1
        return [
            Reading(
                meter.identity,
                _clock(data, meter.times) if meter.times else None,
                tuple(
                    self._registers
                    if is_single
                    else map(self._registers.__getitem__, meter.indexes)
                ),
                # Diagnostics can mask the id of one meter only.
                telegram if is_single else b"",
                status_word=meter.status,
            )
            for meter in self._meters
        ]

    def _apply_status(self, indexes: Iterable[int], status: int) -> Sequence[int]:
        """Set the status word of a meter; return which of its registers depend on it."""
        powers = [index for index in indexes if self._entries[index].is_power]
        for index in powers:
            self._entries[index].status = status
        return powers


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
