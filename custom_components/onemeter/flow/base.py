"""What the steps of the config flow have in common, whatever the protocol."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import probatio

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.core import callback


class Steps(ConfigFlow):
    """Remembers what was entered, and what is to be said about it at the next form."""

    #: Entry data of the port and the protocol.
    _port_data: dict[str, Any]

    def __init__(self) -> None:
        """Start with empty forms and nothing to complain about."""
        #: Entry data that the protocol's own forms are filled with.
        self._details: Mapping[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._placeholders: dict[str, str] = {}

    @abstractmethod
    @callback
    def _async_begin(self, details: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin to look for the meter, with this besides the port in the entry's data."""

    def _set_errors(self, errors: dict[str, str], details: Mapping[str, str] | None = None) -> None:
        """Say at the next form what is wrong."""
        self._errors = errors
        self._placeholders = dict(details or {})

    @callback
    def _async_ask(
        self, step_id: str, schema: probatio.Schema, form: Mapping[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form of a step, filled in so far, and what is wrong with it."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, form),
            errors=self._errors,
            description_placeholders=self._placeholders,
        )
