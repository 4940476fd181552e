"""What the client of a meter that is asked has found out about it, kept over restarts.

A DLMS meter may take half a minute to tell what it has, and longer to be found at all.
"""

from collections.abc import Mapping
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
        """Know nothing yet."""
        self._store = _store(hass, entry_id)
        self._client = client
        data = settings.to_entry()
        self._conditions = {key: data.get(key) for key in _CONDITIONS}
        self._kept: Mapping[str, Any] = {}
        self._is_settled = False

    async def async_load(self) -> None:
        """Give the client what an earlier one has found out in the same way."""
        content = await self._store.async_load()
        if content is None:
            return
        # Conditions that an earlier release did not know were what is usual.
        if {key: content["conditions"].get(key) for key in _CONDITIONS} == self._conditions:
            self._kept = content["findings"]
            self._client.restore(self._kept)

    async def async_keep(self) -> None:
        """Write down what the client has found out, after its first readout."""
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
