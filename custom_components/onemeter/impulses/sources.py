"""Impulses from sources in Home Assistant: an entity, events, or MQTT."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.const import (
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers.event import async_track_state_change_event

from ..meter import PUSHED_LINE, LineSettings, MeterError, Protocol
from ..meter.blink.client import BlinkClient, ImpulseClient
from ..meter.blink.counter import ImpulseCounter
from ..meter.blink.s10 import TOPIC, Flash, S10Flashes, normal_mac
from ..meter.blink.settings import INTERVAL, BlinkSettings
from ..meter.errors import MeterConnectionError, MeterSilentError, TelegramError
from ..settings import BlinkEntrySettings, HassSource
from ..totals.moment import Moment

if TYPE_CHECKING:
    from homeassistant.components import mqtt

_EVENT: Final = "event"
#: Events arrive promptly; a burst was buffered upstream (ns).
_LATE: Final = 60 * 10**9
#: Seconds after a subscription in which messages may be delivered again.
_REDELIVERY: Final = 60
#: A larger number is no count of impulses.
_END: Final = 10**18


class SourceUnavailableError(MeterConnectionError):
    """The source of the impulses is unavailable."""

    translation_key = "source_unavailable"


class HassImpulses(ImpulseClient):
    """Counts impulses from a source in Home Assistant."""

    def __init__(
        self, hass: HomeAssistant, name: str, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the id of the source, the counter and its settings."""
        super().__init__(name, LineSettings(0), counter, settings)
        self._hass = hass
        self._lost: asyncio.Future[None] = hass.loop.create_future()

    @override
    @asynccontextmanager
    async def _source(self) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        self._lost = self._hass.loop.create_future()
        stop = await self._async_subscribe()
        try:
            yield self._async_wait()
        finally:
            stop()
            self._lost.cancel()

    @abstractmethod
    async def _async_subscribe(self) -> CALLBACK_TYPE:
        """Subscribe to the source; return the unsubscribe function.

        Raises SourceUnavailableError.
        """

    async def _async_wait(self) -> None:
        await self._lost

    @callback
    def _async_lose(self) -> None:
        if not self._lost.done():
            self._lost.set_exception(self._unavailable())

    def _unavailable(self) -> SourceUnavailableError:
        return SourceUnavailableError(f"{self.url} is not available", port=self.url)

    @callback
    def _async_count(self) -> None:
        self.counters.received += 1
        self._take(1, monotonic_ns(), _LATE)

    @override
    def diagnose(self) -> MeterError:
        return MeterSilentError(f"no impulse has come from {self.url}", port=self.url)


class EntityImpulses(HassImpulses):
    """Counts an entity: a binary sensor turning on, an event, or a total of impulses."""

    def __init__(
        self, hass: HomeAssistant, name: str, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the entity's id, the counter and its settings."""
        super().__init__(hass, name, counter, settings)
        #: When the entity last had a numeric state, also by the monotonic clock (ns).
        self._last_number: tuple[Moment, int] | None = None

    @override
    async def _async_subscribe(self) -> CALLBACK_TYPE:
        state = self._hass.states.get(self.url)
        if state is None or _is_unknown(state):
            raise self._unavailable()
        self._async_on_state(None, state)
        return async_track_state_change_event(self._hass, self.url, self._async_changed)

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is None or _is_unknown(state):
            self._async_lose()
        else:
            self._async_on_state(event.data["old_state"], state)

    @callback
    def _async_on_state(self, before: State | None, state: State) -> None:
        """Take a state, after another or as the first one."""
        match state.domain:
            case "binary_sensor":
                if before is not None and (before.state, state.state) == (STATE_OFF, STATE_ON):
                    self._async_count()
            case "event":
                if before is not None and before.state not in {state.state, STATE_UNAVAILABLE}:
                    self._async_count()
            case _:
                if (total := impulses_shown(state)) is not None:
                    self.counters.received += 1
                    self._take_total(total, self._now_after_sleep())

    def _now_after_sleep(self) -> int:
        """Return the monotonic time (ns), and allow the time that the machine slept."""
        moment, now = Moment.now(), monotonic_ns()
        if self._last_number is not None:
            earlier, earlier_now = self._last_number
            elapsed = earlier.until(moment) // timedelta(microseconds=1) * 1000
            self.counter.add_elapsed(max(elapsed - (now - earlier_now), 0))
        self._last_number = moment, now
        return now


class EventImpulses(HassImpulses):
    """Counts events of one type on the event bus."""

    @override
    async def _async_subscribe(self) -> CALLBACK_TYPE:
        @callback
        def flash(_: Event) -> None:
            self._async_count()

        return self._hass.bus.async_listen(self.url, flash)


class MqttImpulses(HassImpulses):
    """Counts the messages of an S10 sender, one for each impulse."""

    def __init__(
        self, hass: HomeAssistant, mac: str, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the sender's MAC address, the counter and its settings."""
        super().__init__(hass, TOPIC, counter, settings)
        self._mac = normal_mac(mac)
        self._flashes = S10Flashes()
        #: The time stamp of the last impulse before the subscription, by the sender's clock. Until
        #: the second time, by the event loop, older ones count as delivered again.
        self._counted_until: int | None = None
        self._redelivered_until = 0.0

    @override
    async def _async_subscribe(self) -> CALLBACK_TYPE:
        self._counted_until = self.counter.source_clock
        self._redelivered_until = self._hass.loop.time() + _REDELIVERY
        # MQTT is optional.
        from homeassistant.components import mqtt  # noqa: PLC0415

        if not await mqtt.async_wait_for_mqtt_client(self._hass) or not mqtt.is_connected(
            self._hass
        ):
            raise self._unavailable()

        @callback
        def see(is_connected: bool) -> None:  # noqa: FBT001 - as it is called
            if not is_connected:
                self._async_lose()

        unsubscribe = await mqtt.async_subscribe(self._hass, TOPIC, self._async_received)
        stop = mqtt.async_subscribe_connection_status(self._hass, see)

        @callback
        def end() -> None:
            stop()
            unsubscribe()

        return end

    @callback
    def _async_received(self, message: mqtt.ReceiveMessage) -> None:
        try:
            flashes = self._flashes.new(message.payload)
        except TelegramError:
            self.counters.damaged += 1
            return
        for flash in flashes:
            if flash.mac != self._mac:
                continue
            if message.retain or self._was_counted(flash):
                self.counters.other += 1
                continue
            self._async_count()
            if flash.ts is not None:
                self.counter.source_clock = flash.ts

    def _was_counted(self, flash: Flash) -> bool:
        """Return whether a message is delivered again that was counted before the subscription.

        Later, an older time stamp only means that the sender's clock was set back.
        """
        return (
            flash.ts is not None
            and self._counted_until is not None
            and flash.ts <= self._counted_until
            and self._hass.loop.time() < self._redelivered_until
        )


def make_impulse_client(
    hass: HomeAssistant,
    settings: BlinkEntrySettings,
    counter: ImpulseCounter,
    interval: float = INTERVAL,
) -> ImpulseClient:
    """Return a client that counts the impulses of a source.

    Its first reading arrives when the source is available, the next ones at most once per interval
    (s).
    """
    source_id = settings.source_id
    how = BlinkSettings(is_export=settings.export, interval=interval, reports_at_once=True)
    match settings.source:
        case HassSource.ENTITY:
            return EntityImpulses(hass, source_id, counter, how)
        case HassSource.EVENT:
            return EventImpulses(hass, source_id, counter, how)
        case HassSource.MQTT:
            return MqttImpulses(hass, source_id.rpartition("/")[2], counter, how)
        case source:
            line = settings.connection.line(PUSHED_LINE[Protocol.BLINK])
            return BlinkClient(source_id, line, counter, replace(how, source=source))


def impulses_shown(state: State) -> int | None:
    """Return a numeric state as a number of impulses; None if it is no such number."""
    try:
        number = Decimal(state.state)
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and 0 <= number < _END else None


def _is_unknown(state: State) -> bool:
    """Return whether an entity has no state; an event that never occurred is unknown, too."""
    return state.state == STATE_UNAVAILABLE or (
        state.state == STATE_UNKNOWN and state.domain != _EVENT
    )
