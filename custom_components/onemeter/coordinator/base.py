"""One meter's readings: what of them is published, and what is said when none come."""

from abc import abstractmethod
import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import batched
import logging
from time import monotonic
from typing import Any, NamedTuple, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util.hass_dict import HassKey

from ..access.authentication import async_authenticity
from ..access.clients import expected_meter, is_meter_of
from ..access.error_texts import Failure, as_meter_error, update_failed
from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..const import DOMAIN
from ..impulses.cross_check import ImpulseCrossCheck
from ..meter import Identity, Key, Obis, PolledClient, PushedClient, Reading, Register
from ..meter.errors import OtherMeterError
from ..meter.redaction import redact
from ..registers.known_codes import KnownCodes
from ..registers.lookup import is_measurement, with_implied_unit
from ..settings import AnySettings, second_source
from ..totals import Moment, Proof, Totals
from .tasks import LOOK_SECONDS, async_end, is_wanted

_LOGGER = logging.getLogger(__name__)

_READINGS_KEPT = 5
#: Seconds after which totals that could not be written are written again.
_STORE_AGAIN = 10
#: Codes that are looked up in one go.
_CODES_AT_ONCE = 64
#: Entities that are updated in one go, unless others have their turn: a meter may have hundreds.
_ENTITIES_AT_ONCE = 16

#: Groups C, D and E of the meter's firmware, and the characters that it has at most.
_FIRMWARE = (0, 2, 0)
_FIRMWARE_MAX = 64

#: What flows have just read, by the unique id of the entry that each has set up.
_HANDED_OVER: HassKey[dict[str, FirstReading]] = HassKey(f"{DOMAIN}_handed_over")

type OneMeterConfigEntry = ConfigEntry[OneMeterCoordinator]


class FirstReading(NamedTuple):
    """What a flow has just read."""

    reading: Reading
    taken: datetime
    #: Seconds that a readout takes, where that is known.
    duration: float | None
    #: What its client has found out about the meter.
    findings: Mapping[str, Any]


@callback
def async_hand_over(hass: HomeAssistant, unique_id: str, read: FirstReading) -> None:
    """Spare a meter that was just read the reading with which setting it up begins.

    That may take minutes, during which the user's dialog stays open, and some of a battery.
    """
    hass.data.setdefault(_HANDED_OVER, {})[unique_id] = read


@dataclass(frozen=True)
class MeterData:
    """What may be published of one meter."""

    meter: Identity
    #: The current value of each code; a withheld total keeps its last accepted value.
    registers: Mapping[Key, Register]
    #: When the newest telegram came in.
    moment: Moment = field(compare=False)
    #: What the meter's own clock showed then; without time zone where the meter tells none.
    clock: datetime | None = field(default=None, compare=False)
    #: The totals that are withheld.
    withheld: frozenset[Key] = field(default=frozenset(), compare=False)

    @property
    def received(self) -> datetime:
        """When the newest telegram came in (UTC)."""
        return self.moment.time

    @cached_property
    def firmware(self) -> str | None:
        """The version of the meter's firmware, from whichever part of 0.2.0 is text."""
        for key, register in self.registers.items():
            value = register.value
            if (
                isinstance(key, Obis)
                and (key.c, key.d, key.e) == _FIRMWARE
                and (isinstance(value, str) and len(value) <= _FIRMWARE_MAX)
            ):
                return value
        return None


class OneMeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Follows one meter, whatever happens to its port, and publishes what can be trusted.

    How it is followed, by listening or by asking, is up to the subclasses: each takes the readings
    and says when none come. The meter counts as available by the age of its last good reading,
    whether or not that was published. Polling by the base class has no part in it, so that it may
    be switched off.
    """

    config_entry: OneMeterConfigEntry
    #: What tells of a telegram without checksum that it came undamaged.
    _proof_without_checksum = Proof.NOTHING

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: AnySettings,
        client: PushedClient | PolledClient,
        publish_interval: float,
    ) -> None:
        """Take the client, of which nothing is opened yet, and the seconds between publications."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=f"meter at {redact(client.url)}",
            always_update=False,
        )
        self.settings = settings
        self.client = client
        self.totals = self._make_totals()
        self._codes = KnownCodes(hass, entry)
        #: What is known of whether the meter authenticates its telegrams, if that can be told.
        self.authenticity = async_authenticity(hass, entry)
        #: The newest readings of this meter, for diagnostics.
        self.readings: deque[Reading] = deque(maxlen=_READINGS_KEPT)
        #: The situation that keeps the meter from being read, if one does.
        self.situation: str | None = None

        self._publish_interval = publish_interval
        self._expected = expected_meter(entry)

        self.cross_check: ImpulseCrossCheck | None = None
        if (source := second_source(entry.options)) is not None:
            self.cross_check = ImpulseCrossCheck(hass, entry, source, self._async_see_power)

        #: The tasks that end with the entry.
        self._followers: list[asyncio.Task[None]] = []
        self._first: asyncio.Future[None] = hass.loop.create_future()
        self._newest: MeterData
        self._failure: Failure | None = None
        #: Whether the newest line in the log says that the meter cannot be read.
        self._is_failure_logged = False
        self._accepted_at = monotonic()
        self._published_at = self._accepted_at
        self._cancel_publishing: CALLBACK_TYPE | None = None
        self._is_due = False
        self._storing: asyncio.Task[None] | None = None
        self._other_meter: str | None = None
        #: The listeners that do not know of the newest data yet, and what tells them.
        self._outdated: deque[int] = deque()
        self._updating: asyncio.Task[None] | None = None

    def _make_totals(self) -> Totals:
        """Return what judges and remembers the totals."""
        return Totals(self.hass, self.config_entry)

    @override
    async def _async_setup(self) -> None:
        """Remember what was published before."""
        await self.totals.async_load()
        if self.authenticity is not None:
            await self.authenticity.async_load()

    @override
    async def _async_update_data(self) -> MeterData:
        """Return the newest data; the first time, start to follow the meter and wait for it."""
        if not self._first.done():
            await self._async_start()
        if self._failure is not None:
            raise self._failure
        data = self._newest
        if not await self.totals.async_store():
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="not_written")
        return self._with_impulses(data)

    @override
    async def async_shutdown(self) -> None:
        """Publish no more, and write down what is to be remembered."""
        await super().async_shutdown()
        self._async_cancel_publishing()
        await self._async_end_followers()
        await self.totals.async_close()
        if self.authenticity is not None:
            await self.authenticity.async_save()

    @property
    def newest(self) -> MeterData:
        """What the newest reading told, whether or not it is published yet."""
        return self._newest

    async def async_accept_totals(self) -> bool:
        """Let the totals that have jumped go on from where they are, as the user has said.

        Returns False while the meter cannot be read; nothing has changed then.
        """
        if self._failure is not None:
            return False
        registers = dict(self._newest.registers)
        self.totals.async_accept(registers)
        self._newest = replace(self._newest, registers=registers, withheld=frozenset())
        self._async_publish()
        return True

    async def _async_start(self) -> None:
        """Follow the meter from now on and wait for the first reading; raise what prevents it."""
        self._async_begin(self._async_follow(), "following")
        watching = self._async_begin(self._async_watch_lock_waiters(), "setting up")
        try:
            await self._async_wait_for_first()
        except UpdateFailed, ConfigEntryAuthFailed:
            # Setting up again must find the port closed.
            await self._async_end_followers()
            raise
        finally:
            watching.cancel()
        if self.cross_check is not None:
            self._async_begin(self.cross_check.async_follow(), "impulses")

    @callback
    def _async_begin(self, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that ends with the entry, in any case.

        Of its own tasks, Home Assistant would wait ten seconds for one that does not end.
        """
        task = self.hass.async_create_background_task(job, f"{DOMAIN} {name}")
        self._followers.append(task)
        return task

    async def _async_end_followers(self) -> None:
        """End the tasks that end with the entry; one that does not is left behind, once."""
        followers, self._followers = self._followers, []
        await async_end(followers)

    async def _async_watch_lock_waiters(self) -> None:
        """Give up waiting for a first reading when the entry is to be removed or disabled."""
        while not is_wanted(self.config_entry):  # noqa: ASYNC110 - a lock has no event
            await asyncio.sleep(LOOK_SECONDS)
        if not self._first.done():
            self._first.set_exception(UpdateFailed("setting up was interrupted"))

    @abstractmethod
    async def _async_follow(self) -> None:
        """Take the meter's readings for good; until the first, end with the error as its result."""

    @abstractmethod
    async def _async_wait_for_first(self) -> None:
        """Wait for the first reading, but not for too long; raise what prevents it."""

    @abstractmethod
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        """Add to the data of a reading what still holds of earlier ones."""

    @callback
    def _async_handed_over(self) -> FirstReading | None:
        """Return what a flow has just read for this entry; once."""
        handed_over = self.hass.data.get(_HANDED_OVER, {})
        found = handed_over.pop(str(self.config_entry.unique_id), None)
        # Flows do not know what is required of this meter's telegrams.
        is_judged = self.authenticity is not None and self.authenticity.judge.is_required
        return None if is_judged else found

    def _is_own(self, meter: Identity) -> bool:
        """Tell whether a reading is one of the entry's own meter."""
        return self._expected is None or is_meter_of(self.config_entry, meter)

    async def _async_looked_up(self, reading: Reading) -> Reading:
        """Look up what the codes of a reading mean, a few at a time.

        Then it can be taken in one go. Meters may have hundreds of codes.
        """
        if len(reading.registers) <= _CODES_AT_ONCE:
            return reading
        registers = reading.current()
        for keys in batched(tuple(registers), _CODES_AT_ONCE, strict=False):
            await asyncio.sleep(0)
            for key in keys:
                if not self.settings.writes_units:
                    registers[key] = with_implied_unit(key, registers[key])
                self.totals.async_look_up(key, registers)
                is_measurement(key, registers)
        await asyncio.sleep(0)
        return reading

    @callback
    def _async_take(self, reading: Reading, *, partial: bool = False) -> bool:
        """Take the next reading; return whether it is one of the entry's own meter.

        A partial one holds a few registers that the user has chosen, and not all of the meter's.
        """
        if self._shutdown_requested:
            return False
        if not self._is_own(reading.meter):
            if reading.meter.unique_id is not None:
                self._async_on_foreign_meter(reading.meter.unique_id)
            return False
        now = self._accepted_at = monotonic()
        registers = self._codes.async_select(reading.current())
        if not self.settings.writes_units:
            registers = {key: with_implied_unit(key, item) for key, item in registers.items()}
        proof = Proof.CHECKSUM if reading.checked else self._proof_without_checksum
        withheld = self.totals.async_review(registers, proof)
        data = MeterData(reading.meter, registers, Moment.now(), reading.time, withheld)
        self._newest = self._complete(reading, data, partial=partial)
        if not partial:
            self.readings.append(reading)
        if self.cross_check is not None:
            self.cross_check.async_compare(data.registers)
        self._async_offer(now)
        return True

    def _with_impulses(self, data: MeterData) -> MeterData:
        """Put the power by impulses in the place of the meter's own, where there is any.

        Without, the register stays what the meter sends, and unknown where it sends none.
        """
        if self.cross_check is None or not self.cross_check.registers:
            return data
        registers = dict(data.registers)
        for key, register in self.cross_check.registers.items():
            if register.value is not None or key not in registers:
                registers[key] = register
        return replace(data, registers=registers)

    @callback
    def _async_see_power(self) -> None:
        if self._first.done() and self._failure is None and not self._shutdown_requested:
            self._async_offer(monotonic())

    @callback
    def _async_offer(self, now: float) -> None:
        """Publish the newest data as soon as it is due."""
        if not self._first.done():
            self._first.set_result(None)
            self._published_at = now
            async_clear_issue(self.hass, self.config_entry, Issue.OTHER_METER)
        elif self._failure is not None:
            self._failure = self.situation = None
            self._async_recovered()
            async_clear_issue(self.hass, self.config_entry, Issue.OTHER_METER)
            self._async_publish()
        elif (left := self._published_at + self._publish_interval - now) <= 0:
            self._async_publish()
        else:
            self._async_publish_later(left)

    @callback
    def _async_publish_later(self, seconds: float) -> None:
        if self._cancel_publishing is None:
            self._cancel_publishing = async_call_later(
                self.hass, seconds, HassJob(self._async_publish, cancel_on_shutdown=True)
            )

    @callback
    def _async_publish(self, _: datetime | None = None) -> None:
        """Hand the newest data to the entities, if there is anything new in it.

        What nobody could find out again must be written first.
        """
        self._async_cancel_publishing()
        if not self.totals.must_be_stored:
            self._async_hand_out(self._newest)
            return
        self._published_at = monotonic()
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
            if self._failure is not None or self._shutdown_requested:
                continue
            self._async_hand_out(data if is_stored else self._before_storing(data))
            if not is_stored:
                self._async_publish_later(_STORE_AGAIN)

    def _before_storing(self, data: MeterData) -> MeterData:  # noqa: ARG002  of impulses more may be
        """Return what may be published while the totals of the data cannot be written."""
        return self.data

    @callback
    def _async_hand_out(self, data: MeterData) -> None:
        data = self._with_impulses(data)
        if data == self.data and self.last_update_success:
            self.data = data
            return
        self._published_at = monotonic()
        self.async_set_updated_data(data)

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the entities, a few at a time."""
        self._outdated = deque(self._listeners)
        if self._updating is None or self._updating.done():
            self._updating = self.config_entry.async_create_task(
                self.hass, self._async_update_outdated(), f"{DOMAIN} updating"
            )

    async def _async_update_outdated(self) -> None:
        while True:
            for _ in range(min(_ENTITIES_AT_ONCE, len(self._outdated))):
                listener = self._listeners.get(self._outdated.popleft())
                if listener is None:
                    continue
                try:
                    listener[0]()
                except Exception:
                    _LOGGER.exception("Unexpected error while updating the %s", self.name)
            if not self._outdated:
                return
            await asyncio.sleep(0)

    @callback
    def _async_cancel_publishing(self) -> None:
        if self._cancel_publishing is not None:
            self._cancel_publishing()
            self._cancel_publishing = None

    @callback
    def _async_fail(self, error: Exception) -> None:
        """Say that the meter cannot be read, and why; the first time that is logged."""
        self._async_cancel_publishing()
        self._failure = self._explain(error)
        if not self._is_failure_logged:
            self._is_failure_logged = True
            self.async_set_update_error(self._failure)
        else:
            self.last_exception = self._failure
            if self.last_update_success:
                self.last_update_success = False
                self.async_update_listeners()
        if isinstance(self._failure, ConfigEntryAuthFailed):
            self.config_entry.async_start_reauth(self.hass)

    @callback
    def _async_recovered(self) -> None:
        """Log that the meter can be read again."""
        self._is_failure_logged = False
        _LOGGER.info("The %s can be read again", self.name)

    @callback
    def _async_on_foreign_meter(self, other: str) -> None:
        """Notice that another meter speaks at the port."""
        self._other_meter = other

    def _about_other_meter(self) -> OtherMeterError:
        """Tell the user about the other meter that was met; return what that means."""
        if self._other_meter is not None:
            async_raise_issue(
                self.hass, self.config_entry, Issue.OTHER_METER, unique_id=self._other_meter
            )
        port = redact(self.client.url)
        return OtherMeterError(f"another meter is at {port}", port=port)

    def _explain(self, error: Exception) -> Failure:
        """Keep the situation that an error means, and return it in the user's words."""
        meter_error = as_meter_error(error, self.client.url)
        self.situation = meter_error.situation
        return update_failed(meter_error)
