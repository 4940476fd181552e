"""Invocation counters: their sources, and that none is ever used twice."""

import asyncio
from asyncio.subprocess import Process
from functools import partial
import os
from pathlib import Path
from random import Random
import signal
import sys

import pytest

from custom_components.onemeter.meter.dlms.security.counters import FileCounter
from custom_components.onemeter.meter.dlms.security.protection import InvocationCounterRange
from custom_components.onemeter.meter.errors import CounterNeededError, InvocationCounterError
from simulator.dlms import DlmsMeter
from tests.helpers.waiting import until

from ....helpers.dlms_meters import (
    AUTHENTICATION_KEY,
    ENCRYPTION_KEY,
    SPEED,
    TITLE,
    MemoryCounter,
    at_a_pty,
    ciphered,
    gmac_client,
    plugged_in,
)

ROOT = Path(__file__).parents[4]


async def test_file_counter(tmp_path: Path) -> None:
    path = tmp_path / "state" / "counters.json"
    counter = FileCounter(path, "one")
    assert await counter.reserve(10) == 0
    assert await counter.reserve(5) == 10
    assert await FileCounter(path, "one").reserve(1, at_least=100) == 100
    assert await FileCounter(path, "one").reserve(1) == 101
    assert await FileCounter(path, "two").reserve(1) == 0
    with pytest.raises(OverflowError):
        await counter.reserve(1, at_least=2**32 - 1)


async def test_file_counter_of_a_given_title_never_begins_at_0(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    counter = FileCounter(path, "one", None)
    with pytest.raises(LookupError):
        await counter.reserve(5)
    assert await counter.reserve(5, at_least=700) == 700
    assert await counter.reserve(5) == 705
    path.unlink()
    with pytest.raises(LookupError):
        await counter.reserve(5)
    assert await FileCounter(path, "one", 9000).reserve(5) == 9000
    assert await counter.reserve(5) == 9005
    assert await FileCounter(path, "one", 9000).reserve(5) == 9010


async def test_meter_is_not_read_while_nobody_knows_the_counter(tmp_path: Path) -> None:
    counter = FileCounter(tmp_path / "counters.json", "one", None)
    async with plugged_in(ciphered(public_client=None)) as line:
        with pytest.raises(CounterNeededError):
            await gmac_client(line, counter).read()
    async with plugged_in(ciphered(client_counter=41)) as line:
        assert (await gmac_client(line, counter).read()).registers, "the meter's own register"


async def test_many_at_once(tmp_path: Path) -> None:
    counters = [FileCounter(tmp_path / "counters.json", "one") for _ in range(8)]
    firsts = await asyncio.gather(*(counter.reserve(3) for counter in counters * 4))
    assert sorted(firsts) == list(range(0, 96, 3))


def test_numbers_never_go_back() -> None:
    numbers = InvocationCounterRange(5, 2)
    assert [numbers.take(), numbers.take()] == [5, 6]
    with pytest.raises(ValueError, match="no invocation counter is reserved"):
        numbers.take()
    with pytest.raises(ValueError, match="back"):
        numbers.refill(6, 10)
    numbers.refill(7, 1)
    assert numbers.take() == 7


async def test_begins_behind_what_the_meter_knows() -> None:
    meter = ciphered(client_counter=5000)
    async with plugged_in(meter) as line:
        counter = MemoryCounter()
        await gmac_client(line, counter).read()
    assert min(entry.counter for entry in meter.received_counters) == 5001
    assert counter.reserved[0][0] == 5001


async def test_begins_behind_what_is_stored() -> None:
    meter = ciphered(client_counter=5000)
    async with plugged_in(meter) as line:
        await gmac_client(line, MemoryCounter(9000)).read()
    assert min(entry.counter for entry in meter.received_counters) == 9000


async def test_nothing_is_sent_that_cannot_be_stored() -> None:
    class Full(MemoryCounter):
        async def reserve(self, count: int, *, at_least: int = 0) -> int:  # noqa: ARG002
            raise OSError(28, "No space left on device")

    meter = ciphered()
    async with plugged_in(meter) as line:
        with pytest.raises(InvocationCounterError):
            await gmac_client(line, Full()).read()
    assert not meter.received_counters


def has_polled_or_ended(process: Process, meter: DlmsMeter, before: int) -> bool:
    return len(meter.received_counters) > before or process.returncode is not None


async def kill_while_polling(path: Path, times: int, seed: int) -> None:
    """Poll in processes that are killed at random; no counter may be used twice."""
    random = Random(seed)
    meter = ciphered(policy=0x30)
    command = [sys.executable, "-m", "meter", "read", "--protocol", "dlms", "--server", "1"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "custom_components" / "onemeter"),
        "XDG_STATE_HOME": str(path / "state"),
        # Only the first one compiles the program.
        "PYTHONPYCACHEPREFIX": str(path / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "",
        "ONEMETER_ENCRYPTION_KEY": ENCRYPTION_KEY.hex(),
        "ONEMETER_AUTHENTICATION_KEY": AUTHENTICATION_KEY.hex(),
    }
    async with at_a_pty(path, meter) as line:
        options = ["--port", line.url, "--baud", str(SPEED), "--system-title", TITLE.hex()]
        killed = 0
        while killed < times:
            before = len(meter.received_counters)
            process = await asyncio.create_subprocess_exec(
                *command,
                *options,
                env=environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            # Killing one that still starts would prove nothing.
            await until(partial(has_polled_or_ended, process, meter, before))
            await asyncio.sleep(random.uniform(0, 0.1))
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
            await process.wait()
    used = [entry.counter for entry in meter.received_counters]
    assert len(used) >= times
    assert len(used) == len(set(used))


@pytest.mark.real_time("processes are killed")
async def test_killed_while_polling(tmp_path: Path) -> None:
    await kill_while_polling(tmp_path, 10, 1)


@pytest.mark.real_time("processes are killed")
@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_killed_many_times(tmp_path: Path) -> None:
    await kill_while_polling(tmp_path, 200, 2)
