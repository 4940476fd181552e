"""The standard time of a meter's zone."""

from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.meter.clock import standard_offset


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        (UTC, 0),
        (timezone(timedelta(hours=-3)), -180),
        (ZoneInfo("Europe/Berlin"), 60),
        # Summer is around the turn of the year.
        (ZoneInfo("Australia/Adelaide"), 570),
        (ZoneInfo("America/New_York"), -300),
    ],
)
def test_standard_offset_is_that_of_winter(zone: tzinfo, minutes: int) -> None:
    assert standard_offset(zone, 2026) == timedelta(minutes=minutes)
