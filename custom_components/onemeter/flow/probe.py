"""Taking the first reading of a meter, pushed or polled, before anything is set up."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback

from ..access.clients import make_polled_client, make_pushed_client
from ..meter import Counters, MeterError, PolledClient, Protocol, PushedClient, Reading
from ..meter.errors import (
    UNKNOWN,
    AddressError,
    ChecksumError,
    FixedSpeedError,
    MeterPushesError,
    MeterSilentError,
    UnknownDataError,
    UnknownListError,
)
from ..meter.looks import Look
from ..settings import DlmsEntrySettings, Iec62056EntrySettings, Mode, SmlEntrySettings

#: Seconds until the first reading must have been pushed; most meters send every 1 to 4 s.
LISTEN_SECONDS = 15
#: The same in DLMS, where many meters send once a minute.
DLMS_LISTEN_SECONDS = 75
#: Seconds after which a meter of IEC 62056-21 that has pushed nothing is polled.
PUSH_SECONDS = 2.5
#: The same in DLMS.
DLMS_PUSH_SECONDS = 12
#: Seconds until a DLMS meter must have sent its id, where its first telegram has none.
NAME_SECONDS = 12
#: Seconds between two looks at whether it is the keys that are wrong.
_LOOK_SECONDS: Final = 0.5

#: What bytes look like that are of the right protocol.
_LOOKS: Final = {
    Protocol.SML: Look.SML,
    Protocol.IEC62056: Look.IEC62056,
    Protocol.DLMS: Look.DLMS,
}


class Probe:
    """Takes a meter's first reading, and finds out whether the meter is pushed or polled."""

    def __init__(
        self,
        hass: HomeAssistant,
        settings: SmlEntrySettings | Iec62056EntrySettings | DlmsEntrySettings,
        *,
        is_shared: bool,
        findings: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the settings of an entry, and whether other meters are polled at the same port.

        ``findings`` are what is known already of a meter that is polled.
        """
        self._findings = findings or {}
        self._hass = hass
        self._settings = settings
        self._protocol = settings.protocol
        self._is_dlms = self._protocol is Protocol.DLMS
        # Meters that share a line do not push, and a meter on a battery sleeps.
        self._may_push = not (is_shared or settings.on_battery or settings.is_polled)
        self._clients: list[PushedClient | PolledClient] = []
        #: Whether the meter is listened to or polled at present.
        self.mode = Mode.PUSHED if self._may_push else Mode.POLLED

    @property
    def longest(self) -> float:
        """The longest time (s) of listening once."""
        return DLMS_LISTEN_SECONDS if self._is_dlms else LISTEN_SECONDS

    @property
    def findings(self) -> Mapping[str, Any]:
        """What was found out about a meter that is polled."""
        client = self._clients[-1]
        return client.findings() if isinstance(client, PolledClient) else {}

    @property
    def duration(self) -> float | None:
        """Seconds that a readout took, if the meter was polled."""
        client = self._clients[-1]
        return client.duration if isinstance(client, PolledClient) else None

    @property
    def speed(self) -> int | None:
        """The baud rate of the meter's data, if the meter was polled."""
        client = self._clients[-1]
        return client.speed if isinstance(client, PolledClient) else None

    @property
    def received(self) -> int:
        """How many bytes have come so far."""
        return sum(client.counters.received for client in self._clients)

    async def async_read(self) -> Reading:
        """Open the port and wait for a reading; the port is closed again in any case.

        Raises MeterError, the most useful one, and ConfigEntryNotReady for a port of an
        integration that is not there yet.
        """
        settings = self._settings
        listen = partial(self._async_listen, self.longest)
        if isinstance(settings, SmlEntrySettings) or settings.mode is Mode.PUSHED:
            return await listen()
        poll = partial(self._async_poll, settings)
        attempts: list[Callable[[], Awaitable[Reading]]] = [poll]
        if self._may_push:
            # A meter that pushes rarely is found by listening longer in the end.
            at_first = DLMS_PUSH_SECONDS if self._is_dlms else PUSH_SECONDS
            attempts = [partial(self._async_listen, at_first), poll, listen]
        errors: list[MeterError] = []
        for attempt in attempts:
            try:
                return await attempt()
            except (MeterSilentError, UnknownDataError, ChecksumError, AddressError) as err:
                errors.append(err)
            except MeterPushesError:
                return await listen()
        raise max(errors, key=self._usefulness)

    async def _async_poll(self, settings: Iec62056EntrySettings | DlmsEntrySettings) -> Reading:
        self.mode = Mode.POLLED
        client = make_polled_client(self._hass, settings)
        client.restore(self._findings)
        self._clients.append(client)
        return await client.read()

    async def _async_listen(self, patience: float) -> Reading:
        """Return the first reading pushed; it must have begun within a number of seconds."""
        self.mode = Mode.PUSHED
        client = make_pushed_client(self._settings)
        self._clients.append(client)
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self.longest) as deadline,
                aclosing(client.listen()) as readings,
            ):
                end = loop.time() + patience
                self._looking = loop.call_later(
                    min(patience, _LOOK_SECONDS), self._look, deadline, client, end
                )
                try:
                    reading = await anext(readings)
                finally:
                    self._looking.cancel()
                deadline.reschedule(None)
                return await self._async_with_name(reading, readings)
        except TimeoutError:
            raise client.diagnose() from None

    @callback
    def _look(self, deadline: asyncio.Timeout, client: PushedClient, end: float) -> None:
        """End listening where no reading can be expected."""
        if deadline.expired():
            return
        loop = asyncio.get_running_loop()
        lost_patience = loop.time() >= end and not self._is_promising(client.diagnose())
        if lost_patience or _lacks_keys(client.counters):
            deadline.reschedule(loop.time())
            return
        self._looking = loop.call_later(_LOOK_SECONDS, self._look, deadline, client, end)

    async def _async_with_name(
        self, reading: Reading, readings: AsyncGenerator[Reading]
    ) -> Reading:
        """Return the first reading with the meter's id, or else this one.

        DLMS meters push several lists in turns, of which the most frequent may hold power alone.
        """
        if self._is_dlms and reading.meter.unique_id is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(NAME_SECONDS):
                    async for later in readings:
                        if later.meter.unique_id is not None:
                            return later
        return reading

    def _is_promising(self, error: MeterError) -> bool:
        """Return whether the bytes received so far may be the beginning of a reading."""
        if isinstance(error, UnknownDataError):
            return error.details["looks_like"] in {_LOOKS[self._protocol], UNKNOWN}
        # Meters send several lists in turns.
        return isinstance(error, ChecksumError | UnknownListError)

    def _usefulness(self, error: MeterError) -> int:
        """Return how much an error helps the user, compared to others."""
        match error:
            case FixedSpeedError():
                return 1
            case MeterSilentError():
                return 0
            case UnknownDataError(details={"looks_like": guess}):
                usefulness: dict[str, int] = {UNKNOWN: 2, Look.NOISE: 3, Look.INVERTED: 3}
                return (usefulness | {_LOOKS[self._protocol]: 4}).get(guess, 6)
        return 5


def _lacks_keys(counters: Counters) -> bool:
    """Return whether undamaged telegrams have come that need another key."""
    return bool(
        counters.needs_key or counters.wrong_encryption_key or counters.wrong_authentication_key
    )
