"""Connection over HDLC: numbered frames, segments, repetitions (IEC 62056-46, 6.4)."""

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

#: Seconds until an answer begins; while addresses are tried, less.
ANSWER_SECONDS: Final = 3.0
PROBE_SECONDS: Final = 0.8
#: The same after a damaged answer, which the meter does not repeat by itself.
_AFTER_DAMAGE: Final = 0.5
#: Seconds for disconnecting, also while the client is being cancelled, and bytes of both frames.
_DISCONNECT_SECONDS: Final = 1.0
_DISCONNECT_LENGTH: Final = 24
#: Seconds between the frames of one window.
_WINDOW_SECONDS: Final = 0.5
#: How often a frame is sent until the meter counts as silent.
_ATTEMPTS: Final = 3
#: Seconds between polls of a meter that is not ready, and their number.
_BUSY_SECONDS: Final = 0.3
_BUSY_MAX: Final = 50
#: Proposed parameters: bytes of information in a frame, window size 1 (6.4.4.4.3.2).
_INFORMATION: Final = 1024
_PARAMETERS: Final = bytes.fromhex("8180140502") + (
    _INFORMATION.to_bytes(2)
    + b"\x06\x02"
    + _INFORMATION.to_bytes(2)
    + b"\x07\x04\0\0\0\x01\x08\x04\0\0\0\x01"
)
#: Bytes of information in a frame without negotiation (6.4.4.4.3.2).
_INFORMATION_DEFAULT: Final = 128
#: Parameter of a UA frame: the longest information that the meter receives.
_RECEIVE_PARAMETER: Final = 6
#: Bytes of the longest answer, since the proposed PDU is no longer, and its segments.
_ANSWER_MAX: Final = 0xFFFF + len(hdlc.LLC_RESPONSE)
_SEGMENTS_MAX: Final = 0x4000

#: Supervisory frames without poll bit and number (6.4.3.4): receive ready, not ready, reject.
_RR: Final = 0x01
_RNR: Final = 0x05
_REJ: Final = 0x09
_SUPERVISORY: Final = 0x0F


class ConnectResult(Enum):
    """Result of an attempt to connect."""

    CONNECTED = auto()
    #: The meter answers with DM or FRMR.
    REFUSED = auto()
    SILENT = auto()


class HdlcLink:
    """Exchanges messages with a polled meter over HDLC."""

    def __init__(self, channel: MessageChannel, client: int, address: bytes) -> None:
        """Take the channel, the client's address (SAP), and the meter's encoded address."""
        self.channel = channel
        self._client = hdlc.client_address(client)
        self._address = address
        self._reader = FrameReader()
        self._received: deque[Frame] = deque()
        self._sent: Frame | None = None
        self._has_echo = False
        self._send_limit = _INFORMATION_DEFAULT
        #: Send and receive sequence numbers N(S) and N(R).
        self._next = 0
        self._awaited = 0
        self._is_connected = False
        self._busy = 0
        #: Whether the meter sets the final bit in the last frame of a window.
        self._sets_final = True
        #: Whether the meter answers SNRM with parameters.
        self.accepts_parameters = True

    # --- connecting and disconnecting

    async def connect(
        self,
        *,
        seconds: float = ANSWER_SECONDS,
        attempts: int = 2,
        with_parameters: bool = True,
    ) -> ConnectResult:
        """Connect with parameters, then without, or in the opposite order.

        Sends DISC after a refusal, since the meter may still hold an old connection. Raises
        PortLostError.
        """
        result = ConnectResult.SILENT
        for has_parameters in (with_parameters, not with_parameters):
            for _ in range(attempts):
                answer = await self._connect_once(_PARAMETERS if has_parameters else b"", seconds)
                if answer is ConnectResult.CONNECTED:
                    # A refusal may have concerned the old connection, not the parameters.
                    was_refused = result is ConnectResult.REFUSED
                    self.accepts_parameters = has_parameters or was_refused
                    return answer
                if answer is ConnectResult.REFUSED:
                    result = answer
                    await self._send_unnumbered(hdlc.DISC)
                    await self._frame(seconds, self._deadline(seconds))
        return result

    async def _connect_once(self, parameters: bytes, seconds: float) -> ConnectResult:
        self._received.clear()
        self._reader.clear()
        await self._send_unnumbered(hdlc.SNRM, parameters)
        end = self._deadline(seconds)
        while (frame := await self._frame(seconds, end)) is not None:
            match frame.control | hdlc.POLL:
                case hdlc.UA:
                    self._take_parameters(frame.information)
                    return ConnectResult.CONNECTED
                case hdlc.DM | hdlc.FRMR:
                    return ConnectResult.REFUSED
        return ConnectResult.SILENT

    def _take_parameters(self, information: bytes) -> None:
        self._next = self._awaited = 0
        self._is_connected = True
        limit = _parameters(information).get(_RECEIVE_PARAMETER, _INFORMATION_DEFAULT)
        self._send_limit = max(limit, len(hdlc.LLC_COMMAND) + 1)

    async def disconnect(self) -> None:
        """End the connection, so that the meter accepts the next one."""
        if not self._is_connected:
            return
        self._is_connected = False
        self._received.clear()
        seconds = _DISCONNECT_SECONDS + self.channel.wire_time(_DISCONNECT_LENGTH)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._send_unnumbered(hdlc.DISC)
                while (frame := await self._frame(seconds, inf)) is not None:
                    if frame.control | hdlc.POLL in {hdlc.UA, hdlc.DM}:
                        return

    async def keep_alive(self) -> None:
        """Prevent the meter from ending the connection as inactive."""
        await self._exchange(self._supervisory())

    # --- messages

    async def request(self, apdu: bytes) -> bytes:
        """Send a message and return the answer; if ``apdu`` is empty, only poll for an answer.

        Always ends: each frame is sent three times at most and its answer awaited for a few
        seconds, and the channel limits the time without progress.

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
                raise TelegramError("the meter answers before it has the whole request")
            content = content[limit:]
        frame = self._numbered(content)
        answer = await self._exchange(frame)
        self._next = (self._next + 1) & 7
        while answer.control & 1:
            # The request is acknowledged, but the answer is not ready.
            await self._wait_while_busy()
            answer = await self._poll()
        return await self._message(answer)

    async def _message(self, frame: Frame) -> bytes:
        """Return the answer that begins with this frame, from all of its segments."""
        parts: list[bytes] = []
        size = 0
        for _ in range(_SEGMENTS_MAX):
            while frame.control & 1:
                await self._wait_while_busy()
                frame = await self._poll()
            self._awaited = (self._awaited + 1) & 7
            # Some meters repeat the header in each segment.
            parts.append(frame.information.removeprefix(hdlc.LLC_RESPONSE))
            if not frame.is_segmented:
                return b"".join(parts)
            size += len(frame.information)
            if size > _ANSWER_MAX:
                break
            if frame.information:
                self.channel.advance()
            frame = await self._next_segment(frame)
        raise TelegramError("an answer that does not end")

    async def _next_segment(self, frame: Frame) -> Frame:
        """Return the segment after ``frame``; polls for it once the meter's window is over."""
        if not frame.control & hdlc.POLL and self._sets_final:
            answer = await self._answer(self._supervisory(), _WINDOW_SECONDS)
            if answer is not None:
                return answer
            self._sets_final = False
        return await self._poll()

    async def _poll(self) -> Frame:
        return await self._exchange(self._supervisory())

    async def _wait_while_busy(self) -> None:
        self._busy += 1
        if self._busy > _BUSY_MAX:
            message = f"the meter at {self.channel.name} is busy without end"
            raise MeterSilentError(message, port=self.channel.name)
        await asyncio.sleep(_BUSY_SECONDS)

    async def _exchange(self, frame: Frame) -> Frame:
        """Send a frame, repeatedly if necessary, and return the answer.

        That is the information frame with the awaited number, or a supervisory frame.
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
        """Return the answer to a frame; None if the frame has to be sent again.

        Frames that are no answer to it do not extend the deadline.
        """
        end = self._deadline(seconds)
        while (answer := await self._frame(seconds, end)) is not None:
            control = answer.control
            if control & 1 == 0:
                if control >> 1 & 7 == self._awaited:
                    return answer
                # A repetition of a frame that was received already.
                continue
            supervisory = control & _SUPERVISORY
            if supervisory == _RR:
                return None if _is_missing(frame, control) else answer
            if supervisory == _REJ:
                return None
            if supervisory == _RNR:
                await self._wait_while_busy()
                if _is_missing(frame, control):
                    return None
                await self._send(self._supervisory())
                end = self._deadline(seconds)
            elif control | hdlc.POLL in {hdlc.DM, hdlc.DISC, hdlc.FRMR}:
                message = f"the meter at {self.channel.name} has ended the connection"
                raise ConnectionEndedError(message, port=self.channel.name)
        return None

    # --- frames

    def _numbered(self, content: bytes, *, is_segmented: bool = False) -> Frame:
        control = self._awaited << 5 | hdlc.POLL | self._next << 1
        return Frame(self._address, self._client, control, content, is_segmented)

    def _supervisory(self) -> Frame:
        return Frame(self._address, self._client, self._awaited << 5 | hdlc.POLL | _RR)

    async def _send_unnumbered(self, control: int, information: bytes = b"") -> None:
        await self._send(Frame(self._address, self._client, control, information))

    async def _send(self, frame: Frame) -> None:
        self._sent = frame
        await self.channel.send(frame.to_bytes())

    def _is_echo(self, frame: Frame) -> bool:
        """Return whether a frame is the echo of an optical head.

        If client and meter have the same address, an answer may equal its request. But no meter
        sends SNRM, so the first frame of a connection shows whether the head echoes.
        """
        if frame != self._sent:
            return False
        self._has_echo |= frame.control == hdlc.SNRM
        if self._has_echo:
            # There is one echo of each frame.
            self._sent = None
        return self._has_echo

    def _deadline(self, seconds: float) -> float:
        """Return when a frame must have ended that begins within ``seconds``."""
        return self.channel.deadline(seconds, 2 * (self._send_limit + _INFORMATION))

    async def _frame(self, seconds: float, end: float) -> Frame | None:
        """Return the next frame that is addressed to this client.

        None after ``seconds`` of silence, or at ``end`` at the latest.
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
    """Return whether a supervisory frame shows that the meter lacks the information frame sent.

    Some meters do not count and always await number 0.
    """
    number = frame.control >> 1 & 7
    return frame.control & 1 == 0 and control >> 5 == number != 0


def _parameters(information: bytes) -> dict[int, int]:
    """Return the parameters of a UA frame by their identifiers; empty if there are none."""
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
    """Return the error for a meter that refuses connections or answers to no address."""
    message = f"the meter at {name} refuses the connection, or has another address"
    return AddressError(message, port=name)
