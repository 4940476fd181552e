"""A session in programming mode: registers and load profiles (IEC 62056-21:2002, 6.4)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Final

from ..errors import (
    ChecksumError,
    MeterAuthenticationError,
    MeterError,
    MeterSilentError,
    RefusedError,
)
from ..interleaving import do_in_turns
from ..port import redact
from ..reading import Register
from .codes import parse_address
from .link import Link
from .memory import Memory
from .programming import (
    ACK,
    LIMIT,
    NAK,
    Command,
    Frame,
    FrameKind,
    FrameReader,
    encode_command,
    error_in,
)
from .progress import Progress
from .readout import parse_data_sets, parse_in_slices
from .settings import is_register
from .times import format_digits

#: How often a frame is asked for again (6.4.4).
_REPEATS: Final = 3
#: How often in a row a register may remain without an answer: then the meter is gone, or it does
#: not have this one.
_UNANSWERED: Final = 2
#: A damaged answer holds so large a share of the undamaged one, or else it was noise.
_DAMAGED_SHARE: Final = 0.5
#: Seconds until an answer begins, and between its characters.
_ANSWER_SECONDS: Final = 2.0
#: The same for a profile, whose rows the meter may have to look for.
_PROFILE_SECONDS: Final = 5.0
#: Characters within which a profile shows that it is an error instead.
_ERROR_WITHIN: Final = 256
#: The longest answer to a question for a register, with what is around it: characters, seconds.
_ANSWER_MAX: Final = 4096
_ANSWER_LONGEST: Final = 60.0
#: Seconds in which a meter still says whether the password is right, when nobody wants to know it
#: any more.
_VERDICT_SECONDS: Final = 0.6
#: Seconds that a meter needs between its answer and the next command.
_REST: Final = 0.01
#: Lengths of the time stamps in requests; the odd ones have a season before the digits.
_TIME_STAMPS: Final = (13, 12, 11, 10)


class Session:
    """Speaks to a meter that was asked to enter programming mode."""

    def __init__(self, link: Link, memory: Memory) -> None:
        """Take the line, and what is known of the meter."""
        self._link = link
        self._memory = memory
        self._port = redact(link.port.url)
        self._frames = FrameReader(memory.check)
        self._received: list[Frame] = []
        #: Registers that the meter does not have.
        self._absent: set[str] = set()
        #: How often in a row each register was not answered, and any register.
        self._unanswered: Counter[str] = Counter()
        self._unanswered_in_a_row = 0
        self._has_answered = False
        #: Whether something follows answers of which more is promised (EOT).
        self._goes_on = True

    @property
    def duration(self) -> float:
        """Seconds from the first byte of the sign-on to the last one received."""
        return self._link.duration

    async def begin(self, first: bytes, password: str | None) -> None:
        """Take the meter's first frame, and give the password where there is one; once.

        Raises RefusedError where the meter has no programming mode, MeterAuthenticationError.
        """
        self._received += self._frames.feed(first)
        seed = await self._next(_ANSWER_SECONDS)
        for _ in range(_REPEATS):
            if seed is None or seed.kind is not FrameKind.DAMAGED:
                break
            await self._send(NAK)
            seed = await self._next(_ANSWER_SECONDS)
        if seed is None or seed.command != Command.SEED:
            raise self.refused()
        if password is None:
            return
        memory = self._memory
        if not memory.password_rejected:
            # Whoever cancels this must not leave it open whether the password was right.
            giving = asyncio.ensure_future(self._give_password(password))
            try:
                await asyncio.wait([giving])
            except asyncio.CancelledError:
                await asyncio.wait([giving], timeout=_VERDICT_SECONDS)
                if not giving.done():
                    # Nobody has heard the verdict; the second time it counts as a bad one.
                    memory.password_rejected = memory.password_interrupted
                    memory.password_interrupted = True
                raise
            finally:
                # Cancelled once more, it is not waited for.
                giving.cancel()
                giving.add_done_callback(lambda task: task.cancelled() or task.exception())
            giving.result()
        if memory.password_rejected:
            message = f"the meter at {self._port} does not take the password"
            raise MeterAuthenticationError(message, port=self._port)

    async def _give_password(self, password: str) -> None:
        """Say the password once.

        What gets no answer is not said again either, unless it was right before.
        """
        memory = self._memory
        memory.password_rejected = not memory.password_accepted
        await self._send(self._encode(Command.PASSWORD, f"({password})"))
        answer = await self._next(_ANSWER_SECONDS)
        if memory.password_accepted and (answer is None or answer.kind is FrameKind.DAMAGED):
            raise self._silent()
        memory.password_accepted = answer is not None and answer.kind is FrameKind.ACK
        memory.password_rejected = not memory.password_accepted

    async def end(self) -> None:
        """Let the meter go back to where it answers requests."""
        await self._send(self._encode(Command.BREAK))

    async def read(self, address: str) -> Sequence[Register]:
        """Read a register: its values, or none where the meter does not have it.

        Raises RefusedError when the meter ends the session, ChecksumError, MeterSilentError.
        """
        if address in self._absent or not is_register(address):
            return ()
        text = await self._read_answer(address)
        if text is None:
            return ()
        # Whether digits are a number depends on what they are of.
        text = f"{address}{text}" if text.startswith("(") else text
        registers = await do_in_turns(parse_in_slices(text))
        if len({register.address for register in registers}) > 1:
            return registers
        # Meters answer with a shorter code than they were asked for, or with none.
        obis = parse_address(address)
        return [replace(register, obis=obis, address=address) for register in registers]

    async def _read_answer(self, address: str) -> str | None:
        """Return the answer to the question for a register, None without one.

        Raises MeterSilentError where the meter answers nothing any more.
        """
        command = self._encode(Command.READ, f"{address}()")
        progress = self._follow_answer()
        try:
            frame = await self._ask(command, _ANSWER_SECONDS, progress, address)
        except MeterSilentError:
            self._unanswered[address] += 1
            self._unanswered_in_a_row += 1
            if not self._has_answered or self._unanswered_in_a_row == _UNANSWERED:
                raise
            if self._unanswered[address] == _UNANSWERED:
                self._absent.add(address)
            return None
        self._has_answered = True
        self._unanswered_in_a_row = self._unanswered[address] = 0
        if frame is None or error_in(frame.data) is not None:
            self._absent.add(address)
            return None
        text = frame.data
        while frame is not None and frame.is_partial:
            frame = await self._ask_for_more(progress)
            text += frame.data if frame is not None else ""
        return text

    async def _ask_for_more(self, progress: Progress) -> Frame | None:
        """Acknowledge a partial block (6.4.5); return the next one, None where none follows."""
        self._received.clear()
        await self._send(ACK)
        frame = await self._answer(_ANSWER_SECONDS, progress, "") if self._goes_on else None
        if frame is None:
            self._goes_on = False
            return None
        if frame.kind is not FrameKind.ANSWER or not progress.goes_on(
            b"", self._link.last_received
        ):
            raise self._damaged()
        return frame

    async def read_profile(
        self, name: str, start: datetime, end: datetime, zone: tzinfo | None
    ) -> str:
        """Read a load profile or event log between two points in time, as the meter counts.

        Raises RefusedError where the meter has none, or does not give it away.
        """
        lengths = (self._memory.time_stamp,) if self._memory.time_stamp else _TIME_STAMPS
        for length in lengths:
            span = ";".join(format_digits(time, length, zone) for time in (start, end))
            for command in (Command.READ_PROFILE, Command.READ_PROFILE_PARTIALLY):
                text = await self._read_blocks(self._encode(command, f"{name}({span})"))
                if error_in(text[:_ERROR_WITHIN]) is None:
                    self._memory.time_stamp = length
                    return text
        raise self.refused()

    async def _read_blocks(self, command: bytes) -> str:
        """Return an answer of one or more blocks; empty where the meter refuses."""
        blocks: list[str] = []
        message = command
        progress = self._link.follow(LIMIT)
        while (frame := await self._ask(message, _PROFILE_SECONDS, progress)) is not None:
            blocks.append(frame.data)
            if not frame.is_partial:
                return "".join(blocks)
            if not progress.goes_on(b"", self._link.last_received):
                raise self._damaged()
            message = ACK
        return ""

    async def _ask(
        self, message: bytes, seconds: float, progress: Progress, address: str = ""
    ) -> Frame | None:
        """Return the answer to a message, None where the meter refuses it.

        It is about this address where it tells one.
        """
        said = message
        damaged: Frame | None = None
        was_unanswered = False
        for _ in range(1 + _REPEATS):
            # What has come before is no answer to this.
            self._received.clear()
            await self._send(said)
            match await self._answer(seconds, progress, address):
                case None if address and not was_unanswered:
                    # The question was not heard; no answer takes as long.
                    was_unanswered, said = True, message
                case None:
                    raise self._silent()
                case Frame(FrameKind.ANSWER) as answer:
                    is_noise = damaged is not None and not _is_damaged(damaged, answer)
                    if was_unanswered or is_noise:
                        # The answer may come once more.
                        await self._link.drain(_ANSWER_SECONDS, 2 * _ANSWER_SECONDS)
                    return answer
                case Frame(FrameKind.DAMAGED) as damaged:
                    said = NAK
                case Frame(FrameKind.NAK):
                    said = message
                case Frame(FrameKind.COMMAND):
                    raise self.refused()
                case _:
                    return None
        if said is NAK:
            raise self._damaged()
        return None

    async def _answer(self, seconds: float, progress: Progress, address: str) -> Frame | None:
        """Return the next frame that is an answer or a refusal, None after silence."""
        frame = await self._next(seconds, progress)
        while frame is not None and _is_aside(frame, address):
            if not progress.goes_on(b"", self._link.last_received):
                raise self._damaged()
            frame = await self._next(seconds, progress)
        return frame

    async def _send(self, data: bytes) -> None:
        await self._link.wait_since_received(_REST)
        await self._link.send(data)

    async def _next(self, seconds: float, progress: Progress | None = None) -> Frame | None:
        """Return the next frame, None after so many seconds of silence.

        Raises ChecksumError where what comes makes no frame and does not go on like one.
        """
        progress = progress or self._follow_answer()
        while not self._received:
            data = await self._link.receive(seconds)
            if not data:
                return None
            self._received += self._frames.feed(data)
            if not progress.goes_on(data, self._link.last_received) and not self._received:
                raise self._damaged()
        return self._received.pop(0)

    def _follow_answer(self) -> Progress:
        return self._link.follow(_ANSWER_MAX, _ANSWER_LONGEST)

    def _encode(self, command: Command, data: str | None = None) -> bytes:
        return encode_command(command, data, self._memory.check.kind)

    def _silent(self) -> MeterSilentError:
        return MeterSilentError(f"nothing more comes from {self._port}", port=self._port)

    def _damaged(self) -> ChecksumError:
        return ChecksumError(f"answers come damaged from {self._port}", port=self._port)

    def nothing_read(self) -> MeterError:
        """Return the error of a meter that has given none of the registers."""
        return self._silent() if self._unanswered_in_a_row else self.refused()

    def refused(self) -> RefusedError:
        """Return the error of a meter that does not do what it was asked for."""
        message = f"the meter at {self._port} does not let itself be read like this"
        return RefusedError(message, port=self._port)


def _is_damaged(frame: Frame, answer: Frame) -> bool:
    """Tell whether a damaged frame was this answer, rather than noise before it."""
    return frame.size >= _DAMAGED_SHARE * len(answer.data)


def _is_aside(frame: Frame, address: str) -> bool:
    """Tell whether a frame is neither an answer nor a refusal: an echo, or a belated answer."""
    match frame:
        case Frame(FrameKind.COMMAND, command):
            return command != Command.BREAK
        case Frame(FrameKind.ANSWER):
            found = next((name for name, _, _ in parse_data_sets(frame.data)), "")
            return bool(address and found) and not _is_same(found, address)
    return False


def _is_same(found: str, wanted: str) -> bool:
    """Tell whether an address is the one that was asked for; meters answer with shorter ones."""
    first, second = parse_address(found), parse_address(wanted)
    if first is None or second is None:
        return found in wanted or wanted in found
    return first[2:] == second[2:]
