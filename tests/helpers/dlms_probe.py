"""A small DLMS client over the wrapper or HDLC that can also break the rules."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from serialx import open_serial_connection

from simulator.dlms import DlmsMeter, Transport, axdr, hdlc, serve
from simulator.dlms.axdr import Data
from simulator.dlms.ciphering import Keys, protect, unprotect
from simulator.dlms.hdlc import Deframer, Frame
from simulator.dlms.obis import logical_name
from simulator.dlms.wrapper import Message, Unwrapper
from simulator.memory import MemoryBridge

from .waiting import running

TITLE = b"PRB\x00\x00\x00\x00\x01"
#: General protection, block transfer, lists, GET, selective access, ACTION.
CONFORMANCE = bytes.fromhex("401215")

REGISTER = 3


def aarq(
    context: int = 1,
    mechanism: int = 0,
    secret: bytes = b"",
    *,
    title: bytes = b"",
    initiate: bytes | None = None,
) -> bytes:
    """Encode an association request."""
    body = b"\xa1\x09\x06\x07\x60\x85\x74\x05\x08\x01" + bytes([context])
    if title:
        body += b"\xa6\x0a\x04\x08" + title
    if mechanism:
        body += b"\x8a\x02\x07\x80\x8b\x07\x60\x85\x74\x05\x08\x02" + bytes([mechanism])
        body += b"\xac" + axdr.sized(b"\x80" + axdr.sized(secret))
    information = initiate_request() if initiate is None else initiate
    body += b"\xbe" + axdr.sized(b"\x04" + axdr.sized(information))
    return b"\x60" + axdr.sized(body)


def initiate_request(
    conformance: bytes = CONFORMANCE,
    max_pdu: int = 0xFFFF,
    dedicated: bytes = b"",
    version: int = 6,
) -> bytes:
    """Encode an initiate request."""
    key = b"\x01" + axdr.sized(dedicated) if dedicated else b"\x00"
    head = b"\x01" + key + b"\x00\x00" + bytes([version])
    return head + b"\x5f\x1f\x04\x00" + conformance + max_pdu.to_bytes(2)


def descriptor(class_id: int, code: str, attribute: int, selection: bytes = b"") -> bytes:
    """Encode an attribute descriptor."""
    head = class_id.to_bytes(2) + logical_name(code) + bytes([attribute])
    return head + (b"\x01" + selection if selection else b"\x00")


def get(class_id: int, code: str, attribute: int, selection: bytes = b"") -> bytes:
    """Encode a request for one attribute."""
    return b"\xc0\x01\xc1" + descriptor(class_id, code, attribute, selection)


def get_next(number: int) -> bytes:
    """Encode a request for the next block."""
    return b"\xc0\x02\xc1" + number.to_bytes(4)


def get_list(*descriptors: bytes) -> bytes:
    """Encode a request for several attributes."""
    return b"\xc0\x03\xc1" + axdr.length(len(descriptors)) + b"".join(descriptors)


def answer_challenge(proof: bytes) -> bytes:
    """Encode the third pass of an authentication."""
    name = logical_name("0-0:40.0.0*255")
    return b"\xc3\x01\xc1\x00\x0f" + name + b"\x01\x01" + axdr.octets(proof)


def fields(apdu: bytes) -> dict[int, bytes]:
    """Parse the fields of an AARE or RLRE."""
    reader = axdr.Reader(apdu)
    reader.number()
    reader = axdr.Reader(reader.sized())
    found = {}
    while reader.rest:
        tag = reader.number()
        found[tag] = reader.sized()
    return found


@dataclass
class Probe:
    """A connection to a meter, with or without ciphering."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client: int = 1
    server: int = 1
    hdlc: bool = False
    address: bytes = b"\x03"
    sent: int = 0
    awaited: int = 0
    max_send: int = 128
    unwrapper: Unwrapper = field(default_factory=Unwrapper)
    deframer: Deframer = field(default_factory=Deframer)
    frames: list[Frame] = field(default_factory=list)
    counter: int = 1

    async def received(self) -> bytes:
        """Return received bytes; EOFError if the meter has closed the connection."""
        if not (data := await self.reader.read(4096)):
            raise EOFError
        return data

    # --- frames

    async def frame(
        self, control: int, information: bytes = b"", *, segmented: bool = False
    ) -> None:
        """Send a frame."""
        frame = Frame(
            self.address, hdlc.client_address(self.client), control, information, segmented
        )
        self.writer.write(frame.to_bytes())

    async def hear(self, within: float = 1) -> Frame | None:
        """Return the next frame; None if there is none in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.frames:
                    self.frames += self.deframer.feed(await self.received())
        return self.frames.pop(0) if self.frames else None

    async def frame_and_hear(self, control: int, information: bytes = b"") -> Frame | None:
        """Send a frame and return the one that answers it."""
        await self.frame(control, information)
        return await self.hear()

    async def connect(self, parameters: bytes = b"") -> Frame:
        """Connect."""
        answer = await self.frame_and_hear(hdlc.SNRM | hdlc.POLL, parameters)
        assert answer is not None
        assert answer.control == hdlc.UA | hdlc.POLL
        self.sent = self.awaited = 0
        return answer

    def numbers(self) -> int:
        """Return a control field with the numbers of the next frame."""
        return self.awaited << 5 | hdlc.POLL | self.sent << 1

    # --- messages

    async def ask(self, apdu: bytes, within: float = 2) -> bytes:
        """Send a message and return the answer; empty if there is none in time."""
        if self.hdlc:
            return await self._ask_by_hdlc(hdlc.LLC_COMMAND + apdu)
        self.writer.write(Message(self.client, self.server, apdu).to_bytes())
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (messages := self.unwrapper.feed(await self.received())):
                    pass
                (message,) = messages
                assert (message.source, message.destination) == (self.server, self.client)
                return message.apdu
        return b""

    async def _ask_by_hdlc(self, message: bytes) -> bytes:
        pieces = [message[at : at + self.max_send] for at in range(0, len(message), self.max_send)]
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await self.frame(self.numbers(), piece, segmented=more)
            self.sent = (self.sent + 1) % 8
            if more:
                ready = await self.hear()
                assert ready is not None
                assert ready.control == self.sent << 5 | hdlc.POLL | hdlc.RR
        answer = b""
        while True:
            frame = await self.hear()
            assert frame is not None
            assert not frame.control & 1, frame
            assert frame.control >> 5 == self.sent
            assert frame.control >> 1 & 7 == self.awaited
            self.awaited = (self.awaited + 1) % 8
            answer += frame.information
            if not frame.segmented:
                return answer.removeprefix(hdlc.LLC_RESPONSE)
            if frame.control & hdlc.POLL:
                await self.frame(self.awaited << 5 | hdlc.POLL | hdlc.RR)

    async def read(self, request: bytes) -> bytes:
        """Send a request and return the data of all blocks of the answer."""
        answer = await self.ask(request)
        if answer[:2] == b"\xc4\x01":
            assert answer[3] == 0, answer.hex()
            return answer[4:]
        if answer[:2] == b"\xc4\x03":
            return answer[3:]
        data = b""
        number = 1
        while True:
            assert answer[:2] == b"\xc4\x02", answer.hex()
            assert answer[4:9] == number.to_bytes(4) + b"\x00"
            data += axdr.Reader(answer[9:]).sized()
            if answer[3]:
                return data
            answer = await self.ask(get_next(number))
            number += 1

    async def value(
        self, class_id: int, code: str, attribute: int = 2, selection: bytes = b""
    ) -> Data:
        """Return the value of an attribute."""
        reader = axdr.Reader(await self.read(get(class_id, code, attribute, selection)))
        value = reader.value()
        assert not reader.rest
        return value

    async def ask_enciphered(
        self, tag: int, apdu: bytes, keys: Keys, control: int, server_title: bytes
    ) -> bytes:
        """Send an encrypted message; return the decrypted answer, or an exception."""
        sealed = axdr.sized(protect(apdu, keys, TITLE, self.counter, control))
        self.counter += 1
        general = tag in (0xDB, 0xDC)
        head = bytes([tag]) + (axdr.sized(TITLE) if general else b"")
        answer = await self.ask(head + sealed)
        if answer[:1] == b"\xd8":
            return answer
        reader = axdr.Reader(answer)
        assert reader.number() == (tag if general else tag + 4)
        if general:
            assert reader.sized() == server_title
        return unprotect(reader.sized(), keys, server_title, control & 0x0F).plaintext


@asynccontextmanager
async def at_a_bridge(meter: DlmsMeter) -> AsyncGenerator[MemoryBridge]:
    """Serve a meter at a bridge."""
    async with MemoryBridge() as line, running(serve(line, meter)) as serving:
        yield line
        assert not serving.done(), serving.result()


@asynccontextmanager
async def probed(meter: DlmsMeter, client: int = 1) -> AsyncGenerator[Probe]:
    """Serve a meter at a bridge, and connect a probe."""
    async with at_a_bridge(meter) as line:
        reader, writer = await open_serial_connection(line.url, baudrate=9600)
        yield Probe(reader, writer, client, hdlc=meter.transport is Transport.HDLC)
        writer.close()
