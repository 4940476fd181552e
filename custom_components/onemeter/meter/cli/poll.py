"""Polling a meter: the commands ``read``, ``profile`` and ``objects``."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo

from ..client import PolledClient
from ..dlms.client import DlmsClient
from ..dlms.objects import ObjectValue
from ..errors import MeterError
from ..reading import Interval, Reading


def read(
    client: PolledClient,
    show: Callable[[Reading, float | None], None],
    complain: Callable[[MeterError], None],
    *,
    addresses: Sequence[str],
) -> None:
    """Show one reading and its duration in seconds; without addresses, of all registers.

    ``complain`` is called with the error when the meter cannot be read.
    """

    async def poll() -> None:
        if not addresses:
            show(await client.read(), client.duration)
        else:
            show(await client.read_registers(addresses), client.duration)

    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            asyncio.run(poll())
        except MeterError as err:
            complain(err)


def read_profile(
    client: PolledClient,
    show: Callable[[Interval], None],
    complain: Callable[[MeterError], None],
    *,
    start: datetime,
    end: datetime,
    zone: tzinfo | None,
) -> None:
    """Show each interval of the load profile that ends after the start, up to the end.

    ``complain`` is called with the error when there is none.
    """
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            intervals = asyncio.run(client.read_profile(start, end, zone))
        except MeterError as err:
            complain(err)
            return
        for interval in intervals:
            show(interval)


def read_objects(
    client: DlmsClient,
    show: Callable[[ObjectValue], None],
    complain: Callable[[MeterError], None],
) -> None:
    """Show each object of a meter; ``complain`` is called with the error when it cannot be read."""
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            objects = asyncio.run(client.objects())
        except MeterError as err:
            complain(err)
            return
        for found in objects:
            show(found)
