"""The client for meters that blink: counts their impulses, and tells the power in between."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from decimal import Decimal
import time
from typing import Any, Final, override

from ..client import PushedClient
from ..detect import SINGLE_EDGE, TELEGRAMS, looks_like
from ..errors import UNKNOWN, MeterError, MeterSilentError, UnknownDataError
from ..line import LineSettings
from ..obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER_EXPORT, POWER_IMPORT
from ..port import Port
from ..reading import Identity, Reading, Register
from ..redaction import redact
from .counter import ImpulseCounter
from .settings import BlinkSettings, Source
from .source import ByteFlashes, LongFlashes, follow, line_state

#: Bytes kept to say what they look like.
_HEARD_MAX: Final = 512
#: For so long after the last byte that is none of a flash, telegrams are taken to go on (ns).
_TELEGRAMS_LAST: Final = 10 * 10**9
#: Seconds from one look at the power to the next while no impulse comes.
_LOOK: Final = 1.0
#: What power must change by to be told without an impulse: so many W, and one part in so many.
_NOTICEABLE: Final = 1
_NOTICEABLE_PART: Final = 50

#: Energy and power, imported and exported. It is not the power 16.7.0, which is signed: of a meter
#: that counts one direction the impulses tell nothing about the other.
_IMPORT: Final = (ENERGY_IMPORT, POWER_IMPORT)
_EXPORT: Final = (ENERGY_EXPORT, POWER_EXPORT)


class ImpulseClient(PushedClient):
    """Counts impulses, wherever they come from.

    The counter is somebody else's, and has all that outlives this client. Among the client's own
    counters, good are the impulses counted, other those rejected.
    """

    def __init__(
        self, url: str, line: LineSettings, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take where impulses come from, what counts them, and how. Nothing is opened yet."""
        super().__init__(url, line)
        self.counter = counter
        self.settings = settings
        self._news = asyncio.Event()
        #: That of the event loop that listens, in seconds: the monotonic clock, except in tests.
        self._clock: Callable[[], float] = time.monotonic
        # What the last reading told: impulses, energy, power.
        self._told: tuple[int, Decimal, Decimal | None] = (0, Decimal(0), None)

    @abstractmethod
    def _source(self) -> AbstractAsyncContextManager[Coroutine[Any, Any, None]]:
        """Open the source; what it gives counts until the source is lost, and then raises."""

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        """Yield a reading when impulses have come or power has changed noticeably without any.

        There is at most one for each interval of the settings.
        """
        self._clock = asyncio.get_running_loop().time
        async with self._source() as count:
            self.counter.start(self._now())
            counting = asyncio.create_task(count)
            counting.add_done_callback(lambda _: self._news.set())
            try:
                at_once = self._tell()
                if self.settings.is_told_at_once:
                    yield at_once
                while await self._until_news(counting):
                    yield self._tell()
                    # Meanwhile impulses are only counted.
                    await asyncio.wait({counting}, timeout=self.settings.interval)
                await counting
            finally:
                self.counter.stop(self._now())
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)

    def reading(self) -> Reading:
        """Return what is known now. Power is None before the second impulse."""
        energy, power = _EXPORT if self.settings.is_export else _IMPORT
        now = self.counter.power.at(self._now())
        registers = (
            Register(energy, self.counter.energy, "kWh"),
            Register(power, now, "W"),
        )
        return Reading(Identity(), None, registers, b"")

    def _now(self) -> int:
        """Return the time in nanoseconds."""
        return round(self._clock() * 10**9)

    def _tell(self) -> Reading:
        reading = self.reading()
        power = reading.registers[1].value
        told = power if isinstance(power, Decimal) else None
        self._told = self.counter.impulses, self.counter.energy, told
        return reading

    async def _until_news(self, counting: asyncio.Task[None]) -> bool:
        """Wait until there is something to tell; return whether there is, or the port is lost."""
        while not self._has_news():
            if counting.done():
                return False
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._news.wait()
        return True

    def _has_news(self) -> bool:
        impulses, energy, before = self._told
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
    """Counts the impulses that come to a port.

    Skipped are the bytes of what are telegrams and no flashes; of modem lines the edges are
    received.
    """

    def __init__(
        self, url: str, line: LineSettings, counter: ImpulseCounter, settings: BlinkSettings
    ) -> None:
        """Take the port, how to open it, and what counts and how. Nothing is opened yet."""
        super().__init__(url, line, counter, settings)
        self._heard = b""
        self._telegrams_at: int | None = None

    @override
    @asynccontextmanager
    async def _source(self) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        self._heard = b""
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
        guess = looks_like(self._heard)
        if guess in TELEGRAMS:
            message = f"no flashes, but what looks like {guess} comes from {port}"
        elif not self._heard:
            return MeterSilentError(f"nothing comes from {port}", port=port)
        else:
            message = f"what comes from {port} comes too fast for a meter's light"
            guess = UNKNOWN
        return UnknownDataError(message, port=port, looks_like=guess)

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
        """Tell whether bytes belong to telegrams, as meters send them at the same port."""
        self._heard = (self._heard + data)[-_HEARD_MAX:]
        if data.translate(None, SINGLE_EDGE):
            if looks_like(self._heard) in TELEGRAMS:
                self._telegrams_at = at
        elif self._telegrams_at is not None and at - self._telegrams_at > _TELEGRAMS_LAST:
            self._telegrams_at = None
            self._heard = data
        return self._telegrams_at is not None
