"""Asking a meter by IEC 62056-21: who it is, and for its readout.

No password is given, nothing is written, and what an identification announces follows at once.
"""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

import asyncio
from contextlib import suppress
from dataclasses import replace
import re
from typing import Final

from ..channel import Channel
from ..client import Counters
from ..errors import ChecksumError, NoReadoutError
from ..iec62056.conversation import Conversation
from ..iec62056.decoder import Iec62056Decoder
from ..iec62056.identification import Identification
from ..iec62056.memory import Memory
from ..iec62056.settings import SignOn
from ..iec62056.sign_on import (
    NoIdentification,
    Option,
    SignOnResponse,
    request_identification,
)
from ..iec62056.speed_detection import WrongSpeedError
from ..interleaving import find_in_turns
from ..line import Framing, LineSettings
from ..parity import has_parity_errors, without_parity
from ..port import Port
from ..protocols import POLLED_LINE, Protocol
from ..reading import Reading
from .answer import Answer
from .connections import ask_hdlc
from .result import Candidate, Checksum, Evidence, EvidenceKind, Frames, Refusal
from .telegrams import readout_checksum

#: Seconds between two sign-ons at the least (tt, IEC 62056-21:2002, 6.3.14 item 12).
SIGN_ON_PAUSE: Final = 2.0
#: Seconds in which a meter begins to answer (tr, likewise).
_ANSWER_SECONDS: Final = 1.5
#: Sign-ons of one question, where answers come damaged or at another speed than announced.
_SIGN_ONS: Final = 3
#: Seconds of a long readout that are enough, and data sets in them.
_ENOUGH_SECONDS: Final = 1.5
_DATA_SETS_LEAST: Final = 3
_DATA_SET: Final = re.compile(rb"\([^()\r\n]*+\)")
#: Seconds without a character after which a readout has ended.
_SILENCE: Final = 2.5
#: Seconds between the sign-on and the first frame, in which meters change their speed.
_SETTLE: Final = 0.3
#: What is found out about a meter, but changes.
_PASSING: Final = "readout_size"


class SignOns:
    """Signs on to meters at an open port, never twice within two seconds."""

    def __init__(self) -> None:
        """Begin without a sign-on."""
        self._next_at = 0.0

    async def ask(self, port: Port, settings: SignOn, baudrate: int) -> Answer:
        """Ask a meter who it is, and for its readout, in modes A, B, C and E.

        Raises PortLostError, PortBusyError.
        """
        inquiry = _Inquiry(port, settings, baudrate)
        for number in range(_SIGN_ONS):
            answer = await self._sign_on(inquiry, is_silent=number == 0)
            if not isinstance(answer, SignOnResponse):
                if not inquiry.was_answered and not _is_damaged(answer.raw):
                    return Answer(heard=answer.raw)
                continue
            candidate = await inquiry.receive(answer)
            self.note(inquiry.channel)
            if candidate is not None and candidate.refusal is None:
                is_doubtful = answer.has_more and _waits(answer.identification, port, baudrate)
                found = (candidate, *inquiry.announced())
                return Answer(found, inquiry.channel.recent, is_doubtful)
            if candidate is not None and _offers_hdlc(answer.identification):
                mode_e = await self._ask_mode_e(inquiry)
                return Answer((mode_e or replace(candidate, refusal=Refusal.NEEDS_DLMS),))
            if candidate is not None:
                return Answer((candidate,))
        return Answer(heard=inquiry.channel.recent)

    async def _sign_on(
        self, inquiry: _Inquiry, *, is_silent: bool = False
    ) -> SignOnResponse | NoIdentification:
        if not inquiry.settings.wake_up:
            # Waking takes longer than that.
            await asyncio.sleep(self._next_at - asyncio.get_running_loop().time())
        try:
            return await request_identification(
                inquiry.channel,
                inquiry.settings,
                inquiry.baudrate,
                is_silent=is_silent,
                answer_seconds=_ANSWER_SECONDS + inquiry.channel.wire_time(1),
            )
        finally:
            self.note(inquiry.channel)

    def note(self, channel: Channel) -> None:
        """Note that something has just been sent or received."""
        self._next_at = max(channel.first_sent or 0.0, channel.last_received) + SIGN_ON_PAUSE

    async def _ask_mode_e(self, inquiry: _Inquiry) -> Candidate | None:
        """Ask again, for HDLC this time."""
        answer = await self._sign_on(inquiry)
        if not isinstance(answer, SignOnResponse):
            return None
        with suppress(NoReadoutError, WrongSpeedError):
            await inquiry.conversation.select(answer, Option.HDLC)
            await asyncio.sleep(_SETTLE)
            found = await ask_hdlc(
                inquiry.channel.port, LineSettings(inquiry.channel.port.baudrate)
            )
            for candidate in found.candidates:
                return inquiry.in_mode_e(candidate)
        return None


def _waits(found: Identification, port: Port, baudrate: int) -> bool:
    """Return whether a polled meter sends no readout yet, so that one that comes is pushed.

    In modes A and B it does, but hardly any meter has them at another speed than 300 baud.
    """
    is_slow = port.has_speed and baudrate == POLLED_LINE[Protocol.IEC62056].baudrate
    return found.is_negotiated or not is_slow


def _offers_hdlc(found: Identification) -> bool:
    """Return whether a meter can go on with HDLC (mode E, Annex E)."""
    return r"\2" in found.ident


def _is_damaged(raw: bytes) -> bool:
    """Return whether something is a damaged identification."""
    text = without_parity(raw)
    return b"/" in text and b"\n" in text


class _Inquiry:
    """One question, and what is found out by it."""

    def __init__(self, port: Port, settings: SignOn, baudrate: int) -> None:
        self.settings = settings
        self.baudrate = baudrate
        self.channel = Channel(port, Counters(), is_text=True)
        self.was_answered = False
        self._memory = Memory(baudrate)
        self.conversation = Conversation(self.channel, settings, self._memory)
        self._line = LineSettings(baudrate, Framing.SEVEN_EVEN, port.line.dtr, port.line.rts)

    async def receive(self, answer: SignOnResponse) -> Candidate | None:
        """Let the meter send its readout; None where that comes damaged."""
        self.was_answered = True
        self._memory.identification = answer.identification
        self._memory.sign_on_speed = self.baudrate
        try:
            begin = await self.conversation.select(answer, Option.READOUT)
            return await self._receive_readout(answer.raw, begin)
        except NoReadoutError:
            return self._candidate(refusal=Refusal.NO_READOUT)
        except WrongSpeedError as err:
            await self.conversation.adapt_speed(err)
            return None

    async def _receive_readout(self, identification: bytes, data: bytes) -> Candidate | None:
        loop = asyncio.get_running_loop()
        decoder = Iec62056Decoder(self._memory.check)
        readings = await find_in_turns(decoder.feed_in_slices(identification))
        received = bytearray()
        enough = loop.time() + _ENOUGH_SECONDS
        while data or not received:
            received += data
            readings += await find_in_turns(decoder.feed_in_slices(data))
            if readings or decoder.damaged:
                break
            if loop.time() >= enough and self._data_sets(received):
                return self._candidate(sets=self._data_sets(received))
            data = await self.channel.receive(_SILENCE)
            if not data:
                break
        readings += await find_in_turns(decoder.finish_in_slices())
        sets = self._data_sets(received)
        if readings or (sets and not isinstance(decoder.error, ChecksumError)):
            return self._candidate(readings[0] if readings else None, sets=sets)
        return self._refused(received) if received and not sets else None

    def _refused(self, received: bytes | bytearray) -> Candidate | None:
        """Return the candidate of a meter whose readout has nothing in it."""
        is_right = not has_parity_errors(received) and b"!" in without_parity(received)
        return self._candidate(refusal=Refusal.NO_READOUT) if is_right else None

    @staticmethod
    def _data_sets(received: bytes | bytearray) -> int:
        """Count the data sets of a readout with right parity; 0 for too few."""
        if has_parity_errors(received):
            return 0
        count = len(_DATA_SET.findall(without_parity(received)))
        return count if count >= _DATA_SETS_LEAST else 0

    def _candidate(
        self, reading: Reading | None = None, *, sets: int = 0, refusal: Refusal | None = None
    ) -> Candidate:
        line = self._line if self.channel.port.has_speed else None
        evidence = Evidence(EvidenceKind.READOUT, sets, line)
        checksum: Checksum | None = None
        if reading is not None and reading.checked:
            evidence = Evidence(EvidenceKind.TELEGRAMS, 1, line)
            checksum = readout_checksum(reading.raw)
        findings = {k: v for k, v in self._memory.findings().items() if k != _PASSING}
        return Candidate(
            protocol=Protocol.IEC62056,
            is_polled=True,
            line=self._line,
            settings=self.settings,
            findings=findings,
            evidence=(evidence,),
            checksum=checksum,
            identity=self._memory.identity() if reading is None else reading.meter,
            has_echo=self.channel.has_echo,
            refusal=refusal,
        )

    def announced(self) -> tuple[Candidate, ...]:
        """Return DLMS where the identification offers it besides the readout."""
        from ..dlms.settings import DlmsSettings, Transport

        found = self._memory.identification
        if found is None or not _offers_hdlc(found):
            return ()
        return (
            Candidate(
                protocol=Protocol.DLMS,
                is_polled=True,
                line=POLLED_LINE[Protocol.DLMS],
                settings=DlmsSettings(transport=Transport.MODE_E),
                evidence=(Evidence(EvidenceKind.ANNOUNCED),),
                frames=Frames.HDLC,
                identity=self._memory.identity(),
            ),
        )

    def in_mode_e(self, candidate: Candidate) -> Candidate:
        """Return a candidate of HDLC as one behind a sign-on."""
        from ..dlms.settings import DlmsSettings, Transport

        settings = candidate.settings
        assert isinstance(settings, DlmsSettings)  # noqa: S101  it is one of HDLC
        return replace(
            candidate,
            line=POLLED_LINE[Protocol.DLMS],
            settings=replace(settings, transport=Transport.MODE_E),
            identity=self._memory.identity(),
            has_echo=self.channel.has_echo,
        )
