"""The steps of the config flow that only DLMS meters need."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_PASSWORD, CONF_PORT
from homeassistant.core import callback

from ..access.clients import stored_counter
from ..access.error_texts import CREDENTIALS, is_about_credentials
from ..const import (
    CONF_AUTHENTICATION,
    CONF_AUTHENTICATION_KEY,
    CONF_ENCRYPTION_KEY,
    CONF_FIRST_COUNTER,
)
from ..meter import MeterError
from ..meter.errors import (
    AddressError,
    AssociationError,
    CounterNeededError,
    InvocationCounterError,
    MeterAuthenticationError,
    RefusedError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
    WrongKeysError,
)
from ..meter.redaction import redact
from ..settings import AnySettings, DlmsEntrySettings, Mode
from .base import Steps
from .dlms_schemas import (
    ADDRESS_SCHEMA,
    COUNTER_SCHEMA,
    KEYS_SCHEMA,
    PUSHED_KEYS_SCHEMA,
    mask_secrets,
    to_address_form,
    to_keys_form,
    unmask_secrets,
    with_address,
    with_keys,
)
from .schemas import UNCHANGED, FormError

#: The fields that are emptied after an error of the meter.
_REJECTED: Final[Mapping[str, tuple[str, ...]]] = {
    MeterAuthenticationError.translation_key: (CONF_PASSWORD,),
    WrongEncryptionKeyError.translation_key: (CONF_ENCRYPTION_KEY,),
    WrongAuthenticationKeyError.translation_key: (CONF_AUTHENTICATION_KEY,),
    WrongKeysError.translation_key: (CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY),
}
#: Errors that the form of the address can correct.
_ABOUT_ADDRESS: Final = (AddressError, AssociationError, InvocationCounterError, RefusedError)


class DlmsSteps(Steps):
    """Asks whether a DLMS meter is pushed or polled, for its address, and for its keys.

    An error of the meter leads back to the form that can correct it.
    """

    #: What was entered so far, except for what the current form asks for.
    _dlms: DlmsEntrySettings

    def __init__(self) -> None:
        """Start with empty forms."""
        super().__init__()
        #: What was chosen from the menu; None: find out.
        self._mode: Mode | None = None
        self._address_form: Mapping[str, Any] | None = None
        self._keys_form: Mapping[str, Any] | None = None
        #: The step in which keys were entered last.
        self._keys_step: str | None = None
        #: The secrets that were typed in this form, not taken over from an entry.
        self._typed: frozenset[str] = frozenset()

    async def async_step_dlms(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the meter is pushed or polled."""
        options = ["dlms_pushed", "dlms_polled", "dlms_find_out"]
        return self.async_show_menu(step_id="dlms", menu_options=options)

    async def async_step_dlms_pushed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the keys of a meter that pushes."""
        self._dlms = DlmsEntrySettings(connection=self._connection, mode=Mode.PUSHED)
        return self._async_begin_with_keys("dlms_pushed", user_input)

    async def async_step_dlms_encrypted(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the keys of a meter whose encrypted telegrams were detected."""
        return self._async_begin_with_keys("dlms_encrypted", user_input)

    async def async_step_dlms_locked(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password or keys of a meter that was detected and gives no values without."""
        return self._async_begin_with_keys("dlms_locked", user_input)

    async def async_step_dlms_polled(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on to the address of a meter that is polled."""
        self._mode = Mode.POLLED
        return await self.async_step_dlms_address()

    async def async_step_dlms_find_out(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on to the address of a meter that may have to be polled."""
        self._mode = None
        return await self.async_step_dlms_address()

    async def async_step_dlms_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the transport and the addresses of a meter that is polled."""
        if user_input is not None:
            self._address_form = user_input
            self._set_errors({})
            settings = DlmsEntrySettings(connection=self._connection, mode=self._mode)
            try:
                self._dlms = with_address(settings, user_input)
            except FormError as error:
                self._set_errors(error.errors)
            else:
                return await self.async_step_dlms_keys()
        form = self._address_form or to_address_form(self._dlms_before())
        return self._async_ask("dlms_address", ADDRESS_SCHEMA, form)

    async def async_step_dlms_keys(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the authentication and the keys of a meter that is polled."""
        return self._async_begin_with_keys("dlms_keys", user_input)

    @callback
    def _async_begin_with_keys(
        self, step_id: str, user_input: Mapping[str, Any] | None
    ) -> ConfigFlowResult:
        """Ask for keys, and look for the meter with them."""
        settings = self._entered_keys(user_input, self._dlms)
        if settings is None:
            return self._async_ask_keys(step_id, self._dlms)
        self._dlms, self._keys_step = settings, step_id
        return self._async_begin(settings)

    async def async_step_dlms_counter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for an invocation counter that was certainly not used yet."""
        counter = stored_counter(self.hass, self._dlms)
        if user_input is not None and counter is not None:
            self._set_errors({})
            try:
                await counter.async_begin(user_input[CONF_FIRST_COUNTER])
            except OSError:
                self._set_errors({"base": "not_stored"})
            else:
                if self.source == SOURCE_REAUTH:
                    return self.async_update_reload_and_abort(self._get_reauth_entry())
                return self._async_begin(self._dlms)
        return self._async_ask("dlms_counter", COUNTER_SCHEMA, user_input)

    async def async_step_reauth_dlms(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for other keys, since the meter rejects those of the entry."""
        entry = self._get_reauth_entry()
        self._dlms = DlmsEntrySettings.from_entry(entry.data)
        if self._translation_key() == CounterNeededError.translation_key:
            return await self.async_step_dlms_counter()
        if self._keys_form is None and (translation_key := self._translation_key()) in CREDENTIALS:
            self._set_errors({"base": translation_key}, {CONF_PORT: redact(self._dlms.source_id)})
        settings = self._entered_keys(user_input, self._dlms)
        if settings is not None:
            return self.async_update_reload_and_abort(entry, data=settings.to_entry())
        self._placeholders["title"] = entry.title
        step_id = "reauth_dlms" if self._dlms.is_polled else "reauth_dlms_pushed"
        return self._async_ask_keys(step_id, self._dlms)

    async def async_step_reauth_dlms_pushed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for other keys of a meter that pushes."""
        return await self.async_step_reauth_dlms(user_input)

    def _translation_key(self) -> str | None:
        """Return what keeps the entry's meter from being read."""
        entry = self._get_reauth_entry()
        if entry.state is ConfigEntryState.LOADED:
            translation_key: str | None = entry.runtime_data.translation_key
            return translation_key
        return entry.error_reason_translation_key

    @override
    def _step_for_error(self, error: MeterError, settings: AnySettings) -> str | None:
        if not isinstance(settings, DlmsEntrySettings):
            return None
        is_pushed = settings.mode is Mode.PUSHED
        if isinstance(error, AssociationError) and _has_one_key_only(settings):
            self._set_errors({CONF_AUTHENTICATION_KEY: "other_key_needed"})
            return self._keys_step
        if isinstance(error, CounterNeededError):
            return "dlms_counter"
        if is_about_credentials(error):
            return self._keys_step or ("dlms_pushed" if is_pushed else "dlms_keys")
        if isinstance(error, _ABOUT_ADDRESS):
            return "dlms_pushed" if is_pushed else "dlms_address"
        return None

    def _dlms_before(self) -> DlmsEntrySettings | None:
        """Return the settings of the entry that the flow changes, if its meter is a DLMS meter."""
        return self._before if isinstance(self._before, DlmsEntrySettings) else None

    def _entered_keys(
        self, user_input: Mapping[str, Any] | None, settings: DlmsEntrySettings
    ) -> DlmsEntrySettings | None:
        """Return the settings with the keys entered; None where the form has to be shown."""
        before = self._keys_form or to_keys_form(self._dlms_before())
        if user_input is None:
            self._keys_form = before
            return None
        self._typed = frozenset(key for key, value in user_input.items() if value != UNCHANGED)
        authentication = before[CONF_AUTHENTICATION]
        self._keys_form = {
            CONF_AUTHENTICATION: authentication,
            **unmask_secrets(user_input, before),
        }
        self._set_errors({})
        try:
            return with_keys(settings, self._keys_form)
        except FormError as error:
            self._set_errors(error.errors, error.details)
            return None

    @callback
    def _async_ask_keys(self, step_id: str, settings: DlmsEntrySettings) -> ConfigFlowResult:
        schema = PUSHED_KEYS_SCHEMA if settings.mode is Mode.PUSHED else KEYS_SCHEMA
        rejected = _REJECTED.get(self._errors.get("base", ""), ())
        self._keys_form = {**(self._keys_form or {}), **dict.fromkeys(rejected, "")}
        form = mask_secrets(self._keys_form, invalid=self._errors.keys() & self._typed)
        return self._async_ask(step_id, schema, form)


def _has_one_key_only(settings: DlmsEntrySettings) -> bool:
    """Return whether an encryption key was entered alone, and no authentication chosen."""
    has_one_key = settings.encryption_key is not None and settings.authentication_key is None
    return has_one_key and settings.authentication is None
