"""The steps of the config flow that only meters that blink need."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.const import CONF_PORT, CONF_PROTOCOL

from ..access.clients import others_at
from ..const import CONF_READING, CONF_SOURCE, HASS_SOURCES
from .base import Steps
from .blink_schemas import blink_schema, to_blink_data, to_blink_form
from .impulse_source import SourceSteps, source_steps
from .picture import async_serve_picture
from .schemas import FormError


class BlinkSteps(SourceSteps, Steps):
    """Asks what sees a meter's flashes, and how much energy each of them is."""

    def __init__(self) -> None:
        """Start with empty forms."""
        super().__init__()
        self._blink_form: Mapping[str, Any] | None = None

    @abstractmethod
    async def _async_confirm(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show in this step what was found, or create the entry."""

    async def async_step_blink(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask what sees the flashes."""
        options = source_steps(self.hass, with_port=bool(self._port_data[CONF_PORT]))
        return self.async_show_menu(step_id="blink", menu_options=options)

    @override
    async def _async_ask_source(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        if user_input is not None:
            self._blink_form = user_input
            self._set_errors({})
            try:
                data = to_blink_data(self.hass, step_id, user_input)
            except FormError as error:
                self._set_errors(error.errors)
            else:
                return self._async_count(data)
        self._placeholders["picture"] = await async_serve_picture(self.hass)
        # Later on, the options are where to enter what the display shows.
        schema = blink_schema(step_id, with_reading=self.source != SOURCE_RECONFIGURE)
        return self._async_ask(step_id, schema, self._blink_form or to_blink_form(self._details))

    def _async_count(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Begin to count the flashes, with this in the entry's data."""
        if data[CONF_SOURCE] in HASS_SOURCES:
            # Nothing of the port counts there.
            self._port_data = {
                CONF_PORT: data[CONF_PORT],
                CONF_PROTOCOL: self._port_data[CONF_PROTOCOL],
            }
        port = self._port_data[CONF_PORT]
        if others_at(self.hass, port, besides=self.context.get("entry_id")):
            return self.async_abort(reason="already_configured")
        if CONF_READING in self._details:
            data[CONF_READING] = self._details[CONF_READING]
        return self._async_begin(data)

    async def async_step_confirm_blink(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how many flashes were seen, and create the entry."""
        return await self._async_confirm("confirm_blink", user_input)

    async def async_step_confirm_blink_dark(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Do the same where none was seen at a port."""
        return await self._async_confirm("confirm_blink_dark", user_input)

    async def async_step_confirm_blink_quiet(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Do the same where Home Assistant told of none."""
        return await self._async_confirm("confirm_blink_quiet", user_input)
