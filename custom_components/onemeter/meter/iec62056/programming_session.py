"""A session in programming mode: registers and load profiles (IEC 62056-21:2002, 6.4)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Final

from ..channel import Channel
from ..errors import (
    MeterAuthenticationError,
    MeterError,
    MeterSilentError,
    NoRegisterError,
    RefusedError,
)
from ..interleaving import do_in_turns
from ..reading import Register
from .codes import parse_address
from .frame_exchange import ANSWER_SECONDS, REPEATS, FrameExchange
from .memory import Memory
from .profile_request import FORMS
from .programming import ACK, LIMIT, NAK, Command, FrameKind, error_in, has_no_entries
from .readout import parse_in_slices
from .settings import is_register

#: Times in a row that a register may remain unanswered: then the meter is gone, or it does not
#: have this register.
_UNANSWERED: Final = 2
#: Seconds until a profile begins, whose rows the meter may have to look up.
_PROFILE_SECONDS: Final = 5.0
#: Characters within which a profile shows that it is an error instead.
_ERROR_WITHIN: Final = 256
#: Seconds in which a meter still answers whether the password is right after a cancellation.
_VERDICT_SECONDS: Final = 0.6


class ProgrammingSession:
    """Reads from a meter that has been asked to enter programming mode."""

    def __init__(self, channel: Channel, memory: Memory) -> None:
        """Take the channel, and what is known about the meter."""
        self._memory = memory
        self._port = channel.name
        self._frames = FrameExchange(channel, memory)
        #: Registers that the meter does not have.
        self._absent: set[str] = set()
        #: Times in a row that each register remained unanswered, and any register.
        self._unanswered: Counter[str] = Counter()
        self._unanswered_in_a_row = 0
        self._has_answered = False

    @property
    def duration(self) -> float:
        """Seconds from the first byte of the sign-on to the last one received."""
        return self._frames.duration

    async def begin(self, first: bytes, password: str | None) -> None:
        """Receive the meter's first frame, which begins with ``first``, and send the password.

        Raises RefusedError where the meter has no programming mode, MeterAuthenticationError.
        """
        frames = self._frames
        frames.feed(first)
        seed = await frames.receive(ANSWER_SECONDS)
        for _ in range(REPEATS):
            if seed is None or seed.kind is not FrameKind.DAMAGED:
                break
            await frames.send(NAK)
            seed = await frames.receive(ANSWER_SECONDS)
        if seed is None or seed.command != Command.SEED:
            raise self.refusal()
        if password is None:
            return
        memory = self._memory
        if not memory.password_rejected:
            # After a cancellation it must be known whether the password was right.
            sending = asyncio.ensure_future(self._send_password(password))
            try:
                await asyncio.wait([sending])
            except asyncio.CancelledError:
                await asyncio.wait([sending], timeout=_VERDICT_SECONDS)
                if not sending.done():
                    # The meter's answer is unknown; the second time it counts as a rejection.
                    memory.password_rejected = memory.password_interrupted
                    memory.password_interrupted = True
                raise
            finally:
                # Cancelled once more, it is not waited for.
                sending.cancel()
                sending.add_done_callback(lambda task: task.cancelled() or task.exception())
            sending.result()
        if memory.password_rejected:
            message = f"the meter at {self._port} does not take the password"
            raise MeterAuthenticationError(message, port=self._port)

    async def _send_password(self, password: str) -> None:
        """Send the password once.

        Without an answer it is not sent again either, unless it was right before.
        """
        memory, frames = self._memory, self._frames
        memory.password_rejected = not memory.password_accepted
        await frames.send(frames.encode(Command.PASSWORD, f"({password})"))
        answer = await frames.receive(ANSWER_SECONDS)
        if memory.password_accepted and (answer is None or answer.kind is FrameKind.DAMAGED):
            raise frames.silence_error()
        memory.password_accepted = answer is not None and answer.kind is FrameKind.ACK
        memory.password_rejected = not memory.password_accepted

    async def end(self) -> None:
        """Send the break, after which the meter answers requests again."""
        await self._frames.send(self._frames.encode(Command.BREAK))

    async def read(self, address: str) -> Sequence[Register]:
        """Read a register: its values, or none where the meter does not have it.

        Raises RefusedError when the meter ends the session, ChecksumError, MeterSilentError.
        """
        if address in self._absent or not is_register(address):
            return ()
        text = await self._read_answer(address)
        if text is None:
            return ()
        # Whether digits are a number depends on the address.
        text = f"{address}{text}" if text.startswith("(") else text
        registers = await do_in_turns(parse_in_slices(text))
        if len({register.address for register in registers}) > 1:
            return registers
        # Meters answer with a shorter address than was requested, or with none.
        obis = parse_address(address)
        return [replace(register, obis=obis, address=address) for register in registers]

    async def _read_answer(self, address: str) -> str | None:
        """Return the data sets in the answer to a request for a register, None without one.

        Raises MeterSilentError where the meter does not answer anything any more.
        """
        frames = self._frames
        command = frames.encode(Command.READ, f"{address}()")
        progress = frames.monitor()
        try:
            frame = await frames.request(command, ANSWER_SECONDS, progress, address)
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
            frame = await frames.request_next_block(progress)
            text += frame.data if frame is not None else ""
        return text

    async def read_profile(
        self, name: str, start: datetime, end: datetime, zone: tzinfo | None
    ) -> str:
        """Read a load profile or event log such as ``P.01``; return its data sets as text.

        The text is empty where the meter has no entries of that time. Naive times are as the
        meter's clock counts, which is set to ``zone`` if that is known. Raises RefusedError where
        the meter has no such profile, or refuses it.
        """
        memory = self._memory
        known = memory.profile_form
        forms = {known: FORMS[known - 1]} if known else dict(enumerate(FORMS, 1))
        is_empty = False
        for number, form in forms.items():
            command = self._frames.encode(form.command, form.data(name, start, end, zone))
            text = await self._read_blocks(command)
            beginning = text[:_ERROR_WITHIN]
            if error_in(beginning) is None:
                if error_in(text[-_ERROR_WITHIN:]):
                    # What is missing would look like rows that the meter does not have.
                    raise self._frames.damage()
                memory.profile_form = number
                return text
            is_empty |= has_no_entries(beginning, name)
        if is_empty:
            return ""
        raise self.refusal()

    async def _read_blocks(self, command: bytes) -> str:
        """Return an answer of one or more blocks; empty where the meter refuses."""
        frames = self._frames
        blocks: list[str] = []
        message = command
        progress = frames.monitor(LIMIT, None)
        while (frame := await frames.request(message, _PROFILE_SECONDS, progress)) is not None:
            blocks.append(frame.data)
            if not frame.is_partial:
                return "".join(blocks)
            if not frames.continues(progress):
                raise frames.damage()
            message = ACK
        if blocks:
            raise frames.damage()
        return ""

    def no_register_error(self) -> MeterError:
        """Return the error of a meter that has answered for none of the registers."""
        if self._unanswered_in_a_row:
            return self._frames.silence_error()
        message = f"the meter at {self._port} has none of these registers"
        return NoRegisterError(message, port=self._port)

    def refusal(self) -> RefusedError:
        """Return the error of a meter that refuses what was requested."""
        return self._frames.refusal()
