"""Readouts in modes A, B, C and E: speeds, timing and faults."""

import asyncio

import pytest

from simulator.iec62056 import Checksum, Faults, Iec62056Meter, LowerSpeed, Mode, Registers
from simulator.memory import MemoryBridge

from ...helpers.iec62056_probe import Probe, even, probed


def quick(**options: object) -> Iec62056Meter:
    """Return a fast meter with a short readout."""
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


async def test_readout_takes_its_time() -> None:
    """A readout takes the time of its characters and three reaction times."""
    meter = Iec62056Meter()
    async with probed(meter) as probe:
        loop = asyncio.get_running_loop()
        started = loop.time()
        probe.write(b"/?!\r\n")
        assert await probe.receive() == b"/DMO5DEMO-21\r\n"
        identified = loop.time() - started
        duration = 19 * 10 / 300 + 0.2
        assert identified == pytest.approx(duration, abs=1e-6)
        await asyncio.sleep(0.2)
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
        duration += 6 * 10 / 300 + 0.4 + len(block) * 10 / 9600
        assert loop.time() - started == pytest.approx(duration, abs=1e-6)
    check(block)
    assert block.startswith(b"\x02F.F(00000000)\r\nC.1.0(12345678)\r\n")
    assert b"\r\n!\r\n\x03" in block
    assert [entry.what for entry in meter.log] == ["sign-on", "acknowledgement", "readout"]
    assert meter.log[1].detail == "050"


async def test_quick_meter() -> None:
    async with probed(Iec62056Meter(manufacturer="DMo")) as probe:
        loop = asyncio.get_running_loop()
        started = loop.time()
        probe.write(b"/?!\r\n")
        assert await probe.receive() == b"/DMo5DEMO-21\r\n"
        assert loop.time() - started == pytest.approx(19 * 10 / 300 + 0.02, abs=1e-6)


async def test_acknowledgement_that_is_still_on_the_wire_is_lost() -> None:
    """After a change of speed that is too early, the readout is late and at the old speed."""
    meter = Iec62056Meter(acknowledgement_timeout=0.4)
    async with probed(meter) as probe:
        await probe.sign_on()
        probe.write(b"\x06050\r\n")
        # Before the end of the last character.
        await asyncio.sleep(5.5 * 10 / 300)
        probe.switch(9600)
        garbage = await probe.raw(2)
    assert garbage
    assert b"F.F" not in garbage
    assert meter.count("acknowledgement") == 0
    assert meter.log[-1].detail == "300"


async def test_readout_without_acknowledgement() -> None:
    async with probed(quick(acknowledgement_timeout=0.3)) as probe:
        await probe.sign_on()
        loop = asyncio.get_running_loop()
        started = loop.time()
        first = await probe.receive()
        assert first == b"\x02F.F(00000000)\r\n"
        # Plus the slice with its last character.
        duration = 0.3 + 16 * 10 / 4800
        assert loop.time() - started == pytest.approx(duration, abs=1e-6)
        check(first + await probe.block())


async def test_sign_on_again_instead_of_acknowledgement() -> None:
    meter = quick()
    async with probed(meter) as probe:
        assert await probe.sign_on() == await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
    assert meter.count("sign-on") == 2


async def test_sign_on_at_another_speed_is_not_understood() -> None:
    meter = quick()
    async with probed(meter) as probe:
        probe.switch(9600)
        await probe.send(b"/?!\r\n" * 10)
        assert await probe.raw(0.2) == b""
        probe.switch(1200)
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == b""
        probe.switch(4800)
        assert await probe.sign_on() == b"/DMO5DEMO-21\r\n"


async def test_mode_a() -> None:
    async with probed(quick(mode=Mode.A)) as probe:
        assert await probe.sign_on() == b"/DMO DEMO-21\r\n"
        check(await probe.block())


async def test_mode_b() -> None:
    async with probed(quick(mode=Mode.B)) as probe:
        assert await probe.sign_on() == b"/DMOEDEMO-21\r\n"
        probe.switch(9600)
        check(await probe.block())


async def test_mode_e() -> None:
    """HDLC is not supported, but logged."""
    meter = quick(mode=Mode.E, session_timeout=0.3)
    async with probed(meter) as probe:
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
async def test_lower_speed(behaviour: LowerSpeed, baudrate: int) -> None:
    async with probed(quick(lower_speed=behaviour)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"036", baudrate)
        block = await probe.block()
    check(block)
    # The short list was selected.
    assert block.count(b"\r\n") == 6


async def test_lower_speed_refused() -> None:
    meter = quick(lower_speed=LowerSpeed.REFUSED, acknowledgement_timeout=0.2)
    async with probed(meter) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"030", 4800)
        check(await probe.block())
    assert meter.count("no acknowledgement") == 1


async def test_higher_speed_than_proposed() -> None:
    async with probed(quick(acknowledgement_timeout=0.2)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"060", 4800)
        check(await probe.block())


async def test_each_fault_happens_as_often_as_set() -> None:
    meter = quick(acknowledgement_timeout=0.2)
    meter.faults = Faults(
        lose_acknowledgements=1, keep_old_speed=1, flip_bits=2, stop_midway=1, noise=1
    )
    async with probed(meter) as probe:
        assert await probe.sign_on() == b"\x7f\x00\x7fS/DMO5DEMO-21\r\n"
        await probe.acknowledge(b"050", 4800)
        # A lost acknowledgement; a flipped bit, and a readout that is cut off.
        cut = await probe.receive(within=1)
        cut += await probe.receive(b"\x03", within=1)
        assert b"\x03" not in cut
        await probe.sign_on()
        await probe.acknowledge(b"050", 4800)
        # Agreed on 9600 baud; the second flipped bit.
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


async def test_echo() -> None:
    """A head with an echo returns all that is sent, at the speed of the line."""
    async with probed(quick()) as probe:
        probe.line.echo = True
        await probe.send(b"/?!\r\n")
        assert await probe.receive() == b"/?!\r\n"
        assert await probe.receive() == b"/DMO5DEMO-21\r\n"
        await probe.acknowledge(b"050", 9600)
        assert await probe.receive() == b"\x06050\r\n"
        check(await probe.block())


async def test_sum_as_checksum() -> None:
    async with probed(quick(checksum=Checksum.SUM)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
    assert block[-1] == sum(block[1:-1]) % 128


async def test_readout_without_checksum() -> None:
    async with probed(quick(checksum=Checksum.NONE)) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        assert (await probe.receive()).startswith(b"F.F(")
        assert (await probe.receive(b"!\r\n")).endswith(b"!\r\n")
        assert await probe.raw(0.1) == b""


async def test_parity() -> None:
    meter = quick(strict_parity=True)
    async with probed(meter) as probe:
        await probe.send(b"/?!\r\n", parity=False)
        assert await probe.raw(0.2) == b""
        await probe.send(b"/?!\r\n")
        assert await probe.raw(0.2) == even(b"/DMO5DEMO-21\r\n")
        await probe.acknowledge(b"050", 9600)
        check(await probe.block())
        meter.strict_parity = meter.even_parity = False
        # The new settings apply from the next sign-on on.
        probe.switch(4800)
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        await probe.block()
        probe.switch(4800)
        await probe.send(b"/?!\r\n", parity=False)
        assert await probe.raw(0.2) == b"/DMO5DEMO-21\r\n"


@pytest.mark.parametrize("request_", [b"/?12345678!\r\n", b"/?0012345678!\r\n", b"\x00\xff/?!\r\n"])
async def test_addresses_that_are_answered(request_: bytes) -> None:
    async with probed(quick()) as probe:
        assert await probe.sign_on(request_) == b"/DMO5DEMO-21\r\n"


@pytest.mark.parametrize("request_", [b"/?12345679!\r\n", b"/?1234567!\r\n", b"/1!\r\n", b"/?!\n"])
async def test_sign_ons_that_are_not_answered(request_: bytes) -> None:
    async with probed(quick()) as probe:
        await probe.send(request_)
        assert await probe.raw(0.2) == b""


async def test_table() -> None:
    async with probed(quick(tables={"2": "0.1.0(07)\r\n"})) as probe:
        await probe.sign_on(b"/2!\r\n")
        await probe.acknowledge(b"050", 9600)
        block = await probe.block()
        check(block)
        assert block.startswith(b"\x020.1.0(07)\r\n!\r\n\x03")


async def test_meters_on_one_line() -> None:
    """Each answers its address; without address all answer at once, illegibly."""
    meters = [quick(serial="11", ident="ONE"), quick(serial="22", ident="TWO", baudrate=19_200)]
    async with probed(*meters) as probe:
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


async def test_port_that_is_closed_and_opened_again() -> None:
    meter = quick()
    async with probed(meter) as probe:
        probe.hang_up(None)
        for _ in range(3):
            with Probe(probe.line, 4800) as other:
                assert await other.sign_on() == b"/DMO5DEMO-21\r\n"
                await other.acknowledge(b"050", 9600)
            # The readout is sent although no reader has the port open.
            await asyncio.sleep(0.5)
    assert meter.count("readout") == 3


async def test_meter_behind_a_bridge() -> None:
    """A bridge has a fixed speed, so that everything is received correctly."""
    async with probed(quick(), line=MemoryBridge()) as probe:
        probe.switch(115_200)
        loop = asyncio.get_running_loop()
        started = loop.time()
        probe.write(b"/?!\r\n")
        assert await probe.receive() == b"/DMO5DEMO-21\r\n"
        assert loop.time() - started == pytest.approx(19 * 10 / 4800 + 0.02, abs=1e-6)
        probe.write(b"\x06050\r\n")
        check(await probe.block())
