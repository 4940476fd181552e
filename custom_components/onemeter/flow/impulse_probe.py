"""Counting the flashes of a meter for a while, before anything is set up."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any, Final

from homeassistant.core import HomeAssistant

from ..impulses.sources import SourceUnavailableError, make_impulse_client
from ..impulses.totals import make_counter
from ..meter import Reading
from ..meter.errors import UNKNOWN, UnknownDataError
from ..settings import BlinkEntrySettings, Mode

#: Seconds for which flashes are counted, ...
COUNT_SECONDS = 15
#: ... and after which a few are enough.
ENOUGH_SECONDS = 5
_ENOUGH: Final = 3


class ImpulseProbe:
    """Counts the impulses that come from a source. That none comes is no error."""

    #: Flashes are never polled.
    mode: Final = Mode.PUSHED
    findings: Final[Mapping[str, Any]] = {}
    duration: Final = None

    def __init__(self, hass: HomeAssistant, settings: BlinkEntrySettings) -> None:
        """Take the settings of an entry."""
        self.settings = settings
        self._client = make_impulse_client(hass, settings, make_counter(settings, {}))

    @property
    def longest(self) -> float:
        """Seconds for which impulses are counted at the most."""
        return COUNT_SECONDS

    @property
    def impulses(self) -> int:
        """How many impulses have come so far."""
        return self._client.counter.impulses

    @property
    def rejected(self) -> int:
        """How many came too soon after the one before."""
        return self._client.counter.rejected

    async def async_read(self) -> Reading:
        """Open the source, count, close it in any case, and return what is known then.

        Raises MeterError for a port that cannot be read, and for telegrams in place of flashes;
        ConfigEntryNotReady for a port of an integration that is not there yet.
        """
        client = self._client
        loop = asyncio.get_running_loop()
        enough = loop.time() + ENOUGH_SECONDS
        with suppress(TimeoutError, SourceUnavailableError):
            async with (
                asyncio.timeout(COUNT_SECONDS),
                aclosing(client.listen()) as readings,
            ):
                async for _ in readings:
                    if self.impulses >= _ENOUGH and loop.time() >= enough:
                        break
        match client.diagnose():
            case UnknownDataError(details={"looks_like": guess}) as error if guess != UNKNOWN:
                raise error
        return client.reading()
