"""The client for pushed telegrams, with a decoder of any protocol."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final, Protocol as Interface, override

from .channel import RECENT_MAX
from .client import PushedClient
from .errors import UNKNOWN, ChecksumError, MeterError, MeterSilentError, UnknownDataError
from .gathering import Gathering
from .line import LineSettings
from .looks import Look, are_flashes, looks_like
from .port import Port
from .reading import Reading
from .redaction import redact

#: Seconds between single bytes, at least, that are flashes instead of a telegram.
_APART: Final = 0.05
#: Seconds of silence after which an unfinished telegram is no longer expected to go on: DLMS meters
#: wait 3.5 s between its frames.
_FROZEN: Final = 5.0


class Decoder(Interface):
    """Decodes a stream of bytes; never raises, whatever the bytes are."""

    @property
    def good(self) -> int:
        """Telegrams that gave a reading."""

    @property
    def damaged(self) -> int:
        """Telegrams that were rejected or cut off."""

    @property
    def other(self) -> int:
        """Valid telegrams that gave none."""

    @property
    def skipped(self) -> int:
        """Bytes that belong to no good telegram."""

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Decode the next bytes; return the readings of the telegrams that end in them."""

    def finish(self) -> Sequence[Reading]:
        """End the stream; return the reading of a telegram whose end was not certain before.

        Another stream may follow.
        """

    def feed_in_slices(self, data: bytes) -> Iterable[Reading | None]:
        """Do the same as feed() in slices, each of which ends with None."""

    def finish_in_slices(self) -> Iterable[Reading | None]:
        """Do the same as finish() in slices."""


class StreamClient(PushedClient):
    """Decodes what comes from a port."""

    def __init__(self, url: str, line: LineSettings, decoder: Decoder, protocol: Look) -> None:
        """Take the port, how to open it, a decoder, and the name of its protocol."""
        super().__init__(url, line)
        self._decoder = decoder
        self._protocol = protocol
        #: The newest bytes since the port was opened or the last reading came, and the number of
        #: damaged telegrams before that.
        self._recent = b""
        self._damaged_before = 0
        #: Whether each of these bytes came by itself, and the event loop time of the last one.
        self._is_sparse = True
        self._received_at: float | None = None
        #: Whether the meter has fallen silent within the first telegram.
        self._is_frozen = False

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        self._restart_diagnosis()
        gathering = Gathering()
        loop = asyncio.get_running_loop()
        try:
            async with Port(self.url, self.line) as port:
                while True:
                    if pause := gathering.pause():
                        await port.pause(pause)
                    data = await port.read()
                    gathering.receive(len(data), loop.time())
                    self._observe(data)
                    for reading in self._decoder.feed_in_slices(data):
                        if reading is None:
                            await asyncio.sleep(0)
                            continue
                        self._restart_diagnosis()
                        gathering.end(loop.time())
                        yield reading
                    self._copy_counters()
        finally:
            # A telegram that the end of the connection cuts off is damaged.
            damaged = self._decoder.damaged
            for _ in self._decoder.finish_in_slices():
                await asyncio.sleep(0)
            self._copy_counters()
            self._is_frozen = (
                damaged == self._damaged_before < self._decoder.damaged
                and self._received_at is not None
                and asyncio.get_running_loop().time() - self._received_at >= _FROZEN
            )

    @override
    def diagnose(self) -> MeterError:
        port = redact(self.url)
        if not self._recent:
            return MeterSilentError(f"nothing comes from {port}", port=port)
        is_light = self._is_sparse and are_flashes(self._recent)
        guess = Look.BLINK if is_light else looks_like(self._recent)
        # Bytes of another protocol often count as damaged telegrams.
        if guess in {self._protocol, Look.NOISE, None}:
            if self._is_frozen:
                return MeterSilentError(f"nothing more comes from {port}", port=port)
            is_damaged = self.counters.damaged > self._damaged_before
            if is_damaged or guess == self._protocol == Look.IEC62056:
                message = f"telegrams come damaged from {port}"
                return ChecksumError(message, port=port, looks_like=guess or UNKNOWN)
        message = f"no {self._protocol} telegram in what comes from {port}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=port, looks_like=guess or UNKNOWN)

    def _observe(self, data: bytes) -> None:
        self.counters.received += len(data)
        self._recent = (self._recent + data)[-RECENT_MAX:]
        now, before = asyncio.get_running_loop().time(), self._received_at
        self._is_sparse &= len(data) == 1 and (before is None or now - before >= _APART)
        self._received_at = now

    def _restart_diagnosis(self) -> None:
        self._copy_counters()
        self._recent = b""
        self._damaged_before = self.counters.damaged
        self._is_sparse = True
        self._is_frozen = False

    def _copy_counters(self) -> None:
        self.counters.good = self._decoder.good
        self.counters.damaged = self._decoder.damaged
        self.counters.other = self._decoder.other
        self.counters.skipped = self._decoder.skipped
