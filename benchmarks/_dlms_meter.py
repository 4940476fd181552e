"""A simulated meter in its own process, with constant values that are encoded once."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Final

from simulator.dlms import (
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Mechanism,
    Registers,
    Transport,
    serve,
)
from simulator.dlms.cosem import REGISTER, always
from simulator.tcp import TcpLine

NOW: Final = 1_790_000_000
#: Protection of all messages if there are keys.
BOTH: Final = AUTHENTICATED | ENCRYPTED
#: Encryption keys by security suite.
_KEYS: Final = {0: bytes(range(16)), 1: bytes(range(16)), 2: bytes(range(32))}
_AUTHENTICATION_KEYS: Final = {
    suite: bytes(byte ^ 0xFF for byte in key) for suite, key in _KEYS.items()
}
SUITES: Final = tuple(_KEYS)
_SECRET: Final = b"12345678"
#: Shared by all meters: summing up the past years takes long.
_REGISTERS: Final = Registers()


def simulated_meter(transport: Transport, mechanism: Mechanism, suite: int = 0) -> DlmsMeter:
    """Return a meter; with GMAC all messages are encrypted and authenticated."""
    with_keys = mechanism is Mechanism.GMAC
    return DlmsMeter(
        clock=lambda: NOW,
        registers=_REGISTERS,
        transport=transport,
        mechanism=mechanism,
        secret=b"" if with_keys or mechanism is Mechanism.NONE else _SECRET,
        suite=suite,
        encryption_key=_KEYS[suite] if with_keys else None,
        authentication_key=_AUTHENTICATION_KEYS[suite] if with_keys else b"",
        policy=BOTH if with_keys else 0,
        # dlms-cosem rejects a message with the counter 0.
        server_counter=1,
    )


@contextmanager
def running(transport: Transport, mechanism: Mechanism) -> Generator[int]:
    """Serve a meter in another process; yield its TCP port."""
    # Other start methods import the benchmark again, which takes seconds.
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, transport, mechanism), daemon=True)
    process.start()
    try:
        port: int = ours.recv()
        yield port
    finally:
        process.terminate()
        process.join()


def _run(pipe: Connection, transport: Transport, mechanism: Mechanism) -> None:
    meter = simulated_meter(transport, mechanism)
    for code, entry in meter.objects.items():
        if entry.class_id == REGISTER:
            canned = {number: always(give(NOW)) for number, give in entry.attributes.items()}
            meter.objects[code] = replace(entry, attributes=canned)
    asyncio.run(_serve(pipe, meter))


async def _serve(pipe: Connection, meter: DlmsMeter) -> None:
    async with TcpLine() as line:
        pipe.send(line.port)
        await serve(line, meter)
