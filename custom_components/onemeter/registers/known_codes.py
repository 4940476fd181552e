"""A limit for the number of codes of one meter, since each becomes an entity."""

import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..meter import Key, Obis, Register

_LOGGER = logging.getLogger(__name__)

#: More codes are no real ones: the largest readout seen has 577 codes.
CODES_MAX: Final = 1000


class KnownCodes:
    """The codes that a meter has sent; after a restart, those of its sensors."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Take the entry of the meter."""
        self._title = entry.title
        prefix = f"{entry.unique_id}-"
        self._known: set[Key] = {
            parse_key(sensor.unique_id.removeprefix(prefix))
            for sensor in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
            if sensor.domain == Platform.SENSOR
        }
        self._has_warned = False

    @callback
    def async_select(self, registers: dict[Key, Register]) -> dict[Key, Register]:
        """Return the registers of a telegram, without new codes beyond the limit."""
        if registers.keys() <= self._known:
            return registers
        new = [key for key in registers if key not in self._known]
        room = max(CODES_MAX - len(self._known), 0)
        self._known.update(new[:room])
        if len(new) <= room:
            return registers
        if not self._has_warned:
            self._has_warned = True
            _LOGGER.warning(
                "%s has sent more than %d different codes; further ones are left out",
                self._title,
                CODES_MAX,
            )
        return {key: item for key, item in registers.items() if key in self._known}


def parse_key(text: str) -> Key:
    """Return the key of a sensor from the end of its unique id."""
    try:
        return Obis.parse(text)
    except ValueError:
        return text
