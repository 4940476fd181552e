"""Asking a meter by DLMS: whether it takes a connection, which is ended at once.

No password is sent, and no object of the meter is read.
"""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
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

    inquiry = _Connections(port)
    by_address = {server_address(*device): device for device in _ADDRESSES}
    settings, refusal = DlmsSettings(transport=Transport.HDLC), None
    if (connected := await inquiry.connect(list(by_address))) is not None:
        logical, physical, length = by_address[connected]
        settings = replace(
            settings, logical_device=logical, physical_device=physical, address_length=length
        )
    elif inquiry.was_refused:
        refusal = Refusal.NEEDS_ADDRESS
    else:
        return Answer(heard=b"" if inquiry.has_echo else bytes(inquiry.heard))
    candidate = Candidate(
        protocol=Protocol.DLMS,
        is_polled=True,
        line=line,
        settings=settings,
        evidence=(Evidence(EvidenceKind.CONNECTION, 1, line if port.has_speed else None),),
        checksum=Checksum.FCS,
        frames=Frames.HDLC,
        has_echo=inquiry.has_echo,
        refusal=refusal,
    )
    return Answer((candidate,))


class _Connections:
    """Connection requests to one address after the other."""

    def __init__(self, port: Port) -> None:
        from ..dlms.link.hdlc import FrameReader

        self._port = port
        self._reader = FrameReader()
        self.heard = bytearray()
        self.has_echo = False
        self.was_refused = False

    async def connect(self, addresses: Sequence[bytes]) -> bytes | None:
        """Connect at the first address that the meter takes, and disconnect; return the address.

        Through a network an answer may come when the next address has been asked already.
        """
        from ..dlms.link.hdlc import DISC, POLL, SNRM, UA

        for address in addresses:
            is_last = address == addresses[-1]
            answer = await self._exchange(address, SNRM, is_last=is_last)
            if answer is not None and answer.control | POLL != UA:
                # Those that refuse a request without parameters may want some.
                self.was_refused = True
                answer = await self._exchange(answer.source, SNRM, _PARAMETERS, is_last=is_last)
            if answer is None or answer.control | POLL != UA or answer.source not in addresses:
                continue
            await self._exchange(answer.source, DISC)
            return answer.source
        return None

    async def _exchange(
        self, address: bytes, control: int, information: bytes = b"", *, is_last: bool = True
    ) -> Frame | None:
        """Send a frame and return the meter's answer, or one to a frame before."""
        from ..dlms.link.hdlc import DM, FRMR, POLL, UA, Frame, client_address

        loop = asyncio.get_running_loop()
        frame = Frame(address, client_address(_PUBLIC), control, information)
        await self._port.write(frame.to_bytes())
        waits_longer = is_last and not self._port.is_local
        end = loop.time() + (_FRAME_SECONDS_REMOTE if waits_longer else _FRAME_SECONDS)
        while True:
            if not (data := await self._port.read(end)):
                return None
            end = max(end, loop.time() + _BEGUN_SECONDS)
            answers = self._reader.feed(data)
            for answer in answers:
                if answer.control | POLL in {UA, DM, FRMR}:
                    return answer
            # Some heads return what is sent through them.
            self.has_echo = self.has_echo or frame in answers
            self.heard += data


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
    association = Association(DlmsSettings())
    steps = association.associate()
    message = next(steps)
    refusal = None
    try:
        for _ in range(_ASIDES_MAX):
            answer = await link.request(message)
            if answer[:1] not in _DLMS:
                return Answer(heard=channel.recent)
            message = steps.send(answer)
    except StopIteration:
        # Some meters keep the association when the connection is closed, and then ignore all
        # other clients.
        with suppress(MeterError):
            await link.request(next(association.release()))
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
