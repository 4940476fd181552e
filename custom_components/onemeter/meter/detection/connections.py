"""Asking a meter by DLMS: whether it takes a connection, which is ended at once.

No password is given, and nothing is asked of the meter's objects.
"""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

import asyncio
from typing import TYPE_CHECKING, Final

from ..client import Counters
from ..errors import MeterConnectionError, MeterError, MeterSilentError, UnknownDataError
from ..line import LineSettings
from ..port import Port
from ..protocols import POLLED_LINE, Protocol
from .answer import Answer
from .result import Candidate, Checksum, Evidence, EvidenceKind, Frames, Refusal

if TYPE_CHECKING:
    from ..dlms.link.hdlc import Frame

#: The clients that any meter lets in, and the addresses that are usual: logical device, physical
#: device, and bytes (IEC 62056-5-3, 4.2.2).
_PUBLIC: Final = 16
_ADDRESSES: Final = ((1, None, 1), (1, 16, 2), (1, 17, 2), (16, 1, 2), (1, 1, 2))
#: Seconds in which a meter answers a frame, also with a network between.
_FRAME_SECONDS: Final = 0.35
_FRAME_SECONDS_REMOTE: Final = 0.8
#: Longer, where an answer has begun.
_BEGUN_SECONDS: Final = 0.3
#: Seconds in which the wrapper answers.
_WRAPPER_SECONDS: Final = 2.0
#: What answers an association request: the meter's consent or refusal, an error, an exception; and
#: what may come before.
_DLMS: Final = frozenset(bytes([tag]) for tag in (0x61, 0x0E, 0xD8, 0x0F, 0xDB))
_ASIDES_MAX: Final = 8
#: Parameters of a connection request: what a receiver must be able to do anyway.
_PARAMETERS: Final = bytes.fromhex("8180 12 050180 060180 070400000001 080400000001")


async def ask_hdlc(port: Port, line: LineSettings) -> Answer:
    """Ask for a connection at the usual addresses, and end it at once.

    Raises PortLostError, PortBusyError.
    """
    from ..dlms.link.hdlc import server_address
    from ..dlms.settings import DlmsSettings, Transport

    heard = bytearray()
    inquiry = _Connection(port, heard)
    was_refused = False
    for logical, physical, length in _ADDRESSES:
        outcome = await inquiry.connect(server_address(logical, physical, length))
        was_refused = was_refused or outcome is False
        if not outcome:
            continue
        evidence = Evidence(EvidenceKind.CONNECTION, 1, line if port.has_speed else None)
        settings = DlmsSettings(
            transport=Transport.HDLC,
            logical_device=logical,
            physical_device=physical,
            address_length=length,
        )
        candidate = Candidate(
            protocol=Protocol.DLMS,
            is_polled=True,
            line=line,
            settings=settings,
            evidence=(evidence,),
            checksum=Checksum.FCS,
            frames=Frames.HDLC,
            has_echo=inquiry.has_echo,
        )
        return Answer((candidate,))
    if was_refused:
        refused = Candidate(
            protocol=Protocol.DLMS,
            is_polled=True,
            line=line,
            settings=DlmsSettings(transport=Transport.HDLC),
            evidence=(Evidence(EvidenceKind.CONNECTION, 1, line if port.has_speed else None),),
            checksum=Checksum.FCS,
            frames=Frames.HDLC,
            has_echo=inquiry.has_echo,
            refusal=Refusal.NEEDS_ADDRESS,
        )
        return Answer((refused,))
    return Answer(heard=bytes(heard))


class _Connection:
    """Connection requests, one after the other."""

    def __init__(self, port: Port, heard: bytearray) -> None:
        self._port = port
        self._heard = heard
        self.has_echo = False

    async def connect(self, address: bytes) -> bool | None:
        """Connect and disconnect; return whether the meter lets us, None without an answer."""
        from ..dlms.link.hdlc import DISC, UA

        # Those that refuse a request without parameters may want some.
        answer = await self._request(address)
        if answer is not None and answer.control | 0x10 != UA:
            answer = await self._request(address, _PARAMETERS) or answer
        if answer is None:
            return None
        if answer.control | 0x10 != UA:
            return False
        # Also while being cancelled: an open connection would keep others out.
        await asyncio.shield(self._exchange(address, DISC))
        return True

    async def _request(self, address: bytes, information: bytes = b"") -> Frame | None:
        from ..dlms.link.hdlc import SNRM

        return await self._exchange(address, SNRM, information)

    async def _exchange(
        self, address: bytes, control: int, information: bytes = b""
    ) -> Frame | None:
        """Send a frame and return the meter's answer."""
        from ..dlms.link.hdlc import DM, FRMR, UA, Frame, FrameReader, client_address

        loop = asyncio.get_running_loop()
        reader = FrameReader()
        await self._port.write(
            Frame(address, client_address(_PUBLIC), control, information).to_bytes()
        )
        end = loop.time() + (_FRAME_SECONDS if self._port.is_local else _FRAME_SECONDS_REMOTE)
        received = bytearray()
        while True:
            try:
                async with asyncio.timeout_at(end):
                    data = await self._port.read()
            except TimeoutError:
                if not self.has_echo:
                    self._heard += received
                return None
            received += data
            for frame in reader.feed(data):
                if frame.control | 0x10 in {UA, DM, FRMR}:
                    return frame
                self.has_echo = self.has_echo or frame.control == control
            if received:
                end = max(end, loop.time() + _BEGUN_SECONDS)


async def ask_wrapper(port: Port) -> Answer:
    """Ask for an association of the public client, which gives no password.

    Raises PortLostError, PortBusyError.
    """
    from ..dlms.apdu.results import ContextError
    from ..dlms.association import Association
    from ..dlms.link.message_channel import MessageChannel
    from ..dlms.link.wrapper_link import WrapperLink
    from ..dlms.settings import DlmsSettings, Transport

    channel = MessageChannel(port, Counters())
    link = WrapperLink(channel, _PUBLIC, 1)
    link.seconds = _WRAPPER_SECONDS
    association = Association(DlmsSettings()).associate()
    message = next(association)
    refusal = None
    try:
        for _ in range(_ASIDES_MAX):
            answer = await link.request(message)
            if answer[:1] not in _DLMS:
                return Answer(heard=channel.recent)
            message = association.send(answer)
    except StopIteration:
        # The association is there.
        pass
    except UnknownDataError, MeterSilentError:
        return Answer(heard=channel.recent)
    except MeterConnectionError:
        raise
    except ContextError:
        # It knows its objects by short names.
        pass
    except MeterError:
        refusal = Refusal.NEEDS_KEYS
    candidate = Candidate(
        protocol=Protocol.DLMS,
        is_polled=True,
        line=POLLED_LINE[Protocol.DLMS],
        settings=DlmsSettings(transport=Transport.WRAPPER, logical_device=1),
        evidence=(Evidence(EvidenceKind.ASSOCIATION),),
        frames=Frames.WRAPPER,
        refusal=refusal,
    )
    return Answer((candidate,))
