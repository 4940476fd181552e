"""Other DLMS clients read the simulated meter: a check of the simulator."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from math import isclose
from typing import Final

from benchmarks._dlms_meter import NOW, SUITES, simulated_meter
from benchmarks._dlms_peers import Found, Task, dlms_cosem_reads, gurux_reads
from benchmarks._measure import amount
from simulator.dlms import DlmsMeter, Mechanism, Transport, serve
from simulator.dlms.cosem import CURRENT_ASSOCIATION
from simulator.tcp import TcpLine

_ROWS: Final = amount(500, quick=5)
type _Reads = Callable[[DlmsMeter, Task], tuple[Found, Sequence[tuple[str, bytes]]]]


def check_foreign_clients() -> list[str]:
    """Print what gurux-dlms and dlms-cosem read from our meter; return what failed."""
    missed = []
    print("\nOther clients read our meter")
    for peer, reads, meters in (
        ("gurux-dlms", gurux_reads, _gurux_meters()),
        ("dlms-cosem", dlms_cosem_reads, _dlms_cosem_meters()),
    ):
        for meter in meters:
            title = f"{peer}, {_title(meter)}"
            summary, wrong = asyncio.run(_serve_client(meter, reads))
            print(f"  {title:36} {'failed: ' + wrong if wrong else 'ok: ' + summary}")
            if wrong:
                missed.append(title)
    return missed


def _gurux_meters() -> Iterable[DlmsMeter]:
    for transport in (Transport.WRAPPER, Transport.HDLC):
        for mechanism in (
            Mechanism.NONE,
            Mechanism.LLS,
            Mechanism.MD5,
            Mechanism.SHA1,
            Mechanism.SHA256,
        ):
            yield simulated_meter(transport, mechanism)
        for suite in SUITES:
            yield simulated_meter(transport, Mechanism.GMAC, suite)


def _dlms_cosem_meters() -> Iterable[DlmsMeter]:
    for mechanism in (Mechanism.NONE, Mechanism.LLS, Mechanism.GMAC):
        yield simulated_meter(Transport.WRAPPER, mechanism)


def _title(meter: DlmsMeter) -> str:
    suite = f" suite {meter.suite}" if meter.mechanism is Mechanism.GMAC else ""
    return f"{meter.transport}, {meter.mechanism.name}{suite}"


async def _serve_client(meter: DlmsMeter, reads: _Reads) -> tuple[str, str]:
    """Serve a meter while a client reads it; return a summary, and what went wrong."""
    ends = meter.profile.ends(NOW)[:_ROWS]
    async with TcpLine() as line:
        task = asyncio.ensure_future(serve(line, meter))
        wanted = Task(
            host=line.host,
            port=line.port,
            registers=list(meter.registers.quantities),
            start=datetime.fromtimestamp(ends[0], UTC),
            end=datetime.fromtimestamp(ends[-1], UTC),
        )
        try:
            found, _ = await asyncio.to_thread(reads, meter, wanted)
        except Exception as error:  # noqa: BLE001  any exception of a peer is a failure
            return "", "\n".join([repr(error), *error.__notes__])
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    summary = (
        f"{len(found.registers)} registers, clock, {len(found.objects)} objects, "
        f"{len(found.rows)} rows by range, {len(found.entries) or 'none'} by entry"
    )
    return summary, "; ".join(_differences(meter, ends, found))


def _differences(meter: DlmsMeter, ends: Sequence[int], found: Found) -> Iterable[str]:
    """Yield the differences between the meter's values and the client's."""
    registers = {code: meter.registers.value(code, NOW) for code in meter.registers.quantities}
    if found.registers.keys() != registers.keys() or not all(
        isclose(value, registers[code]) for code, value in found.registers.items()
    ):
        yield f"registers: {found.registers}"
    if found.clock != datetime.fromtimestamp(NOW, UTC):
        yield f"clock: {found.clock}"
    objects = {(entry.class_id, entry.code) for entry in meter.objects.values()}
    if set(found.objects) - {(15, CURRENT_ASSOCIATION)} != objects:
        yield f"objects: {set(found.objects) ^ objects}"
    rows = [
        (
            datetime.fromtimestamp(end, UTC),
            [0, *(meter.registers.energies(end)[code] for code in meter.profile.registers)],
        )
        for end in ends
    ]
    if found.rows != rows:
        yield f"{len(found.rows)} rows by range, the first {found.rows[:1]}, not {rows[:1]}"
    if found.entries and found.entries != rows:
        yield f"{len(found.entries)} rows by entry, the first {found.entries[:1]}"
