"""A polled meter on a line: connections, and the answers to requests."""

import asyncio
from typing import Final

from simulator.iec62056 import Iec62056Meter, Mode, Registers as ReadoutRegisters, encoder
from simulator.iec62056.conversation import serve as wait_for_sign_on
from simulator.iec62056.link import Link
from simulator.line import Line

from .hdlc import FLAG, LLC_RESPONSE, Deframer, Frame
from .meter import DlmsMeter
from .services import HangUpError
from .session import Session
from .settings import Confirmation, Transport
from .station import NOTIFICATION, Station
from .wrapper import Message, Unwrapper

#: Seconds without a character after which an incomplete message is discarded.
_GAP: Final = 1.0
#: Seconds that a slow answer takes.
_SLOW: Final = 9.0


async def serve(line: Line, meter: DlmsMeter) -> None:
    """Serve a meter on a line, for ever."""
    # The first values take long to compute, the next ones do not.
    meter.registers.numbers(int(meter.clock()))
    match meter.transport:
        case Transport.HDLC:
            while True:
                await _Connection(line, meter).run()
        case Transport.MODE_E:
            await _sign_on(line, meter)
        case Transport.WRAPPER:
            await _Wrapped(line, meter).run()


async def _sign_on(line: Line, meter: DlmsMeter) -> None:
    """Wait for sign-ons (mode E) and switch to HDLC; a readout may be selected, too."""

    async def switch_to_hdlc(link: Link, speed: int) -> None:
        digit = encoder.SPEED_DIGITS[speed]
        confirmation = encoder.ACK + f"2{digit}2\r\n".encode()
        if meter.confirmation is Confirmation.BEFORE:
            await link.send(confirmation)
        line.baudrate = speed
        if meter.confirmation is Confirmation.AFTER:
            await asyncio.sleep(sign_on.tr)
            await link.send(confirmation)
        await _Connection(line, meter).run()

    sign_on = Iec62056Meter(
        registers=ReadoutRegisters(household=meter.registers.household),
        clock=meter.clock,
        mode=Mode.E,
        serial=meter.serial,
        baudrate=meter.baudrate,
        start_baudrate=meter.start_baudrate,
        hdlc=switch_to_hdlc,
    )
    await wait_for_sign_on(line, sign_on)


class _Receiver:
    """Receives bytes of a line; an incomplete message is discarded after a gap."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._connections = line.connections
        self._heard_at = 0.0
        line.listen()

    async def read(self, parser: Deframer | Unwrapper, timeout: float | None) -> bytes | None:  # noqa: ASYNC109  its end is no error
        """Wait for bytes; None if there are none in time. After a gap, clear ``parser``."""
        try:
            async with asyncio.timeout(timeout):
                data = await self._line.read()
        except TimeoutError:
            return None
        now = asyncio.get_running_loop().time()
        if now - self._heard_at > _GAP:
            parser.forget()
        self._heard_at = now
        return data

    def is_new_connection(self) -> bool:
        """Whether there has been a new connection since the last call."""
        before, self._connections = self._connections, self._line.connections
        return before != self._connections


class _Connection:
    """An HDLC connection, from the first frame to its end."""

    def __init__(self, line: Line, meter: DlmsMeter) -> None:
        self.line = line
        self.meter = meter

    async def run(self) -> None:
        """Answer frames until the connection ends or is inactive."""
        meter = self.meter
        deframer, station, receiver = Deframer(), Station(meter), _Receiver(self.line)
        while not station.ended:
            data = await receiver.read(deframer, meter.inactivity_timeout)
            if data is None:
                if station.connected:
                    meter.note("inactivity")
                return
            if receiver.is_new_connection():
                deframer.forget()
            for frame in deframer.feed(data):
                answers = station.hear(frame)
                if answers:
                    await asyncio.sleep(meter.reaction_time)
                for answer in answers:
                    await self._send(answer)

    async def _send(self, frame: Frame) -> None:
        data = bytearray(frame.to_bytes())
        faults = self.meter.faults
        if frame.information.startswith(LLC_RESPONSE) and faults.happens("spared_answers"):
            pass
        elif not frame.control & 1:
            if frame.segmented and faults.happens("lose_segments"):
                self.meter.note("lost segment")
                return
            if faults.happens("lose_frames"):
                self.meter.note("lost frame")
                return
            if faults.happens("flip_bits"):
                data[len(data) // 2] ^= 1
        await self.line.write(bytes(data))


class _Wrapped:
    """Messages with the wrapper, of any number of clients."""

    def __init__(self, line: Line, meter: DlmsMeter) -> None:
        self.line = line
        self.meter = meter
        self.sessions: dict[int, Session] = {}

    async def run(self) -> None:
        """Answer messages, for ever."""
        unwrapper, receiver = Unwrapper(), _Receiver(self.line)
        is_broken = False
        while True:
            data = await receiver.read(unwrapper, self.meter.inactivity_timeout)
            if data is None:
                self.sessions.clear()
                continue
            if receiver.is_new_connection():
                self.meter.note("connect")
                unwrapper.forget()
                if not self.meter.keeps_associations:
                    self.sessions.clear()
            is_broken |= self.meter.breaks_on_hdlc and data[0] == FLAG
            for message in [] if is_broken else unwrapper.feed(data):
                if not self._is_ignored(message.source):
                    await self._answer(message)

    def _is_ignored(self, client: int) -> bool:
        """Return whether another client has an association that this meter keeps."""
        others = (session for source, session in self.sessions.items() if source != client)
        if not self.meter.keeps_associations or not any(each.associated for each in others):
            return False
        self.meter.note("other client", str(client))
        return True

    async def _answer(self, message: Message) -> None:
        meter, faults = self.meter, self.meter.faults
        if message.destination != meter.logical_device:
            meter.note("other address", str(message.destination))
            return
        if faults.happens("silences"):
            meter.note("silence")
            return
        session = self.sessions.setdefault(message.source, Session(meter, message.source))
        if session.midway and faults.happens("disconnect_midway"):
            self.line.close()
            await self.line.open()
            return
        try:
            answer = session.respond(message.apdu)
        except HangUpError:
            meter.note("hung up")
            self.line.close()
            await self.line.open()
            return
        if answer is None:
            return
        await asyncio.sleep(_SLOW if faults.happens("slow_answers") else meter.reaction_time)
        if faults.happens("notifications"):
            await self._send(message, NOTIFICATION)
        if faults.happens("spared_answers"):
            pass
        elif faults.happens("lose_frames"):
            meter.note("lost frame")
            return
        elif faults.happens("flip_bits"):
            middle = len(answer) // 2
            answer = answer[:middle] + bytes([answer[middle] ^ 1]) + answer[middle + 1 :]
        await self._send(message, answer)

    async def _send(self, message: Message, apdu: bytes) -> None:
        ports = (message.destination, message.source)
        if self.meter.mirrors_ports:
            ports = (message.source, message.destination)
        await self.line.write(Message(*ports, apdu).to_bytes())
