"""What has been found out about ports, kept over restarts, whichever meters are read there."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..meter import Framing, LineSettings

_VERSION: Final = 1
_KEY: Final = f"{DOMAIN}.ports"
#: Ports that are remembered: more than any installation has at the same time.
_MOST: Final = 64
#: How long the settings of a line are worth trying first.
_LINE_KEPT: Final = timedelta(days=366)


class KnownPorts:
    """The line settings that were right at a port last, and when a battery was last woken there."""

    def __init__(self, store: Store[dict[str, dict[str, Any]]], ports: Mapping[str, Any]) -> None:
        """Take what was stored."""
        self._store = store
        self._ports: dict[str, dict[str, Any]] = dict(ports)

    @classmethod
    async def async_load(cls, hass: HomeAssistant) -> Self:
        """Load what earlier searches have found."""
        store = Store[dict[str, dict[str, Any]]](hass, _VERSION, _KEY, private=True)
        return cls(store, await store.async_load() or {})

    def line(self, port: str) -> LineSettings | None:
        """Return the line settings with which a meter was found at a port."""
        kept = self._ports.get(port, {})
        found = _time(kept, "found")
        if found is None or dt_util.utcnow() - found > _LINE_KEPT:
            return None
        try:
            return LineSettings(int(kept["baudrate"]), Framing(kept["framing"]))
        except KeyError, TypeError, ValueError:
            return None

    def last_wake_up(self, port: str) -> datetime | None:
        """Return when a battery meter was last woken at a port."""
        return _time(self._ports.get(port, {}), "last_wake_up")

    async def async_note(
        self, port: str, line: LineSettings | None, last_wake_up: datetime | None
    ) -> None:
        """Store the line settings of the meter that was found, if any, and the last wake-up."""
        kept = self._ports.pop(port, {})
        if line is not None:
            found = dt_util.utcnow().isoformat()
            kept |= {"baudrate": line.baudrate, "framing": line.framing.value, "found": found}
        if last_wake_up is not None:
            kept["last_wake_up"] = last_wake_up.isoformat()
        if not kept:
            return
        self._ports[port] = kept
        while len(self._ports) > _MOST:
            del self._ports[next(iter(self._ports))]
        await self._store.async_save(self._ports)


def _time(kept: Mapping[str, Any], key: str) -> datetime | None:
    return dt_util.parse_datetime(str(kept.get(key, "")))
