"""Whether an entry's meter authenticates its telegrams, kept over restarts.

That it does is written at once: a restart must not let anything else in again. The counters are
written every few minutes only, and when the entry or Home Assistant ends. After a crash what was
sent in the minutes before it could be sent once more, until the meter itself sends the next time.
"""

from hashlib import sha256
from time import monotonic
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..meter.dlms.security.authenticity import Authenticity, Event
from ..settings import DlmsEntrySettings, from_entry
from .issues import Issue, async_clear_issue, async_raise_issue

_VERSION: Final = 1
#: Seconds for which new counters may stay unwritten.
_SAVE_DELAY: Final = 300
#: Seconds after which counters that do not rise are those of a replaced meter, or of a reset one.
_PATIENCE: Final = 600


class KeptAuthenticity:
    """What is known of the authenticity of an entry's meter in this run of Home Assistant.

    It outlives reloads and attempts to set the entry up, since a meter whose counters have fallen
    keeps the entry from being set up.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, keys: str) -> None:
        """Take the fingerprint of the keys; nothing is known yet."""
        self.judge = Authenticity()
        self.judge.observer = self._async_observe
        self.keys = keys
        self._hass = hass
        self._entry = entry
        self.store = _store(hass, entry.entry_id)
        self._is_loaded = False
        self._is_save_due = False
        #: When the first counter came that did not rise, since the last one that did.
        self._fallen_at: float | None = None

    async def async_load(self) -> None:
        """Restore what was stored for the same keys."""
        if self._is_loaded:
            return
        content = await self.store.async_load()
        self._is_loaded = True
        if content is not None and content["keys"] == self.keys:
            self.judge.restore(content["authenticity"])

    async def async_save(self) -> None:
        """Store what is known."""
        if self.judge.is_required:
            await self.store.async_save(self._content())

    async def async_accept_fallen(self) -> None:
        """Continue from the present counters, with the user's consent."""
        self.judge.accept_lower_counters()
        self._async_rises()
        await self.async_save()
        if self._entry.state is not ConfigEntryState.LOADED:
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    @callback
    def _async_observe(self, event: Event) -> None:
        match event:
            case Event.FIRST_TAG:
                self._hass.async_create_task(self.async_save(), f"{DOMAIN} authenticity")
            case Event.ACCEPTED:
                if self._fallen_at is not None and not self.judge.has_lower_counters:
                    self._async_rises()
                if not self._is_save_due:
                    self._is_save_due = True
                    self.store.async_delay_save(self._content, _SAVE_DELAY)
            case Event.NOT_RISING:
                now = monotonic()
                if self._fallen_at is None:
                    self._fallen_at = now
                elif now - self._fallen_at >= _PATIENCE:
                    async_raise_issue(self._hass, self._entry, Issue.COUNTER_FELL)

    @callback
    def _async_rises(self) -> None:
        self._fallen_at = None
        async_clear_issue(self._hass, self._entry, Issue.COUNTER_FELL)

    @callback
    def _content(self) -> dict[str, Any]:
        self._is_save_due = False
        return {"keys": self.keys, "authenticity": self.judge.as_json()}


_KEPT: Final[HassKey[dict[str, KeptAuthenticity]]] = HassKey(f"{DOMAIN}_authenticity")


@callback
def async_authenticity(hass: HomeAssistant, entry: ConfigEntry) -> KeptAuthenticity | None:
    """Return what is known of the authenticity of an entry's meter; None without keys for it."""
    settings = from_entry(entry.data)
    if not isinstance(settings, DlmsEntrySettings) or settings.authentication_key is None:
        return None
    # Identifies a pair of keys without containing them.
    both = (settings.encryption_key or b"") + settings.authentication_key
    keys = sha256(both).hexdigest()[:16]
    kept = hass.data.setdefault(_KEPT, {})
    found = kept.get(entry.entry_id)
    if found is None or found.keys != keys:
        found = kept[entry.entry_id] = KeptAuthenticity(hass, entry, keys)
    return found


@callback
def async_judge(hass: HomeAssistant, entry: ConfigEntry) -> Authenticity | None:
    """Return what judges the telegrams of an entry's meter; None without keys for it."""
    kept = async_authenticity(hass, entry)
    return None if kept is None else kept.judge


async def async_forget_authenticity(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was known of the meter of an entry that is gone."""
    found = hass.data.get(_KEPT, {}).pop(entry_id, None)
    # Its own store may still have something to write.
    store = _store(hass, entry_id) if found is None else found.store
    await store.async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    name = f"{DOMAIN}.{entry_id}.authenticity"
    return Store(hass, _VERSION, name, private=True, atomic_writes=True)
