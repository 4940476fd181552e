"""The steps of the config flow that only DLMS meters need."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import probatio

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_MODE, CONF_PORT
from homeassistant.core import callback

from ..access.clients import is_polled
from ..access.error_texts import CREDENTIALS, is_about_credentials
from ..access.invocation_counter import StoredCounter
from ..const import (
    CONF_AUTHENTICATION,
    CONF_FIRST_COUNTER,
    CONF_PROTECTION,
    MODE_POLLED,
    MODE_PUSHED,
)
from ..meter import MeterError
from ..meter.errors import (
    AddressError,
    AssociationError,
    CounterNeededError,
    InvocationCounterError,
    RefusedError,
)
from ..meter.port import redact
from .base import Steps
from .dlms_schemas import (
    COUNTER_SCHEMA,
    KEYS_DATA,
    KEYS_SCHEMA,
    POLLED_SCHEMA,
    PUSHED_KEYS_SCHEMA,
    mask_secrets,
    to_keys_data,
    to_keys_form,
    to_polled_data,
    to_polled_form,
    to_pushed_keys_data,
    unmask_secrets,
)
from .schemas import FormError

#: Who speaks first, by the options of the menu; None is found out.
_MODES: Final[Mapping[str, str | None]] = {
    "dlms_pushed": MODE_PUSHED,
    "dlms_polled": MODE_POLLED,
    "dlms_find_out": None,
}
#: What the form of addresses can mend.
_ABOUT_ADDRESS: Final = (AddressError, AssociationError, InvocationCounterError, RefusedError)


class DlmsSteps(Steps):
    """Asks how a DLMS meter is read, where, and with which keys.

    What the meter then finds fault with leads back to the form in which it can be mended.
    """

    def __init__(self) -> None:
        """Start with empty forms."""
        super().__init__()
        #: What was chosen from the menu, and entered in the forms after it.
        self._choice = ""
        self._polled_form: Mapping[str, Any] | None = None
        self._polled_data: Mapping[str, Any] = {}
        self._keys_form: Mapping[str, Any] | None = None
        #: What the meter was last looked for with.
        self._tried: Mapping[str, Any] = {}

    async def async_step_dlms(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the meter speaks by itself."""
        return self.async_show_menu(step_id="dlms", menu_options=list(_MODES))

    async def async_step_dlms_pushed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the keys of a meter that speaks by itself."""
        self._choice = "dlms_pushed"
        keys = self._entered_keys(user_input, to_pushed_keys_data)
        if keys is not None:
            return self._async_begin({CONF_MODE: MODE_PUSHED, **keys})
        return self._async_ask_keys("dlms_pushed", PUSHED_KEYS_SCHEMA)

    async def async_step_dlms_polled(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where behind the port a meter is that is asked."""
        return await self._async_ask_address("dlms_polled", user_input)

    async def async_step_dlms_find_out(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Do the same for a meter that may have to be asked."""
        return await self._async_ask_address("dlms_find_out", user_input)

    async def _async_ask_address(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        self._choice = step_id
        if user_input is not None:
            self._polled_form = user_input
            self._set_errors({})
            try:
                self._polled_data = to_polled_data(user_input)
            except FormError as error:
                self._set_errors(error.errors)
            else:
                return await self.async_step_dlms_keys()
        form = self._polled_form or to_polled_form(self._details)
        return self._async_ask(step_id, POLLED_SCHEMA, form)

    async def async_step_dlms_keys(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how a meter that is asked wants to be convinced, and for its keys."""
        protection = self._polled_data.get(CONF_PROTECTION)
        keys = self._entered_keys(user_input, lambda form: to_keys_data(form, protection))
        if keys is not None:
            mode = _MODES[self._choice]
            chosen = {} if mode is None else {CONF_MODE: mode}
            self._tried = {**chosen, **self._polled_data, **keys}
            return self._async_begin(self._tried)
        return self._async_ask_keys("dlms_keys", KEYS_SCHEMA)

    async def async_step_dlms_counter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for an invocation counter that was certainly not used yet."""
        if user_input is not None:
            self._set_errors({})
            is_reauth = self.source == SOURCE_REAUTH
            data = self._get_reauth_entry().data if is_reauth else self._tried
            try:
                await StoredCounter(self.hass, data).async_begin(user_input[CONF_FIRST_COUNTER])
            except OSError:
                self._set_errors({"base": "not_stored"})
            else:
                if is_reauth:
                    return self.async_update_reload_and_abort(self._get_reauth_entry(), data=data)
                return self._async_begin(self._tried)
        return self._async_ask("dlms_counter", COUNTER_SCHEMA, user_input)

    async def async_step_reauth_dlms(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask a meter's owner for other keys, since it does not take those that are kept."""
        entry = self._get_reauth_entry()
        if self._situation() == CounterNeededError.situation:
            return await self.async_step_dlms_counter()
        if self._keys_form is None:
            self._details = entry.data
            if (situation := self._situation()) in CREDENTIALS:
                self._set_errors({"base": situation}, {"port": redact(entry.data[CONF_PORT])})
        polled = is_polled(entry.data)
        protection = entry.data.get(CONF_PROTECTION)
        keys = self._entered_keys(
            user_input,
            (lambda form: to_keys_data(form, protection)) if polled else to_pushed_keys_data,
        )
        if keys is not None:
            rest = {key: value for key, value in entry.data.items() if key not in KEYS_DATA}
            return self.async_update_reload_and_abort(entry, data={**rest, **keys})
        self._placeholders["title"] = entry.title
        step_id = "reauth_dlms" if polled else "reauth_dlms_pushed"
        return self._async_ask_keys(step_id, KEYS_SCHEMA if polled else PUSHED_KEYS_SCHEMA)

    async def async_step_reauth_dlms_pushed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Do the same for a meter that speaks by itself."""
        return await self.async_step_reauth_dlms(user_input)

    def _situation(self) -> str | None:
        """Return what keeps the entry's meter from being read."""
        entry = self._get_reauth_entry()
        if entry.state is ConfigEntryState.LOADED:
            situation: str | None = entry.runtime_data.situation
            return situation
        return entry.error_reason_translation_key

    def _step_for_error(self, error: MeterError) -> str | None:
        """Return the step whose form can mend what a meter finds fault with; None for the port's.

        Only after the menu.
        """
        if not self._choice:
            return None
        if isinstance(error, CounterNeededError):
            return "dlms_counter"
        if is_about_credentials(error):
            return "dlms_pushed" if self._choice == "dlms_pushed" else "dlms_keys"
        return self._choice if isinstance(error, _ABOUT_ADDRESS) else None

    def _entered_keys(
        self,
        user_input: Mapping[str, Any] | None,
        to_data: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> dict[str, Any] | None:
        """Return the entry data that a form of keys asks for; None where it has to be shown."""
        before = self._keys_form or to_keys_form(self._details)
        if user_input is None:
            self._keys_form = before
            return None
        authentication = before[CONF_AUTHENTICATION]
        self._keys_form = {
            CONF_AUTHENTICATION: authentication,
            **unmask_secrets(user_input, before),
        }
        self._set_errors({})
        try:
            return to_data(self._keys_form)
        except FormError as error:
            self._set_errors(error.errors, error.details)
            return None

    @callback
    def _async_ask_keys(self, step_id: str, schema: probatio.Schema) -> ConfigFlowResult:
        form = self._keys_form or {}
        return self._async_ask(step_id, schema, mask_secrets(form, but=self._errors))
