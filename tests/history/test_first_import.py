"""What a new entry imports of its meter's profile, and how it goes on after a restart."""

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import override

from hypothesis import example, given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.onemeter.const import CONF_IMPORT_DAYS
from custom_components.onemeter.history import span_memory
from custom_components.onemeter.history.intervals import channels
from custom_components.onemeter.history.reading import ProfileSpan
from custom_components.onemeter.meter import Interval, LoadProfiles, Obis, Register
from custom_components.onemeter.meter.errors import MeterSilentError
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED, EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from tests.helpers.load_profile import START, ProfiledClient, ProfiledMeter

from .test_scenarios import at, changes

PROGRESS = "sensor.meter_load_profile_import"
DAYS = 3


class ClientThatFails(ProfiledClient):
    """A client whose meter is silent after some slices of the profile."""

    slices_left = 1000

    @override
    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        if not self.slices_left:
            raise MeterSilentError("silent", port="port")
        self.slices_left -= 1
        return await super().read_energy_profiles(start, end, zone)


@pytest.fixture
async def meter(hass: HomeAssistant, new_meter: ProfiledMeter) -> ProfiledMeter:
    """Return a new entry, which wants three days of its meter's profile."""
    meter = new_meter
    meter.client = ClientThatFails(hass, meter.client.meter)
    meter.make_entry(options={**meter.entry.options, CONF_IMPORT_DAYS: DAYS})
    await meter.begin()
    return meter


async def announce(meter: ProfiledMeter, time: datetime) -> None:
    """Let the recorder announce its rows at a time."""
    meter.freezer.move_to(time)
    await meter.compile()
    await meter.settle()
    meter.hass.bus.async_fire(EVENT_RECORDER_5MIN_STATISTICS_GENERATED)
    await meter.imported()


async def test_new_entry_imports_what_its_meter_remembers(meter: ProfiledMeter) -> None:
    seen = async_capture_events(meter.hass, EVENT_STATE_CHANGED)
    await meter.live(START, at("10:31"))
    await announce(meter, at("10:35:10"))
    rows = await meter.rows()
    # The first row is that of the register at the beginning.
    assert len(rows) == 24 * DAYS + 1
    assert next(iter(rows)) == START - timedelta(days=DAYS, hours=1)
    assert set(changes(rows)) == {1.2}
    assert list(rows.values())[-1] == (1000, round(1.2 * 24 * DAYS, 3))
    await meter.live(at("10:55"), at("10:59"))
    await meter.compile_until(at("11:01"))
    rows = await meter.rows()
    assert rows[START] == (1001.11, round(1.2 * 24 * DAYS + 1.11, 3))
    shown = progress(seen)
    assert shown[-1] == "unknown"
    percents = [int(state) for state in shown[:-1]]
    assert percents == sorted(set(percents))
    assert len(percents) <= 11

    # It is imported once: an undone import stays undone.
    await meter.importer.async_undo()
    asked = len(meter.client.asked)
    await meter.switch_off(at("11:05:30"))
    await meter.switch_on(at("11:06"))
    await announce(meter, at("11:35:10"))
    assert len(meter.client.asked) == asked


async def test_dry_run_lists_each_hour_once(meter: ProfiledMeter) -> None:
    await meter.live(START, at("10:31"))
    start = START - timedelta(days=DAYS)
    dry = await meter.importer.async_import(start, at("10:31"), dry_run=True)
    (outcome,) = dry
    starts = [change.start for change in outcome.plan.changes]
    assert len(starts) == len(set(starts)) == 24 * DAYS + 1
    assert await meter.rows() == {}
    done = await meter.importer.async_import(start, at("10:31"), dry_run=False)
    assert [it.plan.changes for it in done] == [outcome.plan.changes]
    assert len(await meter.rows()) == 24 * DAYS + 1


@pytest.mark.parametrize("is_undone", [False, True])
async def test_action_reaches_further_back(meter: ProfiledMeter, *, is_undone: bool) -> None:
    await meter.live(START, at("10:31"))
    await announce(meter, at("10:35:10"))
    await meter.live(at("10:55"), at("10:59"))
    await meter.compile_until(at("11:01"))
    if is_undone:
        await meter.importer.async_undo()
    before = await meter.all_rows()
    start = START - timedelta(days=DAYS + 2)
    dry = await meter.importer.async_import(start, at("11:05"), dry_run=True)
    starts = [change.start for outcome in dry for change in outcome.plan.changes]
    assert len(starts) == len(set(starts))
    assert await meter.all_rows() == before
    await meter.importer.async_import(start, at("11:05"), dry_run=False)
    rows = await meter.rows()
    assert next(iter(rows)) == start - timedelta(hours=1)
    assert set(changes(rows)) == {1.2, 1.11}
    after = await meter.all_rows()
    await meter.importer.async_import(start, at("11:05"), dry_run=False)
    assert await meter.all_rows() == after
    await meter.importer.async_undo()
    assert await meter.all_rows() == before


def progress(seen: list[Event[EventStateChangedData]]) -> list[str]:
    states = [event.data["new_state"] for event in seen]
    return [state.state for state in states if state is not None and state.entity_id == PROGRESS]


async def test_statistics_of_an_earlier_entry_are_left(meter: ProfiledMeter) -> None:
    """A first row with the sum zero would be a fall behind them."""
    await meter.live(START, at("10:31"))
    await meter.compile()
    await meter.add_row(at("10:00", 1) - timedelta(days=20), state=500, total=100)
    before = await meter.all_rows()
    await announce(meter, at("10:35:10"))
    assert meter.client.asked
    assert await meter.all_rows() == before


async def test_goes_on_after_a_restart(meter: ProfiledMeter) -> None:
    client = meter.client
    assert isinstance(client, ClientThatFails)
    client.slices_left = 3
    await meter.live(START, at("10:31"))
    await announce(meter, at("10:35:10"))
    first = list(client.asked)
    assert len(first) == 3
    assert await meter.rows() == {}
    await meter.switch_off(at("10:36"))
    client.asked.clear()
    client.slices_left = 1000
    await meter.switch_on(at("10:37"))
    await meter.live(at("10:40"), at("10:46"))
    await announce(meter, at("10:50:10"))
    rows = await meter.rows()
    assert len(rows) == 24 * DAYS + 1
    assert set(changes(rows)) == {1.2}
    # What was read before is not read again, except for what has come since.
    oldest = min(start for start, _ in first)
    newest = max(end for _, end in first)
    assert all(end <= oldest or start >= newest for start, end in client.asked)


values = st.one_of(
    st.none(), st.decimals(-(10**6), 10**6, places=3), st.integers(-5, 5), st.text(max_size=3)
)
times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1))  # noqa: DTZ001


@given(st.lists(st.tuples(times, values, st.sampled_from(["", "00", "80"])), max_size=20))
# The last edition of a row differs from the first one only before both are stored.
@example([(datetime(2026, 3, 1), value, "") for value in (None, 0, "")])  # noqa: DTZ001
def test_what_was_read_is_restored(
    rows: list[tuple[datetime, Decimal | int | str | None, str]],
) -> None:
    quarter = timedelta(minutes=15)
    code = Obis.parse("1-0:1.8.0*255")
    intervals = [
        Interval(
            end - quarter,
            end,
            None,
            end.replace(tzinfo=UTC),
            status,
            (Register(None, "x", None), Register(code, value, "kWh")),
        )
        for end, value, status in rows
    ]
    span = ProfileSpan(START, START + quarter, intervals, START)
    restored = span_memory._from_dict(span_memory._as_dict(span))
    assert (restored.start, restored.end, restored.read_from) == (span.start, span.end, START)
    assert channels(restored.intervals) == channels(intervals)
