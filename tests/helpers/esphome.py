"""An ESPHome device with a serial proxy: the part of its native API that a port needs."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, override

from aioesphomeapi import api_pb2
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO

from simulator.memory import MemoryLine

from .rfc2217 import tcp_port

pb: Any = api_pb2
_NUMBERS = {kind: number for number, kind in MESSAGE_TYPE_TO_PROTO.items()}
#: The first version of the API that answers each request of a serial proxy.
_VERSION = (1, 15)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*encoded, number))


class EsphomeDevice(asyncio.Protocol):
    """One connection to a device whose serial proxy is connected to a meter's line."""

    def __init__(self, line: MemoryLine, port_name: str) -> None:
        self._line = line
        major, minor = _VERSION
        information = pb.DeviceInfoResponse(name="head", mac_address="02:00:00:00:00:01")
        information.serial_proxies.add(name=port_name)
        #: Constant answers by request.
        self._answers = {
            pb.HelloRequest: pb.HelloResponse(
                api_version_major=major, api_version_minor=minor, name="head"
            ),
            pb.AuthenticationRequest: pb.AuthenticationResponse(),
            pb.PingRequest: pb.PingResponse(),
            pb.DeviceInfoRequest: information,
        }
        self._received = b""
        self._is_attached = False
        # A line requires these of its reader.
        self.baudrate = 9600
        self.unread = 0

    def feed(self, data: bytes) -> None:
        self._send(pb.SerialProxyDataReceived(instance=0, data=data))

    def hang_up(self, _: OSError | None) -> None:
        """Do nothing: the device cannot notice that its cable to the meter is unplugged."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._detach()

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        for number, payload in self._messages():
            message: Any = MESSAGE_TYPE_TO_PROTO[number]()
            message.ParseFromString(payload)
            self._answer(message)

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        """Yield the numbers and contents of complete messages: 0, length, number, content."""
        while True:
            place = 1
            fields: list[int] = []
            while len(fields) < 2 and place < len(self._received):
                value = shift = 0
                while place < len(self._received):
                    byte = self._received[place]
                    place += 1
                    value |= (byte & 0x7F) << shift
                    shift += 7
                    if byte < 0x80:
                        fields.append(value)
                        break
                else:
                    break
            if len(fields) < 2 or len(self._received) < place + fields[0]:
                return
            end = place + fields[0]
            payload, self._received = self._received[place:end], self._received[end:]
            yield fields[1], payload

    def _send(self, message: Any) -> None:
        content = message.SerializeToString()
        header = b"\0" + _varint(len(content)) + _varint(_NUMBERS[type(message)])
        self._transport.write(header + content)

    def _answer(self, message: Any) -> None:
        match message:
            case pb.DisconnectRequest():
                self._send(pb.DisconnectResponse())
                self._transport.close()
            case pb.SerialProxyWriteRequest(data=data):
                self._line.sent_by_reader(data)
            case pb.SerialProxyConfigureRequest(baudrate=baudrate):
                self.baudrate = baudrate
                self._done(pb.SERIAL_PROXY_REQUEST_TYPE_CONFIGURE)
            case pb.SerialProxyRequest(type=kind):
                if kind == pb.SERIAL_PROXY_REQUEST_TYPE_SUBSCRIBE:
                    self._line.attach(self)
                    self._is_attached = True
                elif kind == pb.SERIAL_PROXY_REQUEST_TYPE_UNSUBSCRIBE:
                    self._detach()
                self._done(kind)
            case _ if (answer := self._answers.get(type(message))) is not None:
                self._send(answer)

    def _done(self, kind: int) -> None:
        self._send(pb.SerialProxyRequestResponse(instance=0, type=kind))

    def _detach(self) -> None:
        if self._is_attached:
            self._is_attached = False
            self._line.detach(self)


@asynccontextmanager
async def esphome_device(line: MemoryLine, port_name: str = "Meter") -> AsyncGenerator[str]:
    """Serve a device at a local TCP port; yield its address."""
    async with tcp_port(lambda: EsphomeDevice(line, port_name)) as address:
        yield address
