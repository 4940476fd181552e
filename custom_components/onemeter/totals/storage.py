"""The file in which the totals of an entry are kept over restarts."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
import logging
from typing import Any, Protocol, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..const import DOMAIN
from .total import Step

_LOGGER = logging.getLogger(__name__)

_VERSION = 1
_MINOR_VERSION = 2
#: Seconds for which changes may stay unsaved. After a crash the guard only lacks the last values;
#: what cannot be recovered is saved before it is published.
_SAVE_DELAY = 300
#: The key of what the companion keeps.
_COMPANION = "billing"

type Content = Mapping[str, Any]


class Companion(Protocol):
    """What is calculated from totals, and therefore kept in the same file."""

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage."""

    def restore(self, data: Mapping[str, Any], /) -> None:
        """Restore what as_dict has returned."""

    def add_steps(self, steps: Iterable[Step], /) -> None:
        """Take note of changes of totals that are no consumption."""


class TotalsStorage:
    """Saves the totals of an entry, and verifies that the file was written."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, content: Callable[[], dict[str, Any]]
    ) -> None:
        """Take the function that returns the content to be saved."""
        self._hass = hass
        self._entry = entry
        self._content = content
        self.companion: Companion | None = None
        self._store = _store(hass, entry.entry_id)
        self._writing = asyncio.Lock()
        self._is_save_planned = False

    async def async_restore(self, restore: Callable[[Content], None]) -> None:
        """Pass the stored content to a function, if there is any; log damaged content."""
        with self._log_damage():
            # The store migrates the content of earlier versions.
            if (content := await self._store.async_load()) is None:
                return
            with self._log_damage():
                restore(content)
            if self.companion is not None and (data := content.get(_COMPANION)) is not None:
                self.companion.restore(data)

    @contextmanager
    def _log_damage(self) -> Generator[None]:
        try:
            yield
        except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
            _LOGGER.exception("The stored totals of %s are damaged", self._entry.title)

    async def async_save(self) -> bool:
        """Save the content now; return whether it was written.

        Home Assistant only logs failures to write, and writes later while it stops. Therefore the
        file is read again.
        """
        async with self._writing:
            content = self._take_content()
            await self._store.async_save(content)
            is_written = await self._async_is_written(content)
        if is_written:
            async_clear_issue(self._hass, self._entry, Issue.NOT_WRITTEN)
        elif self._hass.state is not CoreState.stopping:
            async_raise_issue(self._hass, self._entry, Issue.NOT_WRITTEN)
        return is_written

    async def _async_is_written(self, content: Content) -> bool:
        try:
            return await _store(self._hass, self._entry.entry_id).async_load() == content
        except HomeAssistantError:
            return False

    @callback
    def async_save_soon(self) -> None:
        """Save the content within some minutes, and when Home Assistant stops."""
        # Every call would postpone a delayed save.
        if not self._is_save_planned:
            self._is_save_planned = True
            self._store.async_delay_save(self._take_content, _SAVE_DELAY)

    async def async_save_planned(self) -> None:
        """Save the content now if a save is planned."""
        if self._is_save_planned:
            await self.async_save()

    def _take_content(self) -> dict[str, Any]:
        self._is_save_planned = False
        content = self._content()
        if self.companion is not None:
            content[_COMPANION] = self.companion.as_dict()
        return content

    @callback
    def async_add_steps(self, steps: Iterable[Step]) -> None:
        """Report changes of totals that are no consumption."""
        if self.companion is not None:
            self.companion.add_steps(steps)


async def async_start_over(hass: HomeAssistant, entry_id: str) -> None:
    """Accept the next value of each total, whatever it is, since the meter was replaced.

    Only for an entry that is not loaded.
    """
    store = _store(hass, entry_id)
    if (content := await store.async_load()) is not None:
        for state in content["guard"]["marks"].values():
            state["start_over"] = True
        await store.async_save(content)


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the file of an entry that was removed."""
    await _store(hass, entry_id).async_remove()


class _Store(Store[dict[str, Any]]):
    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: dict[str, Any]
    ) -> dict[str, Any]:
        """Migrate the states of totals from minor version 1."""
        guard = old_data["guard"]
        multiplier = guard.pop("multiplier")
        for state in guard["marks"].values():
            state |= {
                "seen": state["time"],
                "measured": None,
                "multiplier": multiplier,
                "most_per_hour": None,
                "is_approximate": False,
                "step": state["step"] and [*state["step"], state["time"]],
            }
        return old_data


def _store(hass: HomeAssistant, entry_id: str) -> _Store:
    key = f"{DOMAIN}.{entry_id}"
    return _Store(hass, _VERSION, key, minor_version=_MINOR_VERSION, atomic_writes=True)
