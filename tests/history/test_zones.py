"""Rows of a load profile are placed right where Home Assistant's zone is not the meter's.

The simulated meters are in Central European time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import override
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.onemeter.coordinator.meter_data import MeterData
from custom_components.onemeter.history.clock import ClockOffset
from custom_components.onemeter.meter import Interval
from custom_components.onemeter.meter.clock import standard_offset
from custom_components.onemeter.meter.iec62056.profile import decode_profile
from custom_components.onemeter.totals import Moment
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from simulator.household import Energy, Household
from simulator.iec62056.profile import Memory
from simulator.iec62056.registers import ZONE
from tests.helpers.load_profile import DlmsMeter, IecMeter, ProfiledMeter, SteadyHousehold, kwh
from tests.helpers.pushed import METER

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
ZONES = ("Europe/London", "UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Sydney", "Etc/GMT-1")
#: Daylight saving time ends.
CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def restore_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("custom_components.onemeter.history.reading._PAUSE", 0)
    zone = dt_util.get_default_time_zone()
    yield
    dt_util.set_default_time_zone(zone)


def rows(start: datetime, end: datetime, zone: str) -> Sequence[Interval]:
    """Return the rows of a meter between two points in time, as decoded by Home Assistant."""
    household = Household()
    span = int(start.timestamp()), int(end.timestamp())
    lines = Memory(days=400).load_profile(household, span[1], span)
    return decode_profile("\r\n".join(lines), ZoneInfo(zone)).intervals


def clock_at(now: datetime, ahead: timedelta = timedelta(), duration: float = 5) -> ClockOffset:
    shown = (now + ahead).astimezone(ZONE).replace(tzinfo=None, fold=0)
    return ClockOffset.of(MeterData(METER, {}, Moment(now, 0), shown), duration)


def true_ends(start: datetime, end: datetime) -> list[datetime]:
    count = (end - start) // QUARTER
    return [start + number * QUARTER for number in range(count + 1)]


@settings(max_examples=60)
@given(
    st.sampled_from((*ZONES, "Europe/Warsaw", "America/New_York")),
    st.integers(0, 2 * 365 * 24 * 4),
    st.integers(0, 300 * 24 * 4),
    st.integers(8, 48 * 4),
    st.sampled_from([0, 0, 180, -240, 420]),
)
def test_rows_with_season(zone: str, quarter: int, ago: int, length: int, ahead: int) -> None:
    """Never an hour off, whichever season the rows and the present are in."""
    offset = timedelta(seconds=ahead)
    now = datetime(2026, 1, 1, 0, 2, tzinfo=UTC) + quarter * QUARTER
    dt_util.set_default_time_zone(ZoneInfo(zone))
    boundary = (now + offset).replace(minute=(now + offset).minute // 15 * 15, second=0)
    start, end = boundary - (ago + length) * QUARTER, boundary - ago * QUARTER
    found = rows(start, end, zone)
    clock = clock_at(now, offset)
    newest = rows(boundary - HOUR, boundary, zone)
    placed = clock.placed(found, now, newest)
    assert placed is not None
    assert [row.end_utc for row in placed] == [time - offset for time in true_ends(start, end)]
    # Without the newest rows, they are placed right, or not at all.
    placed = clock.placed(found, now)
    assert placed is None or [row.end_utc for row in placed] == [
        time - offset for time in true_ends(start, end)
    ]
    assert (placed is None) == clock.needs_newest(found, now)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("minutes", range(-70, 80, 5))
def test_around_the_end_of_daylight_saving_time(zone: str, minutes: int) -> None:
    now = CHANGE + timedelta(minutes=minutes, seconds=20)
    dt_util.set_default_time_zone(ZoneInfo(zone))
    start = CHANGE - 6 * HOUR
    end = now.replace(minute=now.minute // 15 * 15, second=0)
    placed = clock_at(now).placed(rows(start, end, zone), now)
    if zone == "UTC" and 0 <= minutes < 15:
        # The newest row is from before the change: the next one shows it.
        assert placed is None
    else:
        assert placed is not None
        assert [row.end_utc for row in placed] == true_ends(start, end)


def test_meter_without_clock() -> None:
    """Its zone is Home Assistant's, unless its rows show another one."""
    now = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
    clock = ClockOffset.of(MeterData(METER, {}, Moment(now, 0)), 5)
    for zone, is_known in (("Europe/Berlin", True), ("UTC", False), ("Europe/London", False)):
        dt_util.set_default_time_zone(ZoneInfo(zone))
        found = rows(now - timedelta(hours=6, minutes=1), now, zone)
        assert (clock.placed(found, now) is not None) == is_known


def test_rows_of_a_meter_in_standard_time_all_year() -> None:
    """They have no season, but the clock shows it while there is daylight saving time."""
    now = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
    dt_util.set_default_time_zone(ZoneInfo("Europe/Berlin"))
    zone = ZoneInfo("Etc/GMT-1")
    shown = now.astimezone(zone).replace(tzinfo=None)
    clock = ClockOffset.of(MeterData(METER, {}, Moment(now, 0), shown), 5)
    for true_end in (datetime(2026, 2, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)):
        end = true_end.astimezone(zone).replace(tzinfo=None)
        as_decoded = end.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
        row = Interval(end - QUARTER, end, None, as_decoded, "", ())
        assert [it.end_utc for it in clock.placed([row], now) or ()] == [true_end]


class DailyHousehold(SteadyHousehold):
    """A house that draws four times as much in every other hour."""

    @override
    def energy(self, time: int) -> Energy:
        hours, rest = divmod(time - self.start, 3600)
        whole = hours // 2 * 5 + hours % 2
        part = rest * (4 if hours % 2 else 1)
        total = super().energy(self.start)
        return total._replace(imported=total.imported + (whole * 3600 + part) * 5_000)


async def be_off(meter: ProfiledMeter, start: datetime, off: timedelta, on: timedelta) -> datetime:
    """Read the meter, but for a time; return the end of the hour in which it is read again."""
    await meter.live(start, start + off - timedelta(minutes=1))
    await meter.switch_off(start + off)
    back = start + on
    await meter.switch_on(back + timedelta(seconds=21))
    end = back.replace(minute=0) + HOUR
    await meter.live(back + timedelta(minutes=3), end - timedelta(minutes=1))
    return end


async def assert_hours(
    meter: ProfiledMeter, start: datetime, household: SteadyHousehold, hours: range
) -> None:
    """Check the rows of these hours after the start against the household."""
    found = await meter.rows()
    for hour in hours:
        end = start + (hour + 1) * HOUR
        assert found[end - HOUR][0] == pytest.approx(float(kwh(household, end)), abs=0.0021)


@pytest.mark.parametrize("zone", ZONES[:3])
@pytest.mark.parametrize("gap", [(7, "1.29.0"), (11, "1.8.0")], ids=["summer", "winter"])
async def test_gap_at_a_meter_in_another_zone(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    zone: str,
    gap: tuple[int, str],
) -> None:
    month, channel = gap
    start = datetime(2026, month, 2, 10, tzinfo=UTC)
    household = DailyHousehold(start=start)
    meter = ProfiledMeter(hass, freezer, IecMeter(Memory(channels=(channel,)), household=household))
    await meter.begin(start, zone)
    end = await be_off(meter, start, timedelta(hours=2, minutes=17), timedelta(hours=7, minutes=17))
    await meter.compile_until(end + timedelta(minutes=1))
    before = await meter.all_rows()
    await meter.import_at(end + timedelta(minutes=5, seconds=10))
    await assert_hours(meter, start, household, range(2, 7))
    again = await meter.importer.async_import(start, end, dry_run=True)
    assert all(outcome.plan.is_empty for outcome in again)
    await meter.importer.async_undo()
    assert await meter.all_rows() == before


async def test_clock_that_is_wrong_in_another_zone(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> None:
    start = datetime(2026, 7, 2, 10, tzinfo=UTC)
    household = SteadyHousehold(start=start)
    meter = ProfiledMeter(hass, freezer, IecMeter(ahead=-700, household=household))
    await meter.begin(start, "Asia/Kolkata")
    end = await be_off(meter, start, timedelta(hours=1, minutes=22), timedelta(hours=6, minutes=10))
    await meter.import_at(end + timedelta(minutes=5, seconds=10))
    await assert_hours(meter, start, household, range(1, 6))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
async def test_gap_at_a_meter_that_names_its_zone(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    zone: str,
) -> None:
    """The request for its profile is in the local time of the meter."""
    start = datetime(2026, 7, 2, 10, tzinfo=UTC)
    household = DailyHousehold(start=start)
    meter = ProfiledMeter(hass, freezer, DlmsMeter(household=household))
    await meter.begin(start, zone)
    end = await be_off(meter, start, timedelta(hours=1, minutes=17), timedelta(hours=9, minutes=47))
    await meter.import_at(end + timedelta(minutes=5, seconds=10))
    await assert_hours(meter, start, household, range(1, 9))


@pytest.mark.parametrize(
    ("zone", "is_known"),
    [("Europe/Berlin", True), ("UTC", False), ("Europe/London", False), ("Asia/Kolkata", False)],
)
@pytest.mark.parametrize("season", ["summer", None])
def test_rows_that_do_not_name_the_zone_that_the_clock_names(
    zone: str, is_known: bool, season: str | None
) -> None:
    now = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
    here = ZoneInfo(zone)
    dt_util.set_default_time_zone(here)
    shown = now.astimezone(timezone(2 * HOUR))
    clock = ClockOffset.of(MeterData(METER, {}, Moment(now, 0), shown), 5)
    end = datetime(2026, 7, 1, 11, tzinfo=UTC).astimezone(ZONE).replace(tzinfo=None)
    offset = end.replace(tzinfo=here).utcoffset() if season is None else None
    if offset is None:
        offset = standard_offset(here, 2026) + HOUR
    row = Interval(end - QUARTER, end, season, (end - offset).replace(tzinfo=UTC), "", ())
    assert (clock.placed([row], now) == [row]) == is_known
    assert (clock.placed([row], now) is not None) == is_known
    named = replace(row, end_utc=datetime(2026, 7, 1, 11, tzinfo=UTC))
    if row.end_utc != named.end_utc:
        assert clock.placed([named], now) == [named]


async def test_time_that_is_unknown(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Nothing is written, and a repair says why; with the right zone the gap is filled."""
    start = datetime(2026, 7, 2, 10, tzinfo=UTC)
    meter = ProfiledMeter(hass, freezer, IecMeter(household=SteadyHousehold(start=start)))
    monkeypatch.setattr(meter.client.meter, "shown_at", lambda _: None)
    await meter.begin(start, "UTC")
    await meter.live(start, start + timedelta(hours=2, minutes=16))
    await meter.switch_off(start + timedelta(hours=2, minutes=17))
    await meter.switch_on(start + timedelta(hours=4, minutes=17, seconds=21))
    await meter.live(start + timedelta(hours=4, minutes=20), start + timedelta(hours=4, minutes=59))
    await meter.compile_until(start + timedelta(hours=5, minutes=1))
    before = await meter.all_rows()
    await meter.import_at(start + timedelta(hours=5, minutes=5, seconds=10))
    assert await meter.all_rows() == before
    issue_id = f"history_time_unknown_{meter.entry.entry_id}"
    assert issue_registry.async_get_issue("onemeter", issue_id) is not None
    assert await hass.config_entries.async_unload(meter.entry.entry_id)
    assert await meter.set_up()
    assert issue_registry.async_get_issue("onemeter", issue_id) is None
    await meter.read_at(start + timedelta(hours=5, minutes=10))
    await meter.import_at(start + timedelta(hours=5, minutes=12))
    assert issue_registry.async_get_issue("onemeter", issue_id) is not None
    await hass.config.async_set_time_zone("Europe/Berlin")
    await meter.import_at(start + timedelta(hours=5, minutes=20, seconds=10))
    assert (await meter.rows())[start + 2 * HOUR][0] == 1003.6
    assert issue_registry.async_get_issue("onemeter", issue_id) is None
