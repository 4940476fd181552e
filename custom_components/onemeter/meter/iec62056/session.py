"""A session in programming mode: registers and load profiles (IEC 62056-21:2002, 6.4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Final

from ..errors import (
    ChecksumError,
    MeterAuthenticationError,
    MeterSilentError,
    RefusedError,
)
from ..port import redact
from ..reading import Register
from .codes import parse_address
from .link import Link
from .memory import Memory
from .programming import (
    ACK,
    NAK,
    Command,
    Frame,
    FrameKind,
    FrameReader,
    encode_command,
    error_in,
)
from .readout import parse_registers
from .settings import is_register
from .times import format_digits

#: How often a frame is asked for again (6.4.4); after silence only once.
_REPEATS: Final = 3
#: Seconds until an answer begins, and between its characters.
_ANSWER_SECONDS: Final = 2.0
#: The same for a profile, whose rows the meter may have to look for.
_PROFILE_SECONDS: Final = 5.0
#: The longest answer of partial blocks: many times what meters remember.
_PROFILE_MAX: Final = 1 << 24
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
        #: Whether a register was read.
        self.has_answered = False

    async def begin(self, first: bytes, password: str | None) -> None:
        """Take the meter's first frame, and give the password where there is one; once.

        Raises RefusedError where the meter has no programming mode, MeterAuthenticationError.
        """
        self._received += self._frames.feed(first)
        seed = await self._next(_ANSWER_SECONDS)
        if seed is None or seed.command != Command.SEED:
            raise self.refused()
        if password is None:
            return
        if not self._memory.password_rejected:
            # Whoever cancels this must not leave it open whether the password was right.
            giving = asyncio.ensure_future(self._give_password(password))
            try:
                await asyncio.shield(giving)
            finally:
                await asyncio.wait([giving])
        if self._memory.password_rejected:
            message = f"the meter at {self._port} does not take the password"
            raise MeterAuthenticationError(message, port=self._port)

    async def _give_password(self, password: str) -> None:
        """Say the password once; what gets no answer is not said again either."""
        self._memory.password_rejected = True
        await self._send(self._encode(Command.PASSWORD, f"({password})"))
        answer = await self._next(_ANSWER_SECONDS)
        self._memory.password_rejected = answer is None or answer.kind is not FrameKind.ACK

    async def end(self) -> None:
        """Let the meter go back to where it answers requests."""
        await self._send(self._encode(Command.BREAK))

    async def read(self, address: str) -> Sequence[Register]:
        """Read a register: its values, or none where the meter does not have it.

        Raises RefusedError when the meter ends the session, ChecksumError, MeterSilentError.
        """
        if address in self._memory.absent or not is_register(address):
            return ()
        command = self._encode(Command.READ, f"{address}()")
        frame = await self._ask(command, _ANSWER_SECONDS)
        if frame is None or error_in(frame.data) is not None:
            self._memory.absent.add(address)
            return ()
        self.has_answered = True
        registers = parse_registers(frame.data)
        if len({register.address for register in registers}) > 1:
            return registers
        # Meters answer with a shorter code than they were asked for, or with none.
        obis = parse_address(address)
        return [replace(register, obis=obis, address=address) for register in registers]

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
                if error_in(text) is None:
                    self._memory.time_stamp = length
                    return text
        raise self.refused()

    async def _read_blocks(self, command: bytes) -> str:
        """Return an answer of one or more blocks; empty where the meter refuses."""
        text = ""
        message = command
        while True:
            frame = await self._ask(message, _PROFILE_SECONDS)
            if frame is None:
                return ""
            text += frame.data
            if not frame.is_partial:
                return text
            if len(text) > _PROFILE_MAX:
                raise ChecksumError(f"no end comes from {self._port}", port=self._port)
            message = ACK

    async def _ask(self, message: bytes, seconds: float) -> Frame | None:
        """Return the answer to a message, None where the meter refuses it."""
        said = message
        was_silent = False
        for _ in range(1 + _REPEATS):
            await self._send(said)
            match await self._next(seconds):
                case None if was_silent:
                    break
                case None:
                    was_silent, said = True, message
                case Frame(FrameKind.ANSWER) as answer:
                    return answer
                case Frame(FrameKind.DAMAGED):
                    said = NAK
                case Frame(FrameKind.NAK):
                    said = message
                case Frame(FrameKind.COMMAND, Command.BREAK):
                    raise self.refused()
                case _:
                    return None
        if was_silent:
            raise MeterSilentError(f"nothing more comes from {self._port}", port=self._port)
        if said is NAK:
            raise ChecksumError(f"answers come damaged from {self._port}", port=self._port)
        return None

    async def _send(self, data: bytes) -> None:
        await self._link.wait_since_received(_REST)
        await self._link.send(data)

    async def _next(self, seconds: float) -> Frame | None:
        """Return the next frame, None after so many seconds of silence."""
        while not self._received:
            data = await self._link.receive(seconds)
            if not data:
                return None
            self._received += self._frames.feed(data)
        return self._received.pop(0)

    def _encode(self, command: Command, data: str | None = None) -> bytes:
        return encode_command(command, data, self._memory.check.kind)

    def refused(self) -> RefusedError:
        """Return the error of a meter that does not do what it was asked for."""
        message = f"the meter at {self._port} does not let itself be read like this"
        return RefusedError(message, port=self._port)
