"""A captured stream that is sent once more, and its command."""

import argparse
import asyncio
from pathlib import Path
from typing import Final

from .command import Command, add_baud, baud
from .line import Line

_POLL_SECONDS: Final = 0.02


async def replay(line: Line, data: bytes, *, loop: bool = False) -> None:
    """Send a captured stream, byte by byte, to the first program that opens the port.

    Ends when that program has closed the port, so that it can read the last byte; ``loop`` starts
    from the beginning instead, for ever.
    """
    while not line.listened_to:  # noqa: ASYNC110  lines have no event for it
        await asyncio.sleep(_POLL_SECONDS)
    await line.write(data)
    while loop:
        await line.write(data)
    while line.listened_to:  # noqa: ASYNC110  likewise
        await asyncio.sleep(_POLL_SECONDS)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_baud(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the bytes to send")
    parser.add_argument(
        "--loop", action="store_true", help="start from the beginning at the end, for ever"
    )


async def _run(options: argparse.Namespace, line: Line) -> None:
    data = options.file.read_bytes()
    print(f"{options.file.name}, {len(data)} bytes, at {line.url}, {options.baud} baud", flush=True)
    await replay(line, data, loop=options.loop)


COMMAND: Final = Command(
    name="replay",
    summary="a captured stream",
    description="Sends a captured stream to the first program that opens the port. Ends when\n"
    "that program has closed it.",
    add_options=_add_options,
    first_speed=baud,
    run=_run,
)
