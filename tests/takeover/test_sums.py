"""The sums of a statistic that another sensor goes on with, compiled by a real recorder."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.db_schema import StatisticsShortTerm
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from ..helpers.taken_over import (
    CONSENT,
    IMPORT,
    NOON,
    OLD,
    OWN,
    Successor,
    at,
    compile_rows,
    purge_five_minutes,
    rows,
)


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> Successor:
    freezer.move_to(NOON)
    assert await async_setup_component(hass, "sensor", {})
    return Successor(hass, freezer)


def assert_log_is_clean(caplog: pytest.LogCaptureFixture) -> None:
    assert [
        record.getMessage()
        for record in caplog.records
        if record.levelname in {"WARNING", "ERROR"} and "recorder" in record.name
    ] == []


@pytest.mark.parametrize("days", [0, 12])
@pytest.mark.parametrize(
    ("first", "last", "unit"), [("100", "101.5", "kWh"), ("100000", "101500", "Wh")]
)
async def test_new_sensor_goes_on_with_the_sum(  # noqa: PLR0913
    meter: Successor,
    caplog: pytest.LogCaptureFixture,
    days: int,
    first: str,
    last: str,
    unit: str,
) -> None:
    hass = meter.hass
    await meter.old_sensor({"12:01": first, "12:16": last}, unit=unit)
    before = await rows(hass, OLD)
    assert [(row.state, row.sum) for row in before] == [(float(last), float(last) - float(first))]
    if days:
        await purge_five_minutes(hass, OLD)
    start = at("15:02") + timedelta(days=days)
    await meter.begin(start, "130.25", **CONSENT)
    assert (
        er.async_get(hass).async_get_entity_id(
            "sensor", "onemeter", f"{meter.entry.unique_id}-{IMPORT}"
        )
        == OLD
    )
    assert hass.states.get(OLD).state == "130.25"  # type: ignore[union-attr]
    assert not meter.entry.options
    await compile_rows(hass, at("15:00") + timedelta(days=days), at("15:05") + timedelta(days=days))
    await meter.show(start + timedelta(minutes=10), "131")
    await compile_rows(hass, at("15:05") + timedelta(days=days), at("16:00") + timedelta(days=days))

    after = await rows(hass, OLD)
    factor = 1000 if unit == "Wh" else 1
    assert after[:-1] == before
    assert after[-1].start == at("15:00") + timedelta(days=days)
    assert after[-1].state == 131 * factor
    # By exactly what the register has risen since the last state.
    assert after[-1].sum == before[-1].sum + (131 * factor - before[-1].state)
    short = await rows(hass, OLD, StatisticsShortTerm)
    totals = [row.sum for row in short]
    assert totals == sorted(totals)
    assert_log_is_clean(caplog)


async def test_states_that_no_row_holds(meter: Successor) -> None:
    """The old sensor has ended within five minutes, of which there is no row."""
    hass = meter.hass
    await meter.old_sensor({"12:01": "100", "12:16": "101"})
    meter.freezer.move_to(at("12:22"))
    hass.states.async_set(OLD, "101.75", {"unit_of_measurement": "kWh"})
    await hass.async_block_till_done()
    hass.states.async_remove(OLD)
    await meter.begin(at("13:02"), "102", **CONSENT)
    await compile_rows(hass, at("13:00"), at("14:00"))
    assert [(row.state, row.sum) for row in await rows(hass, OLD)] == [(101, 1), (102, 2)]


@pytest.mark.parametrize(
    ("first", "last", "unit"), [("100", "101.5", "kWh"), ("100000", "101500", "Wh")]
)
@pytest.mark.parametrize("is_purged", [False, True])
async def test_sensor_with_statistics_of_its_own(
    meter: Successor,
    caplog: pytest.LogCaptureFixture,
    first: str,
    last: str,
    unit: str,
    is_purged: bool,
) -> None:
    """Its rows follow those of the old sensor, and their sums go on from there."""
    hass = meter.hass
    await meter.old_sensor({"12:01": first, "12:16": last}, unit=unit)
    before = await rows(hass, OLD)
    if is_purged:
        await purge_five_minutes(hass, OLD)
    await meter.begin(at("15:02"), "150")
    await compile_rows(hass, at("15:00"), at("15:05"))
    await meter.show(at("15:12"), "151")
    await compile_rows(hass, at("15:05"), at("16:00"))
    await meter.show(at("16:02"), "152")
    await compile_rows(hass, at("16:00"), at("16:10"))
    assert [(row.state, row.sum) for row in await rows(hass, OWN)] == [(151, 1)]

    meter.freezer.move_to(at("16:11"))
    await meter.reload("152", **CONSENT)
    assert hass.states.get(OWN) is None
    assert hass.states.get(OLD).state == "152"  # type: ignore[union-attr]
    await meter.show(at("16:13"), "152.5")
    await compile_rows(hass, at("16:10"), at("17:00"))

    factor = 1000 if unit == "Wh" else 1
    after = await rows(hass, OLD)
    assert after[:1] == before
    assert [(row.start, row.state) for row in after[1:]] == [
        (at("15:00"), 151 * factor),
        (at("16:00"), 152.5 * factor),
    ]
    for row in after[1:]:
        assert row.sum == before[-1].sum + (row.state - before[-1].state)
    short = await rows(hass, OLD, StatisticsShortTerm)
    totals = [row.sum for row in short]
    assert totals == sorted(totals)
    assert await rows(hass, OWN) == []
    assert_log_is_clean(caplog)


async def test_both_were_there_for_a_while(meter: Successor) -> None:
    """The rows of the old sensor count until its end."""
    hass = meter.hass
    await meter.begin(at("11:02"), "100")
    await compile_rows(hass, at("11:00"), at("12:00"))
    await meter.show(at("12:00"), "100.5")
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    await compile_rows(hass, at("12:20"), at("12:55"))
    await meter.show(at("13:01"), "102")
    await compile_rows(hass, at("13:00"), at("14:00"))
    before = await rows(hass, OLD)
    await meter.reload("102", **CONSENT)
    assert await rows(hass, OLD) == [*before, (at("13:00"), 102, before[-1].sum + 0.5)]
