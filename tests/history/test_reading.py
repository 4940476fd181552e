"""A load profile is read in slices that leave the line to others in between."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.history.reading import ProfileSpan, asked_for
from custom_components.onemeter.meter import Interval
from custom_components.onemeter.meter.errors import MeterSilentError, RefusedError
from simulator.clock import SimulatedClockLoop

END = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)
ROW = Interval(datetime(2026, 1, 1), datetime(2026, 1, 2), None, END, "", ())  # noqa: DTZ001


class Line:
    """A line on which a day of the profile takes some seconds."""

    def __init__(self, seconds_per_day: float, *, begins: datetime = END - 60 * DAY) -> None:
        self.seconds_per_day = seconds_per_day
        self.begins = begins
        self.slices: list[tuple[datetime, datetime]] = []
        self.took: list[float] = []
        self.errors: list[Exception] = []

    async def read(self, start: datetime, end: datetime) -> Sequence[Interval]:
        self.slices.append((start, end))
        if self.errors:
            raise self.errors.pop()
        if end <= self.begins:
            raise RefusedError("no rows", port="port")
        self.took.append(2 + self.seconds_per_day * ((end - start) / DAY))
        await asyncio.sleep(self.took[-1])
        return [ROW]


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


def test_hour_that_comes_twice_is_asked_for_as_a_whole() -> None:
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    start, end = asked_for(
        change - timedelta(minutes=30), change + timedelta(minutes=30), timedelta(), zone
    )
    assert start <= datetime(2026, 10, 25, 2)  # noqa: DTZ001
    assert end >= datetime(2026, 10, 25, 3)  # noqa: DTZ001
