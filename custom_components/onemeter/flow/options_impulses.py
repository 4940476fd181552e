"""The steps of the options flow for the flashes of a meter whose registers are read."""

from collections.abc import Mapping
from typing import Any, Final, override

import probatio

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_PORT
from homeassistant.helpers.selector import SerialPortSelector

from ..access.clients import is_counted, others_at
from ..const import CONF_IMPULSES
from ..coordinator.base import OneMeterConfigEntry
from ..impulses.cross_check import reported_constant
from ..settings import Connection, HassSource, from_entry, second_source
from .blink_schemas import CONF_CONSTANT, blink_schema, to_blink_form, to_blink_settings
from .impulse_source import SourceSteps, source_steps
from .picture import async_serve_picture
from .ports import async_stable_name
from .schemas import FormError, select

#: The field for the kind of source of the impulses, and its option for no source.
CONF_FLASHES: Final = "flashes"
_NOTHING: Final = "none"
#: The forms by the source in the options; the form of the port is for all others.
_FORMS: Final[Mapping[str, str]] = {
    HassSource.ENTITY: "blink_entity",
    HassSource.EVENT: "blink_event",
    HassSource.MQTT: "blink_mqtt",
}
_PORT_FORM: Final = "blink_port"


class ImpulseOptions(SourceSteps, OptionsFlowWithReload):
    """Asks for a source of impulses of a meter whose registers are read."""

    config_entry: OneMeterConfigEntry

    #: What was entered so far, ready to be kept.
    _entered: dict[str, Any]

    def _flashes(self) -> dict[probatio.Marker, Any]:
        """Return the field for the kind of source."""
        options = [_NOTHING, *source_steps(self.hass, with_port=True)]
        kept = second_source(self.config_entry.options)
        form = _NOTHING if kept is None else _FORMS.get(kept.source, _PORT_FORM)
        return {probatio.Required(CONF_FLASHES, default=form): select(CONF_FLASHES, options)}

    async def _async_go_on(self, entered: Mapping[str, Any]) -> ConfigFlowResult:
        """Store what was entered, or go on to the form of the source."""
        self._entered = {key: value for key, value in entered.items() if key != CONF_FLASHES}
        if (step_id := entered[CONF_FLASHES]) != _NOTHING:
            return await self._async_ask_source(step_id, None)
        return self.async_create_entry(data=self._entered)

    @override
    async def _async_ask_source(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                entered = user_input.get(CONF_PORT, "")
                connection = Connection(await async_stable_name(self.hass, entered))
                source = to_blink_settings(self.hass, step_id, user_input, connection)
                self._refuse_taken(source.source_id)
            except FormError as error:
                errors = error.errors
            else:
                impulses = source.to_entry()
                return self.async_create_entry(data={**self._entered, CONF_IMPULSES: impulses})
        schema = blink_schema(step_id, with_reading=False)
        if step_id == _PORT_FORM:
            port = {probatio.Required(CONF_PORT): SerialPortSelector()}
            schema = probatio.Schema(port | schema.schema)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, user_input or self._known()),
            errors=errors,
            description_placeholders={"picture": await async_serve_picture(self.hass)},
        )

    def _refuse_taken(self, source_id: str) -> None:
        """Raise FormError for a source that another entry has, or for the port of the meter."""
        entry = self.config_entry
        is_own = source_id == from_entry(entry.data).source_id
        others = others_at(self.hass, source_id, besides=entry.entry_id)
        if is_own or others or is_counted(self.hass, source_id, besides=entry.entry_id):
            raise FormError("base", "source_taken")

    def _known(self) -> dict[str, Any]:
        """Return the values that the forms begin with; the meter may send its constant."""
        kept = second_source(self.config_entry.options)
        if kept is not None:
            return {CONF_PORT: kept.source_id, **to_blink_form(kept)}
        if self.config_entry.state is ConfigEntryState.LOADED:
            registers = self.config_entry.runtime_data.newest.registers
            if (constant := reported_constant(registers)) is not None:
                return {CONF_CONSTANT: constant}
        return {}
