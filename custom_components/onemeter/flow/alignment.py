"""Counting telegrams while the user aligns the optical head."""

import asyncio
from collections import deque
from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.helpers.selector import BooleanSelector

from ..meter.client import Counters
from .load_profile import Fields
from .progress import State

#: The field for aligning the head, which is no option.
CONF_ALIGN: Final = "align_head"
#: Seconds from one count to the next.
_COUNT_SECONDS: Final = 1
#: Counts of the window whose telegrams are shown, and those after which counting ends.
_WINDOW: Final = 10
_LONGEST: Final = 180


class Alignment:
    """Counts the good and damaged telegrams of the last seconds."""

    def __init__(self, entry: ConfigEntry[Any]) -> None:
        """Take the entry, which may be set up again meanwhile."""
        self._entry = entry
        self._counters: Counters | None = None
        self._counts: deque[tuple[int, int]] = deque(maxlen=_WINDOW + 1)
        self._count()

    async def async_count(self) -> None:
        """Count every second, until the time is over."""
        for _ in range(_LONGEST):
            await asyncio.sleep(_COUNT_SECONDS)
            self._count()

    def state(self) -> State:
        """Return what the dialog shows."""
        (good, damaged), (good_before, damaged_before) = self._counts[-1], self._counts[0]
        return State(
            "align",
            {
                "seconds": str(_WINDOW * _COUNT_SECONDS),
                "good": str(good - good_before),
                "damaged": str(damaged - damaged_before),
            },
        )

    def _count(self) -> None:
        is_loaded = self._entry.state is ConfigEntryState.LOADED
        counters: Counters = self._entry.runtime_data.client.counters if is_loaded else Counters()
        if counters is not self._counters:
            # Those of another client begin anew.
            self._counters = counters
            self._counts.clear()
        self._counts.append((counters.good, counters.damaged))


def align_field() -> Fields:
    """Return the field for aligning the head."""
    return {probatio.Required(CONF_ALIGN, default=False): BooleanSelector()}
