"""Requests and answers in programming mode, with repetitions (IEC 62056-21:2002, 6.4.4)."""

from typing import Final

from ..channel import Channel
from ..errors import ChecksumError, MeterSilentError, RefusedError
from .codes import parse_address
from .data_sets import parse_data_sets
from .memory import Memory
from .programming import ACK, NAK, Command, Frame, FrameKind, FrameReader, encode_command
from .progress import Progress, monitor

#: Times that a frame is requested again (6.4.4).
REPEATS: Final = 3
#: Seconds until an answer begins, and between its characters.
ANSWER_SECONDS: Final = 2.0
#: Characters and seconds of the longest answer to a request for a register, with what is around it.
_ANSWER_MAX: Final = 4096
_ANSWER_LONGEST: Final = 60.0
#: Share of an answer that has come when it was damaged; less than that was noise.
_DAMAGED_SHARE: Final = 0.5
#: Seconds that a meter needs between its answer and the next command.
_PAUSE: Final = 0.01


class FrameExchange:
    """Sends frames to a meter in programming mode and receives its frames."""

    def __init__(self, channel: Channel, memory: Memory) -> None:
        """Take the channel, and what is known about the meter's block check character."""
        self._channel = channel
        self._check = memory.check
        self._port = channel.name
        self._frames = FrameReader(memory.check)
        self._received: list[Frame] = []
        #: Whether the meter sends the further blocks that its answers announce (EOT).
        self._sends_further_blocks = True

    @property
    def duration(self) -> float:
        """Seconds from the first byte of the sign-on to the last one received."""
        return self._channel.duration

    def feed(self, data: bytes) -> None:
        """Add bytes that were received before this exchange began."""
        self._received += self._frames.feed(data)

    def encode(self, command: Command, data: str | None = None) -> bytes:
        """Return the frame of a command, with the block check character of this meter."""
        return encode_command(command, data, self._check.kind)

    def monitor(
        self, characters: int = _ANSWER_MAX, longest: float | None = _ANSWER_LONGEST
    ) -> Progress:
        """Return the limits of an answer that begins now: by default, that of a register."""
        return monitor(self._channel, characters, longest)

    def continues(self, progress: Progress) -> bool:
        """Return whether an answer is still within its limits."""
        return progress.continues(b"", self._channel.last_received)

    async def send(self, data: bytes) -> None:
        """Send a frame, not before the meter can receive it."""
        await self._channel.wait_since_received(_PAUSE)
        await self._channel.send(data)

    async def request(
        self, message: bytes, seconds: float, progress: Progress, address: str = ""
    ) -> Frame | None:
        """Return the answer to a message, None where the meter refuses it.

        Answers about another register than ``address`` are ignored. Raises MeterSilentError,
        ChecksumError, and RefusedError when the meter ends the session.
        """
        sent = message
        damaged: Frame | None = None
        was_unanswered = False
        for _ in range(1 + REPEATS):
            # What was received before is no answer to this.
            self._received.clear()
            await self.send(sent)
            match await self._receive_answer(seconds, progress, address):
                case None if address and not was_unanswered:
                    # The request got lost; no answer takes as long.
                    was_unanswered, sent = True, message
                case None:
                    raise self.silence_error()
                case Frame(FrameKind.ANSWER) as answer:
                    is_noise = damaged is not None and not _is_damaged(damaged, answer)
                    if was_unanswered or is_noise:
                        # The answer may come once more.
                        await self._channel.discard(ANSWER_SECONDS, 2 * ANSWER_SECONDS)
                    return answer
                case Frame(FrameKind.DAMAGED) as damaged:
                    sent = NAK
                case Frame(FrameKind.NAK):
                    sent = message
                case Frame(FrameKind.COMMAND):
                    raise self.refusal()
                case _:
                    return None
        if sent is NAK:
            raise self.damage()
        return None

    async def request_next_block(self, progress: Progress) -> Frame | None:
        """Acknowledge a partial block (6.4.5); return the next one, None where none follows."""
        self._received.clear()
        await self.send(ACK)
        if not self._sends_further_blocks:
            return None
        frame = await self._receive_answer(ANSWER_SECONDS, progress, "")
        if frame is None:
            self._sends_further_blocks = False
            return None
        if frame.kind is not FrameKind.ANSWER or not self.continues(progress):
            raise self.damage()
        return frame

    async def _receive_answer(
        self, seconds: float, progress: Progress, address: str
    ) -> Frame | None:
        """Return the next frame that is an answer or a refusal, None after silence."""
        frame = await self.receive(seconds, progress)
        while frame is not None and _is_unrelated(frame, address):
            if not self.continues(progress):
                raise self.damage()
            frame = await self.receive(seconds, progress)
        return frame

    async def receive(self, seconds: float, progress: Progress | None = None) -> Frame | None:
        """Return the next frame, None after ``seconds`` of silence.

        Raises ChecksumError where what comes is outside of its limits and no frame.
        """
        progress = progress or self.monitor()
        while not self._received:
            data = await self._channel.receive(seconds)
            if not data:
                return None
            self._received += self._frames.feed(data)
            if not progress.continues(data, self._channel.last_received) and not self._received:
                raise self.damage()
        return self._received.pop(0)

    def silence_error(self) -> MeterSilentError:
        """Return the error of a meter that does not answer any more."""
        return MeterSilentError(f"nothing more comes from {self._port}", port=self._port)

    def damage(self) -> ChecksumError:
        """Return the error of answers that remained damaged."""
        return ChecksumError(f"answers come damaged from {self._port}", port=self._port)

    def refusal(self) -> RefusedError:
        """Return the error of a meter that refuses what was requested."""
        message = f"the meter at {self._port} refuses to be read in programming mode"
        return RefusedError(message, port=self._port)


def _is_damaged(frame: Frame, answer: Frame) -> bool:
    """Return whether a damaged frame was this answer, rather than noise before it."""
    return frame.size >= _DAMAGED_SHARE * len(answer.data)


def _is_unrelated(frame: Frame, address: str) -> bool:
    """Return whether a frame is no answer and no refusal: an echo, or a belated answer."""
    match frame:
        case Frame(FrameKind.COMMAND, command):
            return command != Command.BREAK
        case Frame(FrameKind.ANSWER):
            found = next((name for name, _, _ in parse_data_sets(frame.data)), "")
            return bool(address and found) and not _is_same_register(found, address)
    return False


def _is_same_register(found: str, requested: str) -> bool:
    """Compare addresses; meters answer with shorter ones than were requested."""
    first, second = parse_address(found), parse_address(requested)
    if first is None or second is None:
        return found in requested or requested in found
    return first[2:] == second[2:]
