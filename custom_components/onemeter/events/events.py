"""The events of an entry's meter, and what is known of it over restarts."""

from collections import deque
from collections.abc import Callable, Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..meter import Key, Reading, Register
from .detector import EventDetector, MeterEvent
from .sources import EventType

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
#: Events that wait for their entity; more are no real ones.
_WAITING_MAX: Final = 20


class MeterEvents:
    """Takes the telegrams of a meter, and hands its events over to the entity.

    What is known of the meter is stored before an event is handed over, so that none is reported
    again after a restart.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin without any telegram."""
        self._hass = hass
        self._entry = entry
        self._store = _store(hass, entry.entry_id)
        self._detector = EventDetector()
        #: Events that wait until the memory is stored, and those that wait for the entity.
        self._found: list[MeterEvent] = []
        self._waiting: deque[MeterEvent] = deque(maxlen=_WAITING_MAX)
        self._is_saving = False
        self._listener: Callable[[], None] | None = None

    @property
    def types(self) -> list[EventType]:
        """The events that the meter can report; empty for most meters."""
        return self._detector.types

    async def async_load(self) -> None:
        """Restore what was known of this meter; another one begins anew."""
        if (content := await self._store.async_load()) is None:
            return
        try:
            if content["meter"] == self._entry.unique_id:
                self._detector.restore(dict(content["memory"]))
        except KeyError, TypeError, ValueError:
            _LOGGER.exception("The stored events of %s are damaged", self._entry.title)

    @callback
    def async_take(self, reading: Reading, registers: Mapping[Key, Register]) -> None:
        """Take a telegram of the meter and its current values."""
        self._found += self._detector.take(reading, registers)
        if self._detector.is_changed and not self._is_saving:
            self._is_saving = True
            self._entry.async_create_background_task(
                self._hass, self._async_save(), f"{DOMAIN} events", eager_start=False
            )

    @callback
    def async_listen(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call a function when there is an event to be taken; return a function that ends this."""

        @callback
        def stop() -> None:
            self._listener = None

        self._listener = listener
        return stop

    @callback
    def async_next(self) -> MeterEvent | None:
        """Hand over the next event, if there is one."""
        return self._waiting.popleft() if self._waiting else None

    async def _async_save(self) -> None:
        try:
            while self._detector.is_changed:
                self._detector.is_changed = False
                found, self._found = self._found, []
                await self._store.async_save(self._content())
                self._waiting += found
                if found and self._listener is not None:
                    self._listener()
        finally:
            self._is_saving = False

    def _content(self) -> dict[str, Any]:
        return {"meter": self._entry.unique_id, "memory": dict(self._detector.memory)}


async def async_forget_events(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was known of the meter of an entry that is gone."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}.events", private=True, atomic_writes=True)
