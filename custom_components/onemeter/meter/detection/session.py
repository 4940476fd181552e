"""The port while a meter is looked for: what has come through it, and how much light went out."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, override

from ..line import Framing, LineSettings
from ..modem import COUNT_WRAPS, frame_errors
from ..port import Port
from ..protocols import Protocol
from .bursts import Burst, Bursts
from .lines import other_framings
from .result import Candidate
from .telegrams import TelegramSearch

#: Bytes kept to find out what they look like.
_HEARD_MAX: Final = 1024
#: Seconds between two reports of progress.
_REPORT_SECONDS: Final = 0.5
#: Seconds for which bytes that have come while the event loop was busy are waited for.
_LATE: Final = 0.005
#: Bits of a character besides those of its value: start bit, and stop bit.
_EIGHT: Final = 8
#: Share of frame errors from which on they are no damage.
_ERRORS_SHARE: Final = 0.1


@dataclass(slots=True)
class Traffic:
    """What has come and gone since the port was first open."""

    opened: float
    #: All bytes, the newest of them, and when the last one came.
    received: int = 0
    heard: bytes = b""
    heard_at: float | None = None
    #: Seconds of light that was sent, and when the first of it was.
    light_seconds: float = 0.0
    light_at: float | None = None
    tried: list[LineSettings] = field(default_factory=list)

    def hear(self, data: bytes, now: float) -> None:
        """Note what came."""
        self.received += len(data)
        self.heard = (self.heard + data)[-_HEARD_MAX:]
        self.heard_at = now

    def note(self, line: LineSettings) -> None:
        """Note that the port is listened to, or spoken to, with these settings."""
        plain = LineSettings(line.baudrate, line.framing)
        if plain not in self.tried:
            self.tried.append(plain)


class _CountingPort(Port):
    """A port that counts what is sent through it as light: each bit that is 0."""

    def __init__(self, url: str, line: LineSettings, traffic: Traffic) -> None:
        super().__init__(url, line)
        self.traffic = traffic
        self._sent = b""

    @override
    async def read(self, until: float | None = None) -> bytes:
        data = await super().read(until)
        # Some heads return what is sent through them.
        size = min(len(data), len(self._sent))
        is_echo = data[:size] == self._sent[:size]
        self._sent = self._sent[size:] if is_echo else b""
        if others := data[size:] if is_echo else data:
            self.traffic.hear(others, asyncio.get_running_loop().time())
        return data

    @override
    async def write(self, data: bytes) -> None:
        traffic = self.traffic
        self._sent += data
        traffic.note(LineSettings(self.baudrate, self.line.framing))
        if traffic.light_at is None:
            traffic.light_at = asyncio.get_running_loop().time()
        dark = sum(byte.bit_count() for byte in data)
        start_and_parity = len(data) * (2 if self.line.framing is Framing.EIGHT_EVEN else 1)
        traffic.light_seconds += (len(data) * _EIGHT - dark + start_and_parity) / self.baudrate
        await super().write(data)


class Session:
    """The open port, and what is understood of what comes."""

    def __init__(self, port: Port, traffic: Traffic, report: Callable[[], None]) -> None:
        """Take the open port, the traffic of all sessions, and what to call now and then."""
        self.port = port
        self.traffic = traffic
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._errors_before: int | None = None
        self._received_before = 0
        self._listen_anew()

    def _listen_anew(self) -> None:
        self.line = LineSettings(self.port.baudrate, self.port.line.framing)
        self._bursts = Bursts(self._loop.time(), is_local=self.port.is_local)
        self._search = TelegramSearch(self.port.line, has_speed=self.port.has_speed)

    async def set_line(self, line: LineSettings) -> None:
        """Listen with other settings; what has come with the old ones is forgotten."""
        if self.port.has_speed:
            await self.port.set_line(line.baudrate, line.framing)
        self._listen_anew()
        await self.count_errors()

    async def count_errors(self) -> None:
        """Count frame errors from now on."""
        self._errors_before = await self._frame_errors()
        self._received_before = self.traffic.received

    async def _frame_errors(self) -> int | None:
        return await self.port.examine(frame_errors) if self.port.is_local else None

    async def proved(self) -> list[Candidate]:
        """Return the candidates, with the framing that fits the errors that the driver has counted.

        Some receivers read frames that have a parity bit where none is expected, and the other way
        round: then characters come without a stop bit.
        """
        candidates = self.candidates()
        if not any(candidate.protocol is Protocol.DLMS for candidate in candidates):
            return candidates
        before, now = self._errors_before, await self._frame_errors()
        if before is None or now is None:
            return candidates
        received = self.traffic.received - self._received_before
        if (now - before) % COUNT_WRAPS <= _ERRORS_SHARE * received:
            return candidates
        return [_with_other_framing(candidate) for candidate in candidates]

    def candidates(self) -> list[Candidate]:
        """Return what is proved by what has come with the present settings."""
        return self._search.candidates()

    async def _take(self, until: float) -> bool:
        """Take what comes by a time; return whether anything did."""
        if not (data := await self.port.read(until)):
            return False
        self._bursts.take(data, self._loop.time())
        for _ in self._search.feed_in_slices(data):
            await asyncio.sleep(0)
        return True

    @property
    def is_promising(self) -> bool:
        """Whether more of the same would prove something."""
        return self._search.is_promising

    @property
    def has_right_line(self) -> bool:
        """Whether something has come with a right checksum, though it proves nothing yet."""
        return self._search.has_right_line

    @property
    def unfinished(self) -> bytes:
        """What has come of the present burst."""
        current = self._bursts.current
        return b"" if current is None else bytes(current.data)

    @property
    def follows_silence(self) -> bool:
        """Whether the present burst begins with its first byte."""
        current = self._bursts.current
        return current is not None and current.follows_silence

    async def listen(self, until: float) -> Burst | None:
        """Take what comes next; return the burst that has ended by that, if one has.

        Returns at the event loop's time ``until`` at the latest.
        """
        self.traffic.note(self.line)
        now = self._loop.time()
        ends = self._bursts.ends_at
        wake = min(until, now + _REPORT_SECONDS, until if ends is None else ends)
        if not await self._take(wake) and ends is not None and wake >= ends:
            # An event loop that was busy may have let the time pass.
            await self._take(self._loop.time() + _LATE)
        self._report()
        return self._bursts.finished(self._loop.time())


@asynccontextmanager
async def opened(
    url: str, line: LineSettings, traffic: Traffic, report: Callable[[], None]
) -> AsyncGenerator[Session]:
    """Open the port; it is closed in any case.

    Raises MeterConnectionError.
    """
    async with _CountingPort(url, line, traffic) as port:
        session = Session(port, traffic, report)
        await session.count_errors()
        yield session


def _with_other_framing(candidate: Candidate) -> Candidate:
    others = other_framings(candidate.line)
    if candidate.protocol is not Protocol.DLMS or not others:
        return candidate
    line = replace(candidate.line, framing=others[0].framing)
    return replace(candidate, line=line)
