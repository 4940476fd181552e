"""Dates and times in all formats of meters."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.iec62056.times import combine, format_digits, parse_time

NOON = datetime.fromisoformat("2026-03-15T12:34:56")
FIRST = datetime.fromisoformat("2001-01-01")
LAST = datetime.fromisoformat("2099-12-31")
MINUTE = datetime.fromisoformat("2026-03-15T12:34")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        # with separators, in either order
        ("26-03-15 12:34", MINUTE),
        ("26-03-15,12:34", MINUTE),
        ("26-03-15,12:34:56", NOON),
        ("2026-03-15 12:34:56", NOON),
        ("2026-03-15&12:34:56", NOON),
        ("2026-03-15T12:34:56", NOON),
        ("12:34:56,26-03-15", NOON),
        ("12:34 2026-03-15", MINUTE),
        # digits
        ("2603151234", MINUTE),
        ("260315123456", NOON),
        ("20260315123456", NOON),
        # a year of four digits, if there is no other interpretation
        ("202603151234", MINUTE),
        ("203012312359", datetime.fromisoformat("2030-12-31T23:59")),
        # the season before the digits ...
        ("02603151234", MINUTE.replace(fold=1)),
        ("12603151234", MINUTE),
        ("22603151234", MINUTE.replace(tzinfo=UTC)),
        ("0260315123456", NOON.replace(fold=1)),
        ("1260315123456", NOON),
        ("2260315123456", NOON.replace(tzinfo=UTC)),
        # ... or after them
        ("260315123456W", NOON.replace(fold=1)),
        ("260315123456S", NOON),
        ("2603151234S", MINUTE),
        # the first and the last moment of a day
        ("240229000000", datetime.fromisoformat("2024-02-29")),
        ("991231235959", datetime.fromisoformat("2099-12-31T23:59:59")),
    ],
)
def test_time(text: str, time: datetime) -> None:
    found = parse_time(text)
    assert found == time
    assert found is not None
    assert (found.tzinfo, found.fold) == (time.tzinfo, time.fold)


@pytest.mark.parametrize(
    "text",
    [
        # impossible
        *("0000000000", "000000000000", "999999999999", "99999999999999", "00000000000000"),
        *(
            "00-00-00 00:00",
            "00-00-00,00:00",
            "99-99-99 99:99",
            "2026-02-29 12:00",
            "24:00 26-03-15",
        ),
        *("632525252525S", "2613151234", "2603321234", "2603152434", "2603151260", "260315123460"),
        *("19991231235959", "99991231235959", "21000101000000"),
        # something else
        *("", "-", "12:34:56", "26-03-15", "260315", "123456789", "3260315123456", "260315123456X"),
        *("26-3-15 12:34", "26-03-15  12:34", "26.03.15 12:34", "001C010412", "260315123456 "),
        *("260315123456SW", "02603151234W5", "123456789012345", "1" * 2000, "\u0662603151234"),
    ],
)
def test_no_time(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("260315", "123456", NOON),
        ("26-03-15", "12:34:56", NOON),
        ("20260315", "123456", NOON),
        ("2026-03-15", "12:34", MINUTE),
        ("260315", "1234", MINUTE),
        ("0260315", "0123456", NOON.replace(fold=1)),
        ("1260315", "1123456", NOON),
        ("1260315", "123456", NOON),
        ("2260315", "123456", NOON.replace(tzinfo=UTC)),
        # impossible, or something else
        ("260230", "123456", None),
        ("000000", "000000", None),
        ("260315", "240000", None),
        ("99-99-99", "99:99:99", None),
        ("", "123456", None),
        ("260315", "", None),
        ("260315", "123", None),
        ("15.03.26", "123456", None),
        ("34-0115", "1200", None),
        ("3260315", "123456", None),
        ("-------", "------", None),
    ],
)
def test_date_and_time_of_day_apart(date: str, time: str, expected: datetime | None) -> None:
    found = combine(date, time)
    assert found == expected
    if found is not None and expected is not None:
        assert (found.tzinfo, found.fold) == (expected.tzinfo, expected.fold)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("060122", "2022-01-06T12:34:56"),
        ("220106", "2022-01-06T12:34:56"),
        ("06-01-22", "2022-01-06T12:34:56"),
        # possible in one order only
        ("311221", "2021-12-31T12:34:56"),
        ("211231", "2021-12-31T12:34:56"),
        ("20220106", "2022-01-06T12:34:56"),
        # a clock that has stopped
        ("000101", "2000-01-01T12:34:56"),
    ],
)
def test_order_of_a_date_that_is_nearer_to_now(date: str, expected: str) -> None:
    now = datetime.fromisoformat("2022-01-06T13:00")
    assert combine(date, "123456", now) == datetime.fromisoformat(expected)


@given(st.datetimes(FIRST, datetime.fromisoformat("2031-12-31")))
def test_either_order_of_the_present_date(now: datetime) -> None:
    now = now.replace(microsecond=0)
    for date in (f"{now:%y%m%d}", f"{now:%d%m%y}"):
        assert combine(date, f"{now:%H%M%S}", now) == now


@given(st.text(max_size=20) | st.text("0123456789-: ,&SWT", max_size=20), st.text(max_size=10))
def test_any_text(text: str, other: str) -> None:
    parse_time(text)
    combine(text, other)
    combine(other, text)


@given(st.text("0123456789-:", max_size=10), st.text("0123456789-:", max_size=8))
def test_any_digits(date: str, time: str) -> None:
    combine(date, time)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Dublin", "Australia/Sydney"])
@given(st.datetimes(FIRST, LAST))
def test_times_as_they_are_written_for_the_meter(zone: str, time: datetime) -> None:
    time = time.replace(microsecond=0)
    meters = ZoneInfo(zone)
    for length, shown in ((10, time.replace(second=0)), (12, time)):
        text = format_digits(time, length, meters)
        assert len(text) == length
        assert parse_time(text) == shown
        text = format_digits(time, length + 1, meters)
        assert len(text) == length + 1
        assert parse_time(text) == shown
        is_summer = time.replace(tzinfo=meters).tzname() in {"CEST", "IST", "AEDT"}
        assert text[0] == ("1" if is_summer else "0")


def test_times_written_for_a_meter_of_no_known_zone() -> None:
    assert format_digits(NOON, 13, None) == "0260315123456"
