"""Diagnostics contain the telegrams, but neither secrets nor ids of the meter."""

import asyncio
from contextlib import suppress
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.onemeter.const import CONF_MAX_POWER, CONF_POLL_INTERVAL, DOMAIN
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from custom_components.onemeter.meter import Identity, LineSettings, Obis, Reading, Register
from custom_components.onemeter.meter.checksum import crc16_arc, sum_of, xor_of
from custom_components.onemeter.meter.dlms.push.client import DlmsPushClient
from custom_components.onemeter.meter.dlms.settings import Keys
from custom_components.onemeter.meter.errors import (
    PortLostError,
    PortNotFoundError,
    UnknownListError,
)
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder
from custom_components.onemeter.meter.iec62056.masking import mask_readout
from custom_components.onemeter.meter.sml import SmlDecoder
from custom_components.onemeter.meter.sml.masking import mask
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from simulator.dlms import hdlc
from simulator.sml import encoder as sml

from .helpers.polled import PolledMeter
from .helpers.pushed import GENERATED_ID, PushedMeter, energy, reading

ESCAPE = b"\x1b\x1b\x1b\x1b"
KEY = bytes(range(100, 148))
NUMBERS = [12_345_678, 87_654_321]


def server_id(number: int) -> bytes:
    return b"\x0a\x01DMO\x00" + number.to_bytes(4)


def telegram(number: int, *, crc: sml.Crc = "x25") -> bytes:
    """Encode a telegram with the ids of the meter in every form that meters use."""
    identity = server_id(number)

    def text(code: str, content: bytes) -> bytes:
        return sml.entry(bytes.fromhex(code), sml.octets(content))

    return sml.encode_telegram(
        sml.octets(identity),
        [
            text("010060320101", b"DMO"),
            text("0100600100ff", identity),
            text("0100000009ff", identity),
            text("0000600100ff", f"1DMO00{number:08d}".encode()),
            text("0000600101ff", f"1 DMO00 {number // 10_000:04d} {number % 10_000:04d}".encode()),
            text("0000600102ff", identity.hex().encode()),
            text("0000600103ff", identity.hex().upper().encode()),
            text("0000600104ff", b"42"),
            sml.entry(bytes.fromhex("0000600109ff"), sml.unsigned(number, 4)),
            sml.entry(bytes.fromhex("010000020001"), sml.unsigned(7)),
            text("8181c78205ff", KEY),
            text("8181c78207ff", b"customer " + str(number).encode()),
            sml.entry(
                bytes.fromhex("0100010800ff"),
                sml.unsigned(123_456, 8),
                unit=sml.unsigned(30),
                scaler=sml.integer(-1),
            ),
            sml.entry(bytes.fromhex("0100100700ff"), sml.integer(-5, 4), unit=sml.unsigned(27)),
        ],
        crc=crc,
    )


def decode(data: bytes) -> list[Reading]:
    return list(SmlDecoder().feed(data))


def traces(number: int) -> set[bytes]:
    """Return the ids of a meter in every form."""
    identity = server_id(number)
    texts = {
        identity.hex(),
        f"{number:08d}",
        f"{number // 10_000:04d} {number % 10_000:04d}",
        KEY.hex(),
    }
    forms = {form.encode() for text in texts for form in (text, text.upper())}
    return forms | {identity, number.to_bytes(4), KEY, KEY.hex().encode()}


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("crc", ["x25", "kermit"])
async def test_no_id_in_any_form(
    hass: HomeAssistant, meter: PushedMeter, number: int, crc: sml.Crc
) -> None:
    [said] = decode(telegram(number, crc=crc))
    meter.make_entry(said.meter.unique_id, options={CONF_MAX_POWER: 20_000})
    await meter.start(said)
    await meter.say(said, after=1)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    shown = json.dumps(diagnostics)
    raw = b"".join(bytes.fromhex(item) for item in diagnostics["telegrams"])
    assert len(diagnostics["telegrams"]) == 2
    for trace in traces(number):
        assert trace not in shown.encode()
        assert trace.hex() not in shown
        assert trace not in raw
    assert "secret" not in shown
    assert "Meter" not in shown


async def test_the_rest_is_told(hass: HomeAssistant, meter: PushedMeter) -> None:
    [said] = decode(telegram(NUMBERS[0]))
    meter.make_entry(said.meter.unique_id, options={CONF_MAX_POWER: 20_000})
    await meter.start(said)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    registers = {item["obis"]: item for item in diagnostics.pop("registers")}
    assert registers["1-0:1.8.0*255"] == {
        "obis": "1-0:1.8.0*255",
        "address": None,
        "value": "12345.6",
        "unit": "Wh",
        "signed_value": None,
    }
    assert registers["1-0:96.50.1*1"]["value"] == "DMO"
    assert registers["0-0:96.1.0*255"]["value"] == "**REDACTED**"
    assert diagnostics.pop("last_telegram") == meter.freezer().strftime(
        "%Y-%m-%dT%H:%M:%S.%f+00:00"
    )
    [item] = diagnostics.pop("telegrams")
    [masked] = decode(bytes.fromhex(item))
    assert [register.obis for register in masked.registers] == [
        register.obis for register in said.registers
    ]
    assert diagnostics == {
        "state": "loaded",
        "reason": None,
        "mode": "pushed",
        "data": {"port": "socket://***@meter.local:3333", "protocol": "sml"},
        "options": {CONF_MAX_POWER: 20_000},
        "available": True,
        "situation": None,
        "counters": {
            "good": 1,
            "damaged": 0,
            "other": 0,
            "received": 0,
            "skipped": 0,
            "needs_key": 0,
            "wrong_encryption_key": 0,
            "not_authenticated": 0,
            "wrong_authentication_key": 0,
        },
        "manufacturer": "DMO",
        "clock_difference": None,
        "billing": None,
        "withheld_totals": [],
    }


@pytest.mark.parametrize(("device", "shown"), [(17, 17), (6678, "**REDACTED**")])
async def test_no_key_password_or_title(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, device: int, shown: int | str
) -> None:
    secrets: dict[str, Any] = {
        "password": "s3cret",
        "encryption_key": "000102030405060708090a0b0c0d0e0f",
        "authentication_key": "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
        "system_title": "4f4e4d0102030405",
    }
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms", authentication="lls", physical_device=device, **secrets)
    await meter.start()
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["data"]["physical_device"] == shown
    for key, secret in secrets.items():
        assert diagnostics["data"][key] == "**REDACTED**"
        assert secret not in str(diagnostics)


@pytest.mark.parametrize(
    ("source", "port", "shown"),
    [
        ("rx", "socket://me:s3cret@head:3333", "socket://***@head:3333"),
        ("mqtt", "s10/0123456789AB", "**REDACTED**"),
        ("entity", "sensor.flashes", "sensor.flashes"),
    ],
)
async def test_no_secret_of_the_source_of_flashes(
    hass: HomeAssistant, meter: PushedMeter, source: str, port: str, shown: str
) -> None:
    key = "port" if source == "rx" else "source_id"
    flashes = {"protocol": "blink", "source": source, key: port, "impulses_per_kwh": "1000"}
    meter.make_entry(options={"impulses": flashes})
    meter.entry.add_to_hass(hass)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["options"] == {"impulses": {**flashes, key: shown}}
    assert meter.entry.options["impulses"] == flashes


async def test_telegrams_with_a_system_title_are_not_told(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    meter.make_entry(protocol="dlms", mode="pushed")
    await meter.start(reading(raw=b"\x7eKFM12345"))
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["telegrams"] == []
    assert diagnostics["registers"]


async def test_lists_that_are_not_known(hass: HomeAssistant, meter: PushedMeter) -> None:
    meter.make_entry(protocol="dlms", mode="pushed")
    await meter.start(reading())
    client = DlmsPushClient("/dev/ttyUSB0", LineSettings(2400), Keys())
    serial, energy = b"\x09\x06DMO123", b"\x06\x00\x12\xd6\x87"
    body = b"\x0f\0\0\0\1\0\x02\x03" + serial + energy + energy
    client._dlms.feed(hdlc.Frame(b"\x41", b"\x03", hdlc.UI, body, segmented=False).to_bytes())
    meter.coordinator.client = client
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["unknown_lists"] == [
        {"shape": "t u2", "elements": ["text DMO999", "number", "number"], "candidates": []}
    ]
    assert json.dumps(diagnostics)


async def test_entry_whose_list_is_not_known(hass: HomeAssistant, meter: PushedMeter) -> None:
    meter.make_entry(protocol="dlms", mode="pushed")
    await meter.start(UnknownListError("", port="p", shape="t u2"))
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["reason"] == "unknown_list"
    assert diagnostics["unknown_list"] == "t u2"


async def test_last_telegram_need_not_be_published(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("5001"), after=3)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["last_telegram"] == dt_util.utcnow().isoformat()
    assert meter.value() == "5.000"


async def test_meter_whose_id_is_a_text(hass: HomeAssistant, meter: PushedMeter) -> None:
    registers = (
        Register(None, "serial 4711-0815", address="C.1"),
        Register(Obis.parse("1-0:0.0.0"), 4711, None),
        Register(Obis.parse("1-0:0.0.1"), "471", None),
        Register(Obis.parse("1-0:0.0.2"), None, None),
        Register(Obis.parse("1-0:1.8.0"), 5000, "Wh"),
    )
    raw = b"...serial 4711-0815...kamstrup-88.."
    identity = Identity("Kamstrup-88")
    meter.make_entry(identity.unique_id)
    await meter.start(Reading(identity, None, registers, raw))
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    [item] = diagnostics["telegrams"]
    assert b"4711" not in bytes.fromhex(item)
    assert b"amstrup" not in bytes.fromhex(item)
    assert diagnostics["registers"][0] == {
        "obis": None,
        "address": "C.1",
        "value": "**REDACTED**",
        "unit": None,
        "signed_value": None,
    }
    assert [register["value"] for register in diagnostics["registers"][1:]] == [
        *["**REDACTED**"] * 3,
        "5000",
    ]


async def test_meter_without_id(hass: HomeAssistant, meter: PushedMeter) -> None:
    meter.make_entry(GENERATED_ID)
    await meter.start(
        Reading(
            Identity(),
            None,
            (
                Register(Obis.parse("1-0:1.8.0"), 5000, "Wh"),
                Register(Obis.parse("1-0:96.90.2*1"), b"\xa0\xa1"),
            ),
            b"raw",
        )
    )
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert [register["value"] for register in diagnostics["registers"]] == ["5000", "0xa0a1"]
    assert GENERATED_ID not in json.dumps(diagnostics)


async def test_meter_that_cannot_be_read(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    for _ in range(7):
        await meter.say(energy("300"), after=10)
    await meter.say(PortLostError("gone", port="p"))
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["available"] is False
    assert diagnostics["situation"] == "port_lost"
    assert diagnostics["withheld_totals"] == ["1-0:1.8.0*255"]


async def test_entry_that_is_not_set_up(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(PortNotFoundError("no", port="p"))
    assert await async_get_config_entry_diagnostics(hass, meter.entry) == {
        "state": "setup_retry",
        "reason": "port_not_found",
        "mode": "pushed",
        "data": {"port": "socket://***@meter.local:3333", "protocol": "sml"},
        "options": {},
    }


@pytest.mark.parametrize("crc", ["x25", "kermit"])
def test_checksums_betray_nothing(crc: sml.Crc) -> None:
    """Two telegrams that differ only in the meter's number are equal once masked."""
    first, second = (
        mask(telegram(number, crc=crc), [*traces(number), str(number).encode()])
        for number in NUMBERS
    )
    assert first == second
    assert len(decode(first)) == 1


def test_short_checksums_betray_nothing() -> None:
    short = b""
    for number in range(2**16):  # until the first byte of the checksum is zero
        with suppress(ValueError):
            short = sml.message(
                sml.CLOSE_RESPONSE,
                sml.close_response(),
                transaction_id=sml.octets(number.to_bytes(4)),
                crc_width=1,
            )
            break
    assert short[-3] == 0x62
    assert short[-2] != 0
    assert short[:-2] + bytes(2) in mask(sml.transport(short), [])


def test_id_that_is_sent_with_escapes_is_masked() -> None:
    identity = b"\x0a" + ESCAPE + b"secret"
    value = sml.entry(bytes.fromhex("0100010800ff"), sml.unsigned(1))
    data = sml.encode_telegram(sml.octets(identity), [value])
    assert identity not in data
    masked = mask(data, [identity])
    assert b"secret" not in masked
    [seen] = decode(masked)
    assert seen.meter.meter_id is not None
    assert not any(bytes.fromhex(seen.meter.meter_id))


NUMBER = "30512345"
#: Of a meter on the M-Bus.
GAS_NUMBER = "7EMH0140712345"


def readout(*, check: str = "xor", number: str = NUMBER) -> bytes:
    """Make a readout with the ids of the meter in every form that meters use."""
    lines = [
        f"C.1.0({number})",
        f"0.0.0(0000{number})",
        f"0-0:96.1.0({number.encode().hex().upper()})",
        "0.0.1(CUSTOMER-7)",
        f"C.90.1({number[-6:]})",
        "0-1:24.1.0(003)",
        f"0-1:96.1.1({GAS_NUMBER.encode().hex().upper()})",
        f"0-2:96.1.0({GAS_NUMBER})",
        "0-1:24.2.1(200426223001S)(00246.139*m3)",
        "1.8.0(0012345.678*kWh)",
        "F.F(00000000)",
    ]
    data = ("\r\n".join(lines) + "\r\n!\r\n").encode()
    if check == "p1":
        telegram = b"/ISK5ME162\r\n\r\n" + data[:-2]
        return telegram + f"{crc16_arc(telegram):04X}\r\n".encode()
    block = data + b"\x03"
    character = {"xor": xor_of(block), "sum": sum_of(block), "none": 0}[check]
    return b"/ISK5ME162\r\n\x02" + block + bytes([character])


def read(raw: bytes) -> Reading:
    [seen] = Iec62056Decoder().feed(raw)
    return seen


@pytest.mark.parametrize("check", ["xor", "sum", "p1"])
@pytest.mark.parametrize("parity", [False, True])
async def test_no_id_in_a_readout(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, check: str, *, parity: bool
) -> None:
    raw = readout(check=check)
    if parity:
        raw = bytes(byte | (byte.bit_count() % 2) << 7 for byte in raw)
    said = read(raw)
    assert said.meter.unique_id == f"ISK{NUMBER}"
    meter = PolledMeter(hass, freezer)
    meter.make_entry(said.meter.unique_id, address=f"00{NUMBER}", password="geheim")
    await meter.start(said)
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    shown = json.dumps(diagnostics)
    [item] = diagnostics["telegrams"]
    told = bytes.fromhex(item)
    assert len(told) == len(said.raw)
    numbers = (NUMBER, NUMBER[-6:], GAS_NUMBER, "7 EMH01 4071 2345")
    for trace in (*numbers, *(it.encode().hex() for it in numbers), "CUSTOMER", "geheim"):
        assert trace.lower() not in shown.lower()
        assert trace.lower().encode() not in told.lower()
    assert diagnostics["data"][CONF_ADDRESS] == "**REDACTED**"
    assert b"1.8.0(0012345.678*kWh)" in told
    seen = read(told + b"\r\n")
    assert [register.address for register in seen.registers] == [
        register.address for register in said.registers
    ]


@pytest.mark.parametrize("check", ["xor", "sum", "p1", "none"])
def test_checksums_of_readouts_betray_nothing(check: str) -> None:
    """Two readouts that differ only in the meter's number are equal once masked."""
    first, second = (
        mask_readout(
            readout(check=check, number=number),
            [number.encode(), number[-6:].encode(), number.encode().hex().encode()],
        )
        for number in (NUMBER, "30598761")
    )
    assert first == second


def test_readout_without_checksum_is_masked_too() -> None:
    assert mask_readout(b"1.8.0(5*kWh)\r\n0.0.0(12345)\r\n!\r\n", [b"12345"]) == (
        b"1.8.0(5*kWh)\r\n0.0.0(00000)\r\n!\r\n"
    )


async def test_what_is_known_of_a_meter_that_is_asked(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PolledMeter(hass, freezer)
    meter.make_entry(options={CONF_POLL_INTERVAL: 300}, address="42")
    await meter.start()
    meter.client.duration = 1.75
    diagnostics = await async_get_config_entry_diagnostics(hass, meter.entry)
    assert diagnostics["mode"] == "polled"
    assert diagnostics["poll_interval"] == 300
    assert diagnostics["readout_duration"] == 1.75
    assert diagnostics["data"][CONF_ADDRESS] == "42"


async def test_system_health(hass: HomeAssistant, meter: PushedMeter) -> None:
    hass.config.components.add(DOMAIN)
    assert await async_setup_component(hass, "system_health", {})
    await meter.start(energy("5000"))
    await meter.say(energy("5001"))

    async def info() -> dict[str, Any]:
        return {
            key: await value if asyncio.iscoroutine(value) else value
            for key, value in (await get_system_health_info(hass, DOMAIN)).items()
        }

    assert await info() == {"meters": "1 / 1", "telegrams": "2 / 0"}
    await meter.say(PortLostError("gone", port="p"))
    assert await info() == {"meters": "0 / 1", "telegrams": "2 / 0"}
