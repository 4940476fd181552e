"""The share of telegrams that arrive undamaged, and a repair if it is low."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from ..access.issues import Issue, async_clear_issue, async_raise_issue, has_issue
from ..meter.client import Counters

#: The time for which the quality is calculated, and between two calculations.
_WINDOW: Final = timedelta(minutes=5)
_INTERVAL: Final = timedelta(seconds=30)
_COUNTS: Final = _WINDOW // _INTERVAL
#: A short disturbance is none that lasts: there is a repair if the share of damaged telegrams (%)
#: is higher than this in each quarter of the last two windows; it ends with the lower one.
_POOR: Final = 10
_GOOD: Final = 5
#: Counts of a quarter.
_PART: Final = _COUNTS // 2
#: Fewer telegrams in a window, or in a quarter, are not judged.
_FEWEST: Final = 5
_FEWEST_IN_PART: Final = 2


class _Count(NamedTuple):
    good: int
    damaged: int

    def share(self, since: _Count, fewest: int = _FEWEST) -> float | None:
        """Return the share of damaged telegrams since another count (%); None for too few."""
        good, damaged = self.good - since.good, self.damaged - since.damaged
        return 100 * damaged / (good + damaged) if good + damaged >= fewest else None


class SignalQuality:
    """Compares the numbers of good and damaged telegrams every half minute."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, counters: Counters) -> None:
        """Take the counters of the client."""
        self._hass = hass
        self._entry = entry
        self._counters = counters
        #: The oldest first.
        self._counts: deque[_Count] = deque(maxlen=2 * _COUNTS + 1)
        self._listener: Callable[[], None] | None = None
        #: Whether there is a repair; None if that is not known.
        self._is_poor: bool | None = None

    @callback
    def async_start(self) -> None:
        """Count until the entry is unloaded."""
        self._counts.append(self._now())
        self._entry.async_on_unload(
            async_track_time_interval(
                self._hass, self._async_count, _INTERVAL, cancel_on_shutdown=True
            )
        )

    @callback
    def async_listen(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call a function after each count; return a function that ends this."""

        @callback
        def stop() -> None:
            self._listener = None

        self._listener = listener
        return stop

    @property
    def percent(self) -> int | None:
        """The share of undamaged telegrams in the last window; None without a telegram."""
        counts = self._counts
        since = counts[-min(_COUNTS + 1, len(counts))]
        good, damaged = counts[-1].good - since.good, counts[-1].damaged - since.damaged
        return round(100 * good / (good + damaged)) if good or damaged else None

    def _now(self) -> _Count:
        return _Count(self._counters.good, self._counters.damaged)

    @callback
    def _async_count(self, _: datetime) -> None:
        self._counts.append(self._now())
        self._async_judge()
        if self._listener is not None:
            self._listener()

    @callback
    def _async_judge(self) -> None:
        """Raise the repair, or end it."""
        counts = self._counts
        if len(counts) <= _COUNTS:
            return
        last = counts[-1].share(counts[-1 - _COUNTS])
        if has_issue(self._hass, self._entry, Issue.UNAVAILABLE) or (
            last is not None and last <= _GOOD
        ):
            if self._is_poor is not False:
                self._is_poor = False
                async_clear_issue(self._hass, self._entry, Issue.POOR_SIGNAL)
            return
        if self._is_poor or len(counts) <= 2 * _COUNTS or last is None:
            return
        parts = (
            counts[first + _PART].share(counts[first], fewest=_FEWEST_IN_PART) or 0
            for first in range(0, 2 * _COUNTS, _PART)
        )
        if min(parts) > _POOR:
            self._is_poor = True
            share = counts[-1].share(counts[0])
            placeholders = {"share": f"{share:.0f}"}
            async_raise_issue(self._hass, self._entry, Issue.POOR_SIGNAL, placeholders)
