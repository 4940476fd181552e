"""A meter that does not give its load profile at present, or a part of it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_FILL_GAPS, DOMAIN
from custom_components.onemeter.meter import LoadProfiles
from custom_components.onemeter.meter.errors import ChecksumError
from homeassistant.components.recorder import Recorder
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from simulator.clock import SimulatedClockLoop
from simulator.household import Household
from simulator.iec62056.profile import Memory
from tests.helpers.load_profile import DlmsMeter, IecMeter, ProfiledClient, ProfiledMeter

from .test_scenarios import BEFORE_S4, S4, at, go_off, shown


class ClientOfSlices(ProfiledClient):
    """A client whose meter does not give some slices of its profile."""

    #: Numbers of the slices that it does not give, and how it refuses them.
    not_given: Sequence[int] = ()
    how = "refuses"

    @override
    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        setattr(self.meter, self.how, len(self.asked) in self.not_given)
        return await super().read_energy_profiles(start, end, zone)


@pytest.fixture(params=[IecMeter, DlmsMeter], ids=["iec62056", "dlms"])
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> ProfiledMeter:
    """Return a meter after a gap of five hours."""
    monkeypatch.setattr("custom_components.onemeter.history.reading._PAUSE", 0)
    meter = ProfiledMeter(hass, freezer, request.param())
    meter.client = ClientOfSlices(hass, meter.client.meter)
    await meter.begin()
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    assert shown(await meter.rows()) == BEFORE_S4
    return meter


def refuse(meter: ProfiledMeter, how: str, *slices: int) -> ClientOfSlices:
    client = meter.client
    assert isinstance(client, ClientOfSlices)
    client.how = how
    client.not_given = slices
    return client


@pytest.mark.parametrize("how", ["refuses", "seems_empty"])
async def test_slice_that_is_refused_once(meter: ProfiledMeter, how: str) -> None:
    client = refuse(meter, how, 1)
    await meter.import_at(at("18:05:10"))
    assert len(client.asked) == 3
    assert shown(await meter.rows()) == S4


@pytest.mark.parametrize("how", ["refuses", "seems_empty"])
async def test_slice_that_is_refused_for_some_time(meter: ProfiledMeter, how: str) -> None:
    """It is not taken for one without rows, nor is a part of the gap filled."""
    client = refuse(meter, how, *range(1, 100))
    before = await meter.all_rows()
    await meter.import_at(at("18:05:10"))
    assert await meter.all_rows() == before
    # Over a restart, too.
    await meter.switch_off(at("18:06:30"))
    await meter.switch_on(at("18:07"))
    await meter.live(at("18:10"), at("18:16"))
    await meter.import_at(at("18:20:10"))
    assert shown(await meter.rows()) == BEFORE_S4
    client.not_given = ()
    await meter.import_at(at("18:40:10"))
    assert shown(await meter.rows()) == S4
    after = await meter.all_rows()
    again = await meter.importer.async_import(at("10:00"), at("18:40"), dry_run=False)
    assert all(outcome.plan.is_empty for outcome in again)
    assert await meter.all_rows() == after
    assert await meter.importer.async_undo() == (5, 0)
    assert (await meter.all_rows())[: len(before)] == before


async def test_profile_that_is_refused_for_some_time(meter: ProfiledMeter) -> None:
    client = refuse(meter, "refuses", *range(3))
    await meter.import_at(at("18:05:10"))
    assert len(client.asked) == 3
    await meter.import_at(at("18:20:10"))
    assert shown(await meter.rows()) == S4


async def test_profile_that_is_always_refused(meter: ProfiledMeter) -> None:
    """The meter is left alone then."""
    client = refuse(meter, "refuses", *range(100))
    for time in ("18:05", "18:20", "18:35", "18:56"):
        await meter.read_at(at(time))
        assert [known.is_open for known in meter.importer.memory.gaps] == [True]
        await meter.import_at(at(time) + timedelta(seconds=10))
    assert [known.is_open for known in meter.importer.memory.gaps] == [False]
    asked = len(client.asked)
    await meter.import_at(at("18:59:10"))
    assert len(client.asked) == asked
    assert shown(await meter.rows()) == BEFORE_S4


async def test_gap_is_filled_while_an_older_one_is_refused(meter: ProfiledMeter) -> None:
    """It counts as filled from then on, with all samples that it was filled from."""
    await meter.read_at(at("18:05:30"))
    await meter.live(at("18:10"), at("20:16"))
    await meter.switch_off(at("20:17"))
    await meter.switch_on(at("21:17:21"))
    await meter.live(at("21:20"), at("21:59"))
    await meter.compile_until(at("22:01"))
    client = refuse(meter, "refuses", *range(2, 100))
    await meter.import_at(at("22:05:10"))
    older, newer = meter.importer.memory.gaps
    assert (older.is_open, newer.is_open) == (True, False)
    assert len(newer.gap.after) > 1
    assert shown(await meter.rows())["20:00"] == (1013.2, 13.19)
    client.not_given = ()
    await meter.import_at(at("22:20:10"))
    assert not older.is_open
    rows = shown(await meter.rows())
    assert {hour: rows[hour] for hour in S4} == S4


class InterruptedMemory(Memory):
    """A profile whose end is replaced by an error."""

    @override
    def load_profile(self, household: Household, now: int, span: tuple[int, int]) -> list[str]:
        return [*super().load_profile(household, now, span)[:-3], "(ERROR)"]


@pytest.mark.parametrize("lines_per_block", [5, 1000])
def test_answer_that_ends_with_an_error(lines_per_block: int) -> None:
    """The rows that are missing are not taken for ones that the meter does not have."""
    meter = IecMeter(InterruptedMemory(channels=("1.8.0",)), lines_per_block=lines_per_block)

    async def read() -> None:
        async with meter.client(at("18:00")) as client:
            await client.read_profile(datetime(2026, 11, 1), datetime(2026, 11, 2))  # noqa: DTZ001

    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner, pytest.raises(ChecksumError):
        runner.run(read())


@pytest.mark.parametrize("meter", [IecMeter], indirect=True)
async def test_password_that_is_rejected(
    hass: HomeAssistant, meter: ProfiledMeter, issue_registry: ir.IssueRegistry
) -> None:
    """It is sent once, not again after a restart, and the gap waits for the right one."""
    iec = meter.client.meter
    assert isinstance(iec, IecMeter)
    iec.password, iec.entered = "11111111", "00000000"
    data = {**meter.entry.data, CONF_PASSWORD: "00000000"}
    options = {**meter.entry.options, CONF_FILL_GAPS: True}
    await meter.switch_off(at("18:02:30"))
    hass.config_entries.async_update_entry(meter.entry, data=data, options=options)
    await meter.switch_on(at("18:03"))
    await meter.import_at(at("18:05:10"))
    assert await meter.importer.async_import(at("11:00"), at("11:30"), dry_run=True) == []
    assert len(meter.client.asked) == 1, "there is no gap in that time"
    issue_id = f"history_rejected_{meter.entry.entry_id}"
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is not None
    flows = hass.config_entries.flow.async_progress()
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]
    await meter.switch_off(at("18:06:30"))
    await meter.switch_on(at("18:07"))
    await meter.live(at("18:10"), at("18:16"))
    await meter.import_at(at("18:20:10"))
    assert len(meter.client.asked) == 1
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is not None
    assert [known.is_open for known in meter.importer.memory.gaps] == [True]

    await meter.switch_off(at("18:21:30"))
    iec.entered = iec.password
    data = {**meter.entry.data, CONF_PASSWORD: iec.password}
    hass.config_entries.async_update_entry(meter.entry, data=data)
    await meter.switch_on(at("18:22"))
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None
    await meter.live(at("18:25:30"), at("18:31"))
    await meter.import_at(at("18:35:10"))
    rows = shown(await meter.rows())
    assert {hour: rows[hour] for hour in S4} == S4
    for flow in hass.config_entries.flow.async_progress():
        hass.config_entries.flow.async_abort(flow["flow_id"])
