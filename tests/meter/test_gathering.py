"""Pauses while the bytes of a telegram gather."""

import asyncio
from contextlib import aclosing
from typing import NamedTuple, override

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import LineSettings, Protocol
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.gathering import Gathering
from simulator.clock import SimulatedClockLoop
from simulator.household import Household
from simulator.memory import MemoryLine
from simulator.push import push
from simulator.sml.meter import SmlMeter, Style

#: Number of bytes that the driver of a port hands over at once.
CHUNK = 9


class Received(NamedTuple):
    """How a telegram was read."""

    #: Seconds from its end until it was read, and the number of reads.
    late: float
    reads: int


def receive(
    gathering: Gathering, begin: float, length: int, byte_time: float, *, ends: bool = True
) -> Received:
    """Read a telegram that begins at a time (s)."""
    end = begin + length * byte_time
    now, read, reads = begin, 0, 0
    while True:
        # When the next chunk is there.
        now = max(now, min(begin + (read + CHUNK) * byte_time, end))
        there = min(int((now - begin) / byte_time + 1e-6) // CHUNK * CHUNK, length)
        if now >= end - 1e-9:
            there = length
        gathering.receive(there - read, now)
        read, reads = there, reads + 1
        if read == length:
            if ends:
                gathering.end(now)
            return Received(now - end, reads)
        now += gathering.pause()


def test_reads_far_less_often() -> None:
    gathering, reads = Gathering(), []
    for second in range(10):
        received = receive(gathering, second, 400, 10 / 9600)
        assert received.late < 1e-6
        reads.append(received.reads)
    assert reads[:2] == [45, 45], "nothing is known of the meter yet"
    assert max(reads[2:]) <= 4


@given(
    st.lists(st.integers(20, 2000), min_size=1, max_size=3),
    st.sampled_from([300, 2400, 9600, 115200]),
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.9, 1.1)), max_size=40),
)
def test_no_end_of_a_known_length_is_late(
    lengths: list[int], baudrate: int, telegrams: list[tuple[int, float]]
) -> None:
    """Also from a meter that sends several lists, and at a speed that varies a little."""
    gathering, begin = Gathering(), 0.0
    known: list[int] = []
    for which, factor in telegrams:
        length = lengths[which % len(lengths)]
        byte_time = 10 / baudrate * factor
        received = receive(gathering, begin, length, byte_time)
        if length in known[-8:]:
            # Nothing is known of telegrams that come in one piece.
            assert received.late <= 0.02 + length * 10 / baudrate * 0.2
        if length > CHUNK:
            known.append(length)
        begin += length * byte_time + 1


def test_no_more_gathers_than_a_driver_keeps() -> None:
    gathering = Gathering()
    length, byte_time = 20_000, 10 / 115_200
    for second in range(0, 30, 10):
        receive(gathering, second, length, byte_time)
    gathering.receive(CHUNK, 30)
    assert 0 < gathering.pause() / byte_time <= 2048


def test_silence_ends_a_telegram_that_was_cut_off() -> None:
    gathering, begin = Gathering(), 0.0
    for length in (400, 400, 400, 250):
        receive(gathering, begin, length, 10 / 9600, ends=length == 400)
        begin += 1
    assert receive(gathering, begin, 400, 10 / 9600).late < 1e-6


def test_telegrams_in_one_piece_are_not_waited_for() -> None:
    gathering = Gathering()
    for second in range(10):
        gathering.receive(400, second)
        assert gathering.pause() == 0
        gathering.end(second)


class _Line(MemoryLine):
    """A line that notes when telegrams end (event loop time)."""

    ends: list[float]

    @override
    def put(self, data: bytes, *, is_end: bool = True) -> None:
        if is_end:
            self.ends.append(asyncio.get_running_loop().time())
        super().put(data, is_end=is_end)


@pytest.mark.parametrize("baudrate", [2400, 9600, 115200])
@pytest.mark.parametrize("repeated", [1, 3, 12])
def test_readings_are_not_late_at_a_port(baudrate: int, repeated: int) -> None:
    """Also if more gathers in a pause than is read at once."""

    async def listen() -> None:
        meter = SmlMeter(household=Household(), style=Style.FNN)
        async with _Line(baudrate) as line:
            line.ends = []
            client = create_pushed_client(Protocol.SML, line.url, LineSettings(baudrate))
            interval = 2 * repeated * 544 * 10 / baudrate + 0.5
            pushing = asyncio.create_task(
                push(line, lambda time: repeated * meter.telegram(time), interval=interval)
            )
            read: list[float] = []
            async with aclosing(client.listen()) as readings:
                async for _ in readings:
                    read.append(asyncio.get_running_loop().time())
                    if len(read) == 10 * repeated:
                        break
            pushing.cancel()
        lateness = [
            at - end for at, end in zip(read[repeated - 1 :: repeated], line.ends, strict=False)
        ]
        assert len(lateness) == 10
        assert max(lateness) <= 0.02

    with asyncio.Runner(loop_factory=SimulatedClockLoop) as runner:
        runner.run(listen())
