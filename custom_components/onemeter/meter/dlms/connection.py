"""How a meter is reached: over which transport, and at which address."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from math import inf
from typing import Final
from urllib.parse import urlparse

from ..client import Counters
from ..errors import (
    AddressError,
    MeterConnectionError,
    MeterError,
    MeterSilentError,
    PortLostError,
    UnknownDataError,
)
from ..iec62056.client import Iec62056Client
from ..iec62056.settings import SignOn
from ..line import Framing, LineSettings
from ..port import Port
from .association import Association
from .link.hdlc import server_address
from .link.hdlc_link import ANSWER_SECONDS, PROBE_SECONDS, Connected, HdlcLink, address_error
from .link.message_channel import MessageChannel
from .link.wrapper_link import WrapperLink
from .memory import Memory
from .settings import PUBLIC_CLIENT, DlmsSettings, Transport

_NETWORK: Final = ("socket", "tcp")
#: The logical device of management, which is what a meter has if it has one.
_LOGICAL_DEVICE: Final = 1
#: Physical devices that are usual, with the logical device, by the bytes of an address.
_USUAL: Final = (
    (1, 1, None),
    (2, 1, 16),
    (2, 1, 17),
    (2, 16, 1),
    (2, 1, 1),
    (1, 16, None),
    (1, 17, None),
    (4, 1, 16),
    (4, 1, 17),
    (4, 1, 1),
)
#: Bytes of the longest address.
_LONGEST: Final = 4
#: Seconds between the sign-on and the first frame, in which meters change their speed.
_SETTLE: Final = 0.3
#: Seconds that the wrapper gets to answer while it is not known to be there.
_WRAPPER_PROBE_SECONDS: Final = 2.0
#: Seconds until the other side of a network takes the next connection for sure.
_NOTICED_SECONDS: Final = 5.0
#: A network has no speed: nothing waits for the time on a wire.
_NETWORK_SPEED: Final = 10_000_000
_SIGN_ON_SPEED: Final = 300

type Link = HdlcLink | WrapperLink


class Connector:
    """Opens the port and connects, however the meter wants it."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        memory: Memory,
        counters: Counters,
    ) -> None:
        """Take the port, how to open it, what is known of the meter, and where to count."""
        self._url = url
        self._line = line
        self._settings = settings
        self._memory = memory
        self.counters = counters
        #: When the last connection has ended, and whether the newest one has begun so soon that
        #: the other side of a network may not have noticed that.
        self._ended = -inf
        self.is_hasty = False
        parity = LineSettings(_SIGN_ON_SPEED, Framing.SEVEN_EVEN, line.dtr, line.rts)
        self._network_line = replace(line, baudrate=_NETWORK_SPEED)
        self._signer = Iec62056Client(url, parity, SignOn(address=settings.sign_on_address))

    @asynccontextmanager
    async def connected(self, client: int) -> AsyncGenerator[Link]:
        """Connect as a client (SAP); the connection is ended in any case.

        Raises AddressError, MeterSilentError, UnknownDataError, MeterConnectionError.
        """
        transport = self._memory.transport or self._settings.transport
        if transport is None:
            transport = await self._find_out(client)
        try:
            async with (
                self._open(transport) as channel,
                self._linked(transport, channel, client) as link,
            ):
                self._memory.transport = transport
                yield link
        except AddressError, MeterSilentError, UnknownDataError:
            # Perhaps it is another meter by now, which is found out next time.
            self._memory.transport = self._memory.address = None
            raise

    @asynccontextmanager
    async def _open(self, transport: Transport) -> AsyncGenerator[MessageChannel]:
        match transport:
            case Transport.MODE_E:
                async with self._signer.open_mode_e() as port:
                    await asyncio.sleep(_SETTLE)
                    yield MessageChannel(port, self.counters)
            case Transport.WRAPPER:
                async with self._port(self._network_line) as port:
                    yield MessageChannel(port, self.counters)
            case Transport.HDLC:
                line = self._network_line if _is_network(self._url) else self._line
                async with self._port(line) as port:
                    yield MessageChannel(port, self.counters, self._line.baudrate)

    @asynccontextmanager
    async def _port(self, line: LineSettings) -> AsyncGenerator[Port]:
        loop = asyncio.get_running_loop()
        self.is_hasty = _is_network(self._url) and loop.time() - self._ended < _NOTICED_SECONDS
        async with Port(self._url, line) as port:
            try:
                yield port
            finally:
                self._ended = loop.time()

    @asynccontextmanager
    async def _linked(
        self, transport: Transport, channel: MessageChannel, client: int
    ) -> AsyncGenerator[Link]:
        if transport is Transport.WRAPPER:
            yield self._wrapper(channel, client)
            return
        link = await self._connect(channel, client, signed_on=transport is Transport.MODE_E)
        try:
            yield link
        finally:
            with suppress(MeterError):
                await link.disconnect()

    def _wrapper(self, channel: MessageChannel, client: int) -> WrapperLink:
        device = self._settings.logical_device
        return WrapperLink(channel, client, _LOGICAL_DEVICE if device is None else device)

    async def _connect(self, channel: MessageChannel, client: int, *, signed_on: bool) -> HdlcLink:
        """Connect at the address that is known, or else at one that the meter answers to."""
        memory = self._memory
        addresses = [memory.address] if memory.address else list(_addresses(self._settings))
        is_known = len(addresses) == 1
        was_refused = False
        for address in addresses:
            link = HdlcLink(channel, client, address)
            outcome = await link.connect(
                seconds=ANSWER_SECONDS if is_known else PROBE_SECONDS,
                attempts=1 + is_known,
                with_parameters=memory.takes_parameters,
            )
            if outcome is Connected.YES:
                memory.address = address
                memory.takes_parameters = link.takes_parameters
                return link
            was_refused |= outcome is Connected.REFUSED
        if was_refused or signed_on:
            # It has answered the sign-on, so that it is there.
            raise address_error(channel.name)
        raise channel.silence_error()

    async def _find_out(self, client: int) -> Transport:
        """Return what the meter answers to, or might."""
        if not _is_network(self._url):
            return Transport.HDLC if await self._answers_hdlc(client) else Transport.MODE_E
        # Some meters in the network take HDLC for the beginning of a message and answer no more.
        if await self._answers_wrapper():
            # The meter may hang up now, which would not change that.
            self._memory.transport = Transport.WRAPPER
            return Transport.WRAPPER
        return Transport.HDLC if await self._answers_hdlc(client) else Transport.WRAPPER

    async def _answers_hdlc(self, client: int) -> bool:
        """Whether there is HDLC, if only to refuse."""
        was_refused = False
        async with self._open(Transport.HDLC) as channel:
            try:
                for address in _addresses(self._settings):
                    link = HdlcLink(channel, client, address)
                    outcome = await link.connect(seconds=PROBE_SECONDS, attempts=1)
                    if outcome is Connected.YES:
                        self._memory.address = address
                        self._memory.takes_parameters = link.takes_parameters
                        await link.disconnect()
                        return True
                    was_refused |= outcome is Connected.REFUSED
            except PortLostError:
                # Who speaks another protocol may hang up.
                if _is_network(self._url):
                    return False
                raise
        return was_refused

    async def _answers_wrapper(self) -> bool:
        """Whether anything comes when the public client asks to be let in."""
        try:
            async with self._open(Transport.WRAPPER) as channel:
                link = self._wrapper(channel, PUBLIC_CLIENT)
                link.seconds = _WRAPPER_PROBE_SECONDS
                request = next(Association(DlmsSettings()).associate())
                await link.request(request)
        except MeterConnectionError:
            raise
        except MeterError:
            return False
        return True


def _is_network(url: str) -> bool:
    """Tell whether a port is at the other end of a network."""
    return urlparse(url).scheme in _NETWORK


def _addresses(settings: DlmsSettings) -> Iterator[bytes]:
    """Yield the addresses that the meter may have by what is known of them."""
    logical, physical, length = (
        settings.logical_device,
        settings.physical_device,
        settings.address_length,
    )
    if logical is not None and (physical is not None or length == 1):
        address = server_address(logical, physical, length)
        yield address
        if length is None and len(address) < _LONGEST:
            yield server_address(logical, physical, _LONGEST)
        return
    tried: set[bytes] = set()
    for size, usual_logical, usual_physical in _USUAL:
        if length not in {None, size}:
            continue
        found = usual_logical if logical is None else logical
        device = usual_physical if physical is None or size == 1 else physical
        with suppress(ValueError):
            address = server_address(found, device, size)
            if address not in tried:
                tried.add(address)
                yield address
