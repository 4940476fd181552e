"""One meter's readings, pushed to Home Assistant as they come in."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
import logging
from time import monotonic
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import (
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_FRAMING,
    CONF_PUBLISH_INTERVAL,
    CONF_RTS,
    DEFAULT_PUBLISH_INTERVAL,
    DOMAIN,
    GENERATED,
)
from .issues import Issue, async_clear_issue, async_raise_issue
from .meter import (
    DEFAULT_LINE,
    Framing,
    Identity,
    LineSettings,
    MeterError,
    Obis,
    Protocol,
    Reading,
    Register,
)
from .meter.clients import create_client
from .meter.detect import NOISE
from .meter.errors import (
    UNKNOWN,
    MeterConnectionError,
    OtherMeterError,
    PortBusyError,
    UnknownDataError,
)
from .meter.port import redact
from .pin_lock import PinLock
from .port_watch import (
    LONGEST_WAIT_BUSY,
    LONGEST_WAIT_UNWATCHED,
    async_wait_for_change,
    can_be_watched,
)
from .totals import Totals

_LOGGER = logging.getLogger(__name__)

#: Seconds that setting up, and with it the start of Home Assistant, waits for the first telegram;
#: meters push every one to five seconds, and one that takes longer is tried again.
FIRST_TELEGRAM = 8
#: Seconds without a telegram after which a meter counts as silent and its port is opened anew;
#: meters push every one to five seconds.
LONGEST_SILENCE = 30
#: Seconds without the entry's own meter after which another one's telegrams are not just crosstalk.
OTHER_METER_PATIENCE = 10

#: Seconds between two attempts to open a port whose device is seen to come back.
SHORTEST_WAIT = 1
LONGEST_WAIT = 60

_READINGS_KEPT = 5

type OneMeterConfigEntry = ConfigEntry[OneMeterCoordinator]


@dataclass(frozen=True, slots=True)
class MeterData:
    """What may be published of one meter."""

    meter: Identity
    #: The first register of each code; a withheld total keeps its last accepted value.
    registers: Mapping[Obis, Register]
    #: When the newest telegram came in (UTC).
    received: datetime = field(compare=False)


def line_settings(data: Mapping[str, Any]) -> LineSettings:
    """Return how to open the port: the protocol's usual line and what the entry changes of it."""
    usual = DEFAULT_LINE[Protocol(data[CONF_PROTOCOL])]
    return LineSettings(
        baudrate=data.get(CONF_BAUDRATE, usual.baudrate),
        framing=Framing(data.get(CONF_FRAMING, usual.framing)),
        dtr=data.get(CONF_DTR, usual.dtr),
        rts=data.get(CONF_RTS, usual.rts),
    )


def expected_meter(entry: ConfigEntry) -> str | None:
    """Return the id that the entry's meter tells; None where it tells none and got one from us."""
    own = str(entry.unique_id)
    return None if own.startswith(GENERATED) else own


def text_key(error: MeterError) -> str:
    """Return the key of the texts for an error: its situation, and what else is known of it."""
    match error:
        case PortBusyError(details={"by": by}) if by != UNKNOWN:
            return f"{error.situation}_by"
        case UnknownDataError(details={"looks_like": guess}) if guess != UNKNOWN:
            return f"{error.situation}_{'noise' if guess == NOISE else 'like'}"
    return error.situation


class OneMeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Follows one meter, whatever happens to its port, and publishes what can be trusted.

    The meter counts as available by the age of its last good telegram, whether or not that was
    published: a port that is lost tells at once, silence is noticed by a deadline that each
    telegram moves. Polling by the base class has no part in it, so that it may be switched off.
    """

    config_entry: OneMeterConfigEntry

    def __init__(self, hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
        """Make the client; nothing is opened yet."""
        url = entry.data[CONF_PORT]
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=f"meter at {redact(url)}",
            always_update=False,
        )
        self.client = create_client(
            Protocol(entry.data[CONF_PROTOCOL]), url, line_settings(entry.data)
        )
        self.totals = Totals(hass, entry)
        #: The newest readings of this meter, for diagnostics.
        self.readings: deque[Reading] = deque(maxlen=_READINGS_KEPT)
        #: The situation that keeps the meter from being read, if one does.
        self.situation: str | None = None

        self._publish_interval: float = entry.options.get(
            CONF_PUBLISH_INTERVAL, DEFAULT_PUBLISH_INTERVAL
        )
        self._expected = expected_meter(entry)

        self._first: asyncio.Future[None] = hass.loop.create_future()
        self._newest: MeterData
        self._seen: dict[Obis, float] = {}
        self._failure: UpdateFailed | None = None
        self._accepted_at = monotonic()
        self._published_at = self._accepted_at
        self._cancel_publishing: CALLBACK_TYPE | None = None
        self._other_meter: str | None = None
        self._pin_lock = PinLock()
        self._locked: bool | None = None

    @override
    async def _async_setup(self) -> None:
        """Remember what was published before."""
        await self.totals.async_load()

    @override
    async def _async_update_data(self) -> MeterData:
        """Return the newest data; the first time, start to listen and wait for it."""
        if not self._first.done():
            await self._async_start()
        if self._failure is not None:
            raise self._failure
        return self._newest

    @override
    async def async_shutdown(self) -> None:
        """Publish no more, and write down what is to be remembered."""
        await super().async_shutdown()
        self._async_cancel_publishing()
        await self.totals.async_close()

    @property
    def newest(self) -> MeterData:
        """What the newest telegram told, whether or not it is published yet."""
        return self._newest

    async def async_accept_totals(self) -> bool:
        """Let the totals that have jumped go on from where they are, as the user has said.

        Returns False while the meter cannot be read; nothing has changed then.
        """
        if self._failure is not None:
            return False
        registers = dict(self._newest.registers)
        self.totals.async_accept(registers)
        self._newest = replace(self._newest, registers=registers)
        self._async_publish()
        await self.totals.async_save()
        return True

    async def _async_start(self) -> None:
        """Listen from now on and wait for the first reading; raise what prevents it."""
        follower = self.config_entry.async_create_background_task(
            self.hass, self._async_follow(), f"{DOMAIN} listening"
        )
        try:
            async with asyncio.timeout(FIRST_TELEGRAM):
                await self._first
        except TimeoutError:
            failure = self._explain(self._diagnose())
        except UpdateFailed as err:
            failure = err
        else:
            return
        # Setting up again must find the port closed.
        follower.cancel()
        await asyncio.wait([follower])
        raise failure

    async def _async_follow(self) -> None:
        """Listen for good: open the port again whenever it is lost or silent."""
        wait = SHORTEST_WAIT
        while True:
            error = await self._async_listen()
            if not self._first.done():
                self._first.set_exception(self._explain(error))
                return
            lost = isinstance(error, MeterConnectionError)
            if not lost or self._failure is None:
                wait = SHORTEST_WAIT
            self._async_fail(error)
            url = self.client.url
            if isinstance(error, PortBusyError):
                longest = LONGEST_WAIT_BUSY
            else:
                longest = LONGEST_WAIT if can_be_watched(url) else LONGEST_WAIT_UNWATCHED
            if await async_wait_for_change(self.hass, url, min(wait, longest)):
                wait = SHORTEST_WAIT
            else:
                wait = min(2 * wait, LONGEST_WAIT)

    async def _async_listen(self) -> Exception:
        """Take readings until the port is lost or no more come; return why it ended."""
        self._other_meter = None
        try:
            async with (
                asyncio.timeout(LONGEST_SILENCE) as deadline,
                aclosing(self.client.listen()) as readings,
            ):
                async for reading in readings:
                    if self._async_take(reading):
                        deadline.reschedule(self.hass.loop.time() + LONGEST_SILENCE)
        except TimeoutError:
            return self._diagnose()
        except (MeterError, ConfigEntryNotReady) as err:
            return err
        except Exception as err:
            _LOGGER.exception("Unexpected error while listening to the %s", self.name)
            return err
        return self._diagnose()

    @callback
    def _async_take(self, reading: Reading) -> bool:
        """Take the next reading; return whether it is one of the entry's own meter."""
        if self._shutdown_requested:
            return False
        if self._expected is not None and reading.meter.unique_id != self._expected:
            if reading.meter.unique_id is not None:
                self._async_meet(reading.meter.unique_id)
            return False
        now = self._accepted_at = monotonic()
        received = dt_util.utcnow()
        fresh: dict[Obis, Register] = {}
        for register in reading.registers:
            if register.obis is not None:
                fresh.setdefault(register.obis, register)
        self.totals.async_review(fresh)
        registers = self._merge(fresh, now)
        self.readings.append(reading)
        self._newest = MeterData(reading.meter, registers, received)
        self._async_watch_lock(registers, received)
        self._async_offer(now)
        return True

    def _merge(self, fresh: dict[Obis, Register], now: float) -> Mapping[Obis, Register]:
        """Add what earlier telegrams told not too long ago, for meters that send in turns."""
        self._seen.update(dict.fromkeys(fresh, now))
        if len(self._seen) == len(fresh):
            return fresh
        self._seen = {
            obis: seen for obis, seen in self._seen.items() if now - seen < LONGEST_SILENCE
        }
        earlier = self._newest.registers
        return {obis: fresh[obis] if obis in fresh else earlier[obis] for obis in self._seen}

    @callback
    def _async_offer(self, now: float) -> None:
        """Publish the newest data as soon as it is due."""
        if not self._first.done():
            self._first.set_result(None)
            self._published_at = now
            async_clear_issue(self.hass, self.config_entry, Issue.OTHER_METER)
        elif self._failure is not None:
            self._failure = self.situation = None
            _LOGGER.info("The %s can be read again", self.name)
            async_clear_issue(self.hass, self.config_entry, Issue.OTHER_METER)
            self._async_publish()
        elif self._cancel_publishing is None:
            due = max(0.0, self._published_at + self._publish_interval - now)
            self._cancel_publishing = async_call_later(
                self.hass, due, HassJob(self._async_publish, cancel_on_shutdown=True)
            )

    @callback
    def _async_publish(self, _: datetime | None = None) -> None:
        """Hand the newest data to the entities, if there is anything new in it."""
        self._async_cancel_publishing()
        if self._newest == self.data and self.last_update_success:
            self.data = self._newest
            return
        self._published_at = monotonic()
        self.async_set_updated_data(self._newest)

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
        self.async_set_update_error(self._failure)

    @callback
    def _async_meet(self, other: str) -> None:
        """Notice that another meter speaks at the port."""
        self._other_meter = other
        if (
            self._failure is None
            and self._first.done()
            and monotonic() - self._accepted_at > OTHER_METER_PATIENCE
        ):
            self._async_fail(self._diagnose())

    def _diagnose(self) -> MeterError:
        """Say why no reading of this meter has come."""
        if self._other_meter is None:
            return self.client.diagnose()
        async_raise_issue(
            self.hass, self.config_entry, Issue.OTHER_METER, unique_id=self._other_meter
        )
        port = redact(self.client.url)
        return OtherMeterError(f"another meter is at {port}", port=port)

    def _explain(self, error: Exception) -> UpdateFailed:
        """Keep the situation that an error means, and return it in the user's words."""
        if isinstance(error, ConfigEntryNotReady):
            # A port of another integration that is not there yet.
            port = redact(self.client.url)
            error = MeterConnectionError(str(error), port=port, reason=str(error))
        elif not isinstance(error, MeterError):
            error = MeterError("unexpected", reason=type(error).__name__)
        self.situation = error.situation
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=text_key(error),
            translation_placeholders=error.details,
        )

    @callback
    def _async_watch_lock(self, registers: Mapping[Obis, Register], now: datetime) -> None:
        """Ask for the PIN while the meter waits for it."""
        locked = self._pin_lock.is_locked(registers, now)
        if locked is None or locked is self._locked:
            return
        self._locked = locked
        if locked:
            async_raise_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
        else:
            async_clear_issue(self.hass, self.config_entry, Issue.METER_LOCKED)
