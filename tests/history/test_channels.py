"""Channels of energies and mean powers, changes of the clock, and other zones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.history import reading
from custom_components.onemeter.history.intervals import channels
from custom_components.onemeter.history.samples import Gap, Sample
from custom_components.onemeter.history.series import Anchor, Disagreement, Kind, Series
from custom_components.onemeter.history.targets import best_series
from custom_components.onemeter.meter import Interval, Obis, Register
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from simulator.iec62056 import Memory
from tests.helpers.load_profile import START, DlmsMeter, IecMeter, ProfiledMeter, SteadyHousehold

from .test_scenarios import S4, at, changes, go_off, seconds, shown

KEY = Obis.parse("1-0:1.8.0*255")
QUARTER = timedelta(minutes=15)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("code", ["1.5.0", "1.29.0"])
async def test_energies_are_added_up(meter: ProfiledMeter, code: str) -> None:
    meter.client.meter.memory = Memory(channels=(code, "2.5.0"))  # type: ignore[union-attr]
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4


async def test_energies_around_lost_rows_and_a_power_cut(meter: ProfiledMeter) -> None:
    cut = seconds("15:33"), seconds("15:38")
    meter.client.meter.household = SteadyHousehold(cuts=[cut])
    meter.client.meter.memory = Memory(  # type: ignore[union-attr]
        channels=("1.29.0",),
        lost=range(seconds("13:45"), seconds("15:15") + 1),
        outages=[cut],
        partial_rows=True,
    )
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == {
        "12:00": (1003.60, 3.59),
        "13:00": (1003.60, 3.59),
        "14:00": (1003.60, 3.59),
        "15:00": (1007.10, 7.09),
        "16:00": (1008.30, 8.29),
        "17:00": (1009.41, 9.40),
    }


@pytest.mark.parametrize(
    "day", [datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC)]
)
@pytest.mark.parametrize("kind", ["with season", "without season", "dlms"])
async def test_gap_over_a_change_of_the_clock(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    *,
    day: datetime,
    kind: str,
) -> None:
    """The clock changes at 1:00 UTC; slices begin and end in the hour that comes twice."""
    monkeypatch.setattr(reading, "_PAUSE", 0)
    household = SteadyHousehold(Decimal(100_000))
    simulated = DlmsMeter(household=household)
    if kind != "dlms":
        memory = Memory(channels=("1.8.0",), seasons=kind == "with season")
        simulated = IecMeter(memory, household=household)  # type: ignore[assignment]
    meter = ProfiledMeter(hass, freezer, simulated)
    start = day - timedelta(hours=4)
    await meter.begin(start)
    await meter.live(start + timedelta(minutes=40), start + timedelta(minutes=76))
    await meter.switch_off(start + timedelta(minutes=77))
    back = day + timedelta(hours=5, minutes=17)
    await meter.switch_on(back)
    await meter.live(back + timedelta(minutes=3), back + timedelta(minutes=42))
    await meter.compile_until(day + timedelta(hours=6, minutes=1))
    await meter.import_at(day + timedelta(hours=6, minutes=5, seconds=10))
    rows = await meter.rows()
    for hour in range(1, 9):
        end = start + timedelta(hours=hour + 1)
        state = 100_000 + 1.2 * ((end - START) / timedelta(hours=1))
        assert rows[end - timedelta(hours=1)][0] == pytest.approx(state, abs=0.0011)
    assert changes(rows)[1:8] == 7 * [1.2]


def profile(
    values: Callable[[datetime], str],
    start: datetime,
    count: int,
    *,
    unit: str = "kWh",
    code: str = "1-0:1.8.0*255",
    period: timedelta = QUARTER,
    zone: ZoneInfo = BERLIN,
) -> list[Interval]:
    """Return a profile of one channel: values by the end of their period."""
    found = []
    for number in range(1, count + 1):
        end = start + number * period
        local = end.astimezone(zone).replace(tzinfo=None)
        register = Register(Obis.parse(code), Decimal(values(end)), unit)
        found.append(Interval(local - period, local, None, end, "00", (register,)))
    return found


def gap(last: Sample, *after: Sample) -> Gap:
    return Gap(KEY, "kWh", (last,), after, timedelta(minutes=1))


NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def steady(time: datetime) -> Decimal:
    """Return the register of a house that draws 1.2 kW."""
    return Decimal(1000) + Decimal("1.2") * Decimal((time - NOON) / timedelta(hours=1))


def samples(*times: datetime) -> tuple[Sample, ...]:
    return tuple(Sample(time, steady(time).quantize(Decimal("0.001"))) for time in times)


def test_register_in_a_channel_of_interval_energy_is_found_by_its_values() -> None:
    rows = profile(lambda end: f"{steady(end):.3f}", NOON, 40, code="1-0:1.29.0*255")
    last, *after = samples(NOON + timedelta(minutes=17), NOON + timedelta(hours=5, minutes=16))
    found = best_series(gap(last, *after), channels(rows), [KEY])
    assert isinstance(found, Series)
    assert found.kind is Kind.REGISTER


def test_profile_that_rises_less_than_the_register() -> None:
    rows = profile(lambda _: "0.25", NOON, 40, code="1-0:1.29.0*255")
    last, *after = samples(NOON + timedelta(minutes=17), NOON + timedelta(hours=5, minutes=16))
    found = best_series(gap(last, *after), channels(rows), [KEY])
    assert isinstance(found, Disagreement)
    assert found.register_rise == Decimal("5.980")
    assert found.channel_rise == Decimal("4.75")


def test_energies_behind_a_hole_have_no_value_without_a_live_one() -> None:
    rows = profile(lambda _: "0.3", NOON, 24, code="1-0:1.29.0*255")
    del rows[8:12], rows[12:14]
    last, *after = samples(NOON + timedelta(minutes=17), NOON + timedelta(hours=5, minutes=46))
    found = best_series(gap(last, *after), channels(rows), [KEY])
    assert isinstance(found, Series)
    assert found.at(NOON + timedelta(hours=1)) == (
        NOON + timedelta(hours=1),
        steady(NOON + timedelta(hours=1)),
        Anchor.BOTH,
    )
    assert found.at(NOON + timedelta(hours=3, minutes=30)) is None


def test_invalid_rows_are_holes() -> None:
    rows = profile(lambda end: f"{steady(end):.3f}", NOON, 24)
    rows[7] = Interval(rows[7].start, rows[7].end, None, rows[7].end_utc, "04", rows[7].values)
    last, *after = samples(NOON + timedelta(minutes=17), NOON + timedelta(hours=5, minutes=46))
    found = best_series(gap(last, *after), channels(rows), [KEY])
    assert isinstance(found, Series)
    assert found.at(NOON + timedelta(hours=2)) is None
    assert found.at(NOON + timedelta(hours=3)) is not None


@pytest.mark.parametrize(
    ("start", "hours"),
    [(datetime(2026, 10, 25, 0, tzinfo=UTC), 25), (datetime(2027, 3, 27, 23, tzinfo=UTC), 23)],
)
def test_days_of_change(start: datetime, hours: int) -> None:
    """Each hour of UTC has its own value, though an hour comes twice or is left out."""
    rows = profile(lambda end: f"{(end - start) / timedelta(hours=1) + 5:.3f}", start, 4 * hours)
    (channel,) = channels(rows).values()
    assert [period.end - period.start for period in channel.periods] == 4 * hours * [QUARTER]
    assert channel.periods[-1].end == start + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "period"),
    [
        ("Asia/Kolkata", timedelta(minutes=15)),
        ("Asia/Kolkata", timedelta(minutes=60)),
        ("Asia/Kathmandu", timedelta(minutes=30)),
        ("Asia/Kathmandu", timedelta(minutes=15)),
    ],
)
def test_full_hours_of_utc_in_other_zones(zone: str, period: timedelta) -> None:
    midnight = datetime(2026, 11, 2, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    count = timedelta(days=1) // period
    rows = profile(
        lambda end: f"{steady(end):.6f}", midnight, count, period=period, zone=ZoneInfo(zone)
    )
    last, *after = samples(midnight + timedelta(minutes=17), midnight + timedelta(hours=22))
    found = best_series(gap(last, *after), channels(rows), [KEY])
    assert isinstance(found, Series)
    noon = NOON.replace(hour=2)
    for hour in range(12):
        boundary = found.at(noon + timedelta(hours=hour))
        assert boundary is not None
        assert boundary.amount == steady(noon + timedelta(hours=hour))
