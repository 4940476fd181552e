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
        self._client = client
        self._server = logical_device
        self._ports = {(logical_device, client), (client, logical_device)}
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
            await self.channel.send(Packet(self._client, self._server, apdu).to_bytes())
        if not self._received:
            end = self.channel.deadline(self.seconds, LIMIT)
            found = await self.channel.receive_messages(self._feed, self.seconds, end)
            if not found:
                if self._was_heard:
                    port = self.channel.name
                    raise MeterSilentError(f"nothing more comes from {port}", port=port)
                raise self.channel.silence_error()
            self._received += found
            self._was_heard = True
        return self._received.pop(0)

    async def disconnect(self) -> None:
        """Do nothing: the connection ends with the port."""

    def _feed(self, data: bytes) -> Sequence[bytes]:
        """Return the messages that end in ``data``; what belongs to no message is skipped."""
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
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
            # Some meters return the header of the request unchanged.
            if (packet.source, packet.destination) in self._ports:
                messages.append(packet.content)
        del buffer[:position]
        return messages
