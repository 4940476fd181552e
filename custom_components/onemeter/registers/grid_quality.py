"""The option *Grid quality sensors*: which sensors it enables or disables, and when."""

from collections.abc import Container, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..const import CONF_GRID_QUALITY
from ..meter import Key
from .codes import is_grid_quality
from .known_codes import parse_key
from .powers import NET_POWERS, SIGNED_POWERS

_BY_INTEGRATION = er.RegistryEntryDisabler.INTEGRATION


def has_grid_quality(options: Mapping[str, Any]) -> bool:
    """Return whether new sensors of grid quality are enabled."""
    return bool(options.get(CONF_GRID_QUALITY, False))


@callback
def async_switch_grid_quality(
    hass: HomeAssistant, entry: ConfigEntry, options: Mapping[str, Any]
) -> None:
    """Enable or disable an entry's sensors if the option changes; never one the user disabled."""
    if (on := has_grid_quality(options)) is has_grid_quality(entry.options):
        return
    before, after = (_BY_INTEGRATION, None) if on else (None, _BY_INTEGRATION)
    entities = er.async_get(hass)
    prefix = f"{entry.unique_id}-"
    sensors = {
        parse_key(entity.unique_id.removeprefix(prefix)): entity
        for entity in er.async_entries_for_config_entry(entities, entry.entry_id)
        if entity.domain == Platform.SENSOR
    }
    for key, entity in sensors.items():
        if entity.disabled_by is before and is_grid_quality(key):
            if on and _is_replaced(key, sensors):
                continue
            entities.async_update_entity(entity.entity_id, disabled_by=after)


def _is_replaced(key: Key, keys: Container[Key]) -> bool:
    """Return whether there is signed power in place of power in one direction."""
    signed = SIGNED_POWERS.get(key)
    return signed is not None and (signed.sent in keys or NET_POWERS[signed.phase] in keys)
