"""When polled meters are read, and in which hour their energy counts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import override
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from hypothesis import example, given, strategies as st
import pytest

from custom_components.onemeter.billing.periods import TOLERANCE, Periods
from custom_components.onemeter.const import CONF_POLL_INTERVAL
from custom_components.onemeter.coordinator.schedule import next_due, next_due_at_boundaries
from custom_components.onemeter.meter import Reading
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..helpers.polled import PolledMeter, ScriptedPolledClient
from ..helpers.pushed import energy
from ..helpers.recorded import NOON, RecordedMeter

TWO_HOURS = 7200


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("after", "seconds", "due"),
    [
        ("2026-11-23 12:00:10", 1, "2026-11-23 12:00:11"),
        ("2026-11-23 12:00:10", 899, "2026-11-23 12:15:09"),
        ("2026-11-23 12:00:10", 900, "2026-11-23 12:14:55"),
        ("2026-11-23 12:14:55", 900, "2026-11-23 12:29:55"),
        ("2026-11-23 12:14:49.9", 900, "2026-11-23 12:14:55"),
        pytest.param("2026-11-23 12:14:51", 900, "2026-11-23 12:29:55", id="just read"),
        ("2026-11-23 12:15:00", 3600, "2026-11-23 12:59:55"),
        pytest.param("2026-11-23 12:00:00", 86_400, "2026-11-23 22:59:55", id="local midnight"),
        pytest.param("2026-11-23 12:00:00", 25_200, "2026-11-23 12:59:55", id="two times 7 h"),
        pytest.param("2026-11-23 22:00:00", 25_200, "2026-11-23 22:59:55", id="the rest of a day"),
        pytest.param("2026-03-29 00:45:00", 900, "2026-03-29 00:59:55", id="daylight saving"),
        pytest.param("2026-03-29 03:30:00", 7200, "2026-03-29 03:59:55", id="6 h in summer"),
        pytest.param("2026-03-29 00:30:00", 7200, "2026-03-29 01:59:55", id="2 h is left out"),
        pytest.param("2026-03-28 23:00:00", 86_400, "2026-03-29 21:59:55", id="day of 23 h"),
        pytest.param("2026-10-24 23:30:00", 3600, "2026-10-24 23:59:55", id="day of 25 h"),
        pytest.param("2026-10-25 00:30:00", 10_800, "2026-10-25 01:59:55", id="3 h in winter"),
    ],
)
async def test_when_a_meter_is_due(hass: HomeAssistant, after: str, seconds: int, due: str) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    assert next_due(utc(after), timedelta(seconds=seconds)) == utc(due)


@pytest.mark.parametrize(
    ("after", "seconds", "duration", "due"),
    [
        ("12:00:10", 60, 2, "12:01:10"),
        pytest.param("12:13:50", 60, 2, "12:14:50", id="ends three seconds before the other"),
        pytest.param("12:13:51", 60, 2, "12:14:53", id="would still run"),
        pytest.param("12:14:40", 60, 2, "12:14:53", id="too early for the boundary"),
        pytest.param("12:14:48", 60, 2, "12:15:48", id="counts for the boundary"),
        pytest.param("12:14:53", 60, 2, "12:15:53", id="just read"),
        pytest.param("12:00:10", 3600, 2, "12:14:53", id="long interval"),
    ],
)
def test_readout_before_a_boundary(after: str, seconds: int, duration: float, due: str) -> None:
    periods = Periods(timedelta(minutes=15), UTC)
    began = utc(f"2026-11-23 {after}")
    otherwise = began + timedelta(seconds=seconds)
    found = next_due_at_boundaries(otherwise, began, periods, duration)
    assert found == utc(f"2026-11-23 {due}")


@given(st.integers(0, 3600), st.sampled_from((5, 60, 900)), st.floats(5, 120), st.floats(-4, 4))
def test_a_readout_counts_for_every_boundary(
    start: int, interval: int, duration: float, longer: float
) -> None:
    """Readouts that take four seconds longer or less than expected count for each boundary."""
    periods = Periods(timedelta(minutes=15), UTC)
    begin = now = utc("2026-11-23 12:00:00") + timedelta(seconds=start)
    ends: list[datetime] = []
    while now < begin + timedelta(hours=3):
        ends.append(now + timedelta(seconds=duration + longer))
        otherwise = max(now + timedelta(seconds=interval), ends[-1])
        due = next_due_at_boundaries(otherwise, now, periods, duration)
        now = max(due, ends[-1])
    boundary = periods.end(begin + timedelta(seconds=2 * duration + 10))
    while boundary < ends[-1]:
        assert any(abs(boundary - end) <= TOLERANCE for end in ends)
        boundary = periods.end(boundary)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        # Daylight saving time begins and ends at midnight.
        ("America/Santiago", "2026-04-05"),
        ("America/Santiago", "2026-09-06"),
        ("America/Havana", "2026-03-08"),
        ("America/Havana", "2026-11-01"),
        # It is half an hour.
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("Asia/Kolkata", "2026-06-01"),
        ("Asia/Kathmandu", "2026-06-01"),
        # A day that never was.
        ("Pacific/Apia", "2011-12-30"),
    ],
)
@given(
    hours=st.floats(-30, 40),
    interval=st.sampled_from(
        (900, 1200, 1800, 3600, 5400, 7200, 10_800, 14_400, 21_600, 43_200, 86_400)
    )
    | st.integers(900, 86_400),
    duration=st.floats(0, 300),
)
@example(hours=17, interval=2879, duration=25)
def test_readouts_end_at_round_times(
    zone: str, day: str, hours: float, interval: int, duration: float
) -> None:
    own_zone, dt_util.DEFAULT_TIME_ZONE = dt_util.DEFAULT_TIME_ZONE, ZoneInfo(zone)
    try:
        every = timedelta(seconds=interval)
        lead = timedelta(seconds=duration + max(5, duration / 20))
        due = next_due(utc(f"{day} 00:00:00") + timedelta(hours=hours), every, duration)
        for _ in range(4):
            before, due = due, next_due(due, every, duration)
            # The last interval of a day may be too short for another readout.
            longest = every + lead if interval < TWO_HOURS else 2 * every
            assert timedelta(0) < due - before <= longest
            # Parts of a microsecond are lost on the way.
            end = due + lead + timedelta(microseconds=10)
            midnight = dt_util.start_of_local_day(dt_util.as_local(end))
            elapsed = end - dt_util.as_utc(midnight)
            if 3600 % interval == 0:
                elapsed = end - utc("2000-01-01 00:00:00")
            elif interval >= TWO_HOURS and elapsed > timedelta(seconds=1):
                elapsed = dt_util.as_local(end).replace(tzinfo=None) - midnight.replace(tzinfo=None)
            assert elapsed.total_seconds() % interval < 1e-3
    finally:
        dt_util.DEFAULT_TIME_ZONE = own_zone


@given(
    interval=st.sampled_from((900, 1200, 1800, 3600)),
    durations=st.lists(st.floats(0, 400), min_size=2, max_size=6),
    late=st.floats(0, 1),
)
def test_each_round_time_ends_exactly_one_readout(
    interval: int, durations: list[float], late: float
) -> None:
    every = timedelta(seconds=interval)
    expected, *measured = durations
    due = next_due(NOON, every, expected)
    for number, duration in enumerate(measured, 2):
        due = next_due(due + timedelta(seconds=late), every, duration, expected)
        expected = duration
        lead = timedelta(seconds=duration + max(5, duration / 20))
        assert due + lead == NOON + number * every


def consumed(moment: datetime) -> Decimal:
    """Return the energy until a time (Wh): each hour with 1000 W more than the one before."""
    hours, rest = divmod(max(0, (moment - NOON).total_seconds()) / 3600, 1)
    return Decimal(round(10_000 * (hours * (hours + 1) / 2 + (hours + 1) * rest))) / 10


class CountingClient(ScriptedPolledClient):
    """A client that reads the energy at the end of the readout."""

    @override
    async def read(self) -> Reading:
        await super().read()
        return energy(str(consumed(dt_util.utcnow())))


class RecordedPolledMeter(RecordedMeter, PolledMeter):
    """A polled meter whose total is recorded."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        self.client = CountingClient()

    async def run(self, hours: int) -> None:
        """Let time pass, in small steps where readouts are due."""
        end = dt_util.utcnow() + timedelta(hours=hours)
        while (now := dt_util.utcnow()) < end:
            await self.wait(5 if now.minute % 15 in {0, 14} else 60, step=60)
            if dt_util.utcnow().second == 0:
                await self.make_rows()


@pytest.mark.usefixtures("recorder_mock")
@pytest.mark.parametrize("interval", [900, 3600])
async def test_hours_hold_what_was_used_in_them(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, interval: int
) -> None:
    freezer.move_to(NOON - timedelta(minutes=20))
    meter = RecordedPolledMeter(hass, freezer)
    meter.make_entry(options={CONF_POLL_INTERVAL: interval})
    assert await meter.start()
    meter.client.takes = meter.client.duration = 30
    await meter.run(4)
    sums = await meter.sums("hour")
    used = [after - before for before, after in pairwise(sums)]
    assert used == pytest.approx([2000, 3000], abs=2)
