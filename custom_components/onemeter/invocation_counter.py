"""The invocation counters of clients of encrypted meters, in Home Assistant's storage.

A number that is used twice with one key and one system title gives the key away. So they are
written down as used before anybody gets them, and outlive crashes, reloads and flows.
"""

import asyncio
from hashlib import sha256
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_VERSION: Final = 1
_LARGEST: Final = 0xFFFF_FFFF
#: Held while numbers are reserved, by whichever counter.
_LOCK: Final[HassKey[asyncio.Lock]] = HassKey(f"{DOMAIN}_invocation_counters")

#: The first number that is not used yet, by system title and fingerprint of the key.
type _Marks = dict[str, dict[str, int]]


class StoredCounter:
    """Gives out the numbers of one system title and one encryption key."""

    def __init__(self, hass: HomeAssistant, system_title: str, encryption_key: str) -> None:
        """Take what the numbers are used with, in hexadecimal digits."""
        self._hass = hass
        self._title = system_title
        # The key itself is kept in the entry and nowhere else.
        self._key = sha256(bytes.fromhex(encryption_key)).hexdigest()[:16]

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Set so many numbers apart and return the first of them.

        Raises OverflowError when there are none left, OSError when they cannot be written down.
        """
        async with _lock(self._hass):
            marks = await _store(self._hass).async_load() or {}
            of_title = marks.setdefault(self._title, {})
            first = max(of_title.get(self._key, 0), at_least)
            if first + count > _LARGEST:
                raise OverflowError("no invocation counters are left for this key")
            of_title[self._key] = first + count
            await _store(self._hass).async_save(marks)
            # Neither a full disk nor a Home Assistant that stops lets saving fail.
            if await _store(self._hass).async_load() != marks:
                raise OSError("the invocation counter cannot be stored")
        return first


async def async_forget_counters(hass: HomeAssistant, system_title: str) -> None:
    """Remove the marks of a system title that is never used again."""
    async with _lock(hass):
        store = _store(hass)
        marks = await store.async_load() or {}
        if marks.pop(system_title, None) is not None:
            await store.async_save(marks)


def _lock(hass: HomeAssistant) -> asyncio.Lock:
    return hass.data.setdefault(_LOCK, asyncio.Lock())


def _store(hass: HomeAssistant) -> Store[_Marks]:
    """Return the store anew, so that what is loaded is what was written."""
    return Store(hass, _VERSION, f"{DOMAIN}.invocation_counters", private=True, atomic_writes=True)
