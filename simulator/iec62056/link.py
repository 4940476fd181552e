"""The characters that a meter sends and receives on a line, and their times."""

import asyncio
from collections import deque
from typing import Final

from simulator.line import Line

from .encoder import with_even_parity, with_odd_parity, without_parity

#: Longest time between two characters of a message, in seconds (clause 6.4.3).
CHARACTER_TIMEOUT: Final = 1.5


class Link:
    """A meter's side of the line: seven-bit characters, with or without parity."""

    def __init__(self, line: Line) -> None:
        """Begin to receive from a line."""
        self.line = line
        #: Whether the meter sends with even parity, as in the standard.
        self.even_parity = True
        self.odd_parity = False
        #: Whether it drops characters that are received with odd parity.
        self.strict = False
        #: Event loop time at the end of the last received character.
        self.heard_at = 0.0
        self._heard: deque[int] = deque()
        line.listen()

    @property
    def character_time(self) -> float:
        """Duration of a character at the current speed, in seconds."""
        return self.line.bits_per_character / self.line.baudrate if self.line.baudrate else 0.0

    async def character(self, deadline: float | None = None) -> int | None:
        """Wait for a character until a deadline in event loop time; None if there is none."""
        try:
            async with asyncio.timeout_at(deadline):
                while not self._heard:
                    data = await self.line.read()
                    self._heard.extend(without_parity(data, strict=self.strict))
                    self.heard_at = self.line.heard_at
        except TimeoutError:
            return None
        return self._heard.popleft()

    async def wait_until(self, time: float) -> None:
        """Wait until an event loop time."""
        await asyncio.sleep(time - asyncio.get_running_loop().time())

    async def send(self, data: bytes) -> None:
        """Send characters; what is received meanwhile is lost, since the meter is busy."""
        if self.odd_parity:
            data = with_odd_parity(data)
        elif self.even_parity:
            data = with_even_parity(data)
        await self.line.write(data)
        self.line.forget()
        self._heard.clear()
