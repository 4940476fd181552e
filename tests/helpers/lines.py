"""Simulated IEC 62056-21 meters at a line, and clients for them, on the simulated clock."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from custom_components.onemeter.meter import POLLED_LINE, LineSettings, Protocol, Reading
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.iec62056.settings import SignOn
from simulator.iec62056 import Iec62056Meter, Registers, serve
from simulator.line import Line
from simulator.memory import MemoryLine
from simulator.pty import PtyLine

from .waiting import running

LINE = POLLED_LINE[Protocol.IEC62056]


#: Seconds since 1970 at which such a meter is read: how damaged text looks depends on its digits.
_NOW = 1_796_000_000


def meter(**options: Any) -> Iec62056Meter:
    """Return a meter with a readout of about 250 characters, the same at each run."""
    defaults: dict[str, Any] = {
        "registers": Registers(history=0, with_grid=False),
        "clock": lambda: _NOW,
    }
    return Iec62056Meter(**defaults | options)


def serving(line: Line, *meters: Iec62056Meter) -> AbstractAsyncContextManager[object]:
    """Serve meters on a line."""
    return running(serve(line, *meters))


@asynccontextmanager
async def plugged_in(*meters: Iec62056Meter) -> AsyncGenerator[MemoryLine]:
    """Serve meters at one line; the line may be closed and opened again."""
    async with MemoryLine(meters[0].start_baudrate) as line, serving(line, *meters):
        yield line


@asynccontextmanager
async def at_a_pty(folder: Path, *meters: Iec62056Meter) -> AsyncGenerator[PtyLine]:
    """Serve meters at a pseudo-terminal, for tests in real time."""
    async with PtyLine(folder / "head", meters[0].start_baudrate) as line, serving(line, *meters):
        yield line


def client_at(line: Line, baudrate: int = LINE.baudrate, **settings: Any) -> Iec62056Client:
    """Return a client for the meter at a line."""
    return Iec62056Client(line.url, LineSettings(baudrate, LINE.framing), SignOn(**settings))


def value(reading: Reading, address: str) -> object:
    """Return the value of the first register with an address."""
    return next(register.value for register in reading.registers if register.address == address)
