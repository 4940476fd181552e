"""The messages of DLMS in a stream: what they come in, and how they are protected."""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..errors import TelegramError
from ..line import LineSettings
from ..reading import Identity
from .result import Checksum, Encryption, Evidence, EvidenceKind, Frames

if TYPE_CHECKING:
    from ..dlms.apdu.general_ciphering import GeneralCipheringMessage

#: Messages of one meter that must follow one another where no checksum protects them.
_ALIKE: Final = 2
#: Frames in order after which no message is waited for any more.
_FRAMES_MOST: Final = 24
_FRAME_CHECKSUMS: Final = {Frames.HDLC: Checksum.FCS, Frames.MBUS: Checksum.MBUS}
#: Where a block of general block transfer has its length; the lowest bits of a security control
#: byte, and the highest suite.
_BLOCK_LENGTH: Final = 6
_SUITE: Final = 0x0F
_SUITE_MAX: Final = 2


class Messages:
    """The messages of DLMS in a stream, and what they come in."""

    def __init__(self) -> None:
        from ..dlms.link.assembly import Assembler
        from ..dlms.link.hdlc import FrameReader
        from ..dlms.push.decoder import DlmsDecoder

        self._hdlc = FrameReader()
        self._mbus = _MbusFrames()
        self._assembler = Assembler()
        self._decoder = DlmsDecoder()
        self._counts: Counter[Frames] = Counter()
        #: Whether it has shown how the messages are protected.
        self._is_known = False
        #: Enciphered messages by who has sent them, and the newest counter of each.
        self._enciphered: Counter[bytes] = Counter()
        self._counters: dict[bytes, int] = {}
        self.encryption: Encryption | None = None
        self.identity = Identity()

    def evidence(
        self, line: LineSettings | None
    ) -> tuple[Evidence, Frames, Checksum | None] | None:
        """Return what proves DLMS, with what its messages come in; None as long as nothing does."""
        for frames, checksum in _FRAME_CHECKSUMS.items():
            if (count := self._counts[frames]) >= (1 if self._is_known else _FRAMES_MOST):
                return Evidence(EvidenceKind.TELEGRAMS, count, line), frames, checksum
        alike = max(self._enciphered.values(), default=0)
        if alike >= _ALIKE:
            return Evidence(EvidenceKind.MESSAGES, alike, line), Frames.NONE, None
        if self._decoder.good >= _ALIKE:
            # In the clear, nothing but the wrapper is understood.
            return Evidence(EvidenceKind.MESSAGES, self._decoder.good, line), Frames.WRAPPER, None
        return None

    @property
    def has_frames(self) -> bool:
        """Whether a frame with a right checksum has come."""
        return bool(self._counts)

    @property
    def is_promising(self) -> bool:
        """Whether more of the same would prove something."""
        return bool(self._enciphered) or self._decoder.good > 0 or bool(self._counts)

    def feed_in_slices(self, data: bytes) -> Iterator[None]:
        """Take the next bytes; after each slice others may have their turn."""
        for frame in self._hdlc.feed(data):
            if frame.information:
                self._counts[Frames.HDLC] += 1
                self._look(_without_llc(frame.information))
        yield
        for content in self._mbus.feed(data):
            self._counts[Frames.MBUS] += 1
            self._look(content)
        yield
        for message in self._assembler.feed(data):
            if message is not None:
                self._is_known = True
                self._take(message)
            yield
        for reading in self._decoder.feed_in_slices(data):
            if reading is not None:
                self.identity = reading.meter
            yield

    def _look(self, begin: bytes) -> None:
        """Look at what may be the begin of a message: one that is enciphered says so there."""
        if (encryption := _encryption(begin)) is not None:
            self.encryption = encryption
            self._is_known = True

    def _take(self, message: bytes) -> None:
        """Count a message that is enciphered."""
        from ..dlms.security.ciphering import HEADER_LENGTH

        found = _general_message(message)
        if found is None or len(found.protected) < HEADER_LENGTH:
            return
        self.encryption = _encryption_of(found.protected[0], found.title)
        counter = int.from_bytes(found.protected[1:HEADER_LENGTH])
        sender = found.title or message[: message.find(b"\r")]
        if found.title and counter <= self._counters.get(sender, -1):
            return
        self._counters[sender] = counter
        self._enciphered[sender] += 1


def _without_llc(information: bytes) -> bytes:
    from ..dlms.link.hdlc import LLC_COMMAND, LLC_RESPONSE

    return information.removeprefix(LLC_RESPONSE).removeprefix(LLC_COMMAND)


def _encryption(begin: bytes) -> Encryption | None:
    """Return the protection of a message from its beginning; None if that does not show it."""
    from ..dlms.apdu.lengths import decode_length
    from ..dlms.apdu.tags import GENERAL_BLOCK_TRANSFER, GENERAL_GLO_CIPHERING
    from ..dlms.security.ciphering import AUTHENTICATED, ENCRYPTED, TITLE_LENGTH

    try:
        if begin[0] == GENERAL_BLOCK_TRANSFER:
            begin = begin[decode_length(begin, _BLOCK_LENGTH)[1] :]
        if begin[0] != GENERAL_GLO_CIPHERING or begin[1] != TITLE_LENGTH:
            return None
        title = begin[2 : 2 + TITLE_LENGTH]
        control = begin[decode_length(begin, 2 + TITLE_LENGTH)[1]]
    except IndexError, TelegramError:
        return None
    is_plausible = control & (AUTHENTICATED | ENCRYPTED) and control & _SUITE <= _SUITE_MAX
    return _encryption_of(control, title) if is_plausible else None


def _encryption_of(control: int, title: bytes) -> Encryption:
    from ..dlms.security.ciphering import AUTHENTICATED, ENCRYPTED, TITLE_LENGTH

    return Encryption(
        is_encrypted=bool(control & ENCRYPTED),
        is_authenticated=bool(control & AUTHENTICATED),
        suite=control & _SUITE,
        system_title=title if len(title) == TITLE_LENGTH else None,
    )


def _general_message(message: bytes) -> GeneralCipheringMessage | None:
    """Take an enciphered message apart; None for any other one."""
    from ..dlms.apdu.general_ciphering import GeneralCipheringMessage, parse_general_ciphering
    from ..dlms.apdu.tags import ANY_GENERAL_CIPHERING
    from ..dlms.link.unframed import split_head

    try:
        if message.startswith(b"/"):
            _, protected = split_head(message)
            return GeneralCipheringMessage(b"", b"", protected, len(message))
        return (
            parse_general_ciphering(message)
            if message[:1] and message[0] in ANY_GENERAL_CIPHERING
            else None
        )
    except TelegramError:
        return None


class _MbusFrames:
    """Finds the long frames of M-Bus that carry DLMS."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield what frames that end in them hold."""
        from ..dlms.link.mbus import START, is_header, mbus_frame_at

        buffer = self._buffer
        buffer += data
        start = buffer.find(START)
        while start >= 0:
            is_mbus = is_header(buffer, start)
            found = None
            if is_mbus:
                try:
                    found = mbus_frame_at(buffer, start)
                except TelegramError:
                    is_mbus = False
            if found is not None:
                yield found[0].content
                start = buffer.find(START, found[1])
            elif is_mbus is False:
                start = buffer.find(START, start + 1)
            else:
                # More of it is to come.
                break
        del buffer[: len(buffer) if start < 0 else start]
