"""CPU time of clients for polling a meter that runs in another process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count, product
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection
from statistics import median
import time
from typing import Any, Final, override

from dlms_cosem.cosem import CosemAttributeWithSelection
from dlms_cosem.utils import parse_as_dlms_data
from gurux_dlms.objects import GXDLMSRegister
from meter import PolledClient, Protocol
from meter.client import Counters
from meter.clients import create_polled_client
from meter.dlms.apdu.xdlms import descriptor, get_request
from meter.dlms.association import Association, Operation
from meter.dlms.connection import Link
from meter.dlms.link.hdlc import LLC_COMMAND, POLL, Frame, client_address, server_address
from meter.dlms.link.hdlc_link import HdlcLink
from meter.dlms.link.message_channel import MessageChannel
from meter.dlms.link.wrapper import Packet
from meter.dlms.link.wrapper_link import WrapperLink
from meter.dlms.security.protection import InvocationCounterRange
from meter.dlms.settings import Authentication, DlmsSettings, Keys, Transport as OurTransport
from meter.line import LineSettings
from meter.obis import Obis
from meter.port import Port

from benchmarks._dlms_meter import running, simulated_meter
from benchmarks._dlms_peers import GuruxClient, attribute, dlms_cosem_client
from benchmarks._measure import amount, row
from simulator.dlms import DlmsMeter, Mechanism, Transport
from simulator.dlms.obis import logical_name

_HOST: Final = "127.0.0.1"
_ROUNDS: Final = amount(7, quick=1)
_GETS: Final = amount(300, quick=3)
_LISTS: Final = amount(60, quick=3)
_POLLS: Final = amount(60, quick=10)
#: Over TCP, no client waits for the speed of a line.
_SPEED: Final = 1_000_000_000
_TITLE: Final = b"ONM\0\0\0\0\1"
_REGISTER: Final = 3
_CODES: Final = (
    *("1-0:1.8.0*255", "1-0:2.8.0*255", "1-0:16.7.0*255"),
    *(f"1-0:{quantity}.7.0*255" for quantity in (32, 52, 72, 31, 51, 71, 14)),
)
#: Measured connections; in a quick run each client and each mechanism once.
_CONNECTIONS: Final = amount(
    tuple(product((Transport.WRAPPER, Transport.HDLC), (Mechanism.LLS, Mechanism.GMAC))),
    quick=((Transport.WRAPPER, Mechanism.LLS), (Transport.HDLC, Mechanism.GMAC)),
)
#: Invocation counters; each client of this process gets its own range.
_counters = count(10_000, 10_000)

type Connections = Mapping[tuple[Transport, Mechanism], Mapping[str, float]]

#: Targets: CPU time of a peer's GET of one value divided by ours, plain and with GMAC.
TARGETS: Final = {
    (Mechanism.LLS, "gurux"): 1.5,
    (Mechanism.LLS, "dlms-cosem"): 1.5,
    (Mechanism.GMAC, "gurux"): 10,
    (Mechanism.GMAC, "dlms-cosem"): 1.3,
}
_AUTHENTICATIONS: Final = {
    Mechanism.LLS: Authentication.LLS,
    Mechanism.GMAC: Authentication.HLS_GMAC,
}
_TRANSPORTS: Final = {Transport.WRAPPER: OurTransport.WRAPPER, Transport.HDLC: OurTransport.HDLC}


def measure_gets() -> tuple[Connections, Connections]:
    """Return the CPU time in µs of a GET of one value, and of a value in a GET of ten.

    The peers use what they document for each: gurux-dlms ``read`` and ``readList``, dlms-cosem
    ``get`` and ``get_many``; they return values. Ours of ten is a reading with units, exact numbers
    and checked types. Also printed is the time for exchanging the same bytes of one value without
    a client: by an event loop of which all else is left out, over our port, and over a socket that
    blocks, as in the peers.
    """
    print(
        f"\nA register's value, alone and in a GET of {len(_CODES)}: CPU time, median of {_ROUNDS}"
    )
    print("interleaved rounds")
    single: dict[tuple[Transport, Mechanism], Mapping[str, float]] = {}
    listed: dict[tuple[Transport, Mechanism], Mapping[str, float]] = {}
    for transport, mechanism in _CONNECTIONS:
        clients = {
            ("GET", "ours"): _ours,
            ("GET", "gurux"): _gurux,
            ("list", "ours"): _our_reading,
            ("list", "gurux"): _gurux_list,
            ("", "an event loop"): _bare_loop,
            ("", "a port"): _bare_port,
            ("", "a socket"): _bare_socket,
        }
        # It splits HDLC at flags, and fails at a checksum that contains one.
        if transport is Transport.WRAPPER:
            clients["GET", "dlms-cosem"] = _dlms_cosem
            clients["list", "dlms-cosem"] = _dlms_cosem_list
        meter = simulated_meter(transport, mechanism)
        with running(transport, mechanism) as port:
            rounds = [
                {name: client(meter, port) for name, client in clients.items()}
                for _ in range(_ROUNDS)
            ]
        whole = {name: median(each[name] for each in rounds) * 1e6 for name in clients}
        bare = "without a client: " + ", ".join(
            f"{name} {us:.0f}" for (kind, name), us in whole.items() if not kind
        )
        for kind, found in (("GET", single), ("list", listed)):
            figures = {name: us for (wanted, name), us in whole.items() if wanted == kind}
            title = f"{transport}, {mechanism.name}, {kind}"
            print(row(title, figures, "µs") + (f"  {bare}" if kind == "GET" else ""))
            found[transport, mechanism] = figures
    return single, listed


def _our_reading(meter: DlmsMeter, port: int) -> float:
    return asyncio.run(_our_polls(meter, port))[0] / len(_CODES)


def _ours(meter: DlmsMeter, port: int) -> float:
    return asyncio.run(_our_gets(meter, port))


async def _our_gets(meter: DlmsMeter, port: int) -> float:
    obis = Obis(*logical_name(_CODES[0]))
    async with _connected(meter, port) as (link, association):
        wanted = descriptor(_REGISTER, obis, 2)
        await _drive(link, association.get(wanted))
        begin = time.process_time()
        for _ in range(_GETS):
            await _drive(link, association.get(wanted))
        return (time.process_time() - begin) / _GETS


@asynccontextmanager
async def _connected(meter: DlmsMeter, port: int) -> AsyncGenerator[tuple[Link, Association]]:
    """Associate as our client does."""
    async with Port(f"socket://{_HOST}:{port}", LineSettings(_SPEED)) as opened:
        channel = MessageChannel(opened, Counters())
        link: Link
        if meter.transport is Transport.WRAPPER:
            link = WrapperLink(channel, meter.client, meter.logical_device)
        else:
            address = server_address(meter.logical_device, meter.physical_device)
            link = HdlcLink(channel, meter.client, address)
            await link.connect()
        association = Association(_settings(meter), InvocationCounterRange(next(_counters), 10_000))
        await _drive(link, association.associate())
        yield link, association
        await _drive(link, association.release())
        await link.disconnect()


async def _drive[T](link: Link, operation: Operation[T]) -> T:
    answer: bytes | None = None
    try:
        while True:
            answer = await link.request(operation.send(answer))  # type: ignore[arg-type]
    except StopIteration as done:
        result: T = done.value
        return result


def _settings(meter: DlmsMeter) -> DlmsSettings:
    keys = meter.keys
    return DlmsSettings(
        transport=_TRANSPORTS[meter.transport],
        client=meter.client,
        logical_device=meter.logical_device,
        physical_device=None if meter.transport is Transport.WRAPPER else meter.physical_device,
        authentication=_AUTHENTICATIONS[meter.mechanism],
        password=meter.secret or None,
        keys=Keys(keys.encryption, keys.authentication) if keys else Keys(),
        system_title=_TITLE,
    )


def _gurux(meter: DlmsMeter, port: int) -> float:
    client = _opened_gurux(meter, port)
    register = _gurux_register(_CODES[0])
    client.attribute(register, 3)
    begin = time.process_time()
    for _ in range(_GETS):
        client.attribute(register, 2)
    seconds = time.process_time() - begin
    client.close()
    return seconds / _GETS


def _gurux_list(meter: DlmsMeter, port: int) -> float:
    client = _opened_gurux(meter, port)
    registers = [_gurux_register(code) for code in _CODES]
    for register in registers:
        client.attribute(register, 3)
    wanted = [(register, 2) for register in registers]
    begin = time.process_time()
    for _ in range(_LISTS):
        client.attributes(wanted)
    seconds = time.process_time() - begin
    client.close()
    if any(register.value is None for register in registers):
        raise RuntimeError("gurux-dlms has not read all registers")
    return seconds / _LISTS / len(_CODES)


def _opened_gurux(meter: DlmsMeter, port: int) -> GuruxClient:
    client = GuruxClient(meter)
    client.client.ciphering.invocationCounter = next(_counters)
    client.open(_HOST, port)
    return client


def _gurux_register(code: str) -> Any:
    return GXDLMSRegister(".".join(str(group) for group in logical_name(code)))


def _request_frame(meter: DlmsMeter) -> bytes:
    """Return a framed GET, which every meter answers, if only with an error."""
    request = get_request(1, descriptor(_REGISTER, Obis(*logical_name(_CODES[0])), 2))
    if meter.transport is Transport.WRAPPER:
        return Packet(meter.client, meter.logical_device, request).to_bytes()
    address = server_address(meter.logical_device, meter.physical_device)
    frame = Frame(address, client_address(meter.client), POLL, LLC_COMMAND + request)
    return frame.to_bytes()


def _bare_port(meter: DlmsMeter, port: int) -> float:
    """Exchange requests and answers over a port of an event loop, without a client."""

    async def measure() -> float:
        request = _request_frame(meter)
        async with Port(f"socket://{_HOST}:{port}", LineSettings(_SPEED)) as opened:
            begin = time.process_time()
            for _ in range(_GETS):
                await opened.write(request)
                await opened.read()
            return (time.process_time() - begin) / _GETS

    return asyncio.run(measure())


class _Answers(asyncio.Protocol):
    """Hands each answer over."""

    answer: asyncio.Future[bytes]

    @override
    def data_received(self, data: bytes) -> None:
        self.answer.set_result(data)


def _bare_loop(meter: DlmsMeter, port: int) -> float:
    """Do the same in an event loop without our port."""

    async def measure() -> float:
        request = _request_frame(meter)
        loop = asyncio.get_running_loop()
        transport, answers = await loop.create_connection(_Answers, _HOST, port)
        begin = time.process_time()
        for _ in range(_GETS):
            answers.answer = loop.create_future()
            transport.write(request)
            await answers.answer
        seconds = time.process_time() - begin
        transport.close()
        return seconds / _GETS

    return asyncio.run(measure())


def _bare_socket(meter: DlmsMeter, port: int) -> float:
    """Do the same over a socket, as the peers do."""
    request = _request_frame(meter)
    with create_connection((_HOST, port)) as connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        begin = time.process_time()
        for _ in range(_GETS):
            connection.sendall(request)
            connection.recv(4096)
        return (time.process_time() - begin) / _GETS


def _dlms_cosem(meter: DlmsMeter, port: int) -> float:
    client = dlms_cosem_client(meter, _HOST, port)
    client.client_invocation_counter = next(_counters)
    client.connect()
    client.associate()
    wanted = attribute(_REGISTER, _CODES[0], 2)
    begin = time.process_time()
    for _ in range(_GETS):
        parse_as_dlms_data(client.get(wanted))
    seconds = time.process_time() - begin
    client.release_association()
    client.disconnect()
    return seconds / _GETS


def _dlms_cosem_list(meter: DlmsMeter, port: int) -> float:
    client = dlms_cosem_client(meter, _HOST, port)
    client.client_invocation_counter = next(_counters)
    client.connect()
    client.associate()
    wanted = [CosemAttributeWithSelection(attribute(_REGISTER, code, 2), None) for code in _CODES]
    begin = time.process_time()
    for _ in range(_LISTS):
        found = client.get_many(wanted).result
    seconds = time.process_time() - begin
    client.release_association()
    client.disconnect()
    if not all(isinstance(value, int) for value in found):
        raise RuntimeError(f"dlms-cosem has not read all registers: {found}")
    return seconds / _LISTS / len(_CODES)


def measure_polls() -> tuple[float, Mapping[str, float]]:
    """Print the cost of polling ten registers; return the round trips relative to gurux, and µs."""
    print(f"\nPolling {len(_CODES)} registers with their units over HDLC with GMAC")
    meter = simulated_meter(Transport.HDLC, Mechanism.GMAC)
    with running(Transport.HDLC, Mechanism.GMAC) as port:
        ours, our_trips = asyncio.run(_our_polls(meter, port))
        gurux, gurux_trips = _gurux_polls(meter, port)
    figures = {"ours": ours * 1e6, "gurux": gurux * 1e6}
    print(f"  round trips after the first poll: ours {our_trips:g}, gurux {gurux_trips:g}")
    print(row("CPU time of a poll", figures, "µs"))
    return our_trips / gurux_trips, figures


class _Counter:
    """Invocation counters that are not stored."""

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Reserve a range of numbers and return the first of them."""
        del count
        return max(next(_counters), at_least)


async def _our_polls(meter: DlmsMeter, port: int) -> tuple[float, float]:
    """Return CPU time and round trips of a poll."""
    trips = 0
    request = HdlcLink._exchange  # noqa: SLF001  the only place where frames are exchanged

    async def counted(link: HdlcLink, *arguments: Any) -> Any:
        nonlocal trips
        trips += 1
        return await request(link, *arguments)

    client: PolledClient = create_polled_client(
        Protocol.DLMS,
        f"socket://{_HOST}:{port}",
        LineSettings(_SPEED),
        _settings(meter),
        _Counter(),
    )
    await client.read()
    HdlcLink._exchange = counted  # type: ignore[assignment, method-assign]  # noqa: SLF001
    try:
        async with aclosing(client.watch(_CODES, 0)) as readings:
            reading = await anext(readings)
            if len(reading.registers) != len(_CODES):
                raise RuntimeError(f"{len(reading.registers)} registers of {len(_CODES)}")
            trips = 0
            begin = time.process_time()
            for _ in range(_POLLS):
                await anext(readings)
            return (time.process_time() - begin) / _POLLS, trips / _POLLS
    finally:
        HdlcLink._exchange = request  # type: ignore[method-assign]  # noqa: SLF001


def _gurux_polls(meter: DlmsMeter, port: int) -> tuple[float, float]:
    """Return CPU time and round trips of a poll as in its examples: each scaler, then value."""
    client = _opened_gurux(meter, port)
    registers: Sequence[Any] = [_gurux_register(code) for code in _CODES]
    client.traffic.clear()
    begin = time.process_time()
    for _ in range(_POLLS // 10):
        for register in registers:
            client.attribute(register, 3)
            client.attribute(register, 2)
    seconds = (time.process_time() - begin) / (_POLLS // 10)
    trips = sum(way == ">" for way, _ in client.traffic) / (_POLLS // 10)
    client.close()
    return seconds, trips
