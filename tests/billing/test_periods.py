"""Periods by the local clock: zones with odd offsets, and both changes of daylight saving time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.billing.periods import Periods

BERLIN = ZoneInfo("Europe/Berlin")


def periods(minutes: int, zone: str = "Europe/Berlin") -> Periods:
    return Periods(timedelta(minutes=minutes), ZoneInfo(zone))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "zone", "now", "begin", "end"),
    [
        (60, "Europe/Warsaw", "2026-11-30 10:59:59", "2026-11-30 10:00", "2026-11-30 11:00"),
        (15, "Asia/Kathmandu", "2026-11-30 10:14:59", "2026-11-30 10:00", "2026-11-30 10:15"),
        (60, "Asia/Kathmandu", "2026-11-30 10:14:59", "2026-11-30 09:15", "2026-11-30 10:15"),
        (60, "Asia/Kolkata", "2026-11-30 10:30:00", "2026-11-30 10:30", "2026-11-30 11:30"),
        # Daylight saving time begins on 29 March 2026 and ends on 25 October 2026, at 01:00 UTC.
        (60, "Europe/Berlin", "2026-03-29 00:30", "2026-03-29 00:00", "2026-03-29 01:00"),
        (60, "Europe/Berlin", "2026-03-29 01:00", "2026-03-29 01:00", "2026-03-29 02:00"),
        (60, "Europe/Berlin", "2026-10-25 00:30", "2026-10-25 00:00", "2026-10-25 01:00"),
        (60, "Europe/Berlin", "2026-10-25 01:30", "2026-10-25 01:00", "2026-10-25 02:00"),
        # Half an hour forward at 15:30 UTC on 3 October 2026, and back at 15:00 on 4 April.
        (60, "Australia/Lord_Howe", "2026-10-03 15:40", "2026-10-03 15:30", "2026-10-03 16:00"),
        (60, "Australia/Lord_Howe", "2026-04-04 15:10", "2026-04-04 15:00", "2026-04-04 15:30"),
    ],
)
def test_period_of(minutes: int, zone: str, now: str, begin: str, end: str) -> None:
    found = periods(minutes, zone)
    assert found.begin(at(now)) == at(begin)
    assert found.end(at(now)) == at(end)


@given(
    st.floats(0, 2 * 366 * 86_400).map(
        lambda seconds: at("2026-01-01") + timedelta(seconds=seconds)
    ),
    st.sampled_from((15, 30, 60)),
    st.sampled_from(("Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")),
)
def test_periods_follow_each_other(now: datetime, minutes: int, zone: str) -> None:
    found = periods(minutes, zone)
    begin, end = found.begin(now), found.end(now)
    assert begin <= now < end
    assert end - begin <= found.length
    assert found.begin(end) == end
    assert found.begin(begin) == begin
    assert found.end(begin) == end


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_of_change(day: str, hours: int) -> None:
    found = periods(60)
    now = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    seen = 0
    while str(found.day(now)) == day:
        now = found.end(now)
        seen += 1
    assert seen == hours


@pytest.mark.parametrize(
    ("clock", "zone", "now", "time"),
    [
        # In December, and in summer with a clock that is not changed.
        ("2026-12-01T11:00:00", "Europe/Oslo", "2026-12-01 10:00:12", "2026-12-01 10:00:00"),
        ("2026-07-01T12:00:00", "Europe/Oslo", "2026-07-01 10:00:12", "2026-07-01 10:00:00"),
        ("2026-07-01T11:00:00", "Europe/Oslo", "2026-07-01 10:00:12", "2026-07-01 10:00:00"),
        # Both hours from 02:00 to 03:00 on the day on which summer time ends.
        ("2026-10-25T02:00:00", "Europe/Oslo", "2026-10-25 00:00:12", "2026-10-25 00:00:00"),
        ("2026-10-25T02:00:00", "Europe/Oslo", "2026-10-25 01:00:12", "2026-10-25 01:00:00"),
        ("2026-12-01T11:00:00+01:00", "Asia/Kolkata", "2026-12-01 10:00:12", None),
        ("2026-12-01T10:30:00+00:00", "Asia/Kolkata", "2026-12-01 10:30:12", "2026-12-01 10:30:00"),
        # Another hour, not exactly the boundary, too late, or before it.
        ("2026-12-01T10:00:00", "Europe/Oslo", "2026-12-01 10:00:12", None),
        ("2026-12-01T10:00:00+01:00", "Europe/Oslo", "2026-12-01 10:00:12", None),
        ("2026-12-01T11:00:05", "Europe/Oslo", "2026-12-01 10:00:12", None),
        ("2026-12-01T11:00:00", "Europe/Oslo", "2026-12-01 10:00:31", None),
        ("2026-12-01T11:00:00", "Europe/Oslo", "2026-12-01 09:59:50", None),
        (None, "Europe/Oslo", "2026-12-01 10:00:12", None),
    ],
)
def test_time_that_a_telegram_names(
    clock: str | None, zone: str, now: str, time: str | None
) -> None:
    shown = None if clock is None else datetime.fromisoformat(clock)
    assert periods(60, zone).time_of(at(now), shown) == at(time or now)
