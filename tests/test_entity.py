"""The device of a meter."""

import pytest

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter import Identity, Protocol
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .helpers.published import METER, PublishedMeter, publish, register


async def test_device(hass: HomeAssistant, device_registry: dr.DeviceRegistry) -> None:
    published = await publish(
        hass,
        register("1-0:0.2.0*0", "1.02.007"),
        register("1-0:1.8.0*255", "5", "Wh"),
    )
    [device] = dr.async_entries_for_config_entry(device_registry, published.entry.entry_id)
    assert device.identifiers == {(DOMAIN, "1EMH0012345678")}
    assert device.name == "Meter"
    assert device.manufacturer == "EMH metering"
    assert device.serial_number == "1 EMH00 1234 5678"
    assert device.sw_version == "1.02.007"


async def test_address_without_code_is_no_firmware(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry
) -> None:
    published = await publish(hass, register("0.2.0", "9"), register("1-0:0.2.0*255", "1.25"))
    [device] = dr.async_entries_for_config_entry(device_registry, published.entry.entry_id)
    assert device.sw_version == "1.25"


@pytest.mark.parametrize(
    ("manufacturer", "name"), [("EMH", "EMH metering"), ("XYZ", "XYZ"), (None, None)]
)
async def test_device_of_little_known_meter(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    manufacturer: str | None,
    name: str | None,
) -> None:
    meter = Identity(meter_id="4711", manufacturer=manufacturer, ident="T210-D")
    published = await publish(hass, register("1-0:1.8.0*255", "5", "Wh"), meter=meter)
    [device] = dr.async_entries_for_config_entry(device_registry, published.entry.entry_id)
    assert (device.manufacturer, device.model, device.sw_version) == (name, "T210-D", None)


@pytest.mark.parametrize(
    ("protocol", "model"),
    [
        (Protocol.SML, "SML meter"),
        (Protocol.IEC62056, "IEC 62056-21 meter"),
        (Protocol.DLMS, "DLMS meter"),
        (Protocol.BLINK, "BLINK meter"),
    ],
)
async def test_meter_without_model_is_named_by_its_protocol(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry, protocol: Protocol, model: str
) -> None:
    published = PublishedMeter(hass, METER, {}, protocol)
    await published.start(register("1-0:1.8.0*255", "5", "Wh"))
    [device] = dr.async_entries_for_config_entry(device_registry, published.entry.entry_id)
    assert (device.manufacturer, device.model) == ("EMH metering", model)
    assert device.serial_number == "1 EMH00 1234 5678"


@pytest.mark.parametrize(
    ("language", "model"), [("de", "SML-Zähler"), ("pl", "Licznik SML"), ("fr", "SML meter")]
)
async def test_name_by_protocol_is_in_the_language_of_home_assistant(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    language: str,
    model: str,
) -> None:
    hass.config.language = language
    published = await publish(hass, register("1-0:1.8.0*255", "5", "Wh"), meter=METER)
    [device] = dr.async_entries_for_config_entry(device_registry, published.entry.entry_id)
    assert device.model == model


async def test_two_meters_are_two_devices(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry
) -> None:
    await publish(hass, register("1-0:1.8.0*255", "5", "Wh"), meter=METER)
    await publish(hass, register("1-0:1.8.0*255", "6", "Wh"), meter=Identity(meter_id="4711"))
    assert len(device_registry.devices) == 2
    states = [state.state for state in hass.states.async_all()]
    assert states == ["ok", "0.005", "ok", "0.006"]
