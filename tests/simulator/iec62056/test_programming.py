"""Programming mode: passwords, registers, partial blocks, breaks and time-outs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from simulator.iec62056 import (
    Checksum,
    Faults,
    Iec62056Meter,
    Memory,
    Programming,
    Registers,
    Rejection,
)

from ...helpers.iec62056_probe import Probe, framed, probed

NOON = datetime(2026, 7, 15, 10, tzinfo=UTC).timestamp()
BREAK = b"\x01B0\x03q"


def quick(**options: object) -> Iec62056Meter:
    values = {
        "start_baudrate": 9600,
        "baudrate": 19_200,
        "reaction_time": 0.02,
        "clock": lambda: NOON,
    } | options
    return Iec62056Meter(**values)  # type: ignore[arg-type]


@asynccontextmanager
async def session(meter: Iec62056Meter) -> AsyncIterator[Probe]:
    """Open a session."""
    async with probed(meter) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"061", 19_200)
        assert await probe.block() == framed("P0", f"({meter.seed})")
        yield probe


def data(answer: bytes) -> bytes:
    """Return the text of an answer between STX and ETX or EOT, or a complete short answer."""
    if not answer.startswith(b"\x02"):
        return answer
    total = 0
    for byte in answer[1:]:
        total ^= byte
    assert total == 0
    return answer[1:-2]


async def test_registers_are_read_one_by_one() -> None:
    meter = quick()
    async with session(meter) as probe:
        assert data(await probe.command("R1", "C.1.0()")) == b"C.1.0(12345678)"
        energy = data(await probe.command("R1", "1.8.0()"))
        assert energy.startswith(b"1.8.0(00")
        assert energy.endswith(b"*kWh)")
        full = data(await probe.command("R2", "1-0:1.8.0*255()"))
        assert full == energy.replace(b"1.8.0", b"1-0:1.8.0*255")
        assert data(await probe.command("R1", "1.6.1()")).count(b"(") == 2
        assert data(await probe.command("R1", "9.9.9()")) == b"(ER01)"
        assert data(await probe.command("R1", "1.8.0")) == b"(ERROR)"
        assert data(await probe.command("W1", "1.8.0(0)")) == b"(ERROR)"
        await probe.send(BREAK)
        probe.switch(9600)
        assert await probe.sign_on() == b"/DMO6DEMO-21\r\n"
    assert meter.count("session") == meter.count("break") == 1
    assert [entry.detail for entry in meter.log if entry.what == "command"][:2] == [
        "R1 C.1.0()",
        "R1 1.8.0()",
    ]


async def test_a_register_takes_its_time() -> None:
    async with session(quick(reaction_time=0.2)) as probe:
        loop = asyncio.get_running_loop()
        started = loop.time()
        request = framed("R1", "1.8.0()")
        probe.write(request)
        answer = await probe.block()
        duration = 10 * (len(request) + len(answer)) / 19_200 + 0.2
        assert loop.time() - started == pytest.approx(duration, abs=1e-6)


async def test_password() -> None:
    meter = quick(password="secret", seed="4711")
    async with session(meter) as probe:
        assert data(await probe.command("R1", "1.8.0()")) == b"(ERROR)"
        assert data(await probe.command("P1", "(wrong)")) == b"(ERROR)"
        await probe.send(framed("P1", "(secret)"))
        assert await probe.receive(b"\x06") == b"\x06"
        assert data(await probe.command("R1", "1.8.0()")).startswith(b"1.8.0(")
    assert meter.count("wrong password") == meter.count("password") == 1
    assert meter.wrong_passwords == 0


async def test_lock_out() -> None:
    """After three wrong passwords, the right one is rejected, too."""
    meter = quick(password="secret", rejection=Rejection.NAK)
    async with session(meter) as probe:
        for password in ("a", "b", "c", "secret"):
            await probe.send(framed("P1", f"({password})"))
            assert await probe.receive(b"\x15") == b"\x15"
        meter.wrong_passwords = 0
        await probe.send(framed("P1", "(secret)"))
        assert await probe.receive(b"\x06") == b"\x06"


async def test_wrong_password_ends_the_session() -> None:
    meter = quick(password="secret", rejection=Rejection.BREAK)
    async with session(meter) as probe:
        assert await probe.command("P1", "(wrong)") == BREAK
        probe.switch(9600)
        assert await probe.sign_on() == b"/DMO6DEMO-21\r\n"


async def test_meter_that_needs_no_password_takes_any() -> None:
    async with session(quick()) as probe:
        await probe.send(framed("P1", "(00000000)"))
        assert await probe.receive(b"\x06") == b"\x06"


async def test_damaged_command() -> None:
    meter = quick()
    async with session(meter) as probe:
        await probe.send(framed("R1", "1.8.0()")[:-1] + b"\x00")
        assert await probe.receive(b"\x15") == b"\x15"
    assert meter.count("damaged command") == 1


async def test_damaged_answer_is_repeated() -> None:
    meter = quick(faults=Faults(flip_bits_of_answers=2))
    async with session(meter) as probe:
        with pytest.raises(AssertionError):
            data(await probe.command("R1", "1.8.0()"))
        await probe.send(b"\x15")
        with pytest.raises(AssertionError):
            data(await probe.block())
        await probe.send(b"\x15")
        assert data(await probe.block()).startswith(b"1.8.0(")
    assert meter.count("repetition") == 2


async def test_cut_off_command_is_forgotten() -> None:
    async with session(quick()) as probe:
        await probe.send(framed("R1", "1.8.0()")[:5])
        assert await probe.raw(1.6) == b""
        assert data(await probe.command("R1", "C.1.0()")) == b"C.1.0(12345678)"


async def test_session_ends_when_nothing_comes() -> None:
    meter = quick(session_timeout=0.5)
    async with session(meter) as probe:
        for _ in range(3):
            await asyncio.sleep(0.3)
            assert data(await probe.command("R1", "C.1.0()")) == b"C.1.0(12345678)"
        probe.switch(9600)
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == b""
        await asyncio.sleep(0.3)
        assert await probe.sign_on() == b"/DMO6DEMO-21\r\n"
    assert meter.count("session timed out") == 1


async def test_session_outlives_its_client() -> None:
    """The session continues after a client has closed its port without a break."""
    async with session(quick()) as probe:
        probe.hang_up(None)
        with Probe(probe.line, 9600) as other:
            await other.send(b"/?!\r\n")
            assert await other.raw(0.1) == b""
            other.switch(19_200)
            await other.send(BREAK)
            other.switch(9600)
            assert await other.sign_on() == b"/DMO6DEMO-21\r\n"


@pytest.mark.parametrize(
    ("programming", "answer"), [(Programming.REFUSED, BREAK), (Programming.IGNORED, b"")]
)
async def test_meter_without_sessions(programming: Programming, answer: bytes) -> None:
    meter = quick(programming=programming)
    async with probed(meter) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"061", 19_200)
        assert await probe.receive(b"\x03", 0.2, more=1) == answer
        probe.switch(9600)
        assert await probe.sign_on() == b"/DMO6DEMO-21\r\n"


async def test_sums_in_sessions() -> None:
    async with probed(quick(checksum=Checksum.SUM)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"061", 19_200)
        assert await probe.block() == b"\x01P0\x02()\x03" + bytes([sum(b"P0\x02()\x03") % 128])
        await probe.send(framed("R1", "1.8.0()"))
        assert await probe.receive(b"\x15") == b"\x15"
        request = b"R1\x021.8.0()\x03"
        await probe.send(b"\x01" + request + bytes([sum(request) % 128]))
        answer = await probe.block()
        assert answer[-1] == sum(answer[1:-1]) % 128


async def test_profile_in_one_block() -> None:
    async with session(quick()) as probe:
        answer = data(await probe.command("R5", "P.01(1260715100000;1260715110000)"))
        header, *rows = answer.decode().split("\r\n")
        assert header == "P.01(1260715100000)(00)(15)(2)(1.5.0)(kW)(2.5.0)(kW)"
        assert len(rows) == 6
        assert rows[-1] == ""
        assert data(await probe.command("R5", "P.01(1300101000000;)")) == b"P.01()\r\n"
        assert data(await probe.command("R5", "P.01(today;)")) == b"(ER01)"
        assert data(await probe.command("R5", "P.77(;)")) == b"(ER01)"


async def test_profile_in_partial_blocks() -> None:
    """ACK requests the next block, NAK the same one again."""
    meter = quick(lines_per_block=2)
    async with session(meter) as probe:
        span = "P.01(2607151000;2607151100)"
        whole = data(await probe.command("R5", span))
        await probe.send(framed("R6", span))
        text = b""
        for place in range(3):
            end = b"\x03" if place == 2 else b"\x04"
            block = await probe.receive(end, more=1)
            await probe.send(b"\x15")
            assert await probe.receive(end, more=1) == block
            text += data(block)
            await probe.send(b"\x06")
        assert text == whole
        # There is no fourth block.
        assert await probe.raw(0.1) == b""


async def test_event_log() -> None:
    meter = quick(memory=Memory(outages=[(int(NOON) - 7200, int(NOON) - 3600)]))
    async with session(meter) as probe:
        assert data(await probe.command("R5", "P.98(;)")) == (
            b"P.98(1260715100000)(00000080)()(0)\r\nP.98(1260715110000)(00000040)()(0)\r\n"
        )


async def test_serial_number_that_changes() -> None:
    meter = quick(registers=Registers(serial_code="0.0.0"))
    async with session(meter) as probe:
        assert data(await probe.command("R1", "0.0.0()")) == b"0.0.0(12345678)"
        meter.serial = "87654321"
        assert data(await probe.command("R1", "0.0.0()")) == b"0.0.0(87654321)"
