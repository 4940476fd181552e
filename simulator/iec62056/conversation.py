"""What meters do on a line: they wait for somebody to sign on, and answer."""

import asyncio
from dataclasses import dataclass
import re
from typing import Final

from simulator.line import Line

from . import encoder
from .link import Link
from .meter import Entry, Iec62056Meter, LowerSpeed, Mode

#: Longest time between two characters of a message, in seconds (clause 6.4.3).
_CHARACTER_TIMEOUT: Final = 1.5
_SIGN_ON: Final = re.compile(rb"/([?#1-9])([0-9A-Za-z ]{0,32})!\r\n\Z")
_SIGN_ON_MAX: Final = 40
_ACKNOWLEDGEMENT: Final = re.compile(rb"\x06([0-9])([0-9A-Za-z])([0-9])\r\n\Z")
_SPEEDS: Final = {digit: speed for speed, digit in encoder.SPEED_DIGITS.items()}
_NOISE: Final = bytes.fromhex("7f00ff53")


@dataclass(frozen=True, slots=True)
class SignOn:
    """Somebody asks for identifications: "/", a table, an address or none, "!"."""

    table: str
    address: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What is to come after the identification (clause 6.3.3): ACK V Z Y."""

    protocol: str
    speed: str
    choice: str


async def serve(line: Line, *meters: Iec62056Meter) -> None:
    """Let meters answer on a line, for ever."""
    link = Link(line)
    for meter in meters:
        # The first one takes its time, the next ones do not.
        meter.readout()
    while True:
        line.baudrate = meters[0].start_baudrate
        sign_on = await _sign_on(link)
        for meter in meters:
            if meter.answers(sign_on.table, sign_on.address):
                await _Conversation(link, meter).hold(sign_on)
                break


async def _sign_on(link: Link) -> SignOn:
    heard = bytearray()
    while True:
        character = await link.character()
        assert character is not None  # noqa: S101  there is no deadline
        if (sign_on := _complete(heard, character)) is not None:
            return sign_on


def _complete(heard: bytearray, character: int) -> SignOn | None:
    """Take one more character; return the sign-on that it makes complete."""
    heard.append(character)
    del heard[:-_SIGN_ON_MAX]
    if (found := _SIGN_ON.search(heard)) is None:
        return None
    sign_on = SignOn(found[1].decode(), found[2].decode())
    heard.clear()
    return sign_on


class _Conversation:
    """What follows on a sign-on, until the meter waits for the next one."""

    def __init__(self, link: Link, meter: Iec62056Meter) -> None:
        self.link = link
        self.meter = meter
        self.line = link.line
        link.even_parity = meter.even_parity
        link.strict = meter.strict_parity

    async def hold(self, sign_on: SignOn) -> None:
        """Answer, as the meter's mode wants it."""
        meter = self.meter
        next_sign_on: SignOn | None = sign_on
        while next_sign_on is not None:
            sign_on = next_sign_on
            self.note("sign-on", sign_on.address)
            await self.link.wait_until(self.link.heard_at + meter.tr)
            if meter.faults.happens("noise"):
                await self.line.write(_NOISE)
            await self.link.send(meter.identification)
            if meter.mode is Mode.A:
                await self.send_readout(meter.readout(sign_on.table))
                return
            if meter.mode is Mode.B:
                await asyncio.sleep(meter.tr)
                self.line.baudrate = meter.baudrate
                await self.send_readout(meter.readout(sign_on.table))
                return
            match await self.acknowledgement():
                case SignOn() as again:
                    next_sign_on = again
                case Acknowledgement() as chosen:
                    await self.follow(sign_on, chosen)
                    return
                case None:
                    self.note("no acknowledgement")
                    await self.send_readout(meter.readout(sign_on.table))
                    return

    async def acknowledgement(self) -> Acknowledgement | SignOn | None:
        """Wait for an acknowledgement, or another sign-on; None when neither comes in time."""
        deadline = self.now() + self.meter.acknowledgement_timeout
        heard = bytearray()
        begun = b""
        while True:
            until = self.now() + _CHARACTER_TIMEOUT if begun else deadline
            character = await self.link.character(max(until, deadline))
            if character is None:
                return None
            if character == encoder.ACK[0]:
                begun = encoder.ACK
            elif begun:
                begun += bytes([character])
            if (again := _complete(heard, character)) is not None:
                return again
            if (found := _ACKNOWLEDGEMENT.match(begun)) is not None:
                chosen = Acknowledgement(*(group.decode() for group in found.groups()))
                if self.sees(chosen):
                    return chosen
                begun = b""
            elif len(begun) > 6:
                begun = b""

    def sees(self, chosen: Acknowledgement) -> bool:
        """Whether the meter takes an acknowledgement for one."""
        if self.meter.faults.happens("lose_acknowledgements"):
            self.note("lost acknowledgement")
            return False
        self.note("acknowledgement", f"{chosen.protocol}{chosen.speed}{chosen.choice}")
        speed = _SPEEDS.get(chosen.speed)
        if speed is None or speed > self.meter.baudrate:
            return False
        return speed == self.meter.baudrate or self.meter.lower_speed is not LowerSpeed.REFUSED

    async def follow(self, sign_on: SignOn, chosen: Acknowledgement) -> None:
        """Do what was chosen, at the speed that was agreed upon."""
        meter = self.meter
        answer_at = self.link.heard_at + meter.tr
        readout = meter.readout(sign_on.table, chosen.choice)
        await self.link.wait_until(answer_at)
        if not meter.faults.happens("keep_old_speed"):
            overruled = meter.lower_speed is LowerSpeed.OVERRULED
            self.line.baudrate = meter.baudrate if overruled else _SPEEDS[chosen.speed]
        await self.send_readout(readout)

    async def send_readout(self, readout: bytes) -> None:
        """Send a readout, with what goes wrong on the way."""
        faults = self.meter.faults
        data = bytearray(readout)
        middle = len(data) // 2
        if faults.happens("flip_bits"):
            data[middle] ^= 1
        if faults.happens("stop_midway"):
            del data[middle:]
        self.note("readout", str(self.line.baudrate))
        await self.link.send(bytes(data))

    def note(self, what: str, detail: str = "") -> None:
        """Write into the meter's log."""
        self.meter.log.append(Entry(self.now(), what, detail))

    @staticmethod
    def now() -> float:
        """Return the event loop's time."""
        return asyncio.get_running_loop().time()
