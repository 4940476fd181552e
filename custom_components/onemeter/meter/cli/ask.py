"""Asking a meter from the command line."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
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
    """Show one reading, with the seconds that it took: of these registers, or of all.

    Complains when the meter cannot be read.
    """

    async def ask() -> None:
        if not addresses:
            show(await client.read(), client.duration)
            return
        async with aclosing(client.watch(addresses, 0)) as readings:
            show(await anext(readings), client.duration)

    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            asyncio.run(ask())
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

    Complains when the meter has none, or does not give it away.
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
    """Show each object that a meter has. Complains when the meter cannot be read."""
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            objects = asyncio.run(client.objects())
        except MeterError as err:
            complain(err)
            return
        for found in objects:
            show(found)
