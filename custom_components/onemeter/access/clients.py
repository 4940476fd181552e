"""How an entry's meter is reached: from the settings of the entry to the client that reads it."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PROTOCOL
from homeassistant.core import HomeAssistant

from ..const import DOMAIN, GENERATED
from ..meter import POLLED_LINE, PUSHED_LINE, Identity, PolledClient, Protocol, PushedClient
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
    parse_password,
)
from ..meter.iec62056.settings import SignOn
from ..settings import (
    AnySettings,
    DlmsEntrySettings,
    EntrySettings,
    Iec62056EntrySettings,
    SmlEntrySettings,
    from_entry,
    second_source,
)
from .invocation_counter import StoredCounter, client_title


def expected_meter(entry: ConfigEntry) -> str | None:
    """Return the id that the entry's meter sends; None where it sends none and got one from us."""
    own = str(entry.unique_id)
    return None if own.startswith(GENERATED) else own


def is_meter_of(entry: ConfigEntry, meter: Identity) -> bool:
    """Return whether this is the meter that the entry was set up with."""
    expected = expected_meter(entry)
    if entry.data[CONF_PROTOCOL] != Protocol.DLMS and not meter.aliases:
        return meter.unique_id == expected
    # A meter may report different ids in pushed telegrams and when it is polled.
    return meter.is_known_as(expected)


def sign_on(settings: Iec62056EntrySettings) -> SignOn:
    """Return how the entry's meter is signed on to."""
    return SignOn(
        address=settings.address,
        table=settings.table,
        password=settings.password,
        wake_up=settings.battery,
        switch_speed=settings.switch_speed,
        switch_delay=settings.switch_delay,
        acknowledgement=settings.acknowledgement,
    )


def dlms_settings(settings: DlmsEntrySettings, system_title: bytes) -> DlmsSettings:
    """Return how the entry's DLMS meter is polled, by a client with this title."""
    is_known = settings.authentication is not None or settings.encryption_key is not None
    usual_client = TRUSTED_CLIENT if is_known else PUBLIC_CLIENT
    return DlmsSettings(
        transport=settings.transport,
        client=usual_client if settings.client is None else settings.client,
        logical_device=settings.logical_device,
        physical_device=settings.physical_device,
        address_length=settings.address_length,
        authentication=settings.authentication or Authentication.NONE,
        password=None if settings.password is None else parse_password(settings.password),
        keys=_keys(settings),
        protection=settings.protection,
        dedicated_key=settings.dedicated_key,
        suite=settings.suite,
        system_title=system_title,
        counter_instance=settings.counter_instance,
        invert_deviation=settings.invert_deviation,
        sign_on_address=settings.address,
    )


def stored_counter(hass: HomeAssistant, settings: EntrySettings) -> StoredCounter | None:
    """Return the counter of messages to the entry's meter; None where it has no key."""
    if not isinstance(settings, DlmsEntrySettings) or settings.encryption_key is None:
        return None
    return StoredCounter(hass, settings.encryption_key, settings.system_title)


def make_pushed_client(
    settings: SmlEntrySettings | Iec62056EntrySettings | DlmsEntrySettings,
    authenticity: Authenticity | None = None,
) -> PushedClient:
    """Make the client that listens to a meter, with what is known of its authenticity."""
    protocol, port = settings.protocol, settings.source_id
    line = settings.connection.line(PUSHED_LINE[protocol])
    if isinstance(settings, DlmsEntrySettings):
        return create_pushed_client(
            protocol, port, line, _keys(settings), authenticity=authenticity
        )
    return create_pushed_client(protocol, port, line)


def make_polled_client(
    hass: HomeAssistant,
    settings: Iec62056EntrySettings | DlmsEntrySettings,
    authenticity: Authenticity | None = None,
) -> PolledClient:
    """Make the client that polls a meter, with what is known of its authenticity."""
    protocol, port = settings.protocol, settings.source_id
    line = settings.connection.line(POLLED_LINE[protocol])
    if isinstance(settings, Iec62056EntrySettings):
        return create_polled_client(protocol, port, line, sign_on(settings))
    details = dlms_settings(settings, client_title(hass, settings.system_title))
    counter = stored_counter(hass, settings)
    return create_polled_client(protocol, port, line, details, counter, authenticity=authenticity)


def others_at(hass: HomeAssistant, source_id: str, besides: str | None = None) -> list[ConfigEntry]:
    """Return the entries that read a meter there, without the one of this entry id."""
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if from_entry(entry.data).source_id == source_id and entry.entry_id != besides
    ]


def is_counted(hass: HomeAssistant, source_id: str, besides: str | None = None) -> bool:
    """Return whether the options of an entry, but for the one of this id, count impulses there."""
    return any(
        source.source_id == source_id
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if entry.entry_id != besides and (source := second_source(entry.options)) is not None
    )


def is_taken(hass: HomeAssistant, settings: AnySettings, besides: str | None = None) -> bool:
    """Return whether an entry, but for the one of this id, uses the source of these settings.

    Meters that only answer to their own addresses can share a line.
    """
    source_id = settings.source_id
    others = others_at(hass, source_id, besides)
    addresses = [own_address(from_entry(other.data)) for other in others]
    # Leading zeros mean nothing (6.3.1).
    known = {address.lstrip("0") for address in addresses}
    own = own_address(settings)
    may_share = bool(own) and all(addresses) and own.lstrip("0") not in known
    return is_counted(hass, source_id) or (bool(others) and not may_share)


def own_address(settings: AnySettings) -> str:
    """Return the address to which alone a meter answers; empty if it answers to any."""
    if isinstance(settings, Iec62056EntrySettings | DlmsEntrySettings) and settings.is_polled:
        return settings.address
    return ""


def _keys(settings: DlmsEntrySettings) -> Keys:
    return Keys(settings.encryption_key, settings.authentication_key)
