"""The sums of a statistic that another sensor goes on with, compiled by a real recorder."""

from datetime import timedelta
from functools import partial

import pytest

from custom_components.onemeter.history.recorder_task import async_in_recorder
from custom_components.onemeter.takeover import async_entry_offers
from custom_components.onemeter.takeover.joining import NotJoinedError, join
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import StatisticsShortTerm
from homeassistant.helpers import entity_registry as er

from ..helpers.taken_over import (
    CONSENT,
    IMPORT,
    OLD,
    OWN,
    Successor,
    at,
    compile_rows,
    purge_five_minutes,
    rows,
)


def assert_log_is_clean(caplog: pytest.LogCaptureFixture) -> None:
    assert [
        record.getMessage()
        for record in caplog.records
        if record.levelname in {"WARNING", "ERROR"} and "recorder" in record.name
    ] == []


@pytest.mark.parametrize("days", [0, 12])
@pytest.mark.parametrize("old", [("100", "101.5", "kWh"), ("100000", "101500", "Wh")])
async def test_new_sensor_goes_on_with_the_sum(
    meter: Successor, caplog: pytest.LogCaptureFixture, days: int, old: tuple[str, str, str]
) -> None:
    first, last, unit = old
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
    await compile_rows(hass, at("15:55") + timedelta(days=days), at("16:00") + timedelta(days=days))

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
    await compile_rows(hass, at("13:55"), at("14:00"))
    assert [(row.state, row.sum) for row in await rows(hass, OLD)] == [(101, 1), (102, 2)]


@pytest.mark.parametrize(
    ("old", "is_purged"),
    [(("100", "101.5", "kWh"), False), (("100000", "101500", "Wh"), True)],
)
async def test_sensor_with_statistics_of_its_own(
    meter: Successor, caplog: pytest.LogCaptureFixture, old: tuple[str, str, str], is_purged: bool
) -> None:
    """Its rows follow those of the old sensor, and their sums go on from there."""
    first, last, unit = old
    hass = meter.hass
    await meter.old_sensor({"12:01": first, "12:16": last}, unit=unit)
    before = await rows(hass, OLD)
    if is_purged:
        await purge_five_minutes(hass, OLD)
    await meter.begin(at("15:02"), "150")
    await compile_rows(hass, at("15:00"), at("15:05"))
    await meter.show(at("15:12"), "151")
    await compile_rows(hass, at("15:55"), at("16:00"))
    await meter.show(at("16:02"), "152")
    await compile_rows(hass, at("16:00"), at("16:10"))
    assert [(row.state, row.sum) for row in await rows(hass, OWN)] == [(151, 1)]

    meter.freezer.move_to(at("16:11"))
    await meter.reload("152", **CONSENT)
    assert hass.states.get(OWN) is None
    assert hass.states.get(OLD).state == "152"  # type: ignore[union-attr]
    await meter.show(at("16:13"), "152.5")
    await compile_rows(hass, at("16:55"), at("17:00"))

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
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    await meter.begin(at("13:02"), "102")
    await compile_rows(hass, at("13:00"), at("13:05"))
    await meter.old_sensor({"14:01": "103", "14:16": "104"})
    await meter.show(at("14:17"), "104.25")
    await compile_rows(hass, at("14:20"), at("14:25"))
    await meter.show(at("15:02"), "104.5")
    await compile_rows(hass, at("15:55"), at("16:00"))
    before = await rows(hass, OLD)
    assert [(row.state, row.sum) for row in before] == [(101.5, 1.5), (104, 4)]
    await meter.reload("104.5", **CONSENT)
    assert await rows(hass, OLD) == [*before, (at("15:00"), 104.5, 4.5)]
    totals = [row.sum for row in await rows(hass, OLD, StatisticsShortTerm)]
    assert totals == sorted(totals)


async def test_new_sensor_was_there_before_the_old_one(meter: Successor) -> None:
    """Its rows would be lost."""
    hass = meter.hass
    await meter.begin(at("11:02"), "99")
    await compile_rows(hass, at("11:55"), at("12:00"))
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    await meter.show(at("13:02"), "102")
    assert await async_entry_offers(hass, meter.entry) == []
    before = await rows(hass, OLD), await rows(hass, OWN)
    with pytest.raises(NotJoinedError):
        await async_in_recorder(
            hass, partial(join, recorder=get_instance(hass), old_id=OLD, own_id=OWN)
        )
    assert (await rows(hass, OLD), await rows(hass, OWN)) == before
