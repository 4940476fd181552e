"""Meters that speak without being asked: listened to for good."""

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
from ..meter import Identity, MeterError, Protocol, PushedClient, Reading
from ..meter.errors import MeterConnectionError
from ..settings import AnySettings
from ..totals import Moment, Proof
from .base import MeterData, OneMeterConfigEntry, OneMeterCoordinator
from .pin_lock import PinLock
from .silence import PATIENCE, SilenceMonitor

_LOGGER = logging.getLogger(__name__)

#: Seconds without the entry's own meter after which another one's telegrams are not just crosstalk.
OTHER_METER_PATIENCE = 10
#: Seconds for which the newest values are shown while a peer comes and goes.
_FLAPPING_PATIENCE = 30


class PushedCoordinator(OneMeterCoordinator):
    """Follows a meter by listening.

    A port that is lost tells at once; silence is noticed by a deadline that each telegram moves.
    """

    client: PushedClient
    _proof_without_checksum = Proof.REPETITION

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: AnySettings,
        client: PushedClient,
    ) -> None:
        """Take the client, of which nothing is opened yet."""
        interval = entry.options.get(CONF_PUBLISH_INTERVAL, DEFAULT_PUBLISH_INTERVAL)
        super().__init__(hass, entry, settings, client, interval)
        self._patience = PATIENCE[settings.protocol]
        self._cadence = SilenceMonitor(self._patience)
        self._backoff = Backoff(hass)
        #: Whether the port was lost, and has not been there for long since.
        self._is_flapping = False
        self._cancel_planned: CALLBACK_TYPE = lambda: None
        self._cancel_expiry: CALLBACK_TYPE = lambda: None
        #: Whether it was this meter that has last told its id since the port was opened.
        self._is_named = False
        self._identity = Identity()
        self._pin_lock = PinLock()
        self._locked: bool | None = None

    @override
    async def _async_wait_for_first(self) -> None:
        self._async_take_handed_over()
        is_running = self.hass.state is CoreState.running
        patience = self._patience.first_running if is_running else self._patience.first
        try:
            async with asyncio.timeout(patience):
                await self._first
        except TimeoutError:
            raise self._explain(self._diagnose()) from None

    @callback
    def _async_take_handed_over(self) -> None:
        """Take what a flow has just heard, of a meter that may not speak again for a while."""
        if handed_over := self._async_handed_over():
            age = dt_util.utcnow() - handed_over.taken
            if age.total_seconds() < self._cadence.silence:
                self._async_take(handed_over.reading)
                self._cadence.restart(monotonic())

    @override
    async def _async_follow(self) -> None:
        """Listen for good: open the port again whenever it is lost or silent."""
        while True:
            self._backoff.start()
            error = await self._async_listen()
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
        """Say that the port is lost; a peer in the network that comes and goes gets some time."""

        @callback
        def fail(_: datetime) -> None:
            self._async_fail(error)

        # The gap until then is none that the meter has made.
        self._cadence.restart(monotonic())
        self._cancel_planned()
        patience = min(self._cadence.silence, _FLAPPING_PATIENCE)
        left = self._accepted_at + patience - monotonic()
        is_back_soon = self._is_flapping and not can_be_watched(self.client.url)
        if is_back_soon and self._failure is None and left > 0:
            self._async_plan(left, fail)
        else:
            self._async_fail(error)
        self._is_flapping = True

    @callback
    def _async_plan(self, seconds: float, action: Callable[[datetime], None]) -> None:
        """Do this later, in place of what was planned before."""
        self._cancel_planned()
        job = HassJob(action, cancel_on_shutdown=True)
        self._cancel_planned = async_call_later(self.hass, seconds, job)

    async def _async_listen(self) -> Exception:
        """Take readings until the port is lost or no more come; return why it ended."""
        self._other_meter = None
        self._is_named = False
        is_first = True
        try:
            async with (
                asyncio.timeout(self._cadence.silence) as deadline,
                aclosing(self.client.listen()) as readings,
            ):
                async for reading in readings:
                    if self._async_take(await self._async_looked_up(reading)):
                        if is_first and self._is_flapping:
                            self._async_plan(self._backoff.unsteady_for, self._async_hold)
                        is_first = False
                        deadline.reschedule(self.hass.loop.time() + self._cadence.silence)
        except TimeoutError:
            return self._diagnose()
        except (MeterError, ConfigEntryNotReady) as err:
            return err
        except Exception as err:
            _LOGGER.exception("Unexpected error while listening to the %s", self.name)
            return err
        return self._diagnose()

    @callback
    def _async_hold(self, _: datetime) -> None:
        """Note that the port has not been lost again for a while."""
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
        self._cancel_planned()
        self._cancel_expiry()
        await super().async_shutdown()

    @override
    def _is_own(self, meter: Identity) -> bool:
        """Tell whether a telegram is one of the entry's own meter.

        DLMS meters tell their id in some of their lists only. Wired as they are, a list without one
        is of the meter that has last told its id at this port.
        """
        is_own = super()._is_own(meter)
        if self.settings.protocol is not Protocol.DLMS:
            return is_own
        if meter.unique_id is None:
            return is_own or self._is_named
        self._is_named = is_own
        if is_own:
            self._identity = meter
        return is_own

    @override
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Add what earlier telegrams told not too long ago, for meters that send in turns."""
        now = self._accepted_at
        fresh = data.registers
        self._cadence.add(fresh, now)
        current = self._cadence.current(now)
        if len(current) != len(fresh):
            earlier = self._newest
            registers = {
                key: fresh[key] if key in fresh else earlier.registers[key] for key in current
            }
            withheld = data.withheld | (earlier.withheld - fresh.keys())
            data = replace(data, registers=registers, withheld=withheld)
        self._async_watch_expiry()
        if self.settings.protocol is not Protocol.DLMS:
            self._async_watch_lock(reading, data.moment)
        elif data.meter.unique_id is None:
            data = replace(data, meter=self._identity)
        return data

    @callback
    def _async_watch_expiry(self) -> None:
        """Notice when a register is out of date before another telegram comes."""
        self._cancel_expiry()
        seconds = self._cadence.next_expiry(monotonic())
        # All are out of date together when the meter is silent.
        if seconds < self._cadence.silence:
            job = HassJob(self._async_expire, cancel_on_shutdown=True)
            self._cancel_expiry = async_call_later(self.hass, seconds, job)

    @callback
    def _async_expire(self, _: datetime) -> None:
        """Show no longer what is out of date."""
        if self._failure is not None:
            return
        earlier = self._newest.registers
        current = self._cadence.current(monotonic())
        registers = {key: earlier[key] for key in current if key in earlier}
        self._newest = replace(self._newest, registers=registers)
        self._async_offer(monotonic())
        self._async_watch_expiry()

    @callback
    @override
    def _async_on_foreign_meter(self, other: str) -> None:
        super()._async_on_foreign_meter(other)
        if (
            self._failure is None
            and self._first.done()
            and monotonic() - self._accepted_at > OTHER_METER_PATIENCE
        ):
            self._async_fail(self._diagnose())

    def _diagnose(self) -> MeterError:
        """Say why no reading of this meter has come."""
        return self.client.diagnose() if self._other_meter is None else self._about_other_meter()

    @callback
    def _async_watch_lock(self, reading: Reading, now: Moment) -> None:
        """Ask for the PIN while the meter waits for it."""
        locked = self._pin_lock.is_locked(reading.current(), now)
        if locked is None or locked is self._locked:
            return
        self._locked = locked
        if locked:
            async_raise_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
        else:
            async_clear_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
