"""Coordinator for meters that push telegrams."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
import logging
from time import monotonic
from typing import override

from homeassistant.core import CALLBACK_TYPE, CoreState, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..access.port_watch import Backoff, can_be_watched
from ..const import CONF_PUBLISH_INTERVAL, DEFAULT_PUBLISH_INTERVAL
from ..impulses.totals import ImpulseTotals
from ..meter import Identity, MeterError, Protocol, PushedClient, Reading
from ..meter.errors import MeterConnectionError
from ..settings import AnySettings
from ..totals import Moment, Proof
from .base import OneMeterConfigEntry, OneMeterCoordinator
from .meter_data import MeterData
from .pin_lock import PinLock
from .silence import TIMEOUTS, SilenceMonitor
from .status import Status

_LOGGER = logging.getLogger(__name__)

#: Seconds without the entry's own meter after which another one's telegrams are no crosstalk.
FOREIGN_METER_TIMEOUT = 10
#: Seconds for which values stay available while a network port is lost again and again.
_FLAPPING_TIMEOUT = 30


class PushedCoordinator(OneMeterCoordinator):
    """Receives the telegrams of a meter.

    A lost port raises an error at once; silence is detected by a deadline that each telegram moves.
    """

    client: PushedClient
    _proof_without_checksum = Proof.REPETITION

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: AnySettings,
        client: PushedClient,
        totals: ImpulseTotals | None = None,
    ) -> None:
        """Take the client, which is not opened yet."""
        interval = entry.options.get(CONF_PUBLISH_INTERVAL, DEFAULT_PUBLISH_INTERVAL)
        super().__init__(hass, entry, settings, client, publish_interval=interval, totals=totals)
        # Texts may have a time without seconds.
        self._has_time_of_totals = settings.protocol is Protocol.DLMS
        self._timeouts = TIMEOUTS[settings.protocol]
        self._silence = SilenceMonitor(self._timeouts)
        self._backoff = Backoff(hass)
        #: Whether the port was lost and has not been open for long since.
        self._is_flapping = False
        self._cancel_delayed: CALLBACK_TYPE = lambda: None
        self._cancel_expiry: CALLBACK_TYPE = lambda: None
        #: Whether the last id that was sent since the port was opened is that of this meter.
        self._is_identified = False
        self._identity = Identity()
        self._pin_lock = PinLock()
        self._locked: bool | None = None

    @property
    @override
    def status(self) -> Status:
        status = super().status
        return Status.LOCKED if self._locked and status is Status.OK else status

    @override
    async def _async_wait_for_first(self) -> None:
        self._async_take_first_reading()
        is_running = self.hass.state is CoreState.running
        timeout = self._timeouts.first_running if is_running else self._timeouts.first
        try:
            async with asyncio.timeout(timeout):
                await self._first
        except TimeoutError:
            raise self._explain(self._diagnose()) from None

    @callback
    def _async_take_first_reading(self) -> None:
        """Take the reading of the config flow, since the next one may take a while."""
        if first := self._async_first_reading():
            age = dt_util.utcnow() - first.taken
            if age.total_seconds() < self._silence.silence:
                self._async_take(first.reading)
                self._silence.restart(monotonic())

    @override
    async def _async_follow(self) -> None:
        """Receive telegrams until cancelled; reopen the port when it is lost or silent."""
        while True:
            self._backoff.start()
            error = await self._async_receive()
            if not self._first.done():
                self._first.set_exception(self._explain(error))
                return
            if isinstance(error, MeterConnectionError):
                self._async_lose(error)
            else:
                self._async_fail(error)
            await self._backoff.async_wait(self.client.url, error)

    @callback
    def _async_lose(self, error: MeterConnectionError) -> None:
        """Make the meter unavailable, after a delay if a network port is lost again and again."""

        @callback
        def fail(_: datetime) -> None:
            self._async_fail(error)

        # The interval until the next telegram is not that of the meter.
        self._silence.restart(monotonic())
        self._cancel_delayed()
        timeout = min(self._silence.silence, _FLAPPING_TIMEOUT)
        left = self._accepted_at + timeout - monotonic()
        may_be_back_soon = self._is_flapping and not can_be_watched(self.client.url)
        if may_be_back_soon and self._failure is None and left > 0:
            self._async_delay(left, fail)
        else:
            self._async_fail(error)
        self._is_flapping = True

    @callback
    def _async_delay(self, seconds: float, action: Callable[[datetime], None]) -> None:
        """Do this later, instead of what was delayed before."""
        self._cancel_delayed()
        job = HassJob(action, cancel_on_shutdown=True)
        self._cancel_delayed = async_call_later(self.hass, seconds, job)

    async def _async_receive(self) -> Exception:
        """Take readings until the port is lost or the meter is silent; return the reason."""
        self._foreign_meter = None
        self._is_identified = False
        is_first = True
        try:
            async with (
                asyncio.timeout(self._silence.silence) as deadline,
                aclosing(self.client.listen()) as readings,
            ):
                async for reading in readings:
                    if self._async_take(await self._async_looked_up(reading)):
                        if is_first and self._is_flapping:
                            self._async_delay(self._backoff.unsteady_for, self._async_on_steady)
                        is_first = False
                        deadline.reschedule(self.hass.loop.time() + self._silence.silence)
        except TimeoutError:
            return self._diagnose()
        except (MeterError, ConfigEntryNotReady) as err:
            return err
        except Exception as err:
            _LOGGER.exception("Unexpected error while listening to the %s", self.name)
            return err
        return self._diagnose()

    @callback
    def _async_on_steady(self, _: datetime) -> None:
        """Note that the port was not lost again for a while."""
        self._is_flapping = False
        if self._failure is None:
            self._async_recovered()

    @callback
    @override
    def _async_recovered(self) -> None:
        if not self._is_flapping:
            super()._async_recovered()

    @override
    async def async_shutdown(self) -> None:
        self._cancel_delayed()
        self._cancel_expiry()
        await super().async_shutdown()

    @override
    def _is_own(self, meter: Identity) -> bool:
        """Return whether a telegram is one of the entry's own meter.

        DLMS meters send their id in some of their lists only. A list without an id belongs to the
        meter whose id was received last at this port.
        """
        is_own = super()._is_own(meter)
        if self.settings.protocol is not Protocol.DLMS:
            return is_own
        if meter.unique_id is None:
            return is_own or self._is_identified
        self._is_identified = is_own
        if is_own:
            self._identity = meter
        return is_own

    @override
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Add the valid values of earlier telegrams, for meters that send several lists in turn."""
        now = self._accepted_at
        fresh = data.registers
        self._silence.add(fresh, now)
        current = self._silence.current(now)
        if len(current) != len(fresh):
            earlier = self._newest
            valid = ((key, it) for key, it in earlier.registers.items() if key in current)
            registers = {**dict(valid), **fresh}
            withheld = data.withheld | (earlier.withheld - fresh.keys())
            data = replace(data, registers=registers, withheld=withheld)
        self._async_watch_expiry()
        if self.settings.protocol is not Protocol.DLMS:
            self._async_check_pin_lock(data.moment)
        elif data.meter.unique_id is None:
            data = replace(data, meter=self._identity)
        return data

    @callback
    def _async_watch_expiry(self) -> None:
        """Schedule the removal of registers that become invalid before the next telegram."""
        self._cancel_expiry()
        now = monotonic()
        expiry = self._silence.next_expiry(now)
        # When the meter is silent, all become invalid together.
        if expiry < self._accepted_at + self._silence.silence:
            job = HassJob(self._async_expire, cancel_on_shutdown=True)
            self._cancel_expiry = async_call_later(self.hass, expiry - now, job)

    @callback
    def _async_expire(self, _: datetime) -> None:
        """Remove registers that are no longer valid."""
        if self._failure is not None:
            return
        earlier = self._newest.registers
        current = self._silence.current(monotonic())
        registers = {key: register for key, register in earlier.items() if key in current}
        self._newest = replace(self._newest, registers=registers)
        self._async_publish_when_due(monotonic())
        self._async_watch_expiry()

    @callback
    @override
    def _async_on_foreign_meter(self, meter: Identity) -> None:
        super()._async_on_foreign_meter(meter)
        if (
            self._failure is None
            and self._first.done()
            and monotonic() - self._accepted_at > FOREIGN_METER_TIMEOUT
        ):
            self._async_fail(self._diagnose())

    def _diagnose(self) -> MeterError:
        """Return why no reading of this meter has arrived."""
        if self._foreign_meter is not None:
            return self._foreign_meter_error()
        return self.client.diagnose()

    @callback
    def _async_check_pin_lock(self, now: Moment) -> None:
        """Raise a repair while the meter is locked."""
        locked = self._pin_lock.is_locked(self._sent, now)
        if locked is None or locked is self._locked:
            return
        self._locked = locked
        if locked:
            async_raise_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
        else:
            async_clear_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
        self.async_update_listeners()
