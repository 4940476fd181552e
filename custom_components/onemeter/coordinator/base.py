"""Base of the coordinators: takes a meter's readings, and reports when they fail to arrive."""

from abc import abstractmethod
import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util

from ..access.authentication import async_authenticity
from ..access.clients import expected_meter, is_meter_of
from ..access.error_texts import Failure, as_meter_error, update_failed
from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..access.moved_port import async_look_for_moved_port
from ..billing.billing import Billing, BillingOptions
from ..const import DOMAIN
from ..events.events import MeterEvents
from ..impulses.cross_check import ImpulseCrossCheck
from ..impulses.totals import ImpulseTotals
from ..meter import CurrentRegisters, Identity, Key, PolledClient, PushedClient, Reading, Register
from ..meter.errors import MeterConnectionError, OtherMeterError
from ..meter.redaction import redact
from ..registers.known_codes import KnownCodes
from ..registers.lookup import with_implied_unit
from ..settings import AnySettings, second_source
from ..totals import Moment, Proof, Totals
from .clock_watch import ClockWatch
from .first_reading import FirstReading, async_take_first_reading
from .look_ups import CODES_AT_ONCE, async_look_up
from .meter_data import MeterData, powers_apart
from .publication import PublishingCoordinator
from .settlement import SettlementTimer
from .signal_quality import SignalQuality
from .status import Status, async_status_watch, status_of
from .tasks import CHECK_INTERVAL, async_end, is_removal_pending

#: Newest readings that are kept for diagnostics.
_READINGS_KEPT = 5

type OneMeterConfigEntry = ConfigEntry[OneMeterCoordinator]


class OneMeterCoordinator(PublishingCoordinator):
    """Reads one meter, reopens its port when that is lost, and publishes plausible data.

    Subclasses read the meter by polling or by waiting for telegrams. The meter is available as long
    as its last good reading is recent, whether or not that was published.
    """

    config_entry: OneMeterConfigEntry
    #: What proves that a telegram without checksum is undamaged.
    _proof_without_checksum = Proof.NOTHING
    #: Whether the time in a telegram is that of its totals, to the second.
    _has_time_of_totals = False
    #: Whether the client counts good and damaged telegrams of the same kind.
    _counts_telegrams = True

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: AnySettings,
        client: PushedClient | PolledClient,
        *,
        publish_interval: float,
        totals: ImpulseTotals | None = None,
    ) -> None:
        """Take the client, which is not opened yet, and the publish interval in seconds."""
        name = f"meter at {redact(client.url)}"
        super().__init__(hass, entry, name, totals or Totals(hass, entry), publish_interval)
        self.settings = settings
        self.client = client
        options = BillingOptions.of(entry.options, dt_util.get_default_time_zone())
        self.billing = Billing(options)
        self._settlement = SettlementTimer(hass, self._async_settle)
        self.totals.keep(self.billing)
        self._codes = KnownCodes(hass, entry)
        self._current = CurrentRegisters()
        #: The current values of the newest reading, as sent.
        self._sent: Mapping[Key, Register] = {}
        #: Whether the meter authenticates its telegrams; None without an authentication key.
        self.authenticity = async_authenticity(hass, entry)
        self.events = MeterEvents(hass, entry)
        #: The newest readings, for diagnostics, and when the last of them was received.
        self.readings: deque[Reading] = deque(maxlen=_READINGS_KEPT)
        self.reading_received: datetime | None = None
        #: The translation key of the error because of which the meter is unavailable.
        self.translation_key: str | None = None
        #: Why the meter is unavailable, if it is.
        self._reason = Status.OK
        self._status_watch = async_status_watch(hass, entry, redact(client.url))
        self._clock_watch = ClockWatch(hass, entry)
        self.signal_quality = SignalQuality(hass, entry, client.counters)

        self._expected = expected_meter(entry)
        #: The identity in the newest reading of the entry's own meter.
        self._own: Identity | None = None
        #: Called with the data of each reading, before what still holds of earlier ones is added.
        self.on_reading: Callable[[MeterData], None] | None = None

        self.cross_check: ImpulseCrossCheck | None = None
        if (source := second_source(entry.options)) is not None:
            self.cross_check = ImpulseCrossCheck(hass, entry, source, self._async_on_impulse_power)

        #: The tasks that end with the entry.
        self._tasks: list[asyncio.Task[None]] = []
        self._first: asyncio.Future[None] = hass.loop.create_future()
        self._accepted_at = monotonic()
        self._apart: frozenset[Key] = frozenset()
        self._read_at: Mapping[Key, Moment] = {}
        #: Another meter whose readings have arrived.
        self._foreign_meter: Identity | None = None

    @property
    def status(self) -> Status:
        """Whether the meter is read, and otherwise why not."""
        if self._failure is not None:
            return self._reason
        return Status.OK if self._is_stored else Status.NOT_SAVED

    @property
    def _duration(self) -> float:
        """Seconds that a readout takes; 0 if unknown."""
        return 0

    @override
    async def _async_setup(self) -> None:
        """Restore what was stored."""
        await self.totals.async_load()
        await self.events.async_load()
        if self.authenticity is not None:
            await self.authenticity.async_load()

    @override
    async def _async_update_data(self) -> MeterData:
        """Return the newest data; the first time, start reading and wait for the first data."""
        if not self._first.done():
            await self._async_start()
        if self._failure is not None:
            raise self._failure
        data = self._newest
        if not await self.totals.async_store():
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="not_written")
        return self._to_publish(data)

    @override
    async def async_shutdown(self) -> None:
        """Stop reading and publishing, and save what must be kept."""
        await super().async_shutdown()
        self._settlement.async_cancel()
        self._status_watch.async_end()
        await self._async_end_tasks()
        await self.totals.async_close()
        if self.authenticity is not None:
            await self.authenticity.async_save()

    async def async_accept_totals(self) -> bool:
        """Continue from the totals that have jumped, with the user's consent.

        Returns False, without any change, while the meter cannot be read.
        """
        if self._failure is not None or not isinstance(self.totals, Totals):
            return False
        registers = dict(self._newest.registers)
        self.totals.async_accept(registers)
        self._newest = replace(self._newest, registers=registers, withheld=frozenset())
        self._async_publish()
        return True

    async def _async_start(self) -> None:
        """Start reading and wait for the first reading; raise the reason if there is none."""
        self._async_begin(self._async_follow(), "following")
        watching = self._async_begin(self._async_watch_for_removal(), "setting up")
        try:
            await self._async_wait_for_first()
        except UpdateFailed, ConfigEntryAuthFailed:
            if self._reason is not Status.OK:
                self._status_watch.async_take(self._reason)
            # The next attempt to set the entry up must find the port closed.
            await self._async_end_tasks()
            raise
        finally:
            watching.cancel()
        if self._counts_telegrams:
            self.signal_quality.async_start()
        if self.cross_check is not None:
            self._async_begin(self.cross_check.async_follow(), "impulses")

    @callback
    def _async_begin(self, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that ends with the entry.

        It is no task of the entry: Home Assistant waits ten seconds for one that does not end.
        """
        task = self.hass.async_create_background_task(job, f"{DOMAIN} {name}")
        self._tasks.append(task)
        return task

    async def _async_end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        await async_end(tasks)

    async def _async_watch_for_removal(self) -> None:
        """Stop waiting for a first reading when the entry is to be removed or disabled."""
        while not is_removal_pending(self.config_entry):  # noqa: ASYNC110 - a lock has no event
            await asyncio.sleep(CHECK_INTERVAL)
        if not self._first.done():
            self._first.set_exception(UpdateFailed("setting up was interrupted"))

    @abstractmethod
    async def _async_follow(self) -> None:
        """Take readings until cancelled; before the first, set its error as result and return."""

    @abstractmethod
    async def _async_wait_for_first(self) -> None:
        """Wait for the first reading for a limited time; raise the reason if there is none."""

    @abstractmethod
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Add values of earlier readings that are still valid."""

    @callback
    def _async_first_reading(self) -> FirstReading | None:
        """Return the reading of the config flow, the first time."""
        found = async_take_first_reading(self.hass, str(self.config_entry.unique_id))
        # A config flow cannot check what is required of this meter's telegrams.
        is_judged = self.authenticity is not None and self.authenticity.judge.is_required
        return None if is_judged else found

    def _is_own(self, meter: Identity) -> bool:
        """Return whether a reading is one of the entry's own meter."""
        if self._expected is None or meter is self._own:
            return True
        if not is_meter_of(self.config_entry, meter):
            return False
        self._own = meter
        return True

    async def _async_looked_up(self, reading: Reading) -> Reading:
        """Look up what is needed of the registers of a reading, with pauses for other tasks."""
        if len(reading.registers) > CODES_AT_ONCE and self._is_own(reading.meter):
            registers = self._codes.async_select(self._current.of(reading))
            await async_look_up(registers, self.totals, has_units=self.settings.writes_units)
        return reading

    @callback
    def _async_take(self, reading: Reading, *, partial: bool = False) -> bool:
        """Take a reading; return whether it is one of the entry's own meter.

        A partial reading contains only the live registers.
        """
        if self._shutdown_requested:
            return False
        if not self._is_own(reading.meter):
            if reading.meter.unique_id is not None:
                self._async_on_foreign_meter(reading.meter)
            return False
        now = self._accepted_at = monotonic()
        self._sent = self._current.of(reading)
        registers = self._codes.async_select(self._sent)
        if not self.settings.writes_units:
            registers = {key: with_implied_unit(key, item) for key, item in registers.items()}
        self.events.async_take(reading, registers)
        proof = Proof.CHECKSUM if reading.checked else self._proof_without_checksum
        reviewed, withheld = self.totals.async_review(registers, proof)
        moment = Moment.now()
        self._read_at = {**self._read_at, **dict.fromkeys(reviewed, moment)}
        clock = reading.time if self._has_time_of_totals else None
        is_settled = self.billing.accept(reviewed, withheld, moment.time, clock)
        self._apart = powers_apart(reviewed, self._apart)
        data = MeterData(
            reading.meter,
            reviewed,
            moment,
            reading.time,
            withheld,
            self._read_at,
            self.billing.values(),
            self._apart,
        )
        self._clock_watch.async_take(data, self._duration)
        if self.on_reading is not None:
            self.on_reading(data)
        self._newest = data = self._complete(reading, data, partial=partial)
        if not partial:
            self.readings.append(reading)
            self.reading_received = data.received
        if self.cross_check is not None:
            self.cross_check.async_compare(data.registers)
        if is_settled:
            self.totals.async_must_store()
        self._async_on_new_data(now, at_once=is_settled)
        self._settlement.async_plan(self.billing.next_due)
        return True

    @callback
    def _async_settle(self, now: datetime) -> None:
        """Settle what is due, and publish it before the period ends."""
        if self.billing.settle(now):
            self._async_publish_billing()

    def _async_publish_billing(self) -> None:
        self.totals.async_must_store()
        self._newest = replace(self._newest, billing=self.billing.values())
        self._settlement.async_plan(self.billing.next_due)
        if self._first.done() and self._failure is None:
            self._async_publish()

    @override
    def _to_publish(self, data: MeterData) -> MeterData:
        """Replace the meter's power by that from impulses.

        Without impulses, the registers stay as the meter sends them; those that it does not send
        are unknown.
        """
        if self.cross_check is None or not self.cross_check.registers:
            return data
        registers = dict(data.registers)
        for key, register in self.cross_check.registers.items():
            if register.value is not None or key not in registers:
                registers[key] = register
        replaced = {key for key in registers if registers[key] is not data.registers.get(key)}
        return replace(data, registers=registers, apart=data.apart | powers_apart(replaced, ()))

    @callback
    def _async_on_impulse_power(self) -> None:
        if self._first.done() and self._failure is None and not self._shutdown_requested:
            self._async_publish_when_due(monotonic())

    @callback
    def _async_on_new_data(self, now: float, *, at_once: bool) -> None:
        """Publish data when they are due or at once, also if they are the first after a failure."""
        if not self._first.done():
            self._first.set_result(None)
            self._arrived_at, self._due_at = now, now + self._publish_interval
            self._async_clear_issues()
            self._status_watch.async_take(self.status)
        elif self._failure is not None:
            self._failure = self.translation_key = None
            self._async_recovered()
            self._async_clear_issues()
            self._status_watch.async_take(self.status)
            self._async_publish()
        elif at_once:
            self._async_publish()
        else:
            self._async_publish_when_due(now)

    @callback
    def _async_clear_issues(self) -> None:
        """End the repairs for a meter that is not received."""
        for issue in (Issue.OTHER_METER, Issue.PORT_MOVED):
            async_clear_issue(self.hass, self.config_entry, issue)

    @callback
    def _async_fail(self, error: Exception) -> None:
        """Make the meter unavailable, and ask for other credentials if they are the reason."""
        failure = self._explain(error)
        self._async_publish_failure(failure)
        self._status_watch.async_take(self.status)
        if isinstance(failure, ConfigEntryAuthFailed):
            self.config_entry.async_start_reauth(self.hass)

    @callback
    def _async_on_foreign_meter(self, meter: Identity) -> None:
        """Note that a reading of another meter has arrived."""
        self._foreign_meter = meter

    def _foreign_meter_error(self) -> OtherMeterError:
        """Raise the repair for another meter at the port, and return the error."""
        if (meter := self._foreign_meter) is not None:
            async_raise_issue(
                self.hass,
                self.config_entry,
                Issue.OTHER_METER,
                unique_id=str(meter.unique_id),
                meter_id=str(meter.name),
                manufacturer=meter.manufacturer or "",
            )
        port = redact(self.client.url)
        return OtherMeterError(f"another meter is at {port}", port=port)

    def _explain(self, error: Exception) -> Failure:
        """Store the translation key of an error, and return the error for Home Assistant."""
        meter_error = as_meter_error(error, self.client.url)
        self.translation_key = meter_error.translation_key
        self._reason = status_of(meter_error)
        if isinstance(meter_error, MeterConnectionError):
            async_look_for_moved_port(self.hass, self.config_entry, self.settings.source_id)
        return update_failed(meter_error)
