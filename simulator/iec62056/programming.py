"""Programming mode: the answers to commands, of which only those that read are supported."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
import re
from typing import Final

from . import encoder
from .link import CHARACTER_TIMEOUT, Link
from .meter import Iec62056Meter, ProfileRequest, Rejection

_DATA: Final = re.compile(r"([^()]*)\(([^()]*)\)")
_ERROR: Final = "(ERROR)"
_NAME_SIZE: Final = 2
_SEPARATORS: Final = re.compile(r"[-,:]")


@dataclass(frozen=True, slots=True)
class Command:
    """A received command: its name, such as R1, its data, and whether the checksum is right."""

    name: str
    data: str
    intact: bool


class Session:
    """A session in programming mode, from P0 to the break or a time-out (clause 6.4.3.3)."""

    def __init__(self, link: Link, meter: Iec62056Meter) -> None:
        """Begin a session of a meter on a line, at the agreed speed."""
        self.link = link
        self.meter = meter
        self._open = meter.password is None
        self._last = b""
        self._blocks: Iterator[bytes] = iter(())

    async def run(self) -> None:
        """Request the password, and answer commands until the session ends."""
        meter = self.meter
        meter.note("session")
        await self.link.send(encoder.command("P0", f"({meter.seed})", meter.checksum))
        while True:
            match await self._next():
                case None:
                    meter.note("session timed out")
                    return
                case encoder.ACK:
                    if (block := next(self._blocks, None)) is not None:
                        await self._answer(block)
                case encoder.NAK:
                    meter.note("repetition")
                    await self._answer(self._last)
                case Command(intact=False, name=name):
                    meter.note("damaged command", name)
                    await self._answer(encoder.NAK, remember=False)
                case Command(name="B0"):
                    meter.note("break")
                    return
                case Command() as command:
                    meter.note("command", f"{command.name} {command.data}")
                    if not await self._execute(command):
                        return

    async def _execute(self, command: Command) -> bool:
        """Answer a command; return whether the session goes on."""
        meter = self.meter
        self._blocks = iter(())
        found = _DATA.fullmatch(command.data)
        name, argument = found.groups() if found is not None else ("", "")
        match command.name:
            case "P1":
                return await self._log_in(argument)
            case "R2" if self._open and found is not None and name.startswith("P."):
                await self._send_profile(command.name, name, argument)
            case "R1" | "R2" if self._open and found is not None:
                if name in meter.own_answers:
                    await self._answer_in_blocks(meter.own_answers[name])
                elif (values := meter.register(name)) is None:
                    await self._answer(encoder.answer(meter.unknown_register, meter.checksum))
                else:
                    last = not meter.partial_answers
                    await self._answer(encoder.answer(name + values, meter.checksum, last=last))
            case "R5" | "R6" if self._open and found is not None:
                await self._send_profile(command.name, name, argument)
            case _:
                await self._answer(encoder.answer(_ERROR, meter.checksum))
        return True

    async def _log_in(self, password: str) -> bool:
        meter = self.meter
        if meter.check_password(password):
            meter.note("password")
            self._open = True
            await self._answer(encoder.ACK)
            return True
        meter.note("wrong password")
        match meter.rejection:
            case Rejection.NAK:
                await self._answer(encoder.NAK)
            case Rejection.ERROR:
                await self._answer(encoder.answer(_ERROR, meter.checksum))
            case Rejection.BREAK:
                await self._answer(encoder.command("B0", None, meter.checksum))
        return meter.rejection is not Rejection.BREAK

    async def _send_profile(self, command: str, name: str, span: str) -> None:
        meter = self.meter
        lines = None
        size = meter.lines_per_block
        if (request := _request(command, span)) in meter.profile_requests:
            if request is ProfileRequest.R6_LINES:
                span, _, number = span.rpartition(";")
                size = int(number)
            lines = meter.profile_lines(name, _SEPARATORS.sub("", span))
        if lines is None:
            await self._answer(encoder.answer(meter.unknown_register, meter.checksum))
            return
        if command != "R6":
            size = len(lines)
        await self._answer_in_blocks(
            ["\r\n".join(lines[at : at + size]) + "\r\n" for at in range(0, len(lines), size)]
        )

    async def _answer_in_blocks(self, blocks: list[str]) -> None:
        self._blocks = (
            encoder.answer(block, self.meter.checksum, last=number == len(blocks))
            for number, block in enumerate(blocks, 1)
        )
        if (first := next(self._blocks, None)) is not None:
            await self._answer(first)

    async def _answer(self, data: bytes, *, remember: bool = True) -> None:
        if remember:
            self._last = data
        answer = bytearray(data)
        if self.meter.faults.happens("flip_bits_of_answers"):
            answer[len(answer) // 2] ^= 1
        await self.link.wait_until(self.link.heard_at + self.meter.tr)
        await self.link.send(bytes(answer))

    async def _next(self) -> Command | bytes | None:
        """Wait for a command, ACK or NAK; None if the session times out."""
        heard = bytearray()
        deadline = asyncio.get_running_loop().time() + self.meter.session_timeout
        while True:
            until = self.link.heard_at + CHARACTER_TIMEOUT if heard else deadline
            character = await self.link.character(until)
            if character is None:
                if not heard:
                    return None
                heard.clear()
                continue
            byte = bytes([character])
            if heard:
                heard += byte
                # Any byte may be the check character.
                if heard[-2:-1] == encoder.ETX:
                    if not self.meter.faults.happens("miss_commands"):
                        return self._command(bytes(heard))
                    heard.clear()
            elif byte in (encoder.ACK, encoder.NAK):
                return byte
            elif byte == encoder.SOH:
                heard += byte

    def _command(self, heard: bytes) -> Command:
        body = heard[1:-1]
        name, data = body[:_NAME_SIZE], body[_NAME_SIZE:-1].removeprefix(encoder.STX)
        check = encoder.block_check(body, self.meter.checksum)
        return Command(name.decode(), data.decode(), intact=heard[-1:] == check)


def _request(command: str, span: str) -> ProfileRequest:
    if command == "R6" and span.count(";") > 1:
        return ProfileRequest.R6_LINES
    if command == "R2" and "-" in span:
        return ProfileRequest.R2_DATES
    return ProfileRequest(command)
