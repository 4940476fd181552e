"""The stored data of a meter: its load profile P.01 and its event log P.98."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
import re
from typing import Final, NamedTuple

from simulator.household import Household

from .encoder import data_set
from .registers import KILOWATT, KILOWATT_HOUR, ZONE

_PERIOD: Final = 900
_SECONDS_PER_DAY: Final = 86_400

#: Bits of the status of a row.
_POWER_FAILED: Final = 0x80
_POWER_BACK: Final = 0x40
_CLOCK_CHANGED: Final = 0x28
#: Bits of the status of an event.
_POWER_DOWN: Final = 0x80
_POWER_UP: Final = 0x40

_STAMP: Final = re.compile(r"(?P<season>[012])?(?P<minutes>[0-9]{10})(?P<seconds>[0-9]{2})?")
_STANDARD_TIME: Final = timezone(timedelta(hours=1))
_SUMMER_TIME: Final = timezone(timedelta(hours=2))
_SEASONS: Final = {"0": _STANDARD_TIME, "1": _SUMMER_TIME, "2": UTC}


class Row(NamedTuple):
    """What was captured from start to end."""

    start: int
    end: int
    status: int = 0


@dataclass(kw_only=True)
class Memory:
    """The stored data of a meter: a row for each quarter of an hour, and events.

    Times are in seconds since 1970.
    """

    #: Columns of the load profile: mean power (1.5.0, 2.5.0), energy of the quarter of an hour
    #: (1.29.0, 2.29.0) or totals (1.8.0, 2.8.0).
    channels: Sequence[str] = ("1.5.0", "2.5.0")
    #: Days before now that are stored.
    days: int = 60
    #: Whether the first digit of times is the season; without it, one hour in autumn is ambiguous.
    seasons: bool = True
    #: Power failures: from, to. A quarter of an hour that lies in one has no row.
    outages: Sequence[tuple[int, int]] = ()
    #: Whether a power cut ends a row at once, and another one follows at the quarter's end.
    partial_rows: bool = False
    #: Rows of these ends are lost.
    lost: Container[int] = ()
    #: Whether each row begins with its time, and there are no headers, codes or units.
    dated_rows: bool = False

    def load_profile(self, household: Household, now: int, span: tuple[int, int]) -> list[str]:
        """Return the lines of P.01: headers, and rows whose quarter of an hour ends in the span.

        A header has the end of the first row below it. There is a new header after missing rows
        and at each change of the status or of summer time.
        """
        if self.dated_rows:
            return [
                f"({_local(row.end):%y-%m-%d,%H:%M})"
                + "".join(f"({_value(household, code, row)})" for code in self.channels)
                for row in self._rows(now, span)
            ]
        lines = []
        before: Row | None = None
        for row in self._rows(now, span):
            if (
                before is None
                or (before.end, before.status) != (row.start, row.status)
                or row.end != row.start + _PERIOD
                or _shifted(before.end, row.end)
            ):
                lines.append(self._header(row.end, row.status))
            before = row
            lines.append(data_set("", (_value(household, code, row) for code in self.channels)))
        return lines

    def event_log(self, now: int, span: tuple[int, int]) -> list[str]:
        """Return the lines of P.98: the events in the span with their status."""
        start = max(span[0], now - self.days * _SECONDS_PER_DAY)
        end = min(span[1], now)
        events = [(time, _CLOCK_CHANGED) for time in _clock_changes(start, end)]
        for down, up in self.outages:
            events += [(down, _POWER_DOWN), (up, _POWER_UP)]
        return [
            data_set("P.98", (self.stamp(time), f"{status:08X}", "", "0"))
            for time, status in sorted(events)
            if start <= time <= end
        ]

    def stamp(self, time: int) -> str:
        """Format a time for headers and events."""
        season = (
            ("1" if datetime.fromtimestamp(time - 1, ZONE).dst() else "0") if self.seasons else ""
        )
        return f"{season}{_local(time):%y%m%d%H%M%S}"

    def _header(self, end: int, status: int) -> str:
        channels = [part for code in self.channels for part in (code, _unit(code))]
        values = (self.stamp(end), f"{status:02X}", str(_PERIOD // 60), str(len(self.channels)))
        return data_set("P.01", (*values, *channels))

    def _rows(self, now: int, span: tuple[int, int]) -> Iterator[Row]:
        first = max(span[0], now - self.days * _SECONDS_PER_DAY)
        for end in range(-(-first // _PERIOD) * _PERIOD, min(span[1], now) + 1, _PERIOD):
            start = end - _PERIOD
            if any(down <= start and end <= up for down, up in self.outages) or end in self.lost:
                continue
            if self.partial_rows and (parts := self._parts(start, end)):
                yield from parts
                continue
            status = 0
            if any(down < end and start < up for down, up in self.outages):
                status |= _POWER_FAILED
            if _shifted(end, end + 1):
                status |= _CLOCK_CHANGED
            yield Row(start, end, status)

    def _parts(self, start: int, end: int) -> list[Row]:
        """Return the rows of a quarter of an hour with a power cut in it; without one, none."""
        parts: list[Row] = []
        for down, up in self.outages:
            if start < down < end:
                parts.append(Row(start, down, _POWER_FAILED))
            if start < up <= end:
                parts.append(Row(up, end, _POWER_BACK))
        return parts


def parse_span(text: str) -> tuple[int, int] | None:
    """Parse the span of a command: from;to, each of them optional.

    Times have 10 to 13 digits: an optional season, YYMMDDhhmm, optional ss. None if invalid.
    """
    first, separator, last = text.partition(";")
    if not separator and text:
        return None
    try:
        return (
            0 if not first else _parse_stamp(first, fold=0),
            2**40 if not last else _parse_stamp(last, fold=1),
        )
    except ValueError:
        return None


def _parse_stamp(text: str, *, fold: int) -> int:
    if (found := _STAMP.fullmatch(text)) is None:
        raise ValueError(text)
    digits = found["minutes"] + (found["seconds"] or "00")
    time = datetime.strptime(digits, "%y%m%d%H%M%S").replace(tzinfo=ZONE, fold=fold)
    if found["season"] is not None:
        time = time.replace(tzinfo=_SEASONS[found["season"]])
    return int(time.timestamp())


def _local(time: int) -> datetime:
    """Return a time of the clock; at a change of summer time, as before the change."""
    return datetime.fromtimestamp(time - 1, ZONE) + timedelta(seconds=1)


def _value(household: Household, code: str, row: Row) -> str:
    energy = household.energy(row.end)
    before = household.energy(row.start)
    place = 0 if code.startswith("1.") else 1
    match code.split(".")[1]:
        case "5":
            return f"{(energy[place] - before[place]) / _PERIOD / KILOWATT:06.3f}"
        case "29":
            return f"{(energy[place] - before[place]) / KILOWATT_HOUR:06.4f}"
        case _:
            # Rounded down, as in a register.
            return f"{energy[place] * 1000 // KILOWATT_HOUR / 1000:010.3f}"


def _unit(code: str) -> str:
    return "kW" if code.split(".")[1] == "5" else "kWh"


def _shifted(time: int, later: int) -> bool:
    """Whether summer time begins or ends from a time on, before a later one."""
    before, after = (datetime.fromtimestamp(t - 1, ZONE) for t in (time, later))
    return before.utcoffset() != after.utcoffset()


def _clock_changes(start: int, end: int) -> Iterator[int]:
    """Yield the times at which summer time begins or ends, which are full hours."""
    for hour in range(-(-start // 3600) * 3600, end + 1, 3600):
        if _shifted(hour, hour + 1):
            yield hour
