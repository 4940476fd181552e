"""The port against pseudo-terminals, local TCP servers, and failures that only a fake can bring."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, suppress
import errno
import os
from pathlib import Path
import socket
import sys
import termios
import threading
import time
from typing import Self, override

import pytest
from serialx import Parity, PinState, SerialException

from custom_components.onemeter.meter import port as port_module
from custom_components.onemeter.meter.errors import (
    MeterConnectionError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    PortPermissionError,
)
from custom_components.onemeter.meter.line import Framing, LineSettings
from custom_components.onemeter.meter.port import Port
from simulator.pty import PtyLine
from simulator.tcp import TcpLine

from ..helpers.rfc2217 import Rfc2217, tcp_port

kernels_port = pytest.mark.real_time("the port is one of the kernel's")
kernels_network = pytest.mark.real_time("the connection is one of the kernel's")

LINE = LineSettings(baudrate=9600)
SEVEN_EVEN = LineSettings(baudrate=300, framing=Framing.SEVEN_EVEN)


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncGenerator[PtyLine]:
    async with PtyLine(tmp_path / "ttyMETER") as line:
        yield line


async def read_exactly(port: Port, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await port.read()
    return data


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class FakeTransport(asyncio.Transport):
    """Stands in for serialx where a failure cannot be had from a real port."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, object] = {}
        self.pins: dict[str, object] = {}
        self.failure: BaseException | None = None
        self.never_closes = False
        self.protocol = asyncio.Protocol()
        self.is_open = False

    async def connect(
        self,
        _loop: asyncio.AbstractEventLoop,
        make_protocol: Callable[[], asyncio.Protocol],
        _url: str,
        **settings: object,
    ) -> tuple[Self, asyncio.Protocol]:
        if self.failure is not None:
            raise self.failure
        self.settings = settings
        self.protocol = make_protocol()
        self.is_open = True
        self.protocol.connection_made(self)
        return self, self.protocol

    async def set_modem_pins(self, **pins: object) -> None:
        self.pins = pins

    @override
    def is_closing(self) -> bool:
        return not self.is_open

    @override
    def abort(self) -> None:
        self.is_open = False

    async def wait_closed(self) -> None:
        if self.never_closes:
            await asyncio.Event().wait()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    fake = FakeTransport()
    monkeypatch.setattr(port_module, "create_serial_connection", fake.connect)
    return fake


class SaysAndCloses(asyncio.Protocol):
    """Sends its bytes and closes the connection."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self.data)
        transport.close()


@kernels_port
async def test_reads_what_the_meter_sends(cable: PtyLine) -> None:
    async with Port(cable.url, LINE) as port:
        cable.put(bytes(range(256)))
        assert await read_exactly(port, 256) == bytes(range(256))


@kernels_port
async def test_reads_from_a_resolved_device_and_through_its_scheme(cable: PtyLine) -> None:
    for url in (str(cable.path.resolve()), f"device://{cable.path}"):
        async with Port(url, LINE) as port:
            cable.put(b"meter")
            assert await read_exactly(port, 5) == b"meter"


@kernels_port
async def test_sets_the_speed(cable: PtyLine) -> None:
    async with Port(cable.url, LineSettings(2400)):
        assert cable._master is not None
        assert termios.tcgetattr(cable._master)[4] == termios.B2400


@pytest.mark.parametrize(
    ("framing", "parity"),
    [
        (Framing.EIGHT_NONE, Parity.NONE),
        (Framing.SEVEN_EVEN, Parity.NONE),
        (Framing.EIGHT_EVEN, Parity.EVEN),
    ],
)
async def test_opens_with_eight_bits_and_this_parity(
    fake: FakeTransport, framing: Framing, parity: Parity
) -> None:
    async with Port("/dev/ttyUSB0", LineSettings(9600, framing)):
        settings = fake.settings
    assert settings["parity"] is parity
    assert settings.get("byte_size", 8) == 8
    assert settings["exclusive"] is True


@kernels_port
async def test_7e1_passes_the_parity_bit_on(cable: PtyLine) -> None:
    async with Port(cable.url, SEVEN_EVEN) as port:
        cable.put(bytes(range(256)))
        assert await read_exactly(port, 256) == bytes(range(256))


@pytest.mark.parametrize(
    ("dtr", "rts", "on_open"),
    [
        (True, False, (PinState.HIGH, PinState.LOW)),
        (None, True, (PinState.UNDEFINED, PinState.HIGH)),
    ],
)
async def test_sets_dtr_and_rts(
    fake: FakeTransport,
    dtr: bool | None,
    rts: bool | None,
    on_open: tuple[PinState, PinState],
) -> None:
    async with Port("/dev/ttyUSB0", LineSettings(9600, dtr=dtr, rts=rts)):
        assert (fake.settings["dtr_on_open"], fake.settings["rts_on_open"]) == on_open
        assert fake.pins == {"dtr": dtr, "rts": rts}


async def test_leaves_dtr_and_rts_alone_unless_asked(fake: FakeTransport) -> None:
    async with Port("/dev/ttyUSB0", LINE):
        assert fake.settings["dtr_on_open"] is fake.settings["rts_on_open"] is PinState.UNDEFINED
        assert fake.pins == {}


@kernels_port
async def test_a_port_without_dtr_and_rts_opens_all_the_same(cable: PtyLine) -> None:
    async with Port(cable.url, LineSettings(9600, dtr=True, rts=False)) as port:
        cable.put(b"meter")
        assert await read_exactly(port, 5) == b"meter"


async def test_missing_port(tmp_path: Path) -> None:
    path = str(tmp_path / "ttyUSB0")
    with pytest.raises(PortNotFoundError, match="ttyUSB0 does not exist") as caught:
        async with Port(path, LINE):
            pass
    assert caught.value.details == {"port": path}


@kernels_port
async def test_a_port_has_one_user(cable: PtyLine) -> None:
    async with Port(cable.url, LINE):
        with pytest.raises(PortBusyError) as caught:
            async with Port(cable.url, LINE):
                pass
    assert caught.value.details["port"] == cable.url
    assert f"(PID {os.getpid()})" in caught.value.details["by"]
    async with Port(cable.url, LINE) as port:
        cable.put(b"meter")
        assert await read_exactly(port, 5) == b"meter"


async def test_not_a_serial_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no port")
    with pytest.raises(MeterConnectionError) as caught:
        async with Port(str(tmp_path / "file"), LINE):
            pass
    assert caught.value.details["reason"] == "not a serial port"


@pytest.mark.parametrize(
    "url",
    ["socket://meter", "tcp://:99", "socket://meter:99999", "socket://[::1", "tty\0", "x://y"],
)
async def test_malformed_url(url: str) -> None:
    with pytest.raises(MeterConnectionError, match="cannot be opened"):
        async with Port(url, LINE):
            pass


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_nobody_at_the_tcp_port() -> None:
    line = TcpLine()
    await line.open()
    line.close()
    with pytest.raises(MeterConnectionError) as caught:
        async with Port(line.url, LINE):
            pass
    assert type(caught.value) is MeterConnectionError
    assert caught.value.details == {"port": line.url, "reason": "Connection refused"}


@pytest.mark.parametrize(
    ("failure", "expected", "details"),
    [
        (OSError(errno.ENODEV, ""), PortNotFoundError, {}),
        (OSError(errno.ENXIO, ""), PortNotFoundError, {}),
        (PermissionError(errno.EACCES, "denied", "/dev/x"), PortPermissionError, {}),
        (OSError(errno.EPERM, ""), PortPermissionError, {}),
        (OSError(errno.EBUSY, "locked"), PortBusyError, {"by": "?"}),
        (TimeoutError(), MeterConnectionError, {"reason": "no answer"}),
        (OSError(errno.EIO, "/dev/x"), MeterConnectionError, {"reason": os.strerror(errno.EIO)}),
        (
            socket.gaierror(socket.EAI_NONAME, "unknown host"),
            MeterConnectionError,
            {"reason": "unknown host"},
        ),
        (
            OSError("Multiple exceptions: …"),
            MeterConnectionError,
            {"reason": "Multiple exceptions: …"},
        ),
        (SerialException("no parity"), MeterConnectionError, {"reason": "no parity"}),
        (EOFError(), MeterConnectionError, {"reason": "EOFError"}),
    ],
)
async def test_failure_to_open(
    fake: FakeTransport,
    failure: Exception,
    expected: type[MeterConnectionError],
    details: dict[str, str],
) -> None:
    port = Port("/dev/no-such-port", LINE)
    fake.failure = failure
    with pytest.raises(MeterConnectionError) as caught:
        await port.__aenter__()
    assert type(caught.value) is expected
    assert caught.value.details == {"port": "/dev/no-such-port", **details}


class NotReadyError(Exception):
    """As Home Assistant raises it out of a port that is not there yet."""


@pytest.mark.parametrize("failure", [NotReadyError(), asyncio.CancelledError()])
async def test_what_is_no_failure_passes_through(
    fake: FakeTransport, failure: BaseException
) -> None:
    port = Port("esphome-hass://esphome/1", LINE)
    fake.failure = failure
    with pytest.raises(type(failure)):
        await port.__aenter__()


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_opening_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "_OPEN_SECONDS", 0.05)
    async with tcp_port(asyncio.Protocol) as address:
        with pytest.raises(MeterConnectionError, match="no answer"):
            async with Port(f"rfc2217://{address}", LINE):
                pass


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_opening_can_be_cancelled() -> None:
    files = open_files()
    async with tcp_port(asyncio.Protocol) as address:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await Port(f"rfc2217://{address}", LINE).__aenter__()
    assert open_files() == files


@kernels_port
async def test_open_that_fails_after_its_cancellation_logs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, may_fail = threading.Event(), threading.Event()

    def fails(path: str, flags: int) -> int:
        began.set()
        assert may_fail.wait(5)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path, flags)

    problems: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    monkeypatch.setattr(os, "open", fails)
    opening = asyncio.create_task(Port("/dev/no-such-port", LINE).__aenter__())
    await asyncio.to_thread(began.wait)
    opening.cancel()
    loop.call_later(0.01, may_fail.set)
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.sleep(0)
    assert not problems


@kernels_port
async def test_pulling_the_cable(cable: PtyLine) -> None:
    async with Port(cable.url, LINE) as port:
        cable.put(b"meter")
        assert await read_exactly(port, 5) == b"meter"
        cable.close()
        with pytest.raises(PortLostError, match="was lost") as caught:
            await port.read()
        with pytest.raises(PortLostError):
            await port.read()
    assert caught.value.details == {"port": cable.url}
    await cable.open()
    async with Port(cable.url, LINE) as port:
        cable.put(b"back")
        assert await read_exactly(port, 4) == b"back"


READS_TOO = """
import os, select, sys
port = os.open(sys.argv[1], os.O_RDONLY | os.O_NOCTTY)
print(flush=True)
while select.select([port], [], []):
    os.read(port, 1024)
"""


@asynccontextmanager
async def another_reader(cable: PtyLine) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Have another program read from the port, which asks for no lock."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READS_TOO, cable.url, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        await program.stdout.readline()
        yield program
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.communicate()


@kernels_port
async def test_names_the_program_that_takes_bytes_away(cable: PtyLine) -> None:
    # A process that may open a port in exclusive use all the same, or that was there before.
    async with another_reader(cable) as program, Port(cable.url, LINE) as port:

        async def speak() -> None:
            while True:
                cable.put(b"meter")
                await asyncio.sleep(0)
                # The event loop has found the bytes and will read them after this: too late.
                time.sleep(0.005)  # noqa: ASYNC251
                await asyncio.sleep(0)

        speaking = asyncio.create_task(speak())
        with pytest.raises(PortBusyError) as caught:
            await read_exactly(port, 1_000_000)
        speaking.cancel()
    assert caught.value.details["port"] == cable.url
    assert f"(PID {program.pid})" in caught.value.details["by"]
    assert f"(PID {os.getpid()})" not in caught.value.details["by"]


@kernels_port
async def test_pulled_cable_is_lost_whoever_else_has_read(cable: PtyLine) -> None:
    async with another_reader(cable), Port(cable.url, LINE) as port:
        cable.close()
        with pytest.raises(PortLostError):
            await port.read()


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_tcp_closed_by_the_other_side() -> None:
    async with (
        tcp_port(lambda: SaysAndCloses(b"meter")) as address,
        Port(f"socket://{address}", LINE) as port,
    ):
        assert await read_exactly(port, 5) == b"meter"
        with pytest.raises(PortLostError, match="closed by the other side"):
            await port.read()


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("scheme", ["socket", "tcp", "rfc2217"])
async def test_a_peer_that_vanishes_is_noticed_within_half_a_minute(scheme: str) -> None:
    async with tcp_port(Rfc2217) as address, Port(f"{scheme}://{address}", LINE) as port:
        connection = port._transport._tcp_transport  # type: ignore[attr-defined]
        tcp: socket.socket = connection.get_extra_info("socket")
        assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, interval, probes = (
            tcp.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
    assert (idle, interval, probes) == (10, 5, 3)
    assert idle + interval * probes < 30


@pytest.mark.parametrize(
    "failure", [OSError(errno.EIO, "I/O"), SerialException("gone"), EOFError(), TimeoutError()]
)
async def test_failure_to_read(fake: FakeTransport, failure: Exception) -> None:
    async with Port("/dev/ttyUSB0", LINE) as port:
        asyncio.get_running_loop().call_soon(fake.protocol.connection_lost, failure)
        with pytest.raises(PortLostError):
            await port.read()


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_a_flood_leaves_the_others_their_turn() -> None:
    """Every read, also of what is buffered already, lets the event loop go round."""
    size = 1_000_000

    rounds = 0

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    counting = asyncio.create_task(count_rounds())
    received = reads = 0
    async with (
        tcp_port(lambda: SaysAndCloses(bytes(size))) as address,
        Port(f"socket://{address}", LINE) as port,
    ):
        while received < size:
            data = await port.read()
            assert 1 <= len(data) <= 256
            received += len(data)
            reads += 1
    counting.cancel()
    assert rounds >= reads


class Forgetful(Rfc2217):
    """Answers the first change of speed, that of opening, and no other."""

    SET_SPEED = 1

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if b"\xff\xfa\x2c\x01" in data:
            self.ignored = frozenset({self.SET_SPEED})


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
async def test_a_change_of_speed_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "_SPEED_SECONDS", 0.05)
    async with tcp_port(Forgetful) as address, Port(f"rfc2217://{address}", LINE) as port:
        with pytest.raises(PortLostError, match="was lost: no answer"):
            await port.set_speed(300)
    assert port.baudrate == 9600


@kernels_network
@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("scheme", ["rfc2217", "RFC2217"])
async def test_changes_the_speed_of_a_remote_port(scheme: str) -> None:
    async with tcp_port(Rfc2217) as address, Port(f"{scheme}://{address}", LINE) as port:
        async with asyncio.timeout(2):
            await port.set_speed(300)
        assert port.baudrate == 300
        await port.write(b"meter")
        assert await read_exactly(port, 5) == b"meter"


@kernels_port
async def test_closing_gives_everything_back(cable: PtyLine) -> None:
    files, tasks = open_files(), asyncio.all_tasks()
    for _ in range(5):
        async with Port(cable.url, LINE) as port:
            cable.put(b"meter")
            await port.read()
    assert open_files() == files
    assert asyncio.all_tasks() == tasks


@kernels_port
async def test_leaving_by_an_error_closes(cable: PtyLine) -> None:
    files = open_files()
    with pytest.raises(ZeroDivisionError):
        async with Port(cable.url, LINE):
            raise ZeroDivisionError
    assert open_files() == files


@kernels_port
async def test_a_cancelled_read_closes(cable: PtyLine) -> None:
    files = open_files()
    with pytest.raises(TimeoutError):
        async with Port(cable.url, LINE) as port, asyncio.timeout(0.05):
            await port.read()
    assert open_files() == files


async def test_closing_does_not_wait_for_ever(fake: FakeTransport) -> None:
    loop = asyncio.get_running_loop()
    async with Port("/dev/ttyUSB0", LINE):
        fake.never_closes = True
        started = loop.time()
    assert not fake.is_open
    assert loop.time() - started == 1


@pytest.fixture(autouse=True)
def _no_warnings(recwarn: pytest.WarningsRecorder) -> Generator[None]:
    yield
    assert [str(warning.message) for warning in recwarn if "unclosed" in str(warning.message)] == []
