"""Meters that speak only when they are asked: read again and again."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
import logging
from typing import Final, override

from homeassistant.core import CALLBACK_TYPE, CoreState, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util

from ..access.authentication import async_judge
from ..access.clients import make_polled_client
from ..access.discovery_cache import DiscoveryCache
from ..access.error_texts import Failure, as_meter_error, is_about_credentials, slow_readout
from ..access.port_watch import LONGEST_WAIT, SHORTEST_WAIT, async_wait_for_change, longest_wait
from ..meter import Key, MeterError, PolledClient, Reading, Register
from ..meter.errors import (
    FixedSpeedError,
    MeterConnectionError,
    MeterSilentError,
    OtherMeterError,
    PortLostError,
)
from ..meter.redaction import redact
from ..settings import DlmsEntrySettings, Iec62056EntrySettings
from .base import MeterData, OneMeterConfigEntry, OneMeterCoordinator
from .live_registers import LiveRegisters
from .schedule import next_due, poll_interval

_LOGGER = logging.getLogger(__name__)

#: Seconds of pause before the second and the third attempt at a readout. Clients wake up a meter
#: that does not answer a second time by themselves; more would only empty its battery.
_PAUSES: Final = (1, 3)
_PAUSES_ON_BATTERY: Final = ()
#: A readout that waits for nobody takes at most so many attempts, each twice as long as usual and
#: so many seconds more.
_ATTEMPTS: Final = 1 + len(_PAUSES)
_ATTEMPT_MORE: Final = 5
#: Seconds between two attempts, to begin with, at a meter that does not answer as it should.
_SHORTEST_RETRY: Final = 10

#: Seconds that the start of Home Assistant waits for the first readout, ...
FIRST_READOUT: Final = 20
#: ... and all in all where bytes have come by then.
LONGEST_FIRST_READOUT: Final = 60


class PolledCoordinator(OneMeterCoordinator):
    """Follows a meter by asking.

    The meter is read out whenever it is due; in between its live registers may be watched. What a
    second attempt mends is never seen. After the last one the meter is unavailable, and is tried
    more often than it would be due.
    """

    client: PolledClient

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: Iec62056EntrySettings | DlmsEntrySettings,
    ) -> None:
        """Make the client; nothing is opened yet."""
        client = make_polled_client(hass, settings, async_judge(hass, entry))
        super().__init__(hass, entry, settings, client, publish_interval=0)
        #: Time between two readouts.
        self.interval = poll_interval(entry)
        self._pauses = _PAUSES_ON_BATTERY if settings.on_battery else _PAUSES
        self._live = LiveRegisters(hass, entry, settings, self.client)
        self._findings = DiscoveryCache(hass, entry.entry_id, settings, self.client)
        #: Live registers that no readout has told again yet: it may never do so.
        self._watched: Mapping[Key, Register] = {}
        self._attempt_failed: MeterError | None = None
        #: Set as soon as the readout in progress, or else the next one, has ended.
        self._readout_ended = asyncio.Event()
        #: The time until the next readout, unless one is in progress.
        self._rest: asyncio.Timeout | None = None
        self._asked = False

    async def async_read_now(self) -> None:
        """Read the meter; a readout in progress is taken for the one that is asked for.

        Raises UpdateFailed or ConfigEntryAuthFailed with the reason when the meter cannot be read.
        """
        ended = self._readout_ended
        if self._rest is not None:
            self._asked = True
            if not self._rest.expired():
                self._rest.reschedule(self.hass.loop.time())
        await ended.wait()
        if self._failure is not None:
            raise self._failure

    @override
    async def async_request_refresh(self) -> None:
        """Read the meter, as homeassistant.update_entity asks for.

        The base class would read it once more for a second entity.
        """
        with suppress(UpdateFailed, ConfigEntryAuthFailed):
            await self.async_read_now()

    @override
    async def _async_setup(self) -> None:
        await super()._async_setup()
        await self._findings.async_load()

    @override
    async def _async_wait_for_first(self) -> None:
        """Wait as long as it takes; the client itself ends a readout that gets nowhere.

        That may be minutes at 300 baud, and which sensors there are is only known then. The start
        of Home Assistant must not wait for so long: it goes on without the meter, which is tried
        again in the background.
        """
        if self.hass.state is not CoreState.running:
            await asyncio.wait([self._first], timeout=FIRST_READOUT)
            if self.client.counters.received:
                left = LONGEST_FIRST_READOUT - FIRST_READOUT
                await asyncio.wait([self._first], timeout=left)
            if not self._first.done():
                raise self._why_none_yet()
        await self._first

    def _why_none_yet(self) -> Failure:
        if self._attempt_failed is None and self.client.counters.received:
            return slow_readout(self.client.url)
        return self._explain(self._attempt_failed or self._silence())

    @override
    async def _async_follow(self) -> None:
        """Read the meter whenever it is due, for good."""
        wait: float = SHORTEST_WAIT
        try:
            if (taken := self._async_take_handed_over()) is not None:
                await self._async_rest_until_due(taken)
            while True:
                started, expected = dt_util.utcnow(), self._duration
                error = await self._async_read_out()
                if error is not None:
                    if not self._first.done():
                        self._first.set_exception(self._explain(error))
                        return
                    self._async_fail(error)
                self._readout_ended.set()
                self._readout_ended = asyncio.Event()
                if error is None:
                    wait = SHORTEST_WAIT
                    await self._findings.async_keep()
                    await self._async_rest_until_due(started, expected)
                else:
                    wait = await self._async_rest_until_retry(error, wait)
        finally:
            self._first.cancel()
            self._readout_ended.set()

    @callback
    def _async_take_handed_over(self) -> datetime | None:
        """Take what a flow has just read; return when, if that will do instead of a readout."""
        if (handed_over := self._async_handed_over()) is None:
            return None
        reading, taken, duration, findings = handed_over
        self.client.restore(findings)
        self.client.duration = duration
        # Watching begins after a readout.
        if self._live.pause == 0 or self._next_due(taken) < dt_util.utcnow():
            return None
        return taken if self._async_take(reading) else None

    async def _async_read_out(self) -> MeterError | None:
        """Read the meter, and again if need be; return why that was not possible."""
        self._asked = False
        pauses = self._pauses if self._failure is None else ()
        cancel_overdue = self._async_watch_age()
        try:
            error = await self._async_attempt()
            for pause in pauses:
                if error is None or _is_final(error):
                    break
                self._attempt_failed = error
                await asyncio.sleep(pause)
                error = await self._async_attempt()
        finally:
            cancel_overdue()
        return error

    @callback
    def _async_watch_age(self) -> CALLBACK_TYPE:
        """Notice when the last good reading becomes too old to be shown as if it were of now.

        The client ends each attempt in time, but may have to wait for its turn at the line. Returns
        what ends the watch.
        """
        if (duration := self.client.duration) is None:
            # Nobody knows how long this meter takes.
            return lambda: None
        patience = self.interval.total_seconds() + _ATTEMPTS * (2 * duration + _ATTEMPT_MORE)
        overdue = HassJob(self._async_overdue, cancel_on_shutdown=True)
        return async_call_later(self.hass, patience, overdue)

    async def _async_attempt(self) -> MeterError | None:
        """Read the meter once; return why that was not possible."""
        self._other_meter = None
        try:
            reading = await self._async_looked_up(await self.client.read())
            is_own = self._async_take(reading)
        except (MeterError, ConfigEntryNotReady) as err:
            return as_meter_error(err, self.client.url)
        except Exception as err:
            _LOGGER.exception("Unexpected error while reading the %s", self.name)
            return as_meter_error(err, self.client.url)
        return None if is_own else self._about_other_meter()

    @property
    def _duration(self) -> float:
        """Seconds that a readout takes, as far as it is known."""
        return self.client.duration or 0

    def _next_due(self, after: datetime, expected: float = 0) -> datetime:
        """Return when to read next, after a readout that began then and was to take so long."""
        return next_due(after, self.interval, self._duration, expected)

    async def _async_rest_until_due(self, started: datetime, expected: float = 0) -> None:
        """Wait until a meter whose last readout began then is due, or asked for."""
        while not self._asked:
            now = dt_util.utcnow()
            # A clock that was set back makes nobody wait.
            started = min(started, now)
            if (left := (self._next_due(started, expected) - now).total_seconds()) <= 0:
                return
            if pause := self._live.pause:
                await self._async_wait_interruptible(min(left, pause), asyncio.sleep(left))
            elif await self._async_wait_interruptible(
                left, self._live.async_watch(self._async_take_live)
            ):
                return

    async def _async_rest_until_retry(self, error: MeterError, wait: float) -> float:
        """Wait before a meter that could not be read is tried again; return the next wait."""
        if is_about_credentials(error):
            # Meters that are given wrong ones lock themselves; new ones set the entry up anew.
            await self._async_wait_interruptible(None, asyncio.Event().wait())
            return SHORTEST_WAIT
        url = self.client.url
        closed = isinstance(error, MeterConnectionError)
        if closed and not (self.settings.on_battery and isinstance(error, PortLostError)):
            # Trying to open a port disturbs nobody.
            seconds = min(wait, longest_wait(url, error))
        elif self.settings.on_battery:
            now = dt_util.utcnow()
            seconds = (self._next_due(now) - now).total_seconds()
        else:
            seconds = min(max(wait, _SHORTEST_RETRY), self.interval.total_seconds())
        if await self._async_wait_interruptible(
            None, async_wait_for_change(self.hass, url, seconds)
        ):
            return SHORTEST_WAIT
        return min(2 * wait, LONGEST_WAIT)

    async def _async_wait_interruptible[T](
        self, seconds: float | None, meanwhile: Awaitable[T]
    ) -> T | None:
        """Do something meanwhile, for so long at most, and not once a readout is asked for."""
        try:
            async with asyncio.timeout(seconds) as self._rest:
                return await meanwhile
        except TimeoutError:
            return None
        finally:
            self._rest = None

    @callback
    def _async_take_live(self, reading: Reading) -> None:
        self._async_take(reading, partial=True)

    @override
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Put live registers in the place of those that the last readout told."""
        if not partial:
            registers = {**self._watched, **data.registers}
            self._watched = {}
            return replace(data, registers=registers)
        self._watched = data.registers
        earlier = self._newest
        clock = data.clock or (
            # It goes on by itself.
            earlier.clock and earlier.clock + earlier.moment.until(data.moment)
        )
        registers = {**earlier.registers, **data.registers}
        withheld = data.withheld | (earlier.withheld - data.registers.keys())
        return MeterData(earlier.meter, registers, data.moment, clock, withheld)

    @callback
    def _async_overdue(self, _: datetime) -> None:
        """Say that there is nothing to be shown of now."""
        if self._first.done() and self._failure is None:
            self._async_fail(self._silence())

    def _silence(self) -> MeterSilentError:
        port = redact(self.client.url)
        return MeterSilentError(f"nothing has come from {port} for too long", port=port)


def _is_final(error: MeterError) -> bool:
    """Tell whether a second attempt could only end like the first one."""
    return isinstance(error, FixedSpeedError | OtherMeterError) or is_about_credentials(error)
