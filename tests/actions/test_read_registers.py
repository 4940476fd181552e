"""Registers are read at once, if the meter is polled and may be disturbed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.onemeter.const import CONF_POLL_INTERVAL, DOMAIN
from custom_components.onemeter.meter import Protocol, Reading
from custom_components.onemeter.meter.errors import (
    MeterAuthenticationError,
    MeterSilentError,
    NoRegisterError,
    RefusedError,
)
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized
from tests.helpers.load_profile import START, DlmsMeter, IecMeter, ProfiledClient
from tests.helpers.polled import PolledMeter, ScriptedPolledClient
from tests.helpers.published import register
from tests.helpers.pushed import GENERATED_ID, OTHER_METER, PushedMeter, reading

from .calls import refused, respond

CODE = "32.7.0"
ACTION = "read_registers"


class OfferingClient(ScriptedPolledClient):
    """A client whose registers are scripted."""

    def __init__(self) -> None:
        super().__init__()
        self.registers: Reading | Exception = reading(register("1-0:32.7.0*255", "230", "V"))
        self.asked: list[list[str]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @override
    async def read_registers(self, addresses: Sequence[str]) -> Reading:
        self.asked.append(list(addresses))
        self.is_asked.set()
        await self.may_answer.wait()
        if isinstance(self.registers, Exception):
            raise self.registers
        return self.registers


class OfferingMeter(PolledMeter):
    client: OfferingClient

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        self.client = OfferingClient()


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> OfferingMeter:
    return OfferingMeter(hass, freezer)


async def test_registers_of_a_meter_that_has_them_and_others(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START)
    meter = PolledMeter(hass, freezer)
    meter.client = ProfiledClient(hass, IecMeter())
    assert await meter.start()
    response = await respond(meter, ACTION, registers=["9.99.0", "1-0:1.8.0", CODE])
    shown = {item["obis"]: (item["value"], item["unit"]) for item in response["registers"]}
    assert shown.keys() == {"1-0:1.8.0*255", "1-0:32.7.0*255"}
    assert shown["1-0:1.8.0*255"] == ("1000.000", "kWh")
    assert shown["1-0:32.7.0*255"][1] == "V"
    assert response["missing"] == ["9.99.0"]
    assert response["read_at"] == START.isoformat()


async def test_registers_of_a_dlms_meter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START)
    meter = PolledMeter(hass, freezer)
    meter.client = ProfiledClient(hass, DlmsMeter())
    meter.make_entry(GENERATED_ID, protocol="dlms")
    assert await meter.start()
    response = await respond(meter, ACTION, registers=["9.99.0", "1.8.0"])
    (shown,) = response["registers"]
    assert (shown["address"], shown["value"], shown["unit"]) == ("1-0:1.8.0*255", "1000000", "Wh")
    assert response["missing"] == ["9.99.0"]


async def test_registers_of_another_dlms_meter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START)
    meter = PolledMeter(hass, freezer)
    meter.client = ProfiledClient(hass, DlmsMeter())
    meter.make_entry(protocol="dlms")
    assert await meter.start()
    assert await refused(meter, ACTION, registers="1.8.0") == "other_meter"


async def test_codes_are_sent_as_the_meter_has_them(meter: OfferingMeter) -> None:
    total = replace(register("1-0:1.8.0*255", "5000", "Wh"), address="1.8.0")
    await meter.start(reading(total))
    await respond(meter, ACTION, registers=["C.1.0", "1-0:1.8.0*255", "1-0:1.8.0*255"])
    assert meter.client.asked == [["1.8.0", "C.1.0"]]


@pytest.mark.parametrize("codes", [[], [f"{number}.8.0" for number in range(33)]])
async def test_number_of_codes(meter: OfferingMeter, codes: list[str]) -> None:
    await meter.start(reading())
    assert await refused(meter, ACTION, registers=codes) == "number_of_registers"
    assert await respond(meter, ACTION, registers=[f"{number}.8.0" for number in range(32)])
    assert len(meter.client.asked) == 1


@pytest.mark.parametrize(
    ("protocol", "code"),
    [(Protocol.IEC62056, "1.8.0("), (Protocol.IEC62056, ""), (Protocol.DLMS, "energy")],
)
async def test_what_is_no_code(meter: OfferingMeter, protocol: Protocol, code: str) -> None:
    meter.make_entry(protocol=protocol.value)
    await meter.start(reading())
    assert await refused(meter, ACTION, registers=code) == "invalid_register"
    assert not meter.client.asked


async def test_meter_that_pushes(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    meter = PushedMeter(hass, freezer)
    await meter.start()
    assert await refused(meter, ACTION, registers=CODE) == "not_polled"


async def test_battery_is_spared(meter: OfferingMeter) -> None:
    meter.make_entry(options={CONF_POLL_INTERVAL: 86_400}, battery=True)
    await meter.start(reading())
    assert await refused(meter, ACTION, registers=CODE) == "battery_rests"
    await meter.wait(899, step=899)
    assert await refused(meter, ACTION, registers=CODE) == "battery_rests"
    await meter.wait(2)
    await respond(meter, ACTION, registers=CODE)
    assert await refused(meter, ACTION, registers=CODE) == "battery_rests"
    assert len(meter.client.asked) == 1


async def test_rejected_password_is_not_sent_again(
    hass: HomeAssistant, meter: OfferingMeter
) -> None:
    await meter.start(reading())
    meter.client.registers = MeterAuthenticationError("no")
    assert await refused(meter, ACTION, registers=CODE) == "password_rejected"
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    hass.config_entries.flow.async_abort(flow["flow_id"])
    assert await refused(meter, ACTION, registers=CODE) == "was_rejected"
    assert await refused(meter, "export_profile", start=START.isoformat()) == "was_rejected"
    assert len(meter.client.asked) == 1


async def test_meter_whose_readouts_were_rejected(meter: OfferingMeter) -> None:
    await meter.start(reading())
    meter.client.answers.append(MeterAuthenticationError("no"))
    await meter.until_due()
    assert await refused(meter, ACTION, registers=CODE) == "was_rejected"
    assert not meter.client.asked


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (MeterSilentError("no"), "meter_silent"),
        (RefusedError("no"), "refused"),
        (reading(meter=OTHER_METER), "other_meter"),
    ],
)
async def test_meter_that_does_not_answer(
    meter: OfferingMeter, error: Exception | Reading, key: str
) -> None:
    await meter.start(reading())
    meter.client.registers = error
    assert await refused(meter, ACTION, registers=CODE) == key
    assert meter.value() == "5.000"


async def test_meter_has_none_of_the_registers(meter: OfferingMeter) -> None:
    await meter.start(reading())
    meter.client.registers = NoRegisterError("no")
    response = await respond(meter, ACTION, registers=[CODE, "99.99.99"])
    assert (response["registers"], response["missing"]) == ([], [CODE, "99.99.99"])


async def test_it_ends_with_the_entry(hass: HomeAssistant, meter: OfferingMeter) -> None:
    await meter.start(reading())
    meter.client.may_answer.clear()
    call = hass.async_create_task(refused(meter, ACTION, registers=CODE))
    await meter.client.is_asked.wait()
    await hass.config_entries.async_unload(meter.entry.entry_id)
    assert await call == "service_config_entry_not_loaded"
    assert await refused(meter, ACTION, registers=CODE) == "service_config_entry_not_loaded"


@pytest.mark.parametrize("action", [ACTION, "get_telegram", "export_profile"])
async def test_administrators_only(
    meter: OfferingMeter, hass_read_only_user: MockUser, action: str
) -> None:
    await meter.start(reading())
    data = {ACTION: {"registers": CODE}, "export_profile": {"start": START.isoformat()}}
    with pytest.raises(Unauthorized):
        await respond(
            meter, action, Context(user_id=hass_read_only_user.id), **data.get(action, {})
        )
    assert not meter.client.asked


async def test_actions_have_a_response_only(hass: HomeAssistant, meter: OfferingMeter) -> None:
    await meter.start(reading())
    for action in (ACTION, "get_telegram", "export_profile"):
        assert hass.services.supports_response(DOMAIN, action) == "only"
