"""The button that reads a polled meter, and the action that updates its sensors."""

import asyncio

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import CONF_LIVE_REGISTERS
from custom_components.onemeter.meter.errors import MeterSilentError, PortNotFoundError
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .helpers.polled import PolledMeter
from .helpers.published import register
from .helpers.pushed import PushedMeter, energy, reading

SILENT = MeterSilentError("nothing comes", port="the port")
BUTTON = "button.meter_read_now"


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PolledMeter:
    await async_setup_component(hass, "homeassistant", {})
    freezer.move_to("2026-11-23 12:00:10+00:00")
    return PolledMeter(hass, freezer)


def press_meanwhile(hass: HomeAssistant, meter: PolledMeter) -> asyncio.Task[None]:
    """Press the button; time passes only while Home Assistant is idle."""
    return hass.async_create_background_task(meter.coordinator.async_read_now(), "press")


async def press(hass: HomeAssistant) -> None:
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)


async def test_press_reads_the_meter_at_once(hass: HomeAssistant, meter: PolledMeter) -> None:
    await meter.start(energy("5000"), energy("5001"))
    await meter.wait(20)
    await press(hass)
    assert meter.client.reads == 2
    assert meter.value() == "5.001"
    await meter.wait(59)
    assert meter.client.reads == 2, "the next readout is a minute after this one"
    await meter.wait(1)
    assert meter.client.reads == 3


async def test_two_presses_during_a_readout_are_one(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start(energy("5000"), energy("5001"))
    meter.client.takes = 10
    presses = [press_meanwhile(hass, meter) for _ in range(2)]
    await meter.wait(5)
    presses.append(press_meanwhile(hass, meter))
    await meter.settle()
    assert not any(task.done() for task in presses)
    await meter.wait(6)
    await asyncio.gather(*presses)
    assert meter.client.reads == 2
    assert meter.value() == "5.001"


async def test_press_during_a_readout_that_is_due_anyway_is_answered_by_it(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.takes = 10
    await meter.wait(60)
    pressed = press_meanwhile(hass, meter)
    await meter.wait(11)
    await pressed
    assert meter.client.reads == 2


async def test_press_says_why_the_meter_cannot_be_read(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.usual = SILENT
    pressed = press_meanwhile(hass, meter)
    await meter.wait(5)
    with pytest.raises(HomeAssistantError) as error:
        await pressed
    assert error.value.translation_key == "meter_silent"
    assert meter.value() == STATE_UNAVAILABLE
    state = hass.states.get(BUTTON)
    assert state is not None
    assert state.state != STATE_UNAVAILABLE

    meter.client.usual = energy("5001")
    await press(hass)
    assert meter.value() == "5.001"


async def test_press_does_not_wait_for_a_port_that_is_tried_again_later(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.usual = PortNotFoundError("gone", port="p")
    await meter.wait(120)
    reads = meter.client.reads
    with pytest.raises(HomeAssistantError):
        await press(hass)
    assert meter.client.reads == reads + 1


async def test_press_ends_a_session(hass: HomeAssistant, meter: PolledMeter) -> None:
    meter.make_entry(options={CONF_LIVE_REGISTERS: ["16.7.0"]})
    await meter.start()
    assert meter.client.is_watched
    meter.client.usual = energy("5001")
    await press(hass)
    assert meter.client.reads == 2
    assert meter.value() == "5.001"
    await meter.settle()
    assert meter.client.is_watched


async def test_battery_meter_is_read_whenever_the_user_wants(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    meter.make_entry(battery=True)
    await meter.start()
    for _ in range(3):
        await press(hass)
    assert meter.client.reads == 4


async def test_update_of_entities_reads_the_meter_once(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start(energy("5000"), energy("5001"))
    sensors = ["sensor.meter_energy_import", "sensor.meter_power"]
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": sensors}, blocking=True
    )
    assert meter.value() == "5.001"
    await meter.wait(20)
    assert meter.client.reads == 2


async def test_update_of_entities_of_a_silent_meter_makes_them_unavailable(
    hass: HomeAssistant, meter: PolledMeter
) -> None:
    await meter.start()
    meter.client.usual = SILENT
    updated = hass.async_create_background_task(meter.coordinator.async_request_refresh(), "update")
    await meter.wait(5)
    await updated
    assert meter.value() == STATE_UNAVAILABLE


async def test_meter_that_pushes_has_no_button(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PushedMeter(hass, freezer)
    await meter.start(reading(register("1-0:1.8.0*255", "5000", "Wh")))
    assert not hass.states.async_entity_ids("button")
