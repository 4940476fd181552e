"""Gaps of meters on the M-Bus are filled from their hourly profiles (0-n:24.3.0), in m³.

The electricity meter fetches a value at each full hour, so that live rows hold the value of the
hour's beginning, and rows from the profile that of its end.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from simulator.dlms import MbusMeter, Profile
from tests.helpers.load_profile import START, DlmsMeter, ProfiledMeter

from .test_scenarios import S4, at, go_off, shown

GAS = MbusMeter(first=5_000_000)
WATER = MbusMeter(channel=2, device_type=7, number="00004711", first=900)
ENTITIES = {1: "sensor.gas_meter_total", 2: "sensor.water_meter_total"}
HOUR = timedelta(hours=1)
#: The ends of rows that the electricity meter has not fetched yet.
NOT_YET: set[int] = set()


class LateMeter(MbusMeter):
    """A meter whose newest row comes late."""

    @property
    @override
    def profile(self) -> Profile:
        return replace(super().profile, lost=NOT_YET)


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
