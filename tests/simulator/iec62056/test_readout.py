"""Readouts: modes A, B, C and E, the speed they come at, and what may go wrong."""

import asyncio
from pathlib import Path

import pytest

from simulator.iec62056 import Checksum, Faults, Iec62056Meter, LowerSpeed, Mode, Registers, serve
from simulator.pty import PtyLine
from simulator.tcp import TcpLine

from .probe import Probe, even, probed

pytestmark = pytest.mark.real_time("it has a pseudo-terminal")


def quick(**options: object) -> Iec62056Meter:
    """Return a meter that does not keep a test waiting."""
    values = {
        "start_baudrate": 4800,
        "reaction_time": 0.02,
        "registers": Registers(history=0, with_grid=False),
    } | options
    return Iec62056Meter(**values)  # type: ignore[arg-type]


def check(block: bytes) -> None:
    """Check a block with its exclusive or."""
    total = 0
    for byte in block[1:-1]:
        total ^= byte
    assert (block[:1], block[-2:]) == (b"\x02", bytes([3, total]))


async def test_readout_takes_its_time(tmp_path: Path) -> None:
    """From the first character to the last: the characters' time, and three reaction times."""
    meter = Iec62056Meter()
    async with probed(tmp_path, meter) as probe:
        loop = asyncio.get_running_loop()
        started = loop.time()
        probe.write(b"/?!\r\n")
        assert await probe.receive() == b"/DMO5DEMO-21\r\n"
        identified = loop.time() - started
        limit = 19 * 10 / 300 + 0.2
        assert limit < identified < limit + 0.1
        await asyncio.sleep(0.2)
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
        limit += 6 * 10 / 300 + 0.4 + len(block) * 10 / 9600
        assert limit < loop.time() - started < limit + 0.15
    check(block)
    assert block.startswith(b"\x02F.F(00000000)\r\nC.1.0(12345678)\r\n")
    assert b"\r\n!\r\n\x03" in block
    assert [entry.what for entry in meter.log] == ["sign-on", "acknowledgement", "readout"]
    assert meter.log[1].detail == "050"


async def test_quick_meter(tmp_path: Path) -> None:
    async with probed(tmp_path, Iec62056Meter(manufacturer="DMo")) as probe:
        started = asyncio.get_running_loop().time()
        probe.write(b"/?!\r\n")
        assert await probe.receive() == b"/DMo5DEMO-21\r\n"
        assert asyncio.get_running_loop().time() - started < 19 * 10 / 300 + 0.12


async def test_acknowledgement_that_is_still_on_the_wire_is_lost(tmp_path: Path) -> None:
    """Whoever changes the speed too early gets the readout late, and at the old speed."""
    meter = Iec62056Meter(acknowledgement_timeout=0.4)
    async with probed(tmp_path, meter) as probe:
        await probe.sign_on()
        probe.write(b"\x06050\r\n")
        await asyncio.sleep(6 * 10 / 300 - 0.05)
        probe.switch(9600)
        garbage = await probe.raw(2)
    assert garbage
    assert b"F.F" not in garbage
    assert meter.count("acknowledgement") == 0
    assert meter.log[-1].detail == "300"


async def test_readout_without_acknowledgement(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(acknowledgement_timeout=0.3)) as probe:
        await probe.sign_on()
        started = asyncio.get_running_loop().time()
        assert (await probe.receive()).startswith(b"\x02F.F(")
        assert 0.27 < asyncio.get_running_loop().time() - started < 0.5
        check(b"\x02" + b"F.F(00000000)\r\n" + await probe.block())


async def test_sign_on_again_instead_of_acknowledgement(tmp_path: Path) -> None:
    meter = quick()
    async with probed(tmp_path, meter) as probe:
        assert await probe.sign_on() == await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
    assert meter.count("sign-on") == 2


async def test_sign_on_at_another_speed_is_not_understood(tmp_path: Path) -> None:
    meter = quick()
    async with probed(tmp_path, meter) as probe:
        probe.switch(9600)
        await probe.send(b"/?!\r\n" * 10)
        assert await probe.raw(0.2) == b""
        probe.switch(1200)
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == b""
        probe.switch(4800)
        assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"


async def test_mode_a(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(mode=Mode.A)) as probe:
        assert await probe.sign_on() == b"/DMO DEMO-21\r\n"
        check(await probe.block())


async def test_mode_b(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(mode=Mode.B)) as probe:
        assert await probe.sign_on() == b"/DMOEDEMO-21\r\n"
        probe.switch(9600)
        check(await probe.block())


async def test_mode_e(tmp_path: Path) -> None:
    """DLMS is not spoken, but what comes is written down."""
    meter = quick(mode=Mode.E, session_timeout=0.3)
    async with probed(tmp_path, meter) as probe:
        assert await probe.sign_on() == b"/DMO5\\2DEMO-21\r\n"
        await probe.acknowledge(b"252", 9600)
        await asyncio.sleep(0.1)
        await probe.send(b"\x7e\xa0\x7e", parity=False)
        assert await probe.raw(0.5) == b""
        probe.switch(4800)
        assert await probe.sign_on() == b"/DMO5\\2DEMO-21\r\n"
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
    assert [(entry.what, entry.detail) for entry in meter.log][1:4] == [
        ("acknowledgement", "252"),
        ("hdlc", "9600"),
        ("hdlc ended", "7ea07e"),
    ]


@pytest.mark.parametrize(
    ("behaviour", "baudrate"), [(LowerSpeed.ACCEPTED, 2400), (LowerSpeed.OVERRULED, 9600)]
)
async def test_lower_speed(tmp_path: Path, behaviour: LowerSpeed, baudrate: int) -> None:
    async with probed(tmp_path, quick(lower_speed=behaviour)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"036", baudrate)
        block = await probe.block()
    check(block)
    # The short list was asked for.
    assert block.count(b"\r\n") == 6


async def test_lower_speed_refused(tmp_path: Path) -> None:
    meter = quick(lower_speed=LowerSpeed.REFUSED, acknowledgement_timeout=0.2)
    async with probed(tmp_path, meter) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"030", 4800)
        check(await probe.block())
    assert meter.count("no acknowledgement") == 1


async def test_higher_speed_than_proposed(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(acknowledgement_timeout=0.2)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"060", 4800)
        check(await probe.block())


async def test_each_fault_happens_as_often_as_wanted(tmp_path: Path) -> None:
    meter = quick(acknowledgement_timeout=0.2)
    meter.faults = Faults(
        lose_acknowledgements=1, keep_old_speed=1, flip_bits=2, stop_midway=1, noise=1
    )
    async with probed(tmp_path, meter) as probe:
        assert await probe.sign_on() == b"\x7f\x00\x7fS/DMO5DEMO-21\r\n"
        await probe.acknowledge(b"050", 4800)
        # The lost acknowledgement; the first bit flipped, and stopped before the end.
        cut = await probe.receive(within=1)
        cut += await probe.receive(b"\x03", within=1)
        assert b"\x03" not in cut
        await probe.sign_on()
        await probe.acknowledge(b"050", 4800)
        # Agreed to 9600 baud; the second bit flipped.
        with pytest.raises(AssertionError):
            check(await probe.block())
        assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
    assert meter.faults == Faults()
    assert meter.count("lost acknowledgement") == 1
    assert [entry.detail for entry in meter.log if entry.what == "readout"] == [
        "4800",
        "4800",
        "9600",
    ]


async def test_echo(tmp_path: Path) -> None:
    """A head that reflects gives back all that is sent, at the pace of the wire."""
    async with PtyLine(tmp_path / "meter") as line:
        line.echo = True
        serving = asyncio.create_task(serve(line, quick()))
        with Probe(line.path, 4800) as probe:
            await asyncio.sleep(0.02)
            await probe.send(b"/?!\r\n")
            assert await probe.receive() == b"/?!\r\n"
            assert await probe.receive() == b"/DMO5DEMO-21\r\n"
            await probe.acknowledge(b"050", 9600)
            assert await probe.receive() == b"\x06050\r\n"
            check(await probe.block())
        serving.cancel()


async def test_sum_as_checksum(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(checksum=Checksum.SUM)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
    assert block[-1] == sum(block[1:-1]) % 128


async def test_readout_without_checksum(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(checksum=Checksum.NONE)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        assert (await probe.receive()).startswith(b"F.F(")
        assert (await probe.receive(b"!\r\n")).endswith(b"!\r\n")
        assert await probe.raw(0.1) == b""


async def test_parity(tmp_path: Path) -> None:
    meter = quick(strict_parity=True)
    async with probed(tmp_path, meter) as probe:
        await probe.send(b"/?!\r\n", parity=False)
        assert await probe.raw(0.2) == b""
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == even(b"/DMO5DEMO-21\r\n")
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
        meter.strict_parity = meter.even_parity = False
        # The next sign-on is the first to be taken with the new settings.
        probe.switch(4800)
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        await probe.block()
        probe.switch(4800)
        await probe.send(b"/?!\r\n", parity=False)
        assert await probe.raw(0.2) == b"/DMO5DEMO-21\r\n"


@pytest.mark.parametrize("request_", [b"/?12345678!\r\n", b"/?0012345678!\r\n", b"\x00\xff/?!\r\n"])
async def test_addresses_that_are_answered(tmp_path: Path, request_: bytes) -> None:
    async with probed(tmp_path, quick()) as probe:
        assert await probe.sign_on(request_) == b"/DMO5DEMO-21\r\n"


@pytest.mark.parametrize("request_", [b"/?12345679!\r\n", b"/?1234567!\r\n", b"/1!\r\n", b"/?!\n"])
async def test_sign_ons_that_are_not_answered(tmp_path: Path, request_: bytes) -> None:
    async with probed(tmp_path, quick()) as probe:
        await probe.send(request_)
        assert await probe.raw(0.2) == b""


async def test_table(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(tables={"2": "0.1.0(07)\r\n"})) as probe:
        await probe.sign_on(b"/2!\r\n")
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
        check(block)
        assert block.startswith(b"\x020.1.0(07)\r\n!\r\n\x03")


async def test_meters_on_one_line(tmp_path: Path) -> None:
    """Each answers to its address; to none they answer all at once, and nobody understands."""
    meters = [quick(serial="11", ident="ONE"), quick(serial="22", ident="TWO", baudrate=19_200)]
    async with probed(tmp_path, *meters) as probe:
        for request_, ident, digit, baudrate in (
            (b"/?22!\r\n", b"/DMO6TWO\r\n", b"060", 19_200),
            (b"/?11!\r\n", b"/DMO5ONE\r\n", b"050", 9600),
        ):
            assert await probe.sign_on(request_) == ident
            await probe.acknowledge(digit, baudrate)
            assert b"C.1.0(" + request_[2:4] + b")" in await probe.block()
            probe.switch(4800)
        both = await probe.sign_on(b"/?!\r\n")
    assert both.startswith(b"/DMO4")
    assert both.count(b"ONE") == both.count(b"TWO") == 0
    assert [meter.count("collision") for meter in meters] == [1, 1]


async def test_port_that_is_closed_and_opened_again(tmp_path: Path) -> None:
    async with probed(tmp_path, quick(acknowledgement_timeout=0.1)) as probe:
        await probe.sign_on()
        with Probe(probe.path, 4800) as other:
            assert other.path == probe.path
    meter = quick(acknowledgement_timeout=0.1)
    async with PtyLine(tmp_path / "meter") as line:
        serving = asyncio.create_task(serve(line, meter))
        for _ in range(3):
            with Probe(line.path, 4800) as probe:
                assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"
                await probe.acknowledge(b"050", 9600)
            # Nobody is there to take the readout, which is sent all the same.
            await asyncio.sleep(0.5)
        serving.cancel()
    assert meter.count("readout") == 3


@pytest.mark.usefixtures("socket_enabled")
async def test_meter_behind_a_bridge() -> None:
    """A bridge has no speed that a client could change: what comes is always understood."""
    async with TcpLine() as line:
        serving = asyncio.create_task(serve(line, quick()))
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(line.host, line.port)
        await asyncio.sleep(0.05)
        started = loop.time()
        writer.write(b"/?!\r\n")
        assert await reader.readuntil(even(b"\n")) == even(b"/DMO5DEMO-21\r\n")
        assert loop.time() - started > 19 * 10 / 4800 + 0.02
        writer.write(b"\x06050\r\n")
        block = await reader.readuntil(even(b"\x03"))
        check(bytes(byte & 0x7F for byte in block + await reader.readexactly(1)))
        writer.close()
        serving.cancel()
