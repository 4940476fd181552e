"""A reading, and its cancellation, ends whatever the meter does."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import override

import pytest

from custom_components.onemeter.meter import LineSettings
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.settings import DlmsSettings, Transport as Kind
from custom_components.onemeter.meter.errors import MeterError
from simulator.dlms import DlmsMeter, Transport, serve
from simulator.dlms.hdlc import DISC, LLC_RESPONSE, RNR, RR, UI, Deframer, Frame
from simulator.dlms.session import Session
from simulator.dlms.station import NOTIFICATION, Station
from simulator.dlms.wrapper import Message, Unwrapper
from simulator.line import Line
from simulator.memory import MemoryBridge, MemoryLine

SPEED = 9600
CLIENT, METER = b"\x03", b"\x03"
#: A frame that another meter pushes to another client.
FOREIGN = Frame(b"\x21", b"\x41", UI, LLC_RESPONSE + NOTIFICATION).to_bytes()
#: Longest times in seconds: of one exchange, of a session without progress, of a reading.
EXCHANGE, SESSION, READING = 30, 70, 1900
CANCELLED = 2

#: Replaces the answers of a station to a frame.
type Spoil = Callable[[Frame, list[Frame]], Sequence[Frame]]
#: Replaces the answer of a meter to a message.
type Respond = Callable[[bytes, bytes | None], bytes | None]


@asynccontextmanager
async def serving(task: asyncio.Task[None]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def speak(
    line: Line, wire: asyncio.Lock, spoil: Spoil, respond: Respond, pause: float
) -> None:
    """Answer over HDLC like a meter, except for what ``spoil`` changes."""
    deframer, station = Deframer(), Station(DlmsMeter())
    while True:
        for frame in deframer.feed(await line.read()):
            if frame.source == CLIENT:
                answers = station.hear(frame)
                spoil_messages(station._session, respond)
                await asyncio.sleep(pause)
                for answer in spoil(frame, answers):
                    async with wire:
                        await line.write(answer.to_bytes())


def spoil_messages(session: Session, respond: Respond) -> None:
    if "respond" not in vars(session):
        usual = session.respond
        vars(session)["respond"] = lambda apdu: respond(apdu, usual(apdu))


async def speak_wrapped(line: Line, respond: Respond) -> None:
    unwrapper, session = Unwrapper(), Session(DlmsMeter(transport=Transport.WRAPPER), 1)
    while True:
        for message in unwrapper.feed(await line.read()):
            answer = respond(message.apdu, session.respond(message.apdu))
            while answer is not None:
                packet = Message(message.destination, message.source, answer)
                await line.write(packet.to_bytes())
                await asyncio.sleep(PAUSE)
                answer = answer if answer.startswith(b"\x0f") else None


def client_at(line: Line, **settings: object) -> DlmsClient:
    usual: dict[str, object] = {
        "transport": Kind.HDLC,
        "client": 1,
        "logical_device": 1,
        "address_length": 1,
    }
    return DlmsClient(
        line.url,
        LineSettings(SPEED),
        DlmsSettings(**usual | settings),  # type: ignore[arg-type]
        None,
    )


async def ends(client: DlmsClient, seconds: float) -> None:
    with pytest.raises(MeterError):
        async with asyncio.timeout(seconds):
            await client.read()


async def is_cancelled(client: DlmsClient, after: float) -> None:
    """Cancel a readout after some seconds, and check that it ends in time."""
    reading = asyncio.create_task(client.read())
    await asyncio.sleep(after)
    assert not reading.done()
    reading.cancel()
    _, pending = await asyncio.wait([reading], timeout=CANCELLED)
    if pending:
        reading.cancel()
    assert not pending
    with pytest.raises(asyncio.CancelledError):
        await reading


async def every(seconds: float, line: Line, wire: asyncio.Lock, data: bytes) -> None:
    while True:
        await asyncio.sleep(seconds)
        async with wire:
            await line.write(data)


@asynccontextmanager
async def troubled(
    *,
    spoil: Spoil = lambda _, usual: usual,
    respond: Respond = lambda _, usual: usual,
    chatter: float = 0,
    noise: bytes = FOREIGN,
    talks: bool = True,
    pause: float = 0.1,
) -> AsyncGenerator[Line]:
    """Connect a faulty meter, which answers after a pause, and another one that pushes."""
    async with MemoryLine() as line, AsyncExitStack() as stack:
        wire = asyncio.Lock()
        tasks = [speak(line, wire, spoil, respond, pause)] if talks else []
        if chatter:
            tasks.append(every(chatter, line, wire, noise))
        for task in tasks:
            await stack.enter_async_context(serving(asyncio.create_task(task)))
        yield line


# --- Frames ---------------------------------------------------------------------------------------


class Spoiled:
    """Leaves the first answers with information unchanged, or all until disconnecting."""

    def __init__(self, spare: int = 2) -> None:
        self.left = spare

    def __call__(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        self.left -= any(not answer.control & 1 for answer in answers)
        return answers if self.left >= 0 else self.spoil(frame, answers)

    def spoil(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        raise NotImplementedError


class Silent(Spoiled):
    @override
    def spoil(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        return []


class Repeats(Spoiled):
    """Repeats the previous information frame endlessly."""

    last: Frame | None = None

    def __init__(self, spare: int = 2) -> None:
        super().__init__(max(spare, 1))

    def __call__(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        sent = super().__call__(frame, answers)
        self.last = next((answer for answer in sent if not answer.control & 1), self.last)
        return sent

    @override
    def spoil(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        assert self.last is not None
        return [self.last] * 5


class Supervisory(Spoiled):
    kind = RR

    @override
    def spoil(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        awaited = 0 if frame.control & 1 else (frame.control >> 1 & 7) + 1 & 7
        return [Frame(CLIENT, METER, awaited << 5 | 0x10 | self.kind)]


class Busy(Supervisory):
    kind = RNR


class Segments(Spoiled):
    """Continues the answer endlessly."""

    content = bytes(1000)

    @override
    def spoil(self, frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        awaited = 0 if frame.control & 1 else (frame.control >> 1 & 7) + 1 & 7
        number = frame.control >> 5
        control = awaited << 5 | 0x10 | number << 1
        return [Frame(CLIENT, METER, control, self.content, segmented=True)]


class EmptySegments(Segments):
    content = b""


#: Seconds between two frames of another meter; 0 is none.
FLOOD = 0.1
#: ... and before a message.
PAUSE = 4
CHATTER = [0, 2, FLOOD]
FRAMES: dict[str, tuple[type[Spoiled], float]] = {
    "silence": (Silent, EXCHANGE),
    "repeated frame": (Repeats, EXCHANGE),
    "never ready": (Supervisory, SESSION),
    "always busy": (Busy, SESSION),
    "segments": (Segments, 300),
    "empty segments": (EmptySegments, SESSION),
}


@pytest.mark.parametrize(("chatter", "spare"), [(0, 0), *((chatter, 2) for chatter in CHATTER)])
@pytest.mark.parametrize("trouble", FRAMES)
async def test_hdlc(trouble: str, chatter: float, spare: int) -> None:
    kind, seconds = FRAMES[trouble]
    async with troubled(spoil=kind(spare), chatter=chatter) as line:
        await ends(client_at(line), seconds)


@pytest.mark.parametrize("chatter", CHATTER)
@pytest.mark.parametrize("trouble", FRAMES)
async def test_cancelled_while(trouble: str, chatter: float) -> None:
    kind, _ = FRAMES[trouble]
    async with troubled(spoil=kind(), chatter=chatter) as line:
        await is_cancelled(client_at(line), 5)


@pytest.mark.parametrize(
    "noise",
    [FOREIGN, b"\x7e\xa0\x7e\xa8", bytes(64), b"\xff" * 64],
    ids=["frames", "flags", "zeros", "ones"],
)
async def test_flood(noise: bytes) -> None:
    async with troubled(chatter=FLOOD, noise=noise, talks=False) as line:
        await ends(client_at(line), EXCHANGE)
        await ends(
            client_at(line, transport=None, logical_device=None, address_length=None), SESSION
        )
        for seconds in (0.5, 3, 6):
            await is_cancelled(client_at(line), seconds)


async def test_foreign_meter_every_two_seconds() -> None:
    """The meter itself is read nevertheless."""
    async with troubled(chatter=2) as line:
        assert (await client_at(line).read()).registers


@pytest.mark.parametrize("seconds", [0.1, 0.5, 0.9])
async def test_cancelled_during_the_farewell(seconds: float) -> None:
    """The meter repeats its last information frame instead of ending the connection."""
    farewell = asyncio.Event()
    frames: list[Frame] = []

    def spoil(frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        if frame.control & ~0x10 == DISC:
            farewell.set()
            return frames[-1:] * 500
        frames.extend(answer for answer in answers if not answer.control & 1)
        return answers

    async with troubled(spoil=spoil, chatter=FLOOD) as line:
        reading = asyncio.create_task(client_at(line).read())
        async with asyncio.timeout(120):
            await farewell.wait()
        await asyncio.sleep(seconds)
        assert not reading.done()
        reading.cancel()
        await asyncio.wait([reading], timeout=CANCELLED)
        assert reading.done()


async def test_farewell_that_is_never_answered() -> None:
    farewells: list[float] = []

    def spoil(frame: Frame, answers: list[Frame]) -> Sequence[Frame]:
        if frame.control & ~0x10 != DISC:
            return answers
        farewells.append(asyncio.get_running_loop().time())
        return [Frame(CLIENT, METER, 0x10)] * 500

    async with troubled(spoil=spoil, chatter=FLOOD) as line:
        async with asyncio.timeout(120):
            assert (await client_at(line).read()).registers
        assert asyncio.get_running_loop().time() - farewells[0] <= CANCELLED


# --- Messages -------------------------------------------------------------------------------------


class Answers:
    """Answers the first requests, including the association, like the meter."""

    def __init__(self, spare: int = 1) -> None:
        self.left = spare
        self.number = 0

    def __call__(self, apdu: bytes, usual: bytes | None) -> bytes | None:
        self.left -= 1
        if self.left >= 0 or apdu[:1] == b"\x62":
            return usual
        self.number += 1
        return self.answer(apdu)

    def answer(self, apdu: bytes) -> bytes:
        raise NotImplementedError


class Blocks(Answers):
    """Answers in endless blocks."""

    content = bytes(100)

    @override
    def answer(self, apdu: bytes) -> bytes:
        head = bytes((0xC4, 2, apdu[2], 0)) + self.number.to_bytes(4) + b"\0"
        return head + bytes([len(self.content)]) + self.content


class EmptyBlocks(Blocks):
    content = b""


class GeneralBlocks(Answers):
    """Answers with an endless general block transfer."""

    content = bytes(100)
    step = 1

    @override
    def answer(self, apdu: bytes) -> bytes:
        number = 1 + (self.number - 1) * self.step & 0xFFFF
        head = b"\xe0\x01" + number.to_bytes(2) + bytes(2)
        return head + bytes([len(self.content)]) + self.content


class EmptyGeneralBlocks(GeneralBlocks):
    content = b""


class SameGeneralBlock(GeneralBlocks):
    step = 0


class OtherInvokeId(Answers):
    @override
    def answer(self, apdu: bytes) -> bytes:
        return bytes((0xC4, 1, apdu[2] ^ 1, 0, 0))


class Notifications(Answers):
    @override
    def answer(self, apdu: bytes) -> bytes:
        return NOTIFICATION


MESSAGES: dict[str, tuple[type[Answers], float]] = {
    "blocks": (Blocks, READING),
    "empty blocks": (EmptyBlocks, READING),
    "general blocks": (GeneralBlocks, READING),
    "empty general blocks": (EmptyGeneralBlocks, READING),
    "the same general block": (SameGeneralBlock, READING),
    "other invoke ids": (OtherInvokeId, SESSION),
    "notifications": (Notifications, SESSION),
}


@pytest.mark.parametrize("spare", [1, 3])
@pytest.mark.parametrize("trouble", MESSAGES)
async def test_messages(trouble: str, spare: int) -> None:
    kind, seconds = MESSAGES[trouble]
    async with troubled(respond=kind(spare), pause=PAUSE) as line:
        await ends(client_at(line), seconds)
    async with troubled(respond=kind(spare), pause=PAUSE) as line:
        await is_cancelled(client_at(line), 1)


@pytest.mark.parametrize("spare", [1, 3])
@pytest.mark.parametrize("trouble", MESSAGES)
async def test_messages_over_the_wrapper(trouble: str, spare: int) -> None:
    kind, seconds = MESSAGES[trouble]
    async with MemoryBridge() as line:
        async with serving(asyncio.create_task(speak_wrapped(line, kind(spare)))):
            await ends(client_at(line, transport=Kind.WRAPPER), seconds)
        async with serving(asyncio.create_task(speak_wrapped(line, kind(spare)))):
            await is_cancelled(client_at(line, transport=Kind.WRAPPER), 1)


async def test_packets_for_others_over_the_wrapper() -> None:
    async with MemoryBridge() as line:
        packet = Message(7, 8, NOTIFICATION).to_bytes()
        async with serving(asyncio.create_task(every(0.5, line, asyncio.Lock(), packet))):
            await ends(client_at(line, transport=Kind.WRAPPER), EXCHANGE)
            await is_cancelled(client_at(line, transport=Kind.WRAPPER), 3)


# --- Live sessions --------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [20.0, 100.0])
async def test_live_session_lasts_for_an_hour(interval: float) -> None:
    async with MemoryLine() as line:
        meter = DlmsMeter()
        async with serving(asyncio.create_task(serve(line, meter))):
            client = client_at(line)
            await client.read()
            loop = asyncio.get_running_loop()
            begun = loop.time()
            connects = meter.count("connect")
            async with aclosing(client.watch(["1-0:16.7.0*255"], interval)) as readings:
                async for _ in readings:
                    if loop.time() - begun > 3600:
                        break
            assert meter.count("connect") == connects + 1


@pytest.mark.parametrize("trouble", FRAMES)
async def test_live_session_that_stalls(trouble: str) -> None:
    kind, seconds = FRAMES[trouble]
    spoil = kind(10**6)
    begun = 0.0

    async def watch(client: DlmsClient) -> None:
        nonlocal begun
        async with aclosing(client.watch(["1-0:16.7.0*255"], 2)) as readings:
            async for _ in readings:
                spoil.left, begun = 0, asyncio.get_running_loop().time()

    async with troubled(spoil=spoil, chatter=2) as line:
        client = client_at(line)
        await client.read()
        with pytest.raises(MeterError):
            await watch(client)
        # A second session has been tried.
        assert 0 < asyncio.get_running_loop().time() - begun <= seconds + EXCHANGE
