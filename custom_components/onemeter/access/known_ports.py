"""What has been found out about ports, kept over restarts, whichever meters are read there."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self

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


class FoundLine(NamedTuple):
    """How a meter was found."""

    line: LineSettings
    #: Whether it has answered a question with these settings, rather than pushed.
    is_polled: bool

    @property
    def by_mode(self) -> tuple[LineSettings | None, LineSettings | None]:
        """The settings at which to listen, and those of the question to begin with."""
        return (None, self.line) if self.is_polled else (self.line, None)


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

    def found(self, port: str) -> FoundLine | None:
        """Return how a meter was found at a port last."""
        kept = self._ports.get(port, {})
        found = _time(kept, "found")
        if found is None or dt_util.utcnow() - found > _LINE_KEPT:
            return None
        try:
            line = LineSettings(int(kept["baudrate"]), Framing(kept["framing"]))
        except KeyError, TypeError, ValueError:
            return None
        return FoundLine(line, bool(kept.get("polled")))

    def last_wake_up(self, port: str) -> datetime | None:
        """Return when a battery meter was last woken at a port."""
        return _time(self._ports.get(port, {}), "last_wake_up")

    async def async_note(
        self, port: str, meter: FoundLine | None, last_wake_up: datetime | None
    ) -> None:
        """Store how the meter was found, if any was, and the last wake-up."""
        kept = self._ports.pop(port, {})
        if meter is not None:
            kept |= {
                "baudrate": meter.line.baudrate,
                "framing": meter.line.framing.value,
                "polled": meter.is_polled,
                "found": dt_util.utcnow().isoformat(),
            }
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
