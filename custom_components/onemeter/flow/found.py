"""The pages that show the meter that was found, and create its entry."""

from collections.abc import Sequence
from typing import Any, override
from uuid import uuid4

import probatio

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.core import callback
from homeassistant.helpers.selector import TextSelector

from ..access.clients import expected_meter, is_meter_of, is_taken
from ..access.nameless import async_nameless
from ..const import (
    CONF_ENERGY_ROLE,
    CONF_FILL_GAPS,
    CONF_IMPORT_DAYS,
    CONF_MULTIPLIER,
    DEFAULT_MULTIPLIER,
    GENERATED,
)
from ..energy_dashboard import Role, async_default_role, offered_roles
from ..meter import Key, Protocol, Register
from ..meter.pin_lock import is_reduced
from ..registers.lookup import with_implied_unit
from ..settings import DlmsEntrySettings
from ..takeover import Offer, async_offers
from .confirmation import (
    async_proposed_name,
    found,
    found_impulses,
    measures,
    transformer_ratio,
)
from .detect import DetectSteps
from .impulse_probe import ImpulseProbe
from .load_profile import at_set_up, import_time, may_have_profile
from .schemas import MULTIPLIER_FIELD, FormError, exact_multiplier, select
from .take_over import take_over_field, taken_over


class FoundSteps(DetectSteps):
    """Shows the meter with its values, and asks for its name and what it is used for."""

    #: Whether the flow has the unique id of the meter, not that of a discovery.
    _has_meter_id = False
    #: The name and the options of the entry.
    _to_create: tuple[str, dict[str, Any]]
    _offers: Sequence[Offer]

    @override
    def _step_after_reading(self) -> str:
        settings = self._settings
        if isinstance(settings, DlmsEntrySettings) and settings.is_polled:
            self._dlms = settings
            if not measures(self._reading) and settings.encryption_key is None:
                return "dlms_locked"
        if self.source == SOURCE_RECONFIGURE:
            return "reconfigured"
        if isinstance(self._probe, ImpulseProbe):
            if self._probe.impulses:
                return "confirm_blink"
            return "confirm_blink_dark" if settings.has_port else "confirm_blink_quiet"
        if transformer_ratio(self._reading) is not None:
            return "confirm_ratio"
        is_locked = settings.protocol is Protocol.SML and is_reduced(self._reading.registers)
        return "confirm_locked" if is_locked else "confirm"

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show which meter was found, and create its entry."""
        return await self._async_confirm("confirm", user_input)

    async def async_step_confirm_locked(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a meter that waits for its PIN, and create its entry."""
        return await self._async_confirm("confirm_locked", user_input)

    async def async_step_confirm_ratio(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a meter with transformers, ask for the multiplier, and create the entry."""
        return await self._async_confirm("confirm_ratio", user_input)

    async def async_step_confirm_blink(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how many flashes were seen, and create the entry."""
        return await self._async_confirm("confirm_blink", user_input)

    async def async_step_confirm_blink_dark(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show that no flash was seen at a port, and create the entry."""
        return await self._async_confirm("confirm_blink_dark", user_input)

    async def async_step_confirm_blink_quiet(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show that Home Assistant has seen no flash, and create the entry."""
        return await self._async_confirm("confirm_blink_quiet", user_input)

    async def _async_confirm(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors = {}
        if user_input is not None:
            options = _options(user_input)
            if options is not None:
                self._to_create = user_input[CONF_NAME].strip() or await self._async_name(), options
                return await self._async_offer_statistics()
            errors[CONF_MULTIPLIER] = "too_many_decimals"
        # The frontend may ask for the form again, even while the entry is being created.
        elif not self._has_meter_id and (result := await self._async_take_unique_id()) is not None:
            return result
        schema = await self._async_schema(step_id)
        placeholders = {"meter": await self._async_name(), **await self._async_found()}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_offer_statistics(self) -> ConfigFlowResult:
        """Create the entry, or ask first which old statistics its sensors continue."""
        name, options = self._to_create
        registers: dict[Key, Register] = dict(self._reading.current())
        if not self._settings.writes_units:
            registers = {key: with_implied_unit(key, it) for key, it in registers.items()}
        self._offers = await async_offers(self.hass, str(self.unique_id), registers, options)
        if self._offers:
            return await self.async_step_take_over()
        return self._async_create(name, options)

    async def async_step_take_over(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which old statistics the sensors continue, and create the entry."""
        errors: dict[str, str] = {}
        if user_input is not None:
            name, options = self._to_create
            try:
                return self._async_create(name, {**options, **taken_over(user_input)})
            except FormError as error:
                errors = error.errors
        schema = probatio.Schema(take_over_field(self.hass, self._offers))
        return self.async_show_form(
            step_id="take_over",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
        )

    async def _async_take_unique_id(self) -> ConfigFlowResult | None:
        """Reserve the id of the meter; abort if another entry has it."""
        self._has_meter_id = True
        meter = self._reading.meter
        # A dialog whose page was closed or reloaded stays in progress until a restart.
        await self.async_set_unique_id(
            meter.unique_id or f"{GENERATED}{uuid4().hex}", raise_on_progress=False
        )
        self._abort_if_unique_id_configured()
        for entry in self._async_current_entries(include_ignore=False):
            if expected_meter(entry) is not None and is_meter_of(entry, meter):
                return self.async_abort(reason="already_configured")
        return None

    async def _async_schema(self, step_id: str) -> probatio.Schema:
        roles = offered_roles(self._registers())
        default = await async_default_role(self.hass)
        return probatio.Schema(
            {
                probatio.Required(CONF_NAME, default=await self._async_name()): TextSelector(),
                probatio.Required(CONF_ENERGY_ROLE, default=default.value): select(
                    CONF_ENERGY_ROLE, [role.value for role in roles]
                ),
                **(MULTIPLIER_FIELD if step_id == "confirm_ratio" else {}),
                **(at_set_up() if may_have_profile(self._settings) else {}),
            }
        )

    def _registers(self) -> dict[Key, Register]:
        return {register.obis: register for register in self._reading.registers if register.obis}

    async def _async_found(self) -> dict[str, str]:
        """Return the placeholders that describe the meter, or the impulses, that were found."""
        if isinstance(self._probe, ImpulseProbe):
            return found_impulses(self.hass, self._reading, self._probe)
        nameless = await async_nameless(self.hass, self._settings.protocol)
        speed = self._probe.speed
        described = found(self.hass, self._reading, self._settings, nameless)
        return described | (import_time(speed) if speed else {})

    async def _async_name(self) -> str:
        protocol = self._settings.protocol
        return await async_proposed_name(self.hass, self._reading.meter, protocol)

    @callback
    def _async_create(self, name: str, options: dict[str, Any]) -> ConfigFlowResult:
        if is_taken(self.hass, self._settings):
            # By another dialog, while this one was open.
            return self.async_abort(reason="already_configured")
        self._async_hand_over(self._reading, str(self.unique_id))
        data = self._settings.to_entry()
        return self.async_create_entry(title=name, data=data, options=options)


def _options(form: dict[str, Any]) -> dict[str, Any] | None:
    """Return the options of the entry; None for a multiplier with too many decimals."""
    options: dict[str, Any] = {}
    if CONF_FILL_GAPS in form:
        options[CONF_FILL_GAPS] = form[CONF_FILL_GAPS]
    if days := form.get(CONF_IMPORT_DAYS):
        options[CONF_IMPORT_DAYS] = days
    if (role := form[CONF_ENERGY_ROLE]) != Role.NONE:
        options[CONF_ENERGY_ROLE] = role
    if CONF_MULTIPLIER in form:
        multiplier = exact_multiplier(form[CONF_MULTIPLIER])
        if multiplier is None:
            return None
        if multiplier != DEFAULT_MULTIPLIER:
            options[CONF_MULTIPLIER] = multiplier
    return options
