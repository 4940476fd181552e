"""What was read of a load profile, kept over restarts: reading goes on where it has broken off."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..meter import Interval, Obis, Register
from ..registers.lookup import is_number
from .reading import ProfileSpan

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
#: Seconds of reading that a crash may lose.
_SAVE_DELAY: Final = 300
#: Parts that are kept; gaps at other times are rare.
_KEPT: Final = 3


class SpanMemory:
    """Keeps the parts of a profile that are being read."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin without anything stored."""
        self._hass = hass
        self._store = _store(hass, entry_id)
        self._spans: dict[datetime, ProfileSpan] = {}
        self._is_save_due = False
        self._is_closed = False

    async def async_load(self) -> None:
        """Restore what was read before."""
        if (data := await self._store.async_load()) is None:
            return
        try:
            spans = [_from_dict(item) for item in data["spans"]]
        except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
            _LOGGER.exception("What was read of a load profile is damaged")
        else:
            self._spans = {span.start: span for span in spans}

    def span(self, start: datetime, end: datetime) -> ProfileSpan:
        """Return the part that begins then, as far as it was read; or a new one."""
        zone = self._hass.config.time_zone
        if start not in self._spans or self._spans[start].zone != zone:
            self._spans[start] = ProfileSpan(start, end, zone=zone)
            while len(self._spans) > _KEPT:
                del self._spans[next(iter(self._spans))]
        return self._spans[start]

    @callback
    def async_save_soon(self) -> None:
        """Write what was read so far, in some minutes."""
        if not (self._is_save_due or self._is_closed):
            self._is_save_due = True
            self._store.async_delay_save(self._data, _SAVE_DELAY)

    async def async_close(self) -> None:
        """Write what is not written yet; nothing is written after that."""
        self._is_closed = True
        if self._is_save_due:
            await self._store.async_save(await asyncio.to_thread(self._data))

    async def async_forget(self, span: ProfileSpan) -> None:
        """Remove a part from which all gaps were filled."""
        if self._spans.pop(span.start, None) is not None and not self._spans:
            await self.async_forget_all()

    async def async_forget_all(self) -> None:
        """Remove everything: no gap is left."""
        self._spans, self._is_save_due = {}, False
        await self._store.async_remove()

    def _data(self) -> dict[str, Any]:
        self._is_save_due = False
        return {"spans": [_as_dict(span) for span in list(self._spans.values())]}


async def async_forget_span(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was read for an entry that is gone."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    # Thousands of intervals would hold up the event loop.
    return Store(
        hass,
        _VERSION,
        f"{DOMAIN}.profile.{entry_id}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )


def _as_dict(span: ProfileSpan) -> dict[str, Any]:
    return {
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
        "read_from": span.read_from and span.read_from.isoformat(),
        "zone": span.zone,
        "doubtful": [[time.isoformat() for time in part] for part in list(span.doubtful)],
        "missing": [
            [start.isoformat(), end.isoformat(), sorted(channels)]
            for (start, end), channels in list(span.missing.items())
        ],
        # Not in the event loop's thread.
        "intervals": [_interval_as_list(interval) for interval in list(span.intervals)],
    }


def _from_dict(data: Mapping[str, Any]) -> ProfileSpan:
    return ProfileSpan(
        datetime.fromisoformat(data["start"]),
        datetime.fromisoformat(data["end"]),
        [_interval_from_list(item) for item in data["intervals"]],
        data["read_from"] and datetime.fromisoformat(data["read_from"]),
        data.get("zone", ""),
        [
            (datetime.fromisoformat(start), datetime.fromisoformat(end))
            for start, end in data.get("doubtful", [])
        ],
        missing={
            (datetime.fromisoformat(start), datetime.fromisoformat(end)): frozenset(channels)
            for start, end, channels in data.get("missing", [])
        },
    )


def _interval_as_list(interval: Interval) -> list[Any]:
    return [
        interval.start.isoformat(),
        interval.end.isoformat(),
        interval.season,
        interval.end_utc and interval.end_utc.isoformat(),
        interval.status,
        # Only numbers of known registers are used.
        [
            [str(register.obis), str(register.value), register.unit]
            if register.obis is not None and is_number(register.value)
            else None
            for register in interval.values
        ],
    ]


def _interval_from_list(data: list[Any]) -> Interval:
    start, end, season, end_utc, status, values = data
    return Interval(
        datetime.fromisoformat(start),
        datetime.fromisoformat(end),
        season,
        end_utc and datetime.fromisoformat(end_utc),
        status,
        tuple(
            Register(None, None, None)
            if value is None
            else Register(Obis.parse(value[0]), Decimal(value[1]), value[2])
            for value in values
        ),
    )
