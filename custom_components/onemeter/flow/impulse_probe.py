"""Counting the flashes of a meter for a while, before anything is set up."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final

from homeassistant.core import HomeAssistant

from ..impulses.sources import SourceUnavailableError, make_impulse_client
from ..impulses.totals import make_counter
from ..meter import PUSHED_LINE, Protocol, Reading
from ..meter.detection import find_source
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

    def __init__(
        self, hass: HomeAssistant, settings: BlinkEntrySettings, *, finds_source: bool
    ) -> None:
        """Take the settings of an entry, and whether the signal of the port is to be found out."""
        self._hass = hass
        self._finds_source = finds_source
        #: Impulses that came before the source was known.
        self._seen = 0
        self._use(settings)

    def _use(self, settings: BlinkEntrySettings) -> None:
        self.settings = settings
        self._client = make_impulse_client(self._hass, settings, make_counter(settings, {}))

    @property
    def longest(self) -> float:
        """Seconds that this takes at the most."""
        return COUNT_SECONDS + ENOUGH_SECONDS if self._finds_source else COUNT_SECONDS

    @property
    def impulses(self) -> int:
        """How many impulses have come so far."""
        return self._seen + self._client.counter.impulses

    @property
    def rejected(self) -> int:
        """How many came too soon after the one before."""
        return self._client.counter.rejected

    async def async_read(self) -> Reading:
        """Open the source, count, close it in any case, and return what is known then.

        Raises MeterError for a port that cannot be read, and for telegrams in place of flashes;
        ConfigEntryNotReady for a port of an integration that is not there yet.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + COUNT_SECONDS
        if self._finds_source:
            await self._async_find_source()
        client = self._client
        enough = loop.time() + ENOUGH_SECONDS
        with suppress(TimeoutError, SourceUnavailableError):
            async with (
                asyncio.timeout_at(max(end, enough)),
                aclosing(client.listen()) as readings,
            ):
                async for _ in readings:
                    if self.impulses >= _ENOUGH and loop.time() >= enough:
                        break
        match client.diagnose():
            case UnknownDataError(details={"looks_like": guess}) as error if guess != UNKNOWN:
                raise error
        return client.reading()

    async def _async_find_source(self) -> None:
        """Change the settings to the signal by which the port reports impulses, if any come."""
        line = self.settings.connection.line(PUSHED_LINE[Protocol.BLINK])
        port = self.settings.source_id
        source = await find_source(port, line, COUNT_SECONDS, self._see)
        if source is not None:
            self._use(replace(self.settings, source=source))

    def _see(self, impulses: int) -> None:
        self._seen = impulses
