"""Config flow: from a port to a meter that was heard there; reconfiguration; options."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from decimal import Decimal
from itertools import chain, count
import os
from typing import Any, override
from uuid import uuid4

from homeassistant.components.usb import (
    async_get_serial_port_consumers,
    async_scan_serial_ports,
    get_serial_by_id,
)
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady

from .const import CONF_MULTIPLIER, DOMAIN, GENERATED
from .connection import expected_meter, make_pushed_client
from .forms import MULTIPLIER_STEP, OPTIONS_SCHEMA, PORT_SCHEMA, to_data, to_form
from .meter import Identity, MeterError, Reading
from .meter.errors import MeterConnectionError, PortBusyError
from .meter.flag import manufacturer_name
from .situations import text_key

#: Seconds until the first reading must have come; most meters send every 1 to 4 s.
LISTEN_SECONDS = 15
#: Seconds that listening lasts at least. The frontend begins to look for its end when the dialog is
#: there; what has ended by then it never notices.
SHORTEST_PROGRESS = 1.5

#: What the confirmation shows: placeholder -> OBIS codes, the first that the meter has.
_SHOWN = {
    "energy_import": ("1.8.0",),
    "energy_export": ("2.8.0",),
    "power": ("16.7.0", "1.7.0", "15.7.0"),
}
_NOTHING = "–"


async def _async_first_reading(data: Mapping[str, Any]) -> Reading:
    """Open the port and wait for a reading; the port is closed again in any case.

    Raises MeterError, and ConfigEntryNotReady for a port of an integration that is not there yet.
    """
    client = make_pushed_client(data)
    try:
        async with asyncio.timeout(LISTEN_SECONDS), aclosing(client.listen()) as readings:
            return await anext(readings)
    except TimeoutError:
        raise client.diagnose() from None


async def _async_users(hass: HomeAssistant, port: str) -> str:
    """Name the entries and apps that Home Assistant knows to use a port; empty without any."""
    consumers = await async_get_serial_port_consumers(hass, await async_scan_serial_ports(hass))
    devices = [*consumers]
    path, *paths = await hass.async_add_executor_job(
        lambda: [os.path.realpath(device) for device in (port, *devices)]
    )
    return ", ".join(
        user.title
        for device, device_path in zip(devices, paths, strict=True)
        if device_path == path
        for user in consumers[device]
        if user.active
    )


def _title(hass: HomeAssistant, identity: Identity, protocol: str) -> str:
    """Name a meter by who made it, and count where that is not enough.

    Without its id, since Home Assistant writes titles and what it makes of them into its log.
    """
    if identity.manufacturer is None:
        name = f"{protocol.upper()} meter"
    else:
        name = manufacturer_name(identity.manufacturer)
    taken = {entry.title for entry in hass.config_entries.async_entries(DOMAIN)}
    numbered = (f"{name} {number}" for number in count(2))
    return next(title for title in chain([name], numbered) if title not in taken)


def _amount(reading: Reading, codes: tuple[str, ...]) -> str:
    """Return the first of these registers that holds a number, with its unit, energy in kWh."""
    for code in codes:
        for register in reading.registers:
            value = register.value if register.signed_value is None else register.signed_value
            if register.obis is None or register.obis.short != code:
                continue
            if isinstance(value, Decimal | int):
                if register.unit == "Wh":
                    return f"{Decimal(value).scaleb(-3):f} kWh"
                return f"{Decimal(value):f} {register.unit or ''}".rstrip()
    return _NOTHING


class OneMeterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Listens at a port before anything is set up, so that no entry starts with a silent meter.

    The form of the first step comes back with what was entered and what was heard instead, until
    a meter answers.
    """

    VERSION = 1
    MINOR_VERSION = 1

    _data: dict[str, Any]
    _listening: asyncio.Task[Reading]
    _progress: asyncio.Task[None]
    _reading: Reading

    def __init__(self) -> None:
        """Start with an empty form and nothing to complain about."""
        self._form: Mapping[str, Any] | None = None
        self._errors: dict[str, str] = {}
        self._placeholders: dict[str, str] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OneMeterOptionsFlow:
        """Return the flow for the settings that can be changed at any time."""
        return OneMeterOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the meter is."""
        return await self._async_ask_port(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the meter of an existing entry is now."""
        if self._form is None:
            self._form = to_form(self._get_reconfigure_entry().data)
        return await self._async_ask_port(user_input)

    @property
    def _form_step(self) -> str:
        """The step that asks for the port has the name of what the flow was started for."""
        return self.context["source"]

    async def _async_ask_port(self, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Show the form of the step that the flow began with, or start to listen as it says."""
        if user_input is None:
            return self.async_show_form(
                step_id=self._form_step,
                data_schema=self.add_suggested_values_to_schema(PORT_SCHEMA, self._form),
                errors=self._errors,
                description_placeholders=self._placeholders,
            )
        self._form = user_input
        self._data = to_data(user_input, await self._async_stable(user_input[CONF_PORT]))
        # Such a port is held by the other entry and would only be found busy.
        self._async_abort_entries_match({CONF_PORT: self._data[CONF_PORT]})
        self._listening = self.hass.async_create_background_task(
            self._async_listen(), "listen for a meter"
        )
        self._progress = self.hass.async_create_background_task(
            self._async_see_it_through(), "show that a meter is listened for"
        )
        return self._async_show_progress()

    async def _async_stable(self, port: str) -> str:
        """Return the name of a local port that outlives replugging; anything else as it is."""
        if port.startswith("/dev/"):
            return await self.hass.async_add_executor_job(get_serial_by_id, port)
        return port

    async def _async_see_it_through(self) -> None:
        """Wait until listening has ended and could be seen; to cancel this is to cancel both."""
        await asyncio.gather(
            self._listening, asyncio.sleep(SHORTEST_PROGRESS), return_exceptions=True
        )

    @callback
    def _async_show_progress(self) -> ConfigFlowResult:
        """Keep the user company while the flow waits for a reading."""
        return self.async_show_progress(
            step_id="listen",
            progress_action="listen",
            description_placeholders={
                "port": self._data[CONF_PORT],
                "seconds": str(LISTEN_SECONDS),
            },
            progress_task=self._progress,
        )

    async def async_step_listen(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on to what was heard, or back to the form with the reason why nothing was."""
        if not self._progress.done():
            return self._async_show_progress()
        try:
            self._reading = self._listening.result()
        except ConfigEntryNotReady as error:
            self._errors = {"base": MeterConnectionError.situation}
            self._placeholders = {"port": self._data[CONF_PORT], "reason": str(error)}
        except MeterError as error:
            await self._async_explain(error)
        else:
            following = "reconfigured" if self.source == SOURCE_RECONFIGURE else "confirm"
            return self.async_show_progress_done(next_step_id=following)
        return self.async_show_progress_done(next_step_id=self._form_step)

    async def _async_explain(self, error: MeterError) -> None:
        """Say at the form what went wrong, as closely as it is known."""
        if isinstance(error, PortBusyError):
            # Home Assistant knows its own entries and apps by the names that users gave them.
            by = await _async_users(self.hass, self._data[CONF_PORT])
            error.details["by"] = by or error.details["by"]
        self._errors = {"base": text_key(error)}
        self._placeholders = error.details

    async def _async_listen(self) -> Reading:
        """Wait for a reading; when reconfiguring, in place of the entry."""
        if self.source != SOURCE_RECONFIGURE:
            return await _async_first_reading(self._data)
        # Most likely the entry listens at the same port. Nobody else can set it up while its lock
        # is held, and however this ends, also with a closed dialog, it is set up again.
        entry = self._get_reconfigure_entry()
        async with entry.setup_lock:
            try:
                await entry.async_unload(self.hass)
                reading = await _async_first_reading(self._data)
                if reading.meter.unique_id == expected_meter(entry):
                    self.hass.config_entries.async_update_entry(entry, data=self._data)
                return reading
            finally:
                self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show which meter was heard, and create its entry."""
        meter = self._reading.meter
        title = _title(self.hass, meter, self._data[CONF_PROTOCOL])
        if user_input is not None:
            return self.async_create_entry(title=title, data=self._data)
        # The frontend may ask for the form again, even while the entry is being created.
        if self.unique_id is None:
            await self.async_set_unique_id(meter.unique_id or f"{GENERATED}{uuid4().hex}")
            self._abort_if_unique_id_configured()
        return self.async_show_form(
            step_id="confirm",
            description_placeholders={
                "meter": title,
                "manufacturer": manufacturer_name(meter.manufacturer or _NOTHING),
                "id": meter.name or _NOTHING,
                "count": str(len(self._reading.registers)),
                **{name: _amount(self._reading, codes) for name, codes in _SHOWN.items()},
            },
        )

    async def async_step_reconfigured(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say whether the entry's meter was heard; if so, the entry has been changed already."""
        if self._reading.meter.unique_id != expected_meter(self._get_reconfigure_entry()):
            return self.async_abort(
                reason="wrong_meter",
                description_placeholders={"meter": self._reading.meter.name or _NOTHING},
            )
        return self.async_abort(
            reason="reconfigure_successful", translation_domain=HOMEASSISTANT_DOMAIN
        )


class OneMeterOptionsFlow(OptionsFlowWithReload):
    """Asks for what may be changed without listening to the meter again."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options."""
        errors: dict[str, str] = {}
        if user_input is not None:
            # A float's shortest text is the number that was entered.
            multiplier = Decimal(str(user_input[CONF_MULTIPLIER])).normalize()
            if multiplier.quantize(MULTIPLIER_STEP) == multiplier:
                return self.async_create_entry(
                    data={**user_input, CONF_MULTIPLIER: f"{multiplier:f}"}
                )
            errors[CONF_MULTIPLIER] = "too_many_decimals"
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, user_input or self._current()
            ),
            errors=errors,
        )

    def _current(self) -> dict[str, Any]:
        """Return the options as the form shows them."""
        options = dict(self.config_entry.options)
        if CONF_MULTIPLIER in options:
            options[CONF_MULTIPLIER] = float(options[CONF_MULTIPLIER])
        return options
