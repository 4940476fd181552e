"""The actions that fill gaps and undo it, and the option that lets it happen by itself."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
import re
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.onemeter.const import CONF_BATTERY, CONF_FILL_GAPS, DOMAIN
from custom_components.onemeter.history import recorder_task
from custom_components.onemeter.meter import LoadProfiles
from custom_components.onemeter.meter.errors import MeterAuthenticationError
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from tests.helpers.load_profile import ENTITY, START, ProfiledMeter
from tests.helpers.pushed import PushedMeter

from .conftest import ON


@pytest.fixture
async def meter(meter_behind_gap: ProfiledMeter) -> ProfiledMeter:
    """Return a meter whose hours until now are compiled."""
    await meter_behind_gap.compile_until(ON + timedelta(minutes=45))
    return meter_behind_gap


def device_id(meter: PushedMeter) -> str:
    (device,) = dr.async_entries_for_config_entry(dr.async_get(meter.hass), meter.entry.entry_id)
    return device.id


async def call(meter: PushedMeter, action: str, **data: Any) -> dict[str, Any]:
    response: Any = await meter.hass.services.async_call(
        DOMAIN,
        action,
        {"device_id": device_id(meter), **data},
        blocking=True,
        return_response=True,
    )
    await meter.settle()
    return dict(response)


async def test_dry_run_lists_rows_and_writes_none(meter: ProfiledMeter) -> None:
    before = await meter.all_rows()
    response = await call(meter, "import_history", start=START.isoformat())
    assert response["dry_run"] is True
    (statistic,) = (item for item in response["statistics"] if item["rows"])
    assert statistic["statistic_id"] == ENTITY
    first = statistic["rows"][0]
    assert first["start"] == START.isoformat()
    assert first["before"] == {"state": 1000.34, "sum": pytest.approx(0.33)}
    assert first["after"]["state"] == 1001.2
    assert len(statistic["rows"]) == 2
    assert await meter.all_rows() == before


async def test_import_and_undo(meter: ProfiledMeter) -> None:
    before = await meter.all_rows()
    await call(meter, "import_history", start=START.isoformat(), dry_run=False)
    rows = await meter.rows()
    assert [state for state, _ in rows.values()][:2] == [1001.2, 1002.4]
    undone = {"restored": 2, "changed_since": 0, "failed": []}
    assert await call(meter, "undo_history_import") == undone
    assert await meter.all_rows() == before
    with pytest.raises(ServiceValidationError) as error:
        await call(meter, "undo_history_import")
    assert error.value.translation_key == "nothing_to_undo"


@pytest.mark.parametrize("action", ["import_history", "undo_history_import"])
async def test_administrators_only(
    meter: ProfiledMeter, hass_read_only_user: MockUser, action: str
) -> None:
    data = {"start": START.isoformat()} if action == "import_history" else {}
    with pytest.raises(Unauthorized):
        await meter.hass.services.async_call(
            DOMAIN,
            action,
            {"device_id": device_id(meter), **data},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )


async def test_meter_without_load_profile(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PushedMeter(hass, freezer)
    assert await meter.start()
    with pytest.raises(ServiceValidationError) as error:
        await call(meter, "import_history", start=START.isoformat())
    assert error.value.translation_key == "no_load_profile"


@pytest.mark.parametrize(
    "period",
    [
        {"start": START, "end": START},
        {"start": START, "end": START - timedelta(hours=1)},
        {"start": ON + timedelta(days=1)},
        {"start": ON + timedelta(days=1), "end": ON + timedelta(days=2)},
    ],
    ids=["empty", "backwards", "begins in the future", "in the future"],
)
async def test_period_without_a_past(meter: ProfiledMeter, period: dict[str, datetime]) -> None:
    times = {key: time.isoformat() for key, time in period.items()}
    with pytest.raises(ServiceValidationError) as error:
        await call(meter, "import_history", **times)
    assert error.value.translation_key == "import_period"


async def test_database_that_nobody_has_tested(
    meter: ProfiledMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await meter.all_rows()
    monkeypatch.setattr(recorder_task, "SCHEMA_VERSIONS", frozenset({52}))
    with pytest.raises(ServiceValidationError) as error:
        await call(meter, "import_history", start=START.isoformat(), dry_run=False)
    assert error.value.translation_key == "history_unsupported"
    await meter.import_at(ON + timedelta(minutes=48))
    assert await meter.all_rows() == before
    issue = f"history_unsupported_{meter.entry.entry_id}"
    assert ir.async_get(meter.hass).async_get_issue(DOMAIN, issue) is not None


async def test_profile_of_another_meter(meter: ProfiledMeter) -> None:
    before = await meter.all_rows()
    household = meter.client.meter.household
    meter.client.meter.household = type(household)(total=household.energy(0).imported)  # type: ignore[call-arg]
    meter.hass.config.language = "de"
    await call(meter, "import_history", start=START.isoformat(), dry_run=False)
    assert await meter.all_rows() == before
    issue_id = f"history_disagrees_{meter.entry.entry_id}"
    issue = ir.async_get(meter.hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert re.fullmatch(r"\d+,\d+ kWh", issue.translation_placeholders["register"])


async def test_rejected_password_is_not_sent_again(meter: ProfiledMeter) -> None:
    meter.client.answers.append(MeterAuthenticationError("no"))
    with suppress(Exception):
        await meter.coordinator.async_read_now()
    await meter.settle()
    assert meter.coordinator.is_rejected
    with pytest.raises(ServiceValidationError) as error:
        await call(meter, "import_history", start=START.isoformat(), dry_run=False)
    assert error.value.translation_key == "was_rejected"
    await meter.import_at(ON + timedelta(minutes=48))
    assert meter.client.asked == []
    # The gap is filled as soon as there is another password.
    assert list(meter.importer.memory.open())


async def test_import_ends_with_its_entry(
    meter: ProfiledMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def never(*_: Any, **__: Any) -> LoadProfiles:
        began.set()
        await asyncio.Event().wait()
        return LoadProfiles(())

    monkeypatch.setattr(meter.client, "read_energy_profiles", never)
    importing = meter.hass.async_create_task(
        call(meter, "import_history", start=START.isoformat(), dry_run=False)
    )
    async with asyncio.timeout(5):
        await began.wait()
        await meter.hass.config_entries.async_unload(meter.entry.entry_id)
        with pytest.raises(HomeAssistantError) as error:
            await importing
    assert error.value.translation_key == "service_config_entry_not_loaded"


@pytest.mark.parametrize(("option", "on_battery"), [(False, False), (True, True)])
async def test_nothing_by_itself(meter: ProfiledMeter, option: bool, on_battery: bool) -> None:
    meter.hass.config_entries.async_update_entry(
        meter.entry,
        data={**meter.entry.data, CONF_BATTERY: on_battery},
        options={**meter.entry.options, CONF_FILL_GAPS: option},
    )
    meter.hass.bus.async_fire(EVENT_RECORDER_5MIN_STATISTICS_GENERATED)
    await meter.imported()
    assert meter.client.asked == []
    assert list(meter.importer.memory.open())
