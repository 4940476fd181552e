"""What a transport has received, until it is read."""

import asyncio
from collections.abc import Callable
from typing import Final, override

#: Bytes that may wait here before the transport stops receiving, and with which it goes on.
_FULL: Final = 1 << 17
_FREE: Final = 1 << 16


class Receiver(asyncio.Protocol):
    """Keeps received bytes for one reader, as asyncio.StreamReader does, but with deadlines.

    A deadline only wakes up the reader. Cancelling it, as asyncio.timeout() does, would take longer
    than all the rest, even where the bytes come in time.
    """

    def __init__(self, run: Callable[[Callable[[], None]], None]) -> None:
        """Create the protocol of a connection in the running event loop.

        ``run`` is what calls methods of the transport, which may log what it receives.
        """
        self._loop = asyncio.get_running_loop()
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        #: Whether the transport has stopped because too many bytes wait.
        self._is_full = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline: float | None = None
        #: There is one timer, not one for each deadline: most of them are never reached.
        self._timer: asyncio.TimerHandle | None = None
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._error: Exception | None = None
        #: Whether the connection has ended, with or without an error.
        self.is_ended = False

    @property
    def has_bytes(self) -> bool:
        """Whether bytes wait to be taken."""
        return bool(self._received)

    @property
    def may_send(self) -> bool:
        """Whether the transport accepts more bytes to send without delay."""
        return self._may_send.is_set()

    def wait(self, until: float | None) -> asyncio.Future[None]:
        """Return a future that is done once there is something to take.

        Also at ``until`` (event loop time), and if the connection has ended. It is never done at
        once, so that other tasks run.
        """
        waiter = self._waiter = self._loop.create_future()
        if self._received or self.is_ended:
            self._loop.call_soon(_end, waiter)
        else:
            self._deadline = until
            if until is not None and (self._timer is None or until < self._timer.when()):
                self._set_timer(until)
        return waiter

    def take(self, most: int) -> bytes:
        """Return up to ``most`` of the received bytes, which may be none.

        Raises the error that ended the connection.
        """
        if self._error is not None:
            raise self._error
        received = self._received
        data = bytes(received[:most])
        del received[:most]
        if self._is_full and len(received) <= _FREE:
            self._is_full = False
            if self._transport is not None:
                self._run(self._transport.resume_reading)
        return data

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer, when)

    def _on_timer(self, when: float) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._deadline > when:
            self._set_timer(self._deadline)
        elif self._waiter is not None:
            _end(self._waiter)

    async def drain(self) -> None:
        """Wait until may_send. Raises the error that ended the connection."""
        await self._may_send.wait()
        if self.is_ended:
            raise self._error or ConnectionResetError("Connection lost")

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._waiter is not None:
            _end(self._waiter)
        if len(self._received) > _FULL and not self._is_full and self._transport is not None:
            self._is_full = True
            self._transport.pause_reading()

    @override
    def pause_writing(self) -> None:
        self._may_send.clear()

    @override
    def resume_writing(self) -> None:
        self._may_send.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._transport = None
        self.is_ended = True
        self._may_send.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._waiter is not None:
            _end(self._waiter)


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
