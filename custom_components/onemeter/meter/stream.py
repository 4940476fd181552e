"""Listening to a meter that pushes its telegrams, whatever they are made of."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final, Protocol as Interface, override

from .client import PushedClient
from .detect import FLASHES, IEC62056, NOISE, are_flashes, looks_like
from .errors import UNKNOWN, ChecksumError, MeterError, MeterSilentError, UnknownDataError
from .line import LineSettings
from .port import Port
from .reading import Reading
from .redaction import redact

#: Bytes kept to say what they look like: the larger part of most telegrams.
_HEARD_MAX = 512
#: Seconds from one byte to the next, at the least, that belong to no telegram.
_APART: Final = 0.05
#: Seconds without a byte that no meter leaves within a telegram: DLMS meters wait 3.5 s between
#: the frames of one.
_FROZEN: Final = 5.0


class Decoder(Interface):
    """Makes readings of a stream of bytes; whatever comes, it never raises."""

    @property
    def good(self) -> int:
        """Telegrams that gave a reading."""

    @property
    def damaged(self) -> int:
        """Telegrams that were rejected or cut off."""

    @property
    def other(self) -> int:
        """Telegrams in order that gave none."""

    @property
    def skipped(self) -> int:
        """Bytes that belong to no good telegram."""

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Take the next bytes; return the readings of telegrams ending in them."""

    def finish(self) -> Sequence[Reading]:
        """End the stream: return what was only not known to be complete. Another may follow."""

    def feed_in_slices(self, data: bytes) -> Iterable[Reading | None]:
        """Do what feed() does; None is the end of a slice, after which others have their turn."""

    def finish_in_slices(self) -> Iterable[Reading | None]:
        """Do what finish() does, in slices."""


class StreamClient(PushedClient):
    """Feeds what comes from a port to a decoder."""

    def __init__(self, url: str, line: LineSettings, decoder: Decoder, protocol: str) -> None:
        """Take the port, how to open it, and what reads this protocol. Nothing is opened yet."""
        super().__init__(url, line)
        self._decoder = decoder
        self._protocol = protocol
        # Since the port was opened or the last reading came: the newest bytes, and how many
        # telegrams were damaged before.
        self._heard = b""
        self._damaged_before = 0
        # Whether each byte came by itself, and when the last one did.
        self._is_sparse = True
        self._heard_at: float | None = None
        # Whether the other side fell silent in the middle of a telegram, after no damage.
        self._is_frozen = False

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        self._start_over()
        try:
            async with Port(self.url, self.line) as port:
                while True:
                    data = await port.read()
                    self._hear(data)
                    for reading in self._decoder.feed_in_slices(data):
                        if reading is None:
                            await asyncio.sleep(0)
                            continue
                        self._start_over()
                        yield reading
                    self._count()
        finally:
            # What the end of the connection cut off is damaged.
            damaged = self._decoder.damaged
            for _ in self._decoder.finish_in_slices():
                await asyncio.sleep(0)
            self._count()
            self._is_frozen = (
                damaged == self._damaged_before < self._decoder.damaged
                and self._heard_at is not None
                and asyncio.get_running_loop().time() - self._heard_at >= _FROZEN
            )

    @override
    def diagnose(self) -> MeterError:
        port = redact(self.url)
        if not self._heard:
            return MeterSilentError(f"nothing comes from {port}", port=port)
        is_light = self._is_sparse and are_flashes(self._heard)
        guess = FLASHES if is_light else looks_like(self._heard)
        # In another protocol there is much that looks like a damaged telegram.
        if guess in {self._protocol, NOISE, None}:
            if self._is_frozen:
                return MeterSilentError(f"nothing more comes from {port}", port=port)
            is_damaged = self.counters.damaged > self._damaged_before
            if is_damaged or guess == self._protocol == IEC62056:
                message = f"telegrams come damaged from {port}"
                return ChecksumError(message, port=port, looks_like=guess or UNKNOWN)
        message = f"no {self._protocol} telegram in what comes from {port}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=port, looks_like=guess or UNKNOWN)

    def _hear(self, data: bytes) -> None:
        self.counters.received += len(data)
        self._heard = (self._heard + data)[-_HEARD_MAX:]
        now, before = asyncio.get_running_loop().time(), self._heard_at
        self._is_sparse &= len(data) == 1 and (before is None or now - before >= _APART)
        self._heard_at = now

    def _start_over(self) -> None:
        self._count()
        self._heard = b""
        self._damaged_before = self.counters.damaged
        self._is_sparse = True
        self._is_frozen = False

    def _count(self) -> None:
        self.counters.good = self._decoder.good
        self.counters.damaged = self._decoder.damaged
        self.counters.other = self._decoder.other
        self.counters.skipped = self._decoder.skipped
