"""When data are published: once per publish interval, and only after totals are stored."""

import asyncio
from collections import deque
from datetime import datetime
import logging
from time import monotonic
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from ..access.error_texts import Failure
from ..const import DOMAIN
from ..impulses.totals import ImpulseTotals
from ..totals import Totals
from .meter_data import MeterData

_LOGGER = logging.getLogger(__name__)

#: Seconds after which storing is tried again if it has failed.
_STORE_AGAIN = 10
#: Data are published too early by up to this share of the publish interval, and at once.
_TOLERANCE = 0.2
#: Entities that are updated without a pause for other tasks: a meter may have hundreds.
_ENTITIES_AT_ONCE = 16


class PublishingCoordinator(DataUpdateCoordinator[MeterData]):
    """Publishes the newest data of a meter.

    Polling by the base class is not used, so it may be disabled for an entry.
    """

    config_entry: ConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        name: str,
        totals: Totals | ImpulseTotals,
        publish_interval: float,
    ) -> None:
        """Take the totals to be stored before publication, and the publish interval in seconds."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=name, always_update=False)
        self.totals = totals
        self._publish_interval = publish_interval
        self._newest: MeterData
        #: Why the meter is unavailable; nothing is published meanwhile.
        self._failure: Failure | None = None
        #: The newest line in the log reports a failure.
        self._is_failure_logged = False
        #: When the next data are to be published, and when the newest ones arrived (monotonic, s).
        self._due_at = self._arrived_at = monotonic()
        self._cancel_publishing: CALLBACK_TYPE | None = None
        #: Whether the totals could be stored the last time.
        self._is_stored = True
        #: Data are due for publication, but the totals are not stored yet.
        self._is_due = False
        self._storing: asyncio.Task[None] | None = None
        #: The listeners that do not have the newest data yet, and the task that updates them.
        self._outdated: deque[int] = deque()
        self._updating: asyncio.Task[None] | None = None

    @property
    def newest(self) -> MeterData:
        """The data of the newest reading, whether or not they are published yet."""
        return self._newest

    @override
    async def async_shutdown(self) -> None:
        await super().async_shutdown()
        self._async_cancel_publishing()

    def _to_publish(self, data: MeterData) -> MeterData:
        """Return the data as they are to be published."""
        return data

    def _while_not_stored(self, data: MeterData) -> MeterData:  # noqa: ARG002  overridden
        """Return what may be published of data whose totals could not be stored."""
        return self.data

    @callback
    def _async_publish_when_due(self, now: float) -> None:
        """Publish the newest data, which have arrived now, at once if the interval is over.

        Of the telegrams around that time the nearest one is published, and the next interval begins
        with it: the times of publication follow the meter's clock. Data that come too early are
        published if nothing follows in time.
        """
        apart = now - self._arrived_at
        tolerance = min(_TOLERANCE * self._publish_interval, apart / 2)
        self._arrived_at = now
        if (left := self._due_at - now) <= tolerance:
            self._due_at = now + self._publish_interval
            self._async_publish()
        else:
            until_next = apart if apart < self._publish_interval else 0
            self._async_publish_later(max(left, until_next) + tolerance)

    @callback
    def _async_publish_later(self, seconds: float) -> None:
        if self._cancel_publishing is None:
            self._cancel_publishing = async_call_later(
                self.hass, seconds, HassJob(self._async_on_due, cancel_on_shutdown=True)
            )

    @callback
    def _async_on_due(self, _: datetime) -> None:
        """Publish data that came too early."""
        interval = self._publish_interval
        # What comes an interval after these data is not to wait as well.
        self._due_at = max(self._arrived_at, self._due_at - _TOLERANCE * interval) + interval
        self._async_publish()

    @callback
    def _async_publish(self) -> None:
        """Publish the newest data, after the totals are stored if they must be."""
        self._async_cancel_publishing()
        if not self.totals.must_be_stored:
            self._async_update_entities(self._newest)
            return
        self._is_due = True
        if self._storing is None or self._storing.done():
            self._storing = self.config_entry.async_create_background_task(
                self.hass,
                self._async_store_and_publish(),
                f"{DOMAIN} storing",
                eager_start=False,
            )

    async def _async_store_and_publish(self) -> None:
        while self._is_due:
            self._is_due = False
            data = self._newest
            is_stored = await self.totals.async_store()
            if is_stored is not self._is_stored:
                self._is_stored = is_stored
                self.async_update_listeners()
            if self._failure is not None or self._shutdown_requested:
                continue
            self._async_update_entities(data if is_stored else self._while_not_stored(data))
            if not is_stored:
                self._async_publish_later(_STORE_AGAIN)

    @callback
    def _async_update_entities(self, data: MeterData) -> None:
        data = self._to_publish(data)
        if data == self.data and self.last_update_success:
            self.data = data
            # The next change need not wait.
            self._due_at = monotonic()
            return
        self.async_set_updated_data(data)

    @callback
    def _async_publish_failure(self, failure: Failure) -> None:
        """Make the entities unavailable, and log the first failure since the last recovery."""
        self._async_cancel_publishing()
        is_known = (
            self._failure is not None and self._failure.translation_key == failure.translation_key
        )
        self._failure = failure
        if not self._is_failure_logged:
            self._is_failure_logged = True
            self.async_set_update_error(failure)
        self.last_exception = failure
        self.last_update_success = False
        if not is_known:
            self.async_update_listeners()

    @callback
    def _async_recovered(self) -> None:
        """Log that the meter can be read again."""
        self._is_failure_logged = False
        _LOGGER.info("The %s can be read again", self.name)

    @callback
    def _async_cancel_publishing(self) -> None:
        if self._cancel_publishing is not None:
            self._cancel_publishing()
            self._cancel_publishing = None

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the entities, with pauses for other tasks."""
        self._outdated = deque(self._listeners)
        if self._updating is not None and not self._updating.done():
            return
        self._async_update_some()
        if self._outdated:
            self._updating = self.config_entry.async_create_task(
                self.hass, self._async_update_others(), f"{DOMAIN} updating", eager_start=False
            )

    async def _async_update_others(self) -> None:
        while self._outdated:
            self._async_update_some()
            await asyncio.sleep(0)

    @callback
    def _async_update_some(self) -> None:
        for _ in range(_ENTITIES_AT_ONCE):
            # A listener may update all of them again.
            if not self._outdated:
                return
            listener = self._listeners.get(self._outdated.popleft())
            if listener is None:
                continue
            try:
                listener[0]()
            except Exception:
                _LOGGER.exception("Unexpected error while updating the %s", self.name)
