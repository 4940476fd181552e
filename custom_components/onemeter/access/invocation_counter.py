"""The invocation counters of clients of encrypted meters, in Home Assistant's storage.

A number that is used twice with one key and one system title gives the key away. So numbers are
written down as used before anybody gets them, and outlive crashes, reloads and flows. But what is
written down may be lost, or come back as it was in an old backup. Therefore the client has another
system title in each run of Home Assistant, unless the user has given one.
"""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from time import time
from typing import Final, TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_VERSION: Final = 1
_LARGEST: Final = 0xFFFF_FFFF
#: How the system titles of this client begin, which are like those of meters: ONM and a number.
_MANUFACTURER: Final = b"ONM"
_RANDOM_BYTES: Final = 5
#: Stands for all of them: a number that one of them has used is not used again with the next one,
#: since meters may go by the number alone.
_OWN: Final = ""
#: Numbers that are skipped with a title that the user has given: at each start of Home Assistant,
#: and for each second since the stored marks were written. A restored backup holds old marks, and
#: these numbers may have been used since. Polling once per second uses fewer.
_PER_START: Final = 1 << 16
_PER_SECOND: Final = 16

#: The first number that is not used yet, by system title and fingerprint of the key.
type _Marks = dict[str, dict[str, int]]


class _Content(TypedDict, total=False):
    marks: _Marks
    #: Seconds since 1970 (UTC).
    written: float


@dataclass
class _Run:
    """What is known in this run of Home Assistant, whatever becomes of the storage."""

    title: bytes = field(default_factory=lambda: _MANUFACTURER + token_bytes(_RANDOM_BYTES))
    marks: _Marks = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


_RUN: Final[HassKey[_Run]] = HassKey(f"{DOMAIN}_invocation_counters")


@callback
def client_title(hass: HomeAssistant, kept: bytes | None) -> bytes:
    """Return the system title of the client whose entry keeps this one, or none."""
    return given_title(kept) or _run(hass).title


def is_own_title(title: bytes) -> bool:
    """Return whether a system title is one that was made up here."""
    return title.startswith(_MANUFACTURER)


def given_title(kept: bytes | None) -> bytes | None:
    """Return the system title that an entry keeps, if the user has given it."""
    # Entries of earlier versions keep a title that was made up for them.
    return None if kept is None or is_own_title(kept) else kept


class StoredCounter:
    """Gives out the numbers of one system title and one encryption key."""

    def __init__(self, hass: HomeAssistant, key: bytes, kept_title: bytes | None) -> None:
        """Take the encryption key, and the system title that the entry keeps, if it does."""
        self._hass = hass
        given = given_title(kept_title)
        self._is_given = given is not None
        self._title = _OWN if given is None else given.hex()
        # The key itself is kept in the entry and nowhere else.
        self._key = sha256(key).hexdigest()[:16]

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Reserve a number of counters and return the first of them.

        Raises OverflowError when there are none left, LookupError when it is not known which were
        used, OSError when they cannot be written down.
        """
        async with _run(self._hass).lock:
            content = await self._async_load()
            first = self._first(content)
            if first is None and self._is_given and not at_least:
                raise LookupError("it is not known which numbers were used")
            first = max(first or 0, at_least)
            if first + count > _LARGEST:
                raise OverflowError("no invocation counters are left for this key")
            await self._async_save(content, first + count)
        return first

    async def async_begin(self, start: int) -> None:
        """Use no number below this one from the user. Raises OSError like reserve()."""
        async with _run(self._hass).lock:
            content = await self._async_load()
            await self._async_save(content, max(self._first(content) or 0, start))

    async def async_forget(self) -> None:
        """Remove what is stored; what was used in this run stays known."""
        async with _run(self._hass).lock:
            content = await self._async_load()
            if content["marks"].get(self._title, {}).pop(self._key, None) is not None:
                await _store(self._hass).async_save(content)

    async def _async_load(self) -> _Content:
        content = await _store(self._hass).async_load() or {}
        return {"marks": content.get("marks", {}), "written": content.get("written", 0.0)}

    def _first(self, content: _Content) -> int | None:
        """Return the first number that was certainly not used; None where that is not known."""
        used = _run(self._hass).marks.get(self._title, {}).get(self._key)
        stored = content["marks"].get(self._title, {}).get(self._key)
        if used is not None:
            return max(used, stored or 0)
        if stored is None or not self._is_given:
            return stored
        elapsed = max(time() - content["written"], 0)
        return stored + _PER_START + int(elapsed * _PER_SECOND)

    async def _async_save(self, content: _Content, mark: int) -> None:
        for marks in (_run(self._hass).marks, content["marks"]):
            marks.setdefault(self._title, {})[self._key] = mark
        content["written"] = time()
        await _store(self._hass).async_save(content)
        # Neither a full disk nor a Home Assistant that stops lets saving fail.
        if await _store(self._hass).async_load() != content:
            raise OSError("the invocation counter cannot be stored")


def _run(hass: HomeAssistant) -> _Run:
    return hass.data.setdefault(_RUN, _Run())


def _store(hass: HomeAssistant) -> Store[_Content]:
    """Return the store anew, so that what is loaded is what was written."""
    return Store(hass, _VERSION, f"{DOMAIN}.invocation_counters", private=True, atomic_writes=True)
