"""Another IEC 62056-21 client reads the simulated meter: a check of the simulator."""

import asyncio
from collections.abc import Iterable, Sequence

from iec62056_21.client import Iec6205621Client
from iec62056_21.messages import DataSet

from benchmarks._line import plugged_in
from benchmarks._measure import amount
from simulator.iec62056 import Iec62056Meter
from simulator.iec62056.registers import DataSet as SentDataSet

_NOW = 1_790_000_000
_REGISTERS = amount(("1.8.0", "16.7.0"), quick=("1.8.0",))


def check_foreign_client() -> list[str]:
    """Read a meter with pwitab's iec62056-21; return what differs from the meter's values."""
    meter = _meter()
    sent = meter.registers.data_sets(_NOW, meter.serial)
    read, single = asyncio.run(_read_both())
    print(f"\niec62056-21, the client, reads our meter {meter.identification.decode().strip()}")
    print(f"  readout: {len(read)} of {sum(len(values) for _, values in sent)} values")
    print("  programming mode: " + ", ".join(f"{s.address} is {s.value} {s.unit}" for s in single))
    missed = []
    if list(_as_sent(read)) != _values(sent):
        missed.append("iec62056-21 reads other values than our meter sends")
    if list(_as_sent(single)) != _values(t for t in sent if t[0] in _REGISTERS):
        missed.append("iec62056-21 reads other single registers than our meter sends")
    return missed


def _meter() -> Iec62056Meter:
    return Iec62056Meter(
        clock=lambda: _NOW,
        # The client changes the speed 0.75 s after its acknowledgement, so the meter must answer
        # later (at most 1.5 s, clause 6.3.14).
        reaction_time=1.0,
        # At a pseudo-terminal nothing removes the parity bits.
        even_parity=False,
    )


async def _read_both() -> tuple[Sequence[DataSet], Sequence[DataSet]]:
    """Return a readout and single registers, read from two equal meters at the same time."""
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


def _values(sent: Iterable[SentDataSet]) -> list[tuple[str | None, str]]:
    """Return a meter's data sets as the client has them: each further value without address."""
    return [
        (None if group else address, value)
        for address, values in sent
        for group, value in enumerate(values)
    ]


def _as_sent(data_sets: Iterable[DataSet]) -> Iterable[tuple[str | None, str]]:
    for found in data_sets:
        yield found.address, f"{found.value}*{found.unit}" if found.unit else found.value
