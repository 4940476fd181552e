"""Speaking to a meter until it sends what it was asked for, whatever goes wrong on the way."""

from itertools import cycle
from typing import Final

from ..detect import looks_like
from ..errors import (
    UNKNOWN,
    ChecksumError,
    FixedSpeedError,
    MeterError,
    MeterSilentError,
    NoReadoutError,
    UnknownDataError,
)
from ..port import redact
from .block import CheckKind
from .identification import SPEEDS
from .link import Link
from .memory import OTHER_SPEED, Memory
from .parity import with_parity
from .settings import SignOn
from .sign_on import Greeting, Option, acknowledge, leave, send_acknowledgement, sign_on

#: Longer than any meter thinks (tr), for one that has been interrupted by the repetition.
_REPEAT_AFTER_LONGEST: Final = 1.6
#: Seconds after the repetition without an answer, after which it comes at the old speed, if at all.
_FALL_BACK_AFTER: Final = 1.0
_NO_ANSWER: Final = 5.0
#: Characters by which the speed is judged, and the seconds in which they have come.
_SAMPLE: Final = 4
#: As many are needed to say that it is wrong: some heads send garbage while the speed changes.
_SAMPLE_WRONG: Final = 16
_SAMPLE_SECONDS: Final = 1.5
#: What meters send: printable characters, and SOH, STX, ETX, EOT, ACK, NAK, CR, LF.
_TEXT: Final = bytes({*range(0x20, 0x7F), 1, 2, 3, 4, 6, 0x15, 0x0D, 0x0A})
_TEXT_WITH_PARITY: Final = with_parity(_TEXT)
#: Share of the first characters that are text at least, and of all that bear a parity bit where
#: characters have one.
_SAMPLE_SHARE: Final = 0.5
_PARITY_SHARE: Final = 0.2


def is_text(data: bytes | bytearray, share: float) -> bool:
    """Tell whether more than a share of what came is text, with right parity if it has any."""
    highest = sum(byte >> 7 for byte in data)
    text = _TEXT_WITH_PARITY if highest > _PARITY_SHARE * len(data) else _TEXT
    return not data or len(data) - len(data.translate(None, text)) > share * len(data)


class WrongSpeedError(Exception):
    """What comes is no text: the meter sends at another speed."""


class Conversation:
    """One opening of the port."""

    def __init__(self, link: Link, settings: SignOn, memory: Memory) -> None:
        """Take the line, how to speak to the meter, and what is known of it."""
        self.link = link
        self._settings = settings
        self._memory = memory
        self._port = redact(link.port.url)
        #: Where the meter is if it has not changed its speed, or has although it should not.
        self._old_speed = link.port.baudrate
        self._was_repeated = False

    async def greet(self) -> Greeting:
        """Sign on, at each speed at which the meter may answer, and out of each mode.

        Raises MeterSilentError, FixedSpeedError, UnknownDataError.
        """
        memory = self._memory
        first = memory.sign_on_speed
        # It may wait at another speed by now, or be another meter.
        others = {self.link.port.line.baudrate, OTHER_SPEED} - {first}
        if not self.link.port.has_speed:
            others.clear()
        speeds = (first, first, *(() if self._settings.wake_up else sorted(others)))
        for speed, kind in zip(speeds, cycle(CheckKind), strict=False):
            greeting = await sign_on(self.link, self._settings, speed)
            if greeting is not None:
                memory.sign_on_speed = speed
                memory.identification = greeting.identification
                return greeting
            if not self._settings.wake_up:
                stuck = (memory.speed,) if memory.identification else SPEEDS
                await leave(self.link, memory.check.kind or kind, *stuck, first)
        raise self._why_silent()

    async def select(self, greeting: Greeting, option: Option) -> bytes:
        """Ask a meter that has answered for something; return how its answer begins.

        Raises NoReadoutError where none comes, WrongSpeedError where it is no text.
        """
        memory, link = self._memory, self.link
        identification = greeting.identification
        self._old_speed = link.port.baudrate
        self._was_repeated = False
        speed = await acknowledge(link, greeting, self._settings, option, follow=memory.follows)
        if not identification.is_negotiated:
            return b"" if greeting.has_more else await self._sample(_NO_ANSWER)
        memory.speed = speed
        if option is Option.HDLC:
            return b""
        if data := await self._sample(memory.repeat_after + link.port.wire_time(1)):
            return data
        await link.set_speed(self._old_speed)
        await send_acknowledgement(link, identification, option, speed)
        self._was_repeated = True
        if memory.follows:
            await link.set_speed(speed)
        if data := await self._sample(_FALL_BACK_AFTER):
            return data
        await link.set_speed(self._old_speed)
        if data := await self._sample(_NO_ANSWER):
            return data
        # At the wrong speed, a short answer may look like none.
        memory.follows = True
        message = f"the meter at {self._port} answers, but sends nothing"
        raise NoReadoutError(message, port=self._port)

    async def learn_from(self, error: ChecksumError | WrongSpeedError) -> None:
        """Draw the conclusion of an answer that could not be read."""
        memory, link = self._memory, self.link
        if self._was_repeated:
            memory.repeat_after = _REPEAT_AFTER_LONGEST
        if not isinstance(error, WrongSpeedError):
            # Garbage may pass for damaged text. What most meters do is tried again next.
            memory.follows = True
        elif memory.speed != self._old_speed:
            # It has not changed its speed, or has changed it this time.
            memory.follows = not memory.follows
            other = {self._old_speed: memory.speed, memory.speed: self._old_speed}
            await link.set_speed(other.get(link.port.baudrate, self._old_speed))
            await link.drain_readout(_SAMPLE_SECONDS)

    async def _sample(self, seconds: float) -> bytes:
        """Return the first characters that come, once they are enough to judge the speed by."""
        data = await self.link.receive(seconds)
        if not data:
            return b""
        while len(data) < (_SAMPLE if is_text(data, _SAMPLE_SHARE) else _SAMPLE_WRONG):
            more = await self.link.receive(_SAMPLE_SECONDS)
            if not more:
                break
            data += more
        if not is_text(data, _SAMPLE_SHARE):
            raise WrongSpeedError
        return data

    def _why_silent(self) -> MeterError:
        """Say why there was no identification."""
        heard = self.link.heard
        if not heard:
            message = f"nothing comes from {self._port}"
            if self.link.port.has_speed or self._memory.identification:
                return MeterSilentError(message, port=self._port)
            message += ", whose speed is fixed: meters that begin at 300 baud need rfc2217://"
            return FixedSpeedError(message, port=self._port)
        guess = looks_like(heard)
        message = f"no IEC 62056-21 in what comes from {self._port}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=self._port, looks_like=guess or UNKNOWN)
