"""The steps of the config flow that only BLINK meters need."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult

from ..access.clients import is_taken
from ..settings import BlinkEntrySettings
from .base import Steps
from .blink_schemas import CONF_LINE, blink_schema, to_blink_form, to_blink_settings
from .impulse_source import SourceSteps, source_steps
from .picture import async_serve_picture
from .schemas import DETECT, FormError


class BlinkSteps(SourceSteps, Steps):
    """Asks for the source of a meter's impulses, and for the impulse constant."""

    def __init__(self) -> None:
        """Start with empty forms."""
        super().__init__()
        self._blink_form: Mapping[str, Any] | None = None

    async def async_step_blink(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the kind of source."""
        options = source_steps(self.hass, with_port=bool(self._connection.source_id))
        return self.async_show_menu(step_id="blink", menu_options=options)

    @override
    async def _async_ask_source(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        if user_input is not None:
            self._blink_form = user_input
            self._set_errors({})
            try:
                entered = to_blink_settings(self.hass, step_id, user_input, self._connection)
            except FormError as error:
                self._set_errors(error.errors)
            else:
                finds_source = user_input.get(CONF_LINE) == DETECT
                return self._async_count(entered, finds_source=finds_source)
        self._placeholders["picture"] = await async_serve_picture(self.hass)
        # Later on, the options are where to enter what the display shows.
        schema = blink_schema(
            step_id, with_reading=self.source != SOURCE_RECONFIGURE, can_find_source=True
        )
        form = self._blink_form or to_blink_form(self._blink_before())
        return self._async_ask(step_id, schema, form)

    def _async_count(self, settings: BlinkEntrySettings, *, finds_source: bool) -> ConfigFlowResult:
        """Begin to count the flashes of a source that no other entry has."""
        if is_taken(self.hass, settings, besides=self.context.get("entry_id")):
            return self.async_abort(reason="already_configured")
        if (before := self._blink_before()) is not None:
            settings = replace(settings, reading=before.reading)
        return self._async_begin(settings, finds_source=finds_source)

    def _blink_before(self) -> BlinkEntrySettings | None:
        """Return the settings of the entry that the flow changes, if its meter is a BLINK meter."""
        return self._before if isinstance(self._before, BlinkEntrySettings) else None
