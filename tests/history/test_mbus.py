"""Gaps of meters on the M-Bus are filled from their hourly profiles (0-n:24.3.0), in m³.

The electricity meter fetches a value at each full hour, so that live rows hold the value of the
hour's beginning, and rows from the profile that of its end.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.meter import LoadProfiles
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from simulator.dlms import MbusMeter, Profile
from tests.helpers.load_profile import START, DlmsMeter, ProfiledClient, ProfiledMeter, refused

from .test_scenarios import S4, at, go_off, shown

ENTITIES = {1: "sensor.gas_meter_total", 2: "sensor.water_meter_total"}
HOUR = timedelta(hours=1)
#: The ends of rows that the electricity meter has not fetched yet.
NOT_YET: set[int] = set()
#: Channels whose profiles the electricity meter does not give.
REFUSED: set[int] = set()


class LateMeter(MbusMeter):
    """A meter whose newest row comes late."""

    @property
    @override
    def profile(self) -> Profile:
        return replace(super().profile, lost=NOT_YET)


class RefusingMeter(MbusMeter):
    """A meter whose profile the electricity meter does not give at present."""

    @property
    @override
    def profile(self) -> Profile:
        found = super().profile
        return refused(found) if self.channel in REFUSED else found


GAS = RefusingMeter(first=5_000_000)
WATER = RefusingMeter(channel=2, device_type=7, number="00004711", first=900)


class ClientOfSlices(ProfiledClient):
    """A client whose meter does not give some slices of the profiles of meters on its M-Bus."""

    #: Channels that are refused in a slice, by its number.
    not_given: Callable[[int], Collection[int]] = staticmethod(lambda _: ())
    #: Numbers of the slices for which the meter's own profile seems to have no rows.
    empty: Collection[int] = ()

    @override
    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        REFUSED.clear()
        REFUSED.update(self.not_given(len(self.asked)))
        self.meter.seems_empty = len(self.asked) in self.empty
        return await super().read_energy_profiles(start, end, zone)


def value(meter: MbusMeter, time: datetime) -> float:
    return float(Decimal(meter.captured("", int(time.timestamp()))).scaleb(-3))


@pytest.fixture(params=[900, 3600], ids=["quarters", "hours"])
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> ProfiledMeter:
    """Return a meter of which the load profile has this capture period."""
    monkeypatch.setattr("custom_components.onemeter.history.reading._PAUSE", 0)
    profile = Profile(registers=("1-0:1.8.0*255",), period=request.param)
    meter = ProfiledMeter(hass, freezer, DlmsMeter(profile, mbus=(GAS, WATER)))
    meter.client = ClientOfSlices(hass, meter.client.meter)
    await meter.begin()
    return meter


async def test_hours_of_a_gap(hass: HomeAssistant, meter: ProfiledMeter) -> None:
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    before = {entity: await meter.rows(entity) for entity in ENTITIES.values()}
    flat = [before[ENTITIES[1]][at(f"{hour}:00")][0] for hour in (12, 13, 14, 15, 16)]
    assert flat == [value(GAS, at("12:00"))] * 5
    all_before = await meter.all_rows()
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4
    for number, source in ((1, GAS), (2, WATER)):
        state = hass.states.get(ENTITIES[number])
        assert state is not None
        assert state.attributes["unit_of_measurement"] == "m³"
        rows = await meter.rows(ENTITIES[number])
        first = rows[START][0] - rows[START][1]
        for hour in range(12, 17):
            end = at(f"{hour}:00") + HOUR
            assert rows[at(f"{hour}:00")] == pytest.approx(
                (value(source, end), value(source, end) - first), abs=0.0005
            )
        # The live value at the end of this hour is that of its beginning.
        assert rows[at("17:00")] == before[ENTITIES[number]][at("17:00")]
    restored, changed = await meter.importer.async_undo()
    assert restored > 0
    assert changed == 0
    assert await meter.all_rows() == all_before


async def test_row_that_comes_later_is_waited_for(meter: ProfiledMeter) -> None:
    gas = LateMeter(first=5_000_000)
    meter.client.meter.mbus = (gas,)  # type: ignore[union-attr]
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    NOT_YET.update(int(at(hour).timestamp()) for hour in ("17:00", "18:00"))
    before = await meter.rows(ENTITIES[1])
    await meter.import_at(at("18:05:10"))
    NOT_YET.clear()
    assert await meter.rows(ENTITIES[1]) == before
    assert shown(await meter.rows()) == S4, "electricity is filled meanwhile"
    await meter.import_at(at("18:10:10"))
    rows = await meter.rows(ENTITIES[1])
    for hour in range(12, 17):
        expected = value(gas, at(f"{hour}:00") + HOUR)
        assert rows[at(f"{hour}:00")][0] == pytest.approx(expected, abs=0.0005)


async def off_for_hours(
    meter: ProfiledMeter, not_given: Callable[[int], Collection[int]]
) -> ClientOfSlices:
    """Return the client after a gap of five hours, with the channels that are then refused."""
    await go_off(meter, "12:17", "17:17")
    await meter.compile_until(at("18:01"))
    client = meter.client
    assert isinstance(client, ClientOfSlices)
    client.not_given = not_given
    return client


async def filled(meter: ProfiledMeter) -> set[MbusMeter]:
    """Return the meters whose gaps are filled; none is filled in part, and all others are flat."""
    found: set[MbusMeter] = set()
    for number, source in ((1, GAS), (2, WATER)):
        rows = await meter.rows(ENTITIES[number])
        states = [rows[at(f"{hour}:00")][0] for hour in range(12, 17)]
        ends = [value(source, at(f"{hour}:00") + HOUR) for hour in range(12, 17)]
        if states == pytest.approx(ends, abs=0.0005):
            found.add(source)
        else:
            assert states == [value(source, at("12:00"))] * 5
    return found


def open_keys(meter: ProfiledMeter) -> set[str]:
    return {str(known.gap.key) for known in meter.importer.memory.open()}


@pytest.mark.parametrize("slices", [{0}, {1}, {0, 1}], ids=["newest", "older", "both"])
async def test_profile_that_is_refused_for_some_time(
    meter: ProfiledMeter, slices: set[int]
) -> None:
    """Its gap stays open, over a restart, too, while the others are filled."""
    client = await off_for_hours(meter, lambda number: {1} if number in slices else ())
    await meter.import_at(at("18:05:10"))
    assert len(client.asked) == 2
    assert shown(await meter.rows()) == S4
    assert await filled(meter) == {WATER}
    assert open_keys(meter) == {GAS.total_code}
    await meter.switch_off(at("18:06:30"))
    await meter.switch_on(at("18:07"))
    await meter.live(at("18:10"), at("18:16"))
    await meter.import_at(at("18:20:10"))
    assert await filled(meter) == {GAS, WATER}
    assert not open_keys(meter)
    after = await meter.all_rows()
    again = await meter.importer.async_import(at("10:00"), at("18:40"), dry_run=False)
    assert all(outcome.plan.is_empty for outcome in again)
    assert await meter.all_rows() == after


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_profile_that_is_always_refused(meter: ProfiledMeter) -> None:
    """It is requested a few times, at increasing intervals."""
    client = await off_for_hours(meter, lambda _: {1})
    asked = []
    for minute in range(5, 60, 5):
        await meter.import_at(at(f"18:{minute:02}:10"))
        asked.append(len(client.asked))
        assert await filled(meter) == {WATER}
    requests = [later - earlier for earlier, later in pairwise([0, *asked])]
    assert [5 * number for number, count in enumerate(requests, 1) if count] == [5, 10, 20, 40]
    assert max(requests) <= 3
    assert not open_keys(meter)


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_profiles_that_are_refused_in_turn(meter: ProfiledMeter) -> None:
    await off_for_hours(meter, lambda number: {1, 2} if number < 2 else {number % 2 + 1})
    for minute in range(5, 60, 5):
        await meter.import_at(at(f"18:{minute:02}:10"))
    assert await filled(meter) == {GAS, WATER}


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_later_gap_is_filled_meanwhile(
    meter: ProfiledMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that is refused does not delay what the meter itself has."""
    monkeypatch.setattr("custom_components.onemeter.history.rest._SHORTEST", timedelta(hours=6))
    await off_for_hours(meter, lambda _: {1})
    await meter.import_at(at("18:05:10"))
    await meter.live(at("18:06"), at("19:06"))
    await meter.become_unavailable(at("19:07"))
    await meter.live(at("20:10"), at("20:59"))
    await meter.compile_until(at("21:01"))
    await meter.import_at(at("21:05:10"))
    assert shown(await meter.rows())["19:00"] == (1012.0, 11.99)
    assert open_keys(meter) == {GAS.total_code}


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_dry_run_while_a_profile_is_refused(meter: ProfiledMeter) -> None:
    """It neither counts, nor shows a part of what is filled later."""
    client = await off_for_hours(meter, lambda number: {1} if number != 1 else ())
    for _ in range(5):
        found = await meter.importer.async_import(at("10:00"), at("18:06"), dry_run=True)
        assert {str(outcome.key) for outcome in found} == {"1-0:1.8.0*255", WATER.total_code}
    client.not_given = lambda _: ()
    await meter.import_at(at("18:05:10"))
    assert await filled(meter) == {GAS, WATER}


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_profile_of_the_meter_itself_that_seems_empty(meter: ProfiledMeter) -> None:
    """The rows of the others are no proof that it has none."""
    client = await off_for_hours(meter, lambda _: ())
    client.empty = {1}
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4
    assert await filled(meter) == {GAS, WATER}


@pytest.mark.parametrize("meter", [900], indirect=True)
async def test_refused_profile_of_no_channel(meter: ProfiledMeter) -> None:
    """0-0:24.3.0 is of no meter on the M-Bus, so that no gap waits for it."""
    meter.client.meter.mbus = (RefusingMeter(channel=0), WATER)  # type: ignore[union-attr]
    await off_for_hours(meter, lambda _: {0})
    await meter.import_at(at("18:05:10"))
    assert shown(await meter.rows()) == S4
