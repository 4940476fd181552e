"""A client of other origin reads the simulated meter: the two know nothing of each other."""

import asyncio
from collections.abc import Iterable, Sequence

from iec62056_21.client import Iec6205621Client
from iec62056_21.messages import DataSet

from benchmarks._line import plugged_in
from benchmarks._measure import amount
from simulator.iec62056 import Iec62056Meter
from simulator.iec62056.registers import DataSet as Told

_NOW = 1_790_000_000
_REGISTERS = amount(("1.8.0", "16.7.0"), quick=("1.8.0",))


def check_foreign_client() -> list[str]:
    """Let pwitab's iec62056-21 read a meter; return what it did not read as the meter said it."""
    meter = _meter()
    told = meter.registers.data_sets(_NOW, meter.serial)
    read, single = asyncio.run(_be_read())
    print(f"\niec62056-21, the client, reads our meter {meter.identification.decode().strip()}")
    print(f"  readout: {len(read)} of {sum(len(values) for _, values in told)} values")
    print("  programming mode: " + ", ".join(f"{s.address} is {s.value} {s.unit}" for s in single))
    missed = []
    if list(_as_told(read)) != _values(told):
        missed.append("iec62056-21 does not read what our meter says")
    if list(_as_told(single)) != _values(t for t in told if t[0] in _REGISTERS):
        missed.append("iec62056-21 does not read single registers of our meter")
    return missed


def _meter() -> Iec62056Meter:
    return Iec62056Meter(
        clock=lambda: _NOW,
        # It changes the speed three quarters of a second after its acknowledgement, which meters
        # survive that take longer for their answer (at most 1.5 s, clause 6.3.14).
        reaction_time=1.0,
        # Where it has a pseudo-terminal for a port, nothing takes the parity bits away.
        even_parity=False,
    )


async def _be_read() -> tuple[Sequence[DataSet], Sequence[DataSet]]:
    """Read two meters that are alike at the same time, since either takes seconds."""
    async with plugged_in(_meter()) as line, plugged_in(_meter()) as other:
        return await asyncio.gather(
            asyncio.to_thread(_read, line.url), asyncio.to_thread(_read_single, other.url)
        )


def _read(port: str) -> Sequence[DataSet]:
    """Return all data sets of a readout."""
    client = Iec6205621Client.with_serial_transport(port)
    client.connect()
    try:
        found: Sequence[DataSet] = client.standard_readout().data
        return found
    finally:
        client.disconnect()


def _read_single(port: str) -> Sequence[DataSet]:
    """Return some registers, read in programming mode."""
    client = Iec6205621Client.with_serial_transport(port)
    client.connect()
    try:
        client.access_programming_mode()
        found = [client.read_single_value(address, "") for address in _REGISTERS]
        client.send_break()
        return found
    finally:
        client.disconnect()


def _values(told: Iterable[Told]) -> list[tuple[str | None, str]]:
    """Return what a meter tells as a client of other origin takes it: a value by itself is one."""
    return [
        (None if group else address, value)
        for address, values in told
        for group, value in enumerate(values)
    ]


def _as_told(data_sets: Iterable[DataSet]) -> Iterable[tuple[str | None, str]]:
    for found in data_sets:
        yield found.address, f"{found.value}*{found.unit}" if found.unit else found.value
