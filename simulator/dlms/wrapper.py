"""The wrapper of TCP and UDP (IEC 62056-47): a header of eight bytes before each message."""

from dataclasses import dataclass
from typing import Final

_VERSION: Final = b"\x00\x01"
_HEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its source and destination wrapper ports."""

    source: int
    destination: int
    apdu: bytes

    def to_bytes(self) -> bytes:
        """Encode it with its header."""
        ports = self.source.to_bytes(2) + self.destination.to_bytes(2)
        return _VERSION + ports + len(self.apdu).to_bytes(2) + self.apdu


class Unwrapper:
    """Extracts messages from a stream of bytes; other bytes are skipped."""

    def __init__(self) -> None:
        """Start without bytes."""
        self._heard = bytearray()

    def forget(self) -> None:
        """Discard an incomplete message."""
        self._heard.clear()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that these bytes complete."""
        self._heard += data
        heard = self._heard
        messages = []
        while len(heard) >= _HEAD:
            if heard[:2] != _VERSION:
                del heard[0]
                continue
            end = _HEAD + int.from_bytes(heard[6:8])
            if len(heard) < end:
                break
            source, destination = (int.from_bytes(heard[at : at + 2]) for at in (2, 4))
            messages.append(Message(source, destination, bytes(heard[_HEAD:end])))
            del heard[:end]
        return messages
