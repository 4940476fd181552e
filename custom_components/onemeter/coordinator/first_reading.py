"""The first reading, handed from the config flow to the coordinator."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..meter import Reading

#: By the unique id of the entry.
_FIRST_READINGS: HassKey[dict[str, FirstReading]] = HassKey(f"{DOMAIN}_first_readings")


class FirstReading(NamedTuple):
    """The reading that a config flow has taken, and what its client has found out."""

    reading: Reading
    taken: datetime
    #: Seconds that a readout takes, if known.
    duration: float | None
    #: The client's findings, for the discovery cache.
    findings: Mapping[str, Any]


@callback
def async_hand_over(hass: HomeAssistant, unique_id: str, read: FirstReading) -> None:
    """Keep a reading for the entry that is set up next with this unique id.

    Another readout may take minutes, while the user's dialog stays open, and drains a battery.
    """
    hass.data.setdefault(_FIRST_READINGS, {})[unique_id] = read


@callback
def async_take_first_reading(hass: HomeAssistant, unique_id: str) -> FirstReading | None:
    """Return and remove the reading for an entry."""
    return hass.data.get(_FIRST_READINGS, {}).pop(unique_id, None)
