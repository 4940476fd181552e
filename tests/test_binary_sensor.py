"""The sensor of a meter's error register."""

from typing import Any

import pytest

from custom_components.onemeter.meter import Value
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .helpers.published import publish, register

ENTITY = "binary_sensor.meter_error"


def shown(hass: HomeAssistant, entity_id: str = ENTITY) -> tuple[str, object]:
    state = hass.states.get(entity_id)
    assert state is not None
    return state.state, state.attributes.get("word")


@pytest.mark.parametrize(
    ("sent", "state", "word"),
    [
        ("00000000", STATE_OFF, "00000000"),
        ("0", STATE_OFF, "0"),
        ("00000040", STATE_ON, "00000040"),
        ("0000A000", STATE_ON, "0000A000"),
        ("000f", STATE_ON, "000f"),
        (b"\0\0", STATE_OFF, "0000"),
        (b"\0\x20", STATE_ON, "0020"),
        (0, STATE_OFF, "0"),
        (16, STATE_ON, "16"),
        ("no error", STATE_UNKNOWN, "no error"),
        ("", STATE_UNKNOWN, None),
        (b"", STATE_UNKNOWN, None),
        (None, STATE_UNKNOWN, None),
    ],
)
async def test_error_register(
    hass: HomeAssistant, sent: Value, state: str, word: str | None
) -> None:
    await publish(hass, register("1-0:97.97.0*255", sent))
    assert shown(hass) == (state, word)


@pytest.mark.parametrize("code", ["1-0:97.97.0*255", "0-0:97.97.0*255", "1-0:97.97.0*0", "F"])
async def test_codes_of_error_registers(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, code: str
) -> None:
    await publish(hass, register(code, "01"))
    assert shown(hass) == (STATE_ON, "01")
    entry = entity_registry.entities[ENTITY]
    assert entry.unique_id == f"1EMH0012345678-{code}"
    assert (entry.original_device_class, entry.entity_category) == ("problem", "diagnostic")
    # Its text is there too, for those who want it.
    text = entity_registry.entities["sensor.meter_error_register"]
    assert text.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_several_error_registers(hass: HomeAssistant) -> None:
    await publish(hass, register("1-0:97.97.0*255", "00"), register("1-0:97.97.1*255", "01"))
    assert shown(hass) == (STATE_OFF, "00")
    assert shown(hass, f"{ENTITY}_1_0_97_97_1") == (STATE_ON, "01")


async def test_other_registers_are_none(hass: HomeAssistant) -> None:
    await publish(hass, register("1-0:1.8.0*255", "1", "kWh"), register("1-0:96.5.0*255", "01"))
    assert hass.states.async_all("binary_sensor") == []


async def test_error_register_that_comes_later_and_goes(hass: HomeAssistant) -> None:
    total = register("1-0:1.8.0*255", "1", "kWh")
    published = await publish(hass, total)
    await published.publish(total, register("1-0:97.97.0*255", "00"))
    assert shown(hass) == (STATE_OFF, "00")
    await published.publish(total)
    assert shown(hass) == (STATE_UNKNOWN, None)
    await published.fall_silent()
    assert shown(hass)[0] == STATE_UNAVAILABLE


async def test_nothing_is_written_without_news(hass: HomeAssistant) -> None:
    published = await publish(hass, register("1-0:97.97.0*255", "01"))
    written: list[str] = []

    @callback
    def remember(event: Event[Any]) -> None:
        written.append(event.data["new_state"].attributes["word"])

    hass.bus.async_listen("state_changed", remember)
    await published.publish(register("1-0:97.97.0*255", "01"))
    await published.publish(register("1-0:97.97.0*255", "03"))
    assert written == ["03"]
