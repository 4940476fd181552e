"""The line between a simulated meter and its reader: its speed, and damage on it."""

from abc import ABC, abstractmethod
import asyncio
from functools import partial
from random import Random
from types import TracebackType
from typing import Final, Self

from .uart import Framing, Receiver, Sampler, resample

#: How often per second characters are delivered; USB adapters do so about as often.
_SLICES_PER_SECOND: Final = 100
#: How late the speed of a reader's port may be seen, in seconds: a change of speed this shortly
#: before the end of the last character does not count as too early.
_LATE: Final = 0.01
#: Characters that are kept for a meter that does not read them at once.
_HEARD_MAX: Final = 4096


class Line(ABC):
    """The meter's end of a line.

    Used as an asynchronous context manager, or with ``open`` and ``close``: closing unplugs the
    cable, opening plugs it in again at the same port. As on a real line, bytes are lost if no
    reader has the port open or if it is too slow; the writer never waits for the reader.
    """

    def __init__(self, baudrate: int | None = None) -> None:
        """Create a line with a speed in baud; None transfers everything at once."""
        #: Speed of the meter in baud, which it may change at any time.
        self.baudrate = baudrate
        #: Framing of the meter's characters; None: that of the reader, with ten bits.
        self.framing: Framing | None = None
        #: What the reader's UART does when there is no stop bit.
        self.receiver = Receiver.RESTART
        #: Whether the reading head inverts the signal.
        self.inverted = False
        #: Share by which the meter's clock is too fast.
        self.clock_error = 0.0
        #: Whether the reader receives its own bytes, as with some optical heads.
        self.echo = False
        #: Number of connections so far, where they can be counted.
        self.connections = 0
        #: Event loop time at the end of the last received character.
        self.heard_at = 0.0
        self._sampling: tuple[object, Sampler] | None = None
        self._listening = False
        self._to_be_sent = bytearray()
        self._sending: asyncio.Task[None] | None = None
        self._heard = bytearray()
        self._something_heard = asyncio.Event()

    @property
    @abstractmethod
    def url(self) -> str:
        """The path or URL that a reader opens."""

    @property
    @abstractmethod
    def listened_to(self) -> bool:
        """Whether a reader has the port open."""

    @abstractmethod
    async def open(self) -> None:
        """Plug the cable in."""

    @abstractmethod
    def close(self) -> None:
        """Unplug the cable, if it is plugged in."""

    @abstractmethod
    def reflect(self, data: bytes) -> None:
        """Deliver bytes to the reader unchanged, such as its own."""

    def put(self, data: bytes, *, is_end: bool = True) -> None:
        """Deliver bytes at once, as the reader's UART receives them.

        Without an end, more bytes follow without a gap.
        """
        speed = self.reader_baudrate
        if speed is not None and self.baudrate is not None and not self._is_read_right(speed):
            data = self._sampler(self.baudrate, speed).take(data, is_end=is_end)
        self.reflect(data)

    def _sampler(self, baudrate: int, speed: int) -> Sampler:
        """Return the reader's UART, a new one if anything has changed."""
        new = partial(
            Sampler,
            baudrate * (1 + self.clock_error),
            speed,
            self.framing or self.reader_framing,
            self.reader_framing,
            receiver=self.receiver,
            inverted=self.inverted,
        )
        settings = (new.args, new.keywords)
        if self._sampling is None or self._sampling[0] != settings:
            self._sampling = settings, new()
        return self._sampling[1]

    def _is_read_right(self, speed: int) -> bool:
        """Whether a reader at this speed receives the meter's characters unchanged."""
        is_framed = self.framing in {None, self.reader_framing}
        return speed == self.baudrate and is_framed and not self.inverted

    @property
    def bits_per_character(self) -> int:
        """The length of a character of the meter, in bits."""
        return (self.framing or Framing.EIGHT_NONE).bits

    async def write(self, data: bytes) -> None:
        """Send bytes, and deliver each at the end of its last bit."""
        if self.baudrate is None:
            self.put(data)
            return
        loop = asyncio.get_running_loop()
        started = loop.time()
        characters_per_second = self.baudrate / self.bits_per_character
        size = max(1, int(characters_per_second / _SLICES_PER_SECOND))
        for position in range(0, len(data), size):
            piece = data[position : position + size]
            due = started + (position + len(piece)) / characters_per_second
            await asyncio.sleep(due - loop.time())
            self.put(piece, is_end=position + size >= len(data))

    @property
    def reader_baudrate(self) -> int | None:
        """The speed of the reader's port; that of the meter where it has none of its own."""
        return self.baudrate

    @property
    def reader_framing(self) -> Framing:
        """The framing of the reader's port."""
        return Framing.EIGHT_NONE

    def listen(self) -> None:
        """Begin to receive; what the reader has sent before is lost."""
        self._listening = True

    async def read(self) -> bytes:
        """Wait for characters of the reader and return them as the meter's UART receives them.

        Each character arrives at its end on the line, not when the reader writes it, and is sent
        at the speed that the reader's port has then: a reader that changes the speed too early
        damages the characters that are still to be sent.
        """
        self.listen()
        await self._something_heard.wait()
        heard = bytes(self._heard)
        self.forget()
        return heard

    def forget(self) -> None:
        """Discard characters that were received but not read."""
        self._heard.clear()
        self._something_heard.clear()

    def sent_by_reader(self, data: bytes) -> None:
        """Send what the reader has written; called by subclasses."""
        if not self._listening:
            return
        self._to_be_sent += data
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._carry())

    def cut(self) -> None:
        """Discard what is being sent by the reader; called by subclasses."""
        self._to_be_sent.clear()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    async def _carry(self) -> None:
        """Deliver the reader's characters to the meter, at the reader's speed."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._to_be_sent:
            speed = self.reader_baudrate
            size = len(self._to_be_sent)
            if speed is not None:
                size = max(1, speed // self.reader_framing.bits // _SLICES_PER_SECOND)
            piece = bytes(self._to_be_sent[:size])
            if speed is not None:
                due += len(piece) * self.reader_framing.bits / speed
                await asyncio.sleep(due - _LATE - loop.time())
                # Changed meanwhile: the rest of the character is sent at the new speed.
                speed = self.reader_baudrate
                await asyncio.sleep(due - loop.time())
            del self._to_be_sent[: len(piece)]
            self._hear(piece, speed, due)
        self._sending = None

    def _hear(self, piece: bytes, speed: int | None, at: float) -> None:
        if self.echo:
            self.reflect(piece)
        if speed is not None and self.baudrate is not None and not self._is_read_right(speed):
            # A reading head that inverts does so only in its own receive direction.
            framing = self.framing or self.reader_framing
            piece = resample(piece, speed, self.baudrate, self.reader_framing, framing)
        if not piece:
            return
        self.heard_at = at
        self._heard += piece
        del self._heard[:-_HEARD_MAX]
        self._something_heard.set()

    async def __aenter__(self) -> Self:
        """Plug the cable in."""
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unplug the cable."""
        self.close()


def damage(data: bytes, random: Random, *, noise: float = 0.0, lose: float = 0.0) -> bytes:
    """Remove bytes and change others, each with its probability per byte."""
    arrived = bytearray()
    for byte in data:
        if lose and random.random() < lose:
            continue
        changed = noise and random.random() < noise
        arrived.append(byte ^ random.randrange(1, 256) if changed else byte)
    return bytes(arrived)
