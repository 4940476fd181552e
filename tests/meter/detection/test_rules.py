"""What is sent while a meter is looked for, and what never is."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
import re
from typing import Any, override

import pytest

from custom_components.onemeter.meter.detection import Detection, Refusal, Situation, Step, detect
from custom_components.onemeter.meter.dlms.settings import DlmsSettings
from custom_components.onemeter.meter.looks import Look
from custom_components.onemeter.meter.parity import without_parity
from simulator.dlms import DlmsMeter, Mechanism, Transport, serve as serve_dlms
from simulator.iec62056 import Iec62056Meter, Mode, serve
from simulator.kinds import KINDS, Kind
from simulator.memory import MemoryBridge, MemoryLine
from tests.helpers.finding import at_a_line, serving

#: All that may go out: requests, what wakes a battery meter, acknowledgements of a readout and of
#: HDLC, connection requests and their end, and the request of an association without a password and
#: its release.
ALLOWED = re.compile(
    rb"/[?#]!\r\n|\x00{66}|\x060[0-6]0\r\n|\x062[0-6]2\r\n"
    rb"|\x7e\xa0.[^\x7e]{2,5}(?:\x93|\x53)[^\x7e]+\x7e|\x00\x01\x00\x10\x00\x01\x00.\x60[^\x8a]+"
    rb"|\x00\x01\x00\x10\x00\x01\x00\x05\x62\x03\x80\x01\x00",
    re.DOTALL,
)
SIGN_ON = re.compile(rb"/[?#]!\r\n")


class Listening(MemoryLine):
    """A line that remembers what the reader has sent, and when."""

    def __init__(self, baudrate: int | None = None) -> None:
        super().__init__(baudrate)
        self.sent: list[tuple[float, bytes]] = []

    @override
    def sent_by_reader(self, data: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time(), data))
        super().sent_by_reader(data)

    @property
    def messages(self) -> list[tuple[float, bytes]]:
        """What was sent, without the parity bits of texts."""
        return [
            (at, data if data[0] in b"\x7e\x00" else without_parity(data)) for at, data in self.sent
        ]


class ListeningBridge(Listening, MemoryBridge):
    """The same of a bridge."""


async def sent_to(kind: Kind, country: str = "PL", **options: Any) -> tuple[Listening, Detection]:
    """Let a meter be found; return the line, too."""
    line = ListeningBridge() if kind.is_network else Listening()
    async with line, serving(kind, line, 0.3):
        return line, await detect(line.url, country=country, **options)


@pytest.mark.parametrize("name", KINDS)
async def test_nothing_is_sent_but_questions(name: str) -> None:
    line, _ = await sent_to(KINDS[name])
    for _, data in line.messages:
        assert ALLOWED.fullmatch(data), data.hex(" ")


async def test_nothing_is_sent_but_questions_where_nobody_answers() -> None:
    async with Listening(9600) as line:
        found = await detect(line.url, country="DE")
    assert found.situation is Situation.SILENT
    assert found.dark_seconds == pytest.approx(5.2, abs=0.01)
    texts = [data for _, data in line.messages if data[:1] != b"\x7e"]
    assert texts == [b"/?!\r\n", b"/?!\r\n", bytes(66), b"/?!\r\n", b"/#!\r\n"]
    assert sum(data[:1] == b"\x7e" for _, data in line.messages) == 5
    for _, data in line.messages:
        assert ALLOWED.fullmatch(data)
    times = [at for at, data in line.messages if SIGN_ON.fullmatch(data)]
    assert min(after - before for before, after in pairwise(times)) >= 2
    assert found.seconds == pytest.approx(30, abs=1)
    # Two of 300 baud and what wakes a battery meter, which is on for a bit of each character only.
    assert found.light_seconds < 2.5


@pytest.mark.parametrize("after", [0.0, 0.21, 0.5, 1.7, 3.3, 4.9])
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.protocol == "sml"])
async def test_sml_meters_get_no_light(name: str, after: float) -> None:
    async with at_a_line(KINDS[name], after=after) as line:
        for country in ("DE", None):
            found = await detect(line.url, country=country)
            assert found.situation is Situation.FOUND
            assert found.light_seconds == 0


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.interval])
async def test_what_speaks_is_not_spoken_to(name: str) -> None:
    """Once something was heard that is more than a disturbance, nothing is sent any more."""
    async with at_a_line(KINDS[name]) as line:
        found = await detect(line.url, country="NO")
    assert found.winner is not None
    if found.light_seconds:
        assert found.winner.protocol == "blink"


async def test_connection_is_ended_at_once() -> None:
    meter = DlmsMeter()
    async with MemoryLine(9600) as line:
        task = asyncio.create_task(serve_dlms(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.winner is not None
    assert meter.counts["connect"] == meter.counts["disconnect"] == 1
    assert set(meter.counts) <= {"connect", "disconnect", "other address"}


@pytest.mark.parametrize(("minutes", "wakes"), [(None, True), (14, False), (16, True)])
async def test_battery_meter_is_woken_every_quarter_of_an_hour(
    minutes: int | None, *, wakes: bool
) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    before = None if minutes is None else now - timedelta(minutes=minutes)
    line, found = await sent_to(
        KINDS["battery"], last_wake_up=before, now=lambda: now, progress=None
    )
    assert any(len(data) > 40 for _, data in line.sent) is wakes
    assert (found.winner is not None) is wakes
    assert found.last_wake_up == (now if wakes else before)


async def test_disturbance_does_not_keep_meters_from_being_asked() -> None:
    """A head that is supplied by the port sends a zero when that is opened."""
    async with MemoryLine(300) as line, serving(KINDS["mode C"], line, 0):
        asyncio.get_running_loop().call_later(0.1, line.reflect, b"\x00")
        found = await detect(line.url, country="PL")
    assert found.winner is not None
    assert found.dark_seconds == pytest.approx(12.1, abs=0.2)


async def test_progress() -> None:
    seen: list[tuple[Step, float]] = []
    async with MemoryLine(9600) as line:
        await detect(line.url, country="DE", progress=lambda *now: seen.append(now))
    steps = list(dict.fromkeys(step for step, _ in seen))
    assert steps == [Step.OPEN, Step.LISTEN, Step.SIGN_ON, Step.HDLC, Step.WAKE_UP]
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] < 1


@pytest.mark.parametrize("seconds", [0.01, 3.0, 5.3, 6.0, 7.3, 8.5, 11.0, 13.0, 20.0])
async def test_may_be_stopped_at_any_moment(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    async with MemoryLine(9600) as line:
        task = asyncio.create_task(detect(line.url, country="DE"))
        await asyncio.sleep(seconds)
        stopped = loop.time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() - stopped < 1
        await asyncio.sleep(0)
        assert not line.listened_to


# --- why nothing is found -------------------------------------------------------------------------


async def test_port_that_is_not_there() -> None:
    async with MemoryLine() as line:
        found = await detect(line.url + "9")
    assert found.situation is Situation.CANNOT_OPEN
    assert found.error is not None
    assert found.error.translation_key == "port_not_found"
    assert found.seconds == 0


async def test_port_in_use() -> None:
    async with MemoryLine() as line:
        line.attach(Other())
        found = await detect(line.url)
    assert found.situation is Situation.IN_USE
    assert found.error is not None
    assert found.error.details["by"]


class Other:
    """Another program."""

    baudrate = 9600
    unread = 0

    def feed(self, data: bytes, /) -> None:
        """Take nothing."""

    def hang_up(self, error: OSError | None, /) -> None:
        """Notice nothing."""


async def test_port_that_goes_away() -> None:
    async with MemoryLine() as line:
        asyncio.get_running_loop().call_later(2, line.close)
        found = await detect(line.url, country="DE")
    assert found.situation is Situation.LOST
    assert found.seconds == pytest.approx(2, abs=0.1)


async def test_bytes_that_nobody_understands() -> None:
    async def speak(line: MemoryLine) -> None:
        while True:
            await line.write(bytes(range(128, 228)))
            await asyncio.sleep(1)

    async with MemoryLine(9600) as line:
        task = asyncio.create_task(speak(line))
        found = await detect(line.url, country="DE")
        task.cancel()
    assert found.situation is Situation.NOT_UNDERSTOOD
    assert found.winner is None
    assert len(found.tried) >= 15
    assert found.light_seconds == 0


async def test_inverted_line() -> None:
    async with at_a_line(KINDS["SML, 1 s"]) as line:
        line.inverted = True
        found = await detect(line.url, country="DE")
    assert found.situation is Situation.NOT_UNDERSTOOD
    assert found.looks_like is Look.INVERTED
    assert found.light_seconds == 0


async def test_meter_without_readout() -> None:
    meter = Iec62056Meter(readout_after="999", acknowledgement_timeout=60)
    async with MemoryLine(300) as line:
        task = asyncio.create_task(serve(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.situation is Situation.REFUSES
    assert found.winner is None
    (candidate,) = found.candidates
    assert candidate.refusal is Refusal.NO_READOUT
    assert candidate.identity.manufacturer == "DMO"


async def test_meter_at_another_address() -> None:
    meter = DlmsMeter(address_sizes=(4,), refuses_other_addresses=True)
    async with MemoryLine(9600) as line:
        task = asyncio.create_task(serve_dlms(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.situation is Situation.REFUSES
    assert found.candidates[0].refusal is Refusal.NEEDS_ADDRESS


async def test_meter_that_wants_keys() -> None:
    meter = DlmsMeter(
        transport=Transport.WRAPPER,
        public_client=None,
        mechanism=Mechanism.LLS,
        secret=b"12345678",
    )
    async with MemoryBridge() as line:
        task = asyncio.create_task(serve_dlms(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.winner is not None
    assert found.winner.refusal is Refusal.NEEDS_KEYS


async def test_the_association_of_the_public_client_is_released() -> None:
    """Some meters keep it when the connection is closed, and then ignore all other clients."""
    meter = DlmsMeter(transport=Transport.WRAPPER)
    async with MemoryBridge() as line:
        task = asyncio.create_task(serve_dlms(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.winner is not None
    assert found.winner.protocol == "dlms"
    assert meter.counts["release"] == 1


async def test_bridge_that_is_not_ready_at_once() -> None:
    """Some take the next connection only seconds after the last one."""
    async with MemoryBridge(9600) as line:
        line.pause = 2.5
        task = asyncio.create_task(serve_dlms(line, DlmsMeter()))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.winner is not None
    assert found.winner.protocol == "dlms"


async def test_answer_that_takes_its_time_through_a_network() -> None:
    """It comes when the next address has been asked, and says which one is right."""
    meter = DlmsMeter(reaction_time=0.6, physical_device=16, address_sizes=(2,))
    async with MemoryBridge(9600) as line:
        task = asyncio.create_task(serve_dlms(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.winner is not None
    settings = found.winner.settings
    assert isinstance(settings, DlmsSettings)
    assert (settings.logical_device, settings.physical_device) == (1, 16)
    assert settings.address_length == 2
    assert meter.counts["connect"] == meter.counts["disconnect"] == 1


@pytest.mark.parametrize("echo", [True, False])
async def test_echo_is_nothing_that_speaks(echo: bool) -> None:
    async with MemoryLine(9600) as line:
        line.echo = echo
        line.listen()
        found = await detect(line.url, country="PL")
    assert found.seconds == pytest.approx(30, abs=1)
    assert found.situation is Situation.SILENT
    assert found.received == 0


async def test_each_question_has_its_own_connection() -> None:
    async with MemoryBridge(9600) as line:
        await detect(line.url, country="PL")
    # To listen, three questions, and to listen again.
    assert line.connections == 5


async def test_meter_in_mode_e_alone() -> None:
    async def talk(link: Any, speed: int) -> None:
        link.line.baudrate = speed
        await asyncio.sleep(60)

    meter = Iec62056Meter(mode=Mode.E, readout_after="999", hdlc=talk, acknowledgement_timeout=60)
    async with MemoryLine(300) as line:
        task = asyncio.create_task(serve(line, meter))
        found = await detect(line.url, country="PL")
        task.cancel()
    assert found.situation is Situation.REFUSES
    assert found.candidates[0].refusal is Refusal.NEEDS_DLMS
