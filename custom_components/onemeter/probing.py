"""Finding the meter that the data of an entry describe, by listening and by asking."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from homeassistant.const import CONF_PROTOCOL

from .connection import make_polled_client, make_pushed_client
from .const import CONF_BATTERY, MODE_POLLED, MODE_PUSHED
from .meter import MeterError, PolledClient, Protocol, PushedClient, Reading
from .meter.detect import NOISE
from .meter.errors import (
    UNKNOWN,
    ChecksumError,
    MeterSilentError,
    UnknownDataError,
)

#: Seconds until the first reading must have been pushed; most meters send every 1 to 4 s.
LISTEN_SECONDS = 15
#: Seconds after which a meter of IEC 62056-21 that does not speak by itself is asked.
PUSH_SECONDS = 2.5

#: What bytes look like that are of the right protocol.
_IEC62056: Final = "IEC 62056-21"


class Probe:
    """Takes a meter's first reading, and finds out who speaks first."""

    def __init__(self, data: Mapping[str, Any], *, is_shared: bool) -> None:
        """Take the data of an entry, and whether other meters are asked at the same port."""
        self._data = data
        self._is_asked = data[CONF_PROTOCOL] == Protocol.IEC62056
        # Where others are asked nobody pushes, and a meter on a battery sleeps.
        self._is_heard = not is_shared and not data.get(CONF_BATTERY)
        self._clients: list[PushedClient | PolledClient] = []
        #: Whether the meter is listened to at present, or asked.
        self.mode = MODE_PUSHED if self._is_heard else MODE_POLLED

    @property
    def received(self) -> int:
        """How many bytes have come so far."""
        return sum(client.counters.received for client in self._clients)

    async def async_read(self) -> Reading:
        """Open the port and wait for a reading; the port is closed again in any case.

        Raises MeterError, the one that says most, and ConfigEntryNotReady for a port of an
        integration that is not there yet.
        """
        listen = partial(self._async_listen, LISTEN_SECONDS)
        if not self._is_asked:
            return await listen()
        attempts: list[Callable[[], Awaitable[Reading]]] = [self._async_ask]
        if self._is_heard:
            # Some meters push so rarely that they are only heard in the end.
            attempts = [partial(self._async_listen, PUSH_SECONDS), self._async_ask, listen]
        errors: list[MeterError] = []
        for attempt in attempts:
            try:
                return await attempt()
            except (MeterSilentError, UnknownDataError, ChecksumError) as err:
                errors.append(err)
        raise max(errors, key=_tells)

    async def _async_ask(self) -> Reading:
        """Return the readout of a meter that answers."""
        self.mode = MODE_POLLED
        client = make_polled_client(self._data)
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
                asyncio.timeout(LISTEN_SECONDS) as deadline,
                aclosing(client.listen()) as readings,
            ):

                def lose_patience() -> None:
                    if not deadline.expired() and not _is_promising(client.diagnose()):
                        deadline.reschedule(loop.time())

                judgement = loop.call_later(patience, lose_patience)
                try:
                    return await anext(readings)
                finally:
                    judgement.cancel()
        except TimeoutError:
            raise client.diagnose() from None


def _is_promising(error: MeterError) -> bool:
    """Tell whether what has come without a reading may be the beginning of one."""
    if isinstance(error, UnknownDataError):
        return error.details["looks_like"] in {_IEC62056, UNKNOWN}
    return isinstance(error, ChecksumError)


def _tells(error: MeterError) -> int:
    """Return how much an error tells the user, compared to others."""
    match error:
        case MeterSilentError():
            return 0
        case UnknownDataError(details={"looks_like": guess}):
            return {UNKNOWN: 1, NOISE: 2, _IEC62056: 3}.get(guess, 5)
    return 4
