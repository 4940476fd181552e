"""A load profile is read in slices that leave the line to others in between."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.history import span_memory
from custom_components.onemeter.history.reading import (
    IncompleteProfileError,
    ProfileSpan,
    asked_for,
)
from custom_components.onemeter.meter import Interval, LoadProfiles
from custom_components.onemeter.meter.errors import MeterSilentError, RefusedError
from simulator.clock import SimulatedClockLoop

END = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
ROW = Interval(datetime(2026, 1, 1), datetime(2026, 1, 2), None, END, "", ())  # noqa: DTZ001


class Line:
    """A line on which a day of the profile takes some seconds."""

    def __init__(self, seconds_per_day: float, *, begins: datetime = END - 60 * DAY) -> None:
        self.seconds_per_day = seconds_per_day
        self.begins = begins
        self.slices: list[tuple[datetime, datetime]] = []
        self.took: list[float] = []
        self.errors: list[Exception] = []

    async def read(self, start: datetime, end: datetime) -> LoadProfiles:
        self.slices.append((start, end))
        if self.errors:
            raise self.errors.pop()
        if end <= self.begins:
            raise RefusedError("no rows", port="port")
        self.took.append(2 + self.seconds_per_day * ((end - start) / DAY))
        await asyncio.sleep(self.took[-1])
        return LoadProfiles([ROW])


def read(span: ProfileSpan, line: Line) -> None:
    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner:
        runner.run(span.async_read(line.read))


@pytest.mark.parametrize("seconds_per_day", [1.1, 5.6, 96, 371])
def test_slices_are_short_and_the_newest_first(seconds_per_day: float) -> None:
    line = Line(seconds_per_day)
    span = ProfileSpan(END - 12 * DAY, END)
    read(span, line)
    assert span.is_complete
    assert max(line.took) <= 20
    assert line.slices[0][1] == END
    assert line.slices[-1][0] == END - 12 * DAY
    for newer, older in zip(line.slices, line.slices[1:], strict=False):
        assert older[1] == newer[0]


def test_goes_on_where_it_has_broken_off() -> None:
    line = Line(10)
    span = ProfileSpan(END - 5 * DAY, END)
    line.errors = [MeterSilentError("silent", port="port")]
    with pytest.raises(MeterSilentError):
        read(span, line)
    read(span, line)
    done = len(line.slices)
    assert span.is_complete
    read(span, line)
    assert len(line.slices) == done


def test_profile_that_is_shorter() -> None:
    """Meters refuse what they do not have any more."""
    line = Line(1, begins=END - 10 * DAY)
    span = ProfileSpan(END - 400 * DAY, END)
    read(span, line)
    assert span.is_complete
    assert len(line.slices) < 12


def test_meter_without_profile() -> None:
    line = Line(1, begins=END)
    with pytest.raises(RefusedError):
        read(ProfileSpan(END - 400 * DAY, END), line)
    assert len(line.slices) == 3


class DoubtfulMeter:
    """A meter with a row for each quarter of an hour, which does not always give them."""

    def __init__(self, span: ProfileSpan, holes: set[int], refused: set[int]) -> None:
        self.span = span
        self.holes = holes
        self.refused = refused
        self.calls = 0

    def rows(self, start: datetime, end: datetime) -> list[Interval]:
        numbers = range((start - END) // QUARTER + 1, (end - END) // QUARTER + 1)
        return [
            replace(ROW, end_utc=END + number * QUARTER, status=str(number))
            for number in numbers
            if number <= 0 and number not in self.holes
        ]

    async def read(self, start: datetime, end: datetime) -> LoadProfiles:
        self.calls += 1
        if self.calls in self.refused:
            if self.calls % 2:
                raise RefusedError("not now", port="port")
            return LoadProfiles(())
        return LoadProfiles(self.rows(start, end))


@given(
    st.integers(2, 300),
    st.sets(st.integers(-300, 0), max_size=250),
    st.sets(st.integers(1, 12), max_size=8),
)
def test_no_row_is_lost_by_a_refusal(hours: int, holes: set[int], refused: set[int]) -> None:
    span = ProfileSpan(END - hours * timedelta(hours=1), END)
    meter = DoubtfulMeter(span, holes, refused)

    async def fill() -> None:
        await span.async_read(meter.read)
        await span.async_check_doubtful(meter.read)

    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner:
        for _ in range(20):
            try:
                runner.run(fill())
            except RefusedError, IncompleteProfileError:
                span = meter.span = span_memory._from_dict(span_memory._as_dict(span))
            else:
                break
    there = {row.end_utc for row in meter.rows(span.start, span.end)}
    found = {row.end_utc for row in span.intervals}
    # Only what is refused four times counts as missing, or if there was not a single row.
    assert there <= found or not found or len(refused) >= 4
    assert not span.doubtful


def test_hour_that_comes_twice_is_asked_for_as_a_whole() -> None:
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    start, end = asked_for(
        change - timedelta(minutes=30), change + timedelta(minutes=30), timedelta(), zone
    )
    assert start <= datetime(2026, 10, 25, 2)  # noqa: DTZ001
    assert end >= datetime(2026, 10, 25, 3)  # noqa: DTZ001
