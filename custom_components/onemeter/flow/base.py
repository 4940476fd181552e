"""What the steps of the config flow have in common, whatever the protocol."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import probatio

from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult
from homeassistant.core import callback

from ..meter import MeterError, Protocol
from ..settings import AnySettings, Connection


class Steps(ConfigFlow):
    """Keeps what was entered, and the errors to show at the next form."""

    #: What was entered in the form of the port.
    _connection: Connection
    #: The other entries that read a meter there.
    _others: list[ConfigEntry]

    def __init__(self) -> None:
        """Start with empty forms and no errors."""
        super().__init__()
        #: The settings of the entry that the flow changes.
        self._before: AnySettings | None = None
        self._errors: dict[str, str] = {}
        self._placeholders: dict[str, str] = {}

    @abstractmethod
    @callback
    def _async_begin(
        self, settings: AnySettings, *, finds_source: bool = False
    ) -> ConfigFlowResult:
        """Begin to look for the meter with these settings.

        With ``finds_source``, the signal by which a port reports impulses is found out first.
        """

    @abstractmethod
    def _step_for_error(self, error: MeterError, settings: AnySettings) -> str | None:
        """Return the step that can correct an error of a meter; None for that of the port."""

    async def async_step_import(self, import_data: dict[str, Any]) -> ConfigFlowResult:
        """Create the entry of a meter that an existing entry has received in place of its own."""
        await self.async_set_unique_id(import_data["unique_id"])
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=import_data["title"], data=import_data["data"])

    def _counts_another_total(self, protocol: Protocol) -> bool:
        """Return whether the total of a protocol cannot continue that of the entry to be changed.

        BLINK counts from a reading of the user's.
        """
        is_blink = protocol is Protocol.BLINK
        return self._before is not None and is_blink != (self._before.protocol is Protocol.BLINK)

    def _set_errors(self, errors: dict[str, str], details: Mapping[str, str] | None = None) -> None:
        """Show these errors at the next form."""
        self._errors = errors
        self._placeholders = dict(details or {})

    @callback
    def _async_ask(
        self, step_id: str, schema: probatio.Schema, form: Mapping[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form of a step with what was entered so far and its errors."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, form),
            errors=self._errors,
            description_placeholders=self._placeholders,
        )
