"""The meter's side of an HDLC connection (IEC 62056-46, normal response mode)."""

from dataclasses import replace

from . import hdlc
from .hdlc import Frame
from .meter import DlmsMeter
from .services import DATA_NOTIFICATION, HangUpError
from .session import Session
from .settings import Parameters

_DEFAULT_INFORMATION = 128
#: Kinds of meters that refuse SNRM frames without, or with, parameters.
_PARTICULAR = (Parameters.REQUIRED, Parameters.REFUSED)
_MAX_TX, _MAX_RX, _WINDOW_TX, _WINDOW_RX = 5, 6, 7, 8
#: A notification without time and values.
NOTIFICATION = bytes([DATA_NOTIFICATION]) + bytes.fromhex("4000000100") + b"\x00"


class Station:
    """Answers frames with frames."""

    def __init__(self, meter: DlmsMeter) -> None:
        """Start disconnected."""
        self.meter = meter
        #: Whether the last frame has ended a connection.
        self.ended = False
        self._client: bytes | None = None
        self._own = b""
        self._session = Session(meter, 0)
        self._max_send = self._max_receive = _DEFAULT_INFORMATION
        self._window = 1
        self._awaited = 0
        self._received = b""
        #: Frames that are not acknowledged, and the number of the first of them.
        self._segments: list[Frame] = []
        self._first = 0
        self._sent = 0

    @property
    def connected(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    def disconnect(self) -> None:
        """Disconnect the client."""
        self._client = None
        self._segments = []

    def hear(self, frame: Frame) -> list[Frame]:
        """Return the frames that answer a frame."""
        meter = self.meter
        self.ended = False
        control = frame.control & ~hdlc.POLL
        answers: list[Frame] = []
        if frame.destination not in meter.addresses:
            meter.note("other address", frame.destination.hex())
            if meter.refuses_other_addresses:
                answers = [_reply(frame, hdlc.DM)]
        elif meter.faults.happens("silences"):
            meter.note("silence")
        elif control == hdlc.SNRM:
            answers = self._connect(frame)
        elif control == hdlc.DISC:
            meter.note("disconnect")
            answers = [_reply(frame, hdlc.UA if self.connected else hdlc.DM)]
            self.disconnect()
            self.ended = True
        elif control != hdlc.UI:
            answers = self._answer(frame)
        return answers

    def _answer(self, frame: Frame) -> list[Frame]:
        """Answer a frame within a connection."""
        if frame.source != self._client:
            return [_reply(frame, hdlc.DM)]
        if (broken := self._disconnect_midway(frame)) is not None:
            return broken
        if not frame.control & 1:
            return self._information(frame)
        if frame.control & 0x0F in (hdlc.RR, hdlc.RNR, hdlc.REJ):
            self.meter.note("supervisory frame")
            self._acknowledge(frame.control >> 5)
            wait = frame.control & 0x0F == hdlc.RNR
            return (not wait and self._transmit()) or [self._supervisory(hdlc.RR)]
        return [self._rejection(frame, 0x01)]

    def _connect(self, frame: Frame) -> list[Frame]:
        meter = self.meter
        meter.note("connect", frame.information.hex())
        if meter.faults.happens("refuse_connection"):
            return [_reply(frame, hdlc.DM)]
        try:
            wanted = hdlc.parse_parameters(frame.information)
        except ValueError, IndexError:
            return [_reply(frame, hdlc.FRMR)]
        kind = meter.parameters
        if kind is Parameters.IGNORED and wanted:
            return []
        if kind in _PARTICULAR and bool(wanted) is (kind is Parameters.REFUSED):
            return [_reply(frame, hdlc.DM)]
        self._max_send = min(meter.max_information, wanted.get(_MAX_RX, _DEFAULT_INFORMATION))
        self._max_receive = min(meter.max_information, wanted.get(_MAX_TX, _DEFAULT_INFORMATION))
        self._window = meter.frames_in_a_row or min(meter.window, wanted.get(_WINDOW_RX, 1))
        window_receive = min(meter.window, wanted.get(_WINDOW_TX, 1))
        self._client, self._own = frame.source, frame.destination
        self._session = Session(meter, frame.source[0] >> 1)
        self._awaited = self._first = self._sent = 0
        self._received = b""
        self._segments = []
        parameters = b""
        if meter.sends_parameters:
            parameters = hdlc.encode_parameters(
                {
                    _MAX_TX: self._max_send,
                    _MAX_RX: self._max_receive,
                    _WINDOW_TX: min(meter.window, wanted.get(_WINDOW_RX, 1)),
                    _WINDOW_RX: window_receive,
                }
            )
        return [replace(_reply(frame, hdlc.UA), information=parameters)]

    def _disconnect_midway(self, frame: Frame) -> list[Frame] | None:
        """Disconnect in the middle of a long answer if this fault is due."""
        faults = self.meter.faults
        if not (self._session.midway or len(self._segments) > self._sent):
            return None
        if faults.happens("disconnect_midway"):
            self.disconnect()
            return [_reply(frame, hdlc.DM)]
        if faults.happens("disc_midway"):
            self.disconnect()
            return [_reply(frame, hdlc.DISC)]
        return None

    def _information(self, frame: Frame) -> list[Frame]:
        meter = self.meter
        self._acknowledge(frame.control >> 5)
        polled = bool(frame.control & hdlc.POLL)
        if frame.control >> 1 & 7 != self._awaited:
            # It was received before: our answer was lost.
            meter.note("repetition")
            return (self._transmit() or [self._supervisory(hdlc.RR)]) if polled else []
        if len(frame.information) > self._max_receive:
            return [self._rejection(frame, 0x04)]
        self._awaited = (self._awaited + 1) % 8
        self._received += frame.information
        if not frame.segmented:
            message, self._received = self._received, b""
            return self._message(message)
        meter.note("segment")
        return [self._supervisory(hdlc.RR)] if polled else []

    def _message(self, message: bytes) -> list[Frame]:
        """Answer a complete message."""
        meter = self.meter
        if not message.startswith(hdlc.LLC_COMMAND):
            meter.note("no LLC", message[:3].hex())
            return [self._supervisory(hdlc.RR)]
        try:
            answer = self._session.respond(message[len(hdlc.LLC_COMMAND) :])
        except HangUpError:
            meter.note("hung up")
            self.disconnect()
            return []
        if answer is None:
            # Without an answer there is no frame at all; the client waits.
            return []
        self._cut(hdlc.LLC_RESPONSE + answer)
        if meter.faults.happens("busy"):
            return [self._supervisory(hdlc.RNR)]
        frames = self._transmit()
        if meter.faults.happens("notifications"):
            information = hdlc.LLC_RESPONSE + NOTIFICATION
            notification = Frame(self._client or b"", self._own, hdlc.UI, information)
            frames.insert(0, notification)
        return frames

    def _rejection(self, frame: Frame, why: int) -> Frame:
        """Return an FRMR frame; ``why`` is 1 for an unknown control field, 4 for too much data."""
        self.meter.note("frame rejected", f"{frame.control:02x} {why}")
        numbers = self._awaited << 5 | self._first << 1
        information = bytes([frame.control, numbers, why])
        return replace(_reply(frame, hdlc.FRMR), information=information)

    def _cut(self, message: bytes) -> None:
        """Split an answer into frames."""
        assert self._client is not None  # noqa: S101  it has sent the request
        size = self._max_send
        pieces = [message[at : at + size] for at in range(0, len(message), size)]
        self._segments = [
            Frame(self._client, self._own, 0, piece, segmented=number < len(pieces))
            for number, piece in enumerate(pieces, 1)
        ]
        self._sent = 0

    def _acknowledge(self, awaited: int) -> None:
        """Remove the frames that the client has acknowledged."""
        count = (awaited - self._first) % 8
        if count <= self._sent:
            del self._segments[:count]
            self._sent -= count
            self._first = awaited

    def _transmit(self) -> list[Frame]:
        """Return the frames to be sent now, including those without acknowledgement."""
        batch = self._segments[: self._window]
        self._sent = len(batch)
        frames = []
        for place, frame in enumerate(batch):
            control = self._number() << 5 | (self._first + place) % 8 << 1
            if place == len(batch) - 1:
                control |= hdlc.POLL
            frames.append(replace(frame, control=control))
        return frames

    def _supervisory(self, kind: int) -> Frame:
        assert self._client is not None  # noqa: S101  its callers answer a client
        control = self._number() << 5 | hdlc.POLL | kind
        return Frame(self._client, self._own, control)

    def _number(self) -> int:
        return 0 if self.meter.faults.happens("zero_numbers") else self._awaited


def _reply(frame: Frame, control: int) -> Frame:
    return Frame(frame.source, frame.destination, control | hdlc.POLL)
