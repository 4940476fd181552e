"""A line as a TCP server, like ser2net and Wi-Fi bridges."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final, cast, override

from .line import Line

#: Unsent bytes of a slow client beyond which its bytes are dropped.
_BACKLOG: Final = 65_536


class TcpLine(Line):
    """A TCP port of this machine; all clients receive what the meter sends.

    The bridge has the speed of the meter, whatever speed a client asks for.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, baudrate: int | None = None) -> None:
        """Create a bridge with its address and speed; port 0 is a free port, chosen once."""
        super().__init__(baudrate)
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Transport] = set()
        #: Seconds after the end of a connection in which new ones are closed at once.
        self.pause = 0.0
        self._ended = -inf

    @property
    @override
    def url(self) -> str:
        return f"socket://{self.host}:{self.port}"

    @property
    @override
    def listened_to(self) -> bool:
        return bool(self._clients)

    @override
    async def open(self) -> None:
        """Listen; OSError if the port is in use."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._client,
            self.host,
            self.port,
            reuse_address=True,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    @override
    def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in self._clients:
            client.abort()
        self.cut()

    def _client(self) -> asyncio.Protocol:
        if asyncio.get_running_loop().time() - self._ended < self.pause:
            return _Refused()
        return _Client(self._clients, self._connected, self.sent_by_reader, self._left)

    def _left(self) -> None:
        self._ended = asyncio.get_running_loop().time()

    def _connected(self) -> None:
        """Count the connection; discard what earlier clients have sent if none is left."""
        self.connections += 1
        if not self._clients:
            self.cut()
            self.forget()

    @override
    def reflect(self, data: bytes) -> None:
        for client in self._clients:
            if client.get_write_buffer_size() < _BACKLOG:
                client.write(data)


class _Client(asyncio.Protocol):
    """The connection of a client."""

    _transport: asyncio.Transport

    def __init__(
        self,
        clients: set[asyncio.Transport],
        connected: Callable[[], None],
        received: Callable[[bytes], None],
        left: Callable[[], None],
    ) -> None:
        self._clients = clients
        self._connected = connected
        self._received = received
        self._left = left

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected()
        self._transport = cast("asyncio.Transport", transport)
        self._clients.add(self._transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.discard(self._transport)
        self._left()


class _Refused(asyncio.Protocol):
    """A connection during the pause after the last one, closed at once."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
