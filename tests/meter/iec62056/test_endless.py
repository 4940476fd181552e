"""Meters or noise that never end: every exchange ends all the same."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any

import pytest

from custom_components.onemeter.meter.errors import (
    ChecksumError,
    MeterAuthenticationError,
    MeterError,
    UnknownDataError,
)
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.iec62056.framing import LIMIT
from simulator.iec62056.encoder import Checksum, answer, command, with_even_parity, without_parity
from simulator.line import Line
from simulator.memory import MemoryLine

from ...helpers.lines import client_at

#: Seconds in which a canceled client ends.
CANCELLED = 2
#: Seconds after which a sign-on is given up while bytes keep arriving.
SIGN_ON = 60
NOISE = Random("noise").randbytes(4096)
GARBAGE = {
    "text": b"x",
    "noise": NOISE,
    "identifications": b"/TST0DEMO-21\r\n",
    "lines without data": b"1.8.0 000123.4 kWh\r\n",
    "open values": b"1.8.0(000123.4*kWh\r\n",
}
ENDLESS = b"\x02" + b"1.8.0(000123.4*kWh)\r\n" * 100
START, END = datetime(2026, 9, 21), datetime(2026, 9, 22)  # noqa: DTZ001 - as the meter counts


class Peer:
    """A meter that the test controls."""

    def __init__(self, line: Line) -> None:
        self.line = line

    async def hear(self, end: bytes) -> None:
        """Receive until these bytes."""
        heard = without_parity(await self.line.read())
        while end not in heard:
            heard += without_parity(await self.line.read())

    async def say(self, data: bytes) -> None:
        await self.line.write(with_even_parity(data))

    async def say_for_ever(self, data: bytes) -> None:
        sent = with_even_parity(data) if data.isascii() else data
        while True:
            await self.line.write(sent * (1 + 64 // len(sent)))

    async def be_signed_on_to(self) -> None:
        await self.hear(b"!\r\n")
        digit = {300: "0", 9600: "5", 19_200: "6"}[self.line.baudrate or 0]
        await self.say(f"/TST{digit}DEMO-21\r\n".encode())
        await self.hear(b"\r\n")

    async def begin_session(self) -> None:
        await self.be_signed_on_to()
        await self.say(command("P0", "(777777)", Checksum.XOR))


type Part = Callable[[Peer], Coroutine[Any, Any, None]]


@asynccontextmanager
async def playing(part: Part, baudrate: int) -> AsyncGenerator[MemoryLine]:
    async with MemoryLine(baudrate) as line:
        task = asyncio.create_task(part(Peer(line)))
        try:
            yield line
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def use(client: Iec62056Client, what: str) -> None:
    match what:
        case "read":
            await client.read()
        case "watch":
            async with aclosing(client.watch(["1.8.0"], 10)) as readings:
                await anext(readings)
        case "profile":
            await client.read_profile(START, END)


def now() -> float:
    return asyncio.get_running_loop().time()


# --- readouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_in_a_readout(garbage: bytes) -> None:
    """It ends 20 s after the last line of data, and so do further attempts."""

    async def part(peer: Peer) -> None:
        await peer.be_signed_on_to()
        await peer.say(b"\x020.0.0(12345678)\r\n")
        await peer.say_for_ever(garbage)

    async with playing(part, 300) as line:
        client = client_at(line, 300)
        started = now()
        with pytest.raises((ChecksumError, UnknownDataError)):
            await client.read()
        assert now() - started < 20 + 2 * SIGN_ON


async def test_a_readout_without_end() -> None:
    """Lines of data may take any time, but not more than 64 KiB."""

    async def part(peer: Peer) -> None:
        await peer.be_signed_on_to()
        await peer.say(b"\x02")
        await peer.say_for_ever(b"1.8.0(000123.4*kWh)\r\n")

    async with playing(part, 19_200) as line:
        client = client_at(line, 19_200)
        with pytest.raises((ChecksumError, UnknownDataError)):
            await client.read()
        assert LIMIT <= client.counters.received <= LIMIT + SIGN_ON * 1920


async def test_a_slow_readout_of_many_lines_is_read() -> None:
    async def part(peer: Peer) -> None:
        await peer.be_signed_on_to()
        body = "".join(f"1.8.{number}(000123.4*kWh)\r\n" for number in range(90)) + "!\r\n"
        await peer.say(answer(body, Checksum.XOR))
        await asyncio.sleep(10)

    async with playing(part, 300) as line:
        started = now()
        assert len((await client_at(line, 300).read()).registers) == 90
        assert now() - started > 60


async def test_a_readout_at_the_wrong_speed_is_not_passed_over_for_ever() -> None:
    """The meter changes its speed without announcing it, and never ends."""

    async def part(peer: Peer) -> None:
        await peer.be_signed_on_to()
        peer.line.baudrate = 2400
        await peer.say_for_ever(b"x")

    async with playing(part, 300) as line:
        started = now()
        with pytest.raises(MeterError):
            await client_at(line, 300).read()
        assert now() - started < 20 + 2 * SIGN_ON


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"x",
        NOISE,
        answer("9.9.9(1)", Checksum.XOR),
        command("P0", "(777777)", Checksum.XOR),
        ENDLESS,
    ],
    ids=["text", "noise", "answers to another question", "commands", "an answer without end"],
)
@pytest.mark.parametrize("what", ["seed", "verdict", "register", "profile"])
async def test_garbage_in_a_session(what: str, garbage: bytes) -> None:
    if what == "profile" and garbage is ENDLESS:
        return  # like a load profile of hours

    async def part(peer: Peer) -> None:
        if what == "seed":
            await peer.be_signed_on_to()
            await peer.say_for_ever(garbage)
        await peer.begin_session()
        await peer.hear(b"(12345678)\x03")
        await asyncio.sleep(0.2)
        if what == "verdict":
            await peer.say_for_ever(garbage)
        await peer.say(b"\x06")
        await peer.hear(b"1.8.0()\x03" if what == "register" else b"P.01(")
        await peer.say_for_ever(garbage)

    async with playing(part, 300) as line:
        client = client_at(line, 300, password="12345678")
        started = now()
        with pytest.raises(MeterError):
            await use(client, "profile" if what == "profile" else "watch")
        assert now() - started < 60 + 2 * SIGN_ON


async def test_a_profile_of_empty_blocks() -> None:
    async def part(peer: Peer) -> None:
        await peer.begin_session()
        while True:
            await peer.hear(b"")
            await peer.say(answer("", Checksum.XOR, last=False))

    async with playing(part, 9600) as line:
        started = now()
        with pytest.raises(MeterError):
            await client_at(line, 9600).read_profile(START, END)
        assert now() - started < 60


# --- cancellation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"1.8.0(000123.4*kWh)\r\n", b""], ids=["lines", "silence"])
@pytest.mark.parametrize("after", [0.1, 1, 2, 3, 4, 8, 20])
@pytest.mark.parametrize("what", ["read", "watch", "profile"])
async def test_cancelling(what: str, after: float, data: bytes) -> None:
    """At any time, also before the meter has answered a password."""

    async def part(peer: Peer) -> None:
        await peer.begin_session()
        await peer.hear(b"(12345678)\x03")
        if after > 8:
            await peer.say(b"\x06")
        if data:
            await peer.say_for_ever(data)
        await asyncio.sleep(1000)

    async with playing(part, 300) as line:
        client = client_at(line, 300, password="12345678")

        task = asyncio.create_task(use(client, what))
        await asyncio.sleep(after)
        task.cancel()
        started = now()
        await asyncio.gather(task, return_exceptions=True)
        assert now() - started <= CANCELLED


async def test_password_without_an_answer_is_sent_again() -> None:
    given = 0

    async def part(peer: Peer) -> None:
        nonlocal given
        while True:
            await peer.begin_session()
            await peer.hear(b"(12345678)\x03")
            given += 1
            await peer.hear(b"B0\x03")

    async with playing(part, 9600) as line:
        client = client_at(line, 9600, password="12345678")
        for times in (1, 2, 2):
            task = asyncio.create_task(anext(client.watch(["1.8.0"], 10)))
            await asyncio.sleep(1)
            task.cancel()
            result = await asyncio.gather(task, return_exceptions=True)
            assert given == times
        assert isinstance(result[0], MeterAuthenticationError)
