"""The client for meters that push readouts."""

import asyncio
from contextlib import aclosing

import pytest

from custom_components.onemeter.meter import Protocol, Reading
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.errors import MeterSilentError, UnknownDataError
from simulator.household import Household
from simulator.iec62056 import Checksum, Iec62056Meter, Mode
from simulator.iec62056.encoder import with_even_parity
from simulator.memory import MemoryLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from ...helpers.lines import serving


def pushing(**options: object) -> Iec62056Meter:
    values = {"mode": Mode.D, "interval": 0.1, "baudrate": 9600, "start_baudrate": 9600} | options
    return Iec62056Meter(**values)  # type: ignore[arg-type]


async def hear(line: MemoryLine, count: int) -> list[Reading]:
    client = create_pushed_client(Protocol.IEC62056, line.url)
    async with asyncio.timeout(20), aclosing(client.listen()) as readings:
        return [await anext(readings) for _ in range(count)]


@pytest.mark.parametrize("checksum", [Checksum.NONE, Checksum.CRC16])
@pytest.mark.parametrize("even_parity", [True, False])
async def test_pushed_readouts(checksum: Checksum, even_parity: bool) -> None:
    meter = pushing(checksum=checksum, even_parity=even_parity)
    async with MemoryLine(9600) as line, serving(line, meter):
        for reading in await hear(line, 3):
            assert reading.meter.meter_id == meter.serial
            assert reading.meter.manufacturer == "DMO"


async def test_another_meter_counts_from_its_second_readout_on() -> None:
    meter = pushing(checksum=Checksum.NONE)
    async with MemoryLine(9600) as line, serving(line, meter):
        client = create_pushed_client(Protocol.IEC62056, line.url)
        async with asyncio.timeout(20), aclosing(client.listen()) as readings:
            assert (await anext(readings)).meter.meter_id == meter.serial
            assert client.counters.other == 1
            meter.serial = "87654321"
            async for reading in readings:
                if reading.meter.meter_id == "87654321":
                    break
            assert client.counters.other == 2


async def test_rest_of_a_readout_is_held_back_too() -> None:
    """If a port is opened in the middle of a readout, its meter is unknown."""
    meter = pushing(checksum=Checksum.NONE)
    *_, rest = with_even_parity(meter.pushed()).split(b"\n", 4)
    async with MemoryLine(9600) as line:
        client = create_pushed_client(Protocol.IEC62056, line.url)
        async with asyncio.timeout(20), aclosing(client.listen()) as readings:
            first = asyncio.ensure_future(anext(readings))
            await asyncio.sleep(0.1)
            line.put(rest)
            async with serving(line, meter):
                assert (await first).meter.meter_id == meter.serial
        # The rest, and the first complete readout.
        assert (client.counters.other, client.counters.damaged) == (2, 0)


async def test_silence() -> None:
    async with MemoryLine(9600) as line:
        client = create_pushed_client(Protocol.IEC62056, line.url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), aclosing(client.listen()) as readings:
                await anext(readings)
        assert isinstance(client.diagnose(), MeterSilentError)


async def test_another_protocol_is_named_whatever_seemed_damaged() -> None:
    async with MemoryLine(9600) as line:
        telegram = SmlMeter(household=Household()).telegram
        task = asyncio.create_task(push(line, telegram, interval=0.1))
        client = create_pushed_client(Protocol.IEC62056, line.url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4), aclosing(client.listen()) as readings:
                await anext(readings)
        task.cancel()
        diagnosis = client.diagnose()
        assert isinstance(diagnosis, UnknownDataError)
        assert diagnosis.details["looks_like"] == "SML"
