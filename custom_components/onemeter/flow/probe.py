"""Finding the meter that the data of an entry describe, by listening and by asking."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

from homeassistant.const import CONF_MODE, CONF_PROTOCOL
from homeassistant.core import HomeAssistant, callback

from ..access.clients import make_polled_client, make_pushed_client
from ..const import CONF_BATTERY, MODE_POLLED, MODE_PUSHED
from ..meter import Counters, MeterError, PolledClient, Protocol, PushedClient, Reading
from ..meter.detect import INVERTED, NOISE
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

#: Seconds until the first reading must have been pushed; most meters send every 1 to 4 s.
LISTEN_SECONDS = 15
#: The same in DLMS, where many meters send once a minute.
DLMS_LISTEN_SECONDS = 75
#: Seconds after which a meter of IEC 62056-21 that does not speak by itself is asked.
PUSH_SECONDS = 2.5
#: The same in DLMS.
DLMS_PUSH_SECONDS = 12
#: Seconds until a DLMS meter must have told its id, where what it sends first does not.
NAME_SECONDS = 12
#: Seconds between two looks at whether it is the keys that are wrong.
_LOOK_SECONDS: Final = 0.5

#: What bytes look like that are of the right protocol.
_LOOKS: Final = {Protocol.SML: "SML", Protocol.IEC62056: "IEC 62056-21", Protocol.DLMS: "DLMS"}


class Probe:
    """Takes a meter's first reading, and finds out who speaks first."""

    def __init__(self, hass: HomeAssistant, data: Mapping[str, Any], *, is_shared: bool) -> None:
        """Take the data of an entry, and whether other meters are asked at the same port."""
        self._hass = hass
        self._data = data
        self._protocol = Protocol(data[CONF_PROTOCOL])
        self._is_dlms = self._protocol is Protocol.DLMS
        chosen = data.get(CONF_MODE)
        self._is_asked = self._protocol is not Protocol.SML and chosen != MODE_PUSHED
        # Where others are asked nobody pushes, and a meter on a battery sleeps.
        self._is_heard = not (is_shared or data.get(CONF_BATTERY) or chosen == MODE_POLLED)
        self._clients: list[PushedClient | PolledClient] = []
        #: Whether the meter is listened to at present, or asked.
        self.mode = MODE_PUSHED if self._is_heard else MODE_POLLED

    @property
    def longest(self) -> float:
        """Seconds for which the meter is listened to at the most, once."""
        return DLMS_LISTEN_SECONDS if self._is_dlms else LISTEN_SECONDS

    @property
    def findings(self) -> Mapping[str, Any]:
        """What was found out about the meter, if it is one that is asked."""
        client = self._clients[-1]
        return client.findings() if isinstance(client, PolledClient) else {}

    @property
    def duration(self) -> float | None:
        """Seconds that a readout took, if the meter was asked."""
        client = self._clients[-1]
        return client.duration if isinstance(client, PolledClient) else None

    @property
    def received(self) -> int:
        """How many bytes have come so far."""
        return sum(client.counters.received for client in self._clients)

    async def async_read(self) -> Reading:
        """Open the port and wait for a reading; the port is closed again in any case.

        Raises MeterError, the one that says most, and ConfigEntryNotReady for a port of an
        integration that is not there yet.
        """
        listen = partial(self._async_listen, self.longest)
        if not self._is_asked:
            return await listen()
        attempts: list[Callable[[], Awaitable[Reading]]] = [self._async_ask]
        if self._is_heard:
            # Some meters push so rarely that they are only heard in the end.
            at_first = DLMS_PUSH_SECONDS if self._is_dlms else PUSH_SECONDS
            attempts = [partial(self._async_listen, at_first), self._async_ask, listen]
        errors: list[MeterError] = []
        for attempt in attempts:
            try:
                return await attempt()
            except (MeterSilentError, UnknownDataError, ChecksumError, AddressError) as err:
                errors.append(err)
            except MeterPushesError:
                return await listen()
        raise max(errors, key=self._tells)

    async def _async_ask(self) -> Reading:
        """Return the readout of a meter that answers."""
        self.mode = MODE_POLLED
        client = make_polled_client(self._hass, self._data)
        self._clients.append(client)
        return await client.read()

    async def _async_listen(self, patience: float) -> Reading:
        """Return the first reading that is pushed, after so many seconds only if one has begun."""
        self.mode = MODE_PUSHED
        client = make_pushed_client(self._data)
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
        """End listening where there is nothing to be hoped for."""
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
        """Return the first reading that tells the meter's id, or else the one that is there.

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
        """Tell whether what has come without a reading may be the beginning of one."""
        if isinstance(error, UnknownDataError):
            return error.details["looks_like"] in {_LOOKS[self._protocol], UNKNOWN}
        # Meters send several lists in turns.
        return isinstance(error, ChecksumError | UnknownListError)

    def _tells(self, error: MeterError) -> int:
        """Return how much an error tells the user, compared to others."""
        match error:
            case FixedSpeedError():
                return 1
            case MeterSilentError():
                return 0
            case UnknownDataError(details={"looks_like": guess}):
                return {UNKNOWN: 2, NOISE: 3, INVERTED: 3, _LOOKS[self._protocol]: 4}.get(guess, 6)
        return 5


def _lacks_keys(counters: Counters) -> bool:
    """Tell whether telegrams have come in order, and cannot be read without another key."""
    return bool(
        counters.needs_key or counters.wrong_encryption_key or counters.wrong_authentication_key
    )
