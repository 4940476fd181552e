"""Ports on another machine, through the programs that people have there: ser2net and pyserial."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
import shutil
import socket
import sys
from typing import Any

import pytest

from custom_components.onemeter.meter import (
    Obis,
    Protocol,
    PushedClient,
    Reading,
)
from custom_components.onemeter.meter.clients import create_polled_client, create_pushed_client
from custom_components.onemeter.meter.detection import detect
from custom_components.onemeter.meter.dlms.settings import DlmsSettings, Transport
from custom_components.onemeter.meter.errors import MeterConnectionError, PortLostError
from simulator.dlms import DlmsMeter, Transport as MeterTransport, serve as serve_dlms
from simulator.household import Household
from simulator.iec62056 import serve as serve_iec62056
from simulator.kinds import KINDS
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter
from tests.helpers.waiting import until

from ..helpers.lines import meter as iec62056_meter

pytestmark = [
    pytest.mark.real_time("the servers are processes, in front of ports of the kernel's"),
    pytest.mark.usefixtures("socket_enabled"),
    # They share the machine's time with one another, so that none of them is late.
    pytest.mark.xdist_group("rfc2217"),
    # A server that says nothing after it was started again must not hold up all others.
    pytest.mark.timeout(90),
]

type Command = Callable[[Path, int], list[str]]
type Speaking = Callable[[PtyLine], Coroutine[Any, Any, None]]

SER2NET = shutil.which("ser2net", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
IMPORT = Obis.parse("1-0:1.8.0")

SER2NET_CONFIGURATION = """\
%YAML 1.1
---
connection: &meter
  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}
  connector: serialdev(nouucplock=true),{path},9600n81,local
"""


def ser2net(path: Path, port: int) -> list[str]:
    configuration = path.with_suffix(".yaml")
    configuration.write_text(SER2NET_CONFIGURATION.format(path=path, port=port))
    return [str(SER2NET), "-n", "-c", str(configuration)]


def pyserial(path: Path, port: int) -> list[str]:
    return [
        sys.executable,
        str(Path(__file__).parents[1] / "helpers" / "pyserial_server.py"),
        str(path),
        str(port),
    ]


class Server:
    """A server's process, in front of the port at a path."""

    def __init__(self, command: Command, path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._command = command(path, self._port)
        self.url = f"rfc2217://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(*self._command)
        await until(self._is_listening)

    def _is_listening(self) -> bool:
        # A connection would hold the port that is to be tested.
        return f":{self._port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()

    async def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@pytest.fixture(
    params=[
        pytest.param(
            ser2net,
            marks=[
                pytest.mark.ser2net,
                pytest.mark.skipif(SER2NET is None, reason="there is no ser2net"),
            ],
        ),
        pyserial,
    ]
)
def command(request: pytest.FixtureRequest) -> Command:
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def served(command: Command, line: PtyLine, speaking: Speaking) -> AsyncGenerator[Server]:
    """Put up a meter at a line, and a server in front of it."""
    async with line:
        server = Server(command, line.path)
        await server.start()
        task = asyncio.create_task(speaking(line))
        try:
            yield server
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await server.stop()


async def push_sml(line: PtyLine) -> None:
    await push(line, SmlMeter(household=Household(1)).telegram, interval=0.5)


async def first_reading(client: PushedClient) -> Reading:
    async with asyncio.timeout(10), aclosing(client.listen()) as readings:
        return await anext(readings)


async def drain(readings: AsyncGenerator[Reading]) -> None:
    async for _ in readings:
        pass


async def test_sml(command: Command, tmp_path: Path) -> None:
    async with served(command, PtyLine(tmp_path / "head", 9600), push_sml) as server:
        client = create_pushed_client(Protocol.SML, server.url)
        assert (await first_reading(client)).get(IMPORT)


async def test_mode_c_changes_from_300_to_9600_baud(command: Command, tmp_path: Path) -> None:
    # On a busy machine the acknowledgement may come late.
    meter = iec62056_meter(acknowledgement_timeout=10)
    line = PtyLine(tmp_path / "head", meter.start_baudrate)
    async with served(command, line, lambda line: serve_iec62056(line, meter)) as server:
        client = create_polled_client(Protocol.IEC62056, server.url)
        for _ in range(2):
            assert (await client.read()).get(IMPORT)
    assert [entry.detail for entry in meter.log if entry.what == "readout"] == ["9600", "9600"]


async def test_dlms_after_a_sign_on_at_300_baud(command: Command, tmp_path: Path) -> None:
    meter = DlmsMeter(transport=MeterTransport.MODE_E)
    line = PtyLine(tmp_path / "head", meter.start_baudrate)
    settings = DlmsSettings(transport=Transport.MODE_E, client=1)
    async with served(command, line, lambda line: serve_dlms(line, meter)) as server:
        client = create_polled_client(Protocol.DLMS, server.url, settings=settings)
        assert (await client.read()).get(IMPORT)


async def test_dlms(command: Command, tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "head", 9600)
    async with served(command, line, lambda line: serve_dlms(line, DlmsMeter())) as server:
        client = create_polled_client(Protocol.DLMS, server.url, settings=DlmsSettings(client=1))
        assert (await client.read()).get(IMPORT)


@pytest.mark.parametrize("name", ["SML, 1 s", "P1, 1 s", "mode C", "HDLC, polled"])
async def test_meter_is_found(command: Command, tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    line = PtyLine(tmp_path / "head")
    kind.set_up(line)
    async with served(command, line, kind.serve) as server:
        found = await detect(server.url, country="PL")
    assert found.winner is not None
    assert found.winner.protocol == kind.protocol
    assert found.winner.is_polled is (kind.interval is None)
    assert found.winner.line.baudrate == kind.baudrate


async def test_a_server_that_is_started_again(command: Command, tmp_path: Path) -> None:
    async with served(command, PtyLine(tmp_path / "head", 9600), push_sml) as server:
        client = create_pushed_client(Protocol.SML, server.url)
        async with aclosing(client.listen()) as readings:
            assert await anext(readings)
            await server.stop()
            with pytest.raises(PortLostError):
                await drain(readings)
        with pytest.raises(MeterConnectionError, match="Connection refused"):
            await first_reading(client)
        await server.start()
        assert await first_reading(client)
