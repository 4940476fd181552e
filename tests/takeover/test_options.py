"""The field of the options that offers to continue the statistics of earlier sensors."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from custom_components.onemeter.const import CONF_TAKE_OVER
from custom_components.onemeter.takeover import old_statistics
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..helpers.taken_over import CONSENT, IMPORT, OLD, OWN, Successor, at, telegram

OTHER = "sensor.tasmota_total"


def fields(result: Any) -> set[str]:
    return {str(key) for key in result["data_schema"].schema}


async def test_chosen_in_the_options(meter: Successor) -> None:
    hass = meter.hass
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    await meter.old_sensor({"13:01": "100", "13:16": "101.6"}, OTHER)
    await meter.begin(at("15:02"), "130")
    options = hass.config_entries.options
    result = await options.async_init(meter.entry.entry_id)
    assert CONF_TAKE_OVER in fields(result)
    twice = {CONF_TAKE_OVER: [f"{IMPORT} {OLD}", f"{IMPORT} {OTHER}"]}
    result = await options.async_configure(result["flow_id"], twice)
    assert result["errors"] == {CONF_TAKE_OVER: "chosen_twice"}
    meter.client.said.put_nowait(telegram("130.5"))
    with meter.patched():
        once = {CONF_TAKE_OVER: [f"{IMPORT} {OLD}"]}
        result = await options.async_configure(result["flow_id"], once)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await meter.settle()
    assert hass.states.get(OLD).state == "130.5"  # type: ignore[union-attr]
    assert hass.states.get(OWN) is None
    assert CONF_TAKE_OVER not in meter.entry.options
    # The other one began later than the statistic that the sensor has now.
    assert CONF_TAKE_OVER not in fields(await options.async_init(meter.entry.entry_id))


async def test_database_does_not_answer(meter: Successor, monkeypatch: pytest.MonkeyPatch) -> None:
    await meter.old_sensor({"12:01": "100", "12:16": "101.5"})
    await meter.begin(at("15:02"), "130")
    hass = meter.hass
    read = old_statistics._read_begins

    def fail(hass: HomeAssistant, statistic_ids: Any) -> Any:
        if OWN in statistic_ids:
            raise OperationalError("", None, Exception())
        return read(hass, statistic_ids)

    with monkeypatch.context() as patch:
        patch.setattr(old_statistics, "_read_begins", fail)
        options = hass.config_entries.options
        assert CONF_TAKE_OVER not in fields(await options.async_init(meter.entry.entry_id))
        await meter.reload("130.5", **CONSENT)
    assert meter.state() is ConfigEntryState.LOADED
    assert hass.states.get(OWN).state == "130.5"  # type: ignore[union-attr]
    # It is done as soon as the database works again.
    await meter.reload("131", **CONSENT)
    assert hass.states.get(OLD).state == "131"  # type: ignore[union-attr]


async def test_nothing_fits(meter: Successor) -> None:
    await meter.begin(at("15:02"), "130")
    options = meter.hass.config_entries.options
    assert CONF_TAKE_OVER not in fields(await options.async_init(meter.entry.entry_id))
    await meter.old_sensor({"15:06": "100", "15:16": "101.5"})
    with meter.patched():
        assert await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    assert CONF_TAKE_OVER not in fields(await options.async_init(meter.entry.entry_id))
