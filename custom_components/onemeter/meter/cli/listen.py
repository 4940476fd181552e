"""Receiving from a meter that pushes: the command ``listen``."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
import signal

from ..client import PushedClient
from ..errors import MeterConnectionError, MeterError
from ..reading import Reading

#: Seconds without a reading after which the reason is printed; most meters push every 10 s at most.
_HINT_SECONDS = 15


def listen(
    client: PushedClient,
    show: Callable[[Reading], None],
    complain: Callable[[MeterError], None],
    *,
    count: int | None,
    seconds: float | None,
) -> None:
    """Show each reading until ``count``, ``seconds``, Ctrl-C, SIGTERM, or the loss of the port.

    ``complain`` is called with the error of the port, or with the reason why no reading comes.
    """
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            asyncio.run(_listen(client, show, complain, count=count, seconds=seconds))
        except MeterConnectionError as err:
            complain(err)
            return
    if not client.counters.good:
        complain(client.diagnose())


async def _listen(
    client: PushedClient,
    show: Callable[[Reading], None],
    complain: Callable[[MeterError], None],
    *,
    count: int | None,
    seconds: float | None,
) -> None:
    loop = asyncio.get_running_loop()
    hint = loop.call_later(_HINT_SECONDS, lambda: complain(client.diagnose()))
    shown = 0
    try:
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(seconds) as deadline,
                aclosing(client.listen()) as readings,
            ):
                loop.add_signal_handler(signal.SIGTERM, lambda: deadline.reschedule(loop.time()))
                async for reading in readings:
                    hint.cancel()
                    show(reading)
                    shown += 1
                    if shown == count:
                        break
    finally:
        hint.cancel()
        loop.remove_signal_handler(signal.SIGTERM)
