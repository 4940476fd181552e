"""What is received waits until it is read, and the reader until a deadline."""

import asyncio
from collections.abc import Callable
from typing import override

import pytest

from custom_components.onemeter.meter.receiver import Receiver


class Transport(asyncio.Transport):
    """Notes whether it is to receive."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    @override
    def pause_reading(self) -> None:
        self.calls.append("pause")

    @override
    def resume_reading(self) -> None:
        self.calls.append("resume")


def call(job: Callable[[], None]) -> None:
    job()


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def receiver(transport: Transport) -> Receiver:
    receiver = Receiver(call)
    receiver.connection_made(transport)
    return receiver


async def test_deadlines(receiver: Receiver) -> None:
    """Each one is kept, whether it is before or after the previous one."""
    loop = asyncio.get_running_loop()
    for seconds in (5.0, 1.0, 3.0, 0.0):
        until = loop.time() + seconds
        await receiver.wait(until)
        assert loop.time() == until
        assert receiver.take(256) == b""


async def test_bytes_before_a_deadline(receiver: Receiver) -> None:
    """The timer of an earlier deadline wakes up no later reader."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for seconds in range(1, 5):
        loop.call_at(begin + seconds, receiver.data_received, b"meter")
        await receiver.wait(loop.time() + 1.5)
        assert loop.time() == begin + seconds
        assert receiver.take(256) == b"meter"
    loop.call_at(begin + 60, receiver.data_received, b"meter")
    await receiver.wait(None)
    assert loop.time() == begin + 60
    assert receiver.take(3) == b"met"
    assert receiver.take(256) == b"er"


async def test_past_deadline_and_waiting_bytes(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    await receiver.wait(loop.time() - 1)
    assert receiver.take(256) == b""
    receiver.data_received(b"meter")
    waiter = receiver.wait(loop.time() - 1)
    assert not waiter.done()
    await waiter
    assert receiver.take(256) == b"meter"


async def test_cancelled_reader_loses_nothing(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    for is_received_before in (False, True):
        if is_received_before:
            receiver.data_received(b"meter")
        waiter = receiver.wait(loop.time() + 1)
        if not is_received_before:
            receiver.data_received(b"meter")
        waiter.cancel()
        await receiver.wait(loop.time() + 1)
        assert receiver.take(256) == b"meter"
        await receiver.wait(until := loop.time() + 3)
        assert loop.time() == until


async def test_bytes_that_nobody_reads(receiver: Receiver, transport: Transport) -> None:
    """The transport stops, and goes on once most of them are read."""
    for _ in range(3):
        receiver.data_received(bytes(50_000))
    assert transport.calls == ["pause"]
    receiver.take(80_000)
    assert transport.calls == ["pause"]
    receiver.take(10_000)
    assert transport.calls == ["pause", "resume"]
    for _ in range(3):
        receiver.data_received(bytes(50_000))
    receiver.connection_lost(None)
    assert len(receiver.take(1_000_000)) == 210_000
    assert transport.calls == ["pause", "resume", "pause"]


async def test_end_without_an_error(receiver: Receiver) -> None:
    receiver.data_received(b"meter")
    receiver.connection_lost(None)
    assert receiver.take(256) == b"meter"
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await receiver.wait(begin + 1)
    assert loop.time() == begin
    assert receiver.is_ended
    with pytest.raises(ConnectionResetError):
        await receiver.drain()


async def test_end_with_an_error_while_reading(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    loop.call_at(begin + 1, receiver.connection_lost, OSError("I/O"))
    await receiver.wait(begin + 60)
    assert loop.time() == begin + 1
    with pytest.raises(OSError, match="I/O"):
        receiver.take(256)


async def test_sending_waits_for_the_transport(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    assert receiver.may_send
    receiver.pause_writing()
    assert not receiver.may_send
    begin = loop.time()
    loop.call_at(begin + 1, receiver.resume_writing)
    await receiver.drain()
    assert loop.time() == begin + 1
    receiver.pause_writing()
    loop.call_at(begin + 2, receiver.connection_lost, OSError("I/O"))
    with pytest.raises(OSError, match="I/O"):
        await receiver.drain()
    assert loop.time() == begin + 2
