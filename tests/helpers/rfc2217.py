"""TCP servers, with and without RFC 2217."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar, override


@asynccontextmanager
async def tcp_port(talk: Callable[[], asyncio.Protocol]) -> AsyncGenerator[str]:
    """Serve a local TCP port; yield its address."""
    server = await asyncio.get_running_loop().create_server(talk, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        server.close_clients()
        await server.wait_closed()


class Rfc2217(asyncio.Protocol):
    """Accepts all requests of RFC 2217, and echoes everything else."""

    #: Commands that it does not answer.
    ignored: frozenset[int] = frozenset()

    #: WILL is answered with DO and DO with WILL; a client's command with that command + SERVER.
    ANSWERS: ClassVar = {0xFB: 0xFD, 0xFD: 0xFB}
    SERVER = 100

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        while data.startswith(b"\xff"):
            if (command := data[1]) in self.ANSWERS:
                self.transport.write(bytes((0xFF, self.ANSWERS[command], data[2])))
                data = data[3:]
            else:
                end = data.index(b"\xff\xf0") + 2
                answer = bytearray(data[:end])
                if answer[3] not in self.ignored:
                    answer[3] += self.SERVER
                    self.transport.write(answer)
                data = data[end:]
        self.transport.write(data)
