"""A connection over HDLC: numbered frames, segments, repetitions (IEC 62056-46, 6.4)."""

import asyncio
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from math import inf
from typing import Final

from ...errors import AddressError, ConnectionEndedError, MeterSilentError, TelegramError
from . import hdlc
from .hdlc import Frame, FrameReader
from .message_channel import MessageChannel

#: Seconds until an answer begins, usually and while an address is being looked for.
ANSWER_SECONDS: Final = 3.0
PROBE_SECONDS: Final = 0.8
#: The same where the answer has come damaged: it will not come any more.
_AFTER_DAMAGE: Final = 0.5
#: Seconds that a farewell may take, also while the client is being cancelled, besides the time that
#: both of its frames take on the wire.
_FAREWELL_SECONDS: Final = 1.0
_FAREWELL_LENGTH: Final = 24
#: Seconds between frames that a meter sends in a row.
_ROW_SECONDS: Final = 0.5
#: How often a frame is sent that gets no answer.
_ATTEMPTS: Final = 3
#: Seconds after which a meter that is busy is asked again, and how often.
_BUSY_SECONDS: Final = 0.3
_BUSY_MAX: Final = 50
#: What is proposed: bytes of information in a frame, one frame in a row (6.4.4.4.3.2).
_INFORMATION: Final = 1024
_PARAMETERS: Final = bytes.fromhex("8180140502") + (
    _INFORMATION.to_bytes(2)
    + b"\x06\x02"
    + _INFORMATION.to_bytes(2)
    + b"\x07\x04\0\0\0\x01\x08\x04\0\0\0\x01"
)
#: Bytes of information in a frame where nothing else was agreed on.
_USUAL: Final = 128
_RECEIVE_PARAMETER: Final = 6
#: Bytes of the longest answer: no more was proposed; and its frames.
_ANSWER_MAX: Final = 0xFFFF + len(hdlc.LLC_RESPONSE)
_SEGMENTS_MAX: Final = 0x4000

#: Supervisory frames, without poll bit and number (6.4.3.4).
_RR: Final = 0x01
_RNR: Final = 0x05
_REJ: Final = 0x09
_SUPERVISORY: Final = 0x0F


class Connected(Enum):
    """What came of an attempt to connect."""

    YES = auto()
    #: The meter says that it does not want to (DM, FRMR).
    REFUSED = auto()
    SILENT = auto()


class HdlcLink:
    """Asks a meter over HDLC."""

    def __init__(self, channel: MessageChannel, client: int, address: bytes) -> None:
        """Take the channel, the client address (SAP), and the server address as sent."""
        self.channel = channel
        self._client = hdlc.client_address(client)
        self._address = address
        self._reader = FrameReader()
        self._received: deque[Frame] = deque()
        self._sent: Frame | None = None
        self._has_echo = False
        self._send_limit = _USUAL
        #: The number of our next frame, and of the one that we await.
        self._next = 0
        self._awaited = 0
        self._is_connected = False
        self._busy = 0
        #: Whether the meter says when it has finished with what it sends in a row.
        self._yields = True
        #: Whether the meter takes notice of who connects with parameters.
        self.takes_parameters = True

    # --- coming and going

    async def connect(
        self,
        *,
        seconds: float = ANSWER_SECONDS,
        attempts: int = 2,
        with_parameters: bool = True,
    ) -> Connected:
        """Connect with parameters, or else without; DISC first where the meter refuses.

        The other way round where it is known to want that. Raises PortLostError.
        """
        outcome = Connected.SILENT
        for has_parameters in (with_parameters, not with_parameters):
            for _ in range(attempts):
                answer = await self._hello(_PARAMETERS if has_parameters else b"", seconds)
                if answer is Connected.YES:
                    # A refusal may have been about the last connection.
                    self.takes_parameters = has_parameters or outcome is Connected.REFUSED
                    return answer
                if answer is Connected.REFUSED:
                    outcome = answer
                    await self._say(hdlc.DISC)
                    await self._frame(seconds, self._deadline(seconds))
        return outcome

    async def _hello(self, parameters: bytes, seconds: float) -> Connected:
        self._received.clear()
        self._reader.clear()
        await self._say(hdlc.SNRM, parameters)
        end = self._deadline(seconds)
        while (frame := await self._frame(seconds, end)) is not None:
            match frame.control | hdlc.POLL:
                case hdlc.UA:
                    self._agree(frame.information)
                    return Connected.YES
                case hdlc.DM | hdlc.FRMR:
                    return Connected.REFUSED
        return Connected.SILENT

    def _agree(self, information: bytes) -> None:
        self._next = self._awaited = 0
        self._is_connected = True
        # What the meter can receive is what we may send.
        limit = _parameters(information).get(_RECEIVE_PARAMETER, _USUAL)
        self._send_limit = max(limit, len(hdlc.LLC_COMMAND) + 1)

    async def disconnect(self) -> None:
        """End the connection, so that the meter takes the next one."""
        if not self._is_connected:
            return
        self._is_connected = False
        self._received.clear()
        seconds = _FAREWELL_SECONDS + self.channel.wire_time(_FAREWELL_LENGTH)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._say(hdlc.DISC)
                while (frame := await self._frame(seconds, inf)) is not None:
                    if frame.control | hdlc.POLL in {hdlc.UA, hdlc.DM}:
                        return

    async def stay(self) -> None:
        """Let the meter know that we are still there."""
        await self._exchange(self._supervisory())

    # --- messages

    async def request(self, apdu: bytes) -> bytes:
        """Send a message and return the answer; an empty one just asks for another answer.

        Ends in any case: each frame is sent three times at most and awaited for a few seconds,
        and the channel knows how long a meter may keep busy or send nothing new.

        Raises MeterSilentError, ChecksumError, UnknownDataError, TelegramError, PortLostError.
        """
        self._busy = 0
        if not apdu:
            return await self._message(await self._poll())
        content = hdlc.LLC_COMMAND + apdu
        limit = self._send_limit
        while len(content) > limit:
            answer = await self._exchange(self._numbered(content[:limit], is_segmented=True))
            self._next = (self._next + 1) & 7
            if answer.control & 1 == 0:
                raise TelegramError("the meter answers before it has heard the question")
            content = content[limit:]
        frame = self._numbered(content)
        answer = await self._exchange(frame)
        self._next = (self._next + 1) & 7
        while answer.control & 1:
            # It has heard the question, and is not ready with the answer.
            await self._rest()
            answer = await self._poll()
        return await self._message(answer)

    async def _message(self, frame: Frame) -> bytes:
        """Put an answer together that begins with this frame."""
        parts: list[bytes] = []
        size = 0
        for _ in range(_SEGMENTS_MAX):
            while frame.control & 1:
                await self._rest()
                frame = await self._poll()
            self._awaited = (self._awaited + 1) & 7
            # Some meters say it in each segment.
            parts.append(frame.information.removeprefix(hdlc.LLC_RESPONSE))
            if not frame.is_segmented:
                return b"".join(parts)
            size += len(frame.information)
            if size > _ANSWER_MAX:
                break
            if frame.information:
                self.channel.advance()
            frame = await self._following(frame)
        raise TelegramError("an answer that does not end")

    async def _following(self, frame: Frame) -> Frame:
        """Return the next segment, asked for once the meter has finished."""
        if not frame.control & hdlc.POLL and self._yields:
            answer = await self._answer(self._supervisory(), _ROW_SECONDS)
            if answer is not None:
                return answer
            self._yields = False
        return await self._poll()

    async def _poll(self) -> Frame:
        return await self._exchange(self._supervisory())

    async def _rest(self) -> None:
        self._busy += 1
        if self._busy > _BUSY_MAX:
            message = f"the meter at {self.channel.name} is busy without end"
            raise MeterSilentError(message, port=self.channel.name)
        await asyncio.sleep(_BUSY_SECONDS)

    async def _exchange(self, frame: Frame) -> Frame:
        """Send a frame, again if need be, and return what the meter answers to it.

        That is the numbered frame that is awaited, or a supervisory one.
        """
        damaged = self._reader.damaged
        seconds = ANSWER_SECONDS
        for _ in range(_ATTEMPTS):
            await self._send(frame)
            answer = await self._answer(frame, seconds)
            if answer is not None:
                return answer
            if self._reader.damaged > damaged:
                seconds = _AFTER_DAMAGE
        raise self.channel.silence_error(was_damaged=self._reader.damaged > damaged)

    async def _answer(self, frame: Frame, seconds: float) -> Frame | None:
        """Return what the meter answers to a frame; None where it has to be sent again.

        What is not an answer to it does not make this wait any longer.
        """
        end = self._deadline(seconds)
        while (answer := await self._frame(seconds, end)) is not None:
            control = answer.control
            if control & 1 == 0:
                if control >> 1 & 7 == self._awaited:
                    return answer
                # One more time what has come already.
                continue
            match control & _SUPERVISORY:
                case 0x01:
                    return None if _is_missing(frame, control) else answer
                case 0x05:
                    await self._rest()
                    if _is_missing(frame, control):
                        return None
                    await self._send(self._supervisory())
                    end = self._deadline(seconds)
                case 0x09:
                    return None
            if control | hdlc.POLL in {hdlc.DM, hdlc.DISC, hdlc.FRMR}:
                message = f"the meter at {self.channel.name} has ended the connection"
                raise ConnectionEndedError(message, port=self.channel.name)
        return None

    # --- frames

    def _numbered(self, content: bytes, *, is_segmented: bool = False) -> Frame:
        control = self._awaited << 5 | hdlc.POLL | self._next << 1
        return Frame(self._address, self._client, control, content, is_segmented)

    def _supervisory(self) -> Frame:
        return Frame(self._address, self._client, self._awaited << 5 | hdlc.POLL | _RR)

    async def _say(self, control: int, information: bytes = b"") -> None:
        await self._send(Frame(self._address, self._client, control, information))

    async def _send(self, frame: Frame) -> None:
        self._sent = frame
        await self.channel.send(frame.to_bytes())

    def _is_echo(self, frame: Frame) -> bool:
        """Tell whether an optical head sends back what was sent through it.

        Where client and meter have the same number, an answer may look like what it answers. But
        no meter sends SNRM, so from then on it is known which kind of head it is.
        """
        if frame != self._sent:
            return False
        self._has_echo |= frame.control == hdlc.SNRM
        if self._has_echo:
            # It comes once.
            self._sent = None
        return self._has_echo

    def _deadline(self, seconds: float) -> float:
        """Return until when a frame is awaited that must begin within so many seconds."""
        return self.channel.deadline(seconds, 2 * (self._send_limit + _INFORMATION))

    async def _frame(self, seconds: float, end: float) -> Frame | None:
        """Return the next frame that is meant for us.

        None after so many seconds of silence, or at the end, however many others come.
        """
        damaged = self._reader.damaged
        while True:
            while self._received:
                frame = self._received.popleft()
                is_ours = frame.destination == self._client and frame.source == self._address
                if is_ours and not self._is_echo(frame):
                    return frame
            found = await self.channel.receive_messages(self._reader.feed, seconds, end)
            if self._reader.damaged > damaged:
                self.channel.counters.damaged += self._reader.damaged - damaged
                damaged = self._reader.damaged
            if not found:
                return None
            self._received += found


def _is_missing(frame: Frame, control: int) -> bool:
    """Tell whether a meter says that it awaits a numbered frame which it was sent.

    Some never count, and always await the first one.
    """
    number = frame.control >> 1 & 7
    return frame.control & 1 == 0 and control >> 5 == number != 0


def _parameters(information: bytes) -> dict[int, int]:
    """Read the parameters of a UA frame by their numbers; none where it has none in order."""
    found: dict[int, int] = {}
    if information[:2] != b"\x81\x80":
        return found
    position = 3
    while position + 2 <= len(information):
        number, size = information[position : position + 2]
        position += 2
        found[number] = int.from_bytes(information[position : position + size])
        position += size
    return found


def address_error(name: str) -> AddressError:
    """Return the error of a meter that does not let itself be connected to."""
    message = f"the meter at {name} refuses the connection, or has another address"
    return AddressError(message, port=name)
