"""What the client of a polled meter has found out about it, kept over restarts.

Reading the object list of a DLMS meter may take half a minute, and finding its address longer.
"""

from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.const import CONF_ADDRESS, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from ..const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_ADDRESS_LENGTH,
    CONF_AUTHENTICATION,
    CONF_BAUDRATE,
    CONF_CLIENT,
    CONF_LOGICAL_DEVICE,
    CONF_PHYSICAL_DEVICE,
    CONF_SWITCH_SPEED,
    CONF_TRANSPORT,
    DOMAIN,
)
from ..meter import PolledClient
from ..settings import EntrySettings

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
#: What the findings depend on, in an entry's data.
_CONDITIONS: Final = (
    CONF_PORT,
    CONF_ADDRESS,
    CONF_TRANSPORT,
    CONF_CLIENT,
    CONF_LOGICAL_DEVICE,
    CONF_PHYSICAL_DEVICE,
    CONF_ADDRESS_LENGTH,
    CONF_AUTHENTICATION,
    CONF_BAUDRATE,
    CONF_SWITCH_SPEED,
    CONF_ACKNOWLEDGEMENT,
)


class DiscoveryCache:
    """Keeps what an entry's client has found out."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, settings: EntrySettings, client: PolledClient
    ) -> None:
        """Begin without findings."""
        self._store = _store(hass, entry_id)
        self._client = client
        data = settings.to_entry()
        self._conditions = {key: data.get(key) for key in _CONDITIONS}
        self._kept: Mapping[str, Any] = {}
        self._is_settled = False

    async def async_load(self) -> None:
        """Restore the findings of an earlier client with the same conditions."""
        if (content := await self._store.async_load()) is None:
            return
        try:
            conditions, findings = dict(content["conditions"]), dict(content["findings"])
        except KeyError, TypeError, ValueError:
            _LOGGER.exception("What was found out about a meter is damaged")
            return
        # Conditions that an earlier release did not store had their defaults.
        if {key: conditions.get(key) for key in _CONDITIONS} == self._conditions:
            self._kept = findings
            self._client.restore(self._kept)

    async def async_keep(self) -> None:
        """Store what the client has found out, after its first readout."""
        if self._is_settled:
            return
        self._is_settled = True
        findings = self._client.findings()
        if findings != self._kept:
            await self._store.async_save({"conditions": self._conditions, "findings": findings})


async def async_forget_findings(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was found out about the meter of an entry that is gone."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}.findings")
