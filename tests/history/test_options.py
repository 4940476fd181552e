"""Undoing in the options, the offer to fill gaps, and what is kept of imports."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.const import CONF_FILL_GAPS, DOMAIN
from custom_components.onemeter.flow.load_profile import CONF_UNDO_IMPORT
from custom_components.onemeter.history.memory import ImportRecord, with_import
from custom_components.onemeter.history.records import Record, RowChange
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from tests.helpers.load_profile import START, ProfiledMeter

from .conftest import ON

LATER = ON + timedelta(hours=2)


@pytest.fixture
def meter(meter_behind_gap: ProfiledMeter) -> ProfiledMeter:
    return meter_behind_gap


async def open_options(meter: ProfiledMeter) -> tuple[str, dict[str, Any]]:
    """Open the options; return the flow and the imports that may be undone."""
    result = await meter.hass.config_entries.options.async_init(meter.entry.entry_id)
    assert result["data_schema"] is not None
    fields = {str(key): field for key, field in result["data_schema"].schema.items()}
    field = fields.get(CONF_UNDO_IMPORT)
    offered = {} if field is None else field.config["options"]
    return result["flow_id"], {option["value"]: option["label"] for option in offered}


async def submit(meter: ProfiledMeter, flow_id: str, form: dict[str, Any]) -> dict[str, Any]:
    with meter.patched():
        result = await meter.hass.config_entries.options.async_configure(flow_id, form)
        await meter.settle()
    return dict(result)


async def test_undo_in_the_options(meter: ProfiledMeter) -> None:
    assert (await open_options(meter))[1] == {}
    await meter.compile_until(ON + timedelta(minutes=45))
    before = await meter.all_rows()
    await meter.import_at(ON + timedelta(minutes=48))
    first = await meter.all_rows()
    await meter.switch_off(ON + timedelta(minutes=50))
    await meter.switch_on(LATER)
    await meter.live(LATER, LATER + timedelta(minutes=45))
    await meter.compile_until(LATER + timedelta(minutes=45))
    newest = await meter.all_rows()
    await meter.import_at(LATER + timedelta(minutes=48))
    flow_id, offered = await open_options(meter)
    assert list(offered.values()) == [
        "2026-11-02 16:05: 2026-11-02 14:00 – 2026-11-02 15:00 (1 h)",
        "2026-11-02 14:05: 2026-11-02 11:00 – 2026-11-02 13:00 (2 h)",
    ]
    result = await submit(meter, flow_id, {CONF_UNDO_IMPORT: list(offered)[1]})
    assert result["step_id"] == "undone"
    assert result["description_placeholders"] == {"restored": "3", "changed": "0"}
    rows = await meter.all_rows()
    assert len(first) >= len(before)
    # Rows of the second gap are what they were before both imports.
    imported = {row[0] for row, old in zip(first, before, strict=False) if row != old}
    assert [row for row in rows if row[0] not in imported] == [
        row for row in newest if row[0] not in imported
    ]
    assert rows[: len(before)] == before
    assert (await submit(meter, result["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
    assert CONF_UNDO_IMPORT not in meter.entry.options
    assert (await open_options(meter))[1] == {}


async def test_import_that_was_undone_meanwhile(meter: ProfiledMeter) -> None:
    await meter.compile_until(ON + timedelta(minutes=45))
    await meter.import_at(ON + timedelta(minutes=48))
    flow_id, offered = await open_options(meter)
    await meter.importer.async_undo()
    result = await submit(meter, flow_id, {CONF_UNDO_IMPORT: next(iter(offered))})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "not_undone"


@pytest.mark.parametrize("answer", ["fill", "leave"])
async def test_gaps_are_filled_if_the_user_wants_it(meter: ProfiledMeter, answer: str) -> None:
    hass = meter.hass
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    await meter.compile_until(ON + timedelta(minutes=45))
    before = await meter.all_rows()
    meter.freezer.move_to(ON + timedelta(minutes=48))
    hass.bus.async_fire(EVENT_RECORDER_5MIN_STATISTICS_GENERATED)
    await meter.imported()
    assert await meter.all_rows() == before
    issue_id = f"fill_gaps_{meter.entry.entry_id}"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    menu = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert menu["menu_options"] == ["fill", "leave"]
    assert menu["description_placeholders"] == {"title": "Meter"}
    await manager.async_configure(menu["flow_id"], {"next_step_id": answer})
    assert meter.entry.options[CONF_FILL_GAPS] is (answer == "fill")
    hass.bus.async_fire(EVENT_RECORDER_5MIN_STATISTICS_GENERATED)
    await meter.imported()
    assert (await meter.all_rows() != before) is (answer == "fill")
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


@given(st.lists(st.integers(0, 40), min_size=1, max_size=120))
def test_imports_are_kept_for_some_time(days: list[int]) -> None:
    kept: list[ImportRecord] = []
    now = datetime(2026, 11, 2, tzinfo=UTC)
    change = RowChange(now.timestamp(), None, {"state": 1.0, "sum": 1.0})
    added = []
    for later in days:
        now += timedelta(days=later, seconds=1)
        record = ImportRecord(now, [Record(1, (change,))])
        kept = with_import(kept, record)
        added.append(record)
        expected = [item for item in added if item.time >= now - timedelta(days=90)]
        assert kept == expected[-50:]


def test_period_of_an_import() -> None:
    hours = [START.timestamp() + number * 3600 for number in (2, 0, 1)]
    changes = tuple(RowChange(hour, None, {"state": float(Decimal(1))}) for hour in hours)
    record = ImportRecord(START, [Record(1, changes), Record(2, changes[:1])])
    assert record.period == (START, START + timedelta(hours=3))
    assert record.hours == 3
