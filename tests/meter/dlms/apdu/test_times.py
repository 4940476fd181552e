"""Date-times: with and without deviation, and invalid ones."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.apdu.times import decode_date_time, encode_date_time


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("07e6021501112530ff800000", "2022-02-21T17:37:48"),
        ("07e60715051125ffff800000", "2022-07-21T17:37:00"),
        # Summer in central Europe: UTC is local + deviation.
        ("07e607150411250032ff8880", "2022-07-21T17:37:00.500000+02:00"),
        ("07e6021501112500ffffc400", "2022-02-21T17:37:00+01:00"),
        ("07e6021501112500ff003c00", "2022-02-21T17:37:00-01:00"),
        ("07e6021501112500ff000000", "2022-02-21T17:37:00+00:00"),
    ],
)
def test_points_in_time(sent: str, expected: str) -> None:
    assert decode_date_time(bytes.fromhex(sent)) == datetime.fromisoformat(expected)


def test_inverted_deviation() -> None:
    found = decode_date_time(bytes.fromhex("07e6021501112500ff003c00"), invert=True)
    assert found == datetime.fromisoformat("2022-02-21T17:37:00+01:00")


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "07e60215",
        "ffff021501112530ff800000",  # any year
        "07e6ff1501112530ff800000",
        "07e6fe1501112530ff800000",  # begin of daylight saving time
        "07e602ff01112530ff800000",
        "07e602fe01112530ff800000",  # last day of the month
        "07e6021501ff2530ff800000",
        "07e602150111ff30ff800000",
        "07e6021e01112530ff800000",  # 30 February
        "07e6021501192530ff800000",  # hour 25
        "07e60215011125303f7fff00",  # deviation of weeks
        "07e6021501112530c8800000",  # 200 hundredths
        "000000000000000000000000",
    ],
)
def test_no_point_in_time(sent: str) -> None:
    assert decode_date_time(bytes.fromhex(sent)) is None


ZONES: Any = st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 1),  # noqa: DTZ001
        timezones=st.none() | ZONES,
    ),
    st.booleans(),
)
def test_back_and_forth(time: datetime, invert: bool) -> None:
    time = time.replace(microsecond=0)
    sent = encode_date_time(time, invert=invert)
    found = decode_date_time(sent, invert=invert)
    assert found == time
    assert found is not None
    assert found.utcoffset() == time.utcoffset()


def test_what_is_sent() -> None:
    time = datetime(2026, 11, 28, 2, 20, 16, tzinfo=UTC)
    assert encode_date_time(time).hex() == "07ea0b1c06021410" + "00" + "0000" + "00"


@given(st.binary(max_size=14))
def test_garbage(data: bytes) -> None:
    found = decode_date_time(data)
    assert found is None or len(data) == 12
