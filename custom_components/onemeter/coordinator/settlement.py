"""The timer that settles what is billed shortly before a period ends."""

from collections.abc import Callable
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util


class SettlementTimer:
    """Calls a function once at the time that was planned last."""

    def __init__(self, hass: HomeAssistant, settle: Callable[[datetime], None]) -> None:
        """Take the function, which gets the present time (UTC)."""
        self._hass = hass
        self._settle = settle
        self._planned: datetime | None = None
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def async_plan(self, due: datetime | None) -> None:
        """Call the function then; never for a time in the past, when a telegram settles."""
        if due == self._planned:
            return
        self.async_cancel()
        self._planned = due
        if due is not None and due > dt_util.utcnow():
            job = HassJob(self._async_due, cancel_on_shutdown=True)
            self._cancel = async_track_point_in_utc_time(self._hass, job, due)

    @callback
    def async_cancel(self) -> None:
        """Call the function no more."""
        if self._cancel is not None:
            self._cancel()
        self._cancel = self._planned = None

    @callback
    def _async_due(self, now: datetime) -> None:
        self._cancel = None
        self._settle(now)
