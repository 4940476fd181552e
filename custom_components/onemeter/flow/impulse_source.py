"""The steps that each ask for one kind of source of impulses, whichever flow they are part of."""

from abc import ABC, abstractmethod
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant

_MQTT: Final = "mqtt"


def source_steps(hass: HomeAssistant, *, with_port: bool) -> list[str]:
    """Return the steps that there is something to choose in."""
    steps = ["blink_port"] if with_port else []
    steps += ["blink_entity", "blink_event"]
    if _MQTT in hass.config.components:
        steps.append("blink_mqtt")
    return steps


class SourceSteps(ABC):
    """Asks what sees the flashes of a meter."""

    @abstractmethod
    async def _async_ask_source(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form of a step, or take what was entered."""

    async def async_step_blink_port(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how a port tells of flashes."""
        return await self._async_ask_source("blink_port", user_input)

    async def async_step_blink_entity(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which entity does."""
        return await self._async_ask_source("blink_entity", user_input)

    async def async_step_blink_event(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which events are flashes."""
        return await self._async_ask_source("blink_event", user_input)

    async def async_step_blink_mqtt(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which sender sees them."""
        return await self._async_ask_source("blink_mqtt", user_input)
