"""The peers gurux-dlms and dlms-cosem: reading a meter, and decoding pushed telegrams."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
import logging
import socket
from typing import Any, Final

from dlms_cosem.client import DlmsClient
from dlms_cosem.connection import XDlmsApduFactory
from dlms_cosem.cosem import CosemAttribute, Obis
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.enumerations import CosemInterface
from dlms_cosem.hdlc.frames import UnnumberedInformationFrame
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.parsers import AssociationObjectListParser, ProfileGenericBufferParser
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)
from dlms_cosem.time import datetime_from_bytes
from dlms_cosem.utils import parse_as_dlms_data
from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, ObjectType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.objects.enums import SecuritySuite
from gurux_dlms.secure import GXDLMSSecureClient
import structlog

from simulator.dlms import DlmsMeter, Keys, Mechanism, Transport
from simulator.dlms.obis import logical_name, written

TITLE: Final = b"PEER\0\0\0\1"
#: Invocation counter of the client's first message, above the last one of the meter.
_FIRST_COUNTER: Final = 1
_TIMEOUT: Final = 5
_CHUNK: Final = 4096

LOAD_PROFILE: Final = "1-0:99.1.0*255"
CLOCK: Final = "0-0:1.0.0*255"
_ASSOCIATION: Final = "0-0:40.0.0*255"


def be_quiet() -> None:
    """Silence the peers: printing and logging would cost them time."""
    # It prints the protection of every frame.
    vars(import_module("gurux_dlms.GXDLMSChippering"))["print"] = _ignore
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _ignore(*_: object) -> None:
    pass


@dataclass(kw_only=True)
class Found:
    """What a peer has read from a meter."""

    registers: dict[str, float] = field(default_factory=dict)
    clock: datetime | None = None
    #: Class and code of each object.
    objects: list[tuple[int, str]] = field(default_factory=list)
    #: End of each row of the load profile, and its values.
    rows: list[tuple[datetime, list[int]]] = field(default_factory=list)
    #: The same, read by entry.
    entries: list[tuple[datetime, list[int]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a peer is to read."""

    host: str
    port: int
    registers: Sequence[str]
    start: datetime
    end: datetime


class GuruxError(Exception):
    """The meter answers with an error or not at all."""


class GuruxClient:
    """The transport for gurux-dlms' client, which is sans-IO."""

    def __init__(self, meter: DlmsMeter) -> None:
        """Create a client with the settings of a meter."""
        self.connection: socket.socket | None = None
        #: All sent (">") and received ("<") bytes.
        self.traffic: list[tuple[str, bytes]] = []
        is_wrapped = meter.transport is Transport.WRAPPER
        address = meter.logical_device
        if not is_wrapped:
            address = GXDLMSSecureClient.getServerAddress(address, meter.physical_device)
        self.client: Any = GXDLMSSecureClient(
            True,  # noqa: FBT003  logical names
            meter.client,
            address,
            Authentication(meter.mechanism),
            bytearray(meter.secret) or None,
            InterfaceType.WRAPPER if is_wrapped else InterfaceType.HDLC,
        )
        if meter.keys is not None:
            ciphering = self.client.ciphering
            ciphering.systemTitle = bytearray(TITLE)
            ciphering.blockCipherKey = bytearray(meter.keys.encryption)
            ciphering.authenticationKey = bytearray(meter.keys.authentication)
            ciphering.invocationCounter = _FIRST_COUNTER
            ciphering.securitySuite = SecuritySuite(meter.suite)
            ciphering.security = Security(meter.policy)
        elif meter.mechanism is Mechanism.SHA256:
            self.client.ciphering.systemTitle = bytearray(TITLE)

    def open(self, host: str, port: int) -> None:
        """Connect and associate; GuruxError if that fails."""
        self.connection = socket.create_connection((host, port), _TIMEOUT)
        # Each frame is sent on its own and its answer awaited.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self.client
        if (frame := client.snrmRequest()) is not None:
            client.parseUAResponse(self.request([frame]).data)
        client.parseAareResponse(self.request(client.aarqRequest()).data)
        if client.isAuthenticationRequired:
            reply = self.request(client.getApplicationAssociationRequest())
            client.parseApplicationAssociationResponse(reply.data)

    def close(self) -> None:
        """Release and disconnect."""
        if self.connection is None:
            return
        with self.connection:
            if (frames := self.client.releaseRequest()) is not None:
                self.request(frames)
            if (frame := self.client.disconnectRequest()) is not None:
                self.request([frame])

    def request(self, frames: Iterable[bytes]) -> Any:
        """Send the frames of a request; return the complete answer."""
        reply: Any = GXReplyData()
        for frame in frames:
            reply.clear()
            self._exchange(frame, reply)
        while reply.isMoreData():
            self._exchange(self.client.receiverReady(reply), reply)
        return reply

    def _exchange(self, frame: bytes, reply: Any) -> None:
        assert self.connection is not None  # noqa: S101  open() comes first
        self.traffic.append((">", bytes(frame)))
        self.connection.sendall(frame)
        received = GXByteBuffer()
        reply.error = 0
        while True:
            chunk = self.connection.recv(_CHUNK)
            if not chunk:
                raise GuruxError("the meter has closed the connection")
            received.set(chunk)
            if self.client.getData(received, reply):
                break
        self.traffic.append(("<", bytes(received.array())))
        if reply.error:
            raise GuruxError(f"the meter answers with error {reply.error}")

    def attribute(self, target: Any, attribute: int) -> Any:
        """Read an attribute into one of gurux' objects."""
        reply = self.request(self.client.read(target, attribute))
        return self.client.updateValue(target, attribute, reply.value)

    def attributes(self, targets: Sequence[tuple[Any, int]]) -> None:
        """Read attributes into gurux' objects, with as few requests as possible."""
        values = []
        for frames in self.client.readList(targets):
            values += self.request(frames).value
        self.client.updateValues(targets, values)

    def register(self, code: str) -> float:
        """Read a register with its scaler."""
        found = GXDLMSRegister(_dotted(code))
        self.attribute(found, 3)
        return float(self.attribute(found, 2))

    def read(self, task: Task) -> Found:
        """Read everything in the task, and the object list."""
        found = Found()
        client = self.client
        reply = self.request([client.getObjectsRequest()])
        objects = client.parseObjects(reply.data, False, False)  # noqa: FBT003  even unknown ones
        found.objects = [
            (int(entry.objectType), written(logical_name(entry.logicalName))) for entry in objects
        ]
        clock = GXDLMSClock(_dotted(CLOCK))
        self.attribute(clock, 2)
        found.clock = _as_utc(clock.time.value)
        for code in task.registers:
            found.registers[code] = self.register(code)
        profile = objects.findByLN(ObjectType.PROFILE_GENERIC, _dotted(LOAD_PROFILE))
        assert isinstance(profile, GXDLMSProfileGeneric)  # noqa: S101  for the type checker
        self.attribute(profile, 3)
        reply = self.request(client.readRowsByRange(profile, task.start, task.end))
        client.updateValue(profile, 2, reply.value)
        found.rows = _gurux_rows(profile.buffer)
        self.attribute(profile, 7)
        reply = self.request(client.readRowsByEntry(profile, 1, len(found.rows)))
        client.updateValue(profile, 2, reply.value)
        found.entries = _gurux_rows(profile.buffer)
        return found


def _gurux_rows(buffer: Iterable[Sequence[Any]]) -> list[tuple[datetime, list[int]]]:
    return [(_as_utc(row[0].value), [int(value) for value in row[1:]]) for row in buffer]


def _as_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _dotted(code: str) -> str:
    return ".".join(str(group) for group in logical_name(code))


def gurux_reads(meter: DlmsMeter, task: Task) -> tuple[Found, Sequence[tuple[str, bytes]]]:
    """Read a meter with gurux-dlms; return what it has read, and the traffic."""
    client = GuruxClient(meter)
    try:
        client.open(task.host, task.port)
        found = client.read(task)
        client.close()
    except Exception as error:
        error.add_note(_last(client.traffic))
        raise
    finally:
        if client.connection is not None:
            client.connection.close()
    return found, client.traffic


def _last(traffic: Sequence[tuple[str, bytes]]) -> str:
    return "\n".join(f"{way} {data.hex()}" for way, data in traffic[-4:])


class _RecordingIO(BlockingTcpIO):  # type: ignore[misc]
    """Records the traffic."""

    def connect(self) -> None:
        super().connect()
        self.traffic: list[tuple[str, bytes]] = []
        self.tcp_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self.traffic.append((">", bytes(data)))
        super().send(data)

    def recv(self, amount: int = 1) -> bytes:
        data: bytes = super().recv(amount)
        self.traffic.append(("<", bytes(data)))
        return data


def dlms_cosem_client(meter: DlmsMeter, host: str, port: int, *, recording: bool = False) -> Any:
    """Return dlms-cosem's client for a meter with the TCP wrapper."""
    match meter.mechanism:
        case Mechanism.NONE:
            authentication: Any = NoSecurityAuthentication()
        case Mechanism.LLS:
            authentication = LowLevelSecurityAuthentication(secret=meter.secret)
        case Mechanism.GMAC:
            authentication = HighLevelSecurityGmacAuthentication()
        case _:
            raise ValueError(f"dlms-cosem has no {meter.mechanism.name}")
    io = (_RecordingIO if recording else BlockingTcpIO)(host=host, port=port, timeout=_TIMEOUT)
    keys = meter.keys
    return DlmsClient(
        transport=TcpTransport(meter.client, meter.logical_device, io),
        authentication=authentication,
        encryption_key=keys.encryption if keys else None,
        authentication_key=keys.authentication if keys else None,
        client_system_title=TITLE,
        client_initial_invocation_counter=_FIRST_COUNTER,
    )


def dlms_cosem_reads(meter: DlmsMeter, task: Task) -> tuple[Found, Sequence[tuple[str, bytes]]]:
    """Read a meter with dlms-cosem; return what it has read, and the traffic."""
    client = dlms_cosem_client(meter, task.host, task.port, recording=True)
    try:
        client.connect()
        client.associate()
        found = _dlms_cosem_read(client, task)
        client.release_association()
        client.disconnect()
    except Exception as error:
        error.add_note(_last(client.transport.io.traffic))
        raise
    finally:
        if client.transport.io.tcp_socket is not None:
            client.transport.io.tcp_socket.close()
    return found, client.transport.io.traffic


def attribute(class_id: int, code: str, number: int) -> Any:
    """Return an attribute descriptor of dlms-cosem."""
    return CosemAttribute(CosemInterface(class_id), Obis(*logical_name(code)), number)


def _dlms_cosem_read(client: Any, task: Task) -> Found:
    def read(class_id: CosemInterface, code: str, number: int) -> Any:
        return parse_as_dlms_data(client.get(attribute(class_id, code, number)))

    found = Found()
    data = client.get(attribute(CosemInterface.ASSOCIATION_LN, _ASSOCIATION, 2))
    found.objects = [
        (int(entry.interface), written(entry.logical_name.to_bytes()))
        for entry in AssociationObjectListParser.parse_bytes(data)
    ]
    found.clock = _as_utc(datetime_from_bytes(read(CosemInterface.CLOCK, CLOCK, 2))[0])
    for code in task.registers:
        scaler, _unit = read(CosemInterface.REGISTER, code, 3)
        found.registers[code] = read(CosemInterface.REGISTER, code, 2) * 10.0**scaler
    columns = [
        attribute(class_id, written(bytes(name)), number)
        for class_id, name, number, _ in read(CosemInterface.PROFILE_GENERIC, LOAD_PROFILE, 3)
    ]
    selection = RangeDescriptor(
        CaptureObject(attribute(CosemInterface.CLOCK, CLOCK, 2)), task.start, task.end
    )
    data = client.get(attribute(CosemInterface.PROFILE_GENERIC, LOAD_PROFILE, 2), selection)
    period = timedelta(seconds=read(CosemInterface.PROFILE_GENERIC, LOAD_PROFILE, 4))
    parser = ProfileGenericBufferParser(columns, period // timedelta(minutes=1))
    for time, *values in parser.parse_bytes(data):
        found.rows.append((_as_utc(time.value), [value.value for value in values]))
    return found


type Tree = Sequence[Any] | None
#: Decodes a pushed telegram to a tree of values.
type Decode = Callable[[bytes], Tree]


def gurux_decoder(keys: Keys | None) -> Decode:
    """Return a decoder of pushed telegrams with gurux-dlms."""
    client: Any = GXDLMSSecureClient(
        True,  # noqa: FBT003  logical names
        1,
        1,
        Authentication.NONE,
        None,
        InterfaceType.HDLC,
    )
    if keys is not None:
        client.ciphering.blockCipherKey = bytearray(keys.encryption)
        client.ciphering.authenticationKey = bytearray(keys.authentication)

    def decode(data: bytes) -> Tree:
        received, reply, notification = GXByteBuffer(data), GXReplyData(), GXReplyData()
        before = -1
        while before < received.position < len(data):
            before = received.position
            client.getData(received, reply, notification)
        tree: Tree = notification.value
        return tree

    return decode


def dlms_cosem_decoder(keys: Keys | None) -> Decode:
    """Return a decoder of pushed telegrams with dlms-cosem, for telegrams of one frame."""

    def decode(data: bytes) -> Tree:
        frame = UnnumberedInformationFrame.from_bytes(data)
        apdu = XDlmsApduFactory.apdu_from_bytes(frame.payload[3:])
        if keys is not None:
            plain = apdu.to_plain_apdu(keys.encryption, keys.authentication)
            apdu = XDlmsApduFactory.apdu_from_bytes(plain)
        tree: Tree = parse_as_dlms_data(apdu.body)
        return tree

    return decode


DECODERS: Final[Mapping[str, Callable[[Keys | None], Decode]]] = {
    "gurux": gurux_decoder,
    "dlms-cosem": dlms_cosem_decoder,
}
