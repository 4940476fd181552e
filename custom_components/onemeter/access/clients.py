"""How an entry's meter is reached: from what the entry keeps to the client that reads it."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant

from ..const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_ADDRESS_LENGTH,
    CONF_AUTHENTICATION,
    CONF_AUTHENTICATION_KEY,
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_CLIENT,
    CONF_COUNTER_INSTANCE,
    CONF_DEDICATED_KEY,
    CONF_DTR,
    CONF_ENCRYPTION_KEY,
    CONF_FRAMING,
    CONF_INVERT_DEVIATION,
    CONF_LOGICAL_DEVICE,
    CONF_PHYSICAL_DEVICE,
    CONF_PROTECTION,
    CONF_RTS,
    CONF_SUITE,
    CONF_SWITCH_DELAY,
    CONF_SWITCH_SPEED,
    CONF_TABLE,
    CONF_TRANSPORT,
    DOMAIN,
    GENERATED,
    MODE_POLLED,
)
from ..meter import (
    POLLED_LINE,
    PUSHED_LINE,
    Framing,
    Identity,
    LineSettings,
    PolledClient,
    Protocol,
    PushedClient,
)
from ..meter.clients import create_polled_client, create_pushed_client

# Imported now, since clients are created in the event loop.
from ..meter.dlms import client as _client  # noqa: F401
from ..meter.dlms.push import client as _push_client  # noqa: F401
from ..meter.dlms.security.authenticity import Authenticity
from ..meter.dlms.settings import (
    PUBLIC_CLIENT,
    TRUSTED_CLIENT,
    Authentication,
    DlmsSettings,
    Keys,
    Protection,
    Transport,
    parse_password,
)
from ..meter.iec62056.settings import SignOn
from .invocation_counter import StoredCounter, client_title


def is_polled(data: Mapping[str, Any]) -> bool:
    """Tell whether the entry's meter speaks only when it is asked."""
    return bool(data.get(CONF_MODE) == MODE_POLLED)


def writes_units(data: Mapping[str, Any]) -> bool:
    """Tell whether a number without unit has none; else its code may imply one."""
    return is_polled(data) and data[CONF_PROTOCOL] == Protocol.DLMS


def expected_meter(entry: ConfigEntry) -> str | None:
    """Return the id that the entry's meter tells; None where it tells none and got one from us."""
    own = str(entry.unique_id)
    return None if own.startswith(GENERATED) else own


def is_meter_of(entry: ConfigEntry, meter: Identity) -> bool:
    """Tell whether this is the meter that the entry was set up with."""
    expected = expected_meter(entry)
    if entry.data.get(CONF_PROTOCOL) != Protocol.DLMS:
        return meter.unique_id == expected
    # A meter may report different ids in pushed telegrams and when it is polled.
    return meter.is_known_as(expected)


def line_settings(data: Mapping[str, Any], usual: LineSettings) -> LineSettings:
    """Return how to open the port: as usual but for what the entry changes of it."""
    return LineSettings(
        baudrate=data.get(CONF_BAUDRATE, usual.baudrate),
        framing=Framing(data.get(CONF_FRAMING, usual.framing)),
        dtr=data.get(CONF_DTR, usual.dtr),
        rts=data.get(CONF_RTS, usual.rts),
    )


def sign_on(data: Mapping[str, Any]) -> SignOn:
    """Return how the entry's meter wants to be spoken to."""
    return SignOn(
        address=data.get(CONF_ADDRESS, ""),
        table=data.get(CONF_TABLE, ""),
        password=data.get(CONF_PASSWORD),
        wake_up=data.get(CONF_BATTERY, False),
        switch_speed=data.get(CONF_SWITCH_SPEED, True),
        switch_delay=data.get(CONF_SWITCH_DELAY, 0.0),
        acknowledgement=data.get(CONF_ACKNOWLEDGEMENT, ""),
    )


def keys(data: Mapping[str, Any]) -> Keys:
    """Return the keys that the entry's meter encrypts and authenticates with."""
    return Keys(_octets(data, CONF_ENCRYPTION_KEY), _octets(data, CONF_AUTHENTICATION_KEY))


def dlms_settings(data: Mapping[str, Any], system_title: str) -> DlmsSettings:
    """Return how the entry's DLMS meter wants to be spoken to, by a client with this title."""
    password = data.get(CONF_PASSWORD)
    is_known = CONF_AUTHENTICATION in data or CONF_ENCRYPTION_KEY in data
    return DlmsSettings(
        transport=_choice(data, CONF_TRANSPORT, Transport),
        client=data.get(CONF_CLIENT, TRUSTED_CLIENT if is_known else PUBLIC_CLIENT),
        logical_device=data.get(CONF_LOGICAL_DEVICE),
        physical_device=data.get(CONF_PHYSICAL_DEVICE),
        address_length=data.get(CONF_ADDRESS_LENGTH),
        authentication=_choice(data, CONF_AUTHENTICATION, Authentication) or Authentication.NONE,
        password=None if password is None else parse_password(password),
        keys=keys(data),
        protection=_choice(data, CONF_PROTECTION, Protection),
        dedicated_key=data.get(CONF_DEDICATED_KEY, False),
        suite=data.get(CONF_SUITE),
        system_title=bytes.fromhex(system_title),
        counter_instance=data.get(CONF_COUNTER_INSTANCE, 0),
        invert_deviation=data.get(CONF_INVERT_DEVIATION, False),
        sign_on_address=data.get(CONF_ADDRESS, ""),
    )


def make_pushed_client(
    data: Mapping[str, Any], authenticity: Authenticity | None = None
) -> PushedClient:
    """Make the client that listens to the entry's meter, with what is known of that."""
    protocol = Protocol(data[CONF_PROTOCOL])
    line = line_settings(data, PUSHED_LINE[protocol])
    if protocol is Protocol.DLMS:
        return create_pushed_client(
            protocol, data[CONF_PORT], line, keys(data), authenticity=authenticity
        )
    return create_pushed_client(protocol, data[CONF_PORT], line)


def make_polled_client(
    hass: HomeAssistant, data: Mapping[str, Any], authenticity: Authenticity | None = None
) -> PolledClient:
    """Make the client that asks the entry's meter, with what is known of that."""
    protocol = Protocol(data[CONF_PROTOCOL])
    line = line_settings(data, POLLED_LINE[protocol])
    if protocol is Protocol.DLMS:
        settings = dlms_settings(data, client_title(hass, data))
        counter = StoredCounter(hass, data) if CONF_ENCRYPTION_KEY in data else None
        return create_polled_client(
            protocol, data[CONF_PORT], line, settings, counter, authenticity=authenticity
        )
    return create_polled_client(protocol, data[CONF_PORT], line, sign_on(data))


def _octets(data: Mapping[str, Any], key: str) -> bytes | None:
    return bytes.fromhex(data[key]) if key in data else None


def _choice[T](data: Mapping[str, Any], key: str, kind: Callable[[str], T]) -> T | None:
    return kind(data[key]) if key in data else None


def others_at(hass: HomeAssistant, port: str, besides: str | None = None) -> list[ConfigEntry]:
    """Return the entries that read a meter at a port, without the one of this entry id."""
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if entry.data[CONF_PORT] == port and entry.entry_id != besides
    ]
