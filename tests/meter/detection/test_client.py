"""What is found at a port, by simulated meters of each kind."""

import asyncio
from contextlib import aclosing

import pytest

from custom_components.onemeter.meter import POLLED_LINE, Protocol, Reading
from custom_components.onemeter.meter.clients import create_polled_client, create_pushed_client
from custom_components.onemeter.meter.detection import (
    Candidate,
    Situation,
)
from custom_components.onemeter.meter.detection.countries import habits_of
from custom_components.onemeter.meter.dlms.settings import DlmsSettings
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.line import LineSettings
from simulator.iec62056 import Iec62056Meter, serve
from simulator.kinds import KINDS
from simulator.memory import MemoryLine
from simulator.uart import Receiver
from tests.helpers.finding import at_a_bridge, at_a_line, found

SERIAL = [name for name, kind in KINDS.items() if not kind.is_network]
BRIDGED = [name for name, kind in KINDS.items() if kind.has_fixed_speed]
PUSHING = [name for name in SERIAL if KINDS[name].interval is not None]


async def read(url: str, winner: Candidate) -> Reading | None:
    """Read a meter with the settings that were found; None where that takes keys or a constant."""
    if winner.is_polled:
        if winner.protocol is Protocol.DLMS:
            assert isinstance(winner.settings, DlmsSettings)
        else:
            assert isinstance(winner.settings, SignOn)
        polled = create_polled_client(winner.protocol, url, winner.line, winner.settings)
        polled.restore(winner.findings)
        return await polled.read()
    if winner.encryption is not None or winner.protocol is Protocol.BLINK:
        return None
    pushed = create_pushed_client(winner.protocol, url, winner.line)
    async with asyncio.timeout(60), aclosing(pushed.listen()) as readings:
        return await anext(readings)


@pytest.mark.parametrize("receiver", Receiver)
@pytest.mark.parametrize("name", SERIAL)
async def test_each_kind_is_found(name: str, receiver: Receiver) -> None:
    """What is found is right, in time, and read by the clients that are made of it."""
    kind = KINDS[name]
    async with at_a_line(kind, receiver, after=0.3) as line:
        found_here = await found(line, "DE")
        assert not line.listened_to
        winner = found_here.winner
        assert winner is not None
        assert found_here.situation is Situation.FOUND
        assert winner.protocol == kind.protocol
        assert winner.is_polled is (kind.interval is None)
        assert winner.line.baudrate == kind.baudrate
        assert winner.has_echo is kind.echo
        assert found_here.seconds <= kind.seconds_allowed(5.2, "9600 8N1")
        reading = await read(line.url, winner)
        assert reading is None or reading.registers


@pytest.mark.parametrize("name", BRIDGED)
async def test_each_kind_is_found_behind_a_bridge(name: str) -> None:
    kind = KINDS[name]
    async with at_a_bridge(kind, after=0.3) as line:
        found_here = await found(line, "PL")
        winner = found_here.winner
        assert winner is not None
        assert winner.protocol == kind.protocol
        assert winner.is_polled is (kind.interval is None)
        assert found_here.tried == ()
        reading = await read(line.url, winner)
        assert reading is None or reading.registers


@pytest.mark.parametrize(("share", "framing"), [(0.0, "8N1"), (0.05, "8N1"), (0.5, "8E1")])
async def test_frame_errors_show_the_framing(
    share: float, framing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that waits for the line to rise reads frames with parity as if they had none."""
    async with at_a_line(KINDS["HDLC, 9600 8E1"], Receiver.WAIT) as line:
        heard = 0
        reflect = line.reflect

        def count(data: bytes) -> None:
            nonlocal heard
            heard += len(data)
            reflect(data)

        monkeypatch.setattr(line, "reflect", count)
        monkeypatch.setattr(
            "custom_components.onemeter.meter.detection.session.frame_errors",
            lambda _: (2**32 - 7 + int(share * heard)) % 2**32,
        )
        winner = (await found(line, "DE")).winner
    assert winner is not None
    assert winner.line.framing == framing


@pytest.mark.parametrize(
    "name", ["text, 10 s", "P1, 10 s", "SML, 5 s", "HDLC, 9600 8N1, enciphered"]
)
async def test_telegram_that_comes_while_questions_are_asked(name: str) -> None:
    """It is no answer, even if it comes when one is awaited."""
    kind = KINDS[name]
    assert kind.interval is not None
    for number in range(5):
        # Some of them come while each question is asked.
        after = (4.2 + 2 * number) % kind.interval
        async with at_a_line(kind, after=after) as line, at_a_bridge(kind, after=after) as bridge:
            winner = (await found(line, "PL")).winner
            behind_bridge = (await found(bridge, "PL")).winner
        assert winner is not None
        assert not winner.is_polled
        assert winner.line.baudrate == kind.baudrate
        assert behind_bridge is not None
        assert not behind_bridge.is_polled


async def test_meter_that_answers_with_its_readout_at_once() -> None:
    """It may have pushed that, which shows when it does not come again."""
    meter = Iec62056Meter(start_baudrate=9600, acknowledgement_timeout=0)
    async with MemoryLine(9600) as line:
        task = asyncio.create_task(serve(line, meter))
        winner = (await found(line, "PL")).winner
        task.cancel()
    assert winner is not None
    assert winner.is_polled
    assert meter.count("sign-on") == 1


async def test_what_was_right_before_is_tried_first() -> None:
    async with at_a_line(KINDS["HDLC, 115200 8N1"]) as line:
        found_here = await found(line, "DE", known=LineSettings(115_200))
    assert found_here.winner is not None
    assert found_here.tried == (LineSettings(115_200),)


async def test_question_that_was_answered_before_is_asked_first() -> None:
    async with at_a_line(KINDS["HDLC, polled"]) as line:
        found_here = await found(line, "DE", asked=POLLED_LINE[Protocol.DLMS])
        later = await found(line, "DE")
    assert found_here.winner is not None
    assert str(POLLED_LINE[Protocol.IEC62056]) not in map(str, found_here.tried)
    # Without the time of a sign-on; an SML meter is waited for all the same.
    assert later.seconds - found_here.seconds > 1.5
    assert found_here.dark_seconds >= 5.2


async def test_head_of_polled_meters() -> None:
    """Where its USB id says whose it is, no SML meter is waited for."""
    async with at_a_line(KINDS["mode C"]) as line:
        found_here = await found(line, "DE", usb_id="0403:e700")
    assert found_here.winner is not None
    assert found_here.dark_seconds < 1.3


@pytest.mark.parametrize(
    ("country", "line", "seconds"),
    [
        (None, "9600 8N1", 5.2),
        ("de", "9600 8N1", 5.2),
        ("CH", "2400 8E1", 5.2),
        ("DK", "2400 8N1", 10.4),
        ("SE", "115200 8N1", 10.4),
        ("PL", "9600 8N1", 1.2),
    ],
)
def test_countries(country: str | None, line: str, seconds: float) -> None:
    habits = habits_of(country)
    assert str(habits.line) == line
    assert habits.dark_seconds == seconds
