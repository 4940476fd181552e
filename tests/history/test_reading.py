"""A load profile is read in slices that leave the line to others in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.coordinator.meter_data import MeterData
from custom_components.onemeter.history.clock import ClockOffset
from custom_components.onemeter.history.reading import ProfileSpan, asked_for
from custom_components.onemeter.history.samples import HOUR
from custom_components.onemeter.meter import Identity, Interval
from custom_components.onemeter.meter.errors import MeterSilentError, RefusedError
from custom_components.onemeter.totals.moment import Moment
from homeassistant.util import dt as dt_util
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


@pytest.mark.parametrize("season", ["winter", None])
def test_meter_that_names_another_zone(season: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets requests by its own clock, and the times of its rows are right."""
    berlin = ZoneInfo("Europe/Berlin")
    received = datetime(2026, 7, 1, 12, tzinfo=UTC)
    winter_time = received.astimezone(timezone(timedelta(hours=1)))
    data = MeterData(Identity(), {}, Moment(received), winter_time)
    with monkeypatch.context() as zone:
        zone.setattr(dt_util, "DEFAULT_TIME_ZONE", berlin)
        clock = ClockOffset.of(data, None)
    requested = asked_for(received - HOUR, received, clock.shown, berlin)
    assert requested == (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 13))  # noqa: DTZ001
    assert not clock.of_rows([replace(ROW, season=season)])
