"""Coordinator for polled meters."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import batched
import logging
from math import inf
from time import monotonic
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
from ..const import BATTERY_POLL_INTERVAL
from ..meter import Key, LoadProfiles, MeterError, PolledClient, Reading, Register
from ..meter.errors import (
    FixedSpeedError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterSilentError,
    OtherMeterError,
    PortLostError,
)
from ..meter.redaction import redact
from ..settings import DlmsEntrySettings, Iec62056EntrySettings
from .base import OneMeterConfigEntry, OneMeterCoordinator
from .live_registers import LiveRegisters
from .meter_data import MeterData
from .readout_request import ReadoutRequest
from .schedule import next_due, next_due_at_boundaries, poll_interval

_LOGGER = logging.getLogger(__name__)

#: Seconds of pause before the second and the third attempt at a readout. None for battery-powered
#: meters: the client itself wakes them up a second time, and more would only drain the battery.
_PAUSES: Final = (1, 3)
_PAUSES_ON_BATTERY: Final = ()
#: A readout that does not wait for the port takes at most this many attempts, each of them twice
#: its usual time plus these seconds.
_ATTEMPTS: Final = 1 + len(_PAUSES)
_ATTEMPT_MORE: Final = 5
#: Periods of peak power that are corrected in one turn of the event loop.
_PERIODS_AT_ONCE: Final = 20
#: Seconds until the first retry of a meter that does not answer correctly.
_SHORTEST_RETRY: Final = 10

#: Seconds for which the start of Home Assistant waits for the first readout, ...
FIRST_READOUT: Final = 20
#: ... and in total for a battery-powered meter that has answered: it would be woken up again.
LONGEST_FIRST_READOUT: Final = 60


class PolledCoordinator(OneMeterCoordinator):
    """Polls a meter.

    The meter is read once per poll interval; in between its live registers may be read. The meter
    becomes unavailable only after the last attempt at a readout, and is then retried more often.
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
        # A client for DLMS counts readouts, and damaged frames of them.
        self._counts_telegrams = isinstance(settings, Iec62056EntrySettings)
        #: Time between two readouts.
        self.interval = poll_interval(entry)
        self._pauses = _PAUSES_ON_BATTERY if settings.on_battery else _PAUSES
        self._live = LiveRegisters(hass, entry, settings, self.client)
        self._discovery_cache = DiscoveryCache(hass, entry.entry_id, settings, self.client)
        #: Live registers since the last readout; readouts may not contain them.
        self._live_values: Mapping[Key, Register] = {}
        self._request = ReadoutRequest()
        #: When the meter was last woken up, by the monotonic clock.
        self._woken_at = -inf
        self._is_rejected = False

    async def async_read_now(self) -> None:
        """Read the meter; a readout in progress counts as the requested one.

        Raises UpdateFailed or ConfigEntryAuthFailed with the reason if the meter cannot be read.
        """
        await self._request.async_readout()
        if self._failure is not None:
            raise self._failure

    async def async_read_profiles(
        self, start: datetime, end: datetime, zone: tzinfo
    ) -> LoadProfiles:
        """Read the load profiles between two points in time, as the meter counts.

        Readouts and live values have their turns before and after it. Raises MeterError.
        """
        return await self._async_reached(self.client.read_energy_profiles(start, end, zone))

    async def async_read_registers(self, addresses: Sequence[str]) -> Reading:
        """Read these registers once, without publishing them. Raises MeterError.

        Readouts and live values have their turns before and after it.
        """
        reading = await self._async_reached(self.client.read_registers(addresses))
        if reading.meter.unique_id is not None and not self._is_own(reading.meter):
            raise self._foreign_meter_error()
        return reading

    async def async_correct_peaks(self, energies: Mapping[datetime, Decimal]) -> None:
        """Take the energies (kWh) of periods that were missed, by their ends (UTC)."""
        has_new = False
        for part in batched(energies.items(), _PERIODS_AT_ONCE, strict=False):
            has_new |= self.billing.correct_peaks(dict(part), dt_util.utcnow())
            await asyncio.sleep(0)
        if has_new:
            self._async_publish_billing()

    @property
    def rest(self) -> float:
        """Seconds until an action may wake up the meter again; 0 without a battery."""
        if not self.settings.on_battery:
            return 0
        return max(0.0, self._woken_at + BATTERY_POLL_INTERVAL - monotonic())

    @property
    def is_rejected(self) -> bool:
        """Whether the meter has rejected the password or keys of the entry."""
        return (
            self._is_rejected
            or self._live.is_rejected
            or isinstance(self._failure, ConfigEntryAuthFailed)
        )

    async def _async_reached[T](self, reading: Awaitable[T]) -> T:
        """Wait for what an action reads. Raises MeterError."""
        self._woken_at = monotonic()
        try:
            return await reading
        except ConfigEntryNotReady as err:
            raise as_meter_error(err, self.client.url) from err
        except MeterAuthenticationError:
            self._is_rejected = True
            raise
        finally:
            self._woken_at = monotonic()

    @override
    async def async_request_refresh(self) -> None:
        """Read the meter, for homeassistant.update_entity.

        The base class would read it again for a second entity.
        """
        with suppress(UpdateFailed, ConfigEntryAuthFailed):
            await self.async_read_now()

    @override
    async def _async_setup(self) -> None:
        await super()._async_setup()
        await self._discovery_cache.async_load()

    @override
    async def _async_wait_for_first(self) -> None:
        """Wait without a timeout of its own; the client ends a readout that makes no progress.

        At 300 baud a readout may take minutes, and only then are the sensors known. The start of
        Home Assistant must not wait for that, nor for a second attempt; setting up is retried in
        the background.
        """
        if self.hass.state is not CoreState.running:
            await asyncio.wait([self._first], timeout=FIRST_READOUT)
            if self.settings.on_battery and self.client.counters.received:
                left = LONGEST_FIRST_READOUT - FIRST_READOUT
                await asyncio.wait([self._first], timeout=left)
            if not self._first.done():
                raise self._no_reading_yet()
        await self._first

    def _no_reading_yet(self) -> Failure:
        if self.client.counters.received:
            return slow_readout(self.client.url)
        return self._explain(self._silent_error())

    @override
    async def _async_follow(self) -> None:
        """Read the meter whenever it is due, until cancelled."""
        wait: float = SHORTEST_WAIT
        try:
            if (taken := self._async_take_first_reading()) is not None:
                await self._async_wait_until_due(taken)
            while True:
                started, expected = dt_util.utcnow(), self._duration
                error = await self._async_read_out()
                if error is not None:
                    if not self._first.done():
                        self._first.set_exception(self._explain(error))
                        return
                    self._async_fail(error)
                self._request.end_readout()
                if error is None:
                    wait = SHORTEST_WAIT
                    await self._discovery_cache.async_keep()
                    await self._async_wait_until_due(started, expected)
                else:
                    wait = await self._async_wait_before_retry(error, wait)
        finally:
            self._first.cancel()
            self._request.close()

    @callback
    def _async_take_first_reading(self) -> datetime | None:
        """Take the reading of the config flow; return its time if it replaces the first readout."""
        if (first := self._async_first_reading()) is None:
            return None
        reading, taken, duration, findings = first
        self.client.restore(findings)
        self.client.duration = duration
        # Live registers are read only after a readout.
        if self._live.pause == 0 or self._next_due(taken) < dt_util.utcnow():
            return None
        self._woken_at = monotonic()
        return taken if self._async_take(reading) else None

    async def _async_read_out(self) -> MeterError | None:
        """Read the meter, with further attempts if needed; return the error of the last one."""
        self._request.begin_readout()
        is_awaited = not self._first.done() and self.hass.state is not CoreState.running
        pauses = () if self._failure is not None or is_awaited else self._pauses
        cancel_overdue = self._async_watch_age()
        try:
            error = await self._async_attempt()
            for pause in pauses:
                if error is None or _is_final(error):
                    break
                await asyncio.sleep(pause)
                error = await self._async_attempt()
        finally:
            cancel_overdue()
        return error

    @callback
    def _async_watch_age(self) -> CALLBACK_TYPE:
        """Make the meter unavailable if the readout does not end in time.

        The client limits each attempt, but may have to wait for other meters on the line. Returns a
        function that cancels this.
        """
        if (duration := self.client.duration) is None:
            # It is unknown how long a readout takes.
            return lambda: None
        timeout = self.interval.total_seconds() + _ATTEMPTS * (2 * duration + _ATTEMPT_MORE)
        overdue = HassJob(self._async_overdue, cancel_on_shutdown=True)
        return async_call_later(self.hass, timeout, overdue)

    async def _async_attempt(self) -> MeterError | None:
        """Read the meter once; return the error if that failed."""
        self._foreign_meter = None
        self._woken_at = monotonic()
        try:
            reading = await self._async_looked_up(await self.client.read())
            is_own = self._async_take(reading)
        except (MeterError, ConfigEntryNotReady) as err:
            return as_meter_error(err, self.client.url)
        except Exception as err:
            _LOGGER.exception("Unexpected error while reading the %s", self.name)
            return as_meter_error(err, self.client.url)
        return None if is_own else self._foreign_meter_error()

    @property
    @override
    def _duration(self) -> float:
        return self.client.duration or 0

    def _next_due(self, after: datetime, expected: float = 0) -> datetime:
        """Return when the next readout is due; expected is how long the last was to take."""
        due = next_due(after, self.interval, self._duration, expected)
        if (periods := self.billing.options.shortest) is None or self.settings.on_battery:
            return due
        return next_due_at_boundaries(due, after, periods, self._duration)

    async def _async_wait_until_due(self, started: datetime, expected: float = 0) -> None:
        """Wait until the next readout is due or requested; read live registers meanwhile."""
        while not self._request.is_pending:
            now = dt_util.utcnow()
            # A clock that was set back must not prolong the wait.
            started = min(started, now)
            if (left := (self._next_due(started, expected) - now).total_seconds()) <= 0:
                return
            if pause := self._live.pause:
                await self._request.async_wait_interruptible(min(left, pause), asyncio.sleep(left))
            elif await self._request.async_wait_interruptible(
                left, self._live.async_watch(self._async_take_live)
            ):
                return

    async def _async_wait_before_retry(self, error: MeterError, wait: float) -> float:
        """Wait before the next attempt after a failed readout; return the next wait in seconds."""
        if is_about_credentials(error):
            # Meters lock themselves after wrong ones. New ones reload the entry.
            await self._request.async_wait_interruptible(None, asyncio.Event().wait())
            return SHORTEST_WAIT
        url = self.client.url
        closed = isinstance(error, MeterConnectionError)
        if closed and not (self.settings.on_battery and isinstance(error, PortLostError)):
            # Opening the port does not wake up the meter.
            seconds = min(wait, longest_wait(url, error))
        elif self.settings.on_battery:
            now = dt_util.utcnow()
            seconds = (self._next_due(now) - now).total_seconds()
        else:
            seconds = min(max(wait, _SHORTEST_RETRY), self.interval.total_seconds())
        if await self._request.async_wait_interruptible(
            None, async_wait_for_change(self.hass, url, seconds)
        ):
            return SHORTEST_WAIT
        return min(2 * wait, LONGEST_WAIT)

    @callback
    def _async_take_live(self, reading: Reading) -> None:
        self._async_take(reading, partial=True)

    @override
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Merge live registers and the registers of the last readout; the newer ones win."""
        if not partial:
            registers = {**self._live_values, **data.registers}
            self._live_values = {}
            return replace(data, registers=registers)
        self._live_values = data.registers
        earlier = self._newest
        clock = data.clock or (
            # Live registers do not include the clock, but it runs on.
            earlier.clock and earlier.clock + earlier.moment.until(data.moment)
        )
        registers = {**earlier.registers, **data.registers}
        withheld = data.withheld | (earlier.withheld - data.registers.keys())
        return replace(
            data, meter=earlier.meter, registers=registers, clock=clock, withheld=withheld
        )

    @callback
    def _async_overdue(self, _: datetime) -> None:
        """Make the meter unavailable: its last reading is too old."""
        if self._first.done() and self._failure is None:
            self._async_fail(self._silent_error())

    def _silent_error(self) -> MeterSilentError:
        port = redact(self.client.url)
        return MeterSilentError(f"nothing has come from {port} for too long", port=port)


def _is_final(error: MeterError) -> bool:
    """Return whether another attempt would fail in the same way."""
    return isinstance(error, FixedSpeedError | OtherMeterError) or is_about_credentials(error)
