"""Gaps of a recorded total are filled from the profile of a simulated meter: row by row.

The meter has counted 1000 kWh at 10:00 on 2 November, and counts 1.2 kWh in each hour. Rows are in
kWh, state and sum; each holds what the meter has shown half a minute to five minutes before its
hour has ended, or exactly then where it comes from the profile.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import override

import pytest

from custom_components.onemeter.const import (
    CONF_BALANCING_PERIOD,
    CONF_PEAK_FROM,
    CONF_PEAK_PERIOD,
    CONF_PEAK_UNTIL,
)
from custom_components.onemeter.history.recorder_task import async_in_recorder
from custom_components.onemeter.history.records import undo
from custom_components.onemeter.totals import async_start_over
from homeassistant.components.recorder.db_schema import StatisticsShortTerm
from homeassistant.core import HomeAssistant
from simulator.household import Energy, Household
from tests.helpers.load_profile import (
    DlmsMeter,
    IecMeter,
    ProfiledMeter,
    Rows,
    SteadyHousehold,
    in_kwh,
)

_KWH = 36_000_000


def at(text: str, day: int = 2) -> datetime:
    """Return a time of day in November 2026."""
    return datetime.combine(date(2026, 11, day), time.fromisoformat(text.zfill(5)), UTC)


def seconds(text: str, day: int = 2) -> int:
    return int(at(text, day).timestamp())


@pytest.fixture(params=[IecMeter, DlmsMeter], ids=["iec62056", "dlms"])
def simulated(request: pytest.FixtureRequest) -> IecMeter | DlmsMeter:
    meter: IecMeter | DlmsMeter = request.param()
    return meter


def shown(rows: Rows, since: str = "12:00") -> dict[str, tuple[float, float]]:
    return {
        f"{start:%H:%M}": (round(state, 2), round(total, 2))
        for start, (state, total) in rows.items()
        if start >= at(since)
    }


def changes(rows: Rows) -> list[float]:
    return [round(later[1] - earlier[1], 2) for earlier, later in pairwise(rows.values())]


async def go_off(meter: ProfiledMeter, off: str, on: str, until: str = "17:59") -> None:
    """Let Home Assistant be off for a time."""
    await meter.live(at("10:00:30"), at(off) - timedelta(seconds=1))
    await meter.switch_off(at(off))
    await meter.switch_on(at(on) + timedelta(seconds=21))
    await meter.live(at(on) + timedelta(seconds=60), at(until))


BEFORE_S4 = {
    "12:00": (1002.74, 2.73),
    "13:00": (1002.74, 2.73),
    "14:00": (1002.74, 2.73),
    "15:00": (1002.74, 2.73),
    "16:00": (1002.74, 2.73),
    "17:00": (1009.51, 9.50),
}
S4 = {
    "12:00": (1003.60, 3.59),
    "13:00": (1004.80, 4.79),
    "14:00": (1006.00, 5.99),
    "15:00": (1007.20, 7.19),
    "16:00": (1008.40, 8.39),
    "17:00": (1009.51, 9.50),
}


async def test_s1_off_within_an_hour(meter: ProfiledMeter) -> None:
    await go_off(meter, "12:17", "12:37", "12:59")
    await meter.compile_until(at("13:01"))
    before = await meter.all_rows()
    await meter.import_at(at("13:05:10"))
    assert await meter.all_rows() == before
    assert shown(await meter.rows()) == {"12:00": (1003.51, 3.50)}


@pytest.mark.parametrize("on", ["13:07", "13:17"])
async def test_s2_s3_off_over_the_end_of_an_hour(meter: ProfiledMeter, on: str) -> None:
    await go_off(meter, "12:17", on, "13:59")
    await meter.compile_until(at("14:01"))
    assert shown(await meter.rows()) == {"12:00": (1002.74, 2.73), "13:00": (1004.71, 4.70)}
    await meter.import_at(at("14:05:10"))
    assert shown(await meter.rows()) == {"12:00": (1003.60, 3.59), "13:00": (1004.71, 4.70)}


async def test_s4_s9_off_for_hours(meter: ProfiledMeter) -> None:
    meter.compiles_all = True
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    before = await meter.all_rows()
    five_minutes = await meter.all_rows(StatisticsShortTerm)
    assert shown(await meter.rows()) == BEFORE_S4
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4
    assert changes(await meter.rows())[1:] == [1.29, 1.2, 1.2, 1.2, 1.2, 1.11]
    untouched = await meter.all_rows(StatisticsShortTerm)
    assert untouched[: len(five_minutes)] == five_minutes

    after = await meter.all_rows()
    outcomes = await meter.importer.async_import(at("10:00"), at("18:05"), dry_run=False)
    assert all(outcome.plan.is_empty for outcome in outcomes)
    assert await meter.all_rows() == after

    assert await meter.importer.async_undo() == (5, 0)
    assert await meter.all_rows() == before
    with pytest.raises(LookupError):
        await meter.importer.async_undo()


async def test_house_with_panels(meter: ProfiledMeter) -> None:
    """What was used and fed in by a house that does both: no watt hour is in another hour."""
    household = Household()
    meter.client.meter.household = household
    meter.client.has_export = True
    if isinstance(meter.client.meter, IecMeter):
        meter.client.meter.memory.channels = ("1.8.0", "2.8.0")
    else:
        meter.client.meter.profile.registers = ("1-0:1.8.0*255", "1-0:2.8.0*255")
    await go_off(meter, "11:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    for entity, place in (("sensor.meter_energy_import", 0), ("sensor.meter_energy_export", 1)):
        rows = await meter.rows(entity)
        for hour in range(11, 17):
            energy = household.energy(seconds(f"{hour + 1}:00"))[place]
            assert rows[at(f"{hour}:00")][0] == float(in_kwh(energy))
        assert [later[1] - earlier[1] for earlier, later in pairwise(rows.values())] == [
            pytest.approx(later[0] - earlier[0], abs=1e-6)
            for earlier, later in pairwise(rows.values())
        ]
    means = await meter.means("sensor.meter_power_derived")
    imported, exported = (
        later - earlier
        for earlier, later in zip(
            household.energy(seconds("13:00")), household.energy(seconds("14:00")), strict=True
        )
    )
    assert means[at("13:00")][0] == pytest.approx((imported - exported) / 36_000, abs=2)


async def test_power_of_an_outage(meter: ProfiledMeter) -> None:
    """The recorder repeats the last power for hours."""
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    before = await meter.all_rows()
    entity = "sensor.meter_power_derived"
    assert len(await meter.means(entity)) == 8
    await meter.set_means(entity, 4321)
    assert set((await meter.means(entity)).values()) == {(4321, 4321, 4321)}
    await meter.import_at(at("18:05:10"))
    means = await meter.means(entity)
    assert {f"{start:%H}": row for start, row in means.items()} == {
        **dict.fromkeys(("10", "11", "17"), (4321, 4321, 4321)),
        **dict.fromkeys(("12", "13", "14", "15", "16"), (1200, 1200, 1200)),
    }
    await meter.importer.async_undo()
    assert set((await meter.means(entity)).values()) == {(4321, 4321, 4321)}
    assert len(await meter.all_rows()) == len(before)


async def test_s5_unavailable(meter: ProfiledMeter) -> None:
    await meter.live(at("10:00:30"), at("11:16"))
    await meter.become_unavailable(at("11:17"))
    await meter.read_at(at("14:17:21"))
    await meter.live(at("14:20"), at("14:59"))
    await meter.compile_until(at("15:01"))
    before = await meter.all_rows()
    assert shown(await meter.rows(), "11:00") == {
        "11:00": (1001.54, 1.53),
        "14:00": (1005.91, 5.90),
    }
    await meter.import_at(at("15:05:10"))
    assert shown(await meter.rows(), "11:00") == {
        "11:00": (1002.40, 2.39),
        "12:00": (1003.60, 3.59),
        "13:00": (1004.80, 4.79),
        "14:00": (1005.91, 5.90),
    }
    assert changes(await meter.rows()) == [1.29, 1.2, 1.2, 1.11]
    assert await meter.importer.async_undo() == (3, 0)
    assert await meter.all_rows() == before


async def test_s6_off_for_twelve_days(meter: ProfiledMeter) -> None:
    await meter.live(at("10:00:30"), at("11:16"))
    await meter.switch_off(at("11:17"))
    meter.freezer.move_to(at("11:20:10"))
    await meter.compile()
    await meter.switch_on(at("11:17:21", 14), flat_since=at("11:00", 4))
    await meter.live(at("11:20", 14), at("11:59", 14))
    await meter.compile_until(at("12:01", 14))
    before = await meter.rows()
    assert len(before) == 1 + 240 + 1
    assert list(before.values())[1:-1] == 240 * [(1001.54, 1.53)]
    await meter.import_at(at("12:05:10", 14))
    rows = await meter.rows()
    assert len(rows) == 1 + 288 + 1
    assert changes(rows) == [1.29, *287 * [1.2], 1.11]
    assert rows[at("10:00", 14)] == (1346.8, 346.79)
    assert rows[at("11:00", 14)] == before[at("11:00", 14)] == (1347.91, 347.9)


async def test_s7_unavailable_for_twelve_days(meter: ProfiledMeter) -> None:
    await meter.live(at("10:00:30"), at("11:56"))
    await meter.become_unavailable(at("11:57"))
    await meter.compile_until(at("12:01"))
    await meter.purge_five_minutes()
    meter.freezer.move_to(at("11:56", 14))
    await meter.skip_to(at("11:55", 14))
    await meter.read_at(at("11:57:21", 14))
    await meter.compile_until(at("12:01", 14))
    before = await meter.all_rows()
    assert list((await meter.rows()).values())[1:] == [(1002.34, 2.33), (1347.947, 0)]
    await meter.live(at("12:05:30", 14), at("12:16", 14))
    await meter.import_at(at("12:20:10", 14))
    rows = await meter.rows()
    assert len(rows) == 290
    assert changes(rows) == [1.29, *287 * [1.2], 1.15]
    assert rows[at("11:00", 14)] == (1347.947, 347.937)

    await meter.live(at("12:25:30", 14), at("12:59", 14))
    await meter.compile_until(at("13:01", 14))
    rows = await meter.rows()
    assert rows[at("12:00", 14)] == (1349.11, 349.1)
    await meter.importer.async_undo()
    undone = await meter.all_rows()
    assert [row for row in undone if row in before] == before
    assert (await meter.rows())[at("12:00", 14)] == (1349.11, 1.163)


async def test_s8_before_the_first_row(meter: ProfiledMeter) -> None:
    lost = range(seconds("5:00") + 1)
    meter.client.meter.remembered.lost = lost
    await meter.live(at("10:00:30"), at("11:59"))
    await meter.compile_until(at("12:01"))
    before = await meter.all_rows()
    assert shown(await meter.rows(), "00:00") == {
        "10:00": (1001.11, 1.10),
        "11:00": (1002.31, 2.30),
    }
    await meter.importer.async_import(at("0:00", 1), at("12:05"), dry_run=False)
    rows = await meter.rows()
    assert shown(rows, "00:00") == {
        "05:00": (995.20, 0),
        "06:00": (996.40, 1.2),
        "07:00": (997.60, 2.4),
        "08:00": (998.80, 3.6),
        "09:00": (1000.00, 4.8),
        "10:00": (1001.11, 5.91),
        "11:00": (1002.31, 7.11),
    }
    assert changes(rows) == [1.2, 1.2, 1.2, 1.2, 1.11, 1.2]
    await meter.importer.async_undo()
    assert await meter.all_rows() == before


async def test_s10_hour_that_is_not_compiled(meter: ProfiledMeter) -> None:
    await go_off(meter, "12:17", "16:58", "16:58:50")
    meter.freezer.move_to(at("17:00:05"))
    await meter.importer.async_import(at("12:00"), at("17:00"), dry_run=False)
    assert shown(await meter.rows()) == {hour: S4[hour] for hour in list(S4)[:4]}
    meter.freezer.move_to(at("17:00:10"))
    await meter.compile()
    assert shown(await meter.rows())["16:00"] == (1008.37, 8.36)
    assert changes(await meter.rows())[1:4] == [1.29, 1.2, 1.2]


async def test_s11_clock_that_is_ahead(meter: ProfiledMeter) -> None:
    meter.client.meter.ahead = 180
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4


async def test_s12_power_cut(meter: ProfiledMeter) -> None:
    cut = seconds("14:03"), seconds("14:10")
    meter.client.meter.household = SteadyHousehold(cuts=[cut])
    meter.client.meter.remembered.outages = [cut]
    meter.client.meter.remembered.partial_rows = True
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == {
        "12:00": (1003.60, 3.59),
        "13:00": (1004.80, 4.79),
        "14:00": (1005.86, 5.85),
        "15:00": (1007.06, 7.05),
        "16:00": (1008.26, 8.25),
        "17:00": (1009.37, 9.36),
    }


async def test_s13_lost_rows(meter: ProfiledMeter) -> None:
    meter.client.meter.remembered.lost = range(seconds("13:45"), seconds("15:15") + 1)
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4 | {"13:00": (1003.60, 3.59), "14:00": (1003.60, 3.59)}
    assert changes(await meter.rows())[1:] == [1.29, 0, 0, 3.6, 1.2, 1.11]


class ReplacedMeter(Household):
    """The meter is replaced by a new one, which begins with zero."""

    def __init__(self, household: Household, when: int) -> None:
        super().__init__()
        self.before, self.when = household, when

    @override
    def energy(self, time: int) -> Energy:
        energy = self.before.energy(time)
        if time < self.when:
            return energy
        return Energy(energy.imported - self.before.energy(self.when).imported, 0)


async def test_s14_new_meter(hass: HomeAssistant, meter: ProfiledMeter) -> None:
    # Its step is removed from the rows of five minutes.
    meter.compiles_all = True
    replaced = seconds("15:00")
    meter.client.meter.household = ReplacedMeter(SteadyHousehold(), replaced)
    meter.client.meter.remembered.lost = range(replaced + 1)
    await meter.live(at("10:00:30"), at("12:16"))
    await meter.switch_off(at("12:17"))
    await async_start_over(hass, meter.entry.entry_id)
    await meter.switch_on(at("17:17:21"))
    await meter.live(at("17:20:30"), at("17:59"))
    await meter.compile_until(at("18:01"))
    # First its step is taken out of the sums.
    await meter.import_at(at("18:05:10"))
    await meter.import_at(at("18:10:10"))
    assert shown(await meter.rows()) == {
        "12:00": (1002.74, 2.73),
        "13:00": (1002.74, 2.73),
        "14:00": (1002.74, 2.73),
        "15:00": (1.20, 3.93),
        "16:00": (2.40, 5.13),
        "17:00": (3.51, 6.24),
    }
    assert changes(await meter.rows())[1:] == [0.43, 0, 0, 1.2, 1.2, 1.11]


async def test_before_any_row(meter: ProfiledMeter) -> None:
    """The recorder goes on from the imported rows; after undoing, as if there were none."""
    meter.client.meter.remembered.lost = range(seconds("5:00") + 1)
    await meter.live(at("10:00:30"), at("10:03"))
    assert await meter.all_rows() == []
    dry = await meter.importer.async_import(at("0:00", 1), at("10:02"), dry_run=True)
    assert [len(outcome.plan.changes) for outcome in dry] == [5]
    assert await meter.rows() == {}
    await meter.importer.async_import(at("0:00", 1), at("10:02"), dry_run=False)
    imported = {
        "05:00": (995.20, 0),
        "06:00": (996.40, 1.2),
        "07:00": (997.60, 2.4),
        "08:00": (998.80, 3.6),
        "09:00": (1000.00, 4.8),
    }
    assert shown(await meter.rows(), "00:00") == imported
    await meter.live(at("10:15:30"), at("11:59"))
    await meter.compile_until(at("12:01"))
    live = {"10:00": (1001.11, 5.91), "11:00": (1002.31, 7.11)}
    assert shown(await meter.rows(), "00:00") == imported | live
    again = await meter.importer.async_import(at("0:00", 1), at("12:00:30"), dry_run=False)
    assert all(outcome.plan.is_empty for outcome in again)
    await meter.importer.async_undo()
    assert shown(await meter.rows(), "00:00") == {"10:00": (1001.11, 1.10), "11:00": (1002.31, 2.3)}


async def test_undone_before_the_recorder_has_made_a_row(meter: ProfiledMeter) -> None:
    meter.client.meter.remembered.lost = range(seconds("5:00") + 1)
    await meter.live(at("10:00:30"), at("10:03"))
    await meter.importer.async_import(at("0:00", 1), at("10:02"), dry_run=False)
    await meter.importer.async_undo()
    assert await meter.all_rows() == []
    assert await meter.all_rows(StatisticsShortTerm) == []
    await meter.live(at("10:15:30"), at("10:59"))
    await meter.compile_until(at("11:01"))
    assert shown(await meter.rows(), "00:00") == {"10:00": (1001.11, 1.10)}


class SwitchingHousehold(Household):
    """A house that imports or feeds in for a quarter of an hour at a time."""

    #: W, from the beginning of the day on; again after the last one.
    powers = (2000, -1200, 800, -1600, 400, -800, 1600)

    @override
    def energy(self, time: int) -> Energy:
        quarters, rest = divmod(time - seconds("0:00", 1), 900)
        rounds, place = divmod(quarters, len(self.powers))
        totals = []
        for sign in (1, -1):
            powers = [max(sign * power, 0) for power in self.powers]
            whole = rounds * sum(powers) + sum(powers[:place])
            totals.append(1000 * _KWH + 10 * (900 * whole + rest * powers[place]))
        return Energy(*totals)


@pytest.mark.parametrize(("minutes", "on"), [("15", "17:17"), ("60", "17:17"), ("15", "11:57")])
async def test_balanced_energy_of_a_gap(meter: ProfiledMeter, minutes: str, on: str) -> None:
    """Each period is settled by itself, in its hour; undone, all rows are as before."""
    household = SwitchingHousehold()
    meter.client.meter.household = household
    meter.client.has_export = True
    if isinstance(meter.client.meter, IecMeter):
        meter.client.meter.memory.channels = ("1.8.0", "2.8.0")
    else:
        meter.client.meter.profile.registers = ("1-0:1.8.0*255", "1-0:2.8.0*255")
    meter.make_entry(options={**meter.entry.options, CONF_BALANCING_PERIOD: minutes})
    length = int(minutes) * 60
    await read_around(meter, "10:00", "11:17")
    await meter.switch_off(at("11:17"))
    await meter.switch_on(at(on) + timedelta(seconds=21))
    await read_around(meter, on, "18:10")
    await meter.compile_until(at("18:11"))
    meter.freezer.move_to(at("18:15:10"))
    await meter.compile()
    before = await meter.all_rows(), await meter.all_rows(StatisticsShortTerm)
    await meter.import_at(at("18:15:10"))
    expected = {hour: [Decimal(0), Decimal(0)] for hour in range(10, 18)}
    for begin in range(seconds("10:00"), seconds("18:00"), length):
        imported, exported = (
            in_kwh(later) - in_kwh(earlier)
            for earlier, later in zip(
                household.energy(begin), household.energy(begin + length), strict=True
            )
        )
        hour = expected[begin % 86_400 // 3600]
        hour[0] += max(imported - exported, Decimal(0))
        hour[1] += max(exported - imported, Decimal(0))
    for side, entity in enumerate(("balanced_import", "balanced_export")):
        rows = await meter.rows(f"sensor.meter_{entity}")
        totals = [total for _, total in rows.values()]
        rises = [later - earlier for earlier, later in pairwise(totals)]
        assert rises == [
            pytest.approx(float(expected[hour][side]), abs=0.012) for hour in range(11, 18)
        ]
    written = await meter.all_rows()
    again = await meter.importer.async_import(at("10:00"), at("18:15"), dry_run=True)
    assert all(outcome.plan.is_empty for outcome in again)
    assert await meter.all_rows() == written
    record = meter.importer.imports.imports[-1]
    assert record.period == (at("11:00"), at("17:00") if on == "17:17" else at("12:00"))
    restored, changed = await meter.importer.async_undo()
    assert (restored >= record.hours, changed) == (True, 0)
    assert (await meter.all_rows(), await meter.all_rows(StatisticsShortTerm)) == before
    # After a crash it is unknown whether that was done, or whether anything was written.
    for item in record.records:
        done = await async_in_recorder(meter.hass, partial(undo, record=item))
        assert done[0] == 0
    assert (await meter.all_rows(), await meter.all_rows(StatisticsShortTerm)) == before


class SpikyHousehold(SteadyHousehold):
    """A house that draws 3 kW more from 14:15 to 14:30."""

    @override
    def energy(self, time: int) -> Energy:
        more = min(max(time - seconds("14:15"), 0), 900) * 30_000
        total = super().energy(time)
        return total._replace(imported=total.imported + more)


@pytest.mark.parametrize(
    ("options", "power", "measured_at"),
    [
        ({CONF_PEAK_PERIOD: "15"}, 4200, "14:30"),
        ({CONF_PEAK_PERIOD: "60"}, 1950, "15:00"),
        # 14:15 at the meter is 15:15 here.
        ({CONF_PEAK_PERIOD: "15", CONF_PEAK_FROM: 16, CONF_PEAK_UNTIL: 22}, 1200, None),
    ],
)
async def test_peak_in_a_gap(
    meter: ProfiledMeter, options: dict[str, object], power: int, measured_at: str | None
) -> None:
    """It is the profile's, once, in the hours that count; nothing of it is known before."""
    meter.client.meter.household = SpikyHousehold()
    meter.make_entry(options={**meter.entry.options, **options})
    peak = "sensor.meter_peak_of_this_month"
    await read_around(meter, "10:00", "11:17")
    await meter.switch_off(at("11:17"))
    await meter.switch_on(at("17:17:21"))
    await read_around(meter, "17:17", "18:17")
    before = meter.hass.states.get(peak)
    assert before is not None
    assert before.attributes.get("missed_periods") in {None, 26}
    await meter.compile_until(at("18:18"))
    await meter.importer.async_import(at("10:00"), at("18:18"), dry_run=True)
    assert meter.hass.states.get(peak) == before
    for due in ("18:20:10", "18:25:10"):
        await meter.import_at(at(due))
        after = meter.hass.states.get(peak)
        assert after is not None
        # The first period of all had begun before.
        assert after.attributes["missed_periods"] <= 1
        assert float(after.state) == power
        if measured_at is not None:
            local = datetime.fromisoformat(after.attributes["measured_at"])
            assert local == at(measured_at)


async def read_around(meter: ProfiledMeter, start: str, end: str) -> None:
    """Read a meter a second before each quarter of an hour ends, and behind it."""
    time = at(start)
    while time <= at(end):
        for offset in (-1, 30):
            read = time + timedelta(seconds=offset)
            if at(start) <= read <= at(end):
                await meter.read_at(read)
        time += timedelta(minutes=15)
        time = time.replace(minute=time.minute // 15 * 15)
