"""Reassembly of messages that arrive in parts: HDLC segments, M-Bus frames, blocks."""

from typing import Final, override

from ...errors import TelegramError
from ..apdu import tags
from ..apdu.block_transfer import HEADER_LENGTH, LAST_BLOCK
from ..apdu.lengths import decode_length
from .hdlc import LLC_RESPONSE, Frame
from .joined import LLC
from .mbus import NUMBERS, MbusFrame
from .unframed import LIMIT

#: Tags of pushed messages.
_PUSHED: Final = tags.ANY_GENERAL_CIPHERING | {tags.DATA_NOTIFICATION, tags.GENERAL_BLOCK_TRANSFER}
_FIRST_BLOCK: Final = 1


class _Parts:
    """The parts of a message received so far."""

    def __init__(self) -> None:
        #: Messages that lack a part, are too long, or were not finished.
        self.damaged = 0
        self._content = bytearray()

    def clear(self) -> None:
        """Discard the parts, without counting them as damaged."""
        self._content.clear()

    def finish(self) -> None:
        """Discard the parts, and count them as damaged if there are any."""
        self.damaged += bool(self._content)
        self.clear()

    def _reject(self) -> None:
        self.damaged += 1
        self.clear()

    def _take(self) -> bytes:
        content = bytes(self._content)
        self.clear()
        return content


class Segments(_Parts):
    """Segments in HDLC frames."""

    def add(self, frame: Frame) -> bytes | None:
        """Add a frame with information; return the message if it is complete."""
        content, information = self._content, frame.information
        if information.startswith(LLC):
            # Some meters repeat the header in each segment.
            information = information[len(LLC_RESPONSE) :]
            if content and information[:1] and information[0] in _PUSHED:
                self._reject()
        content += information
        if len(content) > LIMIT:
            self._reject()
            return None
        return None if frame.is_segmented else self._take()


class MbusFrames(_Parts):
    """Parts in M-Bus frames, which are numbered from 0."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0

    @override
    def clear(self) -> None:
        super().clear()
        self._next = 0

    def add(self, frame: MbusFrame) -> bytes | None:
        """Add a frame; return the message if it is complete."""
        if frame.number == 0 and (self._next == 0 or self._next % NUMBERS):
            self.finish()
        if frame.number != self._next % NUMBERS or len(self._content) > LIMIT:
            self._reject()
            return None
        self._content += frame.content
        self._next += 1
        return self._take() if frame.is_last else None


class Blocks(_Parts):
    """Blocks of general block transfer, which are numbered from 1 (IEC 62056-5-3, 6.4.4.9)."""

    def __init__(self) -> None:
        super().__init__()
        #: The number of the next block.
        self.next = _FIRST_BLOCK

    @override
    def clear(self) -> None:
        super().clear()
        self.next = _FIRST_BLOCK

    def add(self, message: bytes) -> bytes | None:
        """Add a block; return the message if it is complete and not empty."""
        try:
            control, number = message[1], int.from_bytes(message[2:4])
            length, start = decode_length(message, HEADER_LENGTH)
        except IndexError, TelegramError:
            length, start, control, number = -1, 0, 0, 0
        if number == _FIRST_BLOCK:
            # Some meters abandon a transfer and start the next one.
            self.clear()
        if number != self.next or start + length != len(message):
            self._reject()
            return None
        self._content += message[start:]
        self.next += 1
        if len(self._content) > LIMIT:
            self._content.clear()
            self.damaged += 1
        return (self._take() or None) if control & LAST_BLOCK else None
