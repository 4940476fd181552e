"""The characters between a meter and whoever reads it, and when they come."""

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
        """Take the line; it is listened to from now on."""
        self.line = line
        #: Whether the meter sends its characters with even parity, as the standard wants it.
        self.even_parity = True
        self.odd_parity = False
        #: Whether it drops what comes with odd parity.
        self.strict = False
        #: When the last character had come, in the event loop's time.
        self.heard_at = 0.0
        self._heard: deque[int] = deque()
        line.listen()

    @property
    def character_time(self) -> float:
        """Seconds that a character takes at the present speed."""
        return self.line.bits_per_character / self.line.baudrate if self.line.baudrate else 0.0

    async def character(self, deadline: float | None = None) -> int | None:
        """Wait for a character; None when the event loop's time has reached the deadline."""
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
        """Wait for a time of the event loop."""
        await asyncio.sleep(time - asyncio.get_running_loop().time())

    async def send(self, data: bytes) -> None:
        """Send characters. What comes meanwhile is not heard: the meter is busy."""
        if self.odd_parity:
            data = with_odd_parity(data)
        elif self.even_parity:
            data = with_even_parity(data)
        await self.line.write(data)
        self.line.forget()
        self._heard.clear()
