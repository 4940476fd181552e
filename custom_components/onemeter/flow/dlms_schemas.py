"""The forms of DLMS, and the way between what they show and what an entry keeps."""

from collections.abc import Collection, Mapping
import re
from typing import Any, Final

import probatio

from homeassistant.const import CONF_ADDRESS, CONF_PASSWORD
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector, TextSelector

from ..access.invocation_counter import is_own_title
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

_TRANSPORTS: Final = {transport.value: transport.value for transport in Transport}
_LENGTHS: Final = {str(length): length for length in (1, 2, 4)}
_PROTECTIONS: Final = {protection.value: protection.value for protection in Protection}
_SUITES: Final = {str(suite): suite for suite in range(3)}
_KEYS: Final = (CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY)
_SECRETS: Final = (CONF_PASSWORD, *_KEYS)
#: What proves who the client is without any password.
_WITHOUT_PASSWORD: Final = {Authentication.NONE, Authentication.HLS_GMAC}
_NEEDS_BOTH_KEYS: Final = {Protection.AUTHENTICATED, Protection.BOTH}

#: What the form of authentication and keys decides of an entry.
KEYS_DATA: Final = frozenset({CONF_AUTHENTICATION, *_SECRETS})
#: What an entry of a meter that pushes has no use for.
POLLED_ONLY: Final = frozenset(
    {
        CONF_ADDRESS,
        CONF_ADDRESS_LENGTH,
        CONF_AUTHENTICATION,
        CONF_CLIENT,
        CONF_COUNTER_INSTANCE,
        CONF_DEDICATED_KEY,
        CONF_INVERT_DEVIATION,
        CONF_LOGICAL_DEVICE,
        CONF_PASSWORD,
        CONF_PHYSICAL_DEVICE,
        CONF_PROTECTION,
        CONF_SUITE,
        CONF_SYSTEM_TITLE,
        CONF_TRANSPORT,
    }
)

POLLED_SCHEMA = probatio.Schema(
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


def to_polled_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the form of meters that are asked which lead to this entry data."""
    title = data.get(CONF_SYSTEM_TITLE, "")
    return {
        CONF_TRANSPORT: name_of(_TRANSPORTS, data.get(CONF_TRANSPORT)),
        **_those(data, CONF_CLIENT),
        SECTION_EXPERT: {
            **_those(data, CONF_LOGICAL_DEVICE, CONF_PHYSICAL_DEVICE),
            CONF_ADDRESS_LENGTH: name_of(_LENGTHS, data.get(CONF_ADDRESS_LENGTH)),
            CONF_ADDRESS: data.get(CONF_ADDRESS, ""),
            CONF_PROTECTION: name_of(_PROTECTIONS, data.get(CONF_PROTECTION)),
            CONF_SUITE: name_of(_SUITES, data.get(CONF_SUITE)),
            CONF_DEDICATED_KEY: data.get(CONF_DEDICATED_KEY, False),
            CONF_SYSTEM_TITLE: "" if is_own_title(title) else title,
            CONF_COUNTER_INSTANCE: data.get(CONF_COUNTER_INSTANCE, 0),
            CONF_INVERT_DEVIATION: data.get(CONF_INVERT_DEVIATION, False),
        },
    }


def to_polled_data(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry data that this form asks for, where it differs from the usual.

    Raises FormError.
    """
    expert = form[SECTION_EXPERT]
    address = expert.get(CONF_ADDRESS, "")
    if not is_address(address):
        raise FormError("base", "invalid_address")
    title = expert.get(CONF_SYSTEM_TITLE, "").lower()
    if title and (is_own_title(title) or not _TITLE.fullmatch(title)):
        raise FormError("base", "invalid_system_title")
    data = {
        CONF_TRANSPORT: _TRANSPORTS.get(form[CONF_TRANSPORT]),
        CONF_CLIENT: form.get(CONF_CLIENT),
        CONF_LOGICAL_DEVICE: expert.get(CONF_LOGICAL_DEVICE),
        CONF_PHYSICAL_DEVICE: expert.get(CONF_PHYSICAL_DEVICE),
        CONF_ADDRESS_LENGTH: _LENGTHS.get(expert[CONF_ADDRESS_LENGTH]),
        CONF_ADDRESS: address or None,
        CONF_PROTECTION: _PROTECTIONS.get(expert[CONF_PROTECTION]),
        CONF_SUITE: _SUITES.get(expert[CONF_SUITE]),
        CONF_DEDICATED_KEY: expert[CONF_DEDICATED_KEY] or None,
        CONF_SYSTEM_TITLE: title or None,
        CONF_COUNTER_INSTANCE: expert[CONF_COUNTER_INSTANCE] or None,
        CONF_INVERT_DEVIATION: expert[CONF_INVERT_DEVIATION] or None,
    }
    return {key: value for key, value in data.items() if value is not None}


def to_keys_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of either form of keys that lead to this entry data."""
    return {
        CONF_AUTHENTICATION: data.get(CONF_AUTHENTICATION, DEFAULT),
        **{key: data.get(key, "") for key in _SECRETS},
    }


def mask_secrets(form: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """Return a form of keys as the browser may see it, some fields of it emptied."""
    secrets = {key: UNCHANGED if form.get(key) and key not in but else "" for key in _SECRETS}
    return {**form, **secrets}


def unmask_secrets(form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a form of keys with what has stayed in it as it was, and not shown."""
    return {key: before[key] if value == UNCHANGED else value for key, value in form.items()}


def to_pushed_keys_data(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry data that the form of a pushing meter's keys asks for.

    Raises FormError.
    """
    keys = {}
    for key in _KEYS:
        try:
            if text := form.get(key, "").strip():
                keys[key] = parse_key(text).hex()
        except KeyFormatError as error:
            raise FormError(key, error.situation, error.details) from None
    if CONF_AUTHENTICATION_KEY in keys:
        if CONF_ENCRYPTION_KEY not in keys:
            raise FormError(CONF_ENCRYPTION_KEY, "key_missing")
        if len(keys[CONF_ENCRYPTION_KEY]) != len(keys[CONF_AUTHENTICATION_KEY]):
            raise FormError(CONF_AUTHENTICATION_KEY, "keys_differ")
    return keys


def to_keys_data(form: Mapping[str, Any], protection: str | None) -> dict[str, Any]:
    """Return the entry data that the form of authentication and keys asks for.

    Takes how messages are to be protected, for the keys that this needs. Raises FormError.
    """
    data = to_pushed_keys_data(form)
    password = form.get(CONF_PASSWORD, "")
    usual = usual_authentication(
        has_password=bool(password), has_both_keys=all(key in data for key in _KEYS)
    )
    chosen = form[CONF_AUTHENTICATION]
    authentication = usual if chosen == DEFAULT else Authentication(chosen)
    if {authentication, usual} != {Authentication.NONE}:
        data[CONF_AUTHENTICATION] = authentication.value
    if authentication not in _WITHOUT_PASSWORD:
        if not password:
            raise FormError(CONF_PASSWORD, "password_needed")
        try:
            parse_password(password)
        except ValueError:
            raise FormError(CONF_PASSWORD, "invalid_hex_password") from None
        data[CONF_PASSWORD] = password
    elif password and authentication is Authentication.NONE:
        raise FormError(CONF_AUTHENTICATION, "authentication_needed")
    if missing := _missing_key(data, authentication, protection):
        raise FormError(missing, "key_missing")
    return data


def _those(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return those of the data that are there."""
    return {key: data[key] for key in keys if key in data}


def _missing_key(
    data: Mapping[str, Any], authentication: Authentication, protection: str | None
) -> str | None:
    """Return the key that is needed and not there."""
    needs_both = authentication is Authentication.HLS_GMAC or protection in _NEEDS_BOTH_KEYS
    needs_encryption = needs_both or protection == Protection.ENCRYPTED
    if needs_encryption and CONF_ENCRYPTION_KEY not in data:
        return CONF_ENCRYPTION_KEY
    if needs_both and CONF_AUTHENTICATION_KEY not in data:
        return CONF_AUTHENTICATION_KEY
    return None
