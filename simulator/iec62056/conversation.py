"""Meters on a line: waiting for a sign-on, and the answers to it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import and_
import re
from typing import Final

from simulator.line import Line

from . import encoder
from .link import CHARACTER_TIMEOUT, Link
from .meter import Iec62056Meter, LowerSpeed, Mode, Programming
from .programming import Session
from .wakeup import Sleep

_SIGN_ON: Final = re.compile(rb"/([?#1-9])([0-9A-Za-z ]{0,32})!\r\n\Z")
_SIGN_ON_MAX: Final = 40
_ACKNOWLEDGEMENT: Final = re.compile(rb"\x06([0-9])([0-9A-Za-z])([0-9])\r\n\Z")
_SPEEDS: Final = {digit: speed for speed, digit in encoder.SPEED_DIGITS.items()}
_ACKNOWLEDGEMENT_SIZE: Final = 6
_HDLC: Final = "2"
_PROGRAMMING: Final = "1"
_NOISE: Final = bytes.fromhex("7f00ff53")


@dataclass(frozen=True, slots=True)
class SignOn:
    """A request: "/", a table ("?" is the standard readout), an address or none, "!"."""

    table: str
    address: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement / option select message (clause 6.3.3): ACK V Z Y."""

    protocol: str
    speed: str
    choice: str


async def serve(line: Line, *meters: Iec62056Meter) -> None:
    """Serve meters on a line, for ever.

    A meter of mode D needs a line of its own. Meters that answer the same sign-on do so at the
    same time.
    """
    for meter in meters:
        # The first readout takes long to compute, the next ones do not.
        meter.readout()
    if len(meters) == 1 and meters[0].mode is Mode.D:
        await _push(Link(line), meters[0])
    link = Link(line)
    sleeps = [Sleep() for _ in meters]
    while True:
        line.baudrate = meters[0].start_baudrate
        link.strict = all(meter.strict_parity for meter in meters)
        sign_on = await _sign_on(link, sleeps)
        awake = [
            (meter, sleep)
            for meter, sleep in zip(meters, sleeps, strict=True)
            if not meter.battery or sleep.awake(link.heard_at)
        ]
        called = [pair for pair in awake if pair[0].answers(sign_on.table, sign_on.address)]
        if any(meter.faults.happens("miss_requests") for meter, _ in called):
            continue
        if len(called) > 1:
            await _answer_at_once(link, [meter for meter, _ in called])
        elif called:
            ((meter, sleep),) = called
            await _Conversation(link, meter).run(sign_on)
            sleep.stay_awake(asyncio.get_running_loop().time())


async def _push(link: Link, meter: Iec62056Meter) -> None:
    """Push readouts (mode D)."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    conversation = _Conversation(link, meter)
    link.line.baudrate = meter.baudrate
    while True:
        await link.wait_until(due)
        await conversation.send_noise()
        await conversation.send_readout(meter.pushed())
        due = max(due + meter.interval, loop.time())


async def _answer_at_once(link: Link, meters: list[Iec62056Meter]) -> None:
    """Send the identifications of several meters at once: a 0 bit of one hides the 1 of others."""
    for meter in meters:
        meter.note("collision")
    identifications = [meter.identification for meter in meters]
    size = max(map(len, identifications))
    await link.wait_until(link.heard_at + meters[0].tr)
    await link.send(
        bytes(
            reduce(and_, characters)
            for characters in zip(
                *(text.ljust(size, b"\xff") for text in identifications), strict=True
            )
        )
    )


async def _sign_on(link: Link, sleeps: list[Sleep]) -> SignOn:
    heard = bytearray()
    while True:
        character = await link.character()
        assert character is not None  # noqa: S101  there is no deadline
        for sleep in sleeps:
            sleep.hear(character, link.heard_at - link.character_time, link.heard_at)
        if (sign_on := _complete(heard, character)) is not None:
            return sign_on


def _complete(heard: bytearray, character: int) -> SignOn | None:
    """Add a character; return the sign-on that it completes."""
    heard.append(character)
    del heard[:-_SIGN_ON_MAX]
    if (found := _SIGN_ON.search(heard)) is None:
        return None
    sign_on = SignOn(found[1].decode(), found[2].decode())
    heard.clear()
    return sign_on


class _Conversation:
    """What follows a sign-on, until the meter waits for the next one."""

    def __init__(self, link: Link, meter: Iec62056Meter) -> None:
        self.link = link
        self.meter = meter
        self.line = link.line
        link.even_parity = meter.even_parity
        link.odd_parity = meter.odd_parity
        link.strict = meter.strict_parity

    async def run(self, sign_on: SignOn) -> None:
        """Answer as in the meter's mode."""
        meter = self.meter
        again: SignOn | None = sign_on
        while again is not None:
            sign_on, again = again, None
            meter.note("sign-on", sign_on.address)
            await self.link.wait_until(self.link.heard_at + meter.tr)
            await self.send_noise()
            await self.identify()
            match meter.mode:
                case Mode.C | Mode.E:
                    again = await self.select_option(sign_on)
                case Mode.B:
                    await asyncio.sleep(meter.tr)
                    self.line.baudrate = meter.baudrate
                    await self.send_readout(meter.readout(sign_on.table))
                case Mode.A | Mode.D:
                    await self.send_readout(meter.readout(sign_on.table))

    async def identify(self) -> None:
        """Send the identification, damaged if a fault is due."""
        meter = self.meter
        line = bytearray(meter.identification)
        if meter.faults.happens("damage_identifications"):
            # The parity bit is that of the undamaged character.
            await self.link.send(bytes(line[:-3]))
            damaged = encoder.with_even_parity(bytes(line[-3:-2]))
            await self.line.write(bytes([damaged[0] ^ 1]))
            del line[:-2]
        if meter.line_feed_after:
            await self.link.send(bytes(line[:-1]))
            await asyncio.sleep(meter.line_feed_after)
            del line[:-1]
        await self.link.send(bytes(line))

    async def select_option(self, sign_on: SignOn) -> SignOn | None:
        """Do what the acknowledgement selects; return a sign-on that arrives instead of it."""
        match await self.acknowledgement():
            case SignOn() as again:
                return again
            case None:
                self.meter.note("no acknowledgement")
                await self.send_readout(self.meter.readout(sign_on.table))
            case chosen if self.is_wanted(chosen):
                await self.follow(sign_on, chosen)
        return None

    def is_wanted(self, chosen: Acknowledgement) -> bool:
        """Whether the meter answers this acknowledgement."""
        wanted = self.meter.readout_after
        if wanted is None or chosen.choice == _PROGRAMMING:
            return True
        return f"{chosen.protocol}{chosen.speed}{chosen.choice}" == wanted

    async def acknowledgement(self) -> Acknowledgement | SignOn | None:
        """Wait for an acknowledgement or another sign-on; None when neither arrives in time."""
        deadline = asyncio.get_running_loop().time() + self.meter.acknowledgement_timeout
        heard = bytearray()
        begun = b""
        while True:
            until = max(deadline, self.link.heard_at + CHARACTER_TIMEOUT) if begun else deadline
            character = await self.link.character(until)
            if character is None:
                return None
            if character == encoder.ACK[0]:
                begun = encoder.ACK
            elif begun:
                begun += bytes([character])
            again = _complete(heard, character)
            if again is not None and self.meter.accepts_repeated_requests:
                return again
            if (found := _ACKNOWLEDGEMENT.match(begun)) is not None:
                chosen = Acknowledgement(*(group.decode() for group in found.groups()))
                if self.is_accepted(chosen):
                    return chosen
            if len(begun) >= _ACKNOWLEDGEMENT_SIZE:
                begun = b""

    def is_accepted(self, chosen: Acknowledgement) -> bool:
        """Whether the meter accepts an acknowledgement that has arrived."""
        meter = self.meter
        if meter.faults.happens("lose_acknowledgements"):
            meter.note("lost acknowledgement")
            return False
        meter.note("acknowledgement", f"{chosen.protocol}{chosen.speed}{chosen.choice}")
        is_readout = meter.readout_after == f"{chosen.protocol}{chosen.speed}{chosen.choice}"
        if chosen.protocol == _HDLC and meter.mode is not Mode.E and not is_readout:
            return False
        speed = _SPEEDS.get(chosen.speed)
        if speed is None or speed > meter.baudrate:
            return False
        return speed == meter.baudrate or meter.lower_speed is not LowerSpeed.REFUSED

    async def follow(self, sign_on: SignOn, chosen: Acknowledgement) -> None:
        """Do what is selected, at the agreed speed."""
        meter = self.meter
        answer_at = self.link.heard_at + meter.tr
        readout = meter.readout(sign_on.table, chosen.choice)
        await self.link.wait_until(answer_at)
        speed = _SPEEDS[chosen.speed]
        if meter.faults.happens("keep_old_speed"):
            speed = self.line.baudrate or speed
        elif meter.lower_speed is LowerSpeed.OVERRULED:
            speed = meter.baudrate
        speed = meter.data_baudrate or speed
        if chosen.protocol == _HDLC and meter.hdlc is not None:
            await meter.hdlc(self.link, speed)
            return
        self.line.baudrate = speed
        if chosen.protocol == _HDLC and meter.readout_after is None:
            await self.listen_to_hdlc()
        elif chosen.choice != _PROGRAMMING:
            await self.send_readout(readout)
        elif meter.programming is Programming.ALLOWED:
            await Session(self.link, meter).run()
        elif meter.programming is Programming.REFUSED:
            await self.link.send(encoder.command("B0", None, meter.checksum))

    async def listen_to_hdlc(self) -> None:
        """Log what arrives until the session times out; answer nothing."""
        self.meter.note("hdlc", str(self.line.baudrate))
        heard = bytearray()
        loop = asyncio.get_running_loop()
        timeout = self.meter.session_timeout
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout) as limit:
                while True:
                    heard += await self.line.read()
                    limit.reschedule(loop.time() + timeout)
        self.meter.note("hdlc ended", heard.hex())

    async def send_noise(self) -> None:
        """Send noise if this fault is due."""
        if self.meter.faults.happens("noise"):
            await self.line.write(_NOISE)

    async def send_readout(self, readout: bytes) -> None:
        """Send a readout, damaged if a fault is due."""
        faults = self.meter.faults
        data = bytearray(readout)
        middle = len(data) // 2
        if faults.happens("flip_bits"):
            data[middle] ^= 1
        if faults.happens("stop_midway"):
            del data[middle:]
        self.meter.note("readout", str(self.line.baudrate))
        await self.link.send(bytes(data))
