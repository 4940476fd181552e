"""Meters with hundreds of registers, and what sends new codes all the time."""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.entity import OneMeterEntity
from custom_components.onemeter.meter import Obis, Register
from custom_components.onemeter.registers.known_codes import CODES_MAX
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers.published import register
from .helpers.pushed import PushedMeter, energy, reading

TOTAL = register("1-0:1.8.0*255", "5000", "Wh")


@pytest.fixture
def pushed(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


def tariffs(count: int, kilowatt_hours: str = "5.00") -> list[Register]:
    """Return registers that all become sensors that are enabled."""
    codes = [Obis(1, 0, c, 8, tariff) for c in (1, 2, 15, 16) for tariff in range(1, 64)]
    return [Register(code, Decimal(kilowatt_hours), "kWh") for code in codes[:count]]


def unheard_of(start: int, count: int) -> list[Register]:
    """Return registers of codes that no meter has."""
    return [
        Register(Obis(1, 9, number // 256, 200, number % 256), Decimal(number), "Wh")
        for number in range(start, start + count)
    ]


#: Sensors that are none of registers.
OF_STATUS = ("status", "signal_quality")


def sensors(pushed: PushedMeter) -> list[er.RegistryEntry]:
    registry = er.async_get(pushed.hass)
    found = er.async_entries_for_config_entry(registry, pushed.entry.entry_id)
    return [entity for entity in found if entity.domain == "sensor"]


@contextmanager
def counting(name: str) -> Generator[Counter[int]]:
    """Count the calls of an entity's method in each callback of the event loop."""
    callback = 0
    calls: Counter[int] = Counter()
    method = getattr(OneMeterEntity, name)
    run = asyncio.Handle._run

    def run_next(handle: asyncio.Handle) -> None:
        nonlocal callback
        callback += 1
        run(handle)

    def count(entity: OneMeterEntity, *args: object) -> None:
        calls[callback] += 1
        method(entity, *args)

    with (
        patch.object(asyncio.Handle, "_run", run_next),
        patch.object(OneMeterEntity, name, count),
    ):
        yield calls


async def test_new_codes_in_every_telegram(
    pushed: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pushed.start(reading(TOTAL, *unheard_of(0, 380)))
    for number in range(1, 6):
        new = unheard_of(380 * number, 380)
        await pushed.say(reading(TOTAL, *new), after=11)
    assert len(sensors(pushed)) == CODES_MAX + len(OF_STATUS)
    assert caplog.text.count(f"more than {CODES_MAX} different codes") == 1
    # What is known goes on.
    await pushed.say(energy("6000"), after=11)
    assert pushed.value() == "6.000"
    assert len(pushed.coordinator.data.registers) <= CODES_MAX


async def test_codes_are_known_over_restarts(pushed: PushedMeter) -> None:
    assert await pushed.start(reading(TOTAL, *unheard_of(0, 700)))
    assert len(sensors(pushed)) == 701 + len(OF_STATUS)
    for start in (700, 1400):
        assert await pushed.hass.config_entries.async_unload(pushed.entry.entry_id)
        assert await pushed.start(reading(TOTAL, *unheard_of(start, 700)))
        assert pushed.value() == "5.000"
        assert len(sensors(pushed)) == CODES_MAX
    assert pushed.state() is ConfigEntryState.LOADED


async def test_sensors_are_added_a_few_at_a_time(pushed: PushedMeter) -> None:
    with counting("__init__") as calls:
        assert await pushed.start(reading(*tariffs(100)))
        await pushed.say(reading(*tariffs(250)), after=11)
    assert sum(calls.values()) >= 250
    assert max(calls.values()) <= 8
    assert len(sensors(pushed)) == 250 + len(OF_STATUS)
    assert len(pushed.hass.states.async_all("sensor")) == 250 + 1, "quality is disabled"


async def test_entities_are_updated_a_few_at_a_time(pushed: PushedMeter) -> None:
    with counting("_handle_coordinator_update") as calls:
        assert await pushed.start(reading(*tariffs(200)))
        calls.clear()
        await pushed.say(reading(*tariffs(200, kilowatt_hours="5.05")), after=11)
    assert sum(calls.values()) >= 200
    assert max(calls.values()) <= 20
    assert {state.state for state in pushed.hass.states.async_all("sensor")} == {"ok", "5.05"}


async def test_newer_data_overtake_an_update(pushed: PushedMeter) -> None:
    assert await pushed.start(reading(*tariffs(200)))
    coordinator = pushed.coordinator
    coordinator.async_update_listeners()
    await pushed.say(reading(*tariffs(200, kilowatt_hours="5.05")), after=11)
    coordinator.async_set_update_error(TimeoutError())
    await asyncio.sleep(0)
    await pushed.say(reading(*tariffs(200, kilowatt_hours="5.10")), after=11)
    assert {state.state for state in pushed.hass.states.async_all("sensor")} == {"ok", "5.10"}


async def test_one_entity_that_fails_does_not_keep_the_others_from_their_update(
    pushed: PushedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pushed.start()

    def fail() -> None:
        raise ZeroDivisionError

    remove = [pushed.coordinator.async_add_listener(fail) for _ in range(40)]
    await pushed.say(energy("6000"), after=11)
    assert pushed.value() == "6.000"
    assert "Unexpected error while updating" in caplog.text
    for each in remove:
        each()


async def test_a_listener_updates_all_again(pushed: PushedMeter) -> None:
    assert await pushed.start()
    coordinator = pushed.coordinator
    updates = 0

    def update_again() -> None:
        nonlocal updates
        updates += 1
        if updates == 1:
            coordinator.async_update_listeners()

    remove = coordinator.async_add_listener(update_again)
    later = coordinator.async_add_listener(lambda: None)
    await pushed.say(energy("6000"), after=11)
    assert pushed.value() == "6.000"
    assert updates == 2
    remove()
    later()


async def test_a_firmware_longer_than_any(
    pushed: PushedMeter, device_registry: dr.DeviceRegistry
) -> None:
    assert await pushed.start(reading(TOTAL, register("1-0:0.2.0*0", "7" * 65)))
    [device] = dr.async_entries_for_config_entry(device_registry, pushed.entry.entry_id)
    assert device.sw_version is None
