"""Simulated DLMS meters at a line, and clients for them, on the simulated clock."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from custom_components.onemeter.meter import LineSettings, Obis, Reading
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.security.counters import InvocationCounter
from custom_components.onemeter.meter.dlms.settings import Authentication, DlmsSettings, Keys
from simulator.dlms import DlmsMeter, Mechanism, Transport, serve
from simulator.line import Line
from simulator.memory import MemoryBridge, MemoryLine
from simulator.pty import PtyLine

from .waiting import running

SPEED = 115_200
TITLE = b"ONM12345"
PASSWORD = b"correct horse"
ENCRYPTION_KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(16, 32))
KEYS = Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY)

MECHANISMS = {
    Authentication.NONE: Mechanism.NONE,
    Authentication.LLS: Mechanism.LLS,
    Authentication.HLS_MANUFACTURER: Mechanism.HLS,
    Authentication.HLS_MD5: Mechanism.MD5,
    Authentication.HLS_SHA1: Mechanism.SHA1,
    Authentication.HLS_GMAC: Mechanism.GMAC,
    Authentication.HLS_SHA256: Mechanism.SHA256,
}


class MemoryCounter:
    """Reserves invocation counters, and remembers the calls."""

    def __init__(self, first: int = 0) -> None:
        self.mark = first
        self.reserved: list[tuple[int, int]] = []

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        first = max(self.mark, at_least)
        self.mark = first + count
        self.reserved.append((first, count))
        return first


def ciphered(**options: Any) -> DlmsMeter:
    """Return a meter with GMAC and keys."""
    usual: dict[str, Any] = {
        "mechanism": Mechanism.GMAC,
        "encryption_key": ENCRYPTION_KEY,
        "authentication_key": AUTHENTICATION_KEY,
    }
    return DlmsMeter(**usual | options)


def serving(line: Line, meter: DlmsMeter) -> AbstractAsyncContextManager[object]:
    """Serve a meter on a line."""
    return running(serve(line, meter))


@asynccontextmanager
async def plugged_in(meter: DlmsMeter) -> AsyncGenerator[MemoryLine]:
    """Serve a meter at a line for its transport; the line may be closed and opened again."""
    line: MemoryLine
    if meter.transport is Transport.WRAPPER:
        line = MemoryBridge()
    else:
        line = MemoryLine(SPEED if meter.transport is Transport.HDLC else meter.start_baudrate)
    async with line, serving(line, meter):
        yield line


@asynccontextmanager
async def at_a_pty(folder: Path, meter: DlmsMeter) -> AsyncGenerator[PtyLine]:
    """Serve an HDLC meter at a pseudo-terminal, for tests in real time."""
    async with PtyLine(folder / "head", SPEED) as line, serving(line, meter):
        yield line


def client_at(line: Line, counter: InvocationCounter | None = None, **settings: Any) -> DlmsClient:
    """Return a client for the meter at a line, with the right address."""
    usual: dict[str, Any] = {"client": 1, "logical_device": 1, "address_length": 1}
    return DlmsClient(
        line.url, LineSettings(SPEED), DlmsSettings(**usual | settings), counter or MemoryCounter()
    )


def gmac_client(
    line: Line, counter: InvocationCounter | None = None, **settings: Any
) -> DlmsClient:
    """Return a client with the right keys."""
    usual: dict[str, Any] = {
        "authentication": Authentication.HLS_GMAC,
        "keys": KEYS,
        "system_title": TITLE,
    }
    return client_at(line, counter, **usual | settings)


def value(reading: Reading, code: str) -> object:
    """Return the current value of a code."""
    register = reading.get(Obis.parse(code))
    assert register is not None
    return register.value
