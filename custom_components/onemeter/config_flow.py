"""Config flow: from a port to a meter that was read there; reconfiguration; a new password."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
import os
from typing import Any, override
from uuid import uuid4

import probatio

from homeassistant.components.usb import (
    async_get_serial_port_consumers,
    async_scan_serial_ports,
    get_serial_by_id,
)
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.util import dt as dt_util

from .access.clients import expected_meter, is_meter_of, is_polled, others_at
from .access.error_texts import as_meter_error, text_key, with_details
from .const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_MULTIPLIER,
    CONF_SOURCE,
    DEFAULT_MULTIPLIER,
    DOMAIN,
    GENERATED,
    HASS_SOURCES,
    MODE_PUSHED,
)
from .coordinator.base import FirstReading, async_hand_over
from .flow.blink import BlinkSteps
from .flow.confirmation import NOTHING, found, found_impulses, title, transformer_ratio
from .flow.dlms import DlmsSteps
from .flow.dlms_schemas import POLLED_ONLY
from .flow.impulse_probe import ImpulseProbe
from .flow.options import OneMeterOptionsFlow
from .flow.probe import Probe
from .flow.schemas import (
    IEC62056_SCHEMA,
    MULTIPLIER_SCHEMA,
    PASSWORD_SCHEMA,
    PORT_SCHEMA,
    exact_multiplier,
    to_data,
    to_form,
    to_iec62056_data,
    to_iec62056_form,
)
from .meter import MeterError, Protocol, Reading
from .meter.errors import PortBusyError
from .meter.iec62056.settings import is_acknowledgement, is_address, is_password
from .meter.port import redact

#: Seconds for which the dialog shows the same at least. The frontend begins to look for changes
#: when it has drawn the dialog; what has changed by then it never notices.
SHORTEST_PROGRESS = 1.5
#: So many times as long is waited at the most for the frontend to fetch a change.
_FETCH_PATIENCE = 4
#: Seconds between two looks at how many bytes have come.
PROGRESS_SECONDS = 2


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


class OneMeterConfigFlow(BlinkSteps, DlmsSteps, domain=DOMAIN):
    """Reads a meter before anything is set up, so that no entry starts with a silent one.

    The form of the first step comes back with what was entered and what was heard instead, until
    a meter answers.
    """

    VERSION = 1
    MINOR_VERSION = 1

    _data: dict[str, Any]
    _others: list[ConfigEntry]
    _probe: Probe | ImpulseProbe
    _reading: Reading
    _taken: datetime
    _probing: asyncio.Task[Reading]
    _progress: asyncio.Task[None]
    #: What the dialog shows of the search.
    _shown: tuple[str, dict[str, str]]

    def __init__(self) -> None:
        """Start with empty forms and nothing to complain about."""
        super().__init__()
        self._form: Mapping[str, Any] | None = None
        #: Whether the frontend has fetched what is shown.
        self._is_fetched = asyncio.Event()

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
            self._details = self._get_reconfigure_entry().data
            self._form = to_form(self._details)
        return await self._async_ask_port(user_input)

    @property
    def _form_step(self) -> str:
        """The step that asks for the port has the name of what the flow was started for."""
        return self.context["source"]

    async def _async_ask_port(self, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Show the form of the step that the flow began with, or go on as it says."""
        if user_input is None:
            return self._async_ask(self._form_step, PORT_SCHEMA, self._form)
        self._form = user_input
        self._choice = ""
        self._set_errors({})
        port = await self._async_stable(user_input.get(CONF_PORT, ""))
        self._port_data = to_data(user_input, port)
        if wrong := self._wrong_port_data():
            self._set_errors(wrong)
            return await self._async_ask_port(None)
        return await self._async_ask_details()

    async def _async_ask_details(self) -> ConfigFlowResult:
        """Go on as the protocol wants it."""
        port = self._port_data[CONF_PORT]
        self._others = others_at(self.hass, port, besides=self.context.get("entry_id"))
        protocol = self._port_data[CONF_PROTOCOL]
        if protocol == Protocol.BLINK:
            return await self.async_step_blink()
        is_iec = protocol == Protocol.IEC62056
        # Such a port is held by the other entry and would only be found busy. Only meters that
        # speak when they are called by their address can share one.
        if any(not (is_iec and _has_address(other)) for other in self._others):
            return self.async_abort(reason="already_configured")
        if is_iec:
            return await self.async_step_iec62056()
        if protocol == Protocol.DLMS:
            return await self.async_step_dlms()
        return self._async_begin({})

    def _wrong_port_data(self) -> dict[str, str]:
        """Return what is wrong in the form of the port."""
        is_blink = self._port_data[CONF_PROTOCOL] == Protocol.BLINK
        if not is_blink and not self._port_data[CONF_PORT]:
            return {CONF_PORT: "port_needed"}
        if self.source == SOURCE_RECONFIGURE:
            # The total of one is no continuation of the other's.
            before = self._get_reconfigure_entry().data[CONF_PROTOCOL]
            if is_blink != (before == Protocol.BLINK):
                return {CONF_PROTOCOL: "protocol_changed"}
        return {}

    async def async_step_iec62056(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how a meter of IEC 62056-21 wants to be spoken to."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._details = to_iec62056_data(user_input, self._details)
            if not (errors := self._wrong_details()):
                return self._async_begin(self._details)
        return self.async_show_form(
            step_id="iec62056",
            data_schema=self.add_suggested_values_to_schema(
                IEC62056_SCHEMA, to_iec62056_form(self._details)
            ),
            errors=errors,
        )

    def _wrong_details(self) -> dict[str, str]:
        """Return what is wrong in the form of IEC 62056-21."""
        address = self._details.get(CONF_ADDRESS, "")
        if not is_address(address):
            return {CONF_ADDRESS: "invalid_address"}
        if self._others and not address:
            return {CONF_ADDRESS: "address_needed"}
        # Leading zeros mean nothing (6.3.1).
        if address.lstrip("0") in {other.data[CONF_ADDRESS].lstrip("0") for other in self._others}:
            return {CONF_ADDRESS: "address_taken"}
        if CONF_PASSWORD in self._details and not is_password(self._details[CONF_PASSWORD]):
            return {"base": "invalid_password"}
        if not is_acknowledgement(self._details.get(CONF_ACKNOWLEDGEMENT, "")):
            # It stands in a section, whose fields show no errors.
            return {"base": "invalid_acknowledgement"}
        return {}

    @callback
    @override
    def _async_begin(self, details: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin to look for the meter, with this besides the port in the entry's data."""
        self._data = {**self._port_data, **details}
        self._probe = (
            ImpulseProbe(self.hass, self._data)
            if self._data[CONF_PROTOCOL] == Protocol.BLINK
            else Probe(self.hass, self._data, is_shared=bool(self._others))
        )
        self._probing = self.hass.async_create_background_task(
            self._async_look(), "look for a meter"
        )
        self._async_show_news()
        # The answer to this request is the first thing to be shown.
        self._is_fetched.set()
        return self._async_show_progress()

    async def _async_stable(self, port: str) -> str:
        """Return the name of a local port that outlives replugging; anything else as it is."""
        if port.startswith("/dev/"):
            return await self.hass.async_add_executor_job(get_serial_by_id, port)
        return port

    @callback
    def _async_show_news(self) -> None:
        """Show what can be seen of the search, until there is something else to be seen."""
        self._shown = self._seen()
        self._is_fetched.clear()
        self._progress = self.hass.async_create_background_task(
            self._async_wait_for_news(), "show that a meter is looked for"
        )

    async def _async_wait_for_news(self) -> None:
        """Wait for something else to be seen, at the latest the end of the search.

        Whenever this ends, Home Assistant has the frontend fetch the step once. A request that is
        late would find that the flow is over, and the dialog would show an error.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FETCH_PATIENCE * SHORTEST_PROGRESS):
                await self._is_fetched.wait()
        await asyncio.sleep(SHORTEST_PROGRESS)
        while not self._probing.done() and self._seen() == self._shown:
            await asyncio.wait([self._probing], timeout=PROGRESS_SECONDS)

    @callback
    @override
    def async_remove(self) -> None:
        """End the search when the dialog is closed."""
        if hasattr(self, "_probing"):
            self._probing.cancel()

    def _seen(self) -> tuple[str, dict[str, str]]:
        """Return what can be said of the search, as the key of a text and its placeholders."""
        probe = self._probe
        port = redact(self._data[CONF_PORT])
        if isinstance(probe, ImpulseProbe):
            impulses, seconds = str(probe.impulses), str(probe.longest)
            return "count", {"port": port, "impulses": impulses, "seconds": seconds}
        if probe.mode == MODE_PUSHED:
            return "listen", {"port": port, "seconds": str(probe.longest)}
        return "read", {"port": port, "received": str(probe.received)}

    @callback
    def _async_show_progress(self) -> ConfigFlowResult:
        """Keep the user company while the flow waits for a reading."""
        action, placeholders = self._shown
        return self.async_show_progress(
            step_id="listen",
            progress_action=action,
            description_placeholders=placeholders,
            progress_task=self._progress,
        )

    async def async_step_listen(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on to what was found, or back to the form with the reason why nothing was."""
        if not self._progress.done():
            self._is_fetched.set()
            return self._async_show_progress()
        if not self._probing.done():
            self._async_show_news()
            return self._async_show_progress()
        step_id = None
        try:
            self._reading = self._probing.result()
        except ConfigEntryNotReady as error:
            await self._async_explain(as_meter_error(error, self._data[CONF_PORT]))
        except MeterError as error:
            await self._async_explain(error)
            step_id = self._step_for_error(error)
        else:
            step_id = self._following()
        return self.async_show_progress_done(next_step_id=step_id or self._form_step)

    def _following(self) -> str:
        """Return the step that comes after a reading."""
        if self.source == SOURCE_RECONFIGURE:
            return "reconfigured"
        if isinstance(self._probe, ImpulseProbe):
            if self._probe.impulses:
                return "confirm_blink"
            is_quiet = self._data[CONF_SOURCE] in HASS_SOURCES
            return "confirm_blink_quiet" if is_quiet else "confirm_blink_dark"
        return "confirm" if transformer_ratio(self._reading) is None else "confirm_ratio"

    async def _async_explain(self, error: MeterError) -> None:
        """Say at the form what went wrong, as closely as it is known."""
        if isinstance(error, PortBusyError):
            # Home Assistant knows its own entries and apps by the names that users gave them.
            by = await _async_users(self.hass, self._data[CONF_PORT])
            error.details["by"] = by or error.details["by"]
        error = with_details(error, self._data[CONF_PORT])
        self._set_errors({"base": text_key(error)}, error.details)

    async def _async_look(self) -> Reading:
        """Wait for a reading; when reconfiguring, in place of the entry."""
        if self.source != SOURCE_RECONFIGURE:
            return await self._async_probe()
        # Most likely the entry reads at the same port. Nobody else can set it up while its lock
        # is held, and however this ends, also with a closed dialog, it is set up again.
        entry = self._get_reconfigure_entry()
        async with entry.setup_lock:
            try:
                await entry.async_unload(self.hass)
                reading = await self._async_probe()
                if is_meter_of(entry, reading.meter):
                    self.hass.config_entries.async_update_entry(entry, data=self._data)
                    self._async_hand_over(reading, str(entry.unique_id))
                return reading
            finally:
                self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def _async_probe(self) -> Reading:
        """Wait for a reading, and keep who spoke first."""
        reading = await self._probe.async_read()
        self._taken = dt_util.utcnow()
        protocol = self._data[CONF_PROTOCOL]
        if protocol in (Protocol.IEC62056, Protocol.DLMS):
            self._data[CONF_MODE] = self._probe.mode
        if protocol == Protocol.DLMS and not is_polled(self._data):
            for key in POLLED_ONLY & self._data.keys():
                del self._data[key]
        return reading

    @callback
    def _async_hand_over(self, reading: Reading, unique_id: str) -> None:
        """Let the entry begin with what was read for it, where the next may take long."""
        if is_polled(self._data) or self._data[CONF_PROTOCOL] == Protocol.DLMS:
            probe = self._probe
            read = FirstReading(reading, self._taken, probe.duration, probe.findings)
            async_hand_over(self.hass, unique_id, read)

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show which meter was found, and create its entry."""
        return await self._async_confirm("confirm", user_input)

    @override
    async def _async_confirm(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        if user_input is not None:
            return self._async_create()
        return await self._async_show_found(step_id)

    async def async_step_confirm_ratio(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Do the same for a meter that knows of transformers, and ask for the multiplier."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if (multiplier := exact_multiplier(user_input[CONF_MULTIPLIER])) is not None:
                return self._async_create(multiplier)
            errors[CONF_MULTIPLIER] = "too_many_decimals"
        schema = self.add_suggested_values_to_schema(MULTIPLIER_SCHEMA, user_input)
        return await self._async_show_found("confirm_ratio", schema, errors)

    async def _async_show_found(
        self,
        step_id: str,
        schema: probatio.Schema | None = None,
        errors: dict[str, str] | None = None,
    ) -> ConfigFlowResult:
        """Show which meter was found, unless it is known already."""
        meter = self._reading.meter
        # The frontend may ask for the form again, even while the entry is being created.
        if self.unique_id is None:
            await self.async_set_unique_id(meter.unique_id or f"{GENERATED}{uuid4().hex}")
            self._abort_if_unique_id_configured()
            for entry in self._async_current_entries():
                if expected_meter(entry) is not None and is_meter_of(entry, meter):
                    return self.async_abort(reason="already_configured")
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema,
            errors=errors,
            description_placeholders={"meter": self._title(), **self._found()},
        )

    def _found(self) -> dict[str, str]:
        """Return what is said of the meter, or its light, that was found."""
        if isinstance(self._probe, ImpulseProbe):
            return found_impulses(self._reading, self._data, self._probe)
        return found(self._reading, self._data)

    def _title(self) -> str:
        return title(self.hass, self._reading.meter, self._data[CONF_PROTOCOL])

    @callback
    def _async_create(self, multiplier: str = DEFAULT_MULTIPLIER) -> ConfigFlowResult:
        """Create the entry of the meter that was found."""
        self._async_hand_over(self._reading, str(self.unique_id))
        options = {} if multiplier == DEFAULT_MULTIPLIER else {CONF_MULTIPLIER: multiplier}
        return self.async_create_entry(title=self._title(), data=self._data, options=options)

    async def async_step_reconfigured(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say whether the entry's meter was found; if so, the entry has been changed already."""
        if not is_meter_of(self._get_reconfigure_entry(), self._reading.meter):
            return self.async_abort(
                reason="wrong_meter",
                description_placeholders={"meter": self._reading.meter.name or NOTHING},
            )
        if isinstance(self._probe, ImpulseProbe) and not self._probe.impulses:
            return self.async_abort(
                reason="reconfigured_dark", description_placeholders=self._found()
            )
        return self.async_abort(
            reason="reconfigure_successful", translation_domain=HOMEASSISTANT_DOMAIN
        )

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin to ask for another password or key, since the meter rejects what is kept."""
        if self._get_reauth_entry().data[CONF_PROTOCOL] == Protocol.DLMS:
            return await self.async_step_reauth_dlms()
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password, and let the entry try it."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            if is_password(user_input[CONF_PASSWORD]):
                return self.async_update_reload_and_abort(entry, data_updates=user_input)
            errors["base"] = "invalid_password"
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=PASSWORD_SCHEMA,
            errors=errors,
            description_placeholders={"title": entry.title},
        )


def _has_address(entry: ConfigEntry) -> bool:
    """Tell whether an entry's meter speaks only when it is called by its address."""
    return is_polled(entry.data) and bool(entry.data.get(CONF_ADDRESS))
