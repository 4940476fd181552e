"""Which old statistics are offered, and what becomes of consent that does not fit any more."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from sqlalchemy.exc import OperationalError

from custom_components.onemeter.const import CONF_MAX_POWER, CONF_MULTIPLIER
from custom_components.onemeter.history import recorder_task
from custom_components.onemeter.meter import Key, Register
from custom_components.onemeter.takeover import Offer, async_entry_offers, async_offers
from custom_components.onemeter.takeover.offers import exact_exponent
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState
from homeassistant.helpers import entity_registry as er

from ..helpers.published import register
from ..helpers.taken_over import (
    CONSENT,
    IMPORT,
    OLD,
    OWN,
    Successor,
    at,
    compile_rows,
    floor,
    purge_five_minutes,
    rows,
)

STATES = {"12:01": "100", "12:16": "101.5"}
NOW = "15:02"


async def offered(meter: Successor, *registers: Register, **options: Any) -> list[tuple[str, str]]:
    """Return which old statistics are offered to which totals."""
    return [
        (str(offer.key), offer.old.statistic_id)
        for offer in await offers(meter, *registers, **options)
    ]


async def offers(meter: Successor, *registers: Register, **options: Any) -> list[Offer]:
    registers = registers or (register(IMPORT, "130", "kWh"),)
    by_key: dict[Key, Register] = {it.obis: it for it in registers if it.obis is not None}
    return await async_offers(meter.hass, "id", by_key, options)


async def test_texts_of_an_offer(meter: Successor) -> None:
    await meter.hass.config.async_set_time_zone("Europe/Warsaw")
    await meter.old_sensor(STATES)
    meter.freezer.move_to(at(NOW))
    meter.hass.config.language = "pl"
    (offer,) = await offers(meter, register("1-0:1.8.1*255", "130.250", "kWh"))
    assert offer.async_label(meter.hass) == (
        "Energia pobrana T1: 130,250 kWh ← sensor.edl21_total: 101,5 kWh (2026-11-02 13:16)"
    )
    assert offer.choice == "1-0:1.8.1*255 sensor.edl21_total"


async def test_totals_and_statistics_that_fit(meter: Successor) -> None:
    """In the order of what ended nearest to the register, each for each."""
    await meter.old_sensor(STATES)
    await meter.old_sensor({"13:01": "110", "13:16": "120"}, "sensor.tasmota_total")
    meter.freezer.move_to(at(NOW))
    assert await offered(
        meter,
        register(IMPORT, "130", "kWh"),
        register("1-0:2.8.0*255", "101500", "Wh"),
        register("1-0:16.7.0*255", "100", "W"),
        register("1-0:16.8.0*255", "130", "kWh"),
        register("1-0:1.8.0*1", "130", "kWh"),
    ) == [
        (IMPORT, "sensor.tasmota_total"),
        (IMPORT, OLD),
        ("1-0:2.8.0*255", OLD),
    ]


async def test_rise_must_be_plausible(meter: Successor) -> None:
    await meter.old_sensor(STATES)
    meter.freezer.move_to(at(NOW))
    cases: list[tuple[str, dict[str, Any]]] = [
        ("101.5", {}),
        ("280", {}),
        ("290", {CONF_MAX_POWER: 100_000}),
        ("50.75", {CONF_MULTIPLIER: "2"}),
        ("200", {CONF_MULTIPLIER: "2"}),
    ]
    for total, options in cases:
        assert await offered(meter, register(IMPORT, total, "kWh"), **options)
    # In three hours, and the 75 minutes before.
    cases = [("101.499", {}), ("290", {}), ("50.7", {CONF_MULTIPLIER: "2"})]
    for total, options in cases:
        assert not await offered(meter, register(IMPORT, total, "kWh"), **options)


async def test_unit_and_kind(meter: Successor) -> None:
    energy = {"state_class": "total_increasing", "device_class": "energy"}
    kinds: dict[str, tuple[float, dict[str, str]]] = {
        "wh": (1000, {**energy, "unit_of_measurement": "Wh"}),
        "mwh": (0.001, {**energy, "unit_of_measurement": "MWh"}),
        "total": (1, {**energy, "unit_of_measurement": "kWh", "state_class": "total"}),
        "mj": (3.6, {**energy, "unit_of_measurement": "MJ"}),
        "gas": (1, {**energy, "unit_of_measurement": "m³", "device_class": "gas"}),
        "measured": (1, {"unit_of_measurement": "kWh", "state_class": "measurement"}),
        "none": (1, {"unit_of_measurement": "kWh", "device_class": "energy"}),
    }
    for clock, state in STATES.items():
        meter.freezer.move_to(at(clock))
        for name, (factor, attributes) in kinds.items():
            meter.hass.states.async_set(f"sensor.{name}", str(float(state) * factor), attributes)
        await compile_rows(meter.hass, floor(at(clock)), floor(at(clock)) + timedelta(minutes=5))
    await compile_rows(meter.hass, at("12:55"), at("13:00"))
    for name in kinds:
        meter.hass.states.async_remove(f"sensor.{name}")
    meter.freezer.move_to(at(NOW))
    names = {statistic_id for _, statistic_id in await offered(meter)}
    assert names == {"sensor.wh", "sensor.mwh", "sensor.total"}


@pytest.mark.parametrize(
    ("unit", "other", "exponent"),
    [
        ("kWh", "kWh", 0),
        ("kWh", "Wh", 3),
        ("Wh", "GWh", -9),
        ("kWh", "MJ", None),
        ("h", "kWh", None),
    ],
)
def test_exact_conversions(unit: str, other: str, exponent: int | None) -> None:
    assert exact_exponent(unit, other, "energy") == exponent


async def test_no_rows(meter: Successor) -> None:
    await meter.old_sensor(STATES)
    await purge_five_minutes(meter.hass, OLD)
    meter.freezer.move_to(at(NOW))
    (offer,) = await offers(meter)
    assert offer.old.seen == at("12:16")


async def test_last_state_below_its_row(meter: Successor) -> None:
    """It would count as a reset meter."""
    await meter.old_sensor(STATES)
    meter.freezer.move_to(at("12:22"))
    meter.hass.states.async_set(OLD, "0", {"unit_of_measurement": "kWh"})
    await meter.hass.async_block_till_done()
    meter.hass.states.async_set(OLD, "unavailable")
    meter.hass.states.async_remove(OLD)
    await compile_rows(meter.hass, at("12:30"), at("12:30"))
    assert not await offered(meter)


async def test_entity_in_the_registry(meter: Successor) -> None:
    hass = meter.hass
    await meter.old_sensor(STATES)
    meter.freezer.move_to(at(NOW))
    entry = MockConfigEntry(domain="edl21")
    entry.add_to_hass(hass)
    entities = er.async_get(hass)
    entities.async_get_or_create(
        "sensor", "edl21", "1", suggested_object_id="edl21_total", config_entry=entry
    )
    for state in ConfigEntryState.LOADED, ConfigEntryState.SETUP_RETRY:
        entry.mock_state(hass, state)
        hass.states.async_set(OLD, "unavailable", {"restored": True})
        # Its integration does not provide it any more, or may yet do so.
        assert bool(await offered(meter)) is (state is ConfigEntryState.LOADED)
        hass.states.async_set(OLD, "105")
        assert not await offered(meter)
        hass.states.async_remove(OLD)
        assert not await offered(meter)
    entities.async_update_entity(OLD, config_entry_id=None)
    assert await offered(meter)
    entities.async_update_entity(OLD, disabled_by=er.RegistryEntryDisabler.USER)
    assert not await offered(meter)
    entities.async_update_entity(OLD, disabled_by=None)

    hass.states.async_set(OLD, "unavailable", {"restored": True})
    await meter.begin(at(NOW), "130", **CONSENT)
    assert entities.async_get(OLD).platform == "onemeter"  # type: ignore[union-attr]
    assert hass.states.get(OLD).state == "130"  # type: ignore[union-attr]


async def test_entry_in_the_registry_without_its_config_entry(meter: Successor) -> None:
    await meter.old_sensor(STATES)
    meter.freezer.move_to(at(NOW))
    entry = MockConfigEntry(domain="edl21")
    entry.add_to_hass(meter.hass)
    er.async_get(meter.hass).async_get_or_create(
        "sensor", "edl21", "1", suggested_object_id="edl21_total", config_entry=entry
    )
    assert not await offered(meter)
    del meter.hass.config_entries._entries[entry.entry_id]
    assert await offered(meter)


async def test_database_that_nobody_has_tested(
    meter: Successor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await meter.old_sensor(STATES)
    monkeypatch.setattr(recorder_task, "SCHEMA_VERSIONS", frozenset({52}))
    assert not await offered(meter)


async def test_database_that_fails(meter: Successor, caplog: pytest.LogCaptureFixture) -> None:
    await meter.old_sensor(STATES)
    with patch(
        "custom_components.onemeter.takeover.old_statistics.get_last_statistics",
        side_effect=OperationalError("", {}, Exception("locked")),
    ):
        assert not await offered(meter)
    assert "cannot be read: OperationalError" in caplog.text


async def test_disabled_sensors_are_left_out(meter: Successor) -> None:
    await meter.old_sensor(STATES)
    await meter.begin(at(NOW), "130")
    assert [
        offer.old.statistic_id for offer in await async_entry_offers(meter.hass, meter.entry)
    ] == [OLD]
    er.async_get(meter.hass).async_update_entity(OWN, disabled_by=er.RegistryEntryDisabler.USER)
    assert await async_entry_offers(meter.hass, meter.entry) == []


async def test_consent_that_does_not_fit_any_more(
    meter: Successor, caplog: pytest.LogCaptureFixture
) -> None:
    await meter.old_sensor(STATES)
    before = await rows(meter.hass, OLD)
    await meter.begin(at(NOW), "101", **CONSENT)
    assert meter.value() == "101"
    assert not meter.entry.options
    assert await rows(meter.hass, OLD) == before
    assert f"{OLD} does not fit {IMPORT} any more" in caplog.text


async def test_own_rows_below_the_old_ones(
    meter: Successor, caplog: pytest.LogCaptureFixture
) -> None:
    """The new sensor began below the end of the old one: nothing is changed."""
    await meter.begin(at("11:57"), "90")
    await meter.old_sensor(STATES)
    await meter.show(at("13:01"), "91")
    await compile_rows(meter.hass, at("13:55"), at("14:00"))
    before = await rows(meter.hass, OLD), await rows(meter.hass, OWN)
    meter.freezer.move_to(at(NOW))
    await meter.reload("130", **CONSENT)
    assert meter.value() == "130"
    assert (await rows(meter.hass, OLD), await rows(meter.hass, OWN)) == before
    assert f"The statistics of {OLD} cannot be continued" in caplog.text


async def test_home_assistant_starts(meter: Successor) -> None:
    """The recorder does nothing until it has."""
    hass = meter.hass
    await meter.old_sensor(STATES)
    before = await rows(hass, OLD)
    hass.set_state(CoreState.starting)
    await meter.begin(at(NOW), "130", **CONSENT)
    assert meter.value() == "130"
    assert meter.entry.options == CONSENT
    hass.set_state(CoreState.running)
    with meter.patched():
        meter.client.said.put_nowait(meter.coordinator.readings[-1])
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await meter.settle()
    assert not meter.entry.options
    assert hass.states.get(OWN) is None
    assert hass.states.get(OLD).state == "130"  # type: ignore[union-attr]
    await compile_rows(hass, at("15:55"), at("16:00"))
    assert await rows(hass, OLD) == [*before, (at("15:00"), 130, before[-1].sum + 28.5)]


async def test_sensor_that_was_there_before(meter: Successor) -> None:
    """Home Assistant gives it its former entity id, which is replaced."""
    hass = meter.hass
    await meter.old_sensor(STATES)
    await meter.begin(at("14:02"), "130")
    await hass.config_entries.async_remove(meter.entry.entry_id)
    meter.make_entry()
    await meter.begin(at(NOW), "131", **CONSENT)
    assert hass.states.get(OLD).state == "131"  # type: ignore[union-attr]
    await compile_rows(hass, at("15:55"), at("16:00"))
    assert [(row.state, row.sum) for row in await rows(hass, OLD)] == [(101.5, 1.5), (131, 31)]
