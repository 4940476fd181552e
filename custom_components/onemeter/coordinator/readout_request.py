"""Requests for a readout, which end the wait for the next one."""

import asyncio
from collections.abc import Awaitable


class ReadoutRequest:
    """Lets callers request a readout and wait for its end."""

    def __init__(self) -> None:
        """Begin without a request and without a readout in progress."""
        #: Whether a readout was requested since the last one has begun.
        self.is_pending = False
        #: Set when the readout in progress, or otherwise the next one, has ended.
        self._ended = asyncio.Event()
        #: The wait for the next readout; None while a readout is in progress.
        self._wait: asyncio.Timeout | None = None

    async def async_readout(self) -> None:
        """Request a readout and wait for its end; a readout in progress counts as the requested."""
        ended = self._ended
        if self._wait is not None:
            self.is_pending = True
            if not self._wait.expired():
                self._wait.reschedule(asyncio.get_running_loop().time())
        await ended.wait()

    def begin_readout(self) -> None:
        """Note that a readout begins."""
        self.is_pending = False

    def end_readout(self) -> None:
        """Wake up all callers that wait for the end of a readout."""
        self._ended.set()
        self._ended = asyncio.Event()

    def close(self) -> None:
        """Wake up all callers, since no readout will follow."""
        self._ended.set()

    async def async_wait_interruptible[T](
        self, seconds: float | None, meanwhile: Awaitable[T]
    ) -> T | None:
        """Await something until a time in seconds is over or a readout is requested; then None."""
        try:
            async with asyncio.timeout(seconds) as self._wait:
                return await meanwhile
        except TimeoutError:
            return None
        finally:
            self._wait = None
