"""The clients for impulses: they count energy and derive power."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from decimal import Decimal
import time
from typing import Any, Final, override

from ..channel import RECENT_MAX
from ..client import PushedClient
from ..errors import UNKNOWN, MeterError, MeterSilentError, UnknownDataError
from ..line import LineSettings
from ..looks import SINGLE_EDGE, TELEGRAMS, looks_like
from ..obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER_EXPORT, POWER_IMPORT
from ..port import Port
from ..reading import Identity, Reading, Register
from ..redaction import redact
from .counter import ImpulseCounter
from .settings import BlinkSettings, Source
from .source import ByteFlashes, LongFlashes, follow, line_state

#: Time (ns) after the last byte that is no flash during which bytes are taken for telegrams.
_TELEGRAMS_LAST: Final = 10 * 10**9
#: Seconds between two calculations of the power while no impulse comes.
_POWER_SECONDS: Final = 1.0
#: Changes of power that are reported without an impulse: at least this many W, and one part in
#: this number.
_NOTICEABLE: Final = 1
_NOTICEABLE_PART: Final = 50

#: Energy and power, imported and exported. It is not the signed power 16.7.0, since the impulses of
#: one direction contain nothing about the other.
_IMPORT: Final = (ENERGY_IMPORT, POWER_IMPORT)
_EXPORT: Final = (ENERGY_EXPORT, POWER_EXPORT)


class ImpulseClient(PushedClient):
    """Counts the impulses of any source.

    The counter belongs to the caller, and has everything that outlives this client. Of the
    client's own counters, ``good`` are the impulses counted, and ``other`` those rejected.
    """

    def __init__(
        self, url: str, line: LineSettings, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the source's URL, its line, the counter, and the settings. Nothing is opened yet."""
        super().__init__(url, line)
        self.counter = counter
        self.settings = settings
        self._news = asyncio.Event()
        #: The clock of the event loop (s): the monotonic clock, except in tests.
        self._clock: Callable[[], float] = time.monotonic
        #: Impulses, energy and power of the last reading.
        self._reported: tuple[int, Decimal, Decimal | None] = (0, Decimal(0), None)

    @abstractmethod
    def _source(self) -> AbstractAsyncContextManager[Coroutine[Any, Any, None]]:
        """Open the source; the coroutine counts until the source is lost, and then raises."""

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        """Yield a reading when impulses have come, or power has changed noticeably without any.

        There is at most one in each interval of the settings.
        """
        self._clock = asyncio.get_running_loop().time
        async with self._source() as count:
            self.counter.start(self._now())
            counting = asyncio.create_task(count)
            counting.add_done_callback(lambda _: self._news.set())
            try:
                first = self._report()
                if self.settings.reports_at_once:
                    yield first
                while await self._wait_for_news(counting):
                    yield self._report()
                    # Until then, impulses are only counted.
                    await asyncio.wait({counting}, timeout=self.settings.interval)
                await counting
            finally:
                self.counter.stop(self._now())
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)

    def reading(self) -> Reading:
        """Return the present energy and power. Power is None before the second impulse."""
        energy, power = _EXPORT if self.settings.is_export else _IMPORT
        now = self.counter.power.at(self._now())
        registers = (
            Register(energy, self.counter.energy, "kWh"),
            Register(power, now, "W"),
        )
        return Reading(Identity(), None, registers, b"")

    def _now(self) -> int:
        """Return the time (ns)."""
        return round(self._clock() * 10**9)

    def _report(self) -> Reading:
        reading = self.reading()
        value = reading.registers[1].value
        power = value if isinstance(value, Decimal) else None
        self._reported = self.counter.impulses, self.counter.energy, power
        return reading

    async def _wait_for_news(self, counting: asyncio.Task[None]) -> bool:
        """Wait until there is something to report; return False when the source is lost."""
        while not self._has_news():
            if counting.done():
                return False
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POWER_SECONDS):
                    await self._news.wait()
        return True

    def _has_news(self) -> bool:
        impulses, energy, before = self._reported
        if (self.counter.impulses, self.counter.energy) != (impulses, energy):
            return True
        power = self.counter.power.at(self._now())
        if power is None or before is None:
            return power is not before
        change = abs(power - before)
        return change >= _NOTICEABLE and change * _NOTICEABLE_PART >= before

    def _take(self, edges: int, at: int, late: int) -> None:
        rejected = self.counter.rejected
        self.counters.good += self.counter.add(edges, at, late)
        self.counters.other += self.counter.rejected - rejected
        self._news.set()

    def _take_total(self, value: int, at: int) -> None:
        self.counters.good += self.counter.total(value, at)
        self._news.set()


class BlinkClient(ImpulseClient):
    """Counts the impulses at a port.

    Bytes of telegrams count as ``skipped``; ``received`` are bytes, or edges of modem lines.
    """

    def __init__(
        self, url: str, line: LineSettings, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the port, how to open it, the counter, and the settings. Nothing is opened yet."""
        super().__init__(url, line, counter, settings)
        self._recent = b""
        #: The time of the last byte that was no flash while telegrams came (ns).
        self._telegrams_at: int | None = None

    @override
    @asynccontextmanager
    async def _source(self) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        self._recent = b""
        self._telegrams_at = None
        modem_line = self.settings.source.modem_line
        async with Port(self.url, self.line, modem_lines=modem_line is not None) as port:
            if modem_line is None:
                yield self._count_bytes(port)
            else:
                state = await line_state(port, modem_line)
                yield follow(port, modem_line, state, self._take_edges)

    @override
    def diagnose(self) -> MeterError:
        port = redact(self.url)
        if (guess := looks_like(self._recent)) in TELEGRAMS:
            message = f"no flashes, but what looks like {guess} comes from {port}"
        elif not self._recent:
            return MeterSilentError(f"nothing comes from {port}", port=port)
        else:
            message = f"what comes from {port} comes too fast for a meter's LED"
            guess = None
        return UnknownDataError(message, port=port, looks_like=guess or UNKNOWN)

    async def _count_bytes(self, port: Port) -> None:
        flashes = (
            LongFlashes(port.baudrate)
            if self.settings.source is Source.LONG
            else ByteFlashes(self.counter.spacing, is_local=port.is_local)
        )

        while True:
            data = await port.read()
            at = self._now()
            self.counters.received += len(data)
            if self._are_telegrams(data, at):
                self.counters.skipped += len(data)
            else:
                self._take(*flashes.feed(data, at))

    def _take_edges(self, edges: int, at: int, late: int) -> None:
        self.counters.received += edges
        self._take(edges, at, late)

    def _are_telegrams(self, data: bytes, at: int) -> bool:
        """Return whether bytes belong to telegrams, which a meter may send at the same port."""
        self._recent = (self._recent + data)[-RECENT_MAX:]
        if data.translate(None, SINGLE_EDGE):
            if looks_like(self._recent) in TELEGRAMS:
                self._telegrams_at = at
        elif self._telegrams_at is not None and at - self._telegrams_at > _TELEGRAMS_LAST:
            self._telegrams_at = None
            self._recent = data
        return self._telegrams_at is not None
