"""Connection over the wrapper, to a polled meter (IEC 62056-47)."""

from collections.abc import Sequence
from typing import Final

from ...errors import MeterSilentError, TelegramError
from .message_channel import MessageChannel
from .wrapper import LIMIT, Packet, packet_at

#: Seconds until an answer begins; meters behind a mobile network are slow.
_ANSWER_SECONDS: Final = 10.0


class WrapperLink:
    """Exchanges messages with a logical device over the wrapper."""

    def __init__(self, channel: MessageChannel, client: int, logical_device: int) -> None:
        """Take the channel, the client's address (SAP), and the meter's logical device."""
        self.channel = channel
        self._ports = client.to_bytes(2) + logical_device.to_bytes(2)
        self._client = client
        self._server = logical_device
        self._buffer = bytearray()
        self._received: list[bytes] = []
        self._was_heard = False
        self.seconds = _ANSWER_SECONDS

    async def request(self, apdu: bytes) -> bytes:
        """Send a message and return the answer; if ``apdu`` is empty, only receive.

        Raises MeterSilentError, UnknownDataError, PortLostError.
        """
        if apdu:
            # Messages received before the request cannot be its answer.
            self._received.clear()
            header = b"\0\x01" + self._ports + len(apdu).to_bytes(2)
            await self.channel.send(header + apdu)
        # Packets for other ports do not extend the deadline.
        end = self.channel.deadline(self.seconds, LIMIT)
        while not self._received:
            found = await self.channel.receive_messages(self._feed, self.seconds, end)
            if not found:
                if self._was_heard:
                    port = self.channel.name
                    raise MeterSilentError(f"nothing more comes from {port}", port=port)
                raise self.channel.silence_error()
            self._received += [packet.content for packet in found if self._is_ours(packet)]
            self._was_heard = self._was_heard or bool(self._received)
        return self._received.pop(0)

    async def disconnect(self) -> None:
        """Do nothing: the connection ends with the port."""

    def _is_ours(self, packet: Packet) -> bool:
        # Some meters return the header of the request unchanged.
        return {packet.source, packet.destination} == {self._server, self._client}

    def _feed(self, data: bytes) -> Sequence[Packet]:
        """Return the packets that end in ``data``; other bytes are skipped."""
        buffer = self._buffer
        buffer += data
        packets: list[Packet] = []
        position = 0
        while position < len(buffer):
            try:
                found = packet_at(buffer, position)
            except TelegramError:
                position = buffer.find(b"\0", position + 1)
                if position < 0:
                    position = len(buffer)
                continue
            if found is None:
                break
            packet, position = found
            packets.append(packet)
        del buffer[:position]
        return packets
