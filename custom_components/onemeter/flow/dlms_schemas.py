"""The forms of DLMS, and the way between them and the settings of an entry."""

from collections.abc import Collection, Mapping
from dataclasses import replace
import re
from typing import Any, Final

import probatio

from homeassistant.const import CONF_ADDRESS, CONF_PASSWORD
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector, TextSelector

from ..access.invocation_counter import given_title, is_own_title
from ..const import (
    CONF_ADDRESS_LENGTH,
    CONF_AUTHENTICATION,
    CONF_AUTHENTICATION_KEY,
    CONF_CLIENT,
    CONF_COUNTER_INSTANCE,
    CONF_DEDICATED_KEY,
    CONF_ENCRYPTION_KEY,
    CONF_FIRST_COUNTER,
    CONF_INVERT_DEVIATION,
    CONF_LOGICAL_DEVICE,
    CONF_PHYSICAL_DEVICE,
    CONF_PROTECTION,
    CONF_SUITE,
    CONF_SYSTEM_TITLE,
    CONF_TRANSPORT,
)
from ..meter.dlms.settings import (
    Authentication,
    Protection,
    Transport,
    parse_key,
    parse_password,
    usual_authentication,
)
from ..meter.errors import KeyFormatError
from ..meter.iec62056.settings import is_address
from ..settings import DlmsEntrySettings, Mode
from .schemas import (
    DEFAULT,
    SECTION_EXPERT,
    UNCHANGED,
    FormError,
    hidden_text,
    name_of,
    select,
    whole_number,
)

_TITLE: Final = re.compile(r"[0-9a-f]{16}", re.ASCII | re.IGNORECASE)

_HIGHEST_ADDRESS: Final = 0xFFFF
_HIGHEST_HDLC_ADDRESS: Final = 0x3FFF
_HIGHEST_GROUP: Final = 255
_HIGHEST_COUNTER: Final = 0xFFFF_0000

_TRANSPORTS: Final = {transport.value: transport for transport in Transport}
_LENGTHS: Final = {str(length): length for length in (1, 2, 4)}
_PROTECTIONS: Final = {protection.value: protection for protection in Protection}
_SUITES: Final = {str(suite): suite for suite in range(3)}
_KEYS: Final = (CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY)
_SECRETS: Final = (CONF_PASSWORD, *_KEYS)
#: What proves who the client is without any password.
_WITHOUT_PASSWORD: Final = {Authentication.NONE, Authentication.HLS_GMAC}
_NEEDS_BOTH_KEYS: Final = {Protection.AUTHENTICATED, Protection.BOTH}

ADDRESS_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_TRANSPORT, default=DEFAULT): select(
            CONF_TRANSPORT, [DEFAULT, *_TRANSPORTS]
        ),
        probatio.Optional(CONF_CLIENT): whole_number(1, _HIGHEST_ADDRESS),
        probatio.Required(SECTION_EXPERT): section(
            probatio.Schema(
                {
                    probatio.Optional(CONF_LOGICAL_DEVICE): whole_number(0, _HIGHEST_ADDRESS),
                    probatio.Optional(CONF_PHYSICAL_DEVICE): whole_number(0, _HIGHEST_HDLC_ADDRESS),
                    probatio.Required(CONF_ADDRESS_LENGTH, default=DEFAULT): select(
                        CONF_ADDRESS_LENGTH, [DEFAULT, *_LENGTHS]
                    ),
                    probatio.Optional(CONF_ADDRESS): probatio.All(TextSelector(), probatio.Strip),
                    probatio.Required(CONF_PROTECTION, default=DEFAULT): select(
                        CONF_PROTECTION, [DEFAULT, *_PROTECTIONS]
                    ),
                    probatio.Required(CONF_SUITE, default=DEFAULT): select(
                        CONF_SUITE, [DEFAULT, *_SUITES]
                    ),
                    probatio.Required(CONF_DEDICATED_KEY, default=False): BooleanSelector(),
                    probatio.Optional(CONF_SYSTEM_TITLE): probatio.All(
                        TextSelector(), probatio.Strip
                    ),
                    probatio.Required(CONF_COUNTER_INSTANCE, default=0): whole_number(
                        0, _HIGHEST_GROUP
                    ),
                    probatio.Required(CONF_INVERT_DEVIATION, default=False): BooleanSelector(),
                }
            ),
            {"collapsed": True},
        ),
    }
)

COUNTER_SCHEMA = probatio.Schema(
    {probatio.Required(CONF_FIRST_COUNTER): whole_number(1, _HIGHEST_COUNTER)}
)

PUSHED_KEYS_SCHEMA = probatio.Schema(
    {probatio.Optional(probatio.Secret(key)): hidden_text() for key in _KEYS}
)

KEYS_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_AUTHENTICATION, default=DEFAULT): select(
            CONF_AUTHENTICATION,
            [DEFAULT, *(authentication.value for authentication in Authentication)],
        ),
        probatio.Optional(probatio.Secret(CONF_PASSWORD)): hidden_text(),
        **PUSHED_KEYS_SCHEMA.schema,
    }
)


def to_address_form(settings: DlmsEntrySettings | None) -> dict[str, Any]:
    """Return the values of the form of the address that lead to these settings."""
    if settings is None:
        return {}
    title = given_title(settings.system_title)
    return {
        CONF_TRANSPORT: name_of(_TRANSPORTS, settings.transport),
        **_numbers(settings, CONF_CLIENT),
        SECTION_EXPERT: {
            **_numbers(settings, CONF_LOGICAL_DEVICE, CONF_PHYSICAL_DEVICE),
            CONF_ADDRESS_LENGTH: name_of(_LENGTHS, settings.address_length),
            CONF_ADDRESS: settings.address,
            CONF_PROTECTION: name_of(_PROTECTIONS, settings.protection),
            CONF_SUITE: name_of(_SUITES, settings.suite),
            CONF_DEDICATED_KEY: settings.dedicated_key,
            CONF_SYSTEM_TITLE: "" if title is None else title.hex(),
            CONF_COUNTER_INSTANCE: settings.counter_instance,
            CONF_INVERT_DEVIATION: settings.invert_deviation,
        },
    }


def with_address(settings: DlmsEntrySettings, form: Mapping[str, Any]) -> DlmsEntrySettings:
    """Return the settings with what was entered in the form of the address.

    Raises FormError.
    """
    expert = form[SECTION_EXPERT]
    address = expert.get(CONF_ADDRESS, "")
    if not is_address(address):
        raise FormError("base", "invalid_address")
    return replace(
        settings,
        transport=_TRANSPORTS.get(form[CONF_TRANSPORT]),
        client=form.get(CONF_CLIENT),
        logical_device=expert.get(CONF_LOGICAL_DEVICE),
        physical_device=expert.get(CONF_PHYSICAL_DEVICE),
        address_length=_LENGTHS.get(expert[CONF_ADDRESS_LENGTH]),
        address=address,
        protection=_PROTECTIONS.get(expert[CONF_PROTECTION]),
        suite=_SUITES.get(expert[CONF_SUITE]),
        dedicated_key=expert[CONF_DEDICATED_KEY],
        system_title=_system_title(expert.get(CONF_SYSTEM_TITLE, "")),
        counter_instance=expert[CONF_COUNTER_INSTANCE],
        invert_deviation=expert[CONF_INVERT_DEVIATION],
    )


def to_keys_form(settings: DlmsEntrySettings | None) -> dict[str, Any]:
    """Return the values of either form of keys that lead to these settings."""
    if settings is None:
        return {CONF_AUTHENTICATION: DEFAULT, **dict.fromkeys(_SECRETS, "")}
    authentication = settings.authentication
    return {
        CONF_AUTHENTICATION: DEFAULT if authentication is None else authentication.value,
        CONF_PASSWORD: settings.password or "",
        CONF_ENCRYPTION_KEY: (settings.encryption_key or b"").hex(),
        CONF_AUTHENTICATION_KEY: (settings.authentication_key or b"").hex(),
    }


def mask_secrets(form: Mapping[str, Any], invalid: Collection[str] = ()) -> dict[str, Any]:
    """Return a form of keys as the browser may see it: what is invalid stays, to be corrected."""
    secrets = {
        key: UNCHANGED if (text := form.get(key)) and key not in invalid else text or ""
        for key in _SECRETS
    }
    return {**form, **secrets}


def unmask_secrets(form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a form of keys with the secrets that were masked and not changed."""
    return {key: before[key] if value == UNCHANGED else value for key, value in form.items()}


def with_keys(settings: DlmsEntrySettings, form: Mapping[str, Any]) -> DlmsEntrySettings:
    """Return the settings with what was entered in the form of keys.

    A meter that pushes has no password. Raises FormError.
    """
    encryption, authentication = (_key(form, key) for key in _KEYS)
    if authentication is not None:
        if encryption is None:
            raise FormError(CONF_ENCRYPTION_KEY, "key_missing")
        if len(encryption) != len(authentication):
            raise FormError(CONF_AUTHENTICATION_KEY, "keys_differ")
    settings = replace(settings, encryption_key=encryption, authentication_key=authentication)
    return settings if settings.mode is Mode.PUSHED else _with_authentication(settings, form)


def _with_authentication(settings: DlmsEntrySettings, form: Mapping[str, Any]) -> DlmsEntrySettings:
    password = form.get(CONF_PASSWORD, "")
    # There is no authentication key without an encryption key.
    has_both_keys = settings.authentication_key is not None
    usual = usual_authentication(has_password=bool(password), has_both_keys=has_both_keys)
    chosen = form[CONF_AUTHENTICATION]
    authentication = usual if chosen == DEFAULT else Authentication(chosen)
    needs_password = authentication not in _WITHOUT_PASSWORD
    if needs_password:
        if not password:
            raise FormError(CONF_PASSWORD, "password_needed")
        try:
            parse_password(password)
        except ValueError:
            raise FormError(CONF_PASSWORD, "invalid_hex_password") from None
    elif password and authentication is Authentication.NONE:
        raise FormError(CONF_AUTHENTICATION, "authentication_needed")
    if missing := _missing_key(settings, authentication):
        raise FormError(missing, "key_missing")
    is_none = {authentication, usual} == {Authentication.NONE}
    return replace(
        settings,
        authentication=None if is_none else authentication,
        password=password if needs_password else None,
    )


def _missing_key(settings: DlmsEntrySettings, authentication: Authentication) -> str | None:
    protection = settings.protection
    needs_both = authentication is Authentication.HLS_GMAC or protection in _NEEDS_BOTH_KEYS
    needs_encryption = needs_both or protection is Protection.ENCRYPTED
    if needs_encryption and settings.encryption_key is None:
        return CONF_ENCRYPTION_KEY
    if needs_both and settings.authentication_key is None:
        return CONF_AUTHENTICATION_KEY
    return None


def _key(form: Mapping[str, Any], key: str) -> bytes | None:
    text = form.get(key, "").strip()
    try:
        return parse_key(text) if text else None
    except KeyFormatError as error:
        text_key = error.translation_key + ("_character" if "character" in error.details else "")
        raise FormError(key, text_key, error.details) from None


def _system_title(text: str) -> bytes | None:
    if not text:
        return None
    if not _TITLE.fullmatch(text) or is_own_title(title := bytes.fromhex(text)):
        raise FormError("base", "invalid_system_title")
    return title


def _numbers(settings: DlmsEntrySettings, *names: str) -> dict[str, int]:
    """Return those of these settings that are set."""
    return {name: to for name in names if (to := getattr(settings, name)) is not None}
