"""The steps for each kind of impulse source, of the config flow and the options flow."""

from abc import ABC, abstractmethod
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant

_MQTT: Final = "mqtt"


def source_steps(hass: HomeAssistant, *, with_port: bool) -> list[str]:
    """Return the steps of the sources that Home Assistant can have."""
    steps = ["blink_port"] if with_port else []
    steps += ["blink_entity", "blink_event"]
    if _MQTT in hass.config.components:
        steps.append("blink_mqtt")
    return steps


class SourceSteps(ABC):
    """Asks for the source of a meter's impulses."""

    @abstractmethod
    async def _async_ask_source(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form of a step, or take what was entered."""

    async def async_step_blink_port(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the signal of the port."""
        return await self._async_ask_source("blink_port", user_input)

    async def async_step_blink_entity(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the entity."""
        return await self._async_ask_source("blink_entity", user_input)

    async def async_step_blink_event(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the type of the events."""
        return await self._async_ask_source("blink_event", user_input)

    async def async_step_blink_mqtt(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the address of the sender."""
        return await self._async_ask_source("blink_mqtt", user_input)
