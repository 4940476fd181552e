"""Config flow: from a port to a meter that was read there; reconfiguration; a new password."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS, CONF_MAC, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from .access.clients import is_counted, is_meter_of, others_at, own_address
from .const import DOMAIN
from .flow.blink import BlinkSteps
from .flow.blink_schemas import CONF_LINE
from .flow.confirmation import NOTHING
from .flow.dlms import DlmsSteps
from .flow.found import FoundSteps
from .flow.impulse_probe import ImpulseProbe
from .flow.options import OneMeterOptionsFlow
from .flow.ports import async_free_port, async_stable_name
from .flow.schemas import (
    DETECT,
    IEC62056_SCHEMA,
    PASSWORD_SCHEMA,
    PORT_SCHEMA,
    to_connection,
    to_form,
    to_iec62056_form,
    to_iec62056_settings,
)
from .impulses.discovery import async_sender_discovery, offer_id
from .meter import Protocol
from .meter.iec62056.settings import is_acknowledgement, is_address, is_password
from .settings import (
    MINOR_VERSION,
    VERSION,
    AnySettings,
    BlinkEntrySettings,
    Connection,
    DlmsEntrySettings,
    Iec62056EntrySettings,
    SmlEntrySettings,
    from_entry,
)


class OneMeterConfigFlow(FoundSteps, BlinkSteps, DlmsSteps, domain=DOMAIN):
    """Reads a meter before anything is set up, so that no entry starts with a silent one.

    The form of the first step comes back with what was entered and the error, until a meter
    answers.
    """

    VERSION = VERSION
    MINOR_VERSION = MINOR_VERSION

    #: None: find out.
    _protocol: Protocol | None

    def __init__(self) -> None:
        """Start with empty forms."""
        super().__init__()
        self._form: Mapping[str, Any] | None = None
        #: What was entered in the form of IEC 62056-21, right or wrong.
        self._iec62056: Iec62056EntrySettings | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OneMeterOptionsFlow:
        """Return the flow for the settings that can be changed at any time."""
        return OneMeterOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the meter is."""
        if self._form is None:
            self._form = {CONF_PORT: await async_free_port(self.hass) or ""}
        return await self._async_ask_port(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the meter of an existing entry is now."""
        if self._form is None:
            self._before = from_entry(self._get_reconfigure_entry().data)
            self._form = to_form(self._before)
        return await self._async_ask_port(user_input)

    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """Hand a message over to our own discovery, which starts one flow for each sender."""
        discovery = await async_sender_discovery(self.hass)
        discovery.async_take(discovery_info.payload)
        return self.async_abort(reason="sender_discovery")

    async def async_step_integration_discovery(
        self, discovery_info: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Ask for the impulse constant of the meter whose LED an S10 sender reports."""
        mac = discovery_info[CONF_MAC]
        await self.async_set_unique_id(offer_id(mac))
        self._abort_if_unique_id_configured()
        self.context["title_placeholders"] = {"name": f"S10 …{mac[-4:]}"}
        self._connection, self._others = Connection(""), []
        self._protocol = Protocol.BLINK
        self._blink_form = {CONF_MAC: mac}
        return await self.async_step_blink_mqtt()

    @property
    @override
    def _form_step(self) -> str:
        # The source of a flow is the name of its first step.
        return self.context["source"]

    async def _async_ask_port(self, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Show the form of the port, or go on with what was entered."""
        if user_input is None:
            return self._async_ask(self._form_step, PORT_SCHEMA, self._form)
        self._form = user_input
        self._set_errors({})
        port = await async_stable_name(self.hass, user_input.get(CONF_PORT, ""))
        self._connection = to_connection(user_input, port)
        chosen = user_input[CONF_PROTOCOL]
        self._protocol = None if chosen == DETECT else Protocol(chosen)
        if errors := self._port_errors():
            self._set_errors(errors)
            return await self._async_ask_port(None)
        return await self._async_ask_details()

    async def _async_ask_details(self) -> ConfigFlowResult:
        """Go on with the form of the protocol, if it has one."""
        port = self._connection.source_id
        self._others = others_at(self.hass, port, besides=self.context.get("entry_id"))
        if self._protocol is Protocol.BLINK:
            return await self.async_step_blink()
        is_iec = self._protocol is Protocol.IEC62056
        # Such a port is held by the other entry and would only be found busy. Only meters that
        # answer to their address alone can share one.
        is_shared = all(is_iec and _own_address(other) for other in self._others)
        if not is_shared or is_counted(self.hass, port):
            return self.async_abort(reason="already_configured")
        if is_iec:
            return await self.async_step_iec62056()
        if self._protocol is Protocol.DLMS:
            return await self.async_step_dlms()
        if self._protocol is None:
            return self._async_detect()
        return self._async_begin(SmlEntrySettings(connection=self._connection))

    @override
    def _preselect(self, protocol: Protocol) -> None:
        self._form = {**(self._form or {}), CONF_PROTOCOL: protocol.value}

    @override
    def _adopt(self, settings: AnySettings) -> None:
        self._connection, self._protocol = settings.connection, settings.protocol
        self._form = to_form(settings)
        if isinstance(settings, BlinkEntrySettings):
            self._blink_form = {CONF_LINE: settings.source.value}

    def _port_errors(self) -> dict[str, str]:
        is_blink = self._protocol is Protocol.BLINK
        if not is_blink and not self._connection.source_id:
            return {CONF_PORT: "port_needed"}
        if self._protocol is not None and self._counts_another_total(self._protocol):
            return {CONF_PROTOCOL: "protocol_changed"}
        return {}

    async def async_step_iec62056(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for what a meter of IEC 62056-21 needs in its sign-on."""
        errors: dict[str, str] = {}
        if self._iec62056 is None and isinstance(self._before, Iec62056EntrySettings):
            self._iec62056 = self._before
        if user_input is not None:
            settings = to_iec62056_settings(user_input, self._connection, self._iec62056)
            self._iec62056 = settings
            if not (errors := self._iec62056_errors(settings)):
                return self._async_begin(settings)
        form = to_iec62056_form(self._iec62056)
        return self.async_show_form(
            step_id="iec62056",
            data_schema=self.add_suggested_values_to_schema(IEC62056_SCHEMA, form),
            errors=errors,
        )

    def _iec62056_errors(self, settings: Iec62056EntrySettings) -> dict[str, str]:
        address = settings.address
        if not is_address(address):
            return {CONF_ADDRESS: "invalid_address"}
        if self._others and not address:
            return {CONF_ADDRESS: "address_needed"}
        # Leading zeros mean nothing (6.3.1).
        if address.lstrip("0") in {_own_address(other).lstrip("0") for other in self._others}:
            return {CONF_ADDRESS: "address_taken"}
        # These stand in a section, whose fields show no errors.
        if settings.password is not None and not is_password(settings.password):
            return {"base": "invalid_password"}
        if not is_acknowledgement(settings.acknowledgement):
            return {"base": "invalid_acknowledgement"}
        return {}

    async def async_step_reconfigured(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show whether the entry's meter was found; if so, the entry has been changed already."""
        entry = self._get_reconfigure_entry()
        if not is_meter_of(entry, self._reading.meter):
            return self.async_abort(
                reason="wrong_meter",
                description_placeholders={"meter": self._reading.meter.name or NOTHING},
            )
        if entry.data != self._settings.to_entry():
            # Another dialog has taken the source meanwhile.
            return self.async_abort(reason="already_configured")
        if isinstance(self._probe, ImpulseProbe) and not self._probe.impulses:
            return self.async_abort(
                reason="reconfigured_dark", description_placeholders=await self._async_found()
            )
        return self.async_abort(
            reason="reconfigure_successful", translation_domain=HOMEASSISTANT_DOMAIN
        )

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """Ask for another password or other keys, since the meter rejects those of the entry."""
        self._before = from_entry(self._get_reauth_entry().data)
        if isinstance(self._before, DlmsEntrySettings):
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


def _own_address(entry: ConfigEntry) -> str:
    return own_address(from_entry(entry.data))
