"""Connections to a meter: which transport it uses, and which address it has."""

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
from .link.hdlc_link import ANSWER_SECONDS, PROBE_SECONDS, ConnectResult, HdlcLink, address_error
from .link.message_channel import MessageChannel
from .link.wrapper_link import WrapperLink
from .memory import Memory
from .settings import PUBLIC_CLIENT, DlmsSettings, Transport

#: Schemes of URLs whose other end may be the meter itself.
_NETWORK: Final = ("socket", "tcp")
#: The management logical device, which every meter has.
_LOGICAL_DEVICE: Final = 1
#: Common HDLC addresses: size in bytes, logical device, physical device.
_COMMON_ADDRESSES: Final = (
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
_SPEED_CHANGE_SECONDS: Final = 0.3
#: Seconds until an answer over the wrapper begins, while it is not known whether there is one.
_WRAPPER_PROBE_SECONDS: Final = 2.0
#: Seconds after which the other end of a network has noticed that the last connection was closed.
_CLOSED_SECONDS: Final = 5.0
#: A speed so high that no time on the wire is waited for: a network has none. Even a timer of a few
#: microseconds would take a millisecond.
_NETWORK_SPEED: Final = 1_000_000_000
#: Speed of a mode E sign-on (IEC 62056-21, annex E).
_SIGN_ON_SPEED: Final = 300

type Link = HdlcLink | WrapperLink


class Connector:
    """Opens the port and connects, with the transport and the address that the meter uses."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        memory: Memory,
        counters: Counters,
    ) -> None:
        """Take the port, its line settings, the settings and memory of the meter, and counters."""
        self._url = url
        self._line = line
        self._settings = settings
        self._memory = memory
        self.counters = counters
        #: When the last connection has ended.
        self._ended = -inf
        #: Whether the current connection began before the other end of a network has noticed that.
        self.is_early = False
        parity = LineSettings(_SIGN_ON_SPEED, Framing.SEVEN_EVEN, line.dtr, line.rts)
        self._network_line = replace(line, baudrate=_NETWORK_SPEED)
        self._signer = Iec62056Client(url, parity, SignOn(address=settings.sign_on_address))

    @asynccontextmanager
    async def connected(self, client: int) -> AsyncGenerator[Link]:
        """Connect with a client address (SAP), and disconnect at the end.

        Raises AddressError, MeterSilentError, UnknownDataError, MeterConnectionError.
        """
        transport = self._memory.transport or self._settings.transport
        if transport is None:
            transport = await self._detect_transport(client)
        try:
            async with (
                self._open(transport) as channel,
                self._linked(transport, channel, client) as link,
            ):
                self._memory.transport = transport
                yield link
        except AddressError, MeterSilentError, UnknownDataError:
            # It may be another meter by now, so both are detected again next time.
            self._memory.transport = self._memory.address = None
            raise

    @asynccontextmanager
    async def _open(self, transport: Transport) -> AsyncGenerator[MessageChannel]:
        match transport:
            case Transport.MODE_E:
                async with self._signer.open_mode_e() as port:
                    await asyncio.sleep(_SPEED_CHANGE_SECONDS)
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
        self.is_early = _is_network(self._url) and loop.time() - self._ended < _CLOSED_SECONDS
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
        """Connect to the known address, or to the first one that the meter answers to."""
        memory = self._memory
        addresses = [memory.address] if memory.address else list(_addresses(self._settings))
        is_known = len(addresses) == 1
        was_refused = False
        for address in addresses:
            link = HdlcLink(channel, client, address)
            result = await link.connect(
                seconds=ANSWER_SECONDS if is_known else PROBE_SECONDS,
                attempts=1 + is_known,
                with_parameters=memory.accepts_parameters,
            )
            if result is ConnectResult.CONNECTED:
                memory.address = address
                memory.accepts_parameters = link.accepts_parameters
                return link
            was_refused |= result is ConnectResult.REFUSED
        if was_refused or signed_on:
            # A meter that has answered the sign-on is present, so the address is wrong.
            raise address_error(channel.name)
        raise channel.silence_error()

    async def _detect_transport(self, client: int) -> Transport:
        """Return the transport that the meter answers on; the most likely one if on none."""
        if not _is_network(self._url):
            return Transport.HDLC if await self._answers_hdlc(client) else Transport.MODE_E
        # The wrapper first: some meters take HDLC for an incomplete packet and stop answering.
        if await self._answers_wrapper():
            # Remembered at once, since the meter may refuse the next connection.
            self._memory.transport = Transport.WRAPPER
            return Transport.WRAPPER
        return Transport.HDLC if await self._answers_hdlc(client) else Transport.WRAPPER

    async def _answers_hdlc(self, client: int) -> bool:
        """Return whether the meter answers HDLC frames, also with a refusal."""
        was_refused = False
        async with self._open(Transport.HDLC) as channel:
            try:
                for address in _addresses(self._settings):
                    link = HdlcLink(channel, client, address)
                    result = await link.connect(seconds=PROBE_SECONDS, attempts=1)
                    if result is ConnectResult.CONNECTED:
                        self._memory.address = address
                        self._memory.accepts_parameters = link.accepts_parameters
                        await link.disconnect()
                        return True
                    was_refused |= result is ConnectResult.REFUSED
            except PortLostError:
                # A device with another protocol may close the connection.
                if _is_network(self._url):
                    return False
                raise
        return was_refused

    async def _answers_wrapper(self) -> bool:
        """Return whether the meter answers an association request of the public client."""
        try:
            async with self._open(Transport.WRAPPER) as channel:
                link = self._wrapper(channel, PUBLIC_CLIENT)
                link.seconds = _WRAPPER_PROBE_SECONDS
                association = Association(DlmsSettings())
                await link.request(next(association.associate()))
                # Some meters keep the association when the connection is closed, and then ignore
                # all other clients.
                with suppress(MeterError):
                    await link.request(next(association.release()))
        except MeterConnectionError:
            raise
        except MeterError:
            return False
        return True


def _is_network(url: str) -> bool:
    return urlparse(url).scheme in _NETWORK


def _addresses(settings: DlmsSettings) -> Iterator[bytes]:
    """Yield the addresses to try, as far as the settings leave them open."""
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
    for size, common_logical, common_physical in _COMMON_ADDRESSES:
        if length not in {None, size}:
            continue
        upper = common_logical if logical is None else logical
        lower = common_physical if physical is None or size == 1 else physical
        with suppress(ValueError):
            address = server_address(upper, lower, size)
            if address not in tried:
                tried.add(address)
                yield address
