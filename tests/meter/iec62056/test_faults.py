"""Faults between a meter and its reader: the next cycle always brings a reading.

A cycle is one call of read(), and another one after an error, as a caller does.
"""

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from custom_components.onemeter.meter import LineSettings, Reading
from custom_components.onemeter.meter.errors import (
    ChecksumError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterSilentError,
    PortBusyError,
)
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.port import Port
from simulator.iec62056 import ALWAYS, Checksum, Faults, Iec62056Meter, Registers, Rejection
from simulator.memory import MemoryLine

from ...helpers.lines import at_a_pty, client_at, meter, plugged_in, value

#: Seconds until the next good reading.
CYCLE = 10


def is_good(reading: Reading, of: Iec62056Meter) -> bool:
    """Whether a reading is complete and correct."""
    return reading.meter.meter_id == of.serial and len(reading.registers) > 10


async def read_within(client: Iec62056Client, seconds: float) -> Reading:
    async with asyncio.timeout(seconds):
        return await client.read()


async def test_lost_acknowledgement() -> None:
    """A meter that does not fall back gets a second acknowledgement."""
    simulated = meter(faults=Faults(lose_acknowledgements=1), acknowledgement_timeout=10)
    async with plugged_in(simulated) as line:
        client = client_at(line)
        assert is_good(await read_within(client, CYCLE), simulated)
        assert simulated.count("sign-on") == 1
        assert simulated.count("acknowledgement") == 1


async def test_every_acknowledgement_is_lost() -> None:
    """The meter falls back to the speed of its identification, and is read at it."""
    simulated = meter(faults=Faults(lose_acknowledgements=ALWAYS), start_baudrate=1200)
    async with plugged_in(simulated) as line:
        client = client_at(line, 1200)
        assert is_good(await read_within(client, CYCLE), simulated)
        assert simulated.count("sign-on") == 1


async def test_flipped_bit_in_the_readout() -> None:
    simulated = meter(faults=Faults(flip_bits=1))
    async with plugged_in(simulated) as line:
        client = client_at(line)
        assert is_good(await read_within(client, CYCLE), simulated)
        assert client.counters.damaged == 1
        assert client.counters.good == 1


async def test_readouts_that_are_always_damaged() -> None:
    simulated = meter(faults=Faults(flip_bits=ALWAYS), start_baudrate=2400, manufacturer="DMo")
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        with pytest.raises(ChecksumError):
            await read_within(client, CYCLE)
        simulated.faults.flip_bits = 0
        assert is_good(await read_within(client, CYCLE), simulated)


async def test_answer_at_the_old_speed() -> None:
    simulated = meter(faults=Faults(keep_old_speed=ALWAYS), start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        assert is_good(await read_within(client, CYCLE), simulated)
        signed_on = simulated.count("sign-on")
        # This is remembered: from now on the first attempt succeeds.
        assert is_good(await read_within(client, CYCLE), simulated)
        assert simulated.count("sign-on") == signed_on + 1


@pytest.mark.parametrize("day", range(4))
async def test_answer_at_the_old_speed_once(day: int) -> None:
    """How much of it looks like text depends on the digits of the day."""
    simulated = meter(
        faults=Faults(keep_old_speed=1),
        start_baudrate=2400,
        clock=lambda: 1_796_000_000 + day * 86_413,
    )
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        assert is_good(await read_within(client, CYCLE), simulated)


@pytest.mark.parametrize(("start", "often"), [(4800, 1), (4800, ALWAYS), (2400, 3)])
async def test_old_speed_that_looks_like_damaged_text(start: int, often: int) -> None:
    """Half the speed damages least."""
    simulated = meter(faults=Faults(keep_old_speed=often), start_baudrate=start, baudrate=2 * start)
    async with plugged_in(simulated) as line:
        client = client_at(line, start)
        for _ in range(2):
            # The first cycle may fail, the next one succeeds.
            with suppress(ChecksumError):
                assert is_good(await read_within(client, 2 * CYCLE), simulated)
        assert is_good(await read_within(client, 2 * CYCLE), simulated)


async def test_meter_that_waits_at_another_speed() -> None:
    simulated = meter(start_baudrate=9600)
    async with plugged_in(simulated) as line:
        client = client_at(line)
        assert is_good(await read_within(client, CYCLE), simulated)
        started = asyncio.get_running_loop().time()
        assert is_good(await read_within(client, CYCLE), simulated)
        assert asyncio.get_running_loop().time() - started < 3


async def test_echo() -> None:
    async with plugged_in(simulated := meter()) as line:
        line.echo = True
        client = client_at(line)
        assert is_good(await read_within(client, CYCLE), simulated)
        async with asyncio.timeout(CYCLE), aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert value(await anext(readings), "1.8.0") is not None


async def test_noise_before_the_identification() -> None:
    simulated = meter(faults=Faults(noise=1))
    async with plugged_in(simulated) as line:
        assert is_good(await read_within(client_at(line), CYCLE), simulated)
        assert simulated.count("sign-on") == 1


async def test_silence_in_the_middle_of_a_readout() -> None:
    simulated = meter(faults=Faults(stop_midway=1))
    async with plugged_in(simulated) as line:
        assert is_good(await read_within(client_at(line), CYCLE), simulated)
        assert simulated.count("sign-on") == 2


async def test_unplugged_in_the_middle_of_a_readout() -> None:
    async with plugged_in(simulated := meter()) as line:
        client = client_at(line)
        reading = asyncio.create_task(client.read())
        while not simulated.count("readout"):  # noqa: ASYNC110 - its log has no events
            await asyncio.sleep(0.01)
        line.close()
        with pytest.raises(MeterConnectionError):
            await reading
        await line.open()
        assert is_good(await read_within(client, CYCLE), simulated)


@pytest.mark.real_time("who has a port open is known by the kernel")
async def test_busy_port_names_the_program(tmp_path: Path) -> None:
    async with at_a_pty(tmp_path, simulated := meter(start_baudrate=9600)) as line:
        client = client_at(line, 9600)
        async with Port(line.url, LineSettings(9600)):
            with pytest.raises(PortBusyError) as caught:
                await client.read()
        assert "PID" in caught.value.details["by"]
        assert is_good(await read_within(client, CYCLE), simulated)


@pytest.mark.parametrize("rejection", list(Rejection))
async def test_wrong_password_is_sent_once(rejection: Rejection) -> None:
    simulated = meter(password="12345678", rejection=rejection, start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400, password="00000000")
        for _ in range(2):
            with pytest.raises(MeterAuthenticationError) as caught:
                await anext(client.watch(["1.8.0"], 0))
            assert "00000000" not in f"{caught.value} {caught.value.details}"
        assert simulated.wrong_passwords == 1
        # Its readout needs no password.
        assert is_good(await read_within(client, CYCLE), simulated)


async def test_error_register() -> None:
    simulated = meter(registers=Registers(history=0, with_grid=False, error="00000080"))
    async with plugged_in(simulated) as line:
        assert value(await read_within(client_at(line), CYCLE), "F.F") == "00000080"


async def test_sum_as_block_check() -> None:
    simulated = meter(checksum=Checksum.SUM, faults=Faults(flip_bits_of_answers=1))
    async with plugged_in(simulated) as line:
        client = client_at(line)
        assert is_good(await read_within(client, CYCLE), simulated)
        async with asyncio.timeout(CYCLE), aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert value(await anext(readings), "1.8.0") is not None


@pytest.mark.parametrize("strict", [False, True])
async def test_port_without_parity(strict: bool) -> None:
    """The port is always opened as 8N1; the meter uses 7E1."""
    simulated = meter(even_parity=True, strict_parity=strict)
    async with plugged_in(simulated) as line:
        assert is_good(await read_within(client_at(line), CYCLE), simulated)


async def test_meter_without_parity() -> None:
    simulated = meter(even_parity=False)
    async with plugged_in(simulated) as line:
        assert is_good(await read_within(client_at(line), CYCLE), simulated)


async def test_meter_that_is_stuck_in_a_session() -> None:
    async with plugged_in(simulated := meter()) as line:
        # Another program has left the meter in programming mode at 9600 baud.
        async with Port(line.url, LineSettings(300)) as port:
            await port.write(b"/?!\r\n")
            await asyncio.sleep(1.2)
            await port.write(b"\x06051\r\n")
            await port.set_speed(9600)
            await asyncio.sleep(0.5)
        assert simulated.count("session") == 1
        assert is_good(await read_within(client_at(line), CYCLE), simulated)


async def test_no_meter() -> None:
    async with MemoryLine() as line:
        with pytest.raises(MeterSilentError):
            await read_within(client_at(line), CYCLE)
