"""The devices of meters on the M-Bus, one for each channel of the entry's meter.

A meter that replaces another one at its channel takes over the device and its sensors.
"""

from collections.abc import Callable, Mapping
from typing import Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.helpers.typing import UNDEFINED

from ..const import DOMAIN
from ..coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from ..meter.flag import manufacturer_name
from ..registers.mbus import MbusMeter
from .meter import meter_device

#: Between the unique id of the entry and the channel.
_INFIX: Final = "-mbus-"
#: Translation key of the device of a meter whose medium is unknown.
_UNKNOWN: Final = "mbus"


def mbus_identifier(entry: ConfigEntry, channel: int) -> tuple[str, str]:
    """Return the identifier of the device of a channel."""
    return DOMAIN, f"{entry.unique_id}{_INFIX}{channel}"


@callback
def async_follow_mbus(coordinator: OneMeterCoordinator) -> None:
    """Register the devices of the meters on the M-Bus, also of those that appear later.

    To be called before entities are added to these devices.
    """
    known: Mapping[int, MbusMeter | None] = {}

    @callback
    def follow() -> None:
        nonlocal known
        meters = coordinator.data.mbus_meters
        for channel, meter in meters.items():
            if meter is not None and meter != known.get(channel):
                _async_register(coordinator, channel, meter)
        known = meters

    follow()
    coordinator.config_entry.async_on_unload(coordinator.async_add_listener(follow))


@callback
def async_on_mbus_removed(
    hass: HomeAssistant, entry: ConfigEntry, action: Callable[[int], None]
) -> None:
    """Call action with the channel whose device the user has removed."""
    entry.async_on_unload(async_dispatcher_connect(hass, _signal(entry), action))


@callback
def async_remove_device(
    hass: HomeAssistant, entry: OneMeterConfigEntry, device: dr.DeviceEntry
) -> None:
    """Agree to the removal of a device whose meter is gone; raise HomeAssistantError otherwise."""
    prefix = f"{entry.unique_id}{_INFIX}"
    channels = {
        int(identifier.removeprefix(prefix))
        for domain, identifier in device.identifiers
        if domain == DOMAIN and identifier.startswith(prefix)
    }
    if not channels:
        raise _refusal(entry, "device_is_meter")
    if entry.state is not ConfigEntryState.LOADED:
        raise _refusal(entry, "device_may_be_there")
    meters = entry.runtime_data.data.mbus_meters
    if any(meters.get(channel) is not None for channel in channels):
        raise _refusal(entry, "device_is_there")
    for channel in channels:
        async_dispatcher_send(hass, _signal(entry), channel)


def _refusal(entry: ConfigEntry, translation_key: str) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders={"title": entry.title},
    )


def _signal(entry: ConfigEntry) -> str:
    return f"{DOMAIN}_{entry.entry_id}_mbus_removed"


@callback
def _async_register(coordinator: OneMeterCoordinator, channel: int, meter: MbusMeter) -> None:
    """Register the device of a channel, or bring it up to date.

    What the telegrams do not contain stays as it was: it may be in another list of registers.
    """
    entry = coordinator.config_entry
    devices = dr.async_get(coordinator.hass)
    own = devices.async_get_or_create(config_entry_id=entry.entry_id, **meter_device(coordinator))
    identifier = mbus_identifier(entry, channel)
    known = devices.async_get_device_by_identifier(identifier, entry.entry_id)
    manufacturer = meter.manufacturer and manufacturer_name(meter.manufacturer)
    is_named = known is None or meter.medium is not None
    device = devices.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={identifier},
        manufacturer=manufacturer or (None if meter.serial_number else UNDEFINED),
        serial_number=meter.serial_number or UNDEFINED,
        translation_key=(meter.medium or _UNKNOWN) if is_named else None,
        translation_placeholders={"number": _number(coordinator, channel, meter)},
        via_device_id=own.id,
    )
    if known is None and own.area_id is not None:
        devices.async_update_device(device.id, area_id=own.area_id)


def _number(coordinator: OneMeterCoordinator, channel: int, meter: MbusMeter) -> str:
    """Return the channel as a part of the name, if another meter has the same medium."""
    others = coordinator.data.mbus_meters
    is_needed = meter.medium is None or any(
        other is not None and other.medium == meter.medium
        for lower, other in others.items()
        if lower < channel
    )
    return f" {channel}" if is_needed else ""
