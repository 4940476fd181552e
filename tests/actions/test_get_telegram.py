"""The last telegram is shown with masked ids, of DLMS deciphered and without its values."""

from dataclasses import replace
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.meter import Identity, Reading
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder
from custom_components.onemeter.meter.sml import SmlDecoder
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from simulator.dlms import Framing, Layout, PushMeter
from simulator.sml import encoder as sml
from tests.helpers.polled import PolledMeter
from tests.helpers.published import register
from tests.helpers.pushed import GENERATED_ID, PushedMeter, reading

from .calls import respond

TIME = 1_795_831_200
AUTHENTICATION_KEY = bytes(range(16, 32))
KEYS = Keys(bytes(range(16)), AUTHENTICATION_KEY)
SERVER_ID = b"\x0a\x01DMO\x00\x00\xbc\x61\x4e"
READOUT = (
    b"/DMO5DEMO\r\n\x020.0.0(12345678)\r\n"
    b"1.8.0(005000.000*kWh)\r\n2.8.0(000001.000*kWh)\r\n!\r\n\x03"
)


def block_check(readout: bytes) -> bytes:
    check = 0
    for byte in readout[readout.index(b"\x02") + 1 :]:
        check ^= byte
    return readout + bytes([check])


async def telegram_of(meter: PushedMeter, said: Reading) -> dict[str, Any]:
    assert await meter.start(said)
    response = await respond(meter, "get_telegram")
    assert response["received"] == dt_util.utcnow().isoformat()
    assert response["manufacturer"] == said.meter.manufacturer
    assert len(response["registers"]) == len(said.registers)
    return response


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


async def test_sml(meter: PushedMeter) -> None:
    number = sml.entry(bytes.fromhex("0100600100ff"), sml.octets(SERVER_ID))
    total = sml.entry(
        bytes.fromhex("0100010800ff"), sml.unsigned(123_456, 8), unit=sml.unsigned(30)
    )
    telegram = sml.encode_telegram(sml.octets(SERVER_ID), [number, total])
    (said,) = SmlDecoder().feed(telegram)
    meter.make_entry(said.meter.unique_id)
    response = await telegram_of(meter, said)
    shown = bytes.fromhex(response["telegram"])
    assert SERVER_ID not in shown
    (masked,) = SmlDecoder().feed(shown)
    assert [item.value for item in masked.registers][-1] == said.registers[-1].value
    assert response["structure"] is None
    assert response["registers"][0]["value"] == "**REDACTED**"
    assert response["registers"][-1]["value"] == "123456"


async def test_readout(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    (said,) = Iec62056Decoder().feed(block_check(READOUT))
    meter = PolledMeter(hass, freezer)
    meter.make_entry(said.meter.unique_id)
    response = await telegram_of(meter, said)
    shown = bytes.fromhex(response["telegram"])
    assert b"12345678" not in shown
    assert b"1.8.0(005000.000*kWh)" in shown
    assert "12345678" not in json.dumps(response)


@pytest.mark.parametrize(
    "layout", [Layout.LIST, Layout.KAMSTRUP, Layout.EVN, Layout.POSITIONAL, Layout.PUSH_LIST]
)
@pytest.mark.parametrize("keys", [KEYS, Keys()])
async def test_list_of_a_dlms_meter(meter: PushedMeter, layout: Layout, keys: Keys) -> None:
    pushing = replace(
        PushMeter(),
        layout=layout,
        framing=Framing.HDLC,
        encryption_key=keys.encryption,
        authentication_key=AUTHENTICATION_KEY,
    )
    sent = pushing.telegram(TIME)
    (said,) = DlmsDecoder(keys).feed(sent)
    meter.make_entry(GENERATED_ID, protocol="dlms", mode="pushed")
    response = await telegram_of(meter, said)
    assert response["telegram"] is None
    shown = json.dumps(response)
    for secret in (pushing.serial, pushing.serial[-8:], pushing.system_title.hex()):
        assert secret not in shown
    assert sent[20:36].hex() not in shown
    assert response["structure"]["shape"]
    assert not set("".join(map(str, response["structure"]["elements"]))).isdisjoint("number")
    assert any(item["unit"] == "Wh" for item in response["registers"])


async def test_encrypted_readout(meter: PushedMeter) -> None:
    pushing = replace(
        PushMeter(),
        layout=Layout.P1,
        encryption_key=KEYS.encryption,
        authentication_key=AUTHENTICATION_KEY,
    )
    (said,) = DlmsDecoder(KEYS).feed(pushing.telegram(TIME))
    meter.make_entry(GENERATED_ID, protocol="dlms", mode="pushed")
    response = await telegram_of(meter, said)
    shown = bytes.fromhex(response["telegram"])
    assert shown.startswith(b"/")
    assert b"1-0:1.8.1" in shown
    for secret in (
        pushing.serial,
        pushing.serial.encode().hex(),
        pushing.serial.encode().hex().upper(),
    ):
        assert secret.encode() not in shown
        assert secret not in json.dumps(response)
    assert response["structure"] is None


async def test_polled_dlms_meter_has_no_telegram(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms")
    response = await telegram_of(meter, reading(raw=b""))
    assert (response["telegram"], response["structure"]) == (None, None)
    assert response["registers"][0]["value"] == "5000"


async def test_live_values_are_no_readout(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PolledMeter(hass, freezer)
    said = Reading(
        Identity("12345678", "DMO"), None, (register("1-0:1.8.0*255", "5", "kWh"),), READOUT
    )
    meter.make_entry(said.meter.unique_id)
    await meter.start(said)
    received = dt_util.utcnow()
    await meter.wait(10)
    meter.coordinator._async_take_live(reading(register("1-0:16.7.0*255", "1", "W")))
    response = await respond(meter, "get_telegram")
    assert response["received"] == received.isoformat()
    assert len(response["registers"]) == 1
