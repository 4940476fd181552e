"""Speaking to a meter until it sends what it was asked for, whatever goes wrong on the way."""

import asyncio
from itertools import cycle
from typing import Final

from ..detect import IEC62056, looks_like
from ..errors import (
    UNKNOWN,
    ChecksumError,
    FixedSpeedError,
    MeterError,
    MeterPushesError,
    MeterSilentError,
    NoReadoutError,
    UnknownDataError,
    WrongParityError,
)
from ..port import redact
from .block import CheckKind
from .identification import IDENTIFICATION_LINE, SPEEDS, Identification
from .link import Link
from .memory import OTHER_SPEED, Memory
from .parity import ParityTally, with_parity, without_parity
from .settings import SignOn
from .sign_on import (
    Option,
    SignOnResponse,
    agreed_speed,
    is_acknowledged,
    leave,
    send_acknowledgement,
    settle,
    sign_on,
)

#: Seconds after the acknowledgement within which the answer begins (tr, 6.3.14 item 12): another
#: acknowledgement would disturb it. Most meters that have not heard it fall back just after them.
_ANSWER_WITHIN: Final = 1.55
#: Seconds after the acknowledgement before which a meter that has not heard it does not begin its
#: readout at the old speed (tt, likewise).
_FALL_BACK_AFTER: Final = 1.0
#: Seconds after the identification until which it has begun it, with its first character.
_READOUT_WITHIN: Final = 2.3
#: Characters by which the speed is recognized, the share of them that is text then, and seconds.
_SEARCHED: Final = 16
_SEARCHED_SHARE: Final = 0.85
_SEARCHED_SECONDS: Final = 0.5
_NO_ANSWER: Final = 5.0
#: Characters by which the speed is judged, and the seconds in which they have come.
_SAMPLE: Final = 4
#: As many are needed to say that it is wrong: some heads send garbage while the speed changes.
_SAMPLE_WRONG: Final = 16
_SAMPLE_SECONDS: Final = 1.5
_ETX: Final = b"\x03"
#: Characters before the acknowledgement that are more than noise.
_EARLY: Final = 2
#: Seconds for which it is listened whether a meter goes on without being asked, and characters.
_UNASKED_SECONDS: Final = 5.0
_UNASKED_MAX: Final = 256
#: Share of characters whose parity is wrong at least where all have another one.
_WRONG_PARITY_SHARE: Final = 0.25
#: Speeds that are looked for last.
_RARE_SPEEDS: Final = (1200, 600)
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


def has_other_parity(data: bytes) -> bool:
    """Tell whether an identification came with odd parity, or with highest bits that are none."""
    line = IDENTIFICATION_LINE.search(without_parity(data))
    if line is None:
        return False
    tally = ParityTally()
    tally.add(data[slice(*line.span())])
    return tally.highest > 0 and tally.wrong > _WRONG_PARITY_SHARE * len(line[0])


class WrongSpeedError(Exception):
    """What comes is no text: the meter sends at another speed."""

    def __init__(self, *, goes_on: bool = True) -> None:
        """Take whether more of it came than a head makes while its speed changes."""
        super().__init__()
        self.goes_on = goes_on


class Conversation:
    """One opening of the port."""

    def __init__(self, link: Link, settings: SignOn, memory: Memory) -> None:
        """Take the line, how to speak to the meter, and what is known of it."""
        self.link = link
        self._settings = settings
        self._memory = memory
        self._port = redact(link.port.url)
        #: The speeds of the last selection: of the sign-on, agreed on, and of the answer.
        self._old_speed = self._agreed = self._data_speed = link.port.baudrate
        #: Whether an identification has come with another parity.
        self._has_other_parity = False
        #: Whether a readout may have come without the acknowledgement, and has once already.
        self._may_fall_back = False
        self._fell_back = False

    async def greet(self) -> SignOnResponse:
        """Sign on, at each speed at which the meter may answer, and out of each mode.

        Raises MeterSilentError, FixedSpeedError, UnknownDataError.
        """
        memory = self._memory
        speeds = self._sign_on_speeds()
        for number, kind in zip(range(len(speeds)), cycle(CheckKind), strict=False):
            answer = await sign_on(self.link, self._settings, speed := speeds[number])
            if isinstance(answer, SignOnResponse):
                memory.sign_on_speed = speed
                memory.identification = answer.identification
                return answer
            self._has_other_parity |= has_other_parity(answer.raw)
            if answer.is_readout and memory.identification is not None:
                return SignOnResponse(
                    memory.identification, answer.raw, has_more=True, is_readout=True
                )
            if answer.is_readout:
                await self._pass_over_readout(answer.raw)
            if answer.raw and is_text(answer.raw, _SAMPLE_SHARE):
                # Only damaged: it is at this speed, and waits for another request.
                speeds[number + 1 :] = [speed] * len(speeds[number + 1 :])
            elif not self._settings.wake_up:
                stuck = (memory.speed,) if memory.identification else SPEEDS
                await leave(self.link, memory.check.kind or kind, *stuck, memory.sign_on_speed)
        raise self._why_silent()

    def _sign_on_speeds(self) -> list[int]:
        """Return the speed of each attempt. Two requests in a row may remain unheard."""
        first = self._memory.sign_on_speed
        if self._settings.wake_up or not self.link.port.has_speed:
            return [first] * 2
        # It may wait at another speed by now, or be another meter.
        others = sorted({self.link.port.line.baudrate, OTHER_SPEED} - {first})
        if self._memory.identification is not None:
            return [first, first, first, *others]
        return [first, first, *others, first]

    async def select(self, greeting: SignOnResponse, option: Option) -> bytes:
        """Ask a meter that has answered for something; return how its answer begins.

        Raises NoReadoutError where none comes, WrongSpeedError where it is no text.
        """
        memory, link, settings = self._memory, self.link, self._settings
        found = greeting.identification
        if greeting.is_readout:
            if option is Option.READOUT:
                return b""
            await self._pass_over_readout(greeting.raw)
            self._old_speed = self._agreed = link.port.baudrate
            raise WrongSpeedError
        old = link.port.baudrate
        agreed = target = agreed_speed(link, found, settings, option)
        if not is_acknowledged(found, settings, option):
            # In mode C, it is not asked to change its speed.
            await link.set_speed(old if found.is_negotiated else agreed)
            return b"" if greeting.has_more else await self._sample(_NO_ANSWER)
        memory.speed = agreed
        if option is not Option.HDLC and agreed != old:
            target = memory.data_speed or agreed
        self._old_speed, self._agreed, self._data_speed = old, agreed, target
        self._may_fall_back = False
        identified = link.last_received
        if early := await self._receive_early(identified + found.reaction_time):
            # It does not wait for anything.
            greeting.has_more = True
            if option is Option.READOUT:
                return early
        if data := await self._acknowledge(found, option):
            return data
        return b"" if option is Option.HDLC else await self._repeat(found, option, identified)

    async def _acknowledge(self, found: Identification, option: Option) -> bytes:
        """Select and change the speed; return how the answer begins, nothing without one."""
        link, settings = self.link, self._settings
        await send_acknowledgement(link, found, settings, option, self._agreed)
        end = asyncio.get_running_loop().time() + _ANSWER_WITHIN
        if self._data_speed != self._old_speed:
            await settle(link, found, settings)
            await link.set_speed(self._data_speed)
        if option is Option.HDLC:
            return b""
        is_readout = option is Option.READOUT
        try:
            left = end - asyncio.get_running_loop().time()
            return await self._sample(left, can_fall_back=is_readout)
        except WrongSpeedError as err:
            if err.goes_on or self._data_speed != self._agreed or not is_readout:
                raise
        return b""

    async def _receive_early(self, end: float) -> bytes:
        """Return what comes until an acknowledgement may be sent, if it is the begin of data."""
        data = b""
        while (left := end - asyncio.get_running_loop().time()) > 0:
            data += await self.link.receive(left)
        text = without_parity(data).strip()
        return data if len(text) >= _EARLY and is_text(data, _SAMPLE_SHARE) else b""

    async def check_who_began(self, greeting: SignOnResponse) -> None:
        """Raise MeterPushesError where a meter goes on without being asked.

        Some meters send their readout at once although they propose a speed.
        """
        memory = self._memory
        if memory.sends_at_once or greeting.is_readout or not greeting.identification.is_negotiated:
            return
        end = asyncio.get_running_loop().time() + _UNASKED_SECONDS
        heard = b""
        while (left := end - asyncio.get_running_loop().time()) > 0:
            heard = (heard + await self.link.receive(left))[-_UNASKED_MAX:]
            text = without_parity(heard)
            if b"(" in text and IDENTIFICATION_LINE.search(text):
                message = f"the meter at {self._port} sends by itself"
                raise MeterPushesError(message, port=self._port)
        memory.sends_at_once = True

    async def _pass_over_readout(self, begin: bytes) -> None:
        if _ETX not in without_parity(begin):
            await self.link.drain_readout(_SAMPLE_SECONDS, _ETX)

    async def _repeat(self, found: Identification, option: Option, identified: float) -> bytes:
        """Select once more; return how the answer begins, also at the old speed."""
        link = self.link
        self._may_fall_back = True
        await link.set_speed(self._old_speed)
        # A meter that has not heard the first one begins its readout here, while there is time.
        left = identified + _READOUT_WITHIN - asyncio.get_running_loop().time()
        if left > 0 and (data := await self._sample(left)):
            return data
        await send_acknowledgement(link, found, self._settings, option, self._agreed)
        await link.set_speed(self._data_speed)
        if data := await self._sample(_ANSWER_WITHIN):
            return data
        await link.set_speed(self._old_speed)
        if data := await self._sample(_NO_ANSWER):
            return data
        # At the wrong speed, a short answer may look like none.
        self._memory.data_speed = 0
        message = f"the meter at {self._port} answers, but sends nothing"
        raise NoReadoutError(message, port=self._port)

    async def learn_from(self, error: ChecksumError | WrongSpeedError) -> None:
        """Draw the conclusion of an answer that could not be read."""
        memory, link = self._memory, self.link
        if not isinstance(error, WrongSpeedError):
            # Garbage may pass for damaged text. What most meters do is tried again next.
            memory.data_speed = 0
            return
        if self._agreed == self._old_speed:
            return
        found = await self._find_speed()
        if found is None:
            # It has ended too early: another meter keeps the speed of the sign-on, or this one
            # has changed it this time.
            found = self._agreed if self._data_speed != self._agreed else self._old_speed
        await link.drain_readout(_SAMPLE_SECONDS, _ETX)
        if self._may_fall_back and found == self._old_speed and not self._fell_back:
            # It has not heard the acknowledgement, and says nothing about its speed by that.
            self._fell_back = True
            return
        memory.data_speed = 0 if found == self._agreed else found

    async def _find_speed(self) -> int | None:
        """Find the speed of what comes now, None where it ends before it is found."""
        link = self.link
        speeds = dict.fromkeys((self._agreed, self._old_speed, *SPEEDS, *_RARE_SPEEDS))
        for speed in [speed for speed in speeds if speed != link.port.baudrate]:
            await link.set_speed(speed)
            data = b""
            while len(data) < _SEARCHED:
                more = await link.receive(_SEARCHED_SECONDS)
                if not more:
                    return None
                data += more
            if is_text(data[-_SEARCHED:], _SEARCHED_SHARE):
                return speed
        return None

    async def _sample(self, seconds: float, *, can_fall_back: bool = False) -> bytes:
        """Return the first characters that come, once they are enough to judge the speed by."""
        asked = asyncio.get_running_loop().time()
        data = await self.link.receive(seconds + self.link.port.wire_time(1))
        if not data:
            return b""
        late = self.link.last_received - asked > _FALL_BACK_AFTER
        self._may_fall_back = self._may_fall_back or (can_fall_back and late)
        goes_on = True
        while len(data) < (_SAMPLE if is_text(data, _SAMPLE_SHARE) else _SAMPLE_WRONG):
            more = await self.link.receive(_SAMPLE_SECONDS)
            if not more:
                goes_on = False
                break
            data += more
        if not is_text(data, _SAMPLE_SHARE):
            raise WrongSpeedError(goes_on=goes_on)
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
        if self._has_other_parity:
            message = f"what comes from {self._port} has another parity"
            return WrongParityError(message, port=self._port)
        guess = looks_like(heard)
        if guess == IEC62056:
            return ChecksumError(f"answers come damaged from {self._port}", port=self._port)
        message = f"no IEC 62056-21 in what comes from {self._port}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=self._port, looks_like=guess or UNKNOWN)
