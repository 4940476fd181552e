"""Sessions with meters that answer late, twice, wrongly or without end; shared ports."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.errors import ChecksumError, RefusedError
from custom_components.onemeter.meter.iec62056 import programming_session
from simulator.iec62056 import ALWAYS, Checksum, Faults, encoder
from simulator.iec62056.programming import Command, Session
from simulator.memory import MemoryLine
from simulator.uart import Receiver

from ...helpers.lines import at_a_pty, client_at, meter, plugged_in, serving, value

WATCHED = ["1.8.0", "2.8.0", "32.7.0"]
TOLD = {"1.8.0": "1234.567*kWh", "2.8.0": "7.5*kWh", "32.7.0": "230.1*V"}

type Answer = Callable[[Session, bytes], Coroutine[Any, Any, None]]


def values(reading: Reading) -> dict[str | None, str]:
    return {r.address: f"{r.value!s}*{r.unit}" for r in reading.registers}


def let_answer(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, *, with_address: bool = False
) -> None:
    """Replace the answers of simulated meters to requests of registers."""
    obey = Session._execute

    async def answer_or_obey(self: Session, command: Command) -> bool:
        if command.name != "R1":
            return await obey(self, command)
        address = command.data.partition("(")[0]
        said = encoder.answer(f"{address if with_address else ''}({TOLD[address]})", Checksum.XOR)
        self._last = said
        await answer(self, encoder.with_even_parity(said))
        return True

    monkeypatch.setattr(Session, "_execute", answer_or_obey)


@pytest.mark.parametrize("with_address", [False, True])
async def test_late_answer_is_not_taken_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch, with_address: bool
) -> None:
    answers = 0

    async def answer_late_once(self: Session, said: bytes) -> None:
        nonlocal answers
        answers += 1
        await asyncio.sleep(2.3 if answers == 1 else 0.1)
        await self.link.line.write(said)

    let_answer(monkeypatch, answer_late_once, with_address=with_address)
    async with plugged_in(meter(start_baudrate=2400)) as line:
        client = client_at(line, 2400)
        async with asyncio.timeout(20), aclosing(client.watch(WATCHED, 0)) as readings:
            for _ in range(2):
                assert values(await anext(readings)) == TOLD


async def test_repeated_answer_is_not_taken_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = 0

    async def answer_behind_a_glitch(self: Session, said: bytes) -> None:
        nonlocal answers
        answers += 1
        await asyncio.sleep(0.1)
        if answers == 1:
            # It looks like a damaged frame, so that the answer is requested again.
            await self.link.line.write(b"\x02\x80\x03\x11")
            await asyncio.sleep(0.1)
        await self.link.line.write(said)

    let_answer(monkeypatch, answer_behind_a_glitch)
    async with plugged_in(simulated := meter(start_baudrate=2400)) as line:
        client = client_at(line, 2400)
        async with asyncio.timeout(20), aclosing(client.watch(WATCHED, 0)) as readings:
            for _ in range(2):
                assert values(await anext(readings)) == TOLD
        assert simulated.count("repetition") == 1


async def test_answer_about_another_register(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer_others_first(self: Session, said: bytes) -> None:
        other = encoder.answer("1.8.0*01(000001.0*kWh)", Checksum.XOR)
        await self.link.line.write(encoder.with_even_parity(other))
        await asyncio.sleep(0.1)
        await self.link.line.write(said)

    let_answer(monkeypatch, answer_others_first, with_address=True)
    async with plugged_in(meter(start_baudrate=2400)) as line:
        client = client_at(line, 2400)
        async with asyncio.timeout(20), aclosing(client.watch(WATCHED, 0)) as readings:
            assert values(await anext(readings)) == TOLD


@pytest.mark.parametrize(
    "receiver",
    [
        Receiver.WAIT,
        # At this speed P0 looks like text, and so like a damaged answer.
        pytest.param(Receiver.RESTART, marks=pytest.mark.xfail(raises=RefusedError, strict=True)),
    ],
)
async def test_wrong_speed(receiver: Receiver) -> None:
    simulated = meter(faults=Faults(keep_old_speed=ALWAYS), start_baudrate=2400)
    async with plugged_in(simulated) as line:
        line.receiver = receiver
        client = client_at(line, 2400)
        async with asyncio.timeout(30), aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert isinstance(value(await anext(readings), "1.8.0"), Decimal)


async def test_partial_blocks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programming_session, "LIMIT", 2000)

    async def answer_for_ever(self: Session, *_: object, **__: object) -> None:
        frame = encoder.answer("(0.1)\r\n", Checksum.XOR, last=False)
        self._blocks = iter(lambda: frame, None)
        await self._answer(frame)

    monkeypatch.setattr(Session, "_send_profile", answer_for_ever)
    async with plugged_in(meter(start_baudrate=9600, manufacturer="DMo")) as line:
        client = client_at(line, 9600)
        async with asyncio.timeout(30):
            with pytest.raises(ChecksumError):
                await client.read_profile(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001


async def test_readout_that_has_grown() -> None:
    def table(lines: int) -> str:
        return "".join(
            f"1.8.{line % 64}*{line // 64:02}(000123.456*kWh)\r\n" for line in range(lines)
        )

    simulated = meter(start_baudrate=9600, tables={"1": table(10)})
    async with plugged_in(simulated) as line:
        client = client_at(line, 9600, table="1")
        assert len((await client.read()).registers) == 10
        # It takes longer than the first one plus the margin.
        simulated.tables = {"1": table(250)}
        async with asyncio.timeout(40):
            assert len((await client.read()).registers) == 250


async def test_meter_that_waits_at_another_speed_from_now_on() -> None:
    async with MemoryLine() as line:
        client = client_at(line)
        async with serving(line, meter(start_baudrate=9600)):
            await client.read()
        async with serving(line, simulated := meter(start_baudrate=300)), asyncio.timeout(30):
            assert (await client.read()).meter.meter_id == simulated.serial


async def test_others_do_not_wait_for_the_next_live_value() -> None:
    first = meter(serial="11111111", start_baudrate=2400)
    second = meter(serial="22222222", start_baudrate=2400)
    async with plugged_in(first, second) as line:
        watching = client_at(line, 2400, address="11111111").watch(["1.8.0"], 600)

        has_read = asyncio.Event()

        async def watch() -> None:
            async with aclosing(watching) as readings:
                async for _ in readings:
                    has_read.set()

        task = asyncio.create_task(watch())
        await has_read.wait()
        # The client is idle now.
        await asyncio.sleep(0.1)
        started = asyncio.get_running_loop().time()
        reading = await client_at(line, 2400, address="22222222").read()
        assert reading.meter.meter_id == "22222222"
        assert asyncio.get_running_loop().time() - started < 10
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.real_time("links are the file system's")
async def test_two_names_of_one_port(tmp_path: Path) -> None:
    async with at_a_pty(tmp_path, simulated := meter(start_baudrate=9600)) as line:
        clients = [client_at(line, 9600), client_at(line, 9600)]
        other_name = tmp_path / "by-id"
        other_name.symlink_to(line.path)
        clients[1].url = str(other_name)
        readings = await asyncio.gather(*(client.read() for client in clients))
        assert [reading.meter.meter_id for reading in readings] == [simulated.serial] * 2
