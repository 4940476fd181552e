"""The wire between a simulated meter and whoever reads it: its speed and its damage."""

from abc import ABC, abstractmethod
import asyncio
from random import Random
from types import TracebackType
from typing import Final, Self

from .uart import Framing, Receiver, resample

#: How often characters are put on the wire, per second; a USB adapter does it about as often.
_SLICES_PER_SECOND: Final = 100
#: What we may be late in looking at a reader's port, in seconds: a reader that changes its speed
#: so shortly before its last character has left the wire is given the benefit of the doubt.
_LATE: Final = 0.01
#: What a meter that does not listen for a while finds later, in characters.
_HEARD_MAX: Final = 4096


class Line(ABC):
    """One end of a wire, on which a meter speaks and listens.

    Used as an asynchronous context manager, or with ``open`` and ``close``: closing pulls the
    cable, opening plugs it in again at the same place. As on a real wire, what nobody listens to
    is lost, and so is what a listener is too slow to take; the writer never waits for either.
    """

    def __init__(self, baudrate: int | None = None) -> None:
        """Take the speed in baud; None puts everything on the wire at once."""
        #: The meter's speed, which it may change at any time.
        self.baudrate = baudrate
        #: What the meter's characters are made of; None is ten bits, which the reader has, too.
        self.framing: Framing | None = None
        #: What the reader's port does without a stop bit.
        self.receiver = Receiver.RESTART
        #: Whether the reading head takes light for darkness.
        self.inverted = False
        #: By what share the meter's clock is too fast.
        self.clock_error = 0.0
        #: Whether the reader hears itself, as some optical heads make it.
        self.echo = False
        #: How often somebody has connected, where that can be told.
        self.connections = 0
        #: The event loop's time at which the last character that was read had left the wire.
        self.heard_at = 0.0
        self._listening = False
        self._to_be_sent = bytearray()
        self._sending: asyncio.Task[None] | None = None
        self._heard = bytearray()
        self._something_heard = asyncio.Event()

    @property
    @abstractmethod
    def url(self) -> str:
        """What a reader opens: a path or a URL."""

    @property
    @abstractmethod
    def listened_to(self) -> bool:
        """Whether anybody has opened the other end."""

    @abstractmethod
    async def open(self) -> None:
        """Plug the cable in."""

    @abstractmethod
    def close(self) -> None:
        """Pull the cable; nothing happens when it is not plugged in."""

    @abstractmethod
    def reflect(self, data: bytes) -> None:
        """Hand bytes to the reader as they are, such as its own."""

    def put(self, data: bytes) -> None:
        """Hand over bytes at once, as the reader's port reads them."""
        speed = self.reader_baudrate
        if speed is not None and self.baudrate is not None and not self._is_read_right(speed):
            data = resample(
                data,
                self.baudrate * (1 + self.clock_error),
                speed,
                self.framing or self.reader_framing,
                self.reader_framing,
                receiver=self.receiver,
                inverted=self.inverted,
            )
        self.reflect(data)

    def _is_read_right(self, speed: int) -> bool:
        """Tell whether a reader at some speed reads and writes what it is meant to."""
        is_framed = self.framing in {None, self.reader_framing}
        return speed == self.baudrate and is_framed and not self.inverted

    @property
    def bits_per_character(self) -> int:
        """The time that a character of the meter takes, in bits."""
        return (self.framing or Framing.EIGHT_NONE).bits

    async def write(self, data: bytes) -> None:
        """Send bytes, each when its last bit would have left the meter."""
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
            self.put(piece)

    @property
    def reader_baudrate(self) -> int | None:
        """The speed at which the reader sends and listens; the meter's own where it has none."""
        return self.baudrate

    @property
    def reader_framing(self) -> Framing:
        """What the reader's characters are made of."""
        return Framing.EIGHT_NONE

    def listen(self) -> None:
        """Begin to take what the reader sends; before, it goes nowhere."""
        self._listening = True

    async def read(self) -> bytes:
        """Wait for characters of the reader and return them, as the meter hears them.

        They come when they have left the wire, not when the reader has written them. Each goes
        over the wire at the speed that the reader's port then has: a reader that changes it too
        early spoils what is still on its way.
        """
        self.listen()
        await self._something_heard.wait()
        heard = bytes(self._heard)
        self.forget()
        return heard

    def forget(self) -> None:
        """Drop what was heard, but not yet read."""
        self._heard.clear()
        self._something_heard.clear()

    def sent_by_reader(self, data: bytes) -> None:
        """Put on the wire what the reader has written; for the kinds of line."""
        if not self._listening:
            return
        self._to_be_sent += data
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._carry())

    def cut(self) -> None:
        """Drop what is on the wire; for the kinds of line."""
        self._to_be_sent.clear()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    async def _carry(self) -> None:
        """Carry the reader's characters to the meter, each at the reader's speed."""
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
                # Changed on the way: the rest of the character goes out at the new speed.
                speed = self.reader_baudrate
                await asyncio.sleep(due - loop.time())
            del self._to_be_sent[: len(piece)]
            self._hear(piece, speed, due)
        self._sending = None

    def _hear(self, piece: bytes, speed: int | None, at: float) -> None:
        if self.echo:
            self.reflect(piece)
        if speed is not None and self.baudrate is not None and not self._is_read_right(speed):
            # Heads invert what they receive alone.
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
        """Pull the cable."""
        self.close()


def damage(data: bytes, random: Random, *, noise: float = 0.0, lose: float = 0.0) -> bytes:
    """Lose bytes and change others, each with its probability per byte."""
    arrived = bytearray()
    for byte in data:
        if lose and random.random() < lose:
            continue
        changed = noise and random.random() < noise
        arrived.append(byte ^ random.randrange(1, 256) if changed else byte)
    return bytes(arrived)
